"""What the core hands to whoever submitted a request."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from rules.decisions import Decision
from rules.events import CommandResult, Event


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """A request's decision, and the engine's answer when the decision sent a command."""

    seq: int
    """The request's sequence number; clients see it enciphered as the decision id."""
    now_ns: int
    """The core's time of the decision."""
    event: Event
    decision: Decision
    result: CommandResult | None = None
    result_ns: int = 0
    """The core's time of the engine's answer, 0 without one."""


Reply: TypeAlias = Callable[[Outcome], None]
"""Called once per request, when its answer may leave: after the record, and after the engine."""
