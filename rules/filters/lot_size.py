"""LOT_SIZE: range and step of an order's quantity and of its visible part."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.instruments import Filters
from rules.kinds import AMEND, PLACE
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.terms import Terms, resized
from rules.values import MARKET


class LotSize(Rule):
    """A quantity must lie in the symbol's range and on its step.

    Judged are all orders given by quantity, market orders too, and the visible quantity of an
    iceberg order; an amend when it changes the quantity. A market order given by an amount of
    quote asset is not judged: the engine picks a quantity that fits. A quantity that is not above
    0 is refused also where the range is turned off.
    """

    name = "lot_size"
    stage = LIMIT
    reasons = (Reason.QUANTITY_MIN, Reason.QUANTITY_MAX, Reason.QUANTITY_STEP)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, Filters: LOT_SIZE"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when quantity or visible quantity is out of range or off the step."""
        if type(event) is AMEND:
            event = resized(event, book)
            if event is None:
                return None
        elif event.order_type == MARKET and event.quote_quantity_e8:
            return None
        filters = book.symbols[event.symbol].filters
        if not _fits(event.quantity_e8, filters):
            return first_breach(_explain(event, filters))
        if (
            type(event) is PLACE
            and event.iceberg_quantity_e8
            and not _fits(event.iceberg_quantity_e8, filters)
        ):
            return first_breach(_explain(event, filters))
        return None

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return least and greatest quantity and step, then the same of the visible quantity."""
        if type(event) is AMEND:
            event = resized(event, book)
            if event is None:
                return ()
        elif event.order_type == MARKET and event.quote_quantity_e8:
            return ()
        return _explain(event, book.symbols[event.symbol].filters)


def _iceberg_quantity_e8(terms: Terms) -> int:
    return terms.iceberg_quantity_e8 if isinstance(terms, Place) else 0


def _fits(quantity_e8: int, filters: Filters) -> bool:
    if quantity_e8 < (filters.min_quantity_e8 or 1):
        return False
    if filters.max_quantity_e8 and quantity_e8 > filters.max_quantity_e8:
        return False
    return not (filters.step_e8 and quantity_e8 % filters.step_e8)


def _explain(terms: Terms, filters: Filters) -> tuple[Explanation, ...]:
    explanations = _explain_quantity(terms.quantity_e8, filters, "quantity")
    iceberg_e8 = _iceberg_quantity_e8(terms)
    if iceberg_e8:
        explanations += _explain_quantity(iceberg_e8, filters, "iceberg quantity")
    return tuple(explanations)


def _explain_quantity(quantity_e8: int, filters: Filters, what: str) -> list[Explanation]:
    least_e8 = filters.min_quantity_e8 or 1
    greatest_e8 = filters.max_quantity_e8
    step_e8 = filters.step_e8
    name = LotSize.name
    looks = [look(name, quantity_e8 >= least_e8, Reason.QUANTITY_MIN, least_e8, quantity_e8, what)]
    if greatest_e8:
        passed = quantity_e8 <= greatest_e8
        looks.append(look(name, passed, Reason.QUANTITY_MAX, greatest_e8, quantity_e8, what))
    if step_e8:
        passed = quantity_e8 % step_e8 == 0
        looks.append(look(name, passed, Reason.QUANTITY_STEP, step_e8, quantity_e8, what))
    return looks
