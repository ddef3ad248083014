"""Looking for work instead of sleeping.

A loop that sleeps has to be woken by the kernel when bytes arrive, and with one client that is
most of a request's time. A loop with something to run asks the kernel for news without waiting.
"""

import asyncio


class Spinner:
    """Keeps the running loop from sleeping until it is stopped; takes one processor whole."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._spinning = True
        self._spin()

    def stop(self) -> None:
        """Let the loop sleep again."""
        self._spinning = False

    def _spin(self) -> None:
        if self._spinning:
            self._loop.call_soon(self._spin)
