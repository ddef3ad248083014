"""PERCENT_PRICE_BY_SIDE: band of an order's price around the average price, by side."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.instruments import Filters
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.terms import average_price_e8, repriced
from rules.valuation import UNPRICED
from rules.values import BUY, E8, MARKET


class PercentPriceBySide(Rule):
    """A price must lie between two multiples of the average price that depend on the side.

    Both bounds are included. In a symbol that was never traded there is no average price: market
    orders are refused, and orders with a price pass. An amend is judged when it changes the price.
    """

    name = "percent_price_by_side"
    stage = LIMIT
    reasons = (Reason.PERCENT_PRICE_BY_SIDE, Reason.REFERENCE_PRICE_MISSING)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, Filters: PERCENT_PRICE_BY_SIDE; Market Orders FAQ"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the price is out of its side's band."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        up_e8, down_e8 = _multipliers_e8(event.side, facts.filters)
        if not (up_e8 or down_e8):
            return None
        average_e8 = average_price_e8(facts, now_ns)
        if event.order_type in UNPRICED:
            if average_e8 or event.order_type != MARKET:
                return None
            return first_breach(self.explain(event, book, now_ns))
        price_e16 = event.price_e8 * E8
        if not average_e8 or (
            (not down_e8 or average_e8 * down_e8 <= price_e16)
            and (not up_e8 or price_e16 <= average_e8 * up_e8)
        ):
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the two prices of the side's band, rounded inwards, and the order's own."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return ()
        facts = book.symbols[event.symbol]
        up_e8, down_e8 = _multipliers_e8(event.side, facts.filters)
        if not (up_e8 or down_e8):
            return ()
        average_e8 = average_price_e8(facts, now_ns)
        name = self.name
        reason = Reason.PERCENT_PRICE_BY_SIDE
        if event.order_type == MARKET:
            traded = average_e8 > 0
            return (look(name, traded, Reason.REFERENCE_PRICE_MISSING, 0, average_e8, "average"),)
        if event.order_type in UNPRICED or not average_e8:
            return ()
        price_e8 = event.price_e8
        looks = []
        if down_e8:
            lowest_e8 = -(-average_e8 * down_e8 // E8)
            looks.append(look(name, price_e8 >= lowest_e8, reason, lowest_e8, price_e8, "lowest"))
        if up_e8:
            highest_e8 = average_e8 * up_e8 // E8
            looks.append(
                look(name, price_e8 <= highest_e8, reason, highest_e8, price_e8, "highest")
            )
        return tuple(looks)


def _multipliers_e8(side: int, filters: Filters) -> tuple[int, int]:
    if side == BUY:
        return filters.bid_multiplier_up_e8, filters.bid_multiplier_down_e8
    return filters.ask_multiplier_up_e8, filters.ask_multiplier_down_e8
