"""Orders, trades and balances as clients see them, from hand-made records."""

from typing import Any

import pytest

from gateway.views.balances import BalancesView
from gateway.views.orders import OrdersView
from gateway.views.trades import AccountTrade, TradesView
from rules.book import Balance
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Decision
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CommandResult,
    Deadline,
    Ended,
    EngineSession,
    Event,
    Fill,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    Place,
    Replace,
    TradeBust,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_KILL,
    CAUSE_REPLACE,
    CAUSE_SELF_TRADE,
    E8,
    ENGINE_LOST,
    EXPIRE_MAKER,
    EXPIRED,
    EXPIRED_IN_MATCH,
    FILLED,
    FLAG_TEST,
    GTC,
    LIMIT,
    MARKET,
    NEW,
    PARTIALLY_FILLED,
    PENDING_NEW,
    SELL,
)
from tests.gateway.views.view_world import BASE, QUOTE, SYMBOL, ViewWorld

ACCOUNT = 5
COMMON = (40, 1, 9, 2, 1, 1, 0, 0, 1, 0, 0)


class Desk:
    """Feeds records to the views, numbering them."""

    def __init__(self, **bounds: int) -> None:
        self.world = ViewWorld()
        self.trades = TradesView()
        self.orders = OrdersView(self.world, self.trades, **bounds)
        self.seq = 0
        self.now_ns = 1_000

    def record(self, event: Event, decision: Decision = NOTED_DECISION) -> int:
        """Take up one event and return its number."""
        self.seq += 1
        self.now_ns += 10
        self.orders.on_record(self.seq, self.now_ns, event, decision)
        return self.seq

    def place(
        self, order_id: int, client_id: str = "", account: int = ACCOUNT, **other: Any
    ) -> int:
        """Accept an order of 10 at 100."""
        fields = {
            "symbol": SYMBOL,
            "side": BUY,
            "order_type": LIMIT,
            "time_in_force": GTC,
            "price_e8": 100 * E8,
            "quantity_e8": 10 * E8,
            "quote_quantity_e8": 0,
            "client_order_id": client_id or f"c{order_id}",
        }
        decision = Decision(ACCEPTED, order_id=order_id, account=account)
        return self.record(Place(*COMMON, **(fields | other)), decision)

    def result(self, command: int, order_id: int, status: int = NEW, **other: Any) -> None:
        """Accept a command."""
        self.record(CommandResult(command, order_id, True, None, status, self.now_ns, **other))

    def live(self, order_id: int, client_id: str = "", **other: Any) -> None:
        """Place an order that rests."""
        self.result(self.place(order_id, client_id, **other), order_id)

    def view(self, order_id: int) -> Any:
        """Return an order by its id."""
        return self.orders.get(ACCOUNT, SYMBOL, order_id, "")

    def ids(self, **asked: int) -> list[int]:
        """Return the ids of the account's history."""
        return [view.order_id for view in self.orders.all(ACCOUNT, SYMBOL, **asked)]


def fill(trade_id: int, quantity: int, price: int = 100, maker: bool = False) -> Fill:
    """Return one execution."""
    return Fill(
        trade_id,
        price * E8,
        quantity * E8,
        price * quantity * E8,
        quantity * E8 // 1_000,
        BASE,
        maker,
    )


