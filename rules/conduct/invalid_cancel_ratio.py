"""How many orders an owner takes off before they could have traded (ICR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.answers import WITH_ENDED, WITH_ENTERED
from rules.book import Book, OpenOrder
from rules.events import CommandResult, Event, OrderEnded
from rules.indicators import JUDGED, IndicatorRule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import CAUSE_CLIENT, GTC, MARKET


class InvalidCancelRatio(IndicatorRule):
    """Count orders cancelled too young against all that could rest; slow, then allow only cancels.

    ICR = orders its client cancelled before they could be executed for `invalid_under` / orders
    that rest (GTC and post-only). What the venue takes off is no cancel. Ages leave halts out.
    """

    name: ClassVar[str] = "invalid_cancel_ratio"
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult, OrderEnded)
    results: ClassVar[int] = WITH_ENDED | WITH_ENTERED
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (ICR)"
    )

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook)
        clause = rulebook.clauses.invalid_cancel_ratio
        self._invalid_under_ns = duration_ns(clause.invalid_under)

    def count(self, event: Any, book: Book, now_ns: int) -> None:
        """Count an order that ends by its client's wish without an answer to him."""
        if event.cause == CAUSE_CLIENT:
            self._cancelled(book.order_of(event.order_id), book, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count orders the engine takes, and those it ends by their clients' wish."""
        if result.unknown:
            return
        order = book.entered_by(result)
        if order is not None and order.order_type != MARKET and order.time_in_force in (0, GTC):
            self.indicator.count(order, book, now_ns, 1, 0, 1)
        for ended in result.ended:
            gone = book.order_of(ended.order_id)
            # The gate itself cancels in bulk only: a command about one order is its client's.
            if gone is not None and (result.order_id or gone.cancel_cause == CAUSE_CLIENT):
                self._cancelled(gone, book, now_ns)

    def _cancelled(self, order: OpenOrder | None, book: Book, now_ns: int) -> None:
        if order is None or not order.live_ns:
            return
        if book.matchable_age_ns(order, now_ns) < self._invalid_under_ns:
            self.indicator.count(order, book, now_ns, part=1)
