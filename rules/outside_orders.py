"""Orders that came by other channels than the gate and stand now, by the engine's drop copy."""

from typing import Any, NamedTuple

from rules.book import Book
from rules.events import MarketOrder
from rules.values import LIVE_STATUSES

Subject = tuple[int, int, int]
"""Interest, symbol and side."""


class OutsideOrder(NamedTuple):
    """One that stands; as long as its price stays, it is the same."""

    price_e8: int
    left_e8: int
    since_ns: int
    seq: int
    """Record that told of it first."""


class OutsideOrders:
    """Outside orders with an owner and a price; `follow` is called for each MarketOrder, once."""

    __slots__ = ("_orders", "_subjects")

    def __init__(self) -> None:
        self._orders: dict[Subject, dict[int, OutsideOrder]] = {}
        self._subjects: dict[int, Subject] = {}

    def of(self, subject: Subject) -> dict[int, OutsideOrder]:
        """Return what a subject has standing, by minus the engine's order number."""
        return self._orders.get(subject, {})

    def follow(self, event: MarketOrder, book: Book, now_ns: int) -> None:
        """Take up an order's entry, change or end."""
        number = -event.order_id
        subject = self._subjects.pop(number, None)
        before = None
        if subject is not None:
            orders = self._orders[subject]
            before = orders.pop(number)
            if not orders:
                del self._orders[subject]
        left_e8 = event.quantity_e8 - event.filled_e8
        if event.status not in LIVE_STATUSES or left_e8 <= 0:
            return
        if not event.owner or not event.price_e8:
            return
        if subject is None:
            subject = (book.conduct.interest_of(event.owner), event.symbol, event.side)
        same = before is not None and before.price_e8 == event.price_e8
        since_ns, seq = now_ns, book.current_seq
        if before is not None and same:
            since_ns, seq = before.since_ns, before.seq
        order = OutsideOrder(event.price_e8, left_e8, since_ns, seq)
        self._orders.setdefault(subject, {})[number] = order
        self._subjects[number] = subject

    def forget(self) -> None:
        """Let go of all: the engine has begun a new epoch, and says anew what stands in it."""
        self._orders.clear()
        self._subjects.clear()

    def state(self) -> Any:
        """Return every order as plain values."""
        return [
            [number, *subject, *self._orders[subject][number]]
            for number, subject in self._subjects.items()
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        for number, interest, symbol, side, *order in state:
            subject = (interest, symbol, side)
            self._orders.setdefault(subject, {})[number] = OutsideOrder(*order)
            self._subjects[number] = subject
