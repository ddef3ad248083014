"""What each order type and time in force does, and what the engine refuses."""

import msgspec
import pytest

from gateway.stub import matching
from rules.reasons import Reason
from rules.values import (
    BUY,
    E8,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    IOC,
    LIMIT_MAKER,
    MARKET,
    NEW,
    PARTIALLY_FILLED,
    SELL,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    SYMBOL_CANCEL_ONLY,
    SYMBOL_HALT,
    SYMBOL_TRADING,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
)
from tests.gateway.stub.venue import ALICE, BASE, BOB, CAROL, FUNDS, QUOTE, SYMBOL, Venue, fills

ASKS = ((100, 1), (101, 2), (103, 4))
BIDS = ((99, 1), (98, 2), (96, 4))


@pytest.fixture
def venue() -> Venue:
    """A book of three levels a side, all Bob's: asks are orders 1 to 3, bids 4 to 6."""
    venue = Venue()
    for price, quantity in ASKS:
        venue.sell(BOB, price, quantity)
    for price, quantity in BIDS:
        venue.buy(BOB, price, quantity)
    return venue


def outcome(result):
    """Return what the tables below compare."""
    return result.accepted, result.reason, result.status, fills(result)


NO = Reason.ENGINE_NO_LIQUIDITY


@pytest.mark.parametrize(
    ("side", "price", "quantity", "tif", "status", "reason", "filled", "top"),
    [
        # GTC: trades what crosses, at the makers' prices, and rests with the remainder.
        (BUY, 99.5, 1, GTC, NEW, None, [], (99.5, 100)),
        (BUY, 100, 1, GTC, FILLED, None, [(100, 1, 1)], (99, 101)),
        (BUY, 100, 3, GTC, PARTIALLY_FILLED, None, [(100, 1, 1)], (100, 101)),
        (BUY, 102, 3, GTC, FILLED, None, [(100, 1, 1), (101, 2, 2)], (99, 103)),
        (SELL, 99.5, 1, GTC, NEW, None, [], (99, 99.5)),
        (SELL, 99, 1, GTC, FILLED, None, [(99, 1, 4)], (98, 100)),
        (SELL, 97, 4, GTC, PARTIALLY_FILLED, None, [(99, 1, 4), (98, 2, 5)], (96, 97)),
        # IOC: never rests.
        (BUY, 99.5, 1, IOC, EXPIRED, NO, [], (99, 100)),
        (BUY, 100, 1, IOC, FILLED, None, [(100, 1, 1)], (99, 101)),
        (BUY, 100, 3, IOC, EXPIRED, NO, [(100, 1, 1)], (99, 101)),
        (SELL, 99, 3, IOC, EXPIRED, NO, [(99, 1, 4)], (98, 100)),
        # FOK: all or nothing, exact at what the book has.
        (BUY, 101, 2.99999999, FOK, FILLED, None, [(100, 1, 1), (101, 1.99999999, 2)], (99, 101)),
        (BUY, 101, 3, FOK, FILLED, None, [(100, 1, 1), (101, 2, 2)], (99, 103)),
        (BUY, 101, 3.00000001, FOK, EXPIRED, NO, [], (99, 100)),
        (BUY, 99.5, 1, FOK, EXPIRED, NO, [], (99, 100)),
        (SELL, 98, 3, FOK, FILLED, None, [(99, 1, 4), (98, 2, 5)], (96, 100)),
        (SELL, 98, 3.00000001, FOK, EXPIRED, NO, [], (99, 100)),
    ],
)
def test_limit_orders(venue, side, price, quantity, tif, status, reason, filled, top):
    """LIMIT with each time in force: fills, status and the best prices afterwards."""
    order = venue.order(ALICE, side, price, 1, time_in_force=tif, quantity_e8=round(quantity * E8))
    assert outcome(venue.run(order)) == (True, reason, status, filled)
    bids, asks = venue.depth()
    assert (bids[0][0], asks[0][0]) == top
    venue.check_money()