def test_order_from_acceptance_to_fill() -> None:
    """In flight, live, partly filled, filled: each step shows, times included."""
    desk = Desk()
    command = desk.place(7)
    view = desk.view(7)
    assert (view.status, view.open, view.working_ns) == (PENDING_NEW, True, 0)
    assert (view.client_order_id, view.price_e8, view.quantity_e8) == ("c7", 100 * E8, 10 * E8)
    assert view.stp_mode == EXPIRE_MAKER
    desk.result(command, 7)
    assert view.status == NEW
    assert view.time_ns == view.working_ns == view.update_ns > 0
    placed_ns = view.time_ns
    desk.record(OrderTrade(1, 5_000, 7, fill(1, 4, maker=True), PARTIALLY_FILLED))
    assert (view.status, view.executed_e8, view.quote_executed_e8) == (
        PARTIALLY_FILLED,
        4 * E8,
        400 * E8,
    )
    assert (view.time_ns, view.update_ns) == (placed_ns, 5_000)
    desk.record(OrderTrade(2, 6_000, 7, fill(2, 6, maker=True), FILLED))
    assert (view.status, view.open, view.fills, view.cause) == (FILLED, False, 2, 0)
    assert desk.orders.open(ACCOUNT) == []
    assert desk.ids() == [7]
    assert [trade.trade_id for trade in desk.trades.of_account(ACCOUNT, SYMBOL)] == [1, 2]


def test_immediate_fills_are_in_the_result() -> None:
    """A taker's fills come with the result, and end the order at once."""
    desk = Desk()
    command = desk.place(7, side=SELL)
    desk.result(command, 7, FILLED, fills=(fill(1, 3), fill(2, 7, 101)))
    view = desk.view(7)
    assert (view.status, view.executed_e8, view.quote_executed_e8) == (
        FILLED,
        10 * E8,
        (300 + 707) * E8,
    )
    first, second = desk.trades.of_account(ACCOUNT, SYMBOL, order_id=7)
    assert (first.trade_id, second.trade_id) == (1, 2)
    assert not first.is_buyer
    assert not first.is_maker
    assert first.commission_asset == BASE


def test_market_order_by_amount_ends_with_what_it_executed() -> None:
    """An order given by its quote amount gets its quantity from the engine."""
    desk = Desk()
    command = desk.place(
        7, order_type=MARKET, time_in_force=0, price_e8=0, quantity_e8=0, quote_quantity_e8=500 * E8
    )
    desk.result(command, 7, EXPIRED, fills=(fill(1, 4),))
    view = desk.view(7)
    assert (view.quantity_e8, view.executed_e8, view.quote_quantity_e8) == (
        4 * E8,
        4 * E8,
        500 * E8,
    )


def test_refused_orders_leave_nothing() -> None:
    """What the gate or the engine refused, and test orders, never were on the venue."""
    desk = Desk()
    desk.place(1, flags=FLAG_TEST)
    desk.record(
        Place(*COMMON, SYMBOL, BUY, LIMIT, GTC, E8, E8, 0), Decision(REFUSED, account=ACCOUNT)
    )
    command = desk.place(2)
    desk.record(CommandResult(command, 2, False, Reason.ENGINE_WOULD_TAKE, 0, 1))
    assert desk.ids() == []
    assert desk.orders.open(ACCOUNT) == []
    assert desk.view(2) is None
    assert desk.orders.open_count() == 0


def test_client_id_names_the_newest_order() -> None:
    """A client id may be used again once its order is closed; a refused reuse changes nothing."""
    desk = Desk()
    desk.live(1, "same")
    desk.result(desk.record(cancel(1), Decision(ACCEPTED)), 1, CANCELED, ended=(ended(1),))
    assert desk.orders.get(ACCOUNT, SYMBOL, 0, "same").order_id == 1
    desk.live(2, "same")
    assert desk.orders.get(ACCOUNT, SYMBOL, 0, "same").order_id == 2
    desk.record(OrderEnded(1, 1, 2, CANCELED, CAUSE_KILL, 0))
    command = desk.place(3, "same")
    assert desk.orders.get(ACCOUNT, SYMBOL, 0, "same").order_id == 3
    desk.record(CommandResult(command, 3, False, Reason.ENGINE_WOULD_TAKE, 0, 1))
    assert desk.orders.get(ACCOUNT, SYMBOL, 0, "same").order_id == 2


