"""How many of an owner's orders are worth next to nothing (DR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.book import AccountFacts, Book, OpenOrder
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage
from rules.events import CommandResult, Event
from rules.indicators import JUDGED, Indicator, placed
from rules.ratio_levels import RatioStanding
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import decimal_e8
from rules.values import notional_e8


class DustRatio(Rule):
    """Count orders of little value against all of them; slow, then allow only cancels.

    DR = orders worth less than `dust_value` / orders, in quote asset, when the engine takes them. An
    order without a price is valued at the last price; one that can't be valued is no dust.
    """

    name: ClassVar[str] = "dust_ratio"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.TRADING_INDICATOR,)
    wants: ClassVar[tuple[type[Event], ...]] = JUDGED
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult)
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (DR)"
    )
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.dust_ratio
        self._indicator = Indicator(self.name, clause)
        self._dust_e8 = decimal_e8(clause.dust_value)
        self._dust_e8_by_symbol = {name: decimal_e8(text) for name, text in clause.symbols.items()}

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a new order or modification while a measure holds."""
        return self._indicator.check(event, book, now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the maximum and the share in 1e-8."""
        return self._indicator.explain(event, book, now_ns)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count what the engine confirms, and note what passed while slowed."""
        kind = type(event)
        if kind in JUDGED:
            if decision.verdict == ACCEPTED:
                self._indicator.passed(event, book, now_ns)
        else:
            order = placed(event, book)
            if order is not None:
                dust = self._is_dust(order, event.prevented_e8, book)
                self._indicator.count(order, book, now_ns, 1, int(dust), 1)

    def _is_dust(self, order: OpenOrder, prevented_e8: int, book: Book) -> bool:
        facts = book.symbols[order.symbol]
        value_e8 = order.quote_quantity_e8
        if not value_e8:
            price_e8 = order.price_e8 or facts.last_e8
            if not price_e8:
                return False
            value_e8 = notional_e8(price_e8, order.quantity_e8 + prevented_e8)
        return value_e8 < self._dust_e8_by_symbol.get(facts.name, self._dust_e8)

    def standings(
        self, owner: int, symbol: int, account: AccountFacts | None, now_ns: int
    ) -> tuple[RatioStanding, ...]:
        """Return how an owner stands in a symbol."""
        return (self._indicator.standing(owner, symbol, account, now_ns),)

    def pairs(self) -> list[tuple[int, int]]:
        """Return owner and symbol of everybody counted in the running window."""
        return self._indicator.pairs()

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the share of an owner and symbol in 1e-8."""
        return self._indicator.usage(scope, subject, now_ns)

    def state(self) -> Any:
        """Return the counts of the running window and the measures."""
        return self._indicator.state()

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._indicator.restore(state)
