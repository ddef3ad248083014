"""Saying what happened: a line for each event, counts of what was met, and where a book is wrong."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from rules.book import Book
from rules.decisions import NOTED, VERDICT_NAMES, Decision
from rules.events import CommandResult, Event
from rules.values import ORDER_STATUS_NAMES
from tests.sim.orders import OrderModel
from tests.sim.participants import START_NS

_DULL: Final = frozenset(
    ("endpoint", "received_ns", "timestamp_ns", "recv_window_ns", "channel", "engine_ns")
)
"""Fields that seldom say what went wrong."""


def differences(
    book: Book, orders: OrderModel, states: Mapping[tuple[int, int], int]
) -> Iterator[str]:
    """Yield where a book is not what the models say: orders, reservations, balances, stops."""
    if book.orders.keys() != orders.open.keys():
        yield f"open {sorted(book.orders)} not {sorted(orders.open)}"
    for order_id, order in book.orders.items():
        model = orders.open.get(order_id)
        if model is None:
            continue
        holds_e8 = model.holds_e8()
        if order.reserved_e8 != holds_e8:
            yield f"order {order_id} reserves {order.reserved_e8}, needs {holds_e8}"
        mine = model.quantity_e8, model.filled_e8, model.price_e8, model.unknown, model.live_ns
        its = order.quantity_e8, order.filled_e8, order.price_e8, order.unknown, order.live_ns
        if mine != its:
            yield f"order {order_id} is {its}, should be {mine}"
    reserved = orders.reserved()
    for place, balance in book.balances.items():
        held_e8, total_e8 = reserved.get(place, 0), orders.totals.get(place, 0)
        if balance.reserved_e8 != held_e8:
            yield f"{place} reserves {balance.reserved_e8}, its orders {held_e8}"
        if balance.total_e8 != total_e8:
            yield f"{place} has {balance.total_e8}, should be {total_e8}"
    missing = [place for place, held in reserved.items() if held and place not in book.balances]
    if missing:
        yield f"nothing is reserved for {missing}"
    stopped = {scope: state for scope, state in states.items() if state}
    if book.states != stopped:
        yield f"stop states {book.states} not {stopped}"


def covers(scope: tuple[int, int], owner: int, account: int, key: int, symbol: int) -> bool:
    """Tell whether a stop's scope is about an order of these."""
    kind, subject = scope
    return subject == (0, 0, symbol, owner, account, key)[kind]


def cover(coverage: Counter[str], event: Event, decision: Decision) -> None:
    """Count what a decided event has met."""
    coverage[f"event {type(event).__name__}"] += 1
    for breach in decision.breaches:
        coverage[f"reason {breach.reason.name}"] += 1
    for breach in decision.shadows:
        coverage[f"shadow {breach.rule}"] += 1
    if isinstance(event, CommandResult):
        told = event.reason.name if event.reason else ORDER_STATUS_NAMES[event.status]
        coverage[f"result {told}"] += 1


def line(seq: int, event: Event, decision: Decision, now_ns: int) -> str:
    """Return one line of the account of last events: what is not nothing, in few words."""
    words = [f"{seq:5} +{now_ns - START_NS:,} {type(event).__name__}"]
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name not in _DULL and value not in (0, "", (), False, None):
            words.append(f"{name}={value}")
    if decision.verdict != NOTED:
        words.append(f"-> {VERDICT_NAMES[decision.verdict]}")
        words.extend(breach.reason.name for breach in decision.breaches)
        if decision.order_id:
            words.append(f"order {decision.order_id}")
    if decision.cancels:
        words.append(f"cancels {decision.cancels}")
    return " ".join(words)
