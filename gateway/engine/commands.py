"""From a decision to the command it sends."""

from typing import Any

from gateway.engine.port import (
    AmendCommand,
    CancelCommand,
    Command,
    PlaceCommand,
    ReplaceCommand,
)
from rules.book import Book
from rules.decisions import ACCEPTED, Decision
from rules.events import Amend, BulkCancel, Cancel, CancelAll, Event, Place, Replace
from rules.values import CAUSE_CLIENT, FLAG_TEST


def command_for(
    event: Event, decision: Decision, seq: int, now_ns: int, book: Book
) -> Command | None:
    """Return the engine command of a decision, None when it sends none.

    Everything it says is in the record or follows from it, so it can be driven again. An order
    that is cancelled, amended or replaced is the one the decision found to be meant, never a
    number as the client gave it: that may be another account's.
    """
    kind = type(event)
    asked: Any = event
    if kind is BulkCancel:
        if not decision.cancels:
            return None
        return CancelCommand(seq, decision.cancels, asked.cause, asked.restriction)
    if decision.verdict != ACCEPTED:
        return None
    if kind is Place:
        if asked.flags & FLAG_TEST:
            return None
        return _place(asked, decision, seq, now_ns, book)
    if kind is Cancel:
        return CancelCommand(seq, (decision.order_id,), CAUSE_CLIENT, asked.restriction)
    if kind is CancelAll:
        return CancelCommand(seq, decision.cancels, CAUSE_CLIENT) if decision.cancels else None
    if kind is Amend:
        order = book.orders.get(decision.order_id)
        return AmendCommand(
            seq,
            decision.order_id,
            asked.quantity_e8 or (order.quantity_e8 if order is not None else 0),
            asked.price_e8 or (order.price_e8 if order is not None else 0),
        )
    if kind is Replace:
        return ReplaceCommand(
            seq,
            decision.cancels[0] if decision.cancels else 0,
            _place(asked, decision, seq, now_ns, book),
            asked.allow_failure,
            asked.restriction,
        )
    return None


def _place(
    event: Place | Replace, decision: Decision, seq: int, now_ns: int, book: Book
) -> PlaceCommand:
    valid_until_ns = 0
    if event.timestamp_ns > 0 and event.recv_window_ns > 0:
        # What is left of the client's window, on the core's clock.
        valid_until_ns = now_ns + event.timestamp_ns + event.recv_window_ns - event.received_ns
    return PlaceCommand(
        seq,
        decision.order_id,
        decision.account,
        event.symbol,
        event.side,
        event.order_type,
        event.time_in_force,
        event.price_e8,
        event.quantity_e8,
        event.quote_quantity_e8,
        decision.price_limit_e8,
        event.stp_mode or book.symbols[event.symbol].filters.default_stp_mode,
        event.client_order_id or decision.client_order_id,
        book.conduct.groups.get(decision.owner, 0),
        valid_until_ns,
    )
