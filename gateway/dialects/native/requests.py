"""Messages of order entry into events; what can't be understood becomes a RefusedRequest."""

from typing import Any

from gateway.dialects.native.desk import Caller, NativeCore
from gateway.dialects.native.reading import Fault, Reading, recordable_id
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.endpoints import Endpoint
from rules.events import Cancel, CancelAll, Place, Query, RefusedRequest, Replace


def read_place(core: NativeCore, caller: Caller, message: wire.PlaceRequest) -> Any:
    """Return the Place a message asks for."""
    endpoint = Endpoint.ORDER_TEST if message.test else Endpoint.ORDER_PLACE
    reading = Reading(core, caller)
    symbol = reading.symbol(message.symbol)
    terms = reading.terms(message)
    if reading.fault is not None:
        return refused(caller, endpoint, reading.fault, symbol, message.client_order_id)
    return Place(*caller.head(endpoint), symbol, *terms)


def read_cancel(core: NativeCore, caller: Caller, message: wire.CancelRequest) -> Any:
    """Return the Cancel a message asks for."""
    endpoint = Endpoint.ORDER_CANCEL
    reading = Reading(core, caller)
    symbol = reading.symbol(message.symbol)
    order_id, name = reading.order_names(message, "order_id", "orig_client_order_id")
    cancel_name = reading.client_id(message, "client_order_id")
    restriction = reading.restriction(message.restriction)
    if reading.fault is not None:
        return refused(caller, endpoint, reading.fault, symbol, message.orig_client_order_id)
    return Cancel(*caller.head(endpoint), symbol, order_id, name, cancel_name, restriction)


def read_replace(core: NativeCore, caller: Caller, message: wire.ReplaceRequest) -> Any:
    """Return the Replace a message asks for."""
    endpoint = Endpoint.ORDER_CANCEL_REPLACE
    reading = Reading(core, caller)
    order = message.order
    if not message.HasField("order"):
        reading.missing("order")
    if order.test:
        reading.unexpected("order.test")
    symbol = reading.symbol(order.symbol)
    order_id, name = reading.order_names(message, "order_id", "orig_client_order_id")
    terms = reading.terms(order)
    cancel_name = reading.client_id(message, "cancel_client_order_id")
    restriction = reading.restriction(message.restriction)
    if reading.fault is not None:
        return refused(caller, endpoint, reading.fault, symbol, order.client_order_id)
    return Replace(
        *caller.head(endpoint),
        symbol,
        order_id,
        name,
        *terms,
        cancel_client_order_id=cancel_name,
        allow_failure=message.allow_failure,
        restriction=restriction,
    )


def read_cancel_all(core: NativeCore, caller: Caller, message: wire.CancelAllRequest) -> Any:
    """Return the CancelAll a message asks for."""
    endpoint = Endpoint.OPEN_ORDERS_CANCEL
    reading = Reading(core, caller)
    symbol = reading.symbol(message.symbol) if message.symbol else 0
    if reading.fault is not None:
        return refused(caller, endpoint, reading.fault)
    return CancelAll(*caller.head(endpoint), symbol)


def read_status(core: NativeCore, caller: Caller, message: wire.StatusRequest) -> Any:
    """Return the Query a message asks for."""
    endpoint = Endpoint.ORDER_QUERY
    reading = Reading(core, caller)
    symbol = reading.symbol(message.symbol)
    order_id, name = reading.order_names(message, "order_id", "client_order_id")
    if reading.fault is not None:
        return refused(caller, endpoint, reading.fault, symbol, message.client_order_id)
    return Query(*caller.head(endpoint), symbol, order_id, name)


def refused(
    caller: Caller, endpoint: int, fault: Fault, symbol: int = 0, client_order_id: str = ""
) -> RefusedRequest:
    """Return the event of a request that could not be understood."""
    return RefusedRequest(
        *caller.head(endpoint),
        reason=fault.reason,
        detail=fault.detail,
        symbol=symbol,
        client_order_id=recordable_id(client_order_id),
        expected=fault.expected,
    )
