"""Market protection: the worst price a market order may be executed at."""

from typing import Any

from rules.book import Book
from rules.decisions import Adjust, Explanation, Verdict
from rules.events import Place, Replace
from rules.explanations import first_breach, look
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import stop_price_e8
from rules.valuation import UNPRICED


class MarketProtection(Rule):
    """An order without a price of its own gets a worst price, a share away from the reference.

    What can't be executed at that price or a better one expires. The balance held for the order is
    measured at the same price (`Valuation.reservation`). Without a reference there is no such
    price and the order is refused.
    """

    name = "market_protection"
    stage = LIMIT
    reasons = (Reason.COLLAR_REFERENCE_MISSING,)
    wants = (Place, Replace)
    unpriced_only = True
    source = "RTS 7 (EU 2017/584) Art. 20(1)(a); CME Globex, market order with protection"

    def __init__(self, rulebook: Rulebook) -> None:
        self._valuation = rulebook.valuation

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return the worst price of an order that has none, a breach when none can be told."""
        order_type = event.order_type
        if order_type not in UNPRICED:
            return None
        limit_e8 = self._valuation.market_limit_e8(
            event.side, book.symbols[event.symbol], now_ns, order_type, stop_price_e8(event)
        )
        if limit_e8:
            return Adjust(self.name, limit_e8)
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the worst price, and the price it is measured from."""
        order_type = event.order_type
        if order_type not in UNPRICED:
            return ()
        facts = book.symbols[event.symbol]
        stop_e8 = stop_price_e8(event)
        basis_e8 = self._valuation.basis_e8(event.side, order_type, stop_e8, facts, now_ns)
        limit_e8 = self._valuation.market_limit_e8(event.side, facts, now_ns, order_type, stop_e8)
        detail = "" if basis_e8 else "no reference price"
        reason = Reason.COLLAR_REFERENCE_MISSING
        return (look(self.name, basis_e8 > 0, reason, limit_e8, basis_e8, detail),)
