"""The time a request was sent: neither too old, nor from the future."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import ORDER_REQUESTS, Event, Query
from rules.explanations import first_breach, look
from rules.instruments import SECURITY_SIGNED
from rules.reasons import Reason
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US: Final = 1_000


class RecvWindow(Rule):
    """Admit a signed request iff timestamp < server + `ahead` and server - timestamp <= recvWindow.

    Server is the time of receipt, not the core's time, which a manual clock may move. First of all
    the values must make sense: a timestamp before `earliest` or more than `invalid_ahead` ahead is
    none, and a recvWindow may not be longer than `longest`. A dialect without timestamps says so
    by a recvWindow below 0 and is passed over. Limits and observed values are in nanoseconds.
    Source: Binance Spot API, "Timing security".
    """

    name: ClassVar[str] = "recv_window"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.TIMESTAMP_MISSING,
        Reason.TIMESTAMP_INVALID,
        Reason.RECV_WINDOW_TOO_LARGE,
        Reason.TIMESTAMP_AHEAD,
        Reason.TIMESTAMP_EXPIRED,
    )
    wants: ClassVar[tuple[type[Event], ...]] = (Query, *ORDER_REQUESTS)
    source: ClassVar[str] = "Binance Spot API, rest-api.md, Timing security"

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.recv_window
        self._entries = rulebook.entries
        self._default_ns = duration_ns(clause.default)
        self._longest_ns = duration_ns(clause.longest)
        self._ahead_ns = duration_ns(clause.ahead)
        self._invalid_ahead_ns = duration_ns(clause.invalid_ahead)
        self._earliest_ns = _instant_ns(clause.earliest)
        self._sound_from_ns = max(self._earliest_ns, 1)

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the timestamp is missing, senseless, too old or ahead."""
        if self._entries[event.endpoint].security != SECURITY_SIGNED:
            return None
        timestamp_ns = event.timestamp_ns
        window_ns = event.recv_window_ns
        age_ns = event.received_ns - timestamp_ns
        if 0 < age_ns <= window_ns <= self._longest_ns and timestamp_ns >= self._sound_from_ns:
            # What nearly every request is: some time ago, and within what its client allows.
            return None
        if timestamp_ns == 0 and window_ns < 0:
            return None
        if (
            timestamp_ns > 0
            and timestamp_ns >= self._earliest_ns
            and -age_ns < self._ahead_ns
            and -age_ns <= self._invalid_ahead_ns
            and window_ns <= self._longest_ns
            and age_ns <= (window_ns if window_ns > 0 else self._default_ns)
        ):
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the bounds of timestamp and recvWindow, as far as there is something to compare.

        `detail` names the value that is looked at.
        """
        timestamp_ns = event.timestamp_ns
        window_ns = event.recv_window_ns
        if self._entries[event.endpoint].security != SECURITY_SIGNED:
            return (Explanation(self.name, True, None, 0, timestamp_ns, "not asked for"),)
        if timestamp_ns == 0:
            passed = window_ns < 0
            return (look(self.name, passed, Reason.TIMESTAMP_MISSING, 0, 0, "timestamp"),)
        if timestamp_ns < self._earliest_ns or timestamp_ns < 0:
            invalid = Reason.TIMESTAMP_INVALID
            return (look(self.name, False, invalid, self._earliest_ns, timestamp_ns, "timestamp"),)
        age_ns = event.received_ns - timestamp_ns
        allowed_ns = window_ns if window_ns > 0 else self._default_ns
        return (
            self._at_most(Reason.TIMESTAMP_INVALID, self._invalid_ahead_ns, -age_ns, "timestamp"),
            self._at_most(Reason.RECV_WINDOW_TOO_LARGE, self._longest_ns, window_ns, "recvWindow"),
            look(
                self.name,
                -age_ns < self._ahead_ns,
                Reason.TIMESTAMP_AHEAD,
                self._ahead_ns,
                -age_ns,
                "ahead",
            ),
            self._at_most(Reason.TIMESTAMP_EXPIRED, allowed_ns, age_ns, "age"),
        )

    def _at_most(self, reason: Reason, limit: int, observed: int, detail: str) -> Explanation:
        return look(self.name, observed <= limit, reason, limit, observed, detail)


def _instant_ns(text: str) -> int:
    """Return an ISO 8601 date and time as ns since the epoch; raises ValueError on anything else.

    Down to the microsecond, exactly; a time without an offset is refused as ambiguous.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"`{text}` has no offset; write it in UTC, as in 2017-01-01T00:00:00Z")
    return (instant - _EPOCH) // timedelta(microseconds=1) * _NS_PER_US
