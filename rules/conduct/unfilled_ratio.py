"""How much of what an owner orders is never executed (UFR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.book import Book, OpenOrder
from rules.events import CommandResult, Event, Fill, OrderTrade, TradeBust
from rules.indicators import JUDGED, IndicatorRule, changed, placed


class UnfilledRatio(IndicatorRule):
    """Count ordered and executed quantity; slow, then allow only cancels, when too little trades.

    UFR = 1 - executed quantity / ordered quantity, in base asset. An amend orders what is left of
    its order anew. An annulled trade is taken back while the window in which it was made runs.
    """

    name: ClassVar[str] = "unfilled_ratio"
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult, OrderTrade, TradeBust)
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (UFR)"
    )

    def count(self, event: Any, book: Book, now_ns: int) -> None:
        """Count what the engine confirms, executes and annuls."""
        kind = type(event)
        if kind is CommandResult:
            self._result(event, book, now_ns)
        elif kind is OrderTrade:
            self._executed(book.order_of(event.order_id), (event.fill,), book, now_ns)
        elif self.indicator.same_window(event.traded_ns or now_ns, now_ns):
            for number in (event.buy_account, event.sell_account):
                account = book.accounts.get(number)
                if account is not None:
                    self.indicator.add(
                        account.owner, event.symbol, account, book, now_ns, 0, event.quantity_e8, 0
                    )

    def _result(self, result: CommandResult, book: Book, now_ns: int) -> None:
        if result.unknown:
            return
        entered = placed(result, book)
        filled_e8 = sum(fill.quantity_e8 for fill in result.fills) if result.fills else 0
        order = entered if entered is not None else book.order_of(result.order_id)
        if entered is not None:
            ordered_e8 = entered.quantity_e8 + result.prevented_e8
            ordered_e8 = ordered_e8 if entered.quantity_e8 else filled_e8
            self.indicator.count(entered, book, now_ns, 1, ordered_e8, ordered_e8)
        elif order is not None and changed(result, book) is not None:
            ordered_e8 = order.quantity_e8 - order.filled_e8 + filled_e8
            self.indicator.count(order, book, now_ns, 1, ordered_e8, ordered_e8)
        if result.fills:
            self._executed(order, result.fills, book, now_ns)

    def _executed(
        self, order: OpenOrder | None, fills: tuple[Fill, ...], book: Book, now_ns: int
    ) -> None:
        if order is not None and fills:
            executed_e8 = sum(fill.quantity_e8 for fill in fills)
            self.indicator.count(order, book, now_ns, part=-executed_e8)
