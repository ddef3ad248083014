"""What accepted orders hold, and what the engine's reports make of orders and balances."""

import pytest

from rules.decisions import REFUSED
from rules.events import (
    BulkCancel,
    Deadline,
    Ended,
    EngineSession,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    TradeBust,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_ENGINE,
    CAUSE_KILL,
    CAUSE_SELF_TRADE,
    CHANNEL_WEB,
    E8,
    ENGINE_LOST,
    EXPIRED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    REJECTED,
    SCOPE_ACCOUNT,
    SELL,
)
from tests.rules.desk import Desk, fill
from tests.rules.order_world import (
    ACCOUNT,
    BASE,
    KEY,
    OTHER_ACCOUNT,
    OTHER_KEY,
    QUOTE,
    SYMBOL,
    cancel,
    e8,
    market,
    place,
)

FOREIGN_ORDER = 1 << 62
MINUTES = 5


def average_e8(desk: Desk) -> int:
    """Return the symbol's average price of the last minutes."""
    return desk.facts.average.price_e8(MINUTES, desk.now_ns)


# --- Reservations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "reserved_e8"), [(BUY, e8(1000)), (SELL, e8(10))])
def test_an_accepted_order_holds_what_it_could_spend(side: int, reserved_e8: int) -> None:
    """A buy holds price times quantity, a sell its quantity; totals stay, what is free shrinks."""
    desk = Desk()
    order = desk.place(side=side)
    assert order.reserved_e8 == desk.reserved_e8(side) == reserved_e8
    assert desk.gained_e8(QUOTE) == desk.gained_e8(BASE) == 0
    asset = QUOTE if side == BUY else BASE
    assert desk.book.free_e8(ACCOUNT, asset) == desk.balance(asset).total_e8 - reserved_e8


@pytest.mark.parametrize(
    ("quantity_e8", "reserved_e8"), [(E8 // 2 - 1, 1), (E8 // 2, 1), (E8 // 2 + 1, 2)]
)
def test_a_reservation_is_rounded_up(quantity_e8: int, reserved_e8: int) -> None:
    """At a price of two units of 1e-8, half a unit is held exactly; one more takes another."""
    desk = Desk()
    assert desk.place(price_e8=2, quantity_e8=quantity_e8).reserved_e8 == reserved_e8


@pytest.mark.parametrize(
    ("side", "left_e8", "base_e8", "quote_e8"),
    [(BUY, e8(600), e8(4), -e8(396)), (SELL, e8(6), -e8(4), e8(396))],
)
def test_a_partial_fill_leaves_the_rest_reserved(
    side: int, left_e8: int, base_e8: int, quote_e8: int
) -> None:
    """A buy filled below its price keeps only what the rest could cost at its own price."""
    desk = Desk()
    order = desk.rest(side=side)
    desk.trade(order, fill(e8(99), e8(4)))
    assert order.status == PARTIALLY_FILLED
    assert (order.filled_e8, order.quote_filled_e8) == (e8(4), e8(396))
    assert order.reserved_e8 == desk.reserved_e8(side) == left_e8
    assert (desk.gained_e8(BASE), desk.gained_e8(QUOTE)) == (base_e8, quote_e8)
    desk.trade(order, fill(e8(100), e8(6)))
    assert desk.reserved_e8(side) == 0
    assert order.order_id not in desk.book.orders


@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_end_of_an_order_releases_its_rest(side: int) -> None:
    """Nothing of the order is left in any index of the book, and its client id is free again."""
    desk = Desk()
    order = desk.rest(side=side, client_order_id="mine")
    desk.trade(order, fill(e8(100), e8(3)))
    ended = OrderEnded(*desk.begin(), order.order_id, EXPIRED, CAUSE_ENGINE, e8(3))
    desk.send(ended)
    assert desk.reserved_e8(side) == 0
    assert (order.status, order.cancel_cause) == (EXPIRED, CAUSE_ENGINE)
    book = desk.book
    assert book.ended == {order.order_id: order}
    assert not book.orders
    assert not book.orders_by_account
    assert not book.client_ids
    desk.send(ended)
    assert desk.reserved_e8(side) == 0


@pytest.mark.parametrize("status", [FILLED, EXPIRED])
def test_a_market_buy_by_quantity_holds_its_price_limit(status: int) -> None:
    """The protection's limit of 3 % above the last price is what the rest may cost."""
    desk = Desk({"market_protection": {"mode": "enforce", "distance": "0.03"}})
    desk.last(e8(100))
    order = desk.place(market(BUY))
    assert order.price_limit_e8 == e8(103)
    assert desk.reserved_e8() == e8(1030)
    desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, fills=(fill(e8(101), e8(4)),))
    assert desk.reserved_e8() == e8(6 * 103)
    desk.send(OrderEnded(*desk.begin(), order.order_id, status, CAUSE_ENGINE, e8(4)))
    assert desk.reserved_e8() == 0


def test_a_market_buy_without_a_limit_gives_up_what_it_spent() -> None:
    """Where no rule caps the price, the reservation shrinks by the amounts really paid."""
    desk = Desk()
    desk.last(e8(100))
    order = desk.place(market(BUY))
    assert (order.price_limit_e8, desk.reserved_e8()) == (0, e8(1050))
    desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, fills=(fill(e8(101), e8(4)),))
    assert desk.reserved_e8() == e8(1050 - 404)


