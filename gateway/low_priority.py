"""Work that takes the processor only when nobody else wants it: `python -m gateway.low_priority`.

The module named first on the command line is run as if `python -m` had been called with it and
what follows. Its imports are of low priority too, which is why a module can't see to that itself.
"""

import os
import runpy
import sys
from contextlib import suppress
from typing import Final

NICENESS: Final = 19
"""The lowest priority there is where nothing better is known."""


def low_priority_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours in a process of low priority."""
    return [sys.executable, "-m", "gateway.low_priority", module, *arguments]


def yield_to_all() -> None:
    """Give this process the lowest priority the system has, as far as it allows.

    On Linux it becomes idle work: it gets a processor nobody else uses and leaves it at once when
    somebody does. A process that is only nice would be given a slice of its own now and then, of
    several milliseconds, and the gate would wait for its end.
    """
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(NICENESS)
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    yield_to_all()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
