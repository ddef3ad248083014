"""What the book must hold: orders, reservations and balances, computed anew from each event.

A second, slower telling of the settlement. Reservations are not kept up but computed from the
terms of an order whenever they are asked for, so nothing can be reserved twice or left behind.
"""

from collections.abc import Iterator

from rules.decisions import ACCEPTED, Decision
from rules.events import (
    Amend,
    BalanceAdjusted,
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
from rules.values import BUY, CAUSE_CLIENT, E8, FLAG_TEST, LIVE_STATUSES
from tests.sim.participants import SIMULATED, Parties

Money = dict[tuple[int, int], int]


class ModelOrder:
    """One order, open or ended."""

    def __init__(
        self,
        event: Place | Replace,
        decision: Decision,
        seq: int,
        now_ns: int,
        parties: Parties = SIMULATED,
    ) -> None:
        self.order_id = decision.order_id
        self.command_id = seq
        self.key = event.key
        self.account = parties.account_of[event.key]
        self.owner = parties.owner_of[self.account]
        self.event = event
        self.symbol = event.symbol
        self.side = event.side
        self.asset = parties.quote if self.side == BUY else parties.base_of[self.symbol]
        """The asset it holds."""
        self.price_e8 = event.price_e8
        self.quantity_e8 = event.quantity_e8
        self.cap_e8 = decision.price_limit_e8
        self.client_order_id = event.client_order_id or decision.client_order_id
        self.filled_e8 = 0
        self.quote_filled_e8 = 0
        self.accepted_ns = now_ns
        self.live_ns = 0
        self.halted_ns = 0
        """How long the symbol had been halted in all when the order went live."""
        self.unknown = False
        self.cancelling = False
        self.open = True
        self.amended_by = 0
        """The latest amend that was answered."""
        self.blurred = False
        """Answers to amends came in another order than the amends: its terms are not known."""
        self.amending: dict[int, tuple[int, int]] = {}
        """(quantity, price) of amends on their way, by command."""

    def holds_e8(self) -> int:
        """Return what the order could still spend, at its terms or those it is being given."""
        if not self.open:
            return 0
        terms = [(self.quantity_e8, self.price_e8), *self.amending.values()]
        return max(self._needs_e8(quantity_e8, price_e8) for quantity_e8, price_e8 in terms)

    def bounds_e8(self) -> list[int]:
        """Return the prices it must not execute worse than."""
        if self.blurred:
            return []
        prices = [self.price_e8, *(price_e8 for _, price_e8 in self.amending.values())]
        if not self.price_e8:
            # A market order, whatever an amend that is on its way asks for.
            prices = [0]
        worst_e8 = max(prices) if self.side == BUY else min(prices)
        return [bound_e8 for bound_e8 in (worst_e8, self.cap_e8) if bound_e8]

    def _needs_e8(self, quantity_e8: int, price_e8: int) -> int:
        if self.event.quote_quantity_e8:
            if self.side == BUY:
                return max(self.event.quote_quantity_e8 - self.quote_filled_e8, 0)
            needed_e8 = -(-self.event.quote_quantity_e8 * E8 // self.cap_e8) if self.cap_e8 else 0
            return max(needed_e8 - self.filled_e8, 0)
        left_e8 = max(quantity_e8 - self.filled_e8, 0)
        if self.side != BUY:
            return left_e8
        return -(-(price_e8 or self.cap_e8) * left_e8 // E8)


class Waiting:
    """A command without an answer."""

    def __init__(self, now_ns: int, event: Event, order_ids: tuple[int, ...], new: int = 0) -> None:
        self.now_ns = now_ns
        self.sent_ns = 0
        """When it left, 0: not yet."""
        self.event = event
        self.order_ids = order_ids
        self.new = new
        self.due = False
        """Its deadline has passed and was recorded."""
        self.lost = False
        """The engine lost it with its epoch."""


class OrderModel:
    """All orders and money as the record says they are."""

    def __init__(self, parties: Parties = SIMULATED) -> None:
        self.parties = parties
        self.open: dict[int, ModelOrder] = {}
        self.every: dict[int, ModelOrder] = {}
        self.totals: Money = {}
        self.waiting: dict[int, Waiting] = {}
        self.faults: list[str] = []
        """Executions beyond what their order allows."""
        self.deferred: dict[int, int] = {}
        """Restriction of the cancel that is held for an order."""
        self.epoch = 0
        self.connected = False
        self.adjusted: dict[int, int] = {}
        """Deposits less withdrawals, by asset."""

    def reserved(self) -> Money:
        """Return what all open orders hold, by account and asset."""
        held: Money = {}
        for order in self.open.values():
            place = order.account, order.asset
            held[place] = held.get(place, 0) + order.holds_e8()
        return held

    def free_e8(self, account: int, asset: int) -> int:
        """Return what an account could still reserve."""
        held_e8 = sum(
            order.holds_e8()
            for order in self.open.values()
            if (order.account, order.asset) == (account, asset)
        )
        return self.totals.get((account, asset), 0) - held_e8

    def named(self, event: Cancel | Amend | Replace) -> ModelOrder | None:
        """Return the account's open order that a request names."""
        account = self.parties.account_of.get(event.key, 0)
        for order in self.open.values():
            if order.account != account or (event.symbol and order.symbol != event.symbol):
                continue
            if event.order_id:
                if order.order_id == event.order_id:
                    return order
            elif order.client_order_id == event.orig_client_order_id:
                return order
        return None

    # --- Following ----------------------------------------------------------------------------

    def take(self, seq: int, event: Event, decision: Decision, now_ns: int, halted_ns: int) -> None:
        """Follow one event; `halted_ns` is how long the symbol of a result was halted so far."""
        for order_id in decision.deferred:
            self.deferred[order_id] = getattr(event, "restriction", 0)
        if isinstance(event, Place | Replace | Cancel | CancelAll | Amend):
            if decision.verdict == ACCEPTED:
                self._request(seq, event, decision, now_ns)
        elif isinstance(event, BulkCancel):
            self._cancels(seq, event, decision.cancels, now_ns)
        elif isinstance(event, CommandResult):
            self._result(event, now_ns, halted_ns)
        elif isinstance(event, Deadline):
            self._deadline(event.command_id)
        elif isinstance(event, OrderTrade):
            order = self.open.get(event.order_id)
            if order is not None:
                self._fill(order, event.fill)
                self._maybe_end(order, event.status)
        elif isinstance(event, OrderEnded):
            self._end(event.order_id)
        elif isinstance(event, OrderReduced):
            order = self.open.get(event.order_id)
            if order is not None:
                order.quantity_e8 = event.quantity_e8
        elif isinstance(event, BalanceAdjusted):
            self._credit(event.account, event.asset, event.delta_e8)
            self.adjusted[event.asset] = self.adjusted.get(event.asset, 0) + event.delta_e8
        elif isinstance(event, TradeBust):
            self._bust(event)
        elif isinstance(event, EngineSession):
            self._session(event)

    def due(self, now_ns: int, deadline_ns: int) -> Iterator[int]:
        """Yield the commands whose deadline has passed without having been recorded."""
        for command_id, waiting in self.waiting.items():
            if waiting.sent_ns and not waiting.due and now_ns >= waiting.sent_ns + deadline_ns:
                yield command_id

    def _request(
        self,
        seq: int,
        event: Place | Replace | Cancel | CancelAll | Amend,
        decision: Decision,
        now_ns: int,
    ) -> None:
        if isinstance(event, Place | Replace):
            if event.flags & FLAG_TEST:
                return
            order = ModelOrder(event, decision, seq, now_ns, self.parties)
            self.open[order.order_id] = self.every[order.order_id] = order
            self._cancels(seq, event, decision.cancels, now_ns, order.order_id)
        elif isinstance(event, Cancel):
            self._cancels(seq, event, (decision.order_id,), now_ns)
        elif isinstance(event, CancelAll):
            self._cancels(seq, event, decision.cancels, now_ns)
        else:
            amended = self.open[decision.order_id]
            terms = event.quantity_e8 or amended.quantity_e8, event.price_e8 or amended.price_e8
            amended.amending[seq] = terms
            self.waiting[seq] = Waiting(now_ns, event, (amended.order_id,))

    def _cancels(
        self, seq: int, event: Event, order_ids: tuple[int, ...], now_ns: int, new: int = 0
    ) -> None:
        if order_ids or new:
            self.waiting[seq] = Waiting(now_ns, event, order_ids, new)
        for order_id in order_ids:
            if order_id in self.open:
                self.open[order_id].cancelling = True
            if (
                isinstance(event, BulkCancel | Replace)
                and getattr(event, "cause", 0) != CAUSE_CLIENT
            ):
                self.deferred.pop(order_id, None)

    def _result(self, event: CommandResult, now_ns: int, halted_ns: int) -> None:
        waiting = self.waiting.pop(event.command_id, None)
        if waiting is None or waiting.lost:
            return
        if isinstance(waiting.event, Amend):
            self._amended(event, waiting, now_ns, halted_ns)
            return
        for ended in event.ended:
            self._end(ended.order_id)
        bulk = isinstance(waiting.event, BulkCancel | CancelAll)
        nothing_there = event.reason is Reason.ENGINE_UNKNOWN_ORDER or (bulk and event.accepted)
        for order_id in waiting.order_ids:
            order = self.open.get(order_id)
            if order is not None:
                order.cancelling = False
                if event.reason is Reason.CANCEL_RESTRICTED:
                    self.deferred.pop(order_id, None)
                if nothing_there and (order.unknown or order.live_ns):
                    self._end(order_id)
        new = self.every.get(waiting.new)
        if new is not None:
            self._placed(new, event, now_ns, halted_ns)

    def _placed(self, order: ModelOrder, event: CommandResult, now_ns: int, halted_ns: int) -> None:
        for fill in event.fills:
            self._fill(order, fill)
        if not order.open:
            return
        order.unknown = False
        if not event.accepted or event.status not in LIVE_STATUSES:
            self._end(order.order_id)
            return
        order.live_ns, order.halted_ns = now_ns, halted_ns
        order.quantity_e8 -= min(event.prevented_e8, order.quantity_e8)

    def _amended(self, event: CommandResult, waiting: Waiting, now_ns: int, halted_ns: int) -> None:
        order = self.every[waiting.order_ids[0]]
        if not order.open:
            for fill in event.fills:
                self._fill(order, fill)
            return
        quantity_e8, price_e8 = order.amending.pop(event.command_id)
        order.blurred = order.blurred or event.command_id < order.amended_by
        order.amended_by = event.command_id
        if event.accepted:
            if price_e8 != order.price_e8 or quantity_e8 > order.quantity_e8:
                order.live_ns, order.halted_ns = now_ns, halted_ns
            order.quantity_e8, order.price_e8 = quantity_e8, price_e8
            if event.status in LIVE_STATUSES:
                order.quantity_e8 -= min(event.prevented_e8, order.quantity_e8)
        for fill in event.fills:
            self._fill(order, fill)
        if event.accepted:
            self._maybe_end(order, event.status)

    def _deadline(self, command_id: int) -> None:
        waiting = self.waiting.get(command_id)
        if waiting is None:
            return
        waiting.due = True
        if waiting.lost:
            return
        for order_id in waiting.order_ids:
            if order_id in self.open and not isinstance(waiting.event, Amend):
                self.open[order_id].cancelling = False
        if waiting.new in self.open:
            self.open[waiting.new].unknown = True

    def _session(self, event: EngineSession) -> None:
        self.connected = event.connected
        if not event.connected:
            return
        if self.epoch not in (0, event.epoch):
            for order_id in list(self.open):
                self._end(order_id)
            for waiting in self.waiting.values():
                waiting.lost = True
        self.epoch = event.epoch

    # --- Money --------------------------------------------------------------------------------

    def _fill(self, order: ModelOrder, fill: Fill) -> None:
        base, quote = self.parties.base_of[order.symbol], self.parties.quote
        sign = 1 if order.side == BUY else -1
        for bound_e8 in order.bounds_e8():
            if sign * fill.price_e8 > sign * bound_e8:
                self.faults.append(f"order {order.order_id} executed at {fill.price_e8}")
        order.filled_e8 += fill.quantity_e8
        order.quote_filled_e8 += fill.quote_e8
        self._credit(order.account, base, sign * fill.quantity_e8)
        self._credit(order.account, quote, -sign * fill.quote_e8)
        if fill.commission_e8:
            self._credit(order.account, fill.commission_asset, -fill.commission_e8)

    def _bust(self, event: TradeBust) -> None:
        quote_e8 = event.price_e8 * event.quantity_e8 // E8
        for account, sign in ((event.buy_account, 1), (event.sell_account, -1)):
            if account:
                base = self.parties.base_of[event.symbol]
                self._credit(account, base, -sign * event.quantity_e8)
                self._credit(account, self.parties.quote, sign * quote_e8)

    def _credit(self, account: int, asset: int, amount_e8: int) -> None:
        self.totals[account, asset] = self.totals.get((account, asset), 0) + amount_e8

    def _maybe_end(self, order: ModelOrder, status: int) -> None:
        if status not in LIVE_STATUSES:
            self._end(order.order_id)

    def _end(self, order_id: int) -> None:
        order = self.open.pop(order_id, None)
        self.deferred.pop(order_id, None)
        if order is not None:
            order.open = False
            order.unknown = False
