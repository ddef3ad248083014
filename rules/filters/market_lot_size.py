"""MARKET_LOT_SIZE: range and step of a market order's quantity."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.terms import resized
from rules.values import MARKET


class MarketLotSize(Rule):
    """The quantity of a market order must lie in the symbol's market range and on its step.

    It holds in addition to LOT_SIZE. Market orders given by an amount of quote asset are not
    judged.
    """

    name = "market_lot_size"
    stage = LIMIT
    reasons = (
        Reason.MARKET_QUANTITY_MIN,
        Reason.MARKET_QUANTITY_MAX,
        Reason.MARKET_QUANTITY_STEP,
    )
    wants = (Place, Replace, Amend)
    unpriced_only = True
    source = "Binance Spot API, Filters: MARKET_LOT_SIZE"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when a market order's quantity is out of range or off the step."""
        if type(event) is AMEND:
            event = resized(event, book)
            if event is None:
                return None
        if event.order_type != MARKET or event.quote_quantity_e8:
            return None
        filters = book.symbols[event.symbol].filters
        quantity_e8 = event.quantity_e8
        greatest_e8 = filters.market_max_quantity_e8
        step_e8 = filters.market_step_e8
        if (
            quantity_e8 >= filters.market_min_quantity_e8
            and (not greatest_e8 or quantity_e8 <= greatest_e8)
            and not (step_e8 and quantity_e8 % step_e8)
        ):
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return least and greatest quantity and step of a market order given by quantity."""
        if type(event) is AMEND:
            event = resized(event, book)
            if event is None:
                return ()
        if event.order_type != MARKET or event.quote_quantity_e8:
            return ()
        filters = book.symbols[event.symbol].filters
        quantity_e8 = event.quantity_e8
        least_e8 = filters.market_min_quantity_e8
        greatest_e8 = filters.market_max_quantity_e8
        step_e8 = filters.market_step_e8
        name = self.name
        looks = []
        if least_e8:
            passed = quantity_e8 >= least_e8
            looks.append(look(name, passed, Reason.MARKET_QUANTITY_MIN, least_e8, quantity_e8))
        if greatest_e8:
            passed = quantity_e8 <= greatest_e8
            looks.append(look(name, passed, Reason.MARKET_QUANTITY_MAX, greatest_e8, quantity_e8))
        if step_e8:
            passed = quantity_e8 % step_e8 == 0
            looks.append(look(name, passed, Reason.MARKET_QUANTITY_STEP, step_e8, quantity_e8))
        return tuple(looks)
