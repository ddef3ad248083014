"""What is shed so that trading goes on: strangers, then queries, then new orders."""

from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import REFUSED, Decision, Explanation, Usage, Verdict
from rules.endpoints import Endpoint
from rules.events import (
    REQUESTS,
    Amend,
    Event,
    Place,
    Query,
    RecordSpace,
    RefusedRequest,
    Replace,
    Request,
)
from rules.explanations import first_breach, look
from rules.instruments import SECURITY_SIGNED
from rules.kinds import QUERY, RECORD_SPACE, REFUSED_REQUEST
from rules.reasons import Reason
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import AUTH_OK, SCOPE_IP, SCOPE_VENUE, SPACE_AMPLE, SPACE_LOW
from rules.windows import Windows, admits, breach, explanations, usages

_PASSES_AT: Final[dict[type[Event], int]] = {
    Query: SPACE_AMPLE,
    Place: SPACE_LOW,
    Replace: SPACE_LOW,
    Amend: SPACE_LOW,
}
"""The least space at which a request still passes; cancels pass always."""
_NEEDED_TO_CANCEL: Final = frozenset((Endpoint.SESSION_LOGON, Endpoint.SESSION_CONNECT))
"""Queries in form that a client makes before it can cancel."""
_EVERYBODY: Final = 0
"""The one subject the queries of strangers are counted under."""


class Overload(Rule):
    """Refuse what the gate has no room for.

    While the disk of the record is LOW, queries are refused, and what could not be understood
    unless a key was proved; while it is SCARCE, new orders, replacements and amends too. Cancels
    are never refused here, nor is a session's logon. A request that comes from an address without a
    number, and is not signed, is refused always: it has no limits that it could be counted under.
    Queries that are not signed are each a record that costs nobody anything, so of all addresses
    together no more are answered than `unsigned_windows` allow; addresses that a key was proved
    from in this or the last `known_for` are no strangers, and are not counted. The state of the
    disk is recorded as an event, so a replay knows it.
    A request that has waited too long for its turn comes here as one that could not be served: which
    ones do depends on the processor, so that is found out before and is a fact of the event.
    Source: Binance Spot API, error -1008 and its order of shedding; RTS 7 (2017/584) Art. 11.
    """

    name: ClassVar[str] = "overload"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.OVERLOADED,)
    wants: ClassVar[tuple[type[Event], ...]] = REQUESTS
    applies: ClassVar[tuple[type[Event], ...]] = (*REQUESTS, RecordSpace)
    source: ClassVar[str] = "Binance Spot API, error -1008; RTS 7 (2017/584) Art. 11"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries
        self._windows = Windows()
        clause = rulebook.clauses.overload
        self._limits = self._windows.limits(clause.unsigned_windows)
        self._known = KnownAddresses(duration_ns(clause.known_for))
        self.space = SPACE_AMPLE
        """The room on the disk of the record (`SPACE_*`)."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when there is no room for the request."""
        if type(event) is REFUSED_REQUEST and event.reason is Reason.OVERLOADED:
            return first_breach((_waited(event),), SCOPE_IP, event.ip)
        if self.space != SPACE_AMPLE or not event.ip:
            looks = (self._numbered(event), *self._room(event))
            if not all(explanation.passed for explanation in looks):
                return first_breach(looks, SCOPE_IP, event.ip)
        if type(event) is not QUERY or admits(self._limits, _EVERYBODY, 1, now_ns):
            return None
        if not self._is_strangers_query(event, now_ns):
            return None
        reason = Reason.OVERLOADED
        return breach(self.name, reason, self._limits, SCOPE_VENUE, _EVERYBODY, 1, now_ns)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up how much room there is, who is no stranger, and what a stranger is answered."""
        if type(event) is RECORD_SPACE:
            self.space = event.space
        elif event.auth == AUTH_OK:
            self._known.add(event.ip, now_ns)
        elif self._is_strangers_query(event, now_ns) and decision.verdict != REFUSED:
            for window, _ in self._limits:
                window.add(_EVERYBODY, 1, now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return 1 and whether the address is known, the room needed and there, each window."""
        looks = (self._numbered(event), *self._room(event))
        if type(event) is REFUSED_REQUEST and event.reason is Reason.OVERLOADED:
            return (_waited(event), *looks)
        if not self._is_strangers_query(event, now_ns):
            return looks
        reason = Reason.OVERLOADED
        return looks + explanations(self.name, reason, self._limits, _EVERYBODY, 1, now_ns)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the unsigned queries that were answered in each window, of all addresses."""
        if scope != SCOPE_VENUE:
            return ()
        return usages(self.name, self._limits, scope, _EVERYBODY, now_ns, "unsigned ")

    def knows(self, ip: int, now_ns: int) -> bool:
        """Return whether a key was proved from an address in this or the last `known_for`."""
        return self._known.has(ip, now_ns)

    def state(self) -> Any:
        """Return how much room there is, and the counts of all windows."""
        return [self.space, self._windows.state(), self._known.state()]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned; the room alone is what versions before 0.2 stored."""
        if isinstance(state, int):
            self.space = state
            return
        self.space, windows, known = state
        self._windows.restore(windows)
        self._known.restore(known)

    def _numbered(self, event: Request) -> Explanation:
        signed = self._entries[event.endpoint].security == SECURITY_SIGNED
        known = event.ip != 0 or (signed and event.auth == AUTH_OK)
        return look(self.name, known, Reason.OVERLOADED, 1, int(known), "address")

    def _room(self, event: Request) -> tuple[Explanation, ...]:
        passes_at = _passes_at(event)
        if passes_at is None:
            return ()
        passed = self.space <= passes_at
        return (look(self.name, passed, Reason.OVERLOADED, passes_at, self.space, "record space"),)

    def _is_strangers_query(self, event: Request, now_ns: int) -> bool:
        return (
            type(event) is QUERY and event.auth != AUTH_OK and not self._known.has(event.ip, now_ns)
        )


