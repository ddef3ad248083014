"""A recorded order's price and quantity in the terms of another venue's instrument.

Prices are scaled by one ratio, the target's price level over the recording's opening price, so
every order keeps its distance to the market as a share of it, which is what collars and percent
filters measure. Quantities are scaled so that the recording's median order is worth a stated
amount at the target. Both are then rounded to the target's filters; everything is exact integers.
"""

from statistics import median_low
from typing import Any, Final, NamedTuple

from gateway.flows.course import Course
from gateway.flows.reader import ROW_NEW, Flow
from gateway.flows.venue import Listing
from rules.units import decimal_e8
from rules.values import BUY, E8, notional_up_e8

MEDIAN_NOTIONALS: Final = 10
"""The median order is worth so many times the target's least notional, unless told otherwise."""


class TargetFilters(NamedTuple):
    """What a Binance-style `exchangeInfo` says of one symbol, in 1e-8 units; 0 means no limit."""

    symbol: str
    tick_e8: int
    min_price_e8: int
    max_price_e8: int
    step_e8: int
    min_quantity_e8: int
    max_quantity_e8: int
    min_notional_e8: int


def target_filters(symbol: dict[str, Any]) -> TargetFilters:
    """Return the filters of one entry of `symbols`; raises ValueError, KeyError on other forms."""
    filters = {entry["filterType"]: entry for entry in symbol["filters"]}
    price = filters.get("PRICE_FILTER", {})
    lot = filters.get("LOT_SIZE", {})
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return TargetFilters(
        symbol["symbol"],
        decimal_e8(price.get("tickSize", "0")),
        decimal_e8(price.get("minPrice", "0")),
        decimal_e8(price.get("maxPrice", "0")),
        decimal_e8(lot.get("stepSize", "0")),
        decimal_e8(lot.get("minQty", "0")),
        decimal_e8(lot.get("maxQty", "0")),
        decimal_e8(notional.get("minNotional", "0")),
    )


class Scale:
    """Turns prices and quantities of one recorded instrument into those of a target's."""

    def __init__(
        self,
        filters: TargetFilters,
        level_e8: int,
        listing: Listing,
        median_notional_e8: int,
        wanted_notional_e8: int,
    ) -> None:
        """`level_e8` is the target's price now; notionals are in the two venues' quote assets."""
        self.filters = filters
        self._level_e8 = level_e8
        self._opening_e8 = listing.opening_price_e8
        wanted = wanted_notional_e8 or MEDIAN_NOTIONALS * filters.min_notional_e8 or E8
        # quantity x price of the target = quantity x price of the recording x wanted / median.
        self._quantity_up = wanted * listing.opening_price_e8
        self._quantity_down = max(median_notional_e8, 1) * level_e8

    def price_e8(self, side: int, price_e8: int) -> int:
        """Return a price the target accepts, rounded away from the market."""
        filters = self.filters
        tick_e8 = filters.tick_e8 or 1
        scaled = price_e8 * self._level_e8
        unit = self._opening_e8 * tick_e8
        ticks = scaled // unit if side == BUY else -(-scaled // unit)
        lowest = -(-max(filters.min_price_e8, tick_e8) // tick_e8)
        highest = filters.max_price_e8 // tick_e8 if filters.max_price_e8 else ticks
        return min(max(ticks, lowest), max(highest, lowest)) * tick_e8

    def quantity_e8(self, price_e8: int, quantity_e8: int) -> int:
        """Return a quantity the target accepts at `price_e8` (a price of the target)."""
        filters = self.filters
        step_e8 = filters.step_e8 or 1
        steps = quantity_e8 * self._quantity_up // (self._quantity_down * step_e8)
        least_e8 = max(filters.min_quantity_e8, -(-filters.min_notional_e8 * E8 // price_e8))
        steps = max(steps, -(-least_e8 // step_e8), 1)
        if filters.max_quantity_e8:
            steps = min(steps, filters.max_quantity_e8 // step_e8)
        return steps * step_e8


def median_notionals_e8(flow: Flow, course: Course) -> dict[str, int]:
    """Return what the median order of each symbol is worth."""
    worth: dict[str, list[int]] = {}
    for index, row in enumerate(flow.rows):
        if row.kind == ROW_NEW:
            notional_e8 = notional_up_e8(row.price_e8, course.total_e8[index])
            worth.setdefault(row.symbol, []).append(notional_e8)
    return {symbol: median_low(values) for symbol, values in worth.items()}
