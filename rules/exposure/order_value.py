"""Maximum order value: how much money one order may move."""

from typing import Any, Final

from rules.book import Book, SymbolFacts
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import Amended, Terms, amended, stop_price_e8
from rules.valuation import UNPRICED, Valuation
from rules.values import E8

_NO_BOUND: Final = -1


class OrderValue(Rule):
    """An order's value at the worst price it could reach must not pass the symbol's maximum.

    The total quantity counts. A market order is valued at its price bound, never at 0; without a
    reference it has no bound and is refused. An order given by an amount of quote asset is worth
    that amount. An amend is judged when it raises the value: one that lowers it takes risk off,
    also from an order that was accepted under a wider limit.
    """

    name = "order_value"
    stage = LIMIT
    reasons = (Reason.ORDER_VALUE, Reason.VALUE_UNBOUNDED)
    wants = (Place, Replace, Amend)
    source = "RTS 6 (EU 2017/589) Art. 15(1)(b); RTS 7 (EU 2017/584) Art. 20(1)(b)"

    def __init__(self, rulebook: Rulebook) -> None:
        self._valuation = rulebook.valuation

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the value is too large or has no bound."""
        if type(event) is AMEND:
            event = _raised(self._valuation, event, book, now_ns)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        greatest_e8 = facts.filters.max_order_value_e8
        if not greatest_e8:
            return None
        value_e16 = _value_e16(self._valuation, event, facts, now_ns)
        if value_e16 != _NO_BOUND and value_e16 <= greatest_e8 * E8:
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the maximum and the order's value, rounded up."""
        if type(event) is AMEND:
            event = _raised(self._valuation, event, book, now_ns)
            if event is None:
                return ()
        facts = book.symbols[event.symbol]
        greatest_e8 = facts.filters.max_order_value_e8
        if not greatest_e8:
            return ()
        name = self.name
        value_e16 = _value_e16(self._valuation, event, facts, now_ns)
        if value_e16 == _NO_BOUND:
            detail = "no reference price"
            return (look(name, False, Reason.VALUE_UNBOUNDED, greatest_e8, 0, detail),)
        value_e8 = -(-value_e16 // E8)
        return (look(name, value_e8 <= greatest_e8, Reason.ORDER_VALUE, greatest_e8, value_e8),)


def _value_e16(valuation: Valuation, terms: Terms, facts: SymbolFacts, now_ns: int) -> int:
    """Return the order's value at its worst price in 1e-16 units, `_NO_BOUND` without one."""
    if terms.quote_quantity_e8:
        return terms.quote_quantity_e8 * E8
    worst_e8 = valuation.worst_price_e8(
        terms.side, terms.order_type, terms.price_e8, facts, now_ns, stop_price_e8(terms)
    )
    if not worst_e8 and terms.order_type in UNPRICED:
        return _NO_BOUND
    return worst_e8 * terms.quantity_e8


def _raised(valuation: Valuation, event: Amend, book: Book, now_ns: int) -> Amended | None:
    """Return the terms an amend leads to, None when they are not worth more than before."""
    terms = amended(event, book)
    if terms is None:
        return None
    order = terms.order
    facts = book.symbols[terms.symbol]
    before_e8 = valuation.worst_price_e8(
        order.side, order.order_type, order.price_e8, facts, now_ns
    )
    value_e16 = _value_e16(valuation, terms, facts, now_ns)
    if value_e16 != _NO_BOUND and value_e16 <= before_e8 * order.quantity_e8:
        return None
    return terms
