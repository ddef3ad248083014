"""Sources whose requests take as long as a test says, and turns on a stopwatch of its own."""

from collections import deque
from collections.abc import Callable

from gateway.lanes import CANCELS, MARKET_DATA, ORDERS, QUERIES
from gateway.turns import NOWHERE, Bounds, Turns
from rules.values import NS_PER_MS

LANES = {"c": CANCELS, "o": ORDERS, "q": QUERIES, "m": MARKET_DATA}
MS = NS_PER_MS
COST_NS = 100_000
"""What deciding a request takes; refusing one takes nothing."""


class World:
    """Turns, a stopwatch, and what was done in which order.

    `done` names each request that was decided by its source and kind, such as `a.o`, with `!` behind
    it when it was shed.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.now_ns = 10**12
        self.done: list[str] = []
        self.planned: list[Callable[[], None]] = []
        self.turns = Turns(bounds or Bounds(), lambda: self.now_ns, self.planned.append)

    def source(self, name: str, requests: str = "") -> "Listed":
        """Return a source with these requests, which arrive now, in line."""
        source = Listed(self, name)
        source.arrive(requests)
        return source

    def turn(self) -> list[str]:
        """Take the planned turn; return what was done in it."""
        before = len(self.done)
        (take,) = self.planned
        self.planned.clear()
        take()
        return self.done[before:]

    def all(self) -> list[str]:
        """Take turns as long as one is planned; return what was done."""
        before = len(self.done)
        while self.planned:
            self.turn()
        return self.done[before:]


class Listed:
    """A source whose requests are letters: cancel, order, query, market data; upper case a stranger's."""

    def __init__(self, world: World, name: str, gathers: bool = False) -> None:
        self._gathers = gathers
        self.lane = NOWHERE
        self.since_ns = self.turn = self.taken = 0
        self.turns_over = 0
        self.cost_ns = COST_NS
        self._world = world
        self._name = name
        self._waiting: deque[tuple[int, int, str]] = deque()
        self._in_line = False

    def arrive(self, requests: str, lane: int | None = None) -> None:
        """Let requests arrive, of the lane their letter names or of another."""
        for one in requests:
            self._waiting.append((LANES[one] if lane is None else lane, self._world.now_ns, one))
        if self._waiting and not self._in_line:
            self._in_line = True
            self._next()
            self._world.turns.add(self, self._gathers)

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._waiting)

    def decide(self) -> None:
        """Decide one."""
        self._done("")
        self._world.now_ns += self.cost_ns

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Refuse one."""
        assert waited_ns > most_ns
        self._done("!")

    def turn_over(self) -> None:
        """Count turns."""
        self.turns_over += 1
        if self.lane == NOWHERE:
            self._in_line = False

    def _done(self, mark: str) -> None:
        _, _, one = self._waiting.popleft()
        self._world.done.append(f"{self._name}.{one}{mark}")
        self._next()

    def _next(self) -> None:
        self.lane = NOWHERE
        if self._waiting:
            self.lane, self.since_ns, _ = self._waiting[0]
