"""The one door to the clock.

Core time is UTC at start plus monotonic time elapsed: it never goes back and never jumps. A drift
against the system clock is slewed away slowly; a step of the system clock is not followed but
reported. Order comes from sequence numbers, never from time.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

SLEW_PPM: Final = 500
"""How much faster or slower than the monotonic clock core time may run to follow the system's."""
STEP_NS: Final = 250_000_000
"""A difference to the system clock above this is a step: reported, not followed."""
_MILLION: Final = 1_000_000


class Rate(NamedTuple):
    """How core time runs, so that another process on the machine can have the same receive clock.

    The monotonic clock is one for all processes of a machine.
    """

    since_ns: int
    """Monotonic time from which on it holds."""
    offset_ns: int
    """Core time less monotonic time at `since_ns`."""
    ppm: int
    """How many millionths faster than the monotonic clock core time runs."""


class Clock(Protocol):
    """What the gate needs of time."""

    @property
    def step_ns(self) -> int:
        """How far the system clock has stepped away, 0 when it has not."""

    def now_ns(self) -> int:
        """Return core time, UTC, never less than before."""

    def receive_ns(self) -> int:
        """Return the receive clock, UTC: what clients' timestamps are compared with."""

    def slew(self) -> None:
        """Follow the system clock a little; called regularly."""

    def rate(self) -> Rate:
        """Return how the receive clock runs until `slew` is called next."""


class SystemClock:
    """Core time on the machine's clocks. `step_ns` is the difference of a step, else 0.

    `monotonic_ns` and `utc_ns` are the machine's clocks; a test brings its own.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.step_ns = 0
        self._monotonic_ns = monotonic_ns
        self._utc_ns = utc_ns
        self._since_ns = monotonic_ns()
        """Monotonic time from which on the present rate holds."""
        self._offset_ns = utc_ns() - self._since_ns
        """Core time less monotonic time at `_since_ns`."""
        self._ppm = 0
        """How many millionths faster than the monotonic clock core time runs."""

    def now_ns(self) -> int:
        """Return core time, UTC, never less than before."""
        monotonic_ns = self._monotonic_ns()
        if self._ppm:
            faster_ns = (monotonic_ns - self._since_ns) * self._ppm // _MILLION
            return self._offset_ns + monotonic_ns + faster_ns
        return self._offset_ns + monotonic_ns

    receive_ns = now_ns
    """The receive clock is the same as core time, unless that is moved."""

    def slew(self) -> None:
        """Set the rate at which core time runs until the next call.

        The difference to the system clock is to be gone after as long as has passed since the last
        call, at a rate of `SLEW_PPM` at most. Only the rate changes: core time neither jumps nor
        goes back.
        """
        monotonic_ns = self._monotonic_ns()
        elapsed_ns = monotonic_ns - self._since_ns
        self._offset_ns += elapsed_ns * self._ppm // _MILLION
        self._since_ns = monotonic_ns
        difference_ns = self._utc_ns() - (self._offset_ns + monotonic_ns)
        if abs(difference_ns) > STEP_NS:
            self.step_ns = difference_ns
            self._ppm = 0
            return
        self.step_ns = 0
        # Rounded towards zero: reading two clocks one after the other is no difference of them.
        ppm = abs(difference_ns) * _MILLION // elapsed_ns if elapsed_ns else 0
        self._ppm = min(SLEW_PPM, ppm) if difference_ns > 0 else -min(SLEW_PPM, ppm)

    def rate(self) -> Rate:
        """Return how the receive clock runs until `slew` is called next."""
        return Rate(self._since_ns, self._offset_ns, self._ppm)


class FollowingClock:
    """The receive clock of another process of this machine."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate

    def follow(self, rate: Rate) -> None:
        """Run as the other clock does from here on."""
        self._rate = rate

    def receive_ns(self) -> int:
        """Return the receive clock, UTC."""
        since_ns, offset_ns, ppm = self._rate
        monotonic_ns = time.monotonic_ns()
        return offset_ns + monotonic_ns + (monotonic_ns - since_ns) * ppm // _MILLION


class ManualClock(SystemClock):
    """Core time that an operator can move forward, for tests of bans and windows.

    Limits and timers follow it; the receive clock does not, so that real clients' timestamps stay
    valid while a ban is skipped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ahead_ns = 0

    def now_ns(self) -> int:
        """Return core time with everything it was moved forward by."""
        return super().now_ns() + self._ahead_ns

    def advance(self, by_ns: int) -> None:
        """Move core time forward; raises ValueError when `by_ns` is below 0."""
        if by_ns < 0:
            raise ValueError(f"the clock can't go back by {-by_ns} ns")
        self._ahead_ns += by_ns


def wall_ns() -> int:
    """Return the system's UTC, for file names and start-up checks."""
    return time.time_ns()
