"""Orders of each account: all open ones and the newest closed ones."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from gateway.views.account_orders import AccountOrders
from gateway.views.order_view import OrderView, view_of, view_of_request
from gateway.views.source import ViewedCore
from gateway.views.trades import AccountTrade, TradesView
from rules.book import Book
from rules.decisions import ACCEPTED, Decision
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    Deadline,
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
    CAUSE_CLIENT,
    CAUSE_ENGINE,
    CAUSE_REPLACE,
    ENGINE_LOST,
    FILLED,
    FLAG_TEST,
    LIVE_STATUSES,
    NEW,
    PENDING_NEW,
    SCOPE_ORDER,
    notional_e8,
)

_T = TypeVar("_T")

CLOSED_PER_ACCOUNT: Final = 10_000
COMMANDS_MAX: Final = 100_000
"""Commands in flight that are remembered."""
CLOSED_TOTAL: Final = 1_000_000
"""Closed orders kept over all accounts; the oldest go first."""


class _Command(msgspec.Struct, frozen=True, gc=False):
    """What a command in flight is about."""

    cause: int
    """Why it ends orders."""
    placed: int = 0
    """The order it places."""
    amend: Amend | None = None
    cancels: tuple[int, ...] = ()
    """Orders it is to end."""
    bulk: bool = False


_NO_COMMAND: Final = _Command(CAUSE_ENGINE)


class OrdersView:
    """Orders by account, kept current from the record by a listener for each type of event."""

    def __init__(
        self,
        core: ViewedCore,
        trades: TradesView,
        closed_per_account: int = CLOSED_PER_ACCOUNT,
        closed_total: int = CLOSED_TOTAL,
    ) -> None:
        self._core = core
        self._trades = trades
        self._closed_per_account = closed_per_account
        self._closed_total = closed_total
        self._orders: dict[int, OrderView] = {}
        self._accounts: dict[int, AccountOrders] = {}
        self._hidden: dict[int, OrderView] = {}
        """What an order in flight hides in `AccountOrders.by_name`, until the engine has taken it."""
        self._closed: OrderedDict[int, OrderView] = OrderedDict()
        self._placing: dict[int, int] = {}
        """Orders that the engine has not answered, by the sequence number of their event."""
        self._commands: dict[int, _Command] = {}
        """Other commands without an answer, likewise."""
        self.listeners: dict[type[Event], Callable[[int, int, Any, Decision], None]] = {
            Place: self._place,
            Replace: self._replace,
            Amend: self._amend,
            Cancel: self._cancel,
            CancelAll: self._cancel,
            BulkCancel: self._bulk_cancel,
            CommandResult: self._result,
            OrderTrade: self._trade,
            OrderEnded: self._ended,
            OrderReduced: self._reduced,
            TradeBust: self._bust,
            Deadline: self._deadline,
            EngineSession: self._session,
        }

    def take_over(self, book: Book) -> None:
        """Take up the open orders of the run before, as far as the book knows them."""
        for order in book.orders.values():
            self._add(view_of(order, book))
            if not order.live:
                _remember(self._placing, order.command_id, order.order_id)

    def follow(self, core: ViewedCore) -> None:
        """Follow another core from here on, whose book has the same orders."""
        self._core = core

    # --- Queries ------------------------------------------------------------------------------

    def get(
        self, account: int, symbol: int, order_id: int, client_order_id: str
    ) -> OrderView | None:
        """Return the account's order on `symbol` (0: any), open or closed.

        The order id is looked up first; with both ids given both must name the same order. Of
        several orders with one client order id it is the newest.
        """
        if order_id:
            view = self._orders.get(order_id)
            if view is not None and client_order_id and view.client_order_id != client_order_id:
                return None
        else:
            held = self._accounts.get(account)
            view = held.by_name.get(client_order_id) if held is not None else None
        if view is None or view.account != account or (symbol and view.symbol != symbol):
            return None
        return view

    def open(self, account: int, symbol: int = 0) -> list[OrderView]:
        """Return the account's open orders, on one symbol or (0) on all, oldest first.

        Orders in flight and of unknown fate are among them.
        """
        held = self._accounts.get(account)
        return held.open_on(symbol) if held is not None else []

    def all(
        self,
        account: int,
        symbol: int,
        from_order_id: int = 0,
        start_ns: int = 0,
        end_ns: int = 0,
        limit: int = 500,
    ) -> list[OrderView]:
        """Return up to `limit` orders on a symbol, open and closed, by ascending id.

        With `from_order_id` or `start_ns` these are the first from there on, else the latest.
        Times are inclusive; 0 leaves a condition out.
        """
        held = self._accounts.get(account)
        if held is None:
            return []
        return held.history(symbol, from_order_id, start_ns, end_ns, limit)

    def open_count(self) -> int:
        """Return the number of open orders of all accounts."""
        return len(self._orders) - len(self._closed)

    # --- The record ---------------------------------------------------------------------------

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take up one recorded event; those that say nothing of orders are passed over."""
        listener = self.listeners.get(type(event))
        if listener is not None:
            listener(seq, now_ns, event, decision)

    def _place(self, seq: int, now_ns: int, event: Place, decision: Decision) -> None:
        if decision.verdict == ACCEPTED and not event.flags & FLAG_TEST:
            _remember(self._placing, seq, decision.order_id)
            view = view_of_request(event, decision, now_ns, self._core.book)
            view.stop_price_e8 = event.stop_price_e8
            view.iceberg_quantity_e8 = event.iceberg_quantity_e8
            view.strategy_id = event.strategy_id
            view.strategy_type = event.strategy_type
            self._add(view)

    def _replace(self, seq: int, now_ns: int, event: Replace, decision: Decision) -> None:
        if decision.verdict == ACCEPTED and not event.flags & FLAG_TEST:
            command = _Command(CAUSE_REPLACE, decision.order_id, cancels=decision.cancels)
            _remember(self._commands, seq, command)
            self._add(view_of_request(event, decision, now_ns, self._core.book))

    def _amend(self, seq: int, now_ns: int, event: Amend, decision: Decision) -> None:
        if decision.verdict == ACCEPTED:
            _remember(self._commands, seq, _Command(CAUSE_CLIENT, amend=event))

    def _cancel(self, seq: int, now_ns: int, event: Cancel | CancelAll, decision: Decision) -> None:
        if decision.deferred:
            self._hold(decision, now_ns)
        if decision.verdict == ACCEPTED:
            bulk = isinstance(event, CancelAll)
            cancels = decision.cancels if bulk else (decision.order_id,)
            _remember(self._commands, seq, _Command(CAUSE_CLIENT, 0, None, cancels, bulk))

    def _hold(self, decision: Decision, now_ns: int) -> None:
        """Show the orders as pending whose cancel a decision has put off."""
        for view in filter(None, map(self._orders.get, decision.deferred)):
            view.pending_cancel = True
            view.update_ns = now_ns

    def _bulk_cancel(self, seq: int, now_ns: int, event: BulkCancel, decision: Decision) -> None:
        self._hold(decision, now_ns)
        if event.scope == SCOPE_ORDER and not decision.cancels:
            # A cancel that was held is given up: the order is not in the status it was for.
            self._keep((event.subject,))
        if decision.cancels:
            command = _Command(event.cause, cancels=decision.cancels, bulk=True)
            _remember(self._commands, seq, command)

    def _result(self, seq: int, now_ns: int, event: CommandResult, decision: Decision) -> None:
        if event.unknown:
            view = self._orders.get(event.order_id)
            if view is not None and view.status == PENDING_NEW:
                view.unknown = True
            return
        time_ns = event.engine_ns or now_ns
        placed = self._placing.pop(event.command_id, 0)
        if placed and not event.ended:
            view = self._orders.get(placed)
            if view is not None and view.open:
                self._entered(view, event, time_ns)
            return
        command = self._commands.pop(event.command_id, _NO_COMMAND)
        if placed:
            command = _Command(0, placed)
        if event.reason is Reason.CANCEL_RESTRICTED:
            self._keep(command.cancels)
        for ended in event.ended:
            other = self._orders.get(ended.order_id)
            if other is not None and other.open:
                self._close(other, ended.status, command.cause, time_ns)
        if event.reason is Reason.ENGINE_UNKNOWN_ORDER or (command.bulk and event.accepted):
            self._not_there(command, time_ns)
        view = self._orders.get(command.placed or event.order_id)
        if view is None or not view.open:
            return
        if command.placed:
            self._entered(view, event, time_ns)
        elif event.accepted:
            if command.amend is not None:
                self._amended(view, command.amend)
            elif view.status == PENDING_NEW:
                self._taken(view, time_ns)
            self._executed(view, event, time_ns)

    def _entered(self, view: OrderView, event: CommandResult, time_ns: int) -> None:
        """Take up what became of an order that was placed."""
        if not event.accepted or event.replaced_refusal is not None:
            if view.status == PENDING_NEW:
                self._drop(view)
            return
        if view.status == PENDING_NEW:
            self._taken(view, time_ns)
        self._executed(view, event, time_ns)

    def _executed(self, view: OrderView, event: CommandResult, time_ns: int) -> None:
        """Take up what a command did at once to the order it is about."""
        for fill in event.fills:
            self._fill(view, fill, time_ns)
        view.prevented_e8 += event.prevented_e8
        self._set_status(view, event.status, CAUSE_ENGINE, time_ns)

    def _keep(self, order_ids: tuple[int, ...]) -> None:
        """Show orders as no longer about to be cancelled."""
        for view in filter(None, map(self._orders.get, order_ids)):
            view.pending_cancel = False

    def _not_there(self, command: "_Command", time_ns: int) -> None:
        """End what the engine was to end and does not have: it never came, or its end was lost."""
        for view in filter(None, map(self._orders.get, command.cancels)):
            if view.status == PENDING_NEW:
                if view.unknown:
                    self._drop(view)
            elif view.open:
                self._close(view, ENGINE_LOST, CAUSE_ENGINE, time_ns)

    def _trade(self, seq: int, now_ns: int, event: OrderTrade, decision: Decision) -> None:
        view = self._orders.get(event.order_id)
        if view is not None:
            time_ns = event.engine_ns or now_ns
            self._fill(view, event.fill, time_ns)
            self._set_status(view, event.status, CAUSE_ENGINE, time_ns)

    def _ended(self, seq: int, now_ns: int, event: OrderEnded, decision: Decision) -> None:
        view = self._orders.get(event.order_id)
        if view is not None and view.open:
            view.prevented_e8 += event.prevented_e8
            self._close(view, event.status, event.cause, event.engine_ns or now_ns)

    def _reduced(self, seq: int, now_ns: int, event: OrderReduced, decision: Decision) -> None:
        view = self._orders.get(event.order_id)
        if view is not None:
            view.prevented_e8 += event.prevented_e8
            view.quantity_e8 = event.quantity_e8 + view.prevented_e8
            view.update_ns = event.engine_ns or now_ns

    def _bust(self, seq: int, now_ns: int, event: TradeBust, decision: Decision) -> None:
        for order_id in (event.buy_order_id, event.sell_order_id):
            trade = self._trades.bust(event.trade_id, order_id)
            view = self._orders.get(order_id)
            if view is None:
                continue
            quote_e8 = (
                notional_e8(event.price_e8, event.quantity_e8) if trade is None else trade.quote_e8
            )
            view.executed_e8 = max(0, view.executed_e8 - event.quantity_e8)
            view.quote_executed_e8 = max(0, view.quote_executed_e8 - quote_e8)
            view.fills = max(0, view.fills - 1)
            view.update_ns = event.engine_ns or now_ns

    def _deadline(self, seq: int, now_ns: int, event: Deadline, decision: Decision) -> None:
        command = self._commands.get(event.command_id, _NO_COMMAND)
        view = self._orders.get(self._placing.get(event.command_id, command.placed))
        if view is not None and view.status == PENDING_NEW:
            view.unknown = True

    def _session(self, seq: int, now_ns: int, event: EngineSession, decision: Decision) -> None:
        """End what the engine no longer has; the book has settled that already."""
        held = self._core.book.orders
        lost = [
            view
            for account in self._accounts.values()
            for view in account.open.values()
            if view.order_id not in held
        ]
        for view in lost:
            self._close(view, ENGINE_LOST, CAUSE_ENGINE, now_ns)

    # --- Changes ------------------------------------------------------------------------------

    def _add(self, view: OrderView) -> None:
        order_id = view.order_id
        held = self._accounts.get(view.account)
        if held is None:
            held = self._accounts[view.account] = AccountOrders()
        self._orders[order_id] = held.open[order_id] = view
        hidden = held.by_name.get(view.client_order_id)
        if hidden is not None:
            self._hidden[order_id] = hidden
        held.by_name[view.client_order_id] = view

    def _drop(self, view: OrderView) -> None:
        """Forget an order the engine refused: it never was on the venue."""
        held = self._accounts[view.account]
        del held.open[view.order_id]
        hidden = self._hidden.pop(view.order_id, None)
        self._forget(view, held)
        if hidden is not None and hidden.order_id in self._orders:
            held.by_name.setdefault(view.client_order_id, hidden)

    def _forget(self, view: OrderView, held: AccountOrders) -> None:
        del self._orders[view.order_id]
        if held.by_name.get(view.client_order_id) is view:
            del held.by_name[view.client_order_id]

    def _taken(self, view: OrderView, time_ns: int) -> None:
        self._hidden.pop(view.order_id, None)
        view.time_ns = view.update_ns = view.working_ns = time_ns
        view.status = NEW
        view.unknown = False

    def _amended(self, view: OrderView, amend: Amend) -> None:
        if amend.quantity_e8:
            view.quantity_e8 = amend.quantity_e8 + view.prevented_e8
        if amend.price_e8:
            view.price_e8 = amend.price_e8

    def _fill(self, view: OrderView, fill: Fill, time_ns: int) -> None:
        view.executed_e8 += fill.quantity_e8
        view.quote_executed_e8 += fill.quote_e8
        view.fills += 1
        self._trades.add(
            AccountTrade(
                fill.trade_id,
                view.order_id,
                view.account,
                view.symbol,
                fill.price_e8,
                fill.quantity_e8,
                fill.quote_e8,
                fill.commission_e8,
                fill.commission_asset,
                time_ns,
                view.side == BUY,
                fill.maker,
            )
        )

    def _set_status(self, view: OrderView, status: int, cause: int, time_ns: int) -> None:
        """Take over what the engine says of an order after a command or a trade."""
        if not view.open:
            return
        if status not in LIVE_STATUSES:
            self._close(view, status, cause, time_ns)
            return
        view.status = status
        view.update_ns = time_ns

    def _close(self, view: OrderView, status: int, cause: int, time_ns: int) -> None:
        view.status = status
        view.cause = 0 if status == FILLED else cause or CAUSE_ENGINE
        view.update_ns = time_ns
        view.unknown = False
        if view.quote_quantity_e8:
            view.quantity_e8 = view.executed_e8
        held = self._accounts[view.account]
        kept = held.close(view)
        self._hidden.pop(view.order_id, None)
        self._closed[view.order_id] = view
        if kept > self._closed_per_account:
            oldest = held.drop_oldest_closed()
            del self._closed[oldest.order_id]
            self._forget(oldest, held)
        elif len(self._closed) > self._closed_total:
            _, oldest = self._closed.popitem(last=False)
            held = self._accounts[oldest.account]
            held.drop_oldest_closed()
            self._forget(oldest, held)


def _remember(commands: dict[int, _T], seq: int, command: _T) -> None:
    if len(commands) >= COMMANDS_MAX:
        del commands[next(iter(commands))]
    commands[seq] = command
