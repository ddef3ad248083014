"""Maximum order volume: how much one order may buy or sell."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import Amended, amended
from rules.values import E8


class OrderSize(Rule):
    """An order's total quantity must not pass the symbol's maximum.

    The total counts, not the visible part of an iceberg order nor what is left of a filled one. An
    order given by an amount of quote asset is judged by the most it could buy or sell, at the
    lowest price it could reach; without a reference it has no bound and is refused. An amend is
    judged when it raises the quantity: one that lowers it takes risk off, also from an order that
    was accepted under a wider limit.
    """

    name = "order_size"
    stage = LIMIT
    reasons = (Reason.ORDER_SIZE, Reason.VALUE_UNBOUNDED)
    wants = (Place, Replace, Amend)
    source = "RTS 6 (EU 2017/589) Art. 15(1)(c); RTS 7 (EU 2017/584) Art. 20(1)(c)"

    def __init__(self, rulebook: Rulebook) -> None:
        self._valuation = rulebook.valuation

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the quantity, or the most it could be, is too large."""
        if type(event) is AMEND:
            event = _raised(event, book)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        greatest_e8 = facts.filters.max_order_quantity_e8
        if not greatest_e8:
            return None
        if not event.quote_quantity_e8:
            if event.quantity_e8 <= greatest_e8:
                return None
        else:
            lowest_e8 = self._valuation.lowest_price_e8(event.side, facts, now_ns)
            if lowest_e8 and event.quote_quantity_e8 * E8 <= greatest_e8 * lowest_e8:
                return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the maximum and the order's quantity, or the most it could be."""
        if type(event) is AMEND:
            event = _raised(event, book)
            if event is None:
                return ()
        facts = book.symbols[event.symbol]
        greatest_e8 = facts.filters.max_order_quantity_e8
        if not greatest_e8:
            return ()
        name = self.name
        quantity_e8 = event.quantity_e8
        if event.quote_quantity_e8:
            lowest_e8 = self._valuation.lowest_price_e8(event.side, facts, now_ns)
            if not lowest_e8:
                detail = "no reference price"
                return (look(name, False, Reason.VALUE_UNBOUNDED, greatest_e8, 0, detail),)
            quantity_e8 = -(-event.quote_quantity_e8 * E8 // lowest_e8)
        passed = quantity_e8 <= greatest_e8
        return (look(name, passed, Reason.ORDER_SIZE, greatest_e8, quantity_e8),)


def _raised(event: Amend, book: Book) -> Amended | None:
    terms = amended(event, book)
    if terms is None or terms.quantity_e8 <= terms.order.quantity_e8:
        return None
    return terms
