"""What each interest has standing on each side of each symbol, and what it takes away again.

Orders that came through the gate are followed by what the engine reports of them, those of other
channels by its drop copy.
"""

from typing import Any, Final, NamedTuple

from rules.book import Book
from rules.events import CommandResult, MarketOrder, OrderReduced, OrderTrade
from rules.patterns import rests
from rules.values import CANCELED, CAUSE_CLIENT, CAUSE_REPLACE, LIVE_STATUSES

Subject = tuple[int, int, int]
"""Interest, symbol and side."""

ASKED_FOR: Final = (CAUSE_CLIENT, CAUSE_REPLACE)
"""Causes of an end that the client wanted."""


class Standing(NamedTuple):
    """One order that stands."""

    price_e8: int
    left_e8: int
    since_ns: int
    seq: int
    """Record of its entry, or of the change that gave it this price."""


class Withdrawn(NamedTuple):
    """What a client took off the market: an order, or its quantity at the price it had."""

    subject: Subject
    owner: int
    account: int
    """0 for an order of another channel."""
    order: Standing


class Stack:
    """The orders of one subject."""

    __slots__ = ("orders", "prices", "total_e8")

    def __init__(self) -> None:
        self.orders: dict[int, Standing] = {}
        """By order id; orders of other channels below 0."""
        self.prices: dict[int, int] = {}
        """How many orders stand at each price."""
        self.total_e8 = 0


class Stacks:
    """Stacks by subject; `follow` is called for each event of `displayed.DISPLAYS`, once."""

    __slots__ = ("_stacks", "_subjects")

    def __init__(self) -> None:
        self._stacks: dict[Subject, Stack] = {}
        self._subjects: dict[int, Subject] = {}

    def find(self, subject: Subject) -> Stack | None:
        """Return what a subject has standing, None for nothing."""
        return self._stacks.get(subject)

    def follow(self, event: Any, book: Book, now_ns: int) -> list[Withdrawn]:
        """Take up what an event changed; return what clients took away with it."""
        found: list[Withdrawn] = []
        kind = type(event)
        if kind is MarketOrder:
            self._outside(event, book, now_ns, found)
            return found
        for order_id, gone in book.ended.items():
            subject = self._subjects.get(order_id)
            if subject is not None:
                standing = self._take_off(order_id, subject)
                if gone.cancel_cause in ASKED_FOR:
                    found.append(Withdrawn(subject, gone.owner, gone.account, standing))
        if kind is CommandResult or kind is OrderTrade or kind is OrderReduced:
            order = book.orders.get(event.order_id)
            if order is not None and order.live and rests(order):
                subject = self._subjects.get(order.order_id)
                if subject is None:
                    subject = (
                        book.conduct.interest_of(order.owner), order.symbol, order.side
                    )  # fmt: skip
                moved = self._put(
                    order.order_id, subject, order.price_e8, order.remaining_e8, book, now_ns
                )
                if moved is not None:
                    found.append(Withdrawn(subject, order.owner, order.account, moved))
        return found

    def _outside(self, event: MarketOrder, book: Book, now_ns: int, found: list[Withdrawn]) -> None:
        number = -event.order_id
        subject = self._subjects.get(number)
        if event.status not in LIVE_STATUSES:
            if subject is not None:
                standing = self._take_off(number, subject)
                if event.status == CANCELED:
                    found.append(Withdrawn(subject, event.owner, 0, standing))
            return
        if not event.owner or not event.price_e8:
            return
        if subject is None:
            subject = (book.conduct.interest_of(event.owner), event.symbol, event.side)
        left_e8 = event.quantity_e8 - event.filled_e8
        moved = self._put(number, subject, event.price_e8, left_e8, book, now_ns)
        if moved is not None:
            found.append(Withdrawn(subject, event.owner, 0, moved))

    def _put(
        self,
        number: int,
        subject: Subject,
        price_e8: int,
        left_e8: int,
        book: Book,
        now_ns: int,
    ) -> Standing | None:
        """Put an order in as it stands now; return how it stood when its price is another."""
        moved = None
        since_ns, seq = now_ns, book.current_seq
        if number in self._subjects:
            before = self._take_off(number, subject)
            if before.price_e8 == price_e8:
                since_ns, seq = before.since_ns, before.seq
            else:
                moved = before
        if left_e8 <= 0:
            return moved
        stack = self._stacks.get(subject)
        if stack is None:
            stack = self._stacks[subject] = Stack()
        stack.orders[number] = Standing(price_e8, left_e8, since_ns, seq)
        stack.prices[price_e8] = stack.prices.get(price_e8, 0) + 1
        stack.total_e8 += left_e8
        self._subjects[number] = subject
        return moved

    def _take_off(self, number: int, subject: Subject) -> Standing:
        stack = self._stacks[subject]
        standing = stack.orders.pop(number)
        del self._subjects[number]
        stack.total_e8 -= standing.left_e8
        if stack.prices[standing.price_e8] == 1:
            del stack.prices[standing.price_e8]
        else:
            stack.prices[standing.price_e8] -= 1
        if not stack.orders:
            del self._stacks[subject]
        return standing

    def state(self) -> Any:
        """Return every order as plain values; the sums follow from them."""
        return [
            [number, *subject, *self._stacks[subject].orders[number]]
            for number, subject in self._subjects.items()
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        for number, interest, symbol, side, price_e8, left_e8, since_ns, seq in state:
            subject = (interest, symbol, side)
            stack = self._stacks.setdefault(subject, Stack())
            stack.orders[number] = Standing(price_e8, left_e8, since_ns, seq)
            stack.prices[price_e8] = stack.prices.get(price_e8, 0) + 1
            stack.total_e8 += left_e8
            self._subjects[number] = subject