@pytest.mark.parametrize(
    ("side", "reserved_e8", "left_e8"),
    [
        (BUY, e8(500), e8(300)),
        # 500 at the lowest price of 95, rounded up, and 2 less.
        (SELL, -(-e8(500) // 95), -(-e8(500) // 95) - e8(2)),
    ],
)
def test_a_market_order_by_quote_amount_gives_up_what_it_spent(
    side: int, reserved_e8: int, left_e8: int
) -> None:
    """It has no quantity to count down, so fills are taken off the amount held."""
    desk = Desk()
    desk.last(e8(100))
    order = desk.place(market(side, quote_quantity_e8=e8(500)))
    assert desk.reserved_e8(side) == reserved_e8
    fills = (fill(e8(100), e8(2)),)
    desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, fills=fills)
    assert desk.reserved_e8(side) == left_e8
    desk.send(OrderEnded(*desk.begin(), order.order_id, EXPIRED, CAUSE_ENGINE, e8(2)))
    assert desk.reserved_e8(side) == 0


def test_an_immediate_end_settles_all_fills() -> None:
    """A market order filled in its own answer leaves balances changed and nothing held."""
    desk = Desk()
    desk.last(e8(100))
    order = desk.place(market(BUY))
    fills = (fill(e8(100), e8(4)), fill(e8(102), e8(6), trade_id=2))
    desk.answer(order.command_id, order.order_id, FILLED, fills=fills)
    assert (desk.gained_e8(BASE), desk.gained_e8(QUOTE)) == (e8(10), -e8(1012))
    assert desk.reserved_e8() == 0
    assert desk.book.ended == {order.order_id: order}


@pytest.mark.parametrize(("side", "asset"), [(BUY, BASE), (SELL, QUOTE)])
def test_commission_is_taken_from_what_is_received(side: int, asset: int) -> None:
    """It lowers the total of its asset and leaves reservations alone."""
    desk = Desk()
    order = desk.rest(side=side)
    one = fill(e8(100), e8(10), commission_e8=E8 // 100, commission_asset=asset)
    desk.trade(order, one)
    received_e8 = e8(10) if side == BUY else e8(1000)
    assert desk.gained_e8(asset) == received_e8 - E8 // 100
    assert desk.reserved_e8(side) == 0


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_refused_placement_returns_everything(side: int) -> None:
    """The engine's refusal ends the order as rejected; a second answer changes nothing."""
    desk = Desk()
    order = desk.place(side=side)
    for _ in range(2):
        desk.refuse(order.command_id, Reason.ENGINE_WOULD_TAKE)
        assert desk.reserved_e8(side) == 0
        assert order.status == REJECTED
        assert not desk.book.orders


def test_a_request_the_gate_refused_holds_nothing() -> None:
    """Without the funds for it, an order leaves the book as it was."""
    desk = Desk({"balance": {"mode": "enforce"}})
    decision = desk.send(place(price_e8=e8(1_000_000), quantity_e8=e8(1) + 1))
    assert decision.verdict == REFUSED
    assert desk.reserved_e8() == 0
    assert not desk.book.orders


# --- Answers late, lost and overtaken -------------------------------------------------------------


def test_fills_of_an_overtaken_answer_are_settled() -> None:
    """An order whose end was reported first still gets the fills its own answer brings."""
    desk = Desk()
    order = desk.place()
    desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_ENGINE, e8(4)))
    assert desk.reserved_e8() == 0
    fills = (fill(e8(100), e8(4)),)
    for _ in range(2):
        desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, fills=fills)
        assert (desk.gained_e8(BASE), desk.gained_e8(QUOTE)) == (e8(4), -e8(400))
        assert desk.reserved_e8() == 0
        assert not desk.book.orders
    assert not desk.pipeline.booking.settlement.overtaken


