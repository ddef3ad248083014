"""The venue a recording came from, as far as the recording tells: filters, prices, assets.

A rulebook's filters fit its own venue's instruments. A flow from elsewhere gets the tick, lot and
notional limits its own orders keep, so that no filter refuses what its venue accepted.
"""

import heapq
from math import gcd
from statistics import median_low
from typing import Any, Final

from gateway.flows.course import Course
from gateway.flows.reader import ROW_AMEND, ROW_FILL, ROW_NEW, Flow
from rules.units import decimal_text
from rules.values import BUY, NS_PER_SECOND, notional_e8

_SEPARATORS: Final = ("-", "/", "_")
_QUOTE_ASSETS: Final = ("USDT", "USDC", "USD", "EUR", "GBP", "JPY", "KRW", "AUD", "BTC", "ETH")
_UNNAMED_QUOTE: Final = "CASH"

CROSSED_LONGEST_NS: Final = NS_PER_SECOND
"""A crossing that lasts longer than this is a left-over order, not a trade in progress."""


class Listing:
    """One instrument of a flow: the limits its orders keep, in 1e-8 units, and where it opened."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.tick_e8 = 0
        self.step_e8 = 0
        self.highest_price_e8 = 0
        self.largest_quantity_e8 = 0
        self.least_notional_e8 = -1
        self.first_trade_e8 = 0
        self._submitted_e8: list[int] = []

    def add_price(self, price_e8: int) -> None:
        """Take up one price that was quoted or traded."""
        self.tick_e8 = gcd(self.tick_e8, price_e8)
        self.highest_price_e8 = max(self.highest_price_e8, price_e8)

    def add_order(self, price_e8: int, quantity_e8: int) -> None:
        """Take up the price and total quantity of one order."""
        self.add_price(price_e8)
        self.step_e8 = gcd(self.step_e8, quantity_e8)
        self.largest_quantity_e8 = max(self.largest_quantity_e8, quantity_e8)
        worth_e8 = notional_e8(price_e8, quantity_e8)
        if self.least_notional_e8 < 0 or worth_e8 < self.least_notional_e8:
            self.least_notional_e8 = worth_e8
        self._submitted_e8.append(price_e8)

    @property
    def opening_price_e8(self) -> int:
        """The first trade's price; the median price of all orders where nothing traded."""
        if self.first_trade_e8 or not self._submitted_e8:
            return self.first_trade_e8
        return median_low(self._submitted_e8)

    def changes(self) -> dict[str, Any]:
        """Return the instrument's table of a rulebook."""
        tick, step = decimal_text(self.tick_e8), decimal_text(self.step_e8)
        highest = decimal_text(self.highest_price_e8)
        largest = decimal_text(self.largest_quantity_e8)
        least = decimal_text(max(self.least_notional_e8, 0))
        return {
            "min_price": tick,
            "max_price": highest,
            "tick_size": tick,
            "min_quantity": step,
            "max_quantity": largest,
            "step_size": step,
            "market_min_quantity": step,
            "market_max_quantity": largest,
            "market_step_size": step,
            "min_notional": least,
            "notional_min": least,
            "notional_max": "0",
        }

    def assets(self) -> tuple[str, str]:
        """Return names for the base and quote asset, read off the symbol's name."""
        for separator in _SEPARATORS:
            base, found, quote = self.symbol.partition(separator)
            if found and base and quote:
                return base, quote
        for quote in _QUOTE_ASSETS:
            base = self.symbol.removesuffix(quote)
            if base and base != self.symbol:
                return base, quote
        return self.symbol, _UNNAMED_QUOTE


def listings(flow: Flow, course: Course) -> dict[str, Listing]:
    """Return the instruments of a flow by name."""
    found: dict[str, Listing] = {}
    for index, row in enumerate(flow.rows):
        listing = found.get(row.symbol)
        if listing is None:
            listing = found[row.symbol] = Listing(row.symbol)
        if row.kind == ROW_NEW or (row.kind == ROW_AMEND and course.total_e8[index]):
            listing.add_order(row.price_e8, course.total_e8[index])
        elif row.price_e8 and row.kind == ROW_FILL:
            listing.add_price(row.price_e8)
            listing.step_e8 = gcd(listing.step_e8, row.quantity_e8)
            listing.first_trade_e8 = listing.first_trade_e8 or row.price_e8
        elif course.total_e8[index]:
            listing.step_e8 = gcd(listing.step_e8, course.total_e8[index])
        taker = course.takers.get(index)
        if taker is not None:
            listing.add_order(taker.price_e8, taker.quantity_e8)
    return found


class TopOfBook:
    """Best bid and offer of one symbol, from the orders a recording shows.

    A recording does not show every order's end, so some stay behind and cross the market for
    good. A crossing that lasts is resolved by dropping the level that has been there longer; a
    short one is a trade whose fills are recorded a moment later.
    """

    def __init__(self) -> None:
        self._quantities: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._since_ns: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._heaps: tuple[list[int], list[int]] = ([], [])
        self._crossed_ns = 0

    def add(self, side: int, price_e8: int, quantity_e8: int, now_ns: int) -> None:
        """Add quantity (below zero: take it off) at a price."""
        which = 0 if side == BUY else 1
        levels = self._quantities[which]
        before = levels.get(price_e8)
        left = (before or 0) + quantity_e8
        if left > 0:
            if before is None:
                heapq.heappush(self._heaps[which], -price_e8 if side == BUY else price_e8)
            if not before:
                self._since_ns[which][price_e8] = now_ns
            levels[price_e8] = left
        elif before is not None:
            # The heap keeps the price until it comes to the top; 0 marks the level as empty.
            levels[price_e8] = 0

    def best(self, now_ns: int) -> tuple[int, int, int, int] | None:
        """Return bid, its quantity, ask, its quantity; zeros for a side that is empty.

        None while a crossing is too young to tell which side is right.
        """
        while True:
            bid_e8, bid_quantity_e8 = self._top(0, -1)
            ask_e8, ask_quantity_e8 = self._top(1, 1)
            if not bid_e8 or not ask_e8 or bid_e8 < ask_e8:
                self._crossed_ns = 0
                return bid_e8, bid_quantity_e8, ask_e8, ask_quantity_e8
            self._crossed_ns = self._crossed_ns or now_ns
            if now_ns - self._crossed_ns < CROSSED_LONGEST_NS:
                return None
            bids_since, asks_since = self._since_ns
            if bids_since[bid_e8] <= asks_since[ask_e8]:
                self._quantities[0][bid_e8] = 0
            else:
                self._quantities[1][ask_e8] = 0

    def levels(self, count: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Return the best bids and offers, at most `count` of each, as (price, quantity)."""
        bids, asks = (
            [(price_e8, left) for price_e8, left in side.items() if left]
            for side in self._quantities
        )
        return tuple(heapq.nlargest(count, bids)), tuple(heapq.nsmallest(count, asks))

    def _top(self, which: int, sign: int) -> tuple[int, int]:
        heap, levels = self._heaps[which], self._quantities[which]
        while heap:
            price_e8 = sign * heap[0]
            if levels[price_e8]:
                return price_e8, levels[price_e8]
            heapq.heappop(heap)
            del levels[price_e8]
            del self._since_ns[which][price_e8]
        return 0, 0
