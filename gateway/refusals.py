"""Refusals of banned and unauthenticated addresses: recorded one by one, then counted.

Anyone can send requests without a key, so their refusals must not be able to fill the record. Of
each address the first ten refusals a second are recorded alone, and of all addresses together a
set number. What is refused beyond that is answered at once and counted; the counts are recorded as
`RefusedAggregate` at the end of the second, or before the next thing of that address that is not
such a refusal. So whenever something of an address is decided, its limits have taken exactly what
single records would have taken, here and in a replay.

Memory is bounded: at most `ADDRESSES_MAX` addresses are told apart in the counts of one second.
Those beyond share the count of address 0, and their limits don't take what is counted there.

While the record's disk has little room, both are far fewer: what strangers send must not be what
brings the disk from little room to none, where new orders are refused.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from gateway.outcome import Outcome, Reply
from rules.access.ban_ladder import BanLadder
from rules.access.overload import Overload
from rules.decisions import REFUSED, Decision
from rules.events import (
    ClearBan,
    Event,
    Query,
    RefusedAggregate,
    RefusedShare,
    Request,
    RulebookChanged,
)
from rules.pipeline import Pipeline
from rules.rates.raw_requests import RawRequests
from rules.rates.request_weight import RequestWeight, refused_weight
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.registry import mode_of
from rules.rule import Rule
from rules.values import AUTH_OK, INT63_MAX, NS_PER_SECOND, SPACE_AMPLE

RECORDED_EACH: Final = 10
"""Refusals of one address that are recorded alone, each second."""
RECORDED_ALL: Final = 1_000
"""As RECORDED_EACH, of all unauthenticated addresses together, their definitions included."""
ADDRESSES_MAX: Final = 4_096
"""Addresses that are told apart in the counts of one second."""
RECORDED_ALL_LOW: Final = 10
"""As RECORDED_ALL, while the record's disk has little room."""
ADDRESSES_MAX_LOW: Final = 64
"""As ADDRESSES_MAX, while the record's disk has little room."""
SHARES_MAX: Final = 256
"""Addresses in one record of counts."""
SPAN_NS: Final = NS_PER_SECOND
"""Every window of a rulebook ends where some second ends, so no count belongs to two windows."""
NEVER: Final = INT63_MAX
_BEFORE_RAW: Final = frozenset((Reason.ADDRESS_BANNED, Reason.OVERLOADED, Reason.RAW_REQUEST_LIMIT))
"""Refusals that don't depend on how many requests the address has sent."""
_BEFORE_WEIGHT: Final = _BEFORE_RAW | {Reason.REQUEST_WEIGHT_LIMIT}
"""Refusals that don't depend on the weight it has used."""


class _Held:
    """One address in the present second."""

    __slots__ = (
        "count",
        "first_ns",
        "gate_count",
        "gate_weight",
        "last_ns",
        "last_seq",
        "reasons",
        "recorded",
        "weight",
    )

    def __init__(self) -> None:
        self.recorded = 0
        """Refusals that were recorded alone."""
        self.last_seq = 0
        """The last one of them."""
        self._empty()

    def _empty(self) -> None:
        self.count = 0
        """Refusals that are counted and not recorded yet."""
        self.gate_count = 0
        self.weight = 0
        self.gate_weight = 0
        self.first_ns = 0
        self.last_ns = 0
        self.reasons: dict[Reason, int] = {}

    def add(self, reason: Reason, gate: bool, weight: int, now_ns: int) -> None:
        """Count one refusal."""
        if not self.count:
            self.first_ns = now_ns
        self.last_ns = now_ns
        self.count += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if gate:
            self.gate_count += 1
            self.gate_weight += weight
        else:
            self.weight += weight

    def take(self, ip: int) -> RefusedShare:
        """Return what is counted and begin anew."""
        share = RefusedShare(
            ip,
            tuple(self.reasons.items()),
            self.gate_count,
            self.weight,
            self.gate_weight,
            self.last_seq,
        )
        self._empty()
        return share