@pytest.mark.parametrize(
    ("account", "symbol", "order_id", "client_id", "found"),
    [
        (ACCOUNT, SYMBOL, 1, "", True),
        (ACCOUNT, SYMBOL, 0, "mine", True),
        (ACCOUNT, 0, 1, "", True),
        (ACCOUNT, SYMBOL, 1, "mine", True),
        (ACCOUNT, SYMBOL, 1, "other", False),
        (ACCOUNT + 1, SYMBOL, 1, "", False),
        (ACCOUNT + 1, SYMBOL, 0, "mine", False),
        (ACCOUNT, SYMBOL + 1, 1, "", False),
        (ACCOUNT, SYMBOL, 2, "", False),
        (ACCOUNT, SYMBOL, 0, "none", False),
    ],
)
def test_get(account: int, symbol: int, order_id: int, client_id: str, found: bool) -> None:
    """An order is found by either id, on its symbol, by its account only."""
    desk = Desk()
    desk.live(1, "mine")
    assert (desk.orders.get(account, symbol, order_id, client_id) is not None) is found


def cancel(order_id: int) -> Cancel:
    """Return a client's cancel."""
    return Cancel(*COMMON, SYMBOL, order_id, "")


def ended(order_id: int, status: int = CANCELED) -> Ended:
    """Return one end in a cancel's result."""
    return Ended(order_id, status, 0)


def test_cause_of_an_end() -> None:
    """An order shows who ended it: its client, a kill, a replace, self-trade prevention."""
    desk = Desk()
    for order_id in (1, 2, 3, 4):
        desk.live(order_id)
    desk.result(desk.record(cancel(1), Decision(ACCEPTED)), 1, CANCELED, ended=(ended(1),))
    bulk = desk.record(BulkCancel(4, ACCOUNT, 0, CAUSE_KILL, 1), Decision(ACCEPTED, cancels=(2,)))
    desk.result(bulk, 0, 0, ended=(ended(2),))
    desk.record(OrderEnded(1, 1, 3, EXPIRED_IN_MATCH, CAUSE_SELF_TRADE, 0, 5 * E8))
    replace = Replace(*COMMON, SYMBOL, 4, "", BUY, LIMIT, GTC, 99 * E8, E8, 0, "new")
    command = desk.record(replace, Decision(ACCEPTED, order_id=5, account=ACCOUNT))
    desk.result(command, 5, NEW, ended=(ended(4),))
    assert [desk.view(order_id).cause for order_id in (1, 2, 3, 4)] == [
        CAUSE_CLIENT,
        CAUSE_KILL,
        CAUSE_SELF_TRADE,
        CAUSE_REPLACE,
    ]
    assert desk.view(3).prevented_e8 == 5 * E8
    assert [view.order_id for view in desk.orders.open(ACCOUNT)] == [5]
    assert desk.view(5).status == NEW


def test_replace_whose_new_order_was_refused() -> None:
    """The old order is gone, the new one never was."""
    desk = Desk()
    desk.live(1)
    replace = Replace(*COMMON, SYMBOL, 1, "", BUY, LIMIT, GTC, 99 * E8, E8, 0, "new")
    command = desk.record(replace, Decision(ACCEPTED, order_id=2, account=ACCOUNT))
    desk.result(
        command, 2, 0, ended=(ended(1),), replaced_refusal=Reason.ENGINE_INSUFFICIENT_BALANCE
    )
    assert desk.ids() == [1]
    assert desk.orders.open(ACCOUNT) == []


def test_amend_changes_price_and_quantity() -> None:
    """An amend shows once the engine has taken it; a refused one changes nothing."""
    desk = Desk()
    desk.live(1)
    command = desk.record(Amend(*COMMON, SYMBOL, 1, "", 4 * E8), Decision(ACCEPTED))
    assert desk.view(1).quantity_e8 == 10 * E8
    desk.result(command, 1, NEW)
    assert (desk.view(1).quantity_e8, desk.view(1).price_e8) == (4 * E8, 100 * E8)
    command = desk.record(Amend(*COMMON, SYMBOL, 1, "", 0, 90 * E8), Decision(ACCEPTED))
    desk.record(CommandResult(command, 1, False, Reason.ENGINE_WOULD_TAKE, 0, 1))
    assert (desk.view(1).status, desk.view(1).price_e8) == (NEW, 100 * E8)


