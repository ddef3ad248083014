"""Price collar: how far from the market an order's price may be."""

from typing import Any

from rules.book import Book
from rules.decisions import Adjust, Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import repriced, stop_price_e8
from rules.units import decimal_text
from rules.valuation import REFERENCE_NAMES, STOPS, UNPRICED
from rules.values import BUY, E8


class PriceCollar(Rule):
    """A price must lie within a share of the reference price, bounds included.

    On the aggressive side, where the order would take (a buy above the reference, a sell below),
    the share is narrower than on the passive side, where it would rest. A stop order is measured
    from its trigger price while that has yet to be reached. Without a young enough reference
    every order is refused.

    An order without a price of its own needs a reference only. Where no market protection is
    enforced, the aggressive bound becomes the worst price it may be executed at. An amend is
    judged when it changes the price.
    """

    name = "price_collar"
    stage = LIMIT
    reasons = (Reason.PRICE_COLLAR, Reason.COLLAR_REFERENCE_MISSING)
    wants = (Place, Replace, Amend)
    source = "RTS 6 (EU 2017/589) Art. 15(1)(a); RTS 7 (EU 2017/584) Art. 20(1)(a)"

    def __init__(self, rulebook: Rulebook) -> None:
        self._valuation = rulebook.valuation
        self._aggressive_e8 = self._valuation.aggressive_e8
        self._passive_e8 = self._valuation.passive_e8
        self._caps = self._valuation.capped_by == self.name

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the price is too far away or no reference is there to tell."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return None
        facts = book.symbols[event.symbol]
        side = event.side
        order_type = event.order_type
        if order_type in STOPS:
            stop_e8 = stop_price_e8(event)
            basis_e8 = self._valuation.basis_e8(side, order_type, stop_e8, facts, now_ns)
        else:
            stop_e8 = 0
            basis_e8 = self._valuation.reference_e8(facts, now_ns)
        if not basis_e8:
            return first_breach(self.explain(event, book, now_ns))
        if order_type in UNPRICED:
            if not self._caps:
                return None
            return Adjust(
                self.name,
                self._valuation.market_limit_e8(side, facts, now_ns, order_type, stop_e8),
            )
        away_e8 = event.price_e8 - basis_e8
        share_e8 = self._aggressive_e8 if (away_e8 > 0) == (side == BUY) else self._passive_e8
        if abs(away_e8) * E8 <= share_e8 * basis_e8:
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the nearest bound, rounded inwards, and the price; of a market order the bound."""
        if type(event) is AMEND:
            event = repriced(event, book)
            if event is None:
                return ()
        name = self.name
        facts = book.symbols[event.symbol]
        side = event.side
        order_type = event.order_type
        stop_e8 = stop_price_e8(event)
        basis_e8 = self._valuation.basis_e8(side, order_type, stop_e8, facts, now_ns)
        reference_e8, kind = self._valuation.reference(facts, now_ns)
        if not basis_e8:
            detail = "no reference price"
            return (look(name, False, Reason.COLLAR_REFERENCE_MISSING, 0, event.price_e8, detail),)
        origin = REFERENCE_NAMES[kind] if basis_e8 == reference_e8 else "stop price"
        detail = f"{origin} {decimal_text(basis_e8)}"
        if order_type in UNPRICED:
            bound_e8 = self._valuation.market_limit_e8(side, facts, now_ns, order_type, stop_e8)
            return (look(name, True, Reason.COLLAR_REFERENCE_MISSING, bound_e8, basis_e8, detail),)
        price_e8 = event.price_e8
        above = price_e8 > basis_e8
        share_e8 = self._aggressive_e8 if above == (side == BUY) else self._passive_e8
        if above:
            bound_e8 = basis_e8 * (E8 + share_e8) // E8
            passed = price_e8 <= bound_e8
        else:
            bound_e8 = -(-basis_e8 * (E8 - share_e8) // E8)
            passed = price_e8 >= bound_e8
        return (look(name, passed, Reason.PRICE_COLLAR, bound_e8, price_e8, detail),)
