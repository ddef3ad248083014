"""NOTIONAL: least and greatest value of an order."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.terms import NO_PRICE, amended, market_notional_e16
from rules.valuation import UNPRICED
from rules.values import E8


class Notional(Rule):
    """Price times quantity must lie in the symbol's range of notionals.

    Orders without a price of their own are judged by each bound only where it applies to market
    orders: by their amount of quote asset, else at the average price; with neither they are
    refused. An amend is judged by the order's new total.
    """

    name = "notional"
    stage = LIMIT
    reasons = (Reason.NOTIONAL_MIN, Reason.NOTIONAL_MAX, Reason.REFERENCE_PRICE_MISSING)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, Filters: NOTIONAL"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the notional is out of range or can't be told."""
        if type(event) is AMEND:
            event = amended(event, book)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        filters = facts.filters
        least_e8 = filters.notional_min_e8
        greatest_e8 = filters.notional_max_e8
        if event.order_type not in UNPRICED:
            notional_e16 = event.price_e8 * event.quantity_e8
        else:
            if not filters.notional_min_applies_to_market:
                least_e8 = 0
            if not filters.notional_max_applies_to_market:
                greatest_e8 = 0
            if not (least_e8 or greatest_e8):
                return None
            notional_e16 = market_notional_e16(event, facts, now_ns)
            if notional_e16 == NO_PRICE:
                return first_breach(self.explain(event, book, now_ns))
        if (not least_e8 or notional_e16 >= least_e8 * E8) and (
            not greatest_e8 or notional_e16 <= greatest_e8 * E8
        ):
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return least and greatest notional and the order's own, rounded towards a breach."""
        if type(event) is AMEND:
            event = amended(event, book)
            if event is None:
                return ()
        facts = book.symbols[event.symbol]
        filters = facts.filters
        unpriced = event.order_type in UNPRICED
        least_e8 = filters.notional_min_e8
        if unpriced and not filters.notional_min_applies_to_market:
            least_e8 = 0
        greatest_e8 = filters.notional_max_e8
        if unpriced and not filters.notional_max_applies_to_market:
            greatest_e8 = 0
        if not (least_e8 or greatest_e8):
            return ()
        name = self.name
        if unpriced:
            notional_e16 = market_notional_e16(event, facts, now_ns)
            if notional_e16 == NO_PRICE:
                limit_e8 = least_e8 or greatest_e8
                detail = "never traded"
                return (look(name, False, Reason.REFERENCE_PRICE_MISSING, limit_e8, 0, detail),)
        else:
            notional_e16 = event.price_e8 * event.quantity_e8
        looks = []
        if least_e8:
            down_e8 = notional_e16 // E8
            looks.append(look(name, down_e8 >= least_e8, Reason.NOTIONAL_MIN, least_e8, down_e8))
        if greatest_e8:
            up_e8 = -(-notional_e16 // E8)
            looks.append(look(name, up_e8 <= greatest_e8, Reason.NOTIONAL_MAX, greatest_e8, up_e8))
        return tuple(looks)
