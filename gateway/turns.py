"""Whose request is next: the order in which those who wait get their turn, and who is sent away.

Whatever has requests that wait (a connection, a session, the calls of one peer) is a source, and
stands in the lane of the first of them. A turn of the event loop first reads what has arrived at
all sources; then one turn here decides requests, the most urgent lane first, in each lane one of
each source in rotation, until its time is up; then the loop goes round again, so that whoever does
not wait here (operators, the engine, timers) gets on at once. The rules are:

- Requests of one source are decided in the order in which they came, whatever they are. So a
  cancel never overtakes the placement it means, and answers need no sorting.
- Among sources the lane of the first request counts: cancels, orders, queries, market data.
- Cancels of strangers come last, but for one in `STRANGERS_EVERY`; they are never shed.
- Of one source at most `Bounds.requests` are decided a turn, and a turn lasts `Bounds.turn_ns`.
- An operator's request that has been read is carried out first: meanwhile, for `HELD_TURNS`, only
  cancels are decided. Each such row of turns is followed by a whole one.
- Slices of bulk cancels get half of the time while others wait, all of it otherwise.
- Where requests reach the loop one at a time although many are on their way, as gRPC's do, a turn
  begins when no more come at once, and `Bounds.gather_ns` after the first at the latest. Deciding
  several in a row costs a quarter less than each between the steps of others.

Work is shed by the time it has waited. Where requests of a lane have waited for longer than its
bound, and that has been found for `Bounds.lasting_ns`, the lane sheds: requests that have waited for
longer than a quarter of the bound are refused instead of decided, until none has been found for ten
times as long. A long queue serves nobody better than a short one when the same share has to be sent
away, so the bound itself is what a burst may take. Less urgent lanes wait longer and have shorter
bounds, so market data goes first, then queries, then new orders; cancels have no bound, and wait no
longer than what came before them over their connection. A single pause of the machine sheds nothing.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

from gateway.config import OverloadConfig
from gateway.lanes import CANCELS, LANE_NAMES, LANES, MARKET_DATA, ORDERS, QUERIES, STRANGERS
from rules.texts import read_duration
from rules.values import INT63_MAX, NS_PER_MS

NOWHERE: Final = -1
"""The lane of a source that has nothing to decide."""
STRANGERS_EVERY: Final = 16
"""Of so many requests that are decided one is a stranger's cancel, if one waits."""
SHEDDING_PART: Final = 4
"""While a lane sheds, a request may wait for this part of the bound."""
RELIEF_TIMES: Final = 10
"""It stops shedding when none has waited for longer for so many times `Bounds.lasting_ns`."""
HELD_TURNS: Final = 2
"""Rounds of the loop that an operator's request takes from its bytes to its decision."""
SHED_BEHIND: Final = 8
"""Requests of each lane that are shed in a turn whose time was up before the lane was reached."""
GATHERED: Final = 16
"""With so many requests a turn that is gathered for begins."""
QUIET_NS: Final = 8_000
"""In a round of the loop that was shorter there was nothing to do."""
QUIET_ROUNDS: Final = 3
"""After so many such rounds in a row nothing more is expected,"""
VAIN_ROUNDS: Final = 8
"""nor after so many of any length without a further request."""

_logger = logging.getLogger(__name__)


class Bounds(NamedTuple):
    """How long requests may wait, and how long others work meanwhile."""

    orders_ns: int = 100 * NS_PER_MS
    """A new order that has waited for longer may be shed; 0: none ever is, as in the next two."""
    queries_ns: int = 75 * NS_PER_MS
    market_data_ns: int = 50 * NS_PER_MS
    lasting_ns: int = 100 * NS_PER_MS
    """How long waits must have been beyond a bound before anything is shed."""
    turn_ns: int = NS_PER_MS
    """How long requests are decided before the event loop goes round."""
    requests: int = 16
    """Requests of one source that are decided in one turn."""
    gather_ns: int = NS_PER_MS
    """How long requests that come one at a time may wait for others before their turn begins."""