def test_reduction_by_self_trade_prevention() -> None:
    """DECREMENT prevents quantity without ending the order; what was ordered stays visible."""
    desk = Desk()
    desk.live(1)
    desk.record(OrderReduced(1, 9_000, 1, 6 * E8, CAUSE_SELF_TRADE, 4 * E8))
    view = desk.view(1)
    assert (view.quantity_e8, view.prevented_e8, view.status) == (10 * E8, 4 * E8, NEW)


def test_unknown_orders_stay_until_the_engine_speaks() -> None:
    """After a deadline the order is open with unknown fate; a late answer settles it."""
    desk = Desk()
    command = desk.place(1)
    desk.record(Deadline(command))
    assert desk.view(1).unknown
    assert [view.order_id for view in desk.orders.open(ACCOUNT)] == [1]
    desk.result(command, 1)
    assert (desk.view(1).unknown, desk.view(1).status) == (False, NEW)
    second = desk.place(2)
    desk.record(CommandResult(second, 2, False, None, 0, 1, unknown=True))
    assert desk.view(2).unknown
    desk.record(CommandResult(second, 2, False, Reason.ENGINE_STALE, 0, 1))
    assert desk.view(2) is None


def test_new_epoch_ends_what_the_engine_lost() -> None:
    """Orders the book no longer holds after a new session end as ENGINE_LOST."""
    desk = Desk()
    desk.live(1)
    desk.live(2)
    desk.world.book.orders[2] = object()  # type: ignore[assignment]
    desk.record(EngineSession(True, 2, 0))
    assert (desk.view(1).status, desk.view(2).status) == (ENGINE_LOST, NEW)
    assert [view.order_id for view in desk.orders.open(ACCOUNT)] == [2]


def test_bust_takes_the_trade_off_both_sides() -> None:
    """An annulled trade leaves both histories, of one account trading with itself too."""
    desk = Desk()
    desk.live(1)
    desk.record(OrderTrade(1, 1, 1, fill(8, 4, maker=True), PARTIALLY_FILLED))
    desk.result(desk.place(2, side=SELL, quantity_e8=4 * E8), 2, FILLED, fills=(fill(8, 4),))
    desk.record(TradeBust(2, 2, 8, SYMBOL, 100 * E8, 4 * E8, 1, 2, ACCOUNT, ACCOUNT))
    assert desk.trades.of_account(ACCOUNT, SYMBOL) == []
    for order_id in (1, 2):
        view = desk.view(order_id)
        assert (view.executed_e8, view.quote_executed_e8, view.fills) == (0, 0, 0)


def test_all_by_id_time_and_limit() -> None:
    """With a beginning the first orders count, without one the latest; times are inclusive."""
    desk = Desk()
    for order_id in range(1, 7):
        desk.live(order_id)
    times = {view.order_id: view.time_ns for view in desk.orders.all(ACCOUNT, SYMBOL)}
    assert desk.ids() == [1, 2, 3, 4, 5, 6]
    assert desk.ids(limit=2) == [5, 6]
    assert desk.ids(limit=0) == []
    assert desk.ids(from_order_id=3, limit=2) == [3, 4]
    assert desk.ids(start_ns=times[2], limit=2) == [2, 3]
    assert desk.ids(start_ns=times[2] + 1, limit=1) == [3]
    assert desk.ids(end_ns=times[4]) == [1, 2, 3, 4]
    assert desk.ids(end_ns=times[4] - 1, limit=1) == [3]
    assert desk.orders.all(ACCOUNT, SYMBOL + 1) == []
    assert desk.orders.all(ACCOUNT + 1, SYMBOL) == []


def close(desk: Desk, order_id: int) -> None:
    """End an order."""
    desk.record(OrderEnded(1, 1, order_id, CANCELED, CAUSE_KILL, 0))


