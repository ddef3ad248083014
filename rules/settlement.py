"""The one place where the book is written.

Requests that were accepted are booked here, and engine reports are settled: orders come and go,
reservations are taken and given back, balances follow the fills. Nothing here decides anything,
and everything is a function of the event and the book.
"""

from typing import Any, Final

from rules.book import Balance, Book, OpenOrder
from rules.book_state import (
    book_state,
    order_state,
    pending_state,
    restore_book,
    restored_order,
    restored_pending,
)
from rules.deferred_cancels import NEVER_NS, RETRY_NS
from rules.events import (
    Amend,
    BalanceAdjusted,
    CommandResult,
    EngineSession,
    Fill,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    Place,
    Reference,
    Replace,
    TradeBust,
)
from rules.holds import Holds
from rules.pending import AMEND, BULK_CANCEL, CANCEL, PLACE, REPLACE, PendingCommand
from rules.reasons import Reason
from rules.rulebook import Rulebook
from rules.terms import stop_price_e8
from rules.valuation import Valuation
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    CAUSE_REPLACE,
    ENGINE_LOST,
    LIVE_STATUSES,
    PENDING_NEW,
    REJECTED,
    notional_e8,
)

_ASKED: Final = (0, CAUSE_CLIENT, CAUSE_REPLACE)  # no cancel in flight, or its client's own


