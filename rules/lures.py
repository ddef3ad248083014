"""Large orders away from the market, and what those of one owner on one side did lately."""

from collections import deque
from typing import Any, NamedTuple


class Lure(NamedTuple):
    """One large order away from the market."""

    interest: int
    owner: int
    account: int
    symbol: int
    side: int
    price_e8: int
    quantity_e8: int
    """What was left of it when it was taken up."""
    offset_e8: int
    since_ns: int
    seq: int


class Baiter:
    """What an owner's lures on one side of a symbol did in the window."""

    __slots__ = ("ended", "fled", "flights")

    def __init__(self) -> None:
        self.flights: deque[tuple[int, int, int, int]] = deque()
        """(time, since when, record of the lure, record of its flight)."""
        self.ended: deque[tuple[int, int, int, int]] = deque()
        """(time, record of the lure, record of its end, cancelled unfilled) of lures that ended."""
        self.fled: list[int] = []
        """[time, offset, record, since] of the last lure taken away without a move of the market."""

    def forget(self, until_ns: int) -> None:
        """Drop what happened at `until_ns` or before."""
        for past in (self.flights, self.ended):
            while past and past[0][0] <= until_ns:
                past.popleft()

    def state(self) -> Any:
        """Return everything as plain values."""
        flights = [list(flight) for flight in self.flights]
        return [flights, [list(ended) for ended in self.ended], self.fled]

    @classmethod
    def restored(cls, state: Any) -> "Baiter":
        """Return what `state` stored."""
        baiter = cls()
        flights, ended, fled = state
        baiter.flights.extend((one[0], one[1], one[2], one[3]) for one in flights)
        baiter.ended.extend((one[0], one[1], one[2], one[3]) for one in ended)
        baiter.fled = list(fled)
        return baiter
