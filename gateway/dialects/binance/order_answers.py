"""Answers to requests that place, change or end orders."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from gateway.dialects.binance.error_table import AMEND_REJECTED, CANCEL_REJECTED, ORDER_REJECTED
from gateway.dialects.binance.errors import Rejection, rejection
from gateway.dialects.binance.reading import Desk, Failure
from gateway.outcome import Outcome
from gateway.views import OrderView
from rules.events import Amend, Cancel, CancelAll, Fill, Place, Replace
from rules.reasons import Reason
from rules.units import decimal_text
from rules.values import (
    CANCELED,
    E8,
    ENGINE_LOST,
    ORDER_STATUS_NAMES,
    ORDER_TYPE_NAMES,
    PENDING_NEW,
    SIDE_NAMES,
    STP_MODE_NAMES,
    TIME_IN_FORCE_NAMES,
)

NO_LIST: Final = -1
"""The `orderListId` of an order that is in no list."""
_PLACES: Final = 8
_ZERO: Final = "0.00000000"

# Parts of a cancel-replace.
_SUCCESS: Final = "SUCCESS"
_FAILURE: Final = "FAILURE"
_NOT_ATTEMPTED: Final = "NOT_ATTEMPTED"
CANCEL_REPLACE_PARTLY: Final = -2021
CANCEL_REPLACE_PARTLY_TEXT: Final = "Order cancel-replace partially failed."
CANCEL_REPLACE_FAILED: Final = -2022
CANCEL_REPLACE_FAILED_TEXT: Final = "Order cancel-replace failed."
UNKNOWN_ORDER_TEXT: Final = "Unknown order sent."


def amount(value_e8: int) -> str:
    """Return an amount with the eight places Binance writes: all there are."""
    if value_e8 < 0:
        return decimal_text(value_e8, _PLACES)
    return f"{value_e8 // E8}.{value_e8 % E8:08d}"


def status_name(status: int) -> str:
    """Return a status as Binance names it; an order the engine lost has expired there."""
    return "EXPIRED" if status == ENGINE_LOST else ORDER_STATUS_NAMES[status]


def time_in_force_name(time_in_force: int) -> str:
    """Return a time in force; Binance shows GTC for orders that have none."""
    return TIME_IN_FORCE_NAMES[time_in_force] or "GTC"


# --- Placing ----------------------------------------------------------------------------------


def placed_ack(desk: Desk, outcome: Outcome) -> dict[str, Any]:
    """Answer a new order with `newOrderRespType=ACK`."""
    event, result = outcome.event, outcome.result
    assert isinstance(event, (Place, Replace))
    taken_ns = outcome.now_ns if result is None else result.engine_ns
    return {
        "symbol": desk.symbol_name(event.symbol),
        "orderId": outcome.decision.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": event.client_order_id or outcome.decision.client_order_id,
        "transactTime": desk.time(taken_ns),
    }


def placed_result(desk: Desk, outcome: Outcome) -> dict[str, Any]:
    """Answer a new order with `newOrderRespType=RESULT`."""
    event, result = outcome.event, outcome.result
    assert isinstance(event, (Place, Replace))
    answer = placed_ack(desk, outcome)
    fills: tuple[Fill, ...] = () if result is None else result.fills
    executed_e8 = sum(fill.quantity_e8 for fill in fills)
    status = PENDING_NEW if result is None else result.status
    facts = desk.core.book.symbols[event.symbol]
    answer |= {
        "price": amount(event.price_e8),
        # An order by its quote amount has no quantity but the one that was executed.
        "origQty": amount(event.quantity_e8 or executed_e8),
        "executedQty": amount(executed_e8),
        "origQuoteOrderQty": amount(event.quote_quantity_e8),
        "cummulativeQuoteQty": amount(sum(fill.quote_e8 for fill in fills)),
        "status": status_name(status),
        "timeInForce": time_in_force_name(event.time_in_force),
        "type": ORDER_TYPE_NAMES[event.order_type],
        "side": SIDE_NAMES[event.side],
        "workingTime": answer["transactTime"],
        "selfTradePreventionMode": STP_MODE_NAMES[event.stp_mode or facts.filters.default_stp_mode],
    }
    if isinstance(event, Place):
        _add_optional_terms(answer, event)
    if result is not None and result.prevented_e8:
        answer["preventedQuantity"] = amount(result.prevented_e8)
    return answer


def placed_full(desk: Desk, outcome: Outcome) -> dict[str, Any]:
    """Answer a new order with `newOrderRespType=FULL`."""
    answer = placed_result(desk, outcome)
    fills: tuple[Fill, ...] = () if outcome.result is None else outcome.result.fills
    answer["fills"] = [
        {
            "price": amount(fill.price_e8),
            "qty": amount(fill.quantity_e8),
            "commission": amount(fill.commission_e8),
            "commissionAsset": desk.core.directory.asset_name(fill.commission_asset),
            "tradeId": fill.trade_id,
        }
        for fill in fills
    ]
    return answer


def tested(_desk: Desk, _outcome: Outcome) -> dict[str, Any]:
    """Answer a test order that passed every check."""
    return {}


def tested_with_rates(desk: Desk, outcome: Outcome) -> dict[str, Any]:
    """Answer a test order that asked for commission rates too."""
    event = outcome.event
    assert isinstance(event, Place)
    standard = commission_rates(desk, event.symbol)
    return {
        "standardCommissionForOrder": {key: standard[key] for key in ("maker", "taker")},
        "specialCommissionForOrder": {"maker": amount(0), "taker": amount(0)},
        "taxCommissionForOrder": {"maker": amount(0), "taker": amount(0)},
        "discount": NO_DISCOUNT,
    }


NO_DISCOUNT: Final = {
    "enabledForAccount": False,
    "enabledForSymbol": False,
    "discountAsset": "",
    "discount": "0.00000000",
}


def commission_rates(desk: Desk, symbol: int) -> dict[str, str]:
    """Return a symbol's commission rates; millionths are a hundred units of 1e-8 each."""
    facts = desk.core.book.symbols[symbol]
    return {
        "maker": amount(facts.maker_commission_ppm * 100),
        "taker": amount(facts.taker_commission_ppm * 100),
        "buyer": amount(0),
        "seller": amount(0),
    }


