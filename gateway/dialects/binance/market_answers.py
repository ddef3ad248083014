"""Answers to queries of the market."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gateway.dialects.binance.order_answers import amount
from gateway.dialects.binance.reading import Desk
from gateway.outcome import Outcome
from rules.events import Query
from rules.values import E8

AVERAGE_MINUTES: Final = 5
"""Span of the average price where the symbol's filters name none."""

OneTicker: TypeAlias = Callable[[Desk, int, int], dict[str, Any]]
"""Returns the ticker of one symbol at a time."""


def _query(outcome: Outcome) -> Query:
    assert isinstance(outcome.event, Query)
    return outcome.event


def ping(_desk: Desk, _outcome: Outcome) -> Any:
    """Answer a ping."""
    return {}


def time(desk: Desk, outcome: Outcome) -> Any:
    """Answer with the clock that request timestamps are compared with."""
    return {"serverTime": desk.time(_query(outcome).received_ns)}


def depth(desk: Desk, outcome: Outcome, *, levels: int) -> Any:
    """Answer with the levels of the book, best first."""
    snapshot = desk.views.market.depth(_query(outcome).symbol, levels)
    return {
        "lastUpdateId": snapshot.update_id,
        "bids": [[amount(price_e8), amount(size_e8)] for price_e8, size_e8 in snapshot.bids],
        "asks": [[amount(price_e8), amount(size_e8)] for price_e8, size_e8 in snapshot.asks],
    }


def trades(desk: Desk, outcome: Outcome, *, limit: int, from_trade_id: int) -> Any:
    """Answer with public trades, oldest first."""
    found = desk.views.market.last_trades(_query(outcome).symbol, limit, from_trade_id)
    return [
        {
            "id": trade.trade_id,
            "price": amount(trade.price_e8),
            "qty": amount(trade.quantity_e8),
            "quoteQty": amount(trade.quote_e8),
            "time": desk.time(trade.engine_ns),
            "isBuyerMaker": trade.buyer_is_maker,
            "isBestMatch": True,
        }
        for trade in found
    ]


def agg_trades(
    desk: Desk, outcome: Outcome, *, from_id: int, start_ns: int, end_ns: int, limit: int
) -> Any:
    """Answer with trades put together by moment, price and side."""
    symbol = _query(outcome).symbol
    found = desk.views.market.agg_trades(symbol, from_id, start_ns, end_ns, limit)
    return [
        {
            "a": trade.aggregate_id,
            "p": amount(trade.price_e8),
            "q": amount(trade.quantity_e8),
            "f": trade.first_trade_id,
            "l": trade.last_trade_id,
            "T": desk.time(trade.time_ns),
            "m": trade.buyer_is_maker,
            "M": True,
        }
        for trade in found
    ]


def klines(
    desk: Desk, outcome: Outcome, *, interval: str, start_ns: int, end_ns: int, limit: int
) -> Any:
    """Answer with candles, oldest first."""
    symbol = _query(outcome).symbol
    return [
        [
            desk.time(candle.open_ns),
            amount(candle.open_e8),
            amount(candle.high_e8),
            amount(candle.low_e8),
            amount(candle.close_e8),
            amount(candle.volume_e8),
            desk.time(candle.end_ns) - 1,
            amount(candle.quote_volume_e8),
            candle.trades,
            amount(candle.taker_base_e8),
            amount(candle.taker_quote_e8),
            "0",
        ]
        for candle in desk.views.klines.get(symbol, interval, start_ns, end_ns, limit)
    ]


def average_price(desk: Desk, outcome: Outcome) -> Any:
    """Answer with the average price that filters use."""
    symbol = _query(outcome).symbol
    facts = desk.core.book.symbols[symbol]
    minutes = facts.filters.average_price_minutes or AVERAGE_MINUTES
    now_ns = desk.core.now_ns()
    return {
        "mins": minutes,
        "price": amount(desk.views.market.average(symbol, minutes, now_ns)),
        "closeTime": desk.time(facts.last_ns or now_ns),
    }


def tickers(
    desk: Desk, _outcome: Outcome, *, one: OneTicker, symbols: list[int], single: bool
) -> Any:
    """Answer with one ticker, or a list of them where several were asked for."""
    now_ns = desk.core.now_ns()
    found = [one(desk, symbol, now_ns) for symbol in symbols]
    return found[0] if single else found


def ticker_price(desk: Desk, symbol: int, _now_ns: int) -> dict[str, Any]:
    """Return a symbol's last price."""
    return {"symbol": desk.symbol_name(symbol), "price": amount(desk.views.market.last(symbol))}


def ticker_book(desk: Desk, symbol: int, _now_ns: int) -> dict[str, Any]:
    """Return a symbol's best bid and offer."""
    best = desk.views.market.best(symbol)
    return {
        "symbol": desk.symbol_name(symbol),
        "bidPrice": amount(best.bid_e8),
        "bidQty": amount(best.bid_quantity_e8),
        "askPrice": amount(best.ask_e8),
        "askQty": amount(best.ask_quantity_e8),
    }


def ticker_24hr(desk: Desk, symbol: int, now_ns: int) -> dict[str, Any]:
    """Return a symbol's statistics of 24 hours."""
    ticker = desk.views.market.ticker_24h(symbol, now_ns)
    return {
        "symbol": desk.symbol_name(symbol),
        "priceChange": amount(ticker.change_e8),
        "priceChangePercent": percent_text(ticker.change_percent_e8),
        "weightedAvgPrice": amount(ticker.average_e8),
        "prevClosePrice": amount(ticker.previous_close_e8),
        "lastPrice": amount(ticker.last_e8),
        "lastQty": amount(ticker.last_quantity_e8),
        "bidPrice": amount(ticker.best.bid_e8),
        "bidQty": amount(ticker.best.bid_quantity_e8),
        "askPrice": amount(ticker.best.ask_e8),
        "askQty": amount(ticker.best.ask_quantity_e8),
        "openPrice": amount(ticker.open_e8),
        "highPrice": amount(ticker.high_e8),
        "lowPrice": amount(ticker.low_e8),
        "volume": amount(ticker.volume_e8),
        "quoteVolume": amount(ticker.quote_volume_e8),
        "openTime": desk.time(ticker.open_ns),
        "closeTime": desk.time(ticker.close_ns),
        "firstId": ticker.first_trade_id,
        "lastId": ticker.last_trade_id,
        "count": ticker.trades,
    }


_MINI: Final = (
    "symbol",
    "openPrice",
    "highPrice",
    "lowPrice",
    "lastPrice",
    "volume",
    "quoteVolume",
    "openTime",
    "closeTime",
    "firstId",
    "lastId",
    "count",
)


def ticker_24hr_mini(desk: Desk, symbol: int, now_ns: int) -> dict[str, Any]:
    """Return the short form of a symbol's statistics of 24 hours."""
    full = ticker_24hr(desk, symbol, now_ns)
    return {name: full[name] for name in _MINI}


def percent_text(percent_e8: int) -> str:
    """Return a percentage with three places, cut off towards zero."""
    thousandths = abs(percent_e8) * 1_000 // E8
    sign = "-" if percent_e8 < 0 and thousandths else ""
    return f"{sign}{thousandths // 1_000}.{thousandths % 1_000:03d}"


def stub(desk: Desk, outcome: Outcome, *, kind: str) -> Any:
    """Answer a client's start-up request for something that is not here with nothing in it."""
    if kind == "list":
        return []
    received_ms = desk.time(_query(outcome).received_ns)
    return {
        "timezone": "UTC",
        "serverTime": received_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
    }
