"""The event loop runs are made on: the fastest there is."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

_TERMINATED: Final = "SIGTERM"
_T = TypeVar("_T")


def run_in_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end. SIGINT and SIGTERM cancel it.

    Raises KeyboardInterrupt after the one and asyncio.CancelledError after the other, both once
    the coroutine has put things in order.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_stoppable(main))


def loop_name() -> str:
    """Return which event loop runs are made on."""
    return "asyncio" if _loop_factory() is None else "uvloop"


async def _stoppable(main: Coroutine[Any, Any, _T]) -> _T:
    task = asyncio.current_task()
    assert task is not None
    # Not every system has signals, and only the main thread may wait for them.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, task.cancel, _TERMINATED)
    return await main


def signal_of(stop: BaseException) -> int:
    """Return which signal ended what `run_in_loop` ran, by what it raised within or raises."""
    if isinstance(stop, asyncio.CancelledError) and _TERMINATED in stop.args:
        return signal.SIGTERM
    return signal.SIGINT


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