def test_an_order_that_ended_after_its_answer_is_not_kept() -> None:
    """Only an order still waiting for its answer can be overtaken."""
    desk = Desk()
    order = desk.rest()
    desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_ENGINE, 0))
    assert not desk.pipeline.booking.settlement.overtaken
    assert not desk.pipeline.booking.settlement.pending


@pytest.mark.parametrize("by_result", [False, True])
def test_an_order_without_an_answer_keeps_its_reservation(by_result: bool) -> None:
    """Its fate is unknown, so what it could spend stays held until the late answer comes."""
    desk = Desk()
    order = desk.place()
    if by_result:
        desk.answer(order.command_id, order.order_id, 0, accepted=False, unknown=True)
    else:
        desk.send(Deadline(order.command_id))
    assert order.unknown
    assert not order.live
    assert desk.reserved_e8() == e8(1000)
    desk.answer(order.command_id, order.order_id, NEW)
    assert order.live
    assert desk.reserved_e8() == e8(1000)


def test_a_late_refusal_returns_what_was_held() -> None:
    """After the deadline a refusal still ends the order."""
    desk = Desk()
    order = desk.place()
    desk.send(Deadline(order.command_id))
    desk.refuse(order.command_id, Reason.ENGINE_STALE)
    assert (order.status, order.unknown, desk.reserved_e8()) == (REJECTED, False, 0)


def test_a_deadline_after_the_answer_changes_nothing() -> None:
    """The command is no longer waited for."""
    desk = Desk()
    order = desk.rest()
    desk.send(Deadline(order.command_id))
    assert order.live


@pytest.mark.parametrize("unknown", [True, False])
def test_cancel_of_an_order_the_engine_does_not_have(unknown: bool) -> None:
    """It ends the order: one that never arrived, or one whose end was lost on the way."""
    desk = Desk()
    order = desk.place()
    if unknown:
        desk.send(Deadline(order.command_id))
    else:
        desk.answer(order.command_id, order.order_id)
    desk.send(cancel(order_id=order.order_id))
    assert order.cancel_cause
    desk.refuse(desk.book.current_seq, Reason.ENGINE_UNKNOWN_ORDER)
    assert order.order_id not in desk.book.orders
    assert (order.status, desk.reserved_e8()) == (REJECTED if unknown else ENGINE_LOST, 0)


