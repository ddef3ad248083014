"""What each event adds to the counts of RTS 9: messages of clients, executions, deletions.

A message counts when the gate has let it pass; one that the engine refuses is taken back from the
time in which it was counted. Volumes follow the engine's answers.
"""

from typing import Any, Final

from rules.book import Book, OpenOrder
from rules.decisions import ACCEPTED, REFUSED, Decision
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    EngineSession,
    Event,
    Fill,
    OrderEnded,
    OrderTrade,
    Place,
    Replace,
    TradeBust,
)
from rules.kinds import (
    AMEND,
    BULK_CANCEL,
    CANCEL,
    CANCEL_ALL,
    COMMAND_RESULT,
    ENGINE_SESSION,
    ORDER_ENDED,
    ORDER_TRADE,
    PLACE,
    REPLACE,
    TRADE_BUST,
)
from rules.ratio_counts import (
    WEIGHT_CANCEL,
    WEIGHT_IMMEDIATE_DELETED,
    WEIGHT_MODIFY,
    WEIGHT_NEW,
    RatioCounts,
)
from rules.ratio_windows import PairCounts, RatioWindows
from rules.terms import annulled_sides, asked_e8, rest_expired
from rules.values import CANCELED, CAUSE_CLIENT, EXPIRED, FLAG_TEST, FOK, IOC, SCOPE_ORDER

COUNTED: Final[tuple[type[Event], ...]] = (
    Place,
    Replace,
    Amend,
    Cancel,
    CancelAll,
    BulkCancel,
    CommandResult,
    OrderTrade,
    OrderEnded,
    TradeBust,
    EngineSession,
)
"""The events a counter must be shown."""

_WEIGHTS: Final[dict[type[Event], int]] = {
    Place: WEIGHT_NEW,
    Cancel: WEIGHT_CANCEL,
    Amend: WEIGHT_MODIFY,
    Replace: WEIGHT_CANCEL + WEIGHT_NEW,
}


class _InFlight:
    """Unanswered cancels and amends of one order."""

    __slots__ = ("messages", "owner", "quantity_e8", "symbol")

    def __init__(
        self, owner: int, symbol: int, quantity_e8: int, messages: list[tuple[int, int, int]]
    ) -> None:
        self.owner = owner
        self.symbol = symbol
        self.quantity_e8 = quantity_e8
        """The order's total quantity before the first of them."""
        self.messages = messages
        """Weight, an amend's new total quantity (0 for a cancel) and the time counted, in the
        order sent."""


