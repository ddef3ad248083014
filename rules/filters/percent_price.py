"""PERCENT_PRICE: band of an order's price around the average price."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.terms import average_price_e8, repriced
from rules.valuation import UNPRICED
from rules.values import E8, MARKET


class PercentPrice(Rule):
    """A price must lie between two multiples of the average price, bounds included.

    In a symbol that was never traded there is no average price: market orders are refused, and
    orders with a price pass. An amend is judged when it changes the price.
    """

    name = "percent_price"
    stage = LIMIT
    reasons = (Reason.PERCENT_PRICE, Reason.REFERENCE_PRICE_MISSING)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, Filters: PERCENT_PRICE; Market Orders FAQ"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the price is out of the band."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        up_e8 = facts.filters.percent_price_up_e8
        down_e8 = facts.filters.percent_price_down_e8
        if not (up_e8 or down_e8):
            return None
        average_e8 = average_price_e8(facts, now_ns)
        if event.order_type in UNPRICED:
            if average_e8 or event.order_type != MARKET:
                return None
            return first_breach(self.explain(event, book, now_ns))
        price_e16 = event.price_e8 * E8
        if not average_e8 or (
            average_e8 * down_e8 <= price_e16 and (not up_e8 or price_e16 <= average_e8 * up_e8)
        ):
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the band's two prices, rounded inwards, and the order's own."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return ()
        facts = book.symbols[event.symbol]
        up_e8 = facts.filters.percent_price_up_e8
        down_e8 = facts.filters.percent_price_down_e8
        if not (up_e8 or down_e8):
            return ()
        average_e8 = average_price_e8(facts, now_ns)
        name = self.name
        if event.order_type == MARKET:
            traded = average_e8 > 0
            return (look(name, traded, Reason.REFERENCE_PRICE_MISSING, 0, average_e8, "average"),)
        if event.order_type in UNPRICED or not average_e8:
            return ()
        price_e8 = event.price_e8
        looks = []
        if down_e8:
            lowest_e8 = -(-average_e8 * down_e8 // E8)
            passed = price_e8 >= lowest_e8
            looks.append(look(name, passed, Reason.PERCENT_PRICE, lowest_e8, price_e8, "lowest"))
        if up_e8:
            highest_e8 = average_e8 * up_e8 // E8
            passed = price_e8 <= highest_e8
            looks.append(look(name, passed, Reason.PERCENT_PRICE, highest_e8, price_e8, "highest"))
        return tuple(looks)
