"""Where the time of a request goes: a tracer of stages that is off unless asked for.

A traced request is in exactly one stage at any moment, from when its edge has all of it until its
answer is with the kernel, over gRPC until gRPC says that it is sent. So its stages add up to the
whole by construction, whatever it waits for: its turn behind other requests (edge in, edge out),
the disk (record), a remote engine (engine). Where nothing is traced, whoever would tell of a stage
finds None instead of a tracer, and that one test is all it costs. What is sent away unread,
because it has waited for too long, is not traced.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from rules.endpoints import Endpoint
from rules.events import CommandResult, Deadline, Event

EDGE_IN: Final = 0
PARSE: Final = 1
AUTHENTICATE: Final = 2
DECIDE: Final = 3
RECORD: Final = 4
RELEASE: Final = 5
ENGINE: Final = 6
RENDER: Final = 7
EDGE_OUT: Final = 8
STAGE_NAMES: Final = (
    "edge in",
    "parse",
    "authenticate",
    "decide",
    "record",
    "release",
    "engine",
    "render",
    "edge out",
)
WHOLE: Final = len(STAGE_NAMES)
"""The place of the whole behind the stages."""
_PARTS_BITS: Final = 4
"""Each power of two has sixteen parts, so that a percentile is at most 6.25 % too large."""
_PARTS: Final = 1 << _PARTS_BITS


class Spread:
    """Durations in parts of powers of two, with their exact number and sum."""

    __slots__ = ("counts", "number", "total_ns")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        """Durations in each part, by `part_of`."""
        self.number = 0
        self.total_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration."""
        part = part_of(duration_ns)
        self.counts[part] = self.counts.get(part, 0) + 1
        self.number += 1
        self.total_ns += duration_ns

    def add_all(self, other: "Spread") -> None:
        """Count what another one has counted."""
        for part, count in other.counts.items():
            self.counts[part] = self.counts.get(part, 0) + count
        self.number += other.number
        self.total_ns += other.total_ns

    def percentile_ns(self, per_mille: int) -> int:
        """Return a duration that so many of a thousand do not exceed, 0 of nothing."""
        left = -(-self.number * per_mille // 1_000)
        for part in sorted(self.counts):
            left -= self.counts[part]
            if left <= 0:
                return longest_ns(part)
        return 0

    def not_above(self, bounds_ns: Iterable[int]) -> list[int]:
        """Return how many lie between each two bounds (upper inclusive), and above the last.

        Exact for bounds that are powers of two; they must rise.
        """
        parts = sorted(self.counts.items())
        found, at = [], 0
        for bound_ns in bounds_ns:
            last, count = part_of(bound_ns), 0
            while at < len(parts) and parts[at][0] <= last:
                count += parts[at][1]
                at += 1
            found.append(count)
        return [*found, sum(count for _, count in parts[at:])]


def part_of(duration_ns: int) -> int:
    """Return the part a duration lies in; the bounds of a part are above its lower neighbour's."""
    below = max(duration_ns - 1, 0)
    shift = max(below.bit_length() - _PARTS_BITS - 1, 0)
    return (shift << _PARTS_BITS) + (below >> shift)


def longest_ns(part: int) -> int:
    """Return the longest duration that lies in a part."""
    shift = max((part >> _PARTS_BITS) - 1, 0)
    return (part - (shift << _PARTS_BITS) + 1) << shift


class Trace:
    """One request on its way; made by `Stages.begin`."""

    __slots__ = ("_since_ns", "_stage", "_stages", "seq", "spent_ns", "started_ns")

    def __init__(self, stages: "Stages", started_ns: int) -> None:
        self._stages = stages
        self.started_ns = self._since_ns = started_ns
        self._stage = EDGE_IN
        self.spent_ns = [0] * len(STAGE_NAMES)
        self.seq = 0
        """Of its event, 0 before that was decided."""

    def enter(self, stage: int) -> None:
        """Leave the present stage for another, or the same one."""
        self.leave(self._stages.stopwatch_ns())
        self._stage = stage

    def leave(self, now_ns: int) -> None:
        """End the present stage."""
        self.spent_ns[self._stage] += now_ns - self._since_ns
        self._since_ns = now_ns

    def replied(self) -> None:
        """Take note that the outcome is there; what follows is the edge's until it renders."""
        self._stages.forget(self)
        self.enter(EDGE_OUT)


class Stages:
    """Follows requests through the gate and keeps how long each stage took, by endpoint.

    An edge calls `begin`, then `rendered` and `written` or `sent`, the core `decide`, `enter` and `let_out`; all
    in one thread. `stopwatch_ns` never goes back.
    """

    def __init__(self, stopwatch_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self.stopwatch_ns = stopwatch_ns
        self.spreads: dict[int, tuple[Spread, ...]] = {}
        """By endpoint, one for each stage and at `WHOLE` one for the request."""
        self._current: Trace | None = None
        """The request whose event is in the works, None for an event of no traced request."""
        self._open: dict[int, Trace] = {}
        """Decided and without an outcome, by sequence number, which names the command too."""
        self._rendered: list[tuple[Trace, int]] = []
        """Traces with endpoints whose answers are about to be written."""

    @property
    def open(self) -> int:
        """Number of requests that were decided and have no outcome yet."""
        return len(self._open)

    # --- What the edge tells ------------------------------------------------------------------

    def begin(self, started_ns: int) -> Trace:
        """Follow a request that arrived at `started_ns` and is parsed now."""
        trace = self._current = Trace(self, started_ns)
        trace.enter(PARSE)
        return trace

    def rendered(self, trace: Trace, endpoint: int) -> None:
        """Take note that an answer is ready to be written."""
        trace.enter(EDGE_OUT)
        self._rendered.append((trace, endpoint))

    def written(self) -> None:
        """Take note that all answers that were ready are with the kernel."""
        if not self._rendered:
            return
        now_ns = self.stopwatch_ns()
        for trace, endpoint in self._rendered:
            self._end(trace, endpoint, now_ns)
        self._rendered.clear()

    def sent(self, trace: Trace, endpoint: int) -> None:
        """Take note that one answer is with the transport, where each has a write of its own."""
        self._end(trace, endpoint, self.stopwatch_ns())

    # --- What the core and dialects tell ------------------------------------------------------

    def decide(self, seq: int, event: Event, reply: object) -> None:
        """Begin with an event: a request's, told by the reply, or what the engine says of one."""
        if type(event) is CommandResult or type(event) is Deadline:
            self._current = self._open.get(event.command_id)
        else:
            self._current = trace = getattr(reply, "trace", None)
            if trace is not None:
                trace.seq = seq
                self._open[seq] = trace
        self.enter(DECIDE)

    def enter(self, stage: int) -> None:
        """Let the request in the works enter a stage."""
        if self._current is not None:
            self._current.enter(stage)

    def let_out(self, seq: int, event: Event) -> None:
        """Go on with an event whose record is safe, at once or after others."""
        if type(event) is CommandResult or type(event) is Deadline:
            seq = event.command_id
        self._current = self._open.get(seq)
        self.enter(RELEASE)

    def forget(self, trace: Trace) -> None:
        """Take note that a request has its outcome."""
        self._open.pop(trace.seq, None)

    # --- What is known ------------------------------------------------------------------------

    def answer(self, endpoint: str = "") -> "StagesAnswer":
        """Return what was measured, of one endpoint by name or of all; nothing of an unknown one."""
        total = tuple(Spread() for _ in range(WHOLE + 1))
        for number, spreads in self.spreads.items():
            if endpoint in ("", Endpoint(number).name.lower()):
                for spread, more in zip(total, spreads, strict=True):
                    spread.add_all(more)
        lines = tuple(
            StageLine(
                name,
                spread.total_ns,
                spread.percentile_ns(500),
                spread.percentile_ns(990),
                spread.percentile_ns(999),
            )
            for name, spread in zip((*STAGE_NAMES, "whole"), total, strict=True)
        )
        return StagesAnswer(
            True,
            total[WHOLE].number,
            lines,
            tuple(sorted(Endpoint(number).name.lower() for number in self.spreads)),
        )

    def _end(self, trace: Trace, endpoint: int, now_ns: int) -> None:
        trace.leave(now_ns)
        spreads = self.spreads.get(endpoint)
        if spreads is None:
            spreads = self.spreads[endpoint] = tuple(Spread() for _ in range(WHOLE + 1))
        whole_ns = now_ns - trace.started_ns
        for spread, duration_ns in zip(spreads, (*trace.spent_ns, whole_ns), strict=True):
            spread.add(duration_ns)


class StageLine(msgspec.Struct, frozen=True):
    """One stage of all requests that were measured, or the whole of them."""

    stage: str
    total_ns: int
    p50_ns: int
    """At most 6.25 % too large, as the other percentiles are."""
    p99_ns: int
    p999_ns: int


class StagesAnswer(msgspec.Struct, frozen=True):
    """What was measured; the totals of the stages add up to that of the last line, the whole."""

    traced: bool
    """Whether anything is measured."""
    requests: int = 0
    stages: tuple[StageLine, ...] = ()
    endpoints: tuple[str, ...] = ()
    """Those that were asked for at least once."""


NOT_TRACED: Final = StagesAnswer(traced=False)
