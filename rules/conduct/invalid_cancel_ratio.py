"""How many orders an owner takes off before they could have traded (ICR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.book import AccountFacts, Book, OpenOrder
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage
from rules.events import CommandResult, Event, OrderEnded
from rules.indicators import JUDGED, Indicator, placed
from rules.ratio_levels import RatioStanding
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import CAUSE_CLIENT, GTC, MARKET


class InvalidCancelRatio(Rule):
    """Count orders cancelled too young against all that could rest; slow, then allow only cancels.

    ICR = orders its client cancelled before they could be executed for `invalid_under` / orders
    that rest (GTC and post-only). What the venue takes off is no cancel. Ages leave halts out.
    """

    name: ClassVar[str] = "invalid_cancel_ratio"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.TRADING_INDICATOR,)
    wants: ClassVar[tuple[type[Event], ...]] = JUDGED
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult, OrderEnded)
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (ICR)"
    )
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.invalid_cancel_ratio
        self._indicator = Indicator(self.name, clause)
        self._invalid_under_ns = duration_ns(clause.invalid_under)

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
        elif kind is CommandResult:
            self._result(event, book, now_ns)
        elif event.cause == CAUSE_CLIENT:
            self._cancelled(book.order_of(event.order_id), book, now_ns)

    def _result(self, result: CommandResult, book: Book, now_ns: int) -> None:
        if result.unknown:
            return
        order = placed(result, book)
        if order is not None and order.order_type != MARKET and order.time_in_force in (0, GTC):
            self._indicator.count(order, book, now_ns, 1, 0, 1)
        for ended in result.ended:
            gone = book.order_of(ended.order_id)
            # The gate itself cancels in bulk only: a command about one order is its client's.
            if gone is not None and (result.order_id or gone.cancel_cause == CAUSE_CLIENT):
                self._cancelled(gone, book, now_ns)

    def _cancelled(self, order: OpenOrder | None, book: Book, now_ns: int) -> None:
        if order is None or not order.live_ns:
            return
        if book.matchable_age_ns(order, now_ns) < self._invalid_under_ns:
            self._indicator.count(order, book, now_ns, part=1)

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
