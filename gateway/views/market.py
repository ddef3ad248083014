"""Public market data: last trades, depth, best prices, rolling statistics, average price."""

from bisect import bisect_left
from collections import deque
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from gateway.engine.port import DepthSnapshot, EnginePort, PublicTrade
from gateway.views.kline import Kline, fold_kline
from gateway.views.klines import KlinesView
from gateway.views.source import ViewedCore
from rules.values import E8, NS_PER_DAY, NS_PER_MINUTE

TRADES_KEPT: Final = 1_000
"""Trades, and aggregate trades, kept of each symbol."""

_OPEN = attrgetter("open_ns")


class Best(NamedTuple):
    """Best bid and offer; 0 where a side is empty."""

    bid_e8: int
    bid_quantity_e8: int
    ask_e8: int
    ask_quantity_e8: int


class AggregateTrade(msgspec.Struct, gc=False):
    """Trades of one moment, price and taker's side, put together; only the view writes it."""

    aggregate_id: int
    symbol: int
    price_e8: int
    quantity_e8: int
    first_trade_id: int
    last_trade_id: int
    time_ns: int
    buyer_is_maker: bool


class Ticker(NamedTuple):
    """Statistics of one symbol over a span of time; prices are 0 when none is known."""

    symbol: int
    open_ns: int
    close_ns: int
    open_e8: int
    high_e8: int
    low_e8: int
    last_e8: int
    previous_close_e8: int
    """The last price before the span."""
    last_quantity_e8: int
    volume_e8: int
    quote_volume_e8: int
    trades: int
    first_trade_id: int
    """-1 when no trade in the span has an id."""
    last_trade_id: int
    best: Best

    @property
    def change_e8(self) -> int:
        """Last price less opening price."""
        return self.last_e8 - self.open_e8

    @property
    def change_percent_e8(self) -> int:
        """Change in percent of the opening price, rounded towards zero."""
        if not self.open_e8:
            return 0
        percent = abs(self.change_e8) * 100 * E8 // self.open_e8
        return percent if self.change_e8 >= 0 else -percent

    @property
    def average_e8(self) -> int:
        """Volume-weighted average price, 0 without volume."""
        return self.quote_volume_e8 * E8 // self.volume_e8 if self.volume_e8 else 0