@pytest.mark.parametrize(
    ("side", "price", "reason"),
    [
        (BUY, 99.99999999, None),
        (BUY, 100, Reason.ENGINE_WOULD_TAKE),
        (BUY, 100.00000001, Reason.ENGINE_WOULD_TAKE),
        (SELL, 99.00000001, None),
        (SELL, 99, Reason.ENGINE_WOULD_TAKE),
    ],
)
def test_limit_maker_never_takes(venue, side, price, reason):
    """LIMIT_MAKER is refused exactly when its price reaches the other side."""
    order = venue.order(
        ALICE, side, 1, 1, order_type=LIMIT_MAKER, time_in_force=0, price_e8=round(price * E8)
    )
    result = venue.run(order)
    assert outcome(result) == (reason is None, reason, NEW if reason is None else 0, [])
    venue.check_money()


@pytest.mark.parametrize(
    ("side", "quantity", "limit", "status", "filled"),
    [
        (BUY, 2, 0, FILLED, [(100, 1, 1), (101, 1, 2)]),
        (BUY, 7, 0, FILLED, [(100, 1, 1), (101, 2, 2), (103, 4, 3)]),
        (BUY, 8, 0, EXPIRED, [(100, 1, 1), (101, 2, 2), (103, 4, 3)]),
        (BUY, 4, 103, FILLED, [(100, 1, 1), (101, 2, 2), (103, 1, 3)]),
        (BUY, 4, 102, EXPIRED, [(100, 1, 1), (101, 2, 2)]),
        (BUY, 4, 99, EXPIRED, []),
        (SELL, 2, 0, FILLED, [(99, 1, 4), (98, 1, 5)]),
        (SELL, 4, 96, FILLED, [(99, 1, 4), (98, 2, 5), (96, 1, 6)]),
        (SELL, 4, 97, EXPIRED, [(99, 1, 4), (98, 2, 5)]),
    ],
)
def test_market_by_quantity(venue, side, quantity, limit, status, filled):
    """MARKET takes the best prices up to its price limit; the rest expires."""
    result = venue.run(venue.order(ALICE, side, 0, quantity, price_limit_e8=limit * E8))
    reason = None if status == FILLED else NO
    assert outcome(result) == (True, reason, status, filled)
    venue.check_money()


