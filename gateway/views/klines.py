"""Candles of every symbol at all sixteen intervals, with generated history before the start.

A trade changes one pending second only; the second is folded into the sixteen series when the
next one begins or somebody asks. Periods without trades are not stored: a query fills them with
flat candles at the last close, as Binance does.
"""

from bisect import bisect_left
from operator import attrgetter
from typing import Final

from gateway.engine.port import PublicTrade
from gateway.views.history import generate_history
from gateway.views.intervals import INTERVALS, open_ns, shift_ns
from gateway.views.kline import Kline, fold_kline, widened
from gateway.views.source import ViewedCore
from rules.events import DefineSymbol
from rules.values import NS_PER_SECOND

CANDLES_KEPT: Final = 1_600
"""Candles of each interval that are kept at least; there may be half as many more."""

_OPEN = attrgetter("open_ns")


class SymbolKlines:
    """The sixteen series of one symbol."""

    __slots__ = ("_history", "_pending", "_series", "_start_e8", "_start_ns", "symbol")

    def __init__(self, symbol: int, history: bool) -> None:
        self.symbol = symbol
        self._history = history
        """Whether history is still to be generated."""
        self._start_ns = 0
        self._start_e8 = 0
        self._pending: Kline | None = None
        """The present second."""
        self._series: dict[str, list[Kline]] = {interval: [] for interval in INTERVALS}

    def start(self, price_e8: int, now_ns: int) -> None:
        """Set where history ends; later calls change nothing."""
        if not self._start_e8:
            self._start_e8 = price_e8
            self._start_ns = open_ns("1s", now_ns)

    def generate(self, name: str, tick_e8: int, step_e8: int) -> None:
        """Put generated history before what was traded, once and only if it is wanted."""
        if not self._history or not self._start_e8:
            return
        self._history = False
        self.flush()
        history = generate_history(name, self._start_e8, tick_e8, step_e8, self._start_ns)
        for interval, traded in self._series.items():
            candles = history[interval]
            for candle in traded:
                if candles[-1].open_ns == candle.open_ns:
                    fold_kline(candles[-1], candle)
                else:
                    candles.append(candle)
            self._series[interval] = candles

    def add(self, trade: PublicTrade) -> None:
        """Count one trade."""
        pending = self._pending
        time_ns = trade.engine_ns
        if pending is None or not pending.open_ns <= time_ns < pending.end_ns:
            self.flush()
            second_ns = time_ns - time_ns % NS_PER_SECOND
            price_e8 = trade.price_e8
            pending = self._pending = Kline(
                second_ns, second_ns + NS_PER_SECOND, price_e8, price_e8, price_e8, price_e8
            )
            pending.first_trade_id = trade.trade_id
        elif trade.price_e8 > pending.high_e8:
            pending.high_e8 = trade.price_e8
        elif trade.price_e8 < pending.low_e8:
            pending.low_e8 = trade.price_e8
        pending.close_e8 = trade.price_e8
        pending.volume_e8 += trade.quantity_e8
        pending.quote_volume_e8 += trade.quote_e8
        pending.trades += 1
        if not trade.buyer_is_maker:
            pending.taker_base_e8 += trade.quantity_e8
            pending.taker_quote_e8 += trade.quote_e8
        pending.last_trade_id = trade.trade_id

    def flush(self) -> None:
        """Fold the pending second into all series."""
        pending = self._pending
        if pending is None:
            return
        self._pending = None
        for interval, candles in self._series.items():
            if candles and pending.open_ns < candles[-1].end_ns:
                # Also takes a second that comes late: the series stay in order.
                fold_kline(candles[-1], pending)
                continue
            begin_ns = open_ns(interval, pending.open_ns)
            candles.append(widened(pending, begin_ns, shift_ns(interval, begin_ns, 1)))
            if len(candles) > CANDLES_KEPT + CANDLES_KEPT // 2:
                del candles[:-CANDLES_KEPT]

    def stored(self, interval: str) -> list[Kline]:
        """Return the candles in which something was traded, oldest first; not to be changed."""
        self.flush()
        return self._series[interval]


