"""Which open orders a scope covers, for cancels of many orders at once."""

from collections.abc import Iterable, Iterator
from typing import Final

from rules.book import Book, OpenOrder
from rules.events import BulkCancel
from rules.values import (
    INT63_MAX,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_ORDER,
    SCOPE_OWNER,
    SCOPE_SESSION,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
)


def orders_to_cancel(book: Book, scope: int, subject: int, symbol: int) -> Iterator[OpenOrder]:
    """Yield the scope's open orders that are not being cancelled yet, oldest first.

    `symbol`, unless 0, leaves out the orders of every other symbol.
    """
    for order in _covered(book, scope, subject, symbol):
        wanted = order.cancel_cause == 0 and (not symbol or order.symbol == symbol)
        if wanted and _in_scope(order, scope, subject):
            yield order


WALKS_MAX: Final = 4
"""Bulk cancels whose place is kept; another one is looked for from the beginning again."""


_WHOLE: Final = (SCOPE_VENUE, SCOPE_ACCOUNT, SCOPE_ORDER)
"""Scopes whose orders need not be picked out of others."""


class _Walk:
    """The orders of one bulk cancel: those looked at that may come again, and those ahead."""

    __slots__ = ("ahead", "passed")

    def __init__(self, ahead: list[OpenOrder]) -> None:
        self.ahead = ahead
        """The oldest last."""
        self.passed: list[OpenOrder] = []


class Walks:
    """Finds the slices of bulk cancels without looking at every order for each of them.

    An order that is meant was open when the cancel was asked for, so all of them are found at the
    first slice. A place that is kept makes no difference to what is found. Of the venue and of an
    account all orders are meant, and those that are cancelled leave, so no place has to be kept.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._walks: dict[tuple[int, int, int, int], _Walk] = {}

    def slice_of(self, event: BulkCancel, most: int) -> tuple[tuple[int, ...], bool]:
        """Return the oldest orders a bulk cancel still has to cancel, and whether there are more."""
        if event.scope in _WHOLE:
            return self._first(event, most)
        origin_seq = event.origin_seq
        key = (event.scope, event.subject, event.symbol, origin_seq)
        walk = self._walks.pop(key, None)
        if walk is None:
            walk = _Walk(_meant(self._book, event))
        orders, ahead, last_seq = self._book.orders, walk.ahead, origin_seq or INT63_MAX
        passed = walk.passed = [one for one in walk.passed if orders.get(one.order_id) is one]
        found = [
            order.order_id
            for order in passed
            if order.cancel_cause == 0 and order.command_id <= last_seq
        ]
        # What was passed is older than all that is ahead.
        more = len(found) > most
        while ahead and not more:
            order = ahead[-1]
            if orders.get(order.order_id) is order:
                if order.cancel_cause == 0 and order.command_id <= last_seq:
                    if len(found) == most:
                        more = True
                        break
                    found.append(order.order_id)
                passed.append(order)
            ahead.pop()
        if more and origin_seq:
            self._walks[key] = walk
            if len(self._walks) > WALKS_MAX:
                del self._walks[next(iter(self._walks))]
        return tuple(found[:most]), more

    def _first(self, event: BulkCancel, most: int) -> tuple[tuple[int, ...], bool]:
        last_seq = event.origin_seq or INT63_MAX
        found: list[int] = []
        for order in orders_to_cancel(self._book, event.scope, event.subject, event.symbol):
            if order.command_id > last_seq:
                continue
            if len(found) == most:
                return tuple(found), True
            found.append(order.order_id)
        return tuple(found), False


def _meant(book: Book, event: BulkCancel) -> list[OpenOrder]:
    """Return the orders a bulk cancel means, being cancelled or not, the oldest last.

    Everybody waits while all orders are looked at, so the usual scopes have no call for each.
    """
    scope, subject, symbol = event.scope, event.subject, event.symbol
    # Those that were placed after the cancel had been asked for are not meant.
    last = event.origin_seq or INT63_MAX
    covered = _covered(book, scope, subject, symbol)
    if scope == SCOPE_SYMBOL:
        found = [one for one in covered if one.symbol == subject and one.command_id <= last]
    elif scope == SCOPE_OWNER:
        found = [one for one in covered if one.owner == subject and one.command_id <= last]
    elif scope == SCOPE_KEY:
        found = [one for one in covered if one.key == subject and one.command_id <= last]
    else:
        found = [
            one for one in covered if one.command_id <= last and _in_scope(one, scope, subject)
        ]
    if symbol:
        found = [order for order in found if order.symbol == symbol]
    found.reverse()
    return found


def _covered(book: Book, scope: int, subject: int, symbol: int) -> Iterable[OpenOrder]:
    """Return orders among which a scope's are, oldest first."""
    if scope == SCOPE_ACCOUNT:
        return book.open_orders(subject, symbol).values()
    if scope == SCOPE_ORDER:
        return (book.orders[subject],) if subject in book.orders else ()
    return book.orders.values()


def meets(order: OpenOrder, restriction: int) -> bool:
    """Return whether an order is in the status a cancel is restricted to (`RESTRICT_*`)."""
    if restriction == RESTRICT_ONLY_NEW:
        return order.filled_e8 == 0
    if restriction == RESTRICT_ONLY_PARTIALLY_FILLED:
        return order.filled_e8 > 0
    return True


def _in_scope(order: OpenOrder, scope: int, subject: int) -> bool:
    if scope == SCOPE_VENUE:
        return True
    if scope == SCOPE_SYMBOL:
        return order.symbol == subject
    if scope == SCOPE_OWNER:
        return order.owner == subject
    if scope in (SCOPE_ACCOUNT, SCOPE_ORDER):
        return True
    if scope == SCOPE_KEY:
        return order.key == subject
    return scope == SCOPE_SESSION and order.session == subject