@pytest.mark.parametrize(
    ("side", "amount", "step", "limit", "status", "filled"),
    [
        # Exactly one level, a unit less, a unit more.
        (BUY, 100 * E8, 1, 0, FILLED, [(100, 1, 1)]),
        (BUY, 100 * E8 - 1, 1, 0, FILLED, [(100, 0.99999999, 1)]),
        (BUY, 100 * E8 + 100, 1, 0, FILLED, [(100, 1, 1)]),
        (BUY, 100 * E8 + 101, 1, 0, FILLED, [(100, 1, 1), (101, 0.00000001, 2)]),
        # The total is rounded down to the lot step.
        (BUY, 150 * E8, E8 // 10, 0, FILLED, [(100, 1, 1), (101, 0.4, 2)]),
        (BUY, 99 * E8, E8, 0, EXPIRED, []),
        (BUY, 100 * E8, E8, 0, FILLED, [(100, 1, 1)]),
        # The book or the price limit ends it.
        (BUY, 1000 * E8, 1, 0, EXPIRED, [(100, 1, 1), (101, 2, 2), (103, 4, 3)]),
        (BUY, 1000 * E8, 1, 101 * E8, EXPIRED, [(100, 1, 1), (101, 2, 2)]),
        (SELL, 99 * E8, 1, 0, FILLED, [(99, 1, 4)]),
        (SELL, 150 * E8, E8 // 2, 0, FILLED, [(99, 1, 4), (98, 0.5, 5)]),
        (SELL, 1000 * E8, 1, 98 * E8, EXPIRED, [(99, 1, 4), (98, 2, 5)]),
    ],
)
def test_market_by_quote_amount(side, amount, step, limit, status, filled):
    """MARKET by amount executes as much as the amount buys or sells, and never more."""
    venue = Venue(step_e8=step)
    for price, quantity in ASKS:
        venue.sell(BOB, price, quantity)
    for price, quantity in BIDS:
        venue.buy(BOB, price, quantity)
    result = venue.run(
        venue.order(ALICE, side, 0, 0, quote_quantity_e8=amount, price_limit_e8=limit)
    )
    assert outcome(result) == (True, None if status == FILLED else NO, status, filled)
    assert sum(fill.quote_e8 for fill in result.fills) <= amount
    venue.check_money()


@pytest.mark.parametrize(("side", "filled_e8"), [(BUY, 20), (SELL, 20)])
def test_an_amount_too_small_to_move_anything_trades_once(side, filled_e8):
    """At 0.05 each, 20 units are worth 1 and 19 nothing: the amount is spent, not met for ever."""
    venue = Venue(step_e8=1)
    (venue.sell if side == BUY else venue.buy)(BOB, 0.05, 1_000)
    result = venue.run(venue.order(ALICE, side, 0, 0, quote_quantity_e8=1))
    assert [fill.quantity_e8 for fill in result.fills] == [filled_e8]
    below = Venue(step_e8=1)
    (below.sell if side == BUY else below.buy)(BOB, 0.3, 1_000)
    result = below.run(below.order(ALICE, side, 0, 0, quote_quantity_e8=1))
    assert [(fill.quantity_e8, fill.quote_e8) for fill in result.fills] == [(3, 0)]
    assert result.status == FILLED
    below.check_money()


@pytest.mark.parametrize(
    ("changes", "status", "trades"),
    [
        ({}, EXPIRED, 3),
        ({"quantity": 3}, FILLED, 3),
        ({"quantity": 4}, EXPIRED, 3),
        ({"time_in_force": IOC}, EXPIRED, 3),
        ({"time_in_force": FOK}, EXPIRED, 0),
        ({"time_in_force": FOK, "quantity": 3}, FILLED, 3),
        ({"price": 0}, EXPIRED, 3),
    ],
)
def test_trades_of_one_order_are_bounded(monkeypatch, changes, status, trades):
    """What would need more trades expires, so no result outgrows a message or a record."""
    monkeypatch.setattr(matching, "TRADES_MAX", 3)
    venue = Venue()
    for _ in range(5):
        venue.sell(BOB, 100, 1)
    wanted = {"price": 100, "quantity": 5} | changes
    price, quantity = wanted.pop("price"), wanted.pop("quantity")
    result = venue.run(venue.order(ALICE, BUY, price, quantity, **wanted))
    assert (result.status, len(result.fills)) == (status, trades)
    venue.check_money()


@pytest.mark.parametrize(
    ("limit", "status", "filled"),
    [
        (0, PARTIALLY_FILLED, [(100, 1, 1), (101, 2, 2)]),
        (101, EXPIRED, [(100, 1, 1), (101, 2, 2)]),
        (100, EXPIRED, [(100, 1, 1)]),
        (102, PARTIALLY_FILLED, [(100, 1, 1), (101, 2, 2)]),
        (103, PARTIALLY_FILLED, [(100, 1, 1), (101, 2, 2)]),
    ],
)
def test_price_limit_of_a_limit_order(venue, limit, status, filled):
    """A price limit better than the order's own price binds, and the remainder can't rest."""
    result = venue.buy(ALICE, 102, 5, price_limit_e8=limit * E8)
    assert (result.status, fills(result)) == (status, filled)
    venue.check_money()


def test_price_then_time(venue):
    """At one price the first to come trades first; a better price goes before both."""
    first = venue.sell(CAROL, 100, 1).order_id
    better = venue.sell(CAROL, 99.5, 1).order_id
    assert fills(venue.buy(ALICE, 100, 2.5)) == [(99.5, 1, better), (100, 1, 1), (100, 0.5, first)]


def test_makers_are_told_in_sequence(venue):
    """Each maker gets a report of its own, numbered without gap, with both sides' ids."""
    before = venue.exchange.engine_seq
    result = venue.buy(ALICE, 101, 2)
    assert [report.engine_seq for report in venue.reports] == [before + 1, before + 2]
    assert [(report.order_id, report.status) for report in venue.reports] == [
        (1, FILLED),
        (2, PARTIALLY_FILLED),
    ]
    for report, fill in zip(venue.reports, result.fills, strict=True):
        assert (report.fill.maker, fill.maker) == (True, False)
        assert report.fill.trade_id == fill.trade_id
        assert report.fill.counter_order_id == result.order_id
        assert (report.fill.counter_account, fill.counter_account) == (ALICE, BOB)
    assert [trade.trade_id for trade in venue.exchange.trades_since(0)] == [1, 2]
    assert not any(trade.buyer_is_maker for trade in venue.exchange.trades_since(0))
    assert [trade.trade_id for trade in venue.exchange.trades_since(1)] == [2]


@pytest.mark.parametrize(
    ("side", "price", "quantity", "free", "accepted"),
    [
        (BUY, 100, 1, 100 * E8, True),
        (BUY, 100, 1, 100 * E8 - 1, False),
        (SELL, 200, 1, E8, True),
        (SELL, 200, 1, E8 - 1, False),
        (BUY, 0, 2, 201 * E8, True),
        (BUY, 0, 2, 201 * E8 - 1, False),
        (SELL, 0, 2, 2 * E8, True),
        (SELL, 0, 2, 2 * E8 - 1, False),
    ],
)
def test_funds_are_checked_exactly(venue, side, price, quantity, free, accepted):
    """An order is refused when one unit of 1e-8 is missing, and changes nothing then."""
    account, asset = 9, QUOTE if side == BUY else BASE
    venue.exchange.deposit(account, asset, free, "", 0)
    depth = venue.depth()
    result = venue.run(venue.order(account, side, price, quantity))
    assert result.accepted is accepted
    if not accepted:
        assert result.reason == Reason.ENGINE_INSUFFICIENT_BALANCE
        assert venue.depth() == depth
        assert venue.balance(account, asset) == (free, 0)
    venue.check_money()


def test_funds_of_market_orders_by_amount(venue):
    """A buy needs the whole amount, a sell what it would deliver."""
    venue.exchange.deposit(9, QUOTE, 100 * E8, "", 0)
    short = venue.run(venue.order(9, BUY, 0, 0, quote_quantity_e8=100 * E8 + 1))
    assert short.reason == Reason.ENGINE_INSUFFICIENT_BALANCE
    assert venue.run(venue.order(9, BUY, 0, 0, quote_quantity_e8=100 * E8)).status == FILLED
    assert venue.run(venue.order(9, SELL, 0, 0, quote_quantity_e8=99 * E8)).status == FILLED
    none_left = venue.run(venue.order(9, SELL, 0, 0, quote_quantity_e8=98 * E8))
    assert none_left.reason == Reason.ENGINE_INSUFFICIENT_BALANCE


def test_locks_follow_the_open_quantity():
    """A buy locks its worst cost rounded up; fills at better prices give the difference back."""
    venue = Venue()
    venue.buy(ALICE, 100.5, 2)
    assert venue.balance(ALICE, QUOTE) == (FUNDS - 201 * E8, 201 * E8)
    venue.sell(BOB, 100, 1)
    assert venue.balance(ALICE, QUOTE) == (FUNDS - 201 * E8, 201 * E8 // 2)
    assert venue.balance(ALICE, BASE) == (FUNDS + E8, 0)
    venue.sell(CAROL, 99, 1)
    venue.buy(ALICE, 100.5, 0.00000001)
    assert venue.balance(ALICE, QUOTE)[1] == 101
    venue.cancel(4)
    assert venue.balance(ALICE, QUOTE) == (FUNDS - 201 * E8, 0)
    venue.check_money()


@pytest.mark.parametrize(
    ("quantity_e8", "buyer_fee", "seller_fee"),
    [(E8, 100_000, 20_000_000), (1, 1, 1), (1001, 2, 201), (1000, 1, 200)],
)
def test_commissions_round_up_and_reach_the_venue(quantity_e8, buyer_fee, seller_fee):
    """Maker pays 0.1 % of the base received, taker 0.2 % of the quote received, rounded up."""
    venue = Venue(maker_ppm=1_000, taker_ppm=2_000)
    venue.buy(ALICE, 100, 0, quantity_e8=quantity_e8)
    result = venue.sell(BOB, 100, 0, quantity_e8=quantity_e8)
    fill = result.fills[0]
    assert (fill.commission_e8, fill.commission_asset) == (seller_fee, QUOTE)
    maker_fill = venue.reports[0].fill
    assert (maker_fill.commission_e8, maker_fill.commission_asset) == (buyer_fee, BASE)
    assert venue.exchange.ledger.commissions == {BASE: buyer_fee, QUOTE: seller_fee}
    assert venue.balance(ALICE, BASE) == (FUNDS + quantity_e8 - buyer_fee, 0)
    assert venue.balance(BOB, QUOTE) == (FUNDS + 100 * quantity_e8 - seller_fee, 0)
    venue.check_money()


@pytest.mark.parametrize(
    "changes",
    [
        {"order_type": STOP_LOSS},
        {"order_type": STOP_LOSS_LIMIT},
        {"order_type": TAKE_PROFIT},
        {"order_type": TAKE_PROFIT_LIMIT},
        {"order_type": 0},
        {"order_type": 99},
        {"side": 0},
        {"side": 3},
        {"time_in_force": 0},
        {"time_in_force": 4},
        {"price_e8": 0},
        {"price_e8": -1},
        {"quantity_e8": 0},
        {"quantity_e8": -1},
        {"quote_quantity_e8": 1},
        {"stp_mode": 7},
        {"stp_mode": -1},
        {"order_type": MARKET, "quote_quantity_e8": 1},
        {"order_type": MARKET, "quantity_e8": 0},
        {"order_type": MARKET, "quantity_e8": -1, "quote_quantity_e8": 5},
    ],
)
def test_what_is_not_supported(venue, changes):
    """Types and fields the engine does not know are refused, not guessed at."""
    order = venue.order(ALICE, BUY, 50, 1)
    result = venue.run(msgspec.structs.replace(order, **changes))
    assert outcome(result) == (False, Reason.ENGINE_UNSUPPORTED, 0, [])


@pytest.mark.parametrize("state", [SYMBOL_HALT, SYMBOL_CANCEL_ONLY])
def test_closed_symbols_take_cancels_only(venue, state):
    """A symbol that does not trade refuses orders and still cancels them; an unknown one too."""
    venue.exchange.set_symbol_state(SYMBOL, state)
    assert venue.buy(ALICE, 50, 1).reason == Reason.ENGINE_SYMBOL_CLOSED
    assert venue.cancel(1).accepted
    venue.exchange.set_symbol_state(SYMBOL, SYMBOL_TRADING)
    assert venue.buy(ALICE, 50, 1).accepted
    assert venue.buy(ALICE, 50, 1, symbol=77).reason == Reason.ENGINE_SYMBOL_CLOSED


@pytest.mark.parametrize(("slack", "reason"), [(-1, Reason.ENGINE_STALE), (0, None), (1, None)])
def test_stale_orders(venue, slack, reason):
    """An order is carried out until its last valid nanosecond and not after."""
    assert venue.buy(ALICE, 50, 1, valid_until_ns=venue.now_ns + 1 + slack).reason == reason
