"""What a protocol of order entry must offer the tester."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from loadtest.control import Control, RestControl
from loadtest.market import Market
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.workload import Intent


class Protocol(ABC):
    """Order entry of one target over at most so many connections.

    `name` is what results call it; `batch` is how many requests one message carries; `keys` are
    those that trade, `connections` those that are opened.
    """

    name = ""
    batch = 1

    def __init__(self, target: Target, keys: Sequence[Key], connections: int) -> None:
        self.target = target
        self.keys = tuple(keys)
        self.connections = connections

    def control(self) -> Control:
        """Return what tells market and clock, and ends what a run has left open."""
        return RestControl(self.target.control or self.target.url)

    @abstractmethod
    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return everything a run sends, signed, ready to be written.

        `epoch_ns` is the target's clock at the start of the run. Raises LoadTestError when the
        protocol can't say it.
        """

    @abstractmethod
    def senders(self, ways: Ways, markets: Sequence[Market]) -> Senders:
        """Return connections that are yet to be opened; `markets` are what is traded."""
