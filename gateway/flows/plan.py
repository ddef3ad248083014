"""A recorded flow as requests to a Binance-style REST API.

A submission becomes a limit order, a cancel of a known order a cancel, an amend or reduce a cancel
followed by a new order (every venue has these two), and an incoming order rebuilt from fills an
IOC order. Fills are not sent: at the target its own engine decides them.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.flows.course import Course
from gateway.flows.reader import ROW_CANCEL, ROW_FILL, ROW_NEW, ROW_REDUCE, Flow, FlowRow
from gateway.flows.rescale import Scale
from rules.units import decimal_text
from rules.values import SIDE_NAMES

ORDER_PATH: Final = "/api/v3/order"

KIND_PLACE: Final = "place"
KIND_TAKE: Final = "take"
KIND_CANCEL: Final = "cancel"
KINDS: Final = (KIND_PLACE, KIND_TAKE, KIND_CANCEL)


class Message(NamedTuple):
    """One request, not yet timed or signed."""

    ts_ns: int
    """The recorded time."""
    order: tuple[str, str]
    """Whose order it is about: such messages must not overtake one another."""
    kind: str
    method: str
    parameters: dict[str, str]


class Plan(NamedTuple):
    """All requests of a flow."""

    messages: list[Message]
    skipped: int
    """Cancels, amends and reduces of orders that were submitted before the recording."""


def plan(flow: Flow, course: Course, scales: Mapping[str, Scale], tag: str) -> Plan:
    """Return the requests for `flow` in its order; `tag` begins every client order id."""
    messages: list[Message] = []
    skipped = 0
    client_ids: dict[tuple[str, str], str] = {}
    prices_e8: dict[tuple[str, str], int] = {}
    for index, row in enumerate(flow.rows):
        scale = scales[row.symbol]
        order = (row.symbol, row.order_id)
        if row.kind == ROW_FILL:
            taker = course.takers.get(index)
            if taker is not None:
                terms = _terms(scale, taker.side, taker.price_e8, taker.quantity_e8, "IOC")
                client_id = f"{tag}-{row.line}"
                alone = (row.symbol, client_id)
                messages.append(_place(row, alone, KIND_TAKE, client_id, terms))
            continue
        if row.kind != ROW_NEW:
            client_id = client_ids.get(order, "")
            if not client_id:
                skipped += 1
                continue
            parameters = {"symbol": scale.filters.symbol, "origClientOrderId": client_id}
            messages.append(Message(row.ts_ns, order, KIND_CANCEL, "DELETE", parameters))
        if row.kind == ROW_CANCEL:
            continue
        client_ids[order] = f"{tag}-{row.line}"
        # A reduce states what it takes off, not a price of its own.
        if row.kind != ROW_REDUCE:
            prices_e8[order] = row.price_e8
        left_e8 = course.total_e8[index] - course.filled_e8[index]
        terms = _terms(scale, row.side, prices_e8[order], left_e8, "GTC")
        messages.append(_place(row, order, KIND_PLACE, client_ids[order], terms))
    return Plan(messages, skipped)


def _place(
    row: FlowRow, order: tuple[str, str], kind: str, client_id: str, terms: dict[str, str]
) -> Message:
    return Message(row.ts_ns, order, kind, "POST", {**terms, "newClientOrderId": client_id})


def _terms(
    scale: Scale, side: int, price_e8: int, quantity_e8: int, time_in_force: str
) -> dict[str, str]:
    """Return the terms of a limit order in the target's prices and quantities."""
    scaled_e8 = scale.price_e8(side, price_e8)
    return {
        "symbol": scale.filters.symbol,
        "side": SIDE_NAMES[side],
        "type": "LIMIT",
        "timeInForce": time_in_force,
        "quantity": decimal_text(scale.quantity_e8(scaled_e8, quantity_e8)),
        "price": decimal_text(scaled_e8),
    }
