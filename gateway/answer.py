"""Waiting for the outcome of what was submitted to the core."""

import asyncio

from gateway.outcome import Outcome


class Answer:
    """The reply to give to `submit`; no future is made when it is called within that call."""

    __slots__ = ("_future", "_outcome")

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._future: asyncio.Future[Outcome] | None = None

    def __call__(self, outcome: Outcome) -> None:
        """Take the outcome."""
        self._outcome = outcome
        if self._future is not None and not self._future.done():
            self._future.set_result(outcome)

    async def outcome(self) -> Outcome:
        """Return the outcome once it is there."""
        if self._outcome is None:
            self._future = asyncio.get_running_loop().create_future()
            return await self._future
        return self._outcome