def test_closed_orders_are_bounded_by_account() -> None:
    """The orders that closed first go first; open ones never go."""
    desk = Desk(closed_per_account=2)
    for order_id in (1, 2, 3, 4):
        desk.live(order_id)
    for order_id in (3, 1):
        close(desk, order_id)
    assert desk.ids() == [1, 2, 3, 4]
    close(desk, 4)
    assert desk.ids() == [1, 2, 4]
    assert desk.view(3) is None
    assert desk.orders.get(ACCOUNT, SYMBOL, 0, "c3") is None
    assert desk.orders.open_count() == 1


def test_closed_orders_are_bounded_in_total() -> None:
    """Over all accounts the oldest goes first, whosever it is."""
    desk = Desk(closed_total=3)
    for order_id in range(1, 6):
        desk.live(order_id, account=ACCOUNT + order_id % 2)
    for order_id in range(1, 6):
        close(desk, order_id)
    assert [v.order_id for v in desk.orders.all(ACCOUNT, SYMBOL)] == [4]
    assert [v.order_id for v in desk.orders.all(ACCOUNT + 1, SYMBOL)] == [3, 5]


def account_trade(trade_id: int, account: int = ACCOUNT, symbol: int = SYMBOL) -> AccountTrade:
    """Return a trade of an account, at a time that is a hundred times its id."""
    return AccountTrade(
        trade_id, trade_id + 50, account, symbol, E8, E8, E8, 0, BASE, trade_id * 100, True, False
    )


def test_trades_by_id_time_and_limit() -> None:
    """With a beginning the first trades count, without one the latest; times are inclusive."""
    view = TradesView()
    for trade_id in (1, 2, 3, 5, 4):
        view.add(account_trade(trade_id))
    view.add(account_trade(6, symbol=SYMBOL + 1))

    def ids(**asked: int) -> list[int]:
        return [trade.trade_id for trade in view.of_account(ACCOUNT, SYMBOL, **asked)]

    assert ids() == [1, 2, 3, 4, 5]
    assert ids(limit=2) == [4, 5]
    assert ids(limit=0) == []
    assert ids(from_trade_id=2, limit=2) == [2, 3]
    assert ids(start_ns=200, end_ns=400) == [2, 3, 4]
    assert ids(start_ns=201, end_ns=399) == [3]
    assert ids(end_ns=300, limit=2) == [2, 3]
    assert ids(order_id=53) == [3]
    assert [trade.trade_id for trade in view.of_account(ACCOUNT)] == [1, 2, 3, 5, 4, 6]
    assert view.of_account(ACCOUNT + 1, SYMBOL) == []


def test_trades_are_bounded_by_account_and_in_total() -> None:
    """The oldest go first, and an annulled trade makes room."""
    view = TradesView(per_account=3, total=4)
    for trade_id in range(1, 5):
        view.add(account_trade(trade_id))
    assert [t.trade_id for t in view.of_account(ACCOUNT)] == [2, 3, 4]
    view.add(account_trade(5, account=ACCOUNT + 1))
    view.add(account_trade(6, account=ACCOUNT + 1))
    assert [t.trade_id for t in view.of_account(ACCOUNT)] == [3, 4]
    assert view.bust(3, 53) is not None
    assert view.bust(3, 53) is None
    view.add(account_trade(7, account=ACCOUNT + 1))
    assert [t.trade_id for t in view.of_account(ACCOUNT)] == [4]
    assert [t.trade_id for t in view.of_account(ACCOUNT + 1)] == [5, 6, 7]


def test_balances_show_every_asset() -> None:
    """Free is what is not reserved; assets never held are there with zero."""
    world = ViewWorld()
    world.book.balances[ACCOUNT, QUOTE] = Balance(1_000 * E8, 400 * E8)
    assert BalancesView(world).of_account(ACCOUNT) == [
        ("BTC", 0, 0),
        ("USDT", 600 * E8, 400 * E8),
    ]