class MarketView:
    """What the market shows of each symbol; the listener of `EnginePort.start`."""

    def __init__(self, core: ViewedCore, engine: EnginePort, klines: KlinesView) -> None:
        self._core = core
        self._engine = engine
        self._klines = klines
        self._trades: dict[int, deque[PublicTrade]] = {}
        self._aggregates: dict[int, deque[AggregateTrade]] = {}

    # --- The subscription ---------------------------------------------------------------------

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one public trade."""
        symbol = trade.symbol
        trades = self._trades.get(symbol)
        if trades is None:
            trades = self._trades[symbol] = deque(maxlen=TRADES_KEPT)
            self._aggregates[symbol] = deque(maxlen=TRADES_KEPT)
        trades.append(trade)
        self._aggregate(self._aggregates[symbol], trade)
        self._klines.on_trade(trade)

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Pass over pushed depth: queries ask the engine's port for the newest."""

    @staticmethod
    def _aggregate(aggregates: deque[AggregateTrade], trade: PublicTrade) -> None:
        last = aggregates[-1] if aggregates else None
        if (
            last is not None
            and last.time_ns == trade.engine_ns
            and last.price_e8 == trade.price_e8
            and last.buyer_is_maker == trade.buyer_is_maker
        ):
            last.quantity_e8 += trade.quantity_e8
            last.last_trade_id = trade.trade_id
            return
        aggregates.append(
            AggregateTrade(
                last.aggregate_id + 1 if last is not None else 1,
                trade.symbol,
                trade.price_e8,
                trade.quantity_e8,
                trade.trade_id,
                trade.trade_id,
                trade.engine_ns,
                trade.buyer_is_maker,
            )
        )

    # --- Queries ------------------------------------------------------------------------------

    def depth(self, symbol: int, levels: int = 100) -> DepthSnapshot:
        """Return the newest depth."""
        return self._engine.depth(symbol, levels)

    def best(self, symbol: int) -> Best:
        """Return best bid and offer."""
        depth = self._engine.depth(symbol, 1)
        bid_e8, bid_quantity_e8 = depth.bids[0] if depth.bids else (0, 0)
        ask_e8, ask_quantity_e8 = depth.asks[0] if depth.asks else (0, 0)
        return Best(bid_e8, bid_quantity_e8, ask_e8, ask_quantity_e8)

    def last(self, symbol: int) -> int:
        """Return the last price, the starting price before the first trade, 0 without either."""
        trades = self._trades.get(symbol)
        if trades:
            return trades[-1].price_e8
        facts = self._core.book.symbols[symbol]
        return facts.last_e8 or facts.previous_close_e8

    def last_trades(
        self, symbol: int, limit: int = 500, from_trade_id: int = 0
    ) -> list[PublicTrade]:
        """Return the latest trades, or the first from an id on; oldest first."""
        trades = self._trades.get(symbol, ())
        if from_trade_id:
            return [trade for trade in trades if trade.trade_id >= from_trade_id][:limit]
        return list(trades)[-limit:] if limit else []

    def agg_trades(
        self,
        symbol: int,
        from_aggregate_id: int = 0,
        start_ns: int = 0,
        end_ns: int = 0,
        limit: int = 500,
    ) -> list[AggregateTrade]:
        """Return aggregate trades, oldest first; 0 leaves a condition out.

        With `from_aggregate_id` or `start_ns` these are the first from there on, else the
        latest. Times are inclusive.
        """
        found = [
            trade
            for trade in self._aggregates.get(symbol, ())
            if trade.aggregate_id >= from_aggregate_id
            and trade.time_ns >= start_ns
            and (not end_ns or trade.time_ns <= end_ns)
        ]
        if from_aggregate_id or start_ns:
            return found[:limit]
        return found[-limit:] if limit else []

    def average(self, symbol: int, minutes: int, now_ns: int) -> int:
        """Return the average price that filters use: of `minutes`, else the last price."""
        facts = self._core.book.symbols[symbol]
        average_e8 = facts.average.price_e8(minutes, now_ns) if minutes else 0
        return average_e8 or facts.last_e8 or facts.previous_close_e8

    def ticker_24h(self, symbol: int, now_ns: int) -> Ticker:
        """Return the statistics of the last 24 hours."""
        return self.ticker(symbol, now_ns - NS_PER_DAY, now_ns)

    def ticker(self, symbol: int, start_ns: int, now_ns: int) -> Ticker:
        """Return the statistics from `start_ns` until now.

        The span begins at the full minute at or before `start_ns`, or, when it is longer than
        24 hours, at the full quarter of an hour: up to that much wider than asked, as Binance's
        rolling windows are up to a minute wider.
        """
        interval = "1m" if now_ns - start_ns <= NS_PER_DAY else "15m"
        step_ns = NS_PER_MINUTE if interval == "1m" else 15 * NS_PER_MINUTE
        start_ns -= start_ns % step_ns
        candles = self._klines.stored(symbol, interval)
        first = bisect_left(candles, start_ns, key=_OPEN)
        last_e8 = self.last(symbol)
        before_e8 = candles[first - 1].close_e8 if first else 0
        opened_e8 = candles[first].open_e8 if first < len(candles) else before_e8 or last_e8
        total = Kline(start_ns, now_ns, opened_e8, opened_e8, opened_e8, last_e8)
        for candle in candles[first:]:
            fold_kline(total, candle)
        trades = self._trades.get(symbol)
        return Ticker(
            symbol,
            start_ns,
            now_ns,
            opened_e8,
            total.high_e8,
            total.low_e8,
            last_e8,
            before_e8 or opened_e8,
            trades[-1].quantity_e8 if trades else 0,
            total.volume_e8,
            total.quote_volume_e8,
            total.trades,
            total.first_trade_id or -1,
            total.last_trade_id or -1,
            self.best(symbol),
        )
