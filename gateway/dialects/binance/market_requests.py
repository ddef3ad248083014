"""Requests that read the market and the venue."""

from functools import partial
from typing import Final

from gateway.dialects.binance import exchange_info as exchange_information
from gateway.dialects.binance import market_answers
from gateway.dialects.binance.reading import Asked, Reading
from gateway.views.intervals import INTERVALS
from rules.events import DefineSymbol, Query
from rules.reasons import Reason
from rules.values import SYMBOL_STATE_NAMES

_DEPTH_MAX: Final = 5_000
_LIMIT_DEFAULT: Final = 500
_LIMIT_MAX: Final = 1_000
_UTC: Final = ("", "0", "+0", "-0", "00:00", "+00:00")
_TICKER_TYPES: Final = ("", "FULL", "MINI")
_SPOT: Final = "SPOT"


def ping(reading: Reading) -> Asked:
    """Read `GET /api/v3/ping`."""
    return Asked(Query(*reading.head()), market_answers.ping)


def time(reading: Reading) -> Asked:
    """Read `GET /api/v3/time`."""
    return Asked(Query(*reading.head()), market_answers.time)


def exchange_info(reading: Reading) -> Asked:
    """Read `GET /api/v3/exchangeInfo`."""
    parameters = reading.parameters
    wanted = reading.symbols()
    status = parameters.choice("symbolStatus", SYMBOL_STATE_NAMES, Reason.INVALID_PARAMETER)
    if status and wanted is not None:
        text = "Combination of optional parameters invalid."
        parameters.fail(Reason.INVALID_ORDER_COMBINATION, "symbolStatus", "", -1128, text)
    symbols = _all_symbols(reading) if wanted is None else wanted
    if status:
        states = reading.core.book.symbols
        symbols = [one for one in symbols if states[one.symbol].state == status]
    if parameters.given("permissions") and _SPOT not in parameters.text("permissions"):
        symbols = []
    permission_sets = parameters.boolean("showPermissionSets") or not parameters.given(
        "showPermissionSets"
    )
    answer = partial(
        exchange_information.exchange_info, symbols=symbols, permission_sets=permission_sets
    )
    return Asked(Query(*reading.head()), answer)


def depth(reading: Reading) -> Asked:
    """Read `GET /api/v3/depth`; more levels weigh more."""
    symbol = reading.symbol_number()
    levels = reading.parameters.limit(100, _DEPTH_MAX, clamp=True)
    answer = partial(market_answers.depth, levels=levels)
    return Asked(Query(*reading.head(size=levels), symbol=symbol), answer)


def trades(reading: Reading) -> Asked:
    """Read `GET /api/v3/trades` or `GET /api/v3/historicalTrades`."""
    symbol = reading.symbol_number()
    answer = partial(
        market_answers.trades,
        limit=reading.parameters.limit(_LIMIT_DEFAULT, _LIMIT_MAX),
        from_trade_id=reading.parameters.integer("fromId"),
    )
    return Asked(Query(*reading.head(), symbol=symbol), answer)


def agg_trades(reading: Reading) -> Asked:
    """Read `GET /api/v3/aggTrades`."""
    parameters = reading.parameters
    symbol = reading.symbol_number()
    from_id = parameters.integer("fromId")
    start_ns, end_ns = parameters.time_ns("startTime"), parameters.time_ns("endTime")
    if parameters.given("fromId") and (start_ns or end_ns):
        text = "Combination of optional parameters invalid."
        parameters.fail(Reason.INVALID_ORDER_COMBINATION, "fromId", "", -1128, text)
    answer = partial(
        market_answers.agg_trades,
        from_id=from_id,
        start_ns=start_ns,
        end_ns=end_ns,
        limit=parameters.limit(_LIMIT_DEFAULT, _LIMIT_MAX),
    )
    return Asked(Query(*reading.head(), symbol=symbol), answer)


def klines(reading: Reading) -> Asked:
    """Read `GET /api/v3/klines` or `GET /api/v3/uiKlines`."""
    parameters = reading.parameters
    symbol = reading.symbol_number()
    interval = parameters.choice("interval", ("", *INTERVALS), Reason.INVALID_INTERVAL, True)
    if parameters.text("timeZone") not in _UTC:
        parameters.fail(Reason.UNSUPPORTED_OPERATION, "timeZone", "0")
    start_ns = parameters.time_ns("startTime")
    if parameters.given("startTime"):
        # The epoch itself is a time to start from, not the absence of one.
        start_ns = max(start_ns, 1)
    answer = partial(
        market_answers.klines,
        interval=("", *INTERVALS)[interval],
        start_ns=start_ns,
        end_ns=parameters.time_ns("endTime"),
        limit=parameters.limit(_LIMIT_DEFAULT, _LIMIT_MAX, clamp=True),
    )
    return Asked(Query(*reading.head(), symbol=symbol), answer)


def average_price(reading: Reading) -> Asked:
    """Read `GET /api/v3/avgPrice`."""
    symbol = reading.symbol_number()
    return Asked(Query(*reading.head(), symbol=symbol), market_answers.average_price)


def ticker_price(reading: Reading) -> Asked:
    """Read `GET /api/v3/ticker/price`."""
    return _ticker(reading, market_answers.ticker_price)


def ticker_book(reading: Reading) -> Asked:
    """Read `GET /api/v3/ticker/bookTicker`."""
    return _ticker(reading, market_answers.ticker_book)


def ticker_24hr(reading: Reading) -> Asked:
    """Read `GET /api/v3/ticker/24hr`."""
    kind = reading.parameters.choice("type", _TICKER_TYPES, Reason.INVALID_PARAMETER)
    if _TICKER_TYPES[kind] == "MINI":
        return _ticker(reading, market_answers.ticker_24hr_mini)
    return _ticker(reading, market_answers.ticker_24hr)


def stub(body: str, reading: Reading) -> Asked:
    """Read a request that clients make at their start, for something that is not here."""
    return Asked(Query(*reading.head()), partial(market_answers.stub, kind=body))


def _ticker(reading: Reading, one: market_answers.OneTicker) -> Asked:
    wanted = reading.symbols()
    symbols = _all_symbols(reading) if wanted is None else wanted
    answer = partial(
        market_answers.tickers,
        one=one,
        symbols=[definition.symbol for definition in symbols],
        single=reading.parameters.given("symbol"),
    )
    size = 0 if wanted is None else len(wanted)
    number = symbols[0].symbol if wanted and len(wanted) == 1 else 0
    return Asked(Query(*reading.head(size=size), symbol=number), answer)


def _all_symbols(reading: Reading) -> list[DefineSymbol]:
    return list(reading.core.directory.symbols.values())