class MessageCounter:
    """Counts into `windows`; refused messages only where `count_rejects` says so."""

    def __init__(self, windows: RatioWindows, count_rejects: bool) -> None:
        self.windows = windows
        self._count_rejects = count_rejects
        self._in_flight: dict[int, _InFlight] = {}
        self._bulk: dict[int, list[tuple[int, int, int, int]]] = {}
        """Order, owner, symbol and time of each cancel of a bulk in flight, by command."""
        self._replaced: dict[int, int] = {}
        """When the cancel half of each replacement in flight was counted, by command."""
        self._now_ns = 0
        """Time of the event being counted."""

    def take(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count one event, which the book has been settled with already."""
        kind = type(event)
        if kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
            return
        if now_ns >= self.windows.ends_ns:
            self.windows.roll(now_ns)
        self._now_ns = now_ns
        if kind is ORDER_TRADE:
            self._fills(book.order_of(event.order_id), (event.fill,))
        elif kind is ORDER_ENDED:
            self._ended(event, book)
        elif kind is TRADE_BUST:
            self._busted(event, book)
        elif kind is ENGINE_SESSION:
            self._forget_lost(book)
        elif kind is BULK_CANCEL:
            # What was put off has been counted when its client asked for it.
            if event.cause == CAUSE_CLIENT and event.scope != SCOPE_ORDER:
                self._count_bulk(decision, decision.deferred, book)
        elif kind is not PLACE or not event.flags & FLAG_TEST:
            self._request(event, decision, book)

    def state(self) -> Any:
        """Return the counts of all windows, and what is in flight, as plain values."""
        return {
            "windows": self.windows.state(),
            "in_flight": [
                [order_id, one.owner, one.symbol, one.quantity_e8, list(map(list, one.messages))]
                for order_id, one in self._in_flight.items()
            ],
            "bulk": [
                [command_id, list(map(list, orders))] for command_id, orders in self._bulk.items()
            ],
            "replaced": dict(self._replaced),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.windows.restore(state["windows"])
        self._in_flight = {
            order_id: _InFlight(
                owner, symbol, quantity_e8, [(weight, new, at_ns) for weight, new, at_ns in sent]
            )
            for order_id, owner, symbol, quantity_e8, sent in state["in_flight"]
        }
        self._bulk = {
            command_id: [(order_id, owner, symbol, at) for order_id, owner, symbol, at in orders]
            for command_id, orders in state["bulk"]
        }
        self._replaced = dict(state["replaced"])

    def _at(self, owner: int, symbol: int) -> RatioCounts:
        return self.windows.at(owner, symbol, self._now_ns).total

    # --- What clients ask for -----------------------------------------------------------------

    def _request(self, event: Any, decision: Decision, book: Book) -> None:
        """Count a message of a client by number; what it does to volume the engine says."""
        account = book.holder_of(event.key)
        if account is None or not account.owner:
            return
        owner = account.owner
        if type(event) is CANCEL_ALL:
            if decision.verdict == REFUSED:
                self._count_refused(owner, event.symbol, WEIGHT_CANCEL)
                return
            held = book.deferred.asked_with(book.current_seq, decision.deferred)
            if decision.cancels or held:
                self._count_bulk(decision, held, book)
            else:
                self._at(owner, event.symbol).number += WEIGHT_CANCEL
            return
        now_ns = self._now_ns
        kind = type(event)
        if kind is PLACE and decision.verdict != REFUSED:
            pair = self.windows.at(owner, event.symbol, now_ns)
            pair.total.number += WEIGHT_NEW
            pair.total.orders += 1
            pair.passed_ns = now_ns
            return
        order = book.orders.get(decision.order_id)
        symbol = order.symbol if order is not None else event.symbol
        weight = _WEIGHTS[kind]
        if decision.verdict == REFUSED:
            self._count_refused(owner, symbol, weight)
            return
        pair = self.windows.at(owner, symbol, now_ns)
        counts = pair.total
        counts.number += weight
        if kind is AMEND:
            counts.amends += 1
        else:
            counts.cancels += 1
            counts.orders += kind is REPLACE
        if kind is not CANCEL:
            pair.passed_ns = now_ns
        if kind is REPLACE:
            self._replaced[book.current_seq] = now_ns
        elif order is not None and decision.verdict == ACCEPTED:
            new_e8 = event.quantity_e8 or order.quantity_e8 if kind is AMEND else 0
            entry = self._in_flight.get(order.order_id)
            if entry is None:
                entry = _InFlight(order.owner, order.symbol, order.quantity_e8, [])
                self._in_flight[order.order_id] = entry
            entry.messages.append((weight, new_e8, now_ns))

    def _count_refused(self, owner: int, symbol: int, weight: int) -> None:
        counts = self._at(owner, symbol)
        counts.rejected += weight
        if self._count_rejects:
            counts.number += weight

    def _count_bulk(self, decision: Decision, held: tuple[int, ...], book: Book) -> None:
        """Count each order that a client's bulk cancel deletes, or that it will once it may."""
        sent = []
        for place, order_id in enumerate((*decision.cancels, *held)):
            order = book.orders.get(order_id)
            if order is not None:
                counts = self._at(order.owner, order.symbol)
                counts.number += WEIGHT_CANCEL
                counts.cancels += 1
                if place < len(decision.cancels):
                    sent.append((order_id, order.owner, order.symbol, self._now_ns))
        if sent:
            self._bulk[book.current_seq] = sent

    def _take_back(
        self, owner: int, symbol: int, taken: RatioCounts, weight: int, counted_ns: int
    ) -> None:
        """Count a message as refused that was counted when the gate accepted it."""
        pair: PairCounts = self.windows.at(owner, symbol, self._now_ns)
        pair.total.rejected += weight
        if not self._count_rejects:
            taken.number = weight
            self.windows.take_back(pair, taken, counted_ns)

    # --- What the engine says -----------------------------------------------------------------

    def answered(self, result: CommandResult, book: Book, now_ns: int) -> None:
        """Count what the engine made of a command: submission, executions, deletions."""
        if now_ns >= self.windows.ends_ns:
            self.windows.roll(now_ns)
        self._now_ns = now_ns
        if result.unknown:  # the answer that settles the order is counted when it comes
            return
        order = book.order_of(result.order_id)
        if order is not None and order.command_id == result.command_id:
            self._placed(result, order)
        elif result.order_id in self._in_flight:
            self._answered(result, order)
        if result.fills:
            self._fills(order, result.fills)
        if self._bulk:
            ended_ids = [ended.order_id for ended in result.ended]
            for order_id, owner, symbol, counted_ns in self._bulk.pop(result.command_id, ()):
                if order_id not in ended_ids:
                    self._take_back(owner, symbol, _cancels(1), WEIGHT_CANCEL, counted_ns)
        # The gate itself cancels in bulk only: a command about one order is its client's.
        asked = result.order_id != 0
        for ended in result.ended:
            self._deleted(book.order_of(ended.order_id), ended.filled_e8, asked)

    def _placed(self, result: CommandResult, order: OpenOrder) -> None:
        """Count a new order's volume, and the deletion of an IOC or FOK order's rest."""
        replaced_ns = self._replaced.pop(result.command_id, 0) if self._replaced else 0
        if replaced_ns and not result.ended:
            self._take_back(order.owner, order.symbol, _cancels(1), WEIGHT_CANCEL, replaced_ns)
        if not result.accepted or result.replaced_refusal is not None:
            self._take_back(order.owner, order.symbol, _orders(1), WEIGHT_NEW, order.accepted_ns)
            return
        counts = self._at(order.owner, order.symbol)
        executed_e8 = sum(fill.quantity_e8 for fill in result.fills)
        counts.volume_e8 += asked_e8(order, result) or executed_e8
        expired = order.time_in_force in (IOC, FOK) and result.status in (EXPIRED, CANCELED)
        if expired and rest_expired(order, result):
            counts.number += WEIGHT_IMMEDIATE_DELETED
            counts.volume_e8 += order.quantity_e8 - executed_e8 - result.prevented_e8

    def _answered(self, result: CommandResult, order: OpenOrder | None) -> None:
        """Count an amend's volume, or take back a message the engine refused."""
        entry = self._in_flight[result.order_id]
        weight, new_e8, counted_ns = entry.messages.pop(0)
        if not result.accepted:
            taken = _amends(1) if new_e8 else _cancels(1)
            self._take_back(entry.owner, entry.symbol, taken, weight, counted_ns)
        elif new_e8 and order is not None:
            filled_e8 = order.filled_e8 - sum(fill.quantity_e8 for fill in result.fills)
            counts = self._at(entry.owner, entry.symbol)
            deleted_e8, submitted_e8 = entry.quantity_e8 - filled_e8, new_e8 - filled_e8
            counts.volume_e8 += max(deleted_e8, 0) + max(submitted_e8, 0)
            entry.quantity_e8 = new_e8
        if not entry.messages:
            del self._in_flight[result.order_id]

    def _fills(self, order: OpenOrder | None, fills: tuple[Fill, ...]) -> None:
        if order is None or not fills:
            return
        counts = self._at(order.owner, order.symbol)
        counts.trades += len(fills)
        counts.volume_traded_e8 += sum(fill.quantity_e8 for fill in fills)

    def _deleted(self, order: OpenOrder | None, filled_e8: int, asked: bool) -> None:
        """Count the volume of an order that ended by a cancel, if its client asked for it."""
        if order is not None and (asked or order.cancel_cause == CAUSE_CLIENT):
            deleted_e8 = max(order.quantity_e8 - filled_e8, 0)
            self._at(order.owner, order.symbol).volume_e8 += deleted_e8

    def _ended(self, event: OrderEnded, book: Book) -> None:
        """Count a cancel its client made on another way in; nothing else counts."""
        order = book.order_of(event.order_id)
        if order is not None and event.cause == CAUSE_CLIENT:
            counts = self._at(order.owner, order.symbol)
            counts.number += WEIGHT_CANCEL
            counts.cancels += 1
            deleted_e8 = order.quantity_e8 - event.filled_e8 - event.prevented_e8
            counts.volume_e8 += max(deleted_e8, 0)

    def _busted(self, event: TradeBust, book: Book) -> None:
        """Take an annulled trade back from both sides, in the time in which it was counted."""
        taken = RatioCounts()
        taken.trades = 1
        taken.volume_traded_e8 = event.quantity_e8
        for account, _ in annulled_sides(event):
            facts = book.accounts.get(account)
            if facts is None or self.windows.find(facts.owner, event.symbol) is None:
                continue
            pair = self.windows.at(facts.owner, event.symbol, self._now_ns)
            self.windows.take_back(pair, taken, event.traded_ns or self._now_ns)

    def _forget_lost(self, book: Book) -> None:
        """Give up waiting for answers about orders that went with the engine's last epoch."""
        for order_id in [known for known in self._in_flight if known not in book.orders]:
            del self._in_flight[order_id]
        if not book.orders:
            self._bulk.clear()
            self._replaced.clear()


def _orders(number: int) -> RatioCounts:
    counts = RatioCounts()
    counts.orders = number
    return counts


def _cancels(number: int) -> RatioCounts:
    counts = RatioCounts()
    counts.cancels = number
    return counts


def _amends(number: int) -> RatioCounts:
    counts = RatioCounts()
    counts.amends = number
    return counts