class KnownAddresses:
    """Addresses that something was proved from in the present period of the UTC clock or the last.

    Forgetting costs nothing per address: the older of two generations is let go.
    """

    __slots__ = ("_new", "_old", "_span_ns", "_turn_ns")

    def __init__(self, span_ns: int) -> None:
        """Take the length of a period; 0 knows nobody."""
        self._span_ns = span_ns
        self._turn_ns = 0
        """When the present period ends."""
        self._new: dict[int, bool] = {}
        self._old: dict[int, bool] = {}

    def add(self, ip: int, now_ns: int) -> None:
        """Take note of an address."""
        if now_ns >= self._turn_ns:
            if not self._span_ns:
                return
            self._old = self._new if now_ns - self._turn_ns < self._span_ns else {}
            self._new = {}
            self._turn_ns = (now_ns // self._span_ns + 1) * self._span_ns
        self._new[ip] = True

    def has(self, ip: int, now_ns: int) -> bool:
        """Return whether an address is known at `now_ns`."""
        if now_ns < self._turn_ns:
            return ip in self._new or ip in self._old
        return now_ns - self._turn_ns < self._span_ns and ip in self._new

    def state(self) -> Any:
        """Return all addresses as plain values."""
        return [self._turn_ns, list(self._new), list(self._old)]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._turn_ns, new, old = state
        self._new, self._old = dict.fromkeys(new, True), dict.fromkeys(old, True)


def _waited(event: RefusedRequest) -> Explanation:
    return Explanation(Overload.name, False, Reason.OVERLOADED, event.expected, event.detail)


def _passes_at(event: Request) -> int | None:
    """Return the least space at which a request passes, None when it always does."""
    kind = type(event)
    if kind is QUERY and event.endpoint in _NEEDED_TO_CANCEL:
        return None
    if kind is REFUSED_REQUEST and event.auth != AUTH_OK:
        return SPACE_AMPLE
    return _PASSES_AT.get(kind)
