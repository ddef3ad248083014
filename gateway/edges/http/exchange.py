"""One request on its way through the edge, from its last byte to its answer."""

from typing import Protocol

from gateway.dialects.http import HttpRequest, Parsed
from gateway.outcome import Outcome
from gateway.stages import Trace


class Answered(Protocol):
    """Whoever waits for answers that come later than the call that submitted the request."""

    def answered(self) -> None:
        """Take note that an answer is there."""


class Exchange:
    """A request, what became of it, and how its connection goes on.

    It is the reply given to the core: called with the outcome, in the call that submits the
    request or later. `waiter` is told of a late one.
    """

    # Defaults are the class's, so that an ordinary request has little to set.
    request: HttpRequest | None = None
    """None when it could not be read."""
    fault = ""
    """Why it could not be read."""
    fault_status = 0
    """The HTTP status of that where there is a closer one than 400, else 0."""
    keep_alive = True
    """Whether the connection stays open after the answer."""
    broken = False
    """Whether the client may still be sending a request that was refused before its end."""
    head_only = False
    """Whether the answer has no body, although it says how long the body would be."""
    old = False
    """Whether it was HTTP/1.0, whose clients have to be told that a connection stays open."""
    parsed: Parsed | None = None
    """None until it was submitted."""
    done = False
    """Whether it can be answered."""
    outcome: Outcome | None = None
    """None when the gate met a bug of its own."""
    waiter: Answered | None = None
    connection = 0
    """Number of its connection, from when it was decided."""
    held_bytes = 0
    """Bytes of the request, 0 for one of up to a kilobyte."""
    long_bytes = 0
    """Of them, what was taken of the edge's room for long bodies."""
    trace: Trace | None = None
    """Where its time goes, None while nobody wants to know."""

    def __init__(self, started_ns: int, received_ns: int, address: str) -> None:
        self.started_ns = started_ns
        """Stopwatch (`time.perf_counter_ns`) when it was read."""
        self.received_ns = received_ns
        """Receive clock, UTC."""
        self.address = address

    def __call__(self, outcome: Outcome | None) -> None:
        """Take the outcome, None when the gate met a bug of its own."""
        self.outcome = outcome
        self.done = True
        if self.trace is not None:
            self.trace.replied()
        if self.waiter is not None:
            self.waiter.answered()
