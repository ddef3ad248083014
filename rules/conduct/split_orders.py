"""A9: one order cut into many small ones at one price."""

from collections import deque
from typing import Any, ClassVar, Final

from rules.answers import WITH_ENDED
from rules.book import Book
from rules.decisions import ACCEPTED, Decision
from rules.events import CommandResult, Event, MarketOrder, OrderEnded, Place, Replace
from rules.fading import Fading
from rules.kinds import MARKET_ORDER, PLACE, REPLACE
from rules.patterns import indicate, raised, small_notional_e8
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import decimal_e8, duration_ns
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_REPLACE,
    FLAG_TEST,
    NEW,
    notional_e8,
)

ORDERS_MAX: Final = 1_024
"""Orders at one price that are looked at together, the latest."""
_Subject = tuple[int, int, int, int]
"""Interest, symbol, side and price."""


class SplitOrders(Rule):
    """Tell an owner who enters many small orders at one price, where one would have done.

    Counted are the small limit orders of an owner (with those linked to him) at one price and side
    of a symbol, entered within `window`. One that its client takes away again is counted no more:
    whoever quotes anew at the same price has one order at a time. So many `orders` make an alert,
    and counting starts anew. Orders of other channels count, by the drop copy. Source: KRX, split
    orders among unsound orders; the numbers are ours.
    """

    name: ClassVar[str] = "split_orders"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        CommandResult,
        OrderEnded,
        MarketOrder,
    )
    heeds_refused: ClassVar[bool] = False
    results: ClassVar[int] = WITH_ENDED
    source: ClassVar[str] = "KRX Market Oversight, unsound orders: split orders"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.split_orders
        self._window_ns = duration_ns(clause.window)
        self._small_e8 = decimal_e8(clause.small_notional)
        self._orders: Fading[_Subject, deque[list[int]]] = Fading(self._window_ns)
        """[time, record, order, quantity] by subject, oldest first."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up an order's entry or its end."""
        kind = type(event)
        if kind is PLACE or kind is REPLACE:
            if decision.verdict == ACCEPTED and event.price_e8 and not event.flags & FLAG_TEST:
                whose = (decision.owner, decision.account)
                self._entered(event, whose, decision.order_id, book, now_ns)
            return
        if kind is MARKET_ORDER:
            if event.status == NEW and event.owner and event.price_e8 and not event.filled_e8:
                self._entered(event, (event.owner, 0), -event.order_id, book, now_ns)
            elif event.status == CANCELED and not event.filled_e8:
                self._gone(event, event.owner, -event.order_id, book)
            return
        self.answered(event, book, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Take up the orders that ended."""
        for order_id, gone in book.ended.items():
            if gone.cancel_cause in (CAUSE_CLIENT, CAUSE_REPLACE) and not gone.filled_e8:
                self._gone(gone, gone.owner, order_id, book)

    def _entered(
        self, terms: Any, whose: tuple[int, int], order_id: int, book: Book, now_ns: int
    ) -> None:
        facts = book.symbols[terms.symbol]
        small_e8 = small_notional_e8(self._clause.small_factor, self._small_e8, facts)
        if notional_e8(terms.price_e8, terms.quantity_e8) > small_e8:
            return
        owner, account = whose
        interest = book.conduct.interest_of(owner)
        orders = self._orders.use(
            (interest, terms.symbol, terms.side, terms.price_e8), now_ns, deque
        )
        while orders and (orders[0][0] <= now_ns - self._window_ns or len(orders) >= ORDERS_MAX):
            orders.popleft()
        if orders and orders[-1][2] == order_id:
            # The drop copy may report an order's entry again.
            return
        orders.append([now_ns, book.current_seq, order_id, terms.quantity_e8])
        if len(orders) < raised(self._clause.orders, self._clause, account, book):
            return
        figures = (
            ("orders", len(orders)),
            ("price_e8", terms.price_e8),
            ("quantity_e8", sum(order[3] for order in orders)),
        )
        seqs = [order[1] for order in orders]
        since_ns = orders[0][0]
        orders.clear()
        indicate(
            book, self.name, self._clause, (interest, terms.symbol), since_ns, seqs, figures,
            (owner,),
        )  # fmt: skip

    def _gone(self, terms: Any, owner: int, order_id: int, book: Book) -> None:
        """Count an order no more that its client took away unfilled."""
        interest = book.conduct.interest_of(owner)
        orders = self._orders.find((interest, terms.symbol, terms.side, terms.price_e8))
        for place, order in enumerate(orders or ()):
            if order[2] == order_id:
                assert orders is not None
                del orders[place]
                return

    def state(self) -> Any:
        """Return the orders as plain values."""
        return self._orders.state(list, lambda orders: [list(order) for order in orders])

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._orders.restore(state, tuple, lambda orders: deque(list(order) for order in orders))
