"""MIN_NOTIONAL: least value of an order."""

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


class MinNotional(Rule):
    """Price times quantity must reach the symbol's least notional.

    Orders without a price of their own are judged only where the filter applies to market orders:
    by their amount of quote asset, else at the average price; with neither they are refused. An
    amend is judged by the order's new total.
    """

    name = "min_notional"
    stage = LIMIT
    reasons = (Reason.MIN_NOTIONAL, Reason.REFERENCE_PRICE_MISSING)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, Filters: MIN_NOTIONAL"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the notional is too small or can't be told."""
        if type(event) is AMEND:
            event = amended(event, book)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        filters = facts.filters
        least_e8 = filters.min_notional_e8
        if not least_e8:
            return None
        if event.order_type not in UNPRICED:
            notional_e16 = event.price_e8 * event.quantity_e8
        elif filters.min_notional_applies_to_market:
            notional_e16 = market_notional_e16(event, facts, now_ns)
        else:
            return None
        if notional_e16 >= least_e8 * E8:
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the least notional and the order's own, rounded down."""
        if type(event) is AMEND:
            event = amended(event, book)
            if event is None:
                return ()
        facts = book.symbols[event.symbol]
        filters = facts.filters
        least_e8 = filters.min_notional_e8
        if not least_e8:
            return ()
        if event.order_type not in UNPRICED:
            notional_e16 = event.price_e8 * event.quantity_e8
        elif filters.min_notional_applies_to_market:
            notional_e16 = market_notional_e16(event, facts, now_ns)
            if notional_e16 == NO_PRICE:
                detail = "never traded"
                return (
                    look(self.name, False, Reason.REFERENCE_PRICE_MISSING, least_e8, 0, detail),
                )
        else:
            return ()
        observed_e8 = notional_e16 // E8
        passed = observed_e8 >= least_e8
        return (look(self.name, passed, Reason.MIN_NOTIONAL, least_e8, observed_e8),)