PATIENT: Final = Bounds(0, 0, 0)
"""Nothing is shed, however long it waits."""


def bounds_of(overload: OverloadConfig) -> Bounds:
    """Return the bounds of a configuration."""
    return Bounds(
        read_duration(overload.orders),
        read_duration(overload.queries),
        read_duration(overload.market_data),
        read_duration(overload.lasting),
        read_duration(overload.turn),
        overload.turn_requests,
    )


class Source(Protocol):
    """Something that has requests waiting, in order."""

    lane: int
    """Of its first waiting request, NOWHERE while it must not be asked for one. `decide` and `shed`
    set it anew; otherwise it may change only while the source is in no lane."""
    since_ns: int
    """Stopwatch when that request arrived, set together with the lane."""
    turn: int
    """The last turn it had, and how many requests were decided in it; both are the turns' own."""
    taken: int

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""

    def decide(self) -> None:
        """Decide the first request."""

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Refuse the first request: it has waited for so long, and `most_ns` is the bound."""

    def turn_over(self) -> None:
        """Do what follows a turn in which requests of this source were decided, such as writing."""


class LaneState(NamedTuple):
    """How one lane stands."""

    name: str
    sources: int
    requests: int
    oldest_ns: int
    """How long the longest-waiting first request has waited, 0 when none waits."""
    shed: int
    """Requests that were shed since the start."""
    shedding: bool


def next_round(act: Callable[[], None]) -> None:
    """Have something called in the next round of the running loop."""
    asyncio.get_running_loop().call_soon(act)


class _Pressure:
    """Waits beyond the bound of one lane."""

    __slots__ = ("bound_ns", "last_ns", "most_ns", "since_ns")

    def __init__(self, bound_ns: int) -> None:
        self.bound_ns = bound_ns or INT63_MAX
        self.most_ns = self.bound_ns
        """How long a request may wait as things stand: the bound, or less while the lane sheds."""
        self.since_ns = -INT63_MAX
        """When the first of the present row of waits beyond it was found."""
        self.last_ns = -INT63_MAX
        """When the last one was."""


class Turns:
    """Gives the sources their turns.

    `stopwatch_ns` never goes back, and is what sources take their times from; `soon` has something
    called in the next round of the event loop.
    """

    def __init__(
        self,
        bounds: Bounds = Bounds(),  # noqa: B008 (a tuple)
        stopwatch_ns: Callable[[], int] = time.perf_counter_ns,
        soon: Callable[[Callable[[], None]], object] = next_round,
    ) -> None:
        self.bounds = bounds
        self.shed: Counter[str] = Counter(dict.fromkeys(LANE_NAMES, 0))
        """Requests that were refused because they had waited for too long, by lane."""
        self._soon = soon
        self._stopwatch_ns = stopwatch_ns
        self._lanes: tuple[deque[Source], ...] = tuple(deque() for _ in range(LANES))
        self._had: list[Source] = []
        """Sources that had a part in the present turn."""
        self._rested: list[Source] = []
        """Those among them that have had all they get in it."""
        waits_ns = (0, bounds.orders_ns, bounds.queries_ns, bounds.market_data_ns, 0)
        self._pressures = tuple(map(_Pressure, waits_ns))
        self._slices: deque[Callable[[], None]] = deque()
        self._owed_ns = 0
        """Time that requests have given up to slices of bulk cancels."""
        self._number = 0
        self._strangers_in = STRANGERS_EVERY
        self._held_turns = 0
        """Turns in which only cancels are decided, the present one included."""
        self._held_before = False
        self._planned = False
        self._gathering = False
        """A turn begins when no more requests come at once."""
        self._looking = False
        """Whether that is so is looked at in the next round."""
        self._gathered = self._vain_rounds = self._quiet_rounds = 0
        self._gathering_since_ns = self._round_ns = 0
        self._shed_seen = 0
        self._overloaded = False

    # --- Getting in line ----------------------------------------------------------------------

    def add(self, source: Source, gathers: bool = False) -> None:
        """Put a source that has requests to be decided into its lane; it must be in none.

        One that `gathers` has requests of a kind that come one at a time.
        """
        self._lanes[source.lane].append(source)
        if self._planned:
            return
        if not gathers:
            self._plan()
        elif not self._gathering:
            self._begin_to_gather()

    def later(self, act: Callable[[], None]) -> None:
        """Have the next slice of a bulk cancel done when it is its turn."""
        self._slices.append(act)
        if not self._planned:
            self._plan()

    def operator_came(self) -> None:
        """Have orders and queries wait while an operator's request is carried out."""
        if not self._held_turns and not self._held_before:
            self._held_turns = HELD_TURNS

    def _plan(self) -> None:
        self._planned = True
        self._soon(self.take)

    # --- Gathering ----------------------------------------------------------------------------

    def _begin_to_gather(self) -> None:
        self._gathering = True
        self._gathered = self._vain_rounds = self._quiet_rounds = 0
        self._gathering_since_ns = self._round_ns = self._stopwatch_ns()
        self._look_soon()

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            self._soon(self._look_for_more)

    def _look_for_more(self) -> None:
        """Take the turn once enough has come, or no more does; called once a round."""
        self._looking = False
        if not self._gathering or self._planned:
            return
        now_ns, before = self._stopwatch_ns(), self._gathered
        self._gathered = self._waiting(GATHERED)
        self._vain_rounds = self._vain_rounds + 1 if self._gathered == before else 0
        quiet = now_ns - self._round_ns < QUIET_NS
        self._quiet_rounds = self._quiet_rounds + 1 if quiet else 0
        self._round_ns = now_ns
        if (
            self._gathered >= GATHERED
            or self._quiet_rounds >= QUIET_ROUNDS
            or self._vain_rounds >= VAIN_ROUNDS
            or now_ns - self._gathering_since_ns >= self.bounds.gather_ns
        ):
            self.take()
        else:
            self._look_soon()

    def _waiting(self, most: int) -> int:
        """Return how many requests wait, counted no further than to `most`."""
        count = 0
        for waiting in self._lanes:
            for source in waiting:
                count += source.waiting
                if count >= most:
                    return count
        return count

    # --- A turn -------------------------------------------------------------------------------

    def take(self) -> None:
        """Take one turn; another one is planned when something is left."""
        self._planned = self._gathering = False
        self._number += 1
        started_ns = now_ns = self._stopwatch_ns()
        self._relieve(now_ns)
        try:
            if self._slices:
                now_ns = self._slice(started_ns)
            self._decide(now_ns, now_ns + self.bounds.turn_ns)
        finally:
            self._held_before = self._held_turns > 0
            self._held_turns -= self._held_before
            self._end_turn()

    def finish(self) -> None:
        """Decide everything that waits, at the end of the gate."""
        while self._slices or any(self._lanes):
            self.take()

    def _slice(self, started_ns: int) -> int:
        """Do a slice of a bulk cancel, if it is its turn; return the time."""
        if self._owed_ns > 0 and any(self._lanes):
            return started_ns
        self._slices.popleft()()
        now_ns = self._stopwatch_ns()
        self._owed_ns = now_ns - started_ns
        return now_ns

    def _decide(self, now_ns: int, end_ns: int) -> None:
        """Decide what waits until the time is up."""
        started_ns = now_ns
        while (lane := self._next_lane()) != NOWHERE:
            source = self._lanes[lane].popleft()
            self._have(source, lane, now_ns)
            now_ns = self._stopwatch_ns()
            if now_ns >= end_ns:
                self._shed_behind(now_ns)
                break
        self._owed_ns -= now_ns - started_ns

    def _next_lane(self) -> int:
        """Return the lane whose turn it is, NOWHERE when none has anybody."""
        cancels, orders, queries, market_data, strangers = self._lanes
        if self._held_turns:
            return CANCELS if cancels else NOWHERE
        if strangers:
            self._strangers_in -= 1
            if self._strangers_in <= 0:
                self._strangers_in = STRANGERS_EVERY
                return STRANGERS
        if cancels:
            return CANCELS
        if orders:
            return ORDERS
        if queries:
            return QUERIES
        if market_data:
            return MARKET_DATA
        return STRANGERS if strangers else NOWHERE

    def _have(self, source: Source, lane: int, now_ns: int) -> None:
        """Decide or shed the first request of a source, and put it in line for its next one."""
        if source.turn != self._number:
            source.turn = self._number
            source.taken = 0
            self._had.append(source)
        source.taken += 1
        waited_ns = now_ns - source.since_ns
        most_ns = self._pressures[lane].most_ns
        if waited_ns > most_ns and self._sheds(lane, now_ns):
            self.shed[LANE_NAMES[lane]] += 1
            source.shed(waited_ns, most_ns)
        else:
            source.decide()
        if source.lane != NOWHERE:
            if source.taken < self.bounds.requests:
                self._lanes[source.lane].append(source)
            else:
                self._rested.append(source)

    def _end_turn(self) -> None:
        for source in self._rested:
            self._lanes[source.lane].append(source)
        self._rested.clear()
        had = self._had
        self._had = []
        for source in had:
            source.turn_over()
        if not self._planned and (self._slices or any(self._lanes)):
            self._plan()

    # --- Shedding -----------------------------------------------------------------------------

    def _sheds(self, lane: int, now_ns: int) -> bool:
        """Take note of a wait beyond the bound, and return whether that has lasted."""
        pressure = self._pressures[lane]
        if pressure.most_ns == pressure.bound_ns:
            if now_ns - pressure.last_ns > self.bounds.lasting_ns:
                pressure.since_ns = now_ns
            if now_ns - pressure.since_ns >= self.bounds.lasting_ns:
                pressure.most_ns = pressure.bound_ns // SHEDDING_PART
        pressure.last_ns = now_ns
        return pressure.most_ns != pressure.bound_ns

    def _relieve(self, now_ns: int) -> None:
        """Stop shedding where nobody has been found to wait too long for a while."""
        for pressure in self._pressures:
            if pressure.most_ns != pressure.bound_ns and now_ns > (
                pressure.last_ns + RELIEF_TIMES * self.bounds.lasting_ns
            ):
                pressure.most_ns = pressure.bound_ns

    def _shed_behind(self, now_ns: int) -> None:
        """Shed some of those whose lane was not reached; there they might wait for ever."""
        for lane in (ORDERS, QUERIES, MARKET_DATA):
            waiting = self._lanes[lane]
            for _ in range(min(SHED_BEHIND, len(waiting))):
                waited_ns = now_ns - waiting[0].since_ns
                if waited_ns <= self._pressures[lane].most_ns or not self._sheds(lane, now_ns):
                    break
                self._have(waiting.popleft(), lane, now_ns)

    # --- What is known ------------------------------------------------------------------------

    def states(self) -> Iterator[LaneState]:
        """Yield how each lane stands."""
        now_ns = self._stopwatch_ns()
        self._relieve(now_ns)
        for name, waiting, pressure in zip(LANE_NAMES, self._lanes, self._pressures, strict=True):
            oldest_ns = max((now_ns - source.since_ns for source in waiting), default=0)
            requests = sum(source.waiting for source in waiting)
            shedding = pressure.most_ns != pressure.bound_ns
            yield LaneState(name, len(waiting), requests, oldest_ns, self.shed[name], shedding)

    def look(self) -> None:
        """Say when shedding has begun and when it has ended; called every second."""
        total = self.shed.total()
        if total != self._shed_seen and not self._overloaded:
            self._overloaded = True
            shed = ", ".join(f"{name} {count}" for name, count in self.shed.items() if count)
            _logger.warning("overloaded: requests have waited too long and are shed (%s)", shed)
        elif total == self._shed_seen and self._overloaded:
            self._overloaded = False
            _logger.warning("no longer overloaded; %d requests were shed in all", total)
        self._shed_seen = total
