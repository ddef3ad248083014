"""How much of what an owner orders is never executed (UFR of the venue's indicators)."""

from typing import Any, ClassVar

from rules.book import AccountFacts, Book, OpenOrder
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage
from rules.events import CommandResult, Event, Fill, OrderTrade, TradeBust
from rules.indicators import JUDGED, Indicator, placed
from rules.ratio_levels import RatioStanding
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook


class UnfilledRatio(Rule):
    """Count ordered and executed quantity; slow, then allow only cancels, when too little trades.

    UFR = 1 - executed quantity / ordered quantity, in base asset. An amend orders what is left of
    its order anew. An annulled trade is taken back in the window in which it is annulled.
    """

    name: ClassVar[str] = "unfilled_ratio"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.TRADING_INDICATOR,)
    wants: ClassVar[tuple[type[Event], ...]] = JUDGED
    applies: ClassVar[tuple[type[Event], ...]] = (*JUDGED, CommandResult, OrderTrade, TradeBust)
    source: ClassVar[str] = (
        "Binance, Futures Trading Quantitative Rules, indicators of 26 August 2024 (UFR)"
    )
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.unfilled_ratio
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
        elif kind is CommandResult:
            self._result(event, book, now_ns)
        elif kind is OrderTrade:
            self._executed(book.order_of(event.order_id), (event.fill,), book, now_ns)
        elif kind is TradeBust:
            for number in (event.buy_account, event.sell_account):
                account = book.accounts.get(number)
                if account is not None:
                    self._indicator.add(
                        account.owner, event.symbol, account, now_ns, 0, event.quantity_e8, 0
                    )

    def _result(self, result: CommandResult, book: Book, now_ns: int) -> None:
        if result.unknown:
            return
        entered = placed(result, book)
        filled_e8 = sum(fill.quantity_e8 for fill in result.fills)
        order = book.order_of(result.order_id)
        if entered is not None:
            ordered_e8 = entered.quantity_e8 + result.prevented_e8
            ordered_e8 = ordered_e8 if entered.quantity_e8 else filled_e8
            self._indicator.count(entered, book, now_ns, 1, ordered_e8, ordered_e8)
        elif order is not None and result.accepted and not result.ended:
            # An accepted command about an open order that ended none: its amend.
            ordered_e8 = order.quantity_e8 - order.filled_e8 + filled_e8
            self._indicator.count(order, book, now_ns, 1, ordered_e8, ordered_e8)
        self._executed(order, result.fills, book, now_ns)

    def _executed(
        self, order: OpenOrder | None, fills: tuple[Fill, ...], book: Book, now_ns: int
    ) -> None:
        if order is not None and fills:
            executed_e8 = sum(fill.quantity_e8 for fill in fills)
            self._indicator.count(order, book, now_ns, part=-executed_e8)

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
