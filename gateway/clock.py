"""The one door to the clock.

Core time is UTC at start plus monotonic time elapsed: it never goes back and never jumps. A drift
against the system clock is slewed away slowly; a step of the system clock is not followed but
reported. Order comes from sequence numbers, never from time.
"""

import time
from typing import Final, Protocol

SLEW_PPM: Final = 500
"""How much faster or slower than the monotonic clock core time may run to follow the system's."""
STEP_NS: Final = 250_000_000
"""A difference to the system clock above this is a step: reported, not followed."""


class Clock(Protocol):
    """What the core needs of time."""

    def now_ns(self) -> int:
        """Return core time, UTC, never less than before."""

    def receive_ns(self) -> int:
        """Return the receive clock, UTC: what clients' timestamps are compared with."""

    def slew(self) -> None:
        """Follow the system clock a little; called regularly."""


class SystemClock:
    """Core time on the machine's clocks. `step_ns` is the difference of a step, else 0."""

    def __init__(self) -> None:
        self._monotonic_ns = time.monotonic_ns
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._slewed_ns = time.monotonic_ns()
        self.step_ns = 0

    def now_ns(self) -> int:
        """Return core time, UTC, never less than before."""
        return self._offset_ns + self._monotonic_ns()

    def receive_ns(self) -> int:
        """Return the receive clock: the same as core time."""
        return self._offset_ns + self._monotonic_ns()

    def slew(self) -> None:
        """Follow the system clock by at most `SLEW_PPM` of the time since the last call.

        Never steps: time between two calls passes faster or slower, and does not go back, since
        the correction is far smaller than the time that has passed.
        """
        monotonic_ns = self._monotonic_ns()
        elapsed_ns = monotonic_ns - self._slewed_ns
        self._slewed_ns = monotonic_ns
        difference_ns = time.time_ns() - (self._offset_ns + monotonic_ns)
        if abs(difference_ns) > STEP_NS:
            self.step_ns = difference_ns
            return
        self.step_ns = 0
        allowed_ns = elapsed_ns * SLEW_PPM // 1_000_000
        self._offset_ns += max(-allowed_ns, min(allowed_ns, difference_ns))


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
