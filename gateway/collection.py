"""When the interpreter looks for garbage: never all of it while requests come, and little at once.

Python frees nearly everything at once by counting references. What its collector adds, cycles of
garbage, the path of an order does not make; yet a full collection looks at every object there is,
and with a million open orders that takes a tenth of a second in which nothing is decided. So a full
collection waits for a quiet moment. Young objects are looked at every few milliseconds, and those
that live are put aside. Left to itself the interpreter looks once so many more objects have been
made than freed; a gate frees about as many as it makes, so it would look seldom, at ten thousand
objects at once: the longest pause of all (8 ms, where this leaves none above 1).
"""

import gc
from collections.abc import Callable
from typing import Final

_NEVER: Final = 2**31 - 1
"""Collections of the middle generation before a full one: years of them."""
_YOUNG: Final = 10
"""Collections of the middle generation after which a quiet moment is worth a full one."""
_TENDED: Final = 3_000
"""Looks at young objects after which it is too: about a minute of steady work."""


class Collector:
    """Takes over from the interpreter when to collect, until it is stopped.

    `activity` returns a number that differs when something was decided since; `tend` is called many
    times a second, `look` seldom. `full` counts full collections. Where a process has several, the
    last one that is stopped gives back what the first one took.
    """

    _running = 0
    _usual = (0, 0, 0)

    def __init__(self, activity: Callable[[], int]) -> None:
        self.full = 0
        self._activity = activity
        self._seen = 0
        self._tended_at = 0
        self._tended = 0
        """Looks at young objects since the last full collection."""
        if not Collector._running:
            Collector._usual = gc.get_threshold()
        Collector._running += 1
        gc.collect()
        gc.freeze()
        gc.set_threshold(*Collector._usual[:2], _NEVER)

    def tend(self) -> None:
        """Collect garbage among what was made since the last time, and put aside what lives."""
        activity = self._activity()
        if activity != self._tended_at:
            self._tended_at = activity
            self._tended += 1
            gc.collect(0)
            gc.freeze()

    def look(self) -> None:
        """Collect all garbage if nothing was decided since the last look, and there may be some."""
        seen, self._seen = self._seen, self._activity()
        if seen == self._seen and (self._tended >= _TENDED or gc.get_count()[2] >= _YOUNG):
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._tended = 0
            self.full += 1

    def stop(self) -> None:
        """Leave it to the interpreter again."""
        Collector._running -= 1
        if not Collector._running:
            gc.set_threshold(*Collector._usual)
            gc.unfreeze()
