"""What every edge asks of the rest of the gate."""

from typing import Protocol

from gateway.directory import Directory
from gateway.outcome import Reply
from rules.events import Event


class SubmittingCore(Protocol):
    """What an edge asks of the core."""

    @property
    def directory(self) -> Directory:
        """Numbers of addresses."""

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Decide `event`; `reply` is called with the outcome, at once or later."""


class Meter(Protocol):
    """Takes what an edge measures."""

    def answered(self, endpoint: int, status: int, latency_ns: int) -> None:
        """Count one answered request."""


def everybody(_address: str) -> bool:
    """Trust every address: nobody is a stranger."""
    return True