def _add_optional_terms(found: dict[str, Any], order: Place | OrderView) -> None:
    if order.stop_price_e8:
        found["stopPrice"] = amount(order.stop_price_e8)
    if order.iceberg_quantity_e8:
        found["icebergQty"] = amount(order.iceberg_quantity_e8)
    if order.strategy_id:
        found["strategyId"] = order.strategy_id
    if order.strategy_type:
        found["strategyType"] = order.strategy_type


# --- Cancelling -------------------------------------------------------------------------------


def cancelled(desk: Desk, outcome: Outcome) -> Any:
    """Answer the cancel of one order."""
    event = outcome.event
    assert isinstance(event, Cancel)
    found = _cancel_object(
        desk, outcome, outcome.decision.order_id, event.symbol, event.client_order_id
    )
    return _unknown_order() if found is None else found


def cancelled_all(desk: Desk, outcome: Outcome) -> Any:
    """Answer the cancel of all open orders of a symbol."""
    event, result = outcome.event, outcome.result
    assert isinstance(event, CancelAll)
    ended = () if result is None else result.ended
    order_ids = (*(one.order_id for one in ended), *outcome.decision.deferred)
    found = (_cancel_object(desk, outcome, order_id, event.symbol, "") for order_id in order_ids)
    return [one for one in found if one is not None] or _unknown_order()


def _cancel_object(
    desk: Desk, outcome: Outcome, order_id: int, symbol: int, cancel_id: str
) -> dict[str, Any] | None:
    view = desk.views.orders.get(desk.account(outcome), symbol, order_id, "")
    if view is None:
        return None
    result = outcome.result
    status = view.shown_status
    for ended in () if result is None else result.ended:
        if ended.order_id == order_id:
            status = ended.status
    taken_ns = outcome.now_ns if result is None else result.engine_ns
    answer = {
        "symbol": desk.symbol_name(view.symbol),
        "origClientOrderId": view.client_order_id,
        "orderId": view.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": cancel_id or _made_id(desk, outcome),
        "transactTime": taken_ns // desk.ns_per_unit,
        "price": amount(view.price_e8),
        "origQty": amount(view.quantity_e8),
        "executedQty": amount(view.executed_e8) if view.executed_e8 else _ZERO,
        "origQuoteOrderQty": amount(view.quote_quantity_e8) if view.quote_quantity_e8 else _ZERO,
        "cummulativeQuoteQty": amount(view.quote_executed_e8) if view.quote_executed_e8 else _ZERO,
        "status": status_name(status or CANCELED),
        "timeInForce": TIME_IN_FORCE_NAMES[view.time_in_force] or "GTC",
        "type": ORDER_TYPE_NAMES[view.order_type],
        "side": SIDE_NAMES[view.side],
        "selfTradePreventionMode": STP_MODE_NAMES[view.stp_mode],
    }
    if view.prevented_e8:
        answer["preventedQuantity"] = amount(view.prevented_e8)
    _add_optional_terms(answer, view)
    return answer


def _made_id(desk: Desk, outcome: Outcome) -> str:
    """Return a name for a cancel that came without one: 22 characters, as Binance makes them."""
    return desk.ids.encode(outcome.seq)[:22]


def _unknown_order() -> Failure:
    return Failure(400, CANCEL_REJECTED, UNKNOWN_ORDER_TEXT)


# --- Orders as queries show them --------------------------------------------------------------


def order_object(desk: Desk, view: OrderView) -> dict[str, Any]:
    """Return an order as `GET /api/v3/order` shows it."""
    found = {
        "symbol": desk.symbol_name(view.symbol),
        "orderId": view.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": view.client_order_id,
        **_order_amounts(view),
        "status": status_name(view.shown_status),
        **_order_kind(view),
        "stopPrice": amount(view.stop_price_e8),
        "icebergQty": amount(view.iceberg_quantity_e8),
        "time": desk.time(view.time_ns),
        "updateTime": desk.time(view.update_ns),
        "isWorking": bool(view.working_ns),
        "workingTime": desk.time(view.working_ns) if view.working_ns else -1,
    }
    _add_optional_terms(found, view)
    return found


