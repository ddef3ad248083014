"""The order-to-trade ratio of RTS 9 (Delegated Regulation (EU) 2017/566), by number and by volume.

Counted per owner and symbol over a session, as Art. 3 and the Annex say:

    ratio = orders / max(transactions, floor) - 1

Messages of the Annex: a new order counts 1, a cancel 1, a modification 2 (cancel and insert), an
IOC or FOK order 1 more when what is left of it is deleted. A message that deletes several orders
counts each of them, as the Annex counts a quote's sides and an OCO's legs. Every execution, partial
ones too, is one transaction. Volume is in base asset: submitted plus deleted quantity, a
modification being a deletion and a submission, against executed quantity.

Left out (Art. 1(a)) are cancels by a kill, a lost session, a halt, self-trade prevention, expiry or
the engine: nobody but the client's own cancel counts.
"""

import re
from typing import Any, ClassVar, Final

from rules.book import Book, OpenOrder
from rules.clauses import OrderToTradeClause
from rules.decisions import ACCEPTED, REFUSED, Breach, Decision, Explanation, Usage
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
)
from rules.explanations import look
from rules.ratio_counts import (
    WEIGHT_CANCEL,
    WEIGHT_IMMEDIATE_DELETED,
    WEIGHT_MODIFY,
    WEIGHT_NEW,
    RatioCounts,
    ratio_e8,
)
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import decimal_e8
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    CANCELED,
    CAUSE_CLIENT,
    EXPIRED,
    FLAG_TEST,
    FOK,
    IOC,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    SCOPE_OWNER_SYMBOL,
    pair_of,
    split_pair,
)

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class OrderToTrade(Rule):
    """Count orders and transactions of each owner and symbol; refuse above a maximum, if any.

    Source: RTS 9 Art. 1, Art. 3 and Annex. The ratio is judged as it stands before the message,
    once a session's counted messages reach `minimum_orders`. Cancels are never refused.
    """

    name: ClassVar[str] = "order_to_trade"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.ORDER_TO_TRADE_RATIO,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        Amend,
        Cancel,
        CancelAll,
        BulkCancel,
        CommandResult,
        OrderTrade,
        OrderEnded,
        EngineSession,
    )
    source: ClassVar[str] = "Delegated Regulation (EU) 2017/566 (RTS 9), Art. 3 and Annex"
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.order_to_trade
        self._max_number_e8 = decimal_e8(clause.max_number) if clause.max_number else -1
        self._max_volume_e8 = decimal_e8(clause.max_volume) if clause.max_volume else -1
        self._judges = bool(clause.max_number or clause.max_volume)
        self._floor_trades = clause.floor_trades
        self._floor_volume_e8 = decimal_e8(clause.floor_volume)
        self._minimum_orders = clause.minimum_orders
        self._market_maker_factor = clause.market_maker_factor
        self._count_rejects = clause.count_rejects
        self._session_offset_ns = _session_offset_ns(clause)
        self._session = 0
        self._current: dict[tuple[int, int], RatioCounts] = {}
        self._previous: dict[tuple[int, int], RatioCounts] = {}
        self._in_flight: dict[int, _InFlight] = {}

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a new order or modification while a ratio of its owner is above the maximum."""
        if not self._judges:
            return None
        owner, flags = _owner_of(event.key, book)
        counts = self._counts_at(owner, event.symbol, now_ns)
        if counts is None or counts.number < self._minimum_orders:
            return None
        for explanation in self._explanations(counts, flags):
            if not explanation.passed:
                return Breach(
                    rule=self.name,
                    reason=Reason.ORDER_TO_TRADE_RATIO,
                    limit=explanation.limit,
                    observed=explanation.observed,
                    retry_ns=self._session_ends_ns(now_ns),
                    scope=SCOPE_OWNER_SYMBOL,
                    subject=pair_of(owner, event.symbol),
                    window_ns=NS_PER_DAY,
                    detail=explanation.detail,
                )
        return None

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return maximum and ratio in 1e-8, by number and by volume."""
        owner, flags = _owner_of(event.key, book)
        counts = self._counts_at(owner, event.symbol, now_ns) or RatioCounts()
        return self._explanations(counts, flags)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count a client's message, or what the engine reports of executions and deletions."""
        self._roll(now_ns)
        kind = type(event)
        if kind is CommandResult:
            self._apply_result(event, book)
        elif kind is OrderTrade:
            self._count_fills(book.order_of(event.order_id), (event.fill,))
        elif kind is OrderEnded:
            self._apply_ended(event, book)
        elif kind is EngineSession:
            self._forget_lost(book)
        elif kind is BulkCancel:
            if event.cause == CAUSE_CLIENT:
                self._count_bulk(decision, book)
        elif kind is not Place or not event.flags & FLAG_TEST:
            self._apply_request(event, decision, book)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return both ratios of an owner and symbol in 1e-8, without those not yet defined.

        `scope` is SCOPE_OWNER_SYMBOL and `subject` what `values.pair_of` returns; a limit of 0 means
        that the ratio is counted and never refused.
        """
        if scope != SCOPE_OWNER_SYMBOL:
            return ()
        owner, symbol = split_pair(subject)
        counts = self._counts_at(owner, symbol, now_ns) or RatioCounts()
        resets_ns = self._session_ends_ns(now_ns)
        return tuple(
            Usage(
                self.name, scope, subject, used, max(limit, 0), NS_PER_DAY, resets_ns, label, True
            )
            for label, used, limit in (
                ("number", self.number_e8(counts), self._max_number_e8),
                ("volume", self.volume_e8(counts), self._max_volume_e8),
            )
            if used is not None
        )

    def counts(self, owner: int, symbol: int) -> RatioCounts:
        """Return the counts of the session of the last event, zeros where there are none."""
        return self._current.get((owner, symbol)) or RatioCounts()

    def previous_counts(self, owner: int, symbol: int) -> RatioCounts:
        """Return the counts of the session before that: what its end-of-session report states."""
        return self._previous.get((owner, symbol)) or RatioCounts()

    def number_e8(self, counts: RatioCounts) -> int | None:
        """Return the ratio by number in 1e-8, None without trades and floor."""
        return ratio_e8(counts.number, counts.trades, self._floor_trades)

    def volume_e8(self, counts: RatioCounts) -> int | None:
        """Return the ratio by volume in 1e-8, None without trades and floor."""
        return ratio_e8(counts.volume_e8, counts.volume_traded_e8, self._floor_volume_e8)

    def state(self) -> Any:
        """Return session, counts of this and the previous session, and what is in flight."""
        return {
            "session": self._session,
            "current": [[*pair, counts.state()] for pair, counts in self._current.items()],
            "previous": [[*pair, counts.state()] for pair, counts in self._previous.items()],
            "in_flight": [
                [order_id, entry.owner, entry.symbol, entry.quantity_e8, entry.messages]
                for order_id, entry in self._in_flight.items()
            ],
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._session = state["session"]
        self._current = _restored(state["current"])
        self._previous = _restored(state["previous"])
        self._in_flight = {
            order_id: _InFlight(owner, symbol, quantity_e8, [(weight, new) for weight, new in sent])
            for order_id, owner, symbol, quantity_e8, sent in state["in_flight"]
        }

    def _apply_request(self, event: Any, decision: Decision, book: Book) -> None:
        """Count a message of a client by number; what it does to volume the engine says."""
        owner, _ = _owner_of(event.key, book)
        if not owner:
            return
        if type(event) is CancelAll:
            if decision.verdict == REFUSED:
                self._count_refused(self._at(owner, event.symbol), WEIGHT_CANCEL)
            elif decision.cancels:
                self._count_bulk(decision, book)
            else:
                self._at(owner, event.symbol).number += WEIGHT_CANCEL
            return
        order = book.orders.get(decision.order_id)
        counts = self._at(owner, order.symbol if order is not None else event.symbol)
        weight = _WEIGHTS[type(event)]
        if decision.verdict == REFUSED:
            self._count_refused(counts, weight)
            return
        counts.number += weight
        if type(event) is not Amend:
            counts.orders += type(event) is not Cancel
            counts.cancels += type(event) is not Place
        else:
            counts.amends += 1
        if order is not None and type(event) in (Cancel, Amend) and decision.verdict == ACCEPTED:
            new_e8 = event.quantity_e8 or order.quantity_e8 if type(event) is Amend else 0
            entry = self._in_flight.get(order.order_id)
            if entry is None:
                entry = _InFlight(order.owner, order.symbol, order.quantity_e8, [])
                self._in_flight[order.order_id] = entry
            entry.messages.append((weight, new_e8))

    def _count_refused(self, counts: RatioCounts, weight: int) -> None:
        counts.rejected += weight
        if self._count_rejects:
            counts.number += weight

    def _take_back(self, counts: RatioCounts, weight: int) -> None:
        """Count a message as refused that was counted when the gate accepted it."""
        counts.rejected += weight
        if not self._count_rejects:
            counts.number -= weight

    def _count_bulk(self, decision: Decision, book: Book) -> None:
        """Count each order that a client's bulk cancel deletes."""
        for order_id in decision.cancels:
            order = book.orders.get(order_id)
            if order is not None:
                counts = self._at(order.owner, order.symbol)
                counts.number += WEIGHT_CANCEL
                counts.cancels += 1

    def _apply_result(self, result: CommandResult, book: Book) -> None:
        """Count what the engine made of a command: submission, executions, deletions."""
        if result.unknown:  # the answer that settles the order is counted when it comes
            return
        order = book.order_of(result.order_id)
        if order is not None and order.command_id == result.command_id:
            self._count_placed(result, order)
        elif result.order_id in self._in_flight:
            self._count_answered(result, order)
        self._count_fills(order, result.fills)
        # The gate itself cancels in bulk only: a command about one order is its client's.
        asked = result.order_id != 0
        for ended in result.ended:
            self._count_deleted(book.order_of(ended.order_id), ended.filled_e8, asked)

    def _count_placed(self, result: CommandResult, order: OpenOrder) -> None:
        """Count a new order's volume, and the deletion of an IOC or FOK order's rest."""
        counts = self._at(order.owner, order.symbol)
        if not result.accepted or result.replaced_refusal is not None:
            if self._session_at(order.accepted_ns) == self._session:
                self._take_back(counts, WEIGHT_NEW)
            return
        if order.quantity_e8:
            counts.volume_e8 += order.quantity_e8
        else:
            counts.volume_e8 += sum(fill.quantity_e8 for fill in result.fills)
        if order.time_in_force in (IOC, FOK) and result.status in (EXPIRED, CANCELED):
            if result.prevented_e8 == 0:
                counts.number += WEIGHT_IMMEDIATE_DELETED
            filled_e8 = sum(fill.quantity_e8 for fill in result.fills)
            counts.volume_e8 += max(order.quantity_e8 - filled_e8 - result.prevented_e8, 0)

    def _count_answered(self, result: CommandResult, order: OpenOrder | None) -> None:
        """Count an amend's volume, or take back a message the engine refused."""
        entry = self._in_flight[result.order_id]
        weight, new_e8 = entry.messages.pop(0)
        counts = self._at(entry.owner, entry.symbol)
        if not result.accepted:
            self._take_back(counts, weight)
        elif new_e8 and order is not None:
            filled_e8 = order.filled_e8 - sum(fill.quantity_e8 for fill in result.fills)
            counts.volume_e8 += entry.quantity_e8 - filled_e8 + new_e8 - filled_e8
            entry.quantity_e8 = new_e8
        if not entry.messages:
            del self._in_flight[result.order_id]

    def _count_fills(self, order: OpenOrder | None, fills: tuple[Fill, ...]) -> None:
        if order is None or not fills:
            return
        counts = self._at(order.owner, order.symbol)
        counts.trades += len(fills)
        counts.volume_traded_e8 += sum(fill.quantity_e8 for fill in fills)

    def _count_deleted(self, order: OpenOrder | None, filled_e8: int, asked: bool) -> None:
        """Count the volume of an order that ended by a cancel, if its client asked for it."""
        if order is not None and (asked or order.cancel_cause == CAUSE_CLIENT):
            deleted_e8 = max(order.quantity_e8 - filled_e8, 0)
            self._at(order.owner, order.symbol).volume_e8 += deleted_e8

    def _apply_ended(self, event: OrderEnded, book: Book) -> None:
        """Count a cancel its client made on another way in; nothing else counts."""
        order = book.order_of(event.order_id)
        if order is not None and event.cause == CAUSE_CLIENT:
            counts = self._at(order.owner, order.symbol)
            counts.number += WEIGHT_CANCEL
            counts.cancels += 1
            deleted_e8 = order.quantity_e8 - event.filled_e8 - event.prevented_e8
            counts.volume_e8 += max(deleted_e8, 0)

    def _forget_lost(self, book: Book) -> None:
        """Give up waiting for answers about orders that went with the engine's last epoch."""
        for order_id in [known for known in self._in_flight if known not in book.orders]:
            del self._in_flight[order_id]

    def _explanations(self, counts: RatioCounts, flags: int) -> tuple[Explanation, ...]:
        factor = self._market_maker_factor if flags & ACCOUNT_MARKET_MAKER else 1
        return (
            self._explanation(
                "number", self.number_e8(counts), self._max_number_e8, factor, counts
            ),
            self._explanation(
                "volume", self.volume_e8(counts), self._max_volume_e8, factor, counts
            ),
        )

    def _explanation(
        self, form: str, ratio: int | None, maximum_e8: int, factor: int, counts: RatioCounts
    ) -> Explanation:
        reason = Reason.ORDER_TO_TRADE_RATIO
        if maximum_e8 < 0:
            return look(self.name, True, reason, 0, ratio or 0, f"by {form}, counted only")
        limit_e8 = maximum_e8 * factor
        if ratio is None:
            return look(self.name, True, reason, limit_e8, 0, f"by {form}, no trade yet")
        if counts.number < self._minimum_orders:
            detail = f"by {form}, not judged before {self._minimum_orders} messages"
            return look(self.name, True, reason, limit_e8, ratio, detail)
        return look(self.name, ratio <= limit_e8, reason, limit_e8, ratio, f"by {form}")

    def _at(self, owner: int, symbol: int) -> RatioCounts:
        counts = self._current.get((owner, symbol))
        if counts is None:
            counts = self._current[owner, symbol] = RatioCounts()
        return counts

    def _counts_at(self, owner: int, symbol: int, now_ns: int) -> RatioCounts | None:
        """Return the counts of the session `now_ns` lies in; what an older one left is over."""
        if self._session_at(now_ns) != self._session:
            return None
        return self._current.get((owner, symbol))

    def _roll(self, now_ns: int) -> None:
        """Begin anew when `now_ns` lies in another session; keep the one that ended."""
        session = self._session_at(now_ns)
        if session == self._session:
            return
        self._previous = self._current if session == self._session + 1 else {}
        self._current = {}
        self._session = session
        for entry in self._in_flight.values():
            # Counted in the session that ended, so nothing can be taken back from the new one.
            entry.messages = [(0, new_e8) for _, new_e8 in entry.messages]

    def _session_at(self, now_ns: int) -> int:
        return (now_ns - self._session_offset_ns) // NS_PER_DAY

    def _session_ends_ns(self, now_ns: int) -> int:
        return (self._session_at(now_ns) + 1) * NS_PER_DAY + self._session_offset_ns


