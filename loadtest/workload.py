"""What is sent: orders and cancels, drawn before the run from a profile and a seed."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from loadtest.market import Market
from loadtest.profile import Profile
from loadtest.schedule import Schedule
from loadtest.signing import Key

_CROSS_BPS_MAX: Final = 10
_BPS: Final = Decimal(10_000)


class Placement(NamedTuple):
    """An order that is to be placed."""

    number: int
    """Its place in the run, from 0."""
    at_ns: int
    """When it is due."""
    key: Key
    symbol: str
    buys: bool
    crosses: bool
    """It is to take at once what it can (IOC); else it rests (GTC)."""
    price: str
    quantity: str
    client_order_id: str


class Cancellation(NamedTuple):
    """An order of the same run that is to be cancelled."""

    number: int
    at_ns: int
    placement: Placement

    @property
    def key(self) -> Key:
        """The key that placed the order."""
        return self.placement.key


Intent: TypeAlias = Placement | Cancellation


class _Orders:
    """Orders of the plan that rest."""

    def __init__(self) -> None:
        self.open: deque[Placement] = deque()
        """Those that are old enough to be cancelled."""
        self.ripening: deque[Placement] = deque()

    def ripen(self, latest_ns: int) -> None:
        """Open to cancels what was due by then."""
        while self.ripening and self.ripening[0].at_ns <= latest_ns:
            self.open.append(self.ripening.popleft())


class Workload:
    """Draws what is sent in one run; each protocol renders it in its own way.

    `tag` begins all client order ids and is unlike that of any other run. `batch` requests that
    follow each other go in one message, so they are of one key; else keys take turns.
    """

    def __init__(
        self,
        profile: Profile,
        markets: Sequence[Market],
        keys: Sequence[Key],
        seed: int,
        tag: str,
        batch: int = 1,
    ) -> None:
        self._profile = profile
        self._markets = markets
        self._keys = keys
        self._random = random.Random(f"{seed} workload")  # noqa: S311 (reproducible, not secret)
        self._tag = tag
        self._notional = Decimal(profile.notional)
        self._after_ns = profile.cancel_after_ns
        self._batch = batch
        # Where a message is of one key, so are the orders that it can cancel.
        self._groups = [_Orders() for _ in (keys if batch > 1 else keys[:1])]

    def plan(self, times: Schedule) -> Iterator[Intent]:
        """Return one request for each arrival.

        A cancel names an order of the same run that was due at least `cancel_after` earlier;
        while there is none, an order is placed instead, so a run begins with placements.
        """
        for number, at_ns in enumerate(times):
            yield self._next(number, at_ns)

    def _next(self, number: int, at_ns: int) -> Intent:
        message = number // self._batch
        orders = self._groups[message % len(self._groups)]
        orders.ripen(at_ns - self._after_ns)
        if orders.open and self._random.randrange(100) >= self._profile.place_percent:
            youngest = self._profile.cancel_youngest
            placed = orders.open.pop() if youngest else orders.open.popleft()
            return Cancellation(number, at_ns, placed)
        placement = self._place(number, at_ns, self._keys[message % len(self._keys)])
        if not placement.crosses:
            orders.ripening.append(placement)
        return placement

    def _place(self, number: int, at_ns: int, key: Key) -> Placement:
        profile, draw = self._profile, self._random
        market = self._markets[number % len(self._markets)]
        buys = draw.random() < 0.5
        crosses = draw.randrange(100) < profile.cross_percent
        if crosses:
            price = self._away(market.ask if buys else market.bid, 1, _CROSS_BPS_MAX, up=buys)
        else:
            bounds = (profile.spread_bps_min, profile.spread_bps_max)
            price = self._away(market.bid if buys else market.ask, *bounds, up=not buys)
        # Rounded away from the market, a resting order can't cross it, nor a crossing one rest.
        text = market.price_text(price, up=buys == crosses)
        quantity = market.quantity_text(self._notional, Decimal(text))
        name = f"{self._tag}-{number}"
        return Placement(number, at_ns, key, market.symbol, buys, crosses, text, quantity, name)

    def _away(self, price: Decimal, least_bps: int, most_bps: int, *, up: bool) -> Decimal:
        """Return a price a drawn distance above or below another."""
        # Drawn in hundredths of a basis point, so that neighbouring orders differ.
        distance = Decimal(self._random.randint(least_bps * 100, most_bps * 100)) / 100 / _BPS
        return price * (1 + distance if up else 1 - distance)
