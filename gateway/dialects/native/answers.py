"""Outcomes into messages: answers to accepted requests."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.dialects.native.desk import Caller, Desk, NativeCore
from gateway.dialects.native.refusals import not_found, refusal, refusal_for
from gateway.dialects.native.requests import (
    read_cancel,
    read_cancel_all,
    read_place,
    read_replace,
    read_status,
)
from gateway.outcome import Outcome
from gateway.views import OrderView
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.decisions import DEFERRED
from rules.endpoints import Endpoint
from rules.events import Cancel, CancelAll, Ended, Fill, Place, Query, Replace
from rules.values import CANCELED, PENDING_CANCEL

Answer: TypeAlias = Any
"""The response message of a method, or a wire.Refusal."""


class Method(NamedTuple):
    """One thing a client can ask for, over a unary call or in a session."""

    name: str
    message: type[Any]
    """Type of the request."""
    endpoint: Endpoint
    read: Callable[[NativeCore, Caller, Any], Any]
    """Returns the event."""
    write: Callable[[Desk, Outcome], Answer]
    """Returns the answer to a request that was accepted."""
    entry_field: str
    """The field of SessionEntry it comes in."""
    answer_field: str
    """The field of SessionAnswer it is answered in."""


def answer(method: Method, desk: Desk, outcome: Outcome) -> Answer:
    """Return what the client is told: the method's response, or a Refusal."""
    refused = refusal(desk, outcome)
    return method.write(desk, outcome) if refused is None else refused


def placed(desk: Desk, outcome: Outcome) -> wire.PlaceResponse:
    """Return the answer to a new order."""
    event, result = outcome.event, outcome.result
    assert isinstance(event, (Place, Replace))
    # What is 0 or empty is not on the wire, so it is not set either: each field takes its time.
    message = wire.PlaceResponse(
        decision_id=desk.ids.encode(outcome.seq),
        symbol=desk.symbol_name(event.symbol),
        order_id=outcome.decision.order_id,
        client_order_id=event.client_order_id or outcome.decision.client_order_id,
        status=0 if result is None else result.status,  # type: ignore[arg-type]
        transact_time_ns=outcome.now_ns if result is None else result.engine_ns,
    )
    if result is None:
        return message
    fills = result.fills
    if fills:
        message.executed_e8 = sum(fill.quantity_e8 for fill in fills)
        message.executed_quote_e8 = sum(fill.quote_e8 for fill in fills)
        message.fills.extend(_fill(desk, fill) for fill in fills)
    if result.prevented_e8:
        message.prevented_e8 = result.prevented_e8
    if result.reason is not None:
        message.ended_reason = int(result.reason)  # type: ignore[assignment]
    return message


def canceled(desk: Desk, outcome: Outcome) -> wire.CancelResponse:
    """Return the answer to the cancel of one order; a deferred one is still pending."""
    event, decision, result = outcome.event, outcome.decision, outcome.result
    assert isinstance(event, Cancel)
    if result is not None and result.ended:
        order = _canceled(desk, outcome, result.ended[0])
    else:
        status = PENDING_CANCEL if decision.verdict == DEFERRED else CANCELED
        order = _canceled(desk, outcome, Ended(decision.order_id, status, 0))
    return wire.CancelResponse(
        decision_id=desk.ids.encode(outcome.seq),
        symbol=desk.symbol_name(event.symbol),
        order=order,
        transact_time_ns=outcome.now_ns if result is None else result.engine_ns,
    )


def replaced(desk: Desk, outcome: Outcome) -> wire.ReplaceResponse:
    """Return the answer to a replace: what was cancelled and what was placed."""
    result = outcome.result
    message = wire.ReplaceResponse(decision_id=desk.ids.encode(outcome.seq))
    if result is None:
        return message
    if result.ended:
        message.canceled.CopyFrom(_canceled(desk, outcome, result.ended[0]))
    if result.replaced_refusal is None:
        message.placed.CopyFrom(placed(desk, outcome))
    else:
        message.place_refusal.CopyFrom(refusal_for(desk, outcome, result.replaced_refusal))
    return message


