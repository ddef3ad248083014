"""How many of an owner's orders are worth next to nothing (DR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.answers import WITH_CHANGED, WITH_ENTERED
from rules.book import Book, OpenOrder
from rules.events import CommandResult, Event
from rules.indicators import JUDGED, IndicatorRule
from rules.rulebook import Rulebook
from rules.terms import asked_e8
from rules.units import decimal_e8
from rules.values import notional_e8


class DustRatio(IndicatorRule):
    """Count orders of little value against all of them; slow, then allow only cancels.

    DR = orders worth less than `dust_value` / orders, in quote asset, when the engine takes them. An
    amend orders what is left of its order anew, so nobody gets past it by taking quantity off. An
    order without a price is valued at the last price; one that can't be valued is no dust.
    """

    name: ClassVar[str] = "dust_ratio"
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult)
    results: ClassVar[int] = WITH_ENTERED | WITH_CHANGED
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (DR)"
    )

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook)
        clause = rulebook.clauses.dust_ratio
        self._dust_e8 = decimal_e8(clause.dust_value)
        self._dust_e8_by_symbol = {name: decimal_e8(text) for name, text in clause.symbols.items()}

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count orders the engine takes or changes, by what they are worth."""
        order = book.entered_by(result)
        if order is not None:
            quantity_e8 = asked_e8(order, result)
        else:
            order = book.changed_by(result)
            if order is None:
                return
            quantity_e8 = order.remaining_e8
        dust = self._is_dust(order, quantity_e8, book)
        self.indicator.count(order, book, now_ns, 1, int(dust), 1)

    def _is_dust(self, order: OpenOrder, quantity_e8: int, book: Book) -> bool:
        facts = book.symbols[order.symbol]
        value_e8 = order.quote_quantity_e8
        if not value_e8:
            price_e8 = order.price_e8 or facts.last_e8
            if not price_e8:
                return False
            value_e8 = notional_e8(price_e8, quantity_e8)
        return value_e8 < self._dust_e8_by_symbol.get(facts.name, self._dust_e8)
