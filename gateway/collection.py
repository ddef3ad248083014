"""When the interpreter looks for garbage: never all of it while requests come.

Python frees nearly everything at once by counting references. What its collector adds, cycles of
garbage, the path of an order does not make; yet a full collection looks at every object there is,
and with a million open orders that takes a tenth of a second in which nothing is decided. So what
lives as long as the gate is put aside, young objects are looked at as usual, and a full collection
waits for a quiet moment.
"""

import gc
from collections.abc import Callable
from typing import Final

_NEVER: Final = 2**31 - 1
"""Collections of the middle generation before a full one: years of them."""
_YOUNG: Final = 10
"""Collections of the middle generation after which a quiet moment is worth a full one."""


class Collector:
    """Takes over from the interpreter when to collect, until it is stopped.

    `activity` returns a number that differs when something was decided since; `look` is called
    regularly. `full` counts full collections. Where a process has several, the last one that is
    stopped gives back what the first one took.
    """

    _running = 0
    _usual = (0, 0, 0)

    def __init__(self, activity: Callable[[], int]) -> None:
        self.full = 0
        self._activity = activity
        self._seen = 0
        if not Collector._running:
            Collector._usual = gc.get_threshold()
        Collector._running += 1
        gc.collect()
        gc.freeze()
        gc.set_threshold(*Collector._usual[:2], _NEVER)

    def look(self) -> None:
        """Collect all garbage if nothing was decided since the last look, and there may be some."""
        seen, self._seen = self._seen, self._activity()
        if seen == self._seen and gc.get_count()[2] >= _YOUNG:
            gc.collect()
            self.full += 1

    def stop(self) -> None:
        """Leave it to the interpreter again."""
        Collector._running -= 1
        if not Collector._running:
            gc.set_threshold(*Collector._usual)
            gc.unfreeze()
