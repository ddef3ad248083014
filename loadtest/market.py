"""The target's market: what may be traded, in what steps, and at what price just now."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from loadtest.units import LoadTestError

TIME_PATH: Final = "/api/v3/time"
EXCHANGE_INFO_PATH: Final = "/api/v3/exchangeInfo"
BOOK_TICKER_PATH: Final = "/api/v3/ticker/bookTicker"
_TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999."""
_NUMBER_MAX: Final = Decimal(10) ** 15
"""Larger prices, steps and amounts are none that a venue means."""
_UNREADABLE: Final = (
    "the target's market can't be read as Binance's exchangeInfo and ticker/bookTicker"
)
_NOTIONAL_MARGIN: Final = Decimal("1.2")
"""Orders are worth so much of the least notional at least, since averages move."""


class Market(NamedTuple):
    """One symbol of the target."""

    symbol: str
    tick: Decimal
    step: Decimal
    quantity_min: Decimal
    notional_min: Decimal
    bid: Decimal
    ask: Decimal
    base: str = ""
    """Name of the asset that is traded."""
    quote: str = ""
    """Name of the asset it is paid in."""

    def price_text(self, price: Decimal, *, up: bool) -> str:
        """Return a price on the tick grid, at least one tick."""
        return str(max(self._on_grid(price, self.tick, up=up), self.tick))

    def quantity_text(self, notional: Decimal, price: Decimal) -> str:
        """Return a quantity on the lot grid, worth `notional` or what the filters ask for."""
        worth = max(notional, self.notional_min * _NOTIONAL_MARGIN)
        return str(max(self._on_grid(worth / price, self.step, up=True), self.quantity_min))

    def _on_grid(self, value: Decimal, step: Decimal, *, up: bool) -> Decimal:
        """Return the multiple of a step next to a value, without an exponent."""
        rounding = ROUND_CEILING if up else ROUND_FLOOR
        try:
            return ((value / step).to_integral_value(rounding) * step).quantize(step)
        except InvalidOperation:
            raise LoadTestError(
                f"symbol `{self.symbol}`: {value} has too many digits in steps of {step}"
            ) from None


def read_time_ms(answer: Any) -> int:
    """Return the clock in a decoded answer; raises KeyError, TypeError or ValueError."""
    time_ms = int(answer["serverTime"])
    if not 0 <= time_ms <= _TIME_MS_MAX:
        raise ValueError(f"{time_ms} is no time")
    return time_ms


def read_markets(info: Any, tickers: Any, wanted: Sequence[str]) -> list[Market]:
    """Return the wanted symbols, or the first one that trades and has prices on both sides.

    `info` and `tickers` are the decoded answers of exchangeInfo and bookTicker. Raises
    LoadTestError when they can't be read, or a symbol is missing or has no price.
    """
    try:
        prices = {
            entry["symbol"]: (_number(entry["bidPrice"]), _number(entry["askPrice"]))
            for entry in tickers
        }
        offered = {
            entry["symbol"]: _market(entry, *prices.get(entry["symbol"], (Decimal(), Decimal())))
            for entry in info["symbols"]
            if entry["status"] == "TRADING"
        }
    except KeyError as error:
        raise LoadTestError(f"{_UNREADABLE}: it lacks `{error.args[0]}`") from None
    except InvalidOperation:
        raise LoadTestError(f"{_UNREADABLE}: it has a number that is none") from None
    except (TypeError, ValueError) as error:
        raise LoadTestError(f"{_UNREADABLE}: {error}") from None
    priced = {name: market for name, market in offered.items() if market.bid and market.ask}
    for symbol in wanted:
        if symbol not in priced:
            known = ", ".join(list(priced)[:20]) or "none"
            raise LoadTestError(
                f"symbol `{symbol}` does not trade at the target with a bid and an ask; "
                f"there is {known}"
            )
    chosen = [priced[symbol] for symbol in wanted] or list(priced.values())[:1]
    if not chosen:
        raise LoadTestError("no symbol of the target trades with a bid and an ask")
    return chosen


def _market(entry: Any, bid: Decimal, ask: Decimal) -> Market:
    filters = {item["filterType"]: item for item in entry["filters"]}
    notional = Decimal()
    for name in ("NOTIONAL", "MIN_NOTIONAL"):
        notional = max(notional, _number(filters.get(name, {}).get("minNotional", "0")))
    step = _number(filters["LOT_SIZE"]["stepSize"])
    least = _number(filters["LOT_SIZE"]["minQty"])
    tick = _number(filters["PRICE_FILTER"]["tickSize"])
    if tick <= 0 or step <= 0:
        raise ValueError(f"{entry['symbol']} has tick {tick} and step {step}")
    assets = str(entry.get("baseAsset", "")), str(entry.get("quoteAsset", ""))
    return Market(entry["symbol"], tick, step, max(least, step), notional, bid, ask, *assets)


def _number(text: Any) -> Decimal:
    """Return a price, step or amount; raises what Decimal does, and ValueError for none of them."""
    number = Decimal(text)
    if not number.is_finite() or not 0 <= number < _NUMBER_MAX:
        raise ValueError(f"{text} is no price or amount")
    return number
