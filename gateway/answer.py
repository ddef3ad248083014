"""Waiting for the outcome of what was submitted to the core."""

import asyncio

from gateway.outcome import Outcome
from gateway.stages import Trace


class Answer:
    """The reply to give to `submit`; no future is made when it is called within that call."""

    __slots__ = ("_error", "_future", "_outcome", "trace")

    def __init__(self) -> None:
        self.trace: Trace | None = None
        """Where the time of the request goes, None while nobody wants to know."""
        self._error: Exception | None = None
        self._outcome: Outcome | None = None
        self._future: asyncio.Future[Outcome] | None = None

    def __call__(self, outcome: Outcome) -> None:
        """Take the outcome."""
        self._outcome = outcome
        if self.trace is not None:
            self.trace.replied()
        if self._future is not None and not self._future.done():
            self._future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Have the error raised to who waits: there will be no outcome."""
        self._error = error
        if self._future is not None and not self._future.done():
            self._future.set_exception(error)

    async def outcome(self) -> Outcome:
        """Return the outcome once it is there; raises what `fail` was told."""
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            self._future = asyncio.get_running_loop().create_future()
            return await self._future
        return self._outcome