class KlinesView:
    """Candles by symbol and interval."""

    def __init__(self, core: ViewedCore, seed_history: bool = True) -> None:
        self._core = core
        self._seed_history = seed_history
        self._symbols: dict[int, SymbolKlines] = {}

    def define(self, event: DefineSymbol, now_ns: int) -> None:
        """Make room for a symbol; a symbol defined again keeps its candles."""
        if event.symbol not in self._symbols:
            self._symbols[event.symbol] = SymbolKlines(event.symbol, self._seed_history)

    def warm(self) -> None:
        """Generate every symbol's history now, rather than at the first query for it.

        Takes a few tenths of a second for each symbol.
        """
        for symbol in self._symbols:
            self._ready(symbol)

    def on_trade(self, trade: PublicTrade) -> None:
        """Count one public trade."""
        klines = self._symbols.get(trade.symbol)
        if klines is not None:
            klines.start(self._known_price_e8(trade.symbol) or trade.price_e8, trade.engine_ns)
            klines.add(trade)

    def get(
        self, symbol: int, interval: str, start_ns: int = 0, end_ns: int = 0, limit: int = 500
    ) -> list[Kline]:
        """Return up to `limit` candles, oldest first, the present one included.

        With `start_ns` these are the first that begin at or after it, else the latest;
        `end_ns` is the last beginning allowed. 0 leaves a condition out. Raises KeyError for an
        unknown interval.
        """
        klines = self._ready(symbol)
        now_ns = self._core.now_ns()
        newest_ns = open_ns(interval, min(now_ns, end_ns) if end_ns else now_ns)
        candles = klines.stored(interval) if klines is not None else []
        if not candles or limit <= 0:
            return []
        oldest_ns = candles[0].open_ns
        if start_ns:
            begin_ns = open_ns(interval, max(start_ns, oldest_ns))
            if begin_ns < start_ns:
                begin_ns = shift_ns(interval, begin_ns, 1)
        else:
            begin_ns = max(oldest_ns, shift_ns(interval, newest_ns, 1 - limit))
        return _with_flat(interval, candles, begin_ns, newest_ns, limit)

    def stored(self, symbol: int, interval: str) -> list[Kline]:
        """Return the candles in which something was traded, oldest first; not to be changed."""
        klines = self._ready(symbol)
        return klines.stored(interval) if klines is not None else []

    def _ready(self, symbol: int) -> SymbolKlines | None:
        klines = self._symbols.get(symbol)
        if klines is not None:
            klines.start(self._known_price_e8(symbol), self._core.now_ns())
            facts = self._core.book.symbols[symbol]
            klines.generate(facts.name, facts.filters.tick_e8, facts.filters.step_e8)
        return klines

    def _known_price_e8(self, symbol: int) -> int:
        facts = self._core.book.symbols[symbol]
        return facts.last_e8 or facts.previous_close_e8


def _with_flat(
    interval: str, candles: list[Kline], begin_ns: int, newest_ns: int, limit: int
) -> list[Kline]:
    """Return the candles from `begin_ns` on, those without a trade filled in flat."""
    found: list[Kline] = []
    at = bisect_left(candles, begin_ns, key=_OPEN)
    close_e8 = candles[at - 1].close_e8 if at else candles[0].open_e8
    while begin_ns <= newest_ns and len(found) < limit:
        end_ns = shift_ns(interval, begin_ns, 1)
        if at < len(candles) and candles[at].open_ns == begin_ns:
            candle = candles[at]
            at += 1
            close_e8 = candle.close_e8
        else:
            candle = Kline(begin_ns, end_ns, close_e8, close_e8, close_e8, close_e8)
        found.append(candle)
        begin_ns = end_ns
    return found