class _Quota:
    """So many a second."""

    __slots__ = ("_ends_ns", "_used")

    def __init__(self) -> None:
        self._used = 0
        self._ends_ns = 0

    def used_up(self, limit: int, now_ns: int) -> bool:
        """Return whether nothing is left of the second `now_ns` lies in."""
        return now_ns < self._ends_ns and self._used >= limit

    def take(self, limit: int, now_ns: int) -> bool:
        """Use one, and return whether there was one left."""
        if now_ns >= self._ends_ns:
            self._ends_ns = _end_ns(now_ns)
            self._used = 0
        self._used += 1
        return self._used <= limit


class Refusals:
    """Decides which refusals are counted, and counts them.

    `record` has an event decided and recorded at once, `answer` hands an outcome to a reply.
    The core asks `answers` before each event while `watching`, tells `note` of each refusal it has
    recorded, and calls `flush` once `due_ns` has come.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        record: Callable[[Event, Reply | None, int], None],
        answer: Callable[[Reply, Outcome], None],
        recorded_all: int = RECORDED_ALL,
    ) -> None:
        self.watching = False
        """Whether some address has used up what is recorded alone."""
        self.due_ns = NEVER
        self.counted = 0
        """Refusals that were counted and not recorded alone, since the start."""
        self._pipeline = pipeline
        self._entries = pipeline.rulebook.entries
        self._record = record
        self._answer = answer
        self._quota = _Quota()
        self._recorded_all = recorded_all
        self._ends_ns = 0
        self._held: dict[int, _Held] = {}
        self._raw: Any = self._enforced(RawRequests.name)
        self._weight: Any = self._enforced(RequestWeight.name)
        self._ladder: Any = pipeline.rule(BanLadder.name)
        self._overload: Any = pipeline.rule(Overload.name)
        self._single = frozenset((Reason.RULE_FAULT,))
        """Reasons whose refusals are always recorded alone."""
        if self._ladder is not None:
            # They lead to a ban, so there are never many, and each has a time of its own.
            self._single |= RATE_LIMIT_REASONS - {Reason.ADDRESS_BANNED}

    def _enforced(self, name: str) -> Rule | None:
        rule = self._pipeline.rule(name)
        return rule if rule and mode_of(self._pipeline.rulebook, name) == "enforce" else None

    @property
    def _ample(self) -> bool:
        return self._overload is None or self._overload.space == SPACE_AMPLE

    @property
    def _recorded_max(self) -> int:
        """What is recorded alone in one second, of all unauthenticated addresses together."""
        return self._recorded_all if self._ample else min(self._recorded_all, RECORDED_ALL_LOW)

    @property
    def _held_max(self) -> int:
        """Addresses that are told apart in one second."""
        return self._recorded_max + (ADDRESSES_MAX if self._ample else ADDRESSES_MAX_LOW)

    # --- Asked by the core --------------------------------------------------------------------

    def answers(self, event: Event, reply: Reply | None, now_ns: int) -> bool:
        """Return whether `event` is a refusal that is only counted; it has then been answered.

        What is counted of an address whose event it is not has then been recorded.
        """
        if now_ns >= self._ends_ns:
            self._begin(now_ns)
        if not isinstance(event, Request):
            if type(event) is ClearBan:
                self._flush_one(event.ip, now_ns)
            elif type(event) is RulebookChanged:
                self.flush(now_ns)
            return False
        held = self._held.get(event.ip)
        if not self._counts(event, held, now_ns) or not self._may_be_counted(event, now_ns):
            self._flush_one(event.ip, now_ns)
            return False
        decision = self._pipeline.peek(event, now_ns)
        if not self._is_countable(event, decision) or (
            held is not None and not self._fits(event, decision, held, now_ns)
        ):
            self._flush_one(event.ip, now_ns)
            return False
        self._count(event, decision, reply, now_ns)
        return True

    def note(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take note of a refusal that is being recorded alone."""
        if not isinstance(event, Request) or not self._is_countable(event, decision):
            return
        if now_ns >= self._ends_ns:
            self._begin(now_ns)
        if event.auth != AUTH_OK:
            self._quota.take(self._recorded_max, now_ns)
            if self._quota.used_up(self._recorded_max, now_ns):
                self.watching = True
        held = self._held.get(event.ip)
        if held is None:
            if len(self._held) >= self._held_max:
                return
            held = self._held[event.ip] = _Held()
        held.recorded += 1
        held.last_seq = seq
        if held.recorded >= RECORDED_EACH:
            self.watching = True

    def may_define(self, now_ns: int) -> bool:
        """Return whether an unauthenticated address may be given a number now, and count it."""
        if self._quota.take(self._recorded_max, now_ns):
            return True
        self.watching = True
        return False

    def flush(self, now_ns: int) -> None:
        """Record everything that is counted."""
        if self.due_ns == NEVER:
            return
        self.due_ns = NEVER
        counted = [(ip, held) for ip, held in self._held.items() if held.count]
        for start in range(0, len(counted), SHARES_MAX):
            self._record(_aggregate(counted[start : start + SHARES_MAX]), None, now_ns)

    # --- What is counted ----------------------------------------------------------------------

    def _begin(self, now_ns: int) -> None:
        """Begin a second; what was counted before has been recorded."""
        self._ends_ns = _end_ns(now_ns)
        self._held.clear()
        self.watching = self._quota.used_up(self._recorded_max, now_ns)

    def _counts(self, event: Request, held: _Held | None, now_ns: int) -> bool:
        """Return whether the address of `event` has used up what is recorded alone."""
        if held is not None and held.recorded >= RECORDED_EACH:
            return True
        return event.auth != AUTH_OK and self._quota.used_up(self._recorded_max, now_ns)

    def _may_be_counted(self, event: Request, now_ns: int) -> bool:
        """Return False where a look at the request tells already that its refusal would not be.

        Under overload a client's orders come between refusals of others that have waited too long,
        and must not be decided twice for that.
        """
        if event.auth != AUTH_OK or (type(event) is Query and not (self._ample and event.ip)):
            return True
        return self._ladder is not None and self._ladder.banned_until(event.ip, now_ns) > 0

    def _is_countable(self, event: Request, decision: Decision) -> bool:
        """Return whether a refusal may be counted: it then costs requests and weight only."""
        if decision.verdict != REFUSED or not decision.breaches:
            return False
        reason = decision.breaches[0].reason
        if reason is Reason.ADDRESS_BANNED:
            return True
        if event.auth != AUTH_OK:
            return reason not in self._single
        return reason is Reason.OVERLOADED and type(event) is Query

    def _fits(self, event: Request, decision: Decision, held: _Held, now_ns: int) -> bool:
        """Return whether the verdict would be the same, had all that is counted been recorded."""
        reason = decision.breaches[0].reason
        if self._raw is not None and reason not in _BEFORE_RAW:
            count = held.count - held.gate_count
            if not self._raw.admits_after(event, count, now_ns):
                return False
        return (
            self._weight is None
            or reason in _BEFORE_WEIGHT
            or bool(self._weight.admits_after(event, held.weight, held.gate_weight, now_ns))
        )

    def _count(self, event: Request, decision: Decision, reply: Reply | None, now_ns: int) -> None:
        held = self._held.get(event.ip)
        if held is None:
            full = len(self._held) >= self._held_max
            held = self._held.setdefault(0 if full else event.ip, _Held())
        entry = self._entries[event.endpoint]
        weight = refused_weight(event, decision, entry)
        held.add(decision.breaches[0].reason, entry.gate, weight, now_ns)
        self.counted += 1
        self.due_ns = self._ends_ns
        if reply is not None:
            self._answer(reply, Outcome(held.last_seq, now_ns, event, decision))

    def _flush_one(self, ip: int, now_ns: int) -> None:
        """Record what is counted of one address."""
        held = self._held.get(ip)
        if held is not None and held.count:
            self._record(_aggregate([(ip, held)]), None, now_ns)


def _end_ns(now_ns: int) -> int:
    return (now_ns // SPAN_NS + 1) * SPAN_NS


def _aggregate(counted: Iterable[tuple[int, _Held]]) -> RefusedAggregate:
    """Return the record of what is counted, and count anew."""
    counted = tuple(counted)
    first_ns = min(held.first_ns for _, held in counted)
    last_ns = max(held.last_ns for _, held in counted)
    count = sum(held.count for _, held in counted)
    shares = tuple(held.take(ip) for ip, held in counted)
    reason = shares[0].reasons[0][0]
    ip = shares[0].ip if len(shares) == 1 else 0
    return RefusedAggregate(ip, reason, count, first_ns, last_ns, shares)
