"""What the event being applied reports as traded, found out once for all rules."""

from typing import Any, NamedTuple

from rules.events import Fill


class Take(NamedTuple):
    """What one order took out of the book, as far as one event reports it."""

    symbol: int
    owner: int
    account: int
    """0 for an order of another channel."""
    key: int
    side: int
    order_id: int
    quantity_e8: int
    quote_e8: int
    trades: int
    first_price_e8: int
    last_price_e8: int
    makers: tuple[Fill, ...]
    """The executions, for whoever asks who was met."""


class Side(NamedTuple):
    """What one event reports as executed of one order."""

    symbol: int
    owner: int
    account: int
    """0 for an order of another channel."""
    order_id: int
    """Below 0 for an order of another channel."""
    side: int
    quantity_e8: int
    quote_e8: int
    took: bool


class Trades:
    """Taker and sides of the trades of the event being applied, as far as a rule has asked."""

    __slots__ = ("event", "sides", "take", "take_known")

    def __init__(self) -> None:
        self.event: Any = None
        """None while no event is being applied."""
        self.take: Take | None = None
        self.take_known = False
        self.sides: tuple[Side, ...] | None = None
        """None before a rule has asked."""

    def begin(self, event: Any) -> None:
        """Look at an event that the book has been settled with, or (None) at no event any more."""
        self.event = event
        self.take = None
        self.take_known = False
        self.sides = None
