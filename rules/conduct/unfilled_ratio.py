"""How much of what an owner orders is never executed (UFR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.answers import WITH_CHANGED, WITH_ENTERED, WITH_FILLS
from rules.book import Book, OpenOrder
from rules.events import CommandResult, Event, OrderTrade, TradeBust
from rules.indicators import JUDGED, IndicatorRule
from rules.kinds import ORDER_TRADE
from rules.terms import annulled_sides, asked_e8


class UnfilledRatio(IndicatorRule):
    """Count ordered and executed quantity; slow, then allow only cancels, when too little trades.

    UFR = 1 - executed quantity / ordered quantity, in base asset. An order counts with what the
    engine executes of it at once, so one that fills is unfilled at no moment; what rests is
    unfilled until it is executed. An amend orders what is left of its order anew. An annulled trade
    is taken back while the window in which it was made runs.
    """

    name: ClassVar[str] = "unfilled_ratio"
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult, OrderTrade, TradeBust)
    results: ClassVar[int] = WITH_FILLS | WITH_ENTERED | WITH_CHANGED
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (UFR)"
    )

    def count(self, event: Any, book: Book, now_ns: int) -> None:
        """Count what is executed later, and what is annulled."""
        if type(event) is ORDER_TRADE:
            order = book.order_of(event.order_id)
            self._executed(order, event.fill.quantity_e8, book, now_ns)
        elif self.indicator.same_window(event.traded_ns or now_ns, now_ns):
            for number, _ in annulled_sides(event):
                account = book.accounts.get(number)
                if account is not None:
                    self.indicator.add(
                        account.owner, event.symbol, account, book, now_ns, 0, event.quantity_e8, 0
                    )

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count what the engine confirms and executes at once."""
        if result.unknown:
            return
        order = book.entered_by(result)
        entered = order is not None
        if order is None:
            order = book.changed_by(result)
        executed_e8 = sum(fill.quantity_e8 for fill in result.fills)
        if order is None:
            self._executed(book.order_of(result.order_id), executed_e8, book, now_ns)
            return
        ordered_e8 = asked_e8(order, result) or executed_e8
        if not entered:
            ordered_e8 -= order.filled_e8 - executed_e8
        # In one step, so that what is executed at once is unfilled at no moment.
        self.indicator.count(order, book, now_ns, 1, ordered_e8 - executed_e8, ordered_e8)

    def _executed(self, order: OpenOrder | None, executed_e8: int, book: Book, now_ns: int) -> None:
        if order is not None and executed_e8:
            self.indicator.count(order, book, now_ns, part=-executed_e8)
