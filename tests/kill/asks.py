"""What the clients of a venue that will be killed ask for, and what they were told."""

from collections import deque
from random import Random
from typing import Any, Final, NamedTuple

from tests.kill.venue import BTC_SYMBOL, ETH_SYMBOL, PRICES, Party

PLACE, CANCEL, CANCEL_ALL, REPLACE, AMEND = "place", "cancel", "cancel all", "replace", "amend"
STATUS, OPEN, ACCOUNT, DEPTH, ACT = "status", "open orders", "account", "depth", "act"
ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"
_REMEMBERED: Final = 24
_WEIGHTS: Final = {
    PLACE: 60,
    CANCEL: 14,
    REPLACE: 8,
    AMEND: 5,
    STATUS: 8,
    OPEN: 2,
    ACCOUNT: 2,
    CANCEL_ALL: 1,
}


class Ask(NamedTuple):
    """One request, whatever way in it takes."""

    kind: str
    symbol: str = BTC_SYMBOL
    side: str = "BUY"
    order_type: str = "LIMIT"
    price: str = ""
    quantity: str = ""
    client_order_id: str = ""
    target: str = ""
    """Client order id of the order that is meant."""
    allow_failure: bool = False

    @property
    def time_in_force(self) -> str:
        """How long the order is good for; only limit orders say."""
        return "GTC" if self.order_type == "LIMIT" else ""


class Seen(NamedTuple):
    """One answer that a client had read to its end when the gate was killed."""

    run: str
    """Which life of the gate gave it."""
    party: Party
    channel: str
    ask: Ask
    told: str
    decision_id: str
    reason: str = ""
    """Why it was refused, by name, where the way in tells."""
    order_id: int = 0
    client_order_id: str = ""
    status: str = ""
    executed: str = "0"
    trades: tuple[int, ...] = ()
    canceled: tuple[int, ...] = ()
    http: int = 0
    """Of a REST answer: its status."""
    headers: tuple[tuple[str, str], ...] = ()
    """Of a REST answer: names in lower case."""
    body: Any = None
    """Of a REST answer."""


class Trader:
    """One client's mind: what it asks for next, from what it was told so far."""

    def __init__(self, party: Party, chance: Random, life: int) -> None:
        self.party = party
        self._chance = chance
        self._life = life
        self._count = 0
        self._mine: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
        """(client order id, symbol) of orders that were accepted."""

    def next_ask(self, kinds: tuple[str, ...]) -> Ask:
        """Return the next request, one of `kinds`."""
        chance = self._chance
        kind = chance.choices(kinds, [_WEIGHTS[one] for one in kinds])[0]
        target, symbol = "nobody", chance.choice((BTC_SYMBOL, BTC_SYMBOL, ETH_SYMBOL))
        if self._mine and chance.random() < 0.95:
            target, symbol = chance.choice(self._mine)
        if kind in (PLACE, REPLACE):
            return self._order(kind, symbol, target)
        if kind == AMEND:
            return Ask(kind, symbol, quantity=self._quantity(symbol, 1), target=target)
        return Ask(kind, symbol, target=target)

    def learn(self, seen: Seen) -> None:
        """Take an answer."""
        if seen.told == ACCEPTED and seen.order_id and seen.ask.kind in (PLACE, REPLACE):
            self._mine.append((seen.client_order_id, seen.ask.symbol))

    def _order(self, kind: str, symbol: str, target: str) -> Ask:
        chance = self._chance
        self._count += 1
        client_order_id = f"{self.party.key}-{self._life}-{self._count}"
        if chance.random() < 0.1:
            client_order_id = ""
        elif target != "nobody" and kind == PLACE and chance.random() < 0.05:
            client_order_id = target
        price = PRICES[symbol] + chance.randint(-30, 30)
        order_type = chance.choices(("LIMIT", "LIMIT_MAKER", "MARKET"), (85, 10, 5))[0]
        return Ask(
            kind,
            symbol,
            chance.choice(("BUY", "SELL")),
            order_type,
            "" if order_type == "MARKET" else str(price),
            self._quantity(symbol, chance.randint(2, 9)),
            client_order_id,
            target if kind == REPLACE else "",
            chance.random() < 0.5,
        )

    def _quantity(self, symbol: str, lots: int) -> str:
        return f"0.00{lots}" if symbol == BTC_SYMBOL else f"0.0{lots}"