def order_objects(desk: Desk, views: Iterable[OrderView]) -> list[dict[str, Any]]:
    """Return orders as `GET /api/v3/openOrders` shows them."""
    return [order_object(desk, view) for view in views]


def _order_amounts(view: OrderView) -> dict[str, Any]:
    return {
        "price": amount(view.price_e8),
        "origQty": amount(view.quantity_e8),
        "executedQty": amount(view.executed_e8),
        "origQuoteOrderQty": amount(view.quote_quantity_e8),
        "cummulativeQuoteQty": amount(view.quote_executed_e8),
    }


def _order_kind(view: OrderView) -> dict[str, Any]:
    found = {
        "timeInForce": time_in_force_name(view.time_in_force),
        "type": ORDER_TYPE_NAMES[view.order_type],
        "side": SIDE_NAMES[view.side],
        "selfTradePreventionMode": STP_MODE_NAMES[view.stp_mode],
    }
    if view.prevented_e8:
        found["preventedQuantity"] = amount(view.prevented_e8)
    return found


# --- Replacing and amending -------------------------------------------------------------------


def _replaced(placed: Any, desk: Desk, outcome: Outcome) -> Any:
    event, result = outcome.event, outcome.result
    assert isinstance(event, Replace)
    assert result is not None
    cancelled_one = bool(result.ended)
    placed_one = result.accepted and result.replaced_refusal is None
    if not (cancelled_one or placed_one or event.allow_failure):
        return replace_refused(rejection(result.reason or Reason.INTERNAL_ERROR, event))
    cancel_response: Any = _part(Rejection(400, CANCEL_REJECTED, UNKNOWN_ORDER_TEXT))
    if cancelled_one:
        order_id, cancel_id = result.ended[0].order_id, event.cancel_client_order_id
        cancel_response = _cancel_object(desk, outcome, order_id, event.symbol, cancel_id)
    if placed_one:
        new_response = placed(desk, outcome)
    else:
        reason = result.replaced_refusal or result.reason or Reason.INTERNAL_ERROR
        new_response = _part(rejection(reason, event))
    data = {
        "cancelResult": _SUCCESS if cancelled_one else _FAILURE,
        "newOrderResult": _SUCCESS if placed_one else _FAILURE,
        "cancelResponse": cancel_response,
        "newOrderResponse": new_response,
    }
    if cancelled_one and placed_one:
        return data
    if cancelled_one or placed_one:
        return Failure(409, CANCEL_REPLACE_PARTLY, CANCEL_REPLACE_PARTLY_TEXT, data)
    return Failure(400, CANCEL_REPLACE_FAILED, CANCEL_REPLACE_FAILED_TEXT, data)


replaced_ack = partial(_replaced, placed_ack)
replaced_result = partial(_replaced, placed_result)
replaced_full = partial(_replaced, placed_full)


def replace_refused(refused: Rejection) -> Failure:
    """Return the answer to a cancel-replace whose cancel failed: the new order is not attempted."""
    if refused.code == ORDER_REJECTED:
        refused = refused._replace(code=CANCEL_REJECTED)
    data: dict[str, Any] = {
        "cancelResult": _FAILURE,
        "newOrderResult": _NOT_ATTEMPTED,
        "cancelResponse": _part(refused),
        "newOrderResponse": None,
    }
    return Failure(400, CANCEL_REPLACE_FAILED, CANCEL_REPLACE_FAILED_TEXT, data)


def _part(refused: Rejection) -> dict[str, Any]:
    return {"code": refused.code, "msg": refused.text}


def amended(desk: Desk, outcome: Outcome) -> Any:
    """Answer an amend that kept its priority."""
    event, result = outcome.event, outcome.result
    assert isinstance(event, Amend)
    view = desk.views.orders.get(desk.account(outcome), event.symbol, outcome.decision.order_id, "")
    if view is None:
        return Failure(400, AMEND_REJECTED, UNKNOWN_ORDER_TEXT)
    taken_ns = outcome.now_ns if result is None else result.engine_ns
    return {
        "transactTime": desk.time(taken_ns),
        # Microseconds: unique enough for one order, and exact in clients that count in doubles.
        "executionId": taken_ns // 1_000,
        "amendedOrder": {
            "symbol": desk.symbol_name(view.symbol),
            "orderId": view.order_id,
            "orderListId": NO_LIST,
            "origClientOrderId": view.client_order_id,
            "clientOrderId": view.client_order_id,
            "price": amount(view.price_e8),
            "qty": amount(view.quantity_e8),
            "executedQty": amount(view.executed_e8),
            "preventedQty": amount(view.prevented_e8),
            "quoteOrderQty": amount(view.quote_quantity_e8),
            "cumulativeQuoteQty": amount(view.quote_executed_e8),
            "status": status_name(view.shown_status),
            **_order_kind(view),
            "workingTime": desk.time(view.working_ns),
        },
    }