class _InFlight:
    """Unanswered cancels and amends of one order."""

    __slots__ = ("messages", "owner", "quantity_e8", "symbol")

    def __init__(
        self, owner: int, symbol: int, quantity_e8: int, messages: list[tuple[int, int]]
    ) -> None:
        self.owner = owner
        self.symbol = symbol
        self.quantity_e8 = quantity_e8
        """The order's total quantity before the first of them."""
        self.messages = messages
        """Weight, and an amend's new total quantity (0 for a cancel), in the order sent."""


_WEIGHTS: Final[dict[type[Event], int]] = {
    Place: WEIGHT_NEW,
    Cancel: WEIGHT_CANCEL,
    Amend: WEIGHT_MODIFY,
    Replace: WEIGHT_CANCEL + WEIGHT_NEW,
}


def _owner_of(key: int, book: Book) -> tuple[int, int]:
    """Return owner and account flags of a key, zeros when it is unknown."""
    account = book.accounts.get(book.account_of(key))
    return (account.owner, account.flags) if account is not None else (0, 0)


def _restored(state: Any) -> dict[tuple[int, int], RatioCounts]:
    restored = {}
    for owner, symbol, stored_counts in state:
        counts = restored[owner, symbol] = RatioCounts()
        counts.restore(stored_counts)
    return restored


def _session_offset_ns(clause: OrderToTradeClause) -> int:
    """Return when a session starts, counted from 00:00 UTC; raises ValueError."""
    match = _TIME_OF_DAY.fullmatch(clause.session_starts)
    if match is None:
        raise ValueError(
            f"`{clause.session_starts}` is not a time of day such as 00:00 or 15:00 (UTC)"
        )
    return int(match[1]) * NS_PER_HOUR + int(match[2]) * NS_PER_MINUTE
