"""The weight of an address's requests: what they cost the venue to answer."""

from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import ACCEPTED, REFUSED, Decision, Explanation, Usage, Verdict
from rules.events import (
    ORDER_REQUESTS,
    REQUESTS,
    CommandResult,
    Event,
    RefusedAggregate,
    Request,
)
from rules.instruments import EndpointEntry
from rules.kinds import COMMAND_RESULT, REFUSED_AGGREGATE
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.recent import Recent
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.values import SCOPE_IP
from rules.windows import Limits, Windows, admits, breach, explanations, lengths_and_uses, usages

_COMMANDING: Final = frozenset(ORDER_REQUESTS)
"""Requests whose acceptance sends the engine a command, so that they can still fail there."""
GATE_LABEL: Final = "GATE-"
"""Prefix of the windows' labels in the budget of the gate's own routes."""


class RequestWeight(Rule):
    """Admit a request iff the address's used weight plus the request's weight on success fits.

    An accepted request is charged its weight on success; one that is refused, its weight on
    failure; one that a rate limit refused, nothing. An order or cancel the engine refuses is
    charged the difference once that is known, in the window of its arrival and only while that
    lasts, so this counter may pass its limit by the requests in flight. The gate's own routes have
    windows of their own. Source: Binance Spot API, "IP Limits", and the changelog of 2026-03-27 and
    2026-04-02 (orders cost nothing on success).
    """

    name: ClassVar[str] = "request_weight"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.REQUEST_WEIGHT_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = REQUESTS
    applies: ClassVar[tuple[type[Event], ...]] = (*REQUESTS, RefusedAggregate, CommandResult)
    source: ClassVar[str] = "Binance Spot API, rest-api.md, IP Limits; changelog 2026-04-02"

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.request_weight
        self._entries = rulebook.entries
        self._windows = Windows()
        self._limits = self._windows.limits(clause.windows)
        self._gate_windows = Windows()
        self._gate_limits = self._gate_windows.limits(clause.gate_windows)
        self._pending = Recent(max((window.interval_ns for window, _ in self._limits), default=0))
        """(address, arrival, weight still to pay on failure) by command id, as long as a window of
        the arrival may last: after that a failure costs nothing any more."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when a window has no room for the weight on success."""
        entry = self._entries[event.endpoint]
        limits = self._gate_limits if entry.gate else self._limits
        weight = entry.weight_success if entry.flat else entry.weight_success_for(event.size)
        if admits(limits, event.ip, weight, now_ns):
            return None
        reason = Reason.REQUEST_WEIGHT_LIMIT
        return breach(self.name, reason, limits, SCOPE_IP, event.ip, weight, now_ns)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Charge a request for what became of it, or a failed command for having failed."""
        kind = type(event)
        if kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
            return
        if kind is REFUSED_AGGREGATE:
            self._add(event, now_ns)
            return
        entry = self._entries[event.endpoint]
        limits = self._gate_limits if entry.gate else self._limits
        if decision.verdict == REFUSED:
            _charge(limits, event.ip, refused_weight(event, decision, entry), now_ns)
            return
        weight = entry.weight_success if entry.flat else entry.weight_success_for(event.size)
        if weight:
            _charge(limits, event.ip, weight, now_ns)
        if kind in _COMMANDING and decision.verdict == ACCEPTED and not entry.gate:
            failed = entry.weight_failure if entry.flat else entry.weight_for(event.size)
            if failed > weight:
                self._pending.put(book.current_seq, (event.ip, now_ns, failed - weight), now_ns)

    def admits_after(self, event: Request, weight: int, gate_weight: int, now_ns: int) -> bool:
        """Return whether `check` would admit `event` had so much more weight been charged."""
        entry = self._entries[event.endpoint]
        amount = entry.weight_success_for(event.size)
        if entry.gate:
            return admits(self._gate_limits, event.ip, gate_weight + amount, now_ns)
        return admits(self._limits, event.ip, weight + amount, now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return limit and used weight, this request's on success included, of each window."""
        entry = self._entries[event.endpoint]
        limits = self._gate_limits if entry.gate else self._limits
        weight = entry.weight_success_for(event.size)
        reason = Reason.REQUEST_WEIGHT_LIMIT
        return explanations(self.name, reason, limits, event.ip, weight, now_ns)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the weight an address used in each window, then that of the gate's own routes."""
        if scope != SCOPE_IP:
            return ()
        return usages(self.name, self._limits, scope, subject, now_ns) + usages(
            self.name, self._gate_limits, scope, subject, now_ns, GATE_LABEL
        )

    def used(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[int, ...]:
        """Return length of each window of the venue's routes, and the weight an address used."""
        return lengths_and_uses(self._limits, subject, now_ns) if scope == SCOPE_IP else ()

    def state(self) -> Any:
        """Return the counts of all windows and the commands without an answer."""
        return [self._windows.state(), self._gate_windows.state(), self._pending.state()]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        windows, gate_windows, pending = state
        self._windows.restore(windows)
        self._gate_windows.restore(gate_windows)
        self._pending.restore(pending)

    def _add(self, aggregate: RefusedAggregate, now_ns: int) -> None:
        """Charge what was refused in the window of its arrival, as if it had been recorded then."""
        for share in aggregate.shares:
            for limits, weight in (
                (self._limits, share.weight),
                (self._gate_limits, share.gate_weight),
            ):
                if weight:
                    for window, _ in limits:
                        window.add_late(share.ip, weight, aggregate.last_ns, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Charge what a command costs that has failed, in the window of its arrival."""
        if result.unknown:
            return
        pending = self._pending.pop(result.command_id)
        if pending is None or (result.accepted and result.replaced_refusal is None):
            return
        ip, arrived_ns, difference = pending
        for window, _ in self._limits:
            window.add_late(ip, difference, arrived_ns, now_ns)


def refused_weight(event: Request, decision: Decision, entry: EndpointEntry) -> int:
    """Return what a refused request costs: its weight on failure, nothing at a rate limit."""
    if decision.breaches and decision.breaches[0].reason in RATE_LIMIT_REASONS:
        return 0
    return entry.weight_for(event.size)


def _charge(limits: Limits, ip: int, weight: int, now_ns: int) -> None:
    if weight:
        for window, _ in limits:
            window.add(ip, weight, now_ns)
