"""How many of an owner's IOC and FOK orders find nothing to trade with (IFER of the venue's indicators)."""

from typing import Any, ClassVar

from rules.book import AccountFacts, Book
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage
from rules.events import CommandResult, Event
from rules.indicators import JUDGED, Indicator, placed
from rules.ratio_levels import RatioStanding
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.values import CANCELED, EXPIRED, FOK, IOC


class ExpiredRatio(Rule):
    """Count IOC and FOK orders that expire against all of them; slow, then allow only cancels.

    IFER = IOC and FOK orders of which a rest expired / IOC and FOK orders. What self-trade
    prevention took off did not expire.
    """

    name: ClassVar[str] = "expired_ratio"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.TRADING_INDICATOR,)
    wants: ClassVar[tuple[type[Event], ...]] = JUDGED
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult)
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (IFER)"
    )
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.expired_ratio
        self._indicator = Indicator(self.name, clause)

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
            if order is not None and order.time_in_force in (IOC, FOK):
                expired = event.status in (EXPIRED, CANCELED) and event.prevented_e8 == 0
                self._indicator.count(order, book, now_ns, 1, int(expired), 1)

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