def canceled_all(desk: Desk, outcome: Outcome) -> wire.CancelAllResponse:
    """Return the answer to a cancel of all open orders."""
    assert isinstance(outcome.event, CancelAll)
    result = outcome.result
    ended = () if result is None else result.ended
    held = (Ended(order_id, PENDING_CANCEL, 0) for order_id in outcome.decision.deferred)
    return wire.CancelAllResponse(
        decision_id=desk.ids.encode(outcome.seq),
        orders=[_canceled(desk, outcome, one) for one in (*ended, *held)],
        more=outcome.decision.more,
        transact_time_ns=outcome.now_ns if result is None else result.engine_ns,
    )


def status(desk: Desk, outcome: Outcome) -> wire.StatusResponse | wire.Refusal:
    """Return what is known of the order asked for."""
    event = outcome.event
    assert isinstance(event, Query)
    view = desk.orders.get(
        desk.account(outcome), event.symbol, event.order_id, event.client_order_id
    )
    if view is None:
        return not_found(desk, outcome)
    return wire.StatusResponse(
        decision_id=desk.ids.encode(outcome.seq), order=_order_state(desk, view)
    )


def _order_state(desk: Desk, view: OrderView) -> wire.OrderState:
    return wire.OrderState(
        symbol=desk.symbol_name(view.symbol),
        order_id=view.order_id,
        client_order_id=view.client_order_id,
        side=view.side,  # type: ignore[arg-type]
        order_type=view.order_type,  # type: ignore[arg-type]
        time_in_force=view.time_in_force,  # type: ignore[arg-type]
        price_e8=view.price_e8,
        quantity_e8=view.quantity_e8,
        quote_quantity_e8=view.quote_quantity_e8,
        status=view.shown_status,  # type: ignore[arg-type]
        executed_e8=view.executed_e8,
        executed_quote_e8=view.quote_executed_e8,
        prevented_e8=view.prevented_e8,
        placed_time_ns=view.time_ns,
        update_time_ns=view.update_ns,
        unknown=view.unknown,
    )


def _canceled(desk: Desk, outcome: Outcome, ended: Ended) -> wire.CanceledOrder:
    view = desk.orders.get(desk.account(outcome), 0, ended.order_id, "")
    decision = outcome.decision
    message = wire.CanceledOrder(
        order_id=ended.order_id,
        client_order_id="" if view is None else view.client_order_id,
        status=ended.status,  # type: ignore[arg-type]
    )
    executed_e8 = ended.filled_e8 or (0 if view is None else view.executed_e8)
    if executed_e8:
        message.executed_e8 = executed_e8
    if ended.status == PENDING_CANCEL and len(decision.deferred) == 1:
        message.pending_until_ns = decision.until_ns
    for charge in decision.charges:
        if charge.order_id == ended.order_id:
            message.charge_e8 = charge.amount_e8
            message.charge_currency = desk.core.rulebook.tariffs[charge.tariff].file.currency
            break
    return message


def _fill(desk: Desk, fill: Fill) -> wire.Fill:
    return wire.Fill(
        trade_id=fill.trade_id,
        price_e8=fill.price_e8,
        quantity_e8=fill.quantity_e8,
        quote_e8=fill.quote_e8,
        commission_e8=fill.commission_e8,
        commission_asset=desk.core.directory.asset_name(fill.commission_asset),
        maker=fill.maker,
    )


METHODS: Final = (
    Method("Place", wire.PlaceRequest, Endpoint.ORDER_PLACE, read_place, placed, "place", "placed"),
    Method(
        "Cancel",
        wire.CancelRequest,
        Endpoint.ORDER_CANCEL,
        read_cancel,
        canceled,
        "cancel",
        "canceled",
    ),
    Method(
        "Replace",
        wire.ReplaceRequest,
        Endpoint.ORDER_CANCEL_REPLACE,
        read_replace,
        replaced,
        "replace",
        "replaced",
    ),
    Method(
        "CancelAll",
        wire.CancelAllRequest,
        Endpoint.OPEN_ORDERS_CANCEL,
        read_cancel_all,
        canceled_all,
        "cancel_all",
        "canceled_all",
    ),
    Method(
        "Status",
        wire.StatusRequest,
        Endpoint.ORDER_QUERY,
        read_status,
        status,
        "status",
        "status",
    ),
)
METHOD_BY_ENTRY: Final = {method.entry_field: method for method in METHODS}
"""Methods by their field of SessionEntry."""