def test_a_bulk_cancel_ends_what_it_does_not_find() -> None:
    """Accepted without naming an order, it says that the engine does not have it."""
    desk = Desk()
    lost, resting, gone = desk.place(), desk.rest(), desk.rest()
    desk.send(Deadline(lost.command_id))
    desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_KILL, 0))
    assert {lost.cancel_cause, resting.cancel_cause, gone.cancel_cause} == {CAUSE_KILL}
    ended = (Ended(resting.order_id, CANCELED, 0),)
    desk.answer(desk.book.current_seq, 0, CANCELED, ended=ended)
    statuses = (lost.status, resting.status, gone.status)
    assert statuses == (REJECTED, CANCELED, ENGINE_LOST)
    assert not desk.book.orders
    assert desk.reserved_e8() == 0


def test_a_lost_cancel_may_be_asked_for_again() -> None:
    """After the deadline the order is no longer marked, and it stays as it is."""
    desk = Desk()
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    command_id = desk.book.current_seq
    desk.send(Deadline(command_id))
    assert order.cancel_cause == 0
    assert order.live
    desk.answer(command_id, order.order_id, CANCELED, ended=(Ended(order.order_id, CANCELED, 0),))
    assert (order.status, desk.reserved_e8()) == (CANCELED, 0)


# --- Quantity lost, trades annulled, orders lost --------------------------------------------------


@pytest.mark.parametrize(("side", "left_e8"), [(BUY, e8(500)), (SELL, e8(5))])
def test_prevented_quantity_is_given_back(side: int, left_e8: int) -> None:
    """Of 10, 3 were prevented and 2 traded: 5 are left to hold for."""
    desk = Desk()
    order = desk.place(side=side)
    fills = (fill(e8(100), e8(2)),)
    answered = {"fills": fills, "prevented_e8": e8(3)}
    desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, **answered)
    assert (order.quantity_e8, order.remaining_e8) == (e8(7), e8(5))
    assert desk.reserved_e8(side) == left_e8


@pytest.mark.parametrize(("side", "left_e8"), [(BUY, e8(300)), (SELL, e8(3))])
def test_a_reduced_order_gives_back_what_it_lost(side: int, left_e8: int) -> None:
    """The report names the new total, of which some may be filled; age and order stay."""
    desk = Desk()
    order = desk.rest(side=side)
    desk.trade(order, fill(e8(100), e8(4)))
    desk.send(OrderReduced(*desk.begin(), order.order_id, e8(7), CAUSE_SELF_TRADE, e8(3)))
    assert (order.quantity_e8, order.remaining_e8) == (e8(7), e8(3))
    assert desk.reserved_e8(side) == left_e8


def test_a_bust_takes_a_trade_back_from_both_sides() -> None:
    """Totals are what they were before the trade, those of open orders' holds untouched."""
    desk = Desk()
    sell = desk.rest(side=SELL, key=OTHER_KEY)
    buy = desk.place()
    desk.answer(buy.command_id, buy.order_id, FILLED, fills=(fill(e8(100), e8(10)),))
    desk.trade(sell, fill(e8(100), e8(10), maker=True))
    assert desk.gained_e8(BASE) == -desk.gained_e8(BASE, OTHER_ACCOUNT) == e8(10)
    both = (buy.order_id, sell.order_id, ACCOUNT, OTHER_ACCOUNT)
    desk.send(TradeBust(*desk.begin(), 1, SYMBOL, e8(100), e8(10), *both))
    for account in (ACCOUNT, OTHER_ACCOUNT):
        assert desk.gained_e8(BASE, account) == desk.gained_e8(QUOTE, account) == 0
        assert desk.balance(BASE, account).reserved_e8 == 0


def test_a_bust_leaves_foreign_sides_alone() -> None:
    """A side that is no account here is named 0."""
    desk = Desk()
    desk.send(TradeBust(*desk.begin(), 1, SYMBOL, e8(100), e8(10), 5, 6, 0, ACCOUNT))
    assert (desk.gained_e8(BASE), desk.gained_e8(QUOTE)) == (e8(10), -e8(1000))
    assert (0, BASE) not in desk.book.balances


