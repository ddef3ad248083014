"""Who took what in the event being applied, and a running tally of a symbol's trades.

Trades that did not come through the gate are seen too: the engine's drop copy reports them with
owner and channel.
"""

from typing import Any, Final

from rules.book import Book
from rules.events import CommandResult, Event, Fill, MarketTrade, OrderTrade
from rules.kinds import COMMAND_RESULT, MARKET_TRADE, ORDER_TRADE
from rules.trades import Side, Take
from rules.values import BUY, SELL, notional_e8

__all__ = ["EXECUTIONS", "Side", "SymbolTape", "Take", "Tapes", "sides_of", "take_of"]

EXECUTIONS: Final[tuple[type[Event], ...]] = (CommandResult, OrderTrade, MarketTrade)
"""The events that report trades."""


def sides_of(event: Any, book: Book) -> tuple[Side, ...]:
    """Return the sides of trades that an event reports with their owners, each once.

    An order of the gate is told by its own report; a trade of other channels tells of those of its
    sides that came by them.
    """
    trades = book.trades
    if trades.event is not event:
        return _sides(event, book)
    if trades.sides is None:
        trades.sides = _sides(event, book)
    return trades.sides


def take_of(event: Any, book: Book) -> Take | None:
    """Return what an order took in `event`, None when the event reports no such thing."""
    trades = book.trades
    if trades.event is not event:
        return _take(event, book)
    if not trades.take_known:
        trades.take = _take(event, book)
        trades.take_known = True
    return trades.take


def _sides(event: Any, book: Book) -> tuple[Side, ...]:
    kind = type(event)
    if kind is MARKET_TRADE:
        quote_e8 = notional_e8(event.price_e8, event.quantity_e8)
        found = []
        for side, owner, order_id, channel, took in (
            (BUY, event.buy_owner, event.buy_order_id, event.buy_channel,
             not event.buyer_is_maker),
            (SELL, event.sell_owner, event.sell_order_id, event.sell_channel,
             event.buyer_is_maker),
        ):  # fmt: skip
            if owner and channel:
                found.append(
                    Side(event.symbol, owner, 0, -order_id, side, event.quantity_e8, quote_e8, took)
                )
        return tuple(found)
    # Compiled, a tuple without this type would have the length of the first one.
    fills: tuple[Fill, ...]
    if kind is ORDER_TRADE:
        fills, took = (event.fill,), not event.fill.maker
    elif kind is COMMAND_RESULT and event.fills:
        fills, took = event.fills, True
    else:
        return ()
    order = book.order_of(event.order_id)
    if order is None:
        return ()
    quantity_e8 = sum(fill.quantity_e8 for fill in fills)
    quote_e8 = sum(fill.quote_e8 for fill in fills)
    return (
        Side(
            order.symbol, order.owner, order.account, order.order_id, order.side,
            quantity_e8, quote_e8, took,
        ),
    )  # fmt: skip


def _take(event: Any, book: Book) -> Take | None:
    kind = type(event)
    if kind is COMMAND_RESULT:
        return _taken(event.order_id, event.fills, book) if event.fills else None
    if kind is ORDER_TRADE:
        return None if event.fill.maker else _taken(event.order_id, (event.fill,), book)
    if kind is not MARKET_TRADE:
        return None
    sells = event.buyer_is_maker
    if not (event.sell_channel if sells else event.buy_channel):
        # The taker came through the gate, so its own result has told of it.
        return None
    return Take(
        event.symbol,
        event.sell_owner if sells else event.buy_owner,
        0,
        0,
        SELL if sells else BUY,
        -(event.sell_order_id if sells else event.buy_order_id),
        event.quantity_e8,
        notional_e8(event.price_e8, event.quantity_e8),
        1,
        event.price_e8,
        event.price_e8,
        (),
    )


def _taken(order_id: int, fills: tuple[Fill, ...], book: Book) -> Take | None:
    order = book.order_of(order_id)
    if order is None:
        return None
    first = fills[0]
    return Take(
        order.symbol,
        order.owner,
        order.account,
        order.key,
        order.side,
        order_id,
        first.quantity_e8 if len(fills) == 1 else sum(fill.quantity_e8 for fill in fills),
        first.quote_e8 if len(fills) == 1 else sum(fill.quote_e8 for fill in fills),
        len(fills),
        first.price_e8,
        fills[-1].price_e8,
        fills,
    )


class SymbolTape:
    """Running sums over all trades of one symbol; differences of two states are a stretch of time."""

    __slots__ = ("bought_e8", "last_e8", "quantity_e8", "trades", "up_e8")

    def __init__(self) -> None:
        self.trades = 0
        self.quantity_e8 = 0
        self.bought_e8 = 0
        """Quantity of trades in which the buyer took."""
        self.up_e8 = 0
        """Sum of all steps upward from one trade's price to the next."""
        self.last_e8 = 0

    def add(self, side: int, price_e8: int, quantity_e8: int) -> None:
        """Take up one trade; `side` is the taker's."""
        self.trades += 1
        self.quantity_e8 += quantity_e8
        if side == BUY:
            self.bought_e8 += quantity_e8
        if self.last_e8 and price_e8 > self.last_e8:
            self.up_e8 += price_e8 - self.last_e8
        self.last_e8 = price_e8

    def state(self) -> list[int | str]:
        """Return the sums as plain values; they may pass 63 bits."""
        return [str(getattr(self, name)) for name in _TAPE_FIELDS]

    @classmethod
    def restored(cls, state: list[str]) -> "SymbolTape":
        """Return the tape that `state` stored."""
        tape = cls()
        for name, value in zip(_TAPE_FIELDS, state, strict=False):
            setattr(tape, name, int(value))
        return tape


_TAPE_FIELDS: Final = ("trades", "quantity_e8", "bought_e8", "up_e8", "last_e8")


class Tapes:
    """The tape of every symbol; `add` is called for each event of `EXECUTIONS`, once."""

    __slots__ = ("by_symbol",)

    def __init__(self) -> None:
        self.by_symbol: dict[int, SymbolTape] = {}

    def of(self, symbol: int) -> SymbolTape:
        """Return a symbol's tape."""
        tape = self.by_symbol.get(symbol)
        if tape is None:
            tape = self.by_symbol[symbol] = SymbolTape()
        return tape

    def add(self, event: Any, take: Take | None, book: Book) -> None:
        """Take up the trades of an event, each once, whoever else reports it."""
        if type(event) is MARKET_TRADE:
            side = SELL if event.buyer_is_maker else BUY
            self.of(event.symbol).add(side, event.price_e8, event.quantity_e8)
        elif take is not None:
            tape = self.of(take.symbol)
            for fill in take.makers:
                # A trade with an order of another channel is reported as a MarketTrade too.
                if not fill.counter_order_id or fill.counter_order_id in book.orders:
                    tape.add(take.side, fill.price_e8, fill.quantity_e8)

    def state(self) -> Any:
        """Return every tape as plain values."""
        return [[symbol, tape.state()] for symbol, tape in self.by_symbol.items()]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.by_symbol = {symbol: SymbolTape.restored(values) for symbol, values in state}
