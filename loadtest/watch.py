"""Whether the tester itself was awake: it looks at the stopwatch every few ms and notes delays.

Lateness tells of requests that went out late. A tester that stood still while nothing was due, or
while all connections were taken, was late for none, yet it read the answers late. So the tester
also watches itself.
"""

import asyncio
import time
from array import array
from typing import Final

from loadtest.assertions import Assertion
from loadtest.units import NS_PER_MS, NS_PER_SECOND

TICK_NS: Final = 5 * NS_PER_MS
MARGIN_NS: Final = 10 * NS_PER_MS
"""Looking around is less exact than sending: timers are, and a turn's work comes first."""


class Watch:
    """Notes for every tick how late it was looked at; of ticks slept through, for each."""

    def __init__(self) -> None:
        self.pauses_ns = array("q")

    async def keep(self, from_ns: int) -> None:
        """Look around from a moment of the stopwatch on, until cancelled."""
        meant_ns = from_ns
        while True:
            wait_ns = meant_ns - time.perf_counter_ns()
            await asyncio.sleep(max(wait_ns, 0) / NS_PER_SECOND)
            meant_ns = self.note(meant_ns, time.perf_counter_ns())

    def note(self, meant_ns: int, now_ns: int) -> int:
        """Note a look that was meant for another moment; return when the next one is meant."""
        while meant_ns <= now_ns:
            self.pauses_ns.append(now_ns - meant_ns)
            meant_ns += TICK_NS
        return meant_ns

    def until(self, span_ns: int) -> "array[int]":
        """Return the pauses of the ticks within a time since the first one."""
        return self.pauses_ns[: max(span_ns // TICK_NS + 1, 0)]


def widened(bound: Assertion) -> Assertion:
    """Return the bound of pauses that goes with a bound of lateness."""
    return bound._replace(value=bound.value + MARGIN_NS)