@pytest.mark.parametrize(("epoch", "lost"), [(3, False), (4, True)])
def test_an_engine_of_a_new_epoch_has_lost_all_orders(epoch: int, lost: bool) -> None:
    """Live, in flight or overtaken: all end, nothing is held, and old answers are no longer due."""
    desk = Desk()
    desk.send(EngineSession(True, 3, 0))
    live, in_flight, overtaken = desk.rest(), desk.place(), desk.place()
    desk.send(OrderEnded(*desk.begin(), overtaken.order_id, CANCELED, CAUSE_ENGINE, 0))
    desk.send(EngineSession(False, 3, 0))
    assert not desk.book.engine_connected
    assert len(desk.book.orders) == 2
    desk.send(EngineSession(True, epoch, 0))
    assert desk.book.engine_connected
    assert desk.book.engine_epoch == epoch
    assert (live.status == ENGINE_LOST) is (in_flight.status == ENGINE_LOST) is lost
    assert desk.reserved_e8() == (0 if lost else e8(2000))
    settlement = desk.pipeline.booking.settlement
    waiting = (bool(settlement.pending), bool(settlement.overtaken))
    assert waiting == (not lost, not lost)
    fills = (fill(e8(100), e8(1)),)
    for order in (in_flight, overtaken):
        desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, fills=fills)
    assert desk.gained_e8(BASE) == (0 if lost else e8(2))


# --- Average price --------------------------------------------------------------------------------


def foreign_trade(desk: Desk, price_e8: int, buy: int = FOREIGN_ORDER) -> MarketTrade:
    """Return the drop copy of a trade of one with another channel's order."""
    orders = (buy, FOREIGN_ORDER + 1)
    rest = (0, 0, CHANNEL_WEB, CHANNEL_WEB, False)
    return MarketTrade(*desk.begin(), SYMBOL, 1, price_e8, e8(1), *orders, *rest)


def test_a_trade_within_the_gate_counts_once() -> None:
    """The taker's fill counts; the resting side's report of the same trade does not."""
    desk = Desk()
    maker = desk.rest(side=SELL, key=OTHER_KEY, quantity_e8=e8(1))
    taker = desk.place(key=KEY, quantity_e8=e8(1))
    fills = (fill(e8(100), e8(1), counter_order_id=maker.order_id),)
    desk.answer(taker.command_id, taker.order_id, FILLED, fills=fills)
    desk.trade(maker, fill(e8(100), e8(1), counter_order_id=taker.order_id))
    desk.send(foreign_trade(desk, e8(200)))
    assert average_e8(desk) == e8(150)
    assert desk.facts.last_e8 == e8(200)


def test_a_trade_with_another_channel_counts_once() -> None:
    """The taker's fill waits for the drop copy, so one trade weighs no more than another."""
    desk = Desk()
    taker = desk.place(quantity_e8=e8(1))
    fills = (fill(e8(100), e8(1), counter_order_id=FOREIGN_ORDER + 1),)
    desk.answer(taker.command_id, taker.order_id, FILLED, fills=fills)
    assert average_e8(desk) == 0
    desk.send(foreign_trade(desk, e8(100), buy=taker.order_id))
    assert average_e8(desk) == desk.facts.last_e8 == e8(100)
    desk.send(foreign_trade(desk, e8(200)))
    assert average_e8(desk) == e8(150)


def test_another_channels_taker_counts_once() -> None:
    """A resting order's execution leaves the average to the drop copy."""
    desk = Desk()
    maker = desk.rest(quantity_e8=e8(1))
    desk.trade(maker, fill(e8(100), e8(1), counter_order_id=FOREIGN_ORDER))
    assert average_e8(desk) == 0
    desk.send(foreign_trade(desk, e8(100), buy=maker.order_id))
    desk.send(foreign_trade(desk, e8(200)))
    assert average_e8(desk) == e8(150)
