"""Price collar over a period: how far the market may be walked within a short time."""

from collections import deque
from typing import Any

from rules.book import Book
from rules.decisions import Decision, Explanation, Verdict
from rules.events import Amend, Place, Reference, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import Terms, repriced, stop_price_e8
from rules.units import decimal_e8, decimal_text, duration_ns
from rules.valuation import UNPRICED
from rules.values import BUY, E8, NS_PER_SECOND


class _Extremes:
    """The lowest and the highest reference price of a period, second by second.

    Both queues are monotonic: a price that a later one undercuts can't be the lowest any more, so
    it is dropped, and the first entry still in the period is the extreme.
    """

    __slots__ = ("highest", "lowest")

    def __init__(self) -> None:
        self.lowest: deque[tuple[int, int]] = deque()
        self.highest: deque[tuple[int, int]] = deque()

    def add(self, price_e8: int, now_ns: int, since_ns: int) -> None:
        """Take up a price and drop what is older than `since_ns`."""
        second_ns = now_ns - now_ns % NS_PER_SECOND
        for queue, sign in ((self.lowest, 1), (self.highest, -1)):
            while queue and queue[0][0] < since_ns:
                queue.popleft()
            while queue and sign * queue[-1][1] >= sign * price_e8:
                queue.pop()
            queue.append((second_ns, price_e8))


class PriceCollarPeriod(Rule):
    """A price may not lie further on the aggressive side than a share of the period's extreme.

    Many orders, each within the order-by-order collar of the price the one before has left, can
    still walk the market far. So a buy is measured from the lowest reference price of the last
    `period`, a sell from the highest, bounds included. A market order is judged by the worst
    price it may reach. Without a reference in the period there is nothing to measure from; the
    order-by-order collar refuses then. References are kept by the second: one leaves the period
    up to a second late, never early. An amend is judged when it changes the price.
    """

    name = "price_collar_period"
    stage = LIMIT
    reasons = (Reason.PRICE_COLLAR_PERIOD,)
    wants = (Place, Replace, Amend)
    applies = (Reference,)
    source = "RTS 6 (EU 2017/589) Art. 15(1)(a): price collars per order and over a period of time"

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.price_collar_period
        self._valuation = rulebook.valuation
        self._aggressive_e8 = decimal_e8(clause.aggressive)
        self._period_ns = duration_ns(clause.period)
        if self._period_ns < NS_PER_SECOND:
            raise ValueError(f"period `{clause.period}` is too short; write 1s or longer")
        self._extremes: dict[int, _Extremes] = {}

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the price lies too far from the period's extreme."""
        terms: Any = repriced(event, book) if type(event) is AMEND else event
        if terms is None:
            return None
        side: int = terms.side
        extreme_e8 = self._extreme_e8(terms.symbol, side, now_ns)
        if not extreme_e8:
            return None
        price_e8 = self._price_e8(terms, book, now_ns)
        beyond_e8 = price_e8 - extreme_e8 if side == BUY else extreme_e8 - price_e8
        if beyond_e8 <= 0 or beyond_e8 * E8 <= self._aggressive_e8 * extreme_e8:
            return None
        return first_breach(self.explain(event, book, now_ns))

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up a reference price."""
        facts = book.symbols.get(event.symbol)
        if facts is None:
            return
        price_e8, _ = self._valuation.reference(facts, now_ns)
        if price_e8:
            extremes = self._extremes.get(event.symbol)
            if extremes is None:
                extremes = self._extremes[event.symbol] = _Extremes()
            extremes.add(price_e8, now_ns, self._since_ns(now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the bound, rounded inwards, and the price."""
        terms: Terms | None = repriced(event, book) if type(event) is AMEND else event
        if terms is None:
            return ()
        extreme_e8 = self._extreme_e8(terms.symbol, terms.side, now_ns)
        if not extreme_e8:
            return ()
        price_e8 = self._price_e8(terms, book, now_ns)
        if terms.side == BUY:
            bound_e8 = extreme_e8 * (E8 + self._aggressive_e8) // E8
            passed = price_e8 <= bound_e8
            detail = f"lowest {decimal_text(extreme_e8)}"
        else:
            bound_e8 = -(-extreme_e8 * (E8 - self._aggressive_e8) // E8)
            passed = price_e8 >= bound_e8
            detail = f"highest {decimal_text(extreme_e8)}"
        return (look(self.name, passed, Reason.PRICE_COLLAR_PERIOD, bound_e8, price_e8, detail),)

    def state(self) -> Any:
        """Return the extremes of every symbol."""
        return [
            [symbol, list(extremes.lowest), list(extremes.highest)]
            for symbol, extremes in self._extremes.items()
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._extremes = {}
        for symbol, lowest, highest in state:
            extremes = self._extremes[symbol] = _Extremes()
            extremes.lowest.extend((at_ns, price_e8) for at_ns, price_e8 in lowest)
            extremes.highest.extend((at_ns, price_e8) for at_ns, price_e8 in highest)

    def _since_ns(self, now_ns: int) -> int:
        """Return the first second that lies in the period, wholly or in part."""
        since_ns = now_ns - self._period_ns
        return since_ns - since_ns % NS_PER_SECOND

    def _extreme_e8(self, symbol: int, side: int, now_ns: int) -> int:
        """Return the price to measure from, 0 when the period has none."""
        extremes = self._extremes.get(symbol)
        if extremes is None:
            return 0
        since_ns = self._since_ns(now_ns)
        for second_ns, price_e8 in extremes.lowest if side == BUY else extremes.highest:
            if second_ns >= since_ns:
                return price_e8
        return 0

    def _price_e8(self, terms: Terms, book: Book, now_ns: int) -> int:
        """Return the worst price the order may be executed at; its own when it has one."""
        if terms.order_type not in UNPRICED:
            return terms.price_e8
        return self._valuation.market_limit_e8(
            terms.side,
            book.symbols[terms.symbol],
            now_ns,
            terms.order_type,
            stop_price_e8(terms),
        )
