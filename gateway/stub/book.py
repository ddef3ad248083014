"""One symbol's price-time book.

A side keeps its price levels in a sorted list with the best level last, so that work near the
best price moves little memory, and the orders of a level in a linked list, so that any order
leaves in constant time. Sides compare prices by a key that grows towards the better price: the
price itself for bids, its negative for asks.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

import msgspec

from gateway.stub.accounts import Holding
from rules.events import DefineSymbol
from rules.values import BUY, SELL


class StubOrder(msgspec.Struct, eq=False):
    """An order while it matches and while it rests."""

    order_id: int
    account: int
    symbol: int
    side: int
    order_type: int
    price_e8: int
    quantity_e8: int
    """Total quantity, less what self-trade prevention (DECREMENT) took off."""
    stp_mode: int
    stp_group: int
    client_order_id: str
    channel: int
    """0 for the gate's own orders, else the other way into the market (`CHANNEL_*`)."""
    entered_ns: int
    filled_e8: int = 0
    prevented_e8: int = 0
    locked_in: Holding | None = None
    locked_e8: int = 0
    """What the order holds of `locked_in` while it rests."""
    level: "Level | None" = None
    preceding: "StubOrder | None" = None
    following: "StubOrder | None" = None


class Level:
    """The orders at one price, first in time first."""

    __slots__ = ("first", "key", "last", "price_e8", "quantity_e8")

    def __init__(self, key: int, price_e8: int) -> None:
        self.key = key
        self.price_e8 = price_e8
        self.quantity_e8 = 0
        """Sum of what its orders still want to trade."""
        self.first: StubOrder | None = None
        self.last: StubOrder | None = None


class Side:
    """The bids or the asks of one symbol."""

    __slots__ = ("best", "keys", "levels", "sign")

    def __init__(self, side: int) -> None:
        self.sign = 1 if side == BUY else -1
        self.levels: dict[int, Level] = {}
        self.keys: list[int] = []
        """Keys of all levels in ascending order: the best is last."""
        self.best: Level | None = None

    def add(self, order: StubOrder) -> None:
        """Put an order behind all others at its price."""
        key = self.sign * order.price_e8
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(key, order.price_e8)
            best = self.best
            if best is None or key > best.key:
                self.keys.append(key)
                self.best = level
            else:
                insort(self.keys, key)
        last = level.last
        if last is None:
            level.first = order
        else:
            last.following = order
            order.preceding = last
        level.last = order
        level.quantity_e8 += order.quantity_e8 - order.filled_e8
        order.level = level

    def remove(self, order: StubOrder) -> None:
        """Take an order out; its open quantity must still be what the level counts."""
        level = order.level
        assert level is not None, f"order {order.order_id} does not rest in the book"
        preceding, following = order.preceding, order.following
        if preceding is None:
            level.first = following
        else:
            preceding.following = following
            order.preceding = None
        if following is None:
            level.last = preceding
        else:
            following.preceding = preceding
            order.following = None
        order.level = None
        level.quantity_e8 -= order.quantity_e8 - order.filled_e8
        if level.first is None:
            self._drop(level)

    def _drop(self, level: Level) -> None:
        del self.levels[level.key]
        keys = self.keys
        if level is self.best:
            keys.pop()
            self.best = self.levels[keys[-1]] if keys else None
        else:
            del keys[bisect_left(keys, level.key)]

    def best_first(self) -> Iterator[Level]:
        """Yield the levels from the best price on."""
        levels = self.levels
        for key in reversed(self.keys):
            yield levels[key]

    def top(self, count: int) -> tuple[tuple[int, int], ...]:
        """Return up to `count` levels as (price, quantity), best first."""
        levels = self.levels
        return tuple(
            (levels[key].price_e8, levels[key].quantity_e8) for key in self.keys[: -count - 1 : -1]
        )


class SymbolBook:
    """Everything the engine keeps of one symbol."""

    __slots__ = (
        "asks",
        "base_asset",
        "bids",
        "last_e8",
        "last_ns",
        "lot_step_e8",
        "maker_commission_ppm",
        "name",
        "quote_asset",
        "state",
        "symbol",
        "taker_commission_ppm",
        "update_id",
    )

    def __init__(self, definition: DefineSymbol, lot_step_e8: int) -> None:
        self.symbol = definition.symbol
        self.name = definition.name
        self.base_asset = definition.base_asset
        self.quote_asset = definition.quote_asset
        self.state = definition.state
        self.maker_commission_ppm = definition.maker_commission_ppm
        self.taker_commission_ppm = definition.taker_commission_ppm
        self.lot_step_e8 = lot_step_e8
        """What the quantity of an order given by its quote amount is rounded down to."""
        self.last_e8 = 0
        self.last_ns = 0
        self.update_id = 0
        """Counts the changes of the book's levels."""
        self.bids = Side(BUY)
        self.asks = Side(SELL)

    def side(self, side: int) -> Side:
        """Return where an order of `side` rests."""
        return self.bids if side == BUY else self.asks

    def opposite(self, side: int) -> Side:
        """Return where an order of `side` finds its counterparties."""
        return self.asks if side == BUY else self.bids
