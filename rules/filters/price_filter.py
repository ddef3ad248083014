"""PRICE_FILTER: range and tick of an order's price and stop price."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.instruments import Filters
from rules.kinds import AMEND, PLACE
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.terms import Terms, repriced, stop_price_e8
from rules.valuation import UNPRICED


class PriceFilter(Rule):
    """A price must lie in the symbol's range and on its tick.

    The tick is counted from 0, not from the lowest price. A price that is not above 0 is refused
    also where the range is turned off. Orders without a price of their own are judged by their
    stop price only; an amend is judged when it changes the price.
    """

    name = "price_filter"
    stage = LIMIT
    reasons = (Reason.PRICE_MIN, Reason.PRICE_MAX, Reason.PRICE_TICK)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, Filters: PRICE_FILTER"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when price or stop price is out of range or off the tick."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return None
        filters = book.symbols[event.symbol].filters
        if event.order_type not in UNPRICED and not _fits(event.price_e8, filters):
            return first_breach(_explain(event, filters))
        if type(event) is PLACE and event.stop_price_e8 and not _fits(event.stop_price_e8, filters):
            return first_breach(_explain(event, filters))
        return None

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return lowest and highest price and tick, for the price and then the stop price."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return ()
        return _explain(event, book.symbols[event.symbol].filters)


def _fits(price_e8: int, filters: Filters) -> bool:
    if price_e8 < (filters.min_price_e8 or 1):
        return False
    if filters.max_price_e8 and price_e8 > filters.max_price_e8:
        return False
    return not (filters.tick_e8 and price_e8 % filters.tick_e8)


def _explain(terms: Terms, filters: Filters) -> tuple[Explanation, ...]:
    explanations: list[Explanation] = []
    if terms.order_type not in UNPRICED:
        explanations += _explain_price(terms.price_e8, filters, "price")
    stop_e8 = stop_price_e8(terms)
    if stop_e8:
        explanations += _explain_price(stop_e8, filters, "stop price")
    return tuple(explanations)


def _explain_price(price_e8: int, filters: Filters, what: str) -> list[Explanation]:
    lowest_e8 = filters.min_price_e8 or 1
    highest_e8 = filters.max_price_e8
    tick_e8 = filters.tick_e8
    name = PriceFilter.name
    looks = [look(name, price_e8 >= lowest_e8, Reason.PRICE_MIN, lowest_e8, price_e8, what)]
    if highest_e8:
        looks.append(
            look(name, price_e8 <= highest_e8, Reason.PRICE_MAX, highest_e8, price_e8, what)
        )
    if tick_e8:
        looks.append(
            look(name, price_e8 % tick_e8 == 0, Reason.PRICE_TICK, tick_e8, price_e8, what)
        )
    return looks
