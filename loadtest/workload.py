"""What is sent: signed orders and cancels of the Binance dialect, rendered before the run.

The moment each request is meant to be sent at is known beforehand, so its timestamp and signature
are too. While the run lasts nothing is computed but when to send.
"""

import hashlib
import hmac
import random
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from loadtest.market import Market
from loadtest.profile import Profile
from loadtest.schedule import Schedule
from loadtest.units import NS_PER_MS

ORDER_PATH: Final = "/api/v3/order"
RECV_WINDOW_MS: Final = 60_000
"""The longest the dialect takes: a request that waits for a connection stays valid meanwhile."""
_CROSS_BPS_MAX: Final = 10
_BPS: Final = Decimal(10_000)


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An API key and its HMAC secret."""

    name: str
    secret: str
    account: str = ""

    def signed(self, parameters: dict[str, str]) -> str:
        """Return the query string with its signature."""
        query = urlencode(parameters)
        digest = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return f"{query}&signature={digest}"


class Request(NamedTuple):
    """One rendered request."""

    method: str
    target: str
    """Path and query, signed."""
    key_name: str


class _Placed(NamedTuple):
    """An order of the plan that can be cancelled."""

    at_ns: int
    symbol: str
    client_order_id: str
    key: Key


class Workload:
    """Renders the requests of one run.

    `epoch_ns` is the target's clock at the start of the run; `tag` begins all client order ids
    and is unlike that of any other run.
    """

    def __init__(
        self,
        profile: Profile,
        markets: Sequence[Market],
        keys: Sequence[Key],
        seed: int,
        epoch_ns: int,
        tag: str,
    ) -> None:
        self._profile = profile
        self._markets = markets
        self._keys = keys
        self._random = random.Random(f"{seed} workload")  # noqa: S311 (reproducible, not secret)
        self._epoch_ns = epoch_ns
        self._tag = tag
        self._notional = Decimal(profile.notional)
        self._after_ns = profile.cancel_after_ns
        self._open: deque[_Placed] = deque()
        self._ripening: deque[_Placed] = deque()

    def render(self, times: Schedule) -> list[Request]:
        """Return one request for each arrival.

        A cancel names an order of the same run that was due at least `cancel_after` earlier;
        while there is none, an order is placed instead, so a run begins with placements.
        """
        return [self._next(number, at_ns) for number, at_ns in enumerate(times)]

    def _next(self, number: int, at_ns: int) -> Request:
        while self._ripening and self._ripening[0].at_ns + self._after_ns <= at_ns:
            self._open.append(self._ripening.popleft())
        if self._open and self._random.randrange(100) >= self._profile.place_percent:
            return self._cancel(at_ns)
        return self._place(number, at_ns)

    def _place(self, number: int, at_ns: int) -> Request:
        profile, draw = self._profile, self._random
        market = self._markets[number % len(self._markets)]
        key = self._keys[number % len(self._keys)]
        buys = draw.random() < 0.5
        crosses = draw.randrange(100) < profile.cross_percent
        if crosses:
            price = self._away(market.ask if buys else market.bid, 1, _CROSS_BPS_MAX, up=buys)
        else:
            bounds = (profile.spread_bps_min, profile.spread_bps_max)
            price = self._away(market.bid if buys else market.ask, *bounds, up=not buys)
        client_order_id = f"{self._tag}-{number}"
        # Rounded away from the market, a resting order can't cross it, nor a crossing one rest.
        text = market.price_text(price, up=buys == crosses)
        parameters = {
            "symbol": market.symbol,
            "side": "BUY" if buys else "SELL",
            "type": "LIMIT",
            "timeInForce": "IOC" if crosses else "GTC",
            "quantity": market.quantity_text(self._notional, Decimal(text)),
            "price": text,
            "newClientOrderId": client_order_id,
            "newOrderRespType": "ACK",
        }
        if not crosses:
            self._ripening.append(_Placed(at_ns, market.symbol, client_order_id, key))
        return self._signed("POST", key, parameters, at_ns)

    def _cancel(self, at_ns: int) -> Request:
        placed = self._open.pop() if self._profile.cancel_youngest else self._open.popleft()
        parameters = {"symbol": placed.symbol, "origClientOrderId": placed.client_order_id}
        return self._signed("DELETE", placed.key, parameters, at_ns)

    def _away(self, price: Decimal, least_bps: int, most_bps: int, *, up: bool) -> Decimal:
        """Return a price a drawn distance above or below another."""
        # Drawn in hundredths of a basis point, so that neighbouring orders differ.
        distance = Decimal(self._random.randint(least_bps * 100, most_bps * 100)) / 100 / _BPS
        return price * (1 + distance if up else 1 - distance)

    def _signed(self, method: str, key: Key, parameters: dict[str, str], at_ns: int) -> Request:
        parameters["recvWindow"] = str(RECV_WINDOW_MS)
        parameters["timestamp"] = str((self._epoch_ns + at_ns) // NS_PER_MS)
        return Request(method, f"{ORDER_PATH}?{key.signed(parameters)}", key.name)
