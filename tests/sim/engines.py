"""The engines of a simulated gate, with somebody at their door."""

from collections.abc import Callable

from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.port import Command, DepthSnapshot, PublicTrade
from tests.sim.link import LinkedEngine


class WatchedEngine(EmbeddedEngine):
    """The embedded engine with somebody at its door."""

    watch: Callable[[Command], None]
    point: Callable[[], None]

    def send(self, command: Command) -> None:
        """Carry out one command."""
        self.watch(command)
        self.point()
        super().send(command)
        self.point()


class WatchedLink(LinkedEngine):
    """The linked engine with somebody at its door."""

    watch: Callable[[Command], None]
    point: Callable[[], None]

    def send(self, command: Command) -> None:
        """Put a command on its way."""
        self.watch(command)
        self.point()
        super().send(command)
        self.point()


class Nobody:
    """Takes market data and does nothing with it."""

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one public trade."""

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Take the newest depth of a symbol."""
