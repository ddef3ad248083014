"""Which open orders a scope covers, for cancels of many orders at once."""

from collections.abc import Iterator

from rules.book import Book, OpenOrder
from rules.values import (
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
    if scope == SCOPE_ACCOUNT:
        orders = book.open_orders(subject, symbol)
    elif scope == SCOPE_ORDER:
        orders = {subject: book.orders[subject]} if subject in book.orders else {}
    else:
        orders = book.orders
    for order in orders.values():
        wanted = order.cancel_cause == 0 and (not symbol or order.symbol == symbol)
        if wanted and _in_scope(order, scope, subject):
            yield order


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
