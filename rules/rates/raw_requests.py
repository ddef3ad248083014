"""The number of requests of an address, whatever they ask for."""

from typing import Any, ClassVar

from rules.book import Book
from rules.decisions import Decision, Explanation, Usage, Verdict
from rules.events import REQUESTS, Event, RefusedAggregate, Request
from rules.kinds import REFUSED_AGGREGATE
from rules.reasons import Reason
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.values import SCOPE_IP
from rules.windows import Windows, admits, breach, explanations, usages


class RawRequests(Rule):
    """Admit a request iff the address's requests, this one included, stay within every window.

    Each request counts 1 whatever becomes of it, also when it is refused or the address is banned.
    The gate's own routes neither count nor are limited here. Source: Binance Spot API, `RAW_REQUESTS`.
    """

    name: ClassVar[str] = "raw_requests"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.RAW_REQUEST_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = REQUESTS
    applies: ClassVar[tuple[type[Event], ...]] = (*REQUESTS, RefusedAggregate)
    source: ClassVar[str] = "Binance Spot API, rest-api.md, LIMITS"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries
        self._windows = Windows()
        self._limits = self._windows.limits(rulebook.clauses.raw_requests.windows)

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when a window has no room for one more request."""
        if admits(self._limits, event.ip, 1, now_ns) or self._entries[event.endpoint].gate:
            return None
        reason = Reason.RAW_REQUEST_LIMIT
        return breach(self.name, reason, self._limits, SCOPE_IP, event.ip, 1, now_ns)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count the request, or all those that an aggregated record stands for."""
        if type(event) is REFUSED_AGGREGATE:
            self._add(event, now_ns)
        elif not self._entries[event.endpoint].gate:
            for window, _ in self._limits:
                window.add(event.ip, 1, now_ns)

    def admits_after(self, event: Request, pending: int, now_ns: int) -> bool:
        """Return whether `check` would admit `event` had `pending` more requests been counted."""
        gate = self._entries[event.endpoint].gate
        return gate or admits(self._limits, event.ip, pending + 1, now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return limit and number of requests, this one included, of each window."""
        if self._entries[event.endpoint].gate:
            return ()
        reason = Reason.RAW_REQUEST_LIMIT
        return explanations(self.name, reason, self._limits, event.ip, 1, now_ns)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the requests of an address in each window."""
        if scope != SCOPE_IP:
            return ()
        return usages(self.name, self._limits, scope, subject, now_ns)

    def state(self) -> Any:
        """Return the counts of all windows."""
        return self._windows.state()

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._windows.restore(state)

    def _add(self, aggregate: RefusedAggregate, now_ns: int) -> None:
        """Count what was refused in the window of its arrival, as if it had been recorded then."""
        for share in aggregate.shares:
            count = sum(number for _, number in share.reasons) - share.gate_count
            if count:
                for window, _ in self._limits:
                    window.add_late(share.ip, count, aggregate.last_ns, now_ns)