class Settlement:
    """Writes the book; `pending` holds the commands in flight by command id."""

    def __init__(self, book: Book, valuation: Valuation) -> None:
        self.book = book
        self.pending: dict[int, PendingCommand] = {}
        self.overtaken: dict[int, OpenOrder] = {}
        """Orders whose end was reported before the answer to their placement or to an amend, which
        may have fills of its own; by command id."""
        self._holds = Holds()
        self._valuation = valuation

    def state(self) -> dict[str, Any]:
        """Return the book and what is in flight as plain values."""
        return {
            "book": book_state(self.book),
            "pending": pending_state(self.pending),
            "overtaken": [
                [command_id, order_state(order)] for command_id, order in self.overtaken.items()
            ],
        }

    def restore(self, state: dict[str, Any], rulebook: Rulebook) -> None:
        """Put back what `state` returned into an empty book."""
        restore_book(self.book, state["book"], rulebook)
        self.pending = restored_pending(state["pending"])
        for command_id, command in self.pending.items():
            if command.kind == AMEND and command.order_ids[0] in self.book.orders:
                self._holds.expect(command_id, command)
        self.overtaken = {
            command_id: restored_order(values) for command_id, values in state["overtaken"]
        }

    # --- What was accepted ------------------------------------------------------------------

    def place(
        self,
        event: Place | Replace,
        order_id: int,
        client_order_id: str,
        price_limit_e8: int,
        now_ns: int,
    ) -> OpenOrder:
        """Book an accepted order as in flight and reserve what it could spend."""
        book = self.book
        holder = book.holder_of(event.key)
        if holder is None:
            raise KeyError(f"key {event.key} has no account")
        account = holder.account
        order = OpenOrder(
            order_id,
            book.current_seq,
            account,
            holder.owner,
            event.key,
            event.session,
            event.symbol,
            event.side,
            event.order_type,
            event.time_in_force,
            event.price_e8,
            event.quantity_e8,
            event.quote_quantity_e8,
            price_limit_e8,
            client_order_id,
            event.flags,
            event.algo,
            now_ns,
        )
        asset, amount_e8 = self._valuation.reservation(
            event.side,
            event.order_type,
            event.price_e8,
            event.quantity_e8,
            event.quote_quantity_e8,
            book.symbols[event.symbol],
            now_ns,
            stop_price_e8(event),
        )
        order.reserved_asset = asset
        if order_id >= book.next_order_id:
            book.next_order_id = order_id + 1
        book.add_order(order)
        book.client_ids[account, client_order_id] = order
        if amount_e8 > 0:
            self._hold(order, amount_e8)
        return order

    def expect_place(self, order: OpenOrder) -> None:
        """Expect the engine's answer to a placement."""
        self.pending[self.book.current_seq] = PendingCommand(PLACE, (), order.order_id)

    def expect_replace(self, old: OpenOrder | None, new: OpenOrder) -> None:
        """Expect the engine's answer to a replacement; `old` is None when it is not known."""
        old_ids: tuple[int, ...] = ()
        if old is not None:
            old.cancel_cause = CAUSE_REPLACE
            old_ids = (old.order_id,)
        self.pending[self.book.current_seq] = PendingCommand(REPLACE, old_ids, new.order_id)

    def expect_cancel(self, order_ids: tuple[int, ...], cause: int, *, bulk: bool) -> None:
        """Mark orders as being cancelled and expect the engine's answer."""
        for order_id in order_ids:
            order = self.book.orders[order_id]
            # What the venue is taking off already is not its client's doing.
            if cause != CAUSE_CLIENT or order.cancel_cause in _ASKED:
                order.cancel_cause = cause
            if cause == CAUSE_CLIENT:
                # Held until the engine has carried it out.
                self.book.deferred.put_off(order_id, NEVER_NS)
            else:
                self.book.deferred.drop(order_id)
        kind = BULK_CANCEL if bulk else CANCEL
        self.pending[self.book.current_seq] = PendingCommand(kind, order_ids)

    def expect_amend(self, event: Amend, order: OpenOrder) -> None:
        """Reserve what an amend adds and expect the engine's answer."""
        quantity_e8 = event.quantity_e8 or order.quantity_e8
        price_e8 = event.price_e8 or order.price_e8
        amend = PendingCommand(AMEND, (order.order_id,), 0, quantity_e8, price_e8)
        self.pending[self.book.current_seq] = amend
        self._holds.expect(self.book.current_seq, amend)
        self._hold(order, self._holds.needs_e8(order))

    # --- What the engine says ---------------------------------------------------------------

    def result(self, event: CommandResult, now_ns: int) -> None:
        """Settle the engine's answer to a command; an answer nobody waits for changes nothing."""
        if event.unknown:
            self.deadline(event.command_id, now_ns)
            return
        pending = self.pending.pop(event.command_id, None)
        if pending is None:
            return
        if pending.kind == AMEND:
            self._amended(event, pending, now_ns)
            return
        self._cancelled(event, pending, now_ns)
        if pending.kind in (PLACE, REPLACE):
            order = self.book.orders.get(pending.new_order_id)
            if order is not None:
                self._placed(event, order, now_ns)
            else:
                self._overtaken(event, now_ns)

    def _overtaken(self, event: CommandResult, now_ns: int) -> None:
        """Settle the fills in an answer about an order that has ended meanwhile."""
        order = self.overtaken.pop(event.command_id, None)
        if order is not None:
            self._fills(order, event.fills, now_ns)

    def deadline(self, command_id: int, now_ns: int) -> None:
        """Note that a command had no answer in time: a placed order's fate is unknown now."""
        pending = self.pending.get(command_id)
        if pending is None:
            return
        for order_id in pending.order_ids:
            cancelled = self.book.orders.get(order_id)
            if cancelled is not None:
                # The client may ask again: the cancel may never have arrived.
                cancelled.cancel_cause = 0
                self.book.deferred.put_off(order_id, now_ns + RETRY_NS)
        order = self.book.orders.get(pending.new_order_id)
        if order is not None:
            order.unknown = True

    def _placed(self, event: CommandResult, order: OpenOrder, now_ns: int) -> None:
        order.unknown = False
        if not event.accepted:
            self._end(order, REJECTED)
            return
        facts = self.book.symbols[order.symbol]
        if event.status in LIVE_STATUSES:
            if order.status == PENDING_NEW:
                order.status = event.status
            order.live_ns = now_ns
            order.halted_at_live_ns = facts.unmatchable_ns(now_ns)
            order.quantity_e8 -= min(event.prevented_e8, order.quantity_e8)
        self._fills(order, event.fills, now_ns)
        if event.status not in LIVE_STATUSES:
            self._end(order, event.status)
        elif event.prevented_e8:
            self._hold(order, self._holds.needs_e8(order))

    def _cancelled(self, event: CommandResult, pending: PendingCommand, now_ns: int) -> None:
        """End what a cancel or replace ended; what it did not end may be cancelled again.

        An order the engine does not have has ended: its placement never arrived, and the tombstone
        of the cancel keeps it out, or the word of its end was lost.
        """
        book = self.book
        for ended in event.ended:
            order = book.orders.get(ended.order_id)
            if order is not None:
                self._end(order, ended.status)
        for order_id in pending.order_ids:
            order = book.orders.get(order_id)
            if order is None:
                continue
            order.cancel_cause = 0
            if event.reason == Reason.CANCEL_RESTRICTED:
                book.deferred.drop(order_id)
            else:
                book.deferred.put_off(order_id, now_ns + RETRY_NS)
            not_there = event.reason == Reason.ENGINE_UNKNOWN_ORDER or (
                pending.kind == BULK_CANCEL and event.accepted
            )
            if not_there and (order.live_ns or order.unknown):
                self._end(order, ENGINE_LOST if order.live_ns else REJECTED)

    def _amended(self, event: CommandResult, pending: PendingCommand, now_ns: int) -> None:
        order = self.book.orders.get(pending.order_ids[0])
        if order is None:
            self._overtaken(event, now_ns)
            return
        self._holds.answered(order.order_id, event.command_id)
        if event.accepted:
            worse_for_others = (
                pending.price_e8 != order.price_e8 or pending.quantity_e8 > order.quantity_e8
            )
            order.price_e8 = pending.price_e8
            order.quantity_e8 = pending.quantity_e8
            if worse_for_others:
                # What the order offers is new, so its age begins anew.
                order.live_ns = now_ns
                order.halted_at_live_ns = self.book.symbols[order.symbol].unmatchable_ns(now_ns)
            if event.status in LIVE_STATUSES:
                order.quantity_e8 -= min(event.prevented_e8, order.quantity_e8)
        self._hold(order, self._holds.needs_e8(order))
        self._fills(order, event.fills, now_ns)
        if event.accepted:
            if event.status in LIVE_STATUSES:
                order.status = event.status
            else:
                self._end(order, event.status)

    def trade(self, event: OrderTrade, now_ns: int) -> None:
        """Settle the execution of a resting order."""
        order = self.book.orders.get(event.order_id)
        if order is None:
            return
        self._execute(order, event.fill)
        if event.status in LIVE_STATUSES:
            order.status = event.status
        else:
            self._end(order, event.status)

    def ended(self, event: OrderEnded) -> None:
        """Settle the end of a resting order nobody here asked for."""
        order = self.book.orders.get(event.order_id)
        if order is not None:
            order.cancel_cause = event.cause
            self._end(order, event.status)

    def reduced(self, event: OrderReduced) -> None:
        """Settle a loss of quantity."""
        order = self.book.orders.get(event.order_id)
        if order is not None:
            order.quantity_e8 = event.quantity_e8
            self._hold(order, self._holds.needs_e8(order))

    def bust(self, event: TradeBust) -> None:
        """Take an annulled trade's price and quantity back from both sides."""
        facts = self.book.symbols.get(event.symbol)
        if facts is None:
            return
        quote_e8 = notional_e8(event.price_e8, event.quantity_e8)
        for account, sign in ((event.buy_account, -1), (event.sell_account, 1)):
            if account:
                self.credit(account, facts.base_asset, sign * event.quantity_e8)
                self.credit(account, facts.quote_asset, -sign * quote_e8)

    def adjusted(self, event: BalanceAdjusted) -> None:
        """Settle a deposit, withdrawal, fee or correction."""
        self.credit(event.account, event.asset, event.delta_e8)

    def market_trade(self, event: MarketTrade, now_ns: int) -> None:
        """Take up a trade of other channels for the average price."""
        facts = self.book.symbols.get(event.symbol)
        if facts is not None:
            facts.average.add(event.price_e8, event.quantity_e8, now_ns)
            facts.last_e8 = event.price_e8
            facts.last_ns = now_ns

    def reference(self, event: Reference, now_ns: int) -> None:
        """Take up the state of a symbol's market."""
        facts = self.book.symbols.get(event.symbol)
        if facts is None:
            return
        if event.last_e8 and event.last_ns >= facts.last_ns:
            facts.last_e8 = event.last_e8
            facts.last_ns = event.last_ns
        facts.bid_e8 = event.bid_e8
        facts.bid_quantity_e8 = event.bid_quantity_e8
        facts.ask_e8 = event.ask_e8
        facts.ask_quantity_e8 = event.ask_quantity_e8
        facts.bids = event.bids
        facts.asks = event.asks
        facts.quote_ns = now_ns

    def engine_session(self, event: EngineSession) -> None:
        """Take up that the engine came or went; a new epoch has lost all orders."""
        book = self.book
        book.engine_connected = event.connected
        book.began_epoch = event.connected and book.engine_epoch not in (0, event.epoch)
        if not event.connected:
            return
        if book.began_epoch:
            for order in list(book.orders.values()):
                self._end(order, ENGINE_LOST)
            self.pending.clear()
            self.overtaken.clear()
        book.engine_epoch = event.epoch
        book.engine_seq = event.engine_seq
        book.deferred.look_again()

    def report_seen(self, engine_seq: int) -> None:
        """Remember the last report taken up."""
        self.book.engine_seq = engine_seq

    # --- Money ------------------------------------------------------------------------------

    def credit(self, account: int, asset: int, amount_e8: int) -> None:
        """Add to (or, below zero, take from) what an account holds of an asset."""
        self._balance(account, asset).total_e8 += amount_e8

    def _balance(self, account: int, asset: int) -> Balance:
        balance = self.book.balances.get((account, asset))
        if balance is None:
            balance = self.book.balances[account, asset] = Balance()
        return balance

    def _hold(self, order: OpenOrder, amount_e8: int) -> None:
        """Make an order's reservation `amount_e8`."""
        balance = order.held
        if balance is None:
            balance = order.held = self._balance(order.account, order.reserved_asset)
        balance.reserved_e8 += amount_e8 - order.reserved_e8
        order.reserved_e8 = amount_e8

    def _fills(self, order: OpenOrder, fills: tuple[Fill, ...], now_ns: int) -> None:
        """Settle a taker's fills and take up their prices."""
        if not fills:
            return
        book = self.book
        facts = book.symbols[order.symbol]
        for fill in fills:
            self._execute(order, fill)
            # A trade against an order of another channel is reported as a MarketTrade too.
            if not fill.counter_order_id or fill.counter_order_id in book.orders:
                facts.average.add(fill.price_e8, fill.quantity_e8, now_ns)
                facts.last_e8 = fill.price_e8
                facts.last_ns = now_ns

    def _execute(self, order: OpenOrder, fill: Fill) -> None:
        facts = self.book.symbols[order.symbol]
        order.filled_e8 += fill.quantity_e8
        order.quote_filled_e8 += fill.quote_e8
        if order.side == BUY:
            self.credit(order.account, facts.base_asset, fill.quantity_e8)
            self.credit(order.account, facts.quote_asset, -fill.quote_e8)
            spent_e8 = fill.quote_e8
        else:
            self.credit(order.account, facts.base_asset, -fill.quantity_e8)
            self.credit(order.account, facts.quote_asset, fill.quote_e8)
            spent_e8 = fill.quantity_e8
        if fill.commission_e8:
            self.credit(order.account, fill.commission_asset, -fill.commission_e8)
        if order.reserved_e8:
            self._hold(order, self._holds.needs_e8(order, spent_e8))

    def _end(self, order: OpenOrder, status: int) -> None:
        book = self.book
        order.status = status
        order.unknown = False
        if order.reserved_e8:
            self._hold(order, 0)
        order_id = order.order_id
        for command_id in self._holds.ended(order_id):
            self.overtaken[command_id] = order
        if order.live_ns == 0 and order.command_id in self.pending:
            self.overtaken[order.command_id] = order
        book.end_order(order)
        book.deferred.drop(order_id)
