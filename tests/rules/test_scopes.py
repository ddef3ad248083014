"""Slices of bulk cancels are the same whether their place was kept or is looked for anew."""

from random import Random

import pytest

from rules.book import OpenOrder
from rules.events import BulkCancel
from rules.scopes import WALKS_MAX, Walks, orders_to_cancel
from rules.values import (
    CAUSE_KILL,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
)
from tests.rules.desk import Desk
from tests.rules.order_world import ACCOUNT, KEY, OTHER_KEY, OTHER_SYMBOL, OWNER, SYMBOL

MOST = 3


def simply(desk: Desk, event: BulkCancel) -> tuple[tuple[int, ...], bool]:
    """Return the next slice by looking at every order."""
    found = [
        order.order_id
        for order in orders_to_cancel(desk.book, event.scope, event.subject, event.symbol)
        if not event.origin_seq or order.command_id <= event.origin_seq
    ]
    return tuple(found[:MOST]), len(found) > MOST


def rest(desk: Desk, random: Random) -> OpenOrder:
    """Return a new order of one of two keys and symbols."""
    key, symbol = random.choice((KEY, OTHER_KEY)), random.choice((SYMBOL, OTHER_SYMBOL))
    return desk.rest(key=key, symbol=symbol)


def end(desk: Desk, order: OpenOrder) -> None:
    """Take an order out of the book, if it is still there."""
    book = desk.book
    if order.order_id in book.orders:
        book.end_order(order)


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        (SCOPE_VENUE, 0),
        (SCOPE_SYMBOL, SYMBOL),
        (SCOPE_OWNER, OWNER),
        (SCOPE_ACCOUNT, ACCOUNT),
        (SCOPE_KEY, KEY),
    ],
)
@pytest.mark.parametrize("seed", range(10))
def test_slices_are_what_a_look_at_every_order_finds(scope: int, subject: int, seed: int) -> None:
    """While cancels succeed, fail and wait, orders end by themselves and new ones come."""
    random = Random(seed)
    desk = Desk()
    orders = [rest(desk, random) for _ in range(30)]
    event = BulkCancel(scope, subject, 0, CAUSE_KILL, desk.book.current_seq)
    walks = Walks(desk.book)
    cancelled: list[OpenOrder] = []
    for _ in range(200):
        drawn = random.random()
        if drawn < 0.4:
            found, more = walks.slice_of(event, MOST)
            assert (found, more) == simply(desk, event) == Walks(desk.book).slice_of(event, MOST)
            assert walks.slice_of(event, MOST) == (found, more)
            for order_id in found:
                desk.book.orders[order_id].cancel_cause = CAUSE_KILL
                cancelled.append(desk.book.orders[order_id])
        elif drawn < 0.7 and cancelled:
            order = cancelled.pop(random.randrange(len(cancelled)))
            if random.random() < 0.5:
                order.cancel_cause = 0
            else:
                end(desk, order)
        elif drawn < 0.8:
            orders.append(rest(desk, random))
        elif drawn < 0.9:
            open_now = list(desk.book.orders.values())
            if open_now:
                end(desk, open_now[random.randrange(len(open_now))])


def test_few_places_are_kept() -> None:
    """A further bulk cancel takes the place of the one that has not gone on for longest."""
    desk = Desk()
    for _ in range(2 * MOST):
        desk.rest()
    walks = Walks(desk.book)
    origin_seq = desk.book.current_seq
    for number in range(WALKS_MAX + 2):
        event = BulkCancel(SCOPE_SYMBOL, SYMBOL, 0, CAUSE_KILL, origin_seq + number)
        assert walks.slice_of(event, MOST) == simply(desk, event)
    assert len(walks._walks) == WALKS_MAX
    # One that finds all that is left keeps none.
    last = BulkCancel(SCOPE_SYMBOL, SYMBOL, 0, CAUSE_KILL, origin_seq + WALKS_MAX + 1)
    walks.slice_of(last, 2 * MOST)
    assert len(walks._walks) == WALKS_MAX - 1
