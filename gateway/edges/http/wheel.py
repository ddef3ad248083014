"""Time-outs of many connections by one timer.

A connection changes its time-out with every request. So setting one is two comparisons and no
timer of the loop: a connection stays in the slot it is in when its time moves back, and is put
where it belongs when that slot comes. A time-out is up to two ticks late and never early.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timed(Protocol):
    """Something with one time-out at a time; both numbers belong to the wheel and start as 0."""

    due_tick: int
    """When it times out, 0 for never."""
    slot_tick: int
    """When the wheel looks at it, 0 for never."""

    def timed_out(self) -> None:
        """Act on the time-out; it is not set any more."""


class TimerWheel:
    """Calls `timed_out` of whatever has not been set anew in time, and `each` at every tick."""

    def __init__(self, tick_seconds: float, each: Callable[[], None]) -> None:
        self._tick_seconds = tick_seconds
        self._each = each
        self._tick = 1
        self._slots: dict[int, dict[Timed, None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to turn, on the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._tick_seconds, self._turn)

    def stop(self) -> None:
        """Turn no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def ticks(self, seconds: float) -> int:
        """Return the ticks that take at least `seconds`."""
        return max(1, -int(-seconds // self._tick_seconds)) + 1

    def set(self, timed: Timed, ticks: int) -> None:
        """Let `timed` time out after so many ticks, instead of whenever it was to."""
        due = self._tick + ticks
        timed.due_tick = due
        if not 0 < timed.slot_tick <= due:
            self._place(timed, due)

    def clear(self, timed: Timed) -> None:
        """Forget `timed`."""
        timed.due_tick = 0
        if timed.slot_tick:
            self._slots[timed.slot_tick].pop(timed, None)
            timed.slot_tick = 0

    def _place(self, timed: Timed, tick: int) -> None:
        if timed.slot_tick:
            self._slots[timed.slot_tick].pop(timed, None)
        timed.slot_tick = tick
        self._slots.setdefault(tick, {})[timed] = None

    def _turn(self) -> None:
        self.start()
        self._tick += 1
        for timed in self._slots.pop(self._tick, ()):
            timed.slot_tick = 0
            if timed.due_tick > self._tick:
                self._place(timed, timed.due_tick)
            elif timed.due_tick:
                timed.due_tick = 0
                timed.timed_out()
        self._each()
