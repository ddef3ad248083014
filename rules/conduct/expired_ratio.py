"""How many of an owner's IOC and FOK orders find nothing to trade with (IFER of the venue's indicators)."""

from typing import Any, ClassVar

from rules.answers import WITH_ENTERED
from rules.book import Book
from rules.events import CommandResult, Event
from rules.indicators import JUDGED, IndicatorRule
from rules.terms import rest_expired
from rules.values import CANCELED, EXPIRED, FOK, IOC


class ExpiredRatio(IndicatorRule):
    """Count IOC and FOK orders that expire against all of them; slow, then allow only cancels.

    IFER = IOC and FOK orders of which a rest expired / IOC and FOK orders. What self-trade
    prevention took off did not expire.
    """

    name: ClassVar[str] = "expired_ratio"
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult)
    results: ClassVar[int] = WITH_ENTERED
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (IFER)"
    )

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count IOC and FOK orders as the engine answers them."""
        order = book.entered_by(result)
        if order is not None and order.time_in_force in (IOC, FOK):
            expired = result.status in (EXPIRED, CANCELED) and rest_expired(order, result)
            self.indicator.count(order, book, now_ns, 1, int(expired), 1)
