"""What a protocol of order entry must offer the tester."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final

from loadtest.control import Control, RestControl
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.units import NS_PER_US
from loadtest.workload import Intent

_RENDER_NS: Final = 60 * NS_PER_US
"""Allowed for rendering one request without its signature."""
_KEYS_TRIED: Final = 8


class Protocol(ABC):
    """Order entry of one target.

    `name` is what results call it; `batch` is how many requests one message carries.
    """

    name = ""
    batch = 1
    connections_max: int | None = None
    """Connections the target can have, None for any number."""

    def __init__(self, target: Target, keys: Sequence[Key]) -> None:
        self.target = target
        self.keys = tuple(keys)

    def control(self) -> Control:
        """Return what tells market and clock, and ends what a run has left open."""
        return RestControl(self.target.url)

    def render_ns(self) -> int:
        """Return what to allow for rendering one request, as measured; a guess on the safe side.

        A run that takes longer to render starts later than meant.
        """
        slowest_ns = 0
        for key in self.keys[:_KEYS_TRIED]:
            key.signature(b"")
            before_ns = time.perf_counter_ns()
            key.signature(b"")
            slowest_ns = max(slowest_ns, time.perf_counter_ns() - before_ns)
        return _RENDER_NS + 2 * slowest_ns

    @abstractmethod
    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return everything a run sends, signed, ready to be written.

        `epoch_ns` is the target's clock at the start of the run. Raises LoadTestError when the
        protocol can't say it.
        """

    @abstractmethod
    def senders(self, ways: Ways) -> Senders:
        """Return connections that are yet to be opened."""
