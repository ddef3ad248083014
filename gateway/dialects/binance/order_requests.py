"""Requests that place, change or end orders."""

from typing import Final

import msgspec

from gateway.dialects.binance import order_answers
from gateway.dialects.binance.errors import unsupported_order_type
from gateway.dialects.binance.parameters import Parameters
from gateway.dialects.binance.reading import Asked, Reading
from rules.events import Amend, Cancel, CancelAll, Place, Replace
from rules.reasons import Reason
from rules.values import (
    FLAG_TEST,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    ORDER_TYPE_NAMES,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
    SIDE_NAMES,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    STP_MODE_NAMES,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TIME_IN_FORCE_NAMES,
)

ACK: Final = 1
RESULT: Final = 2
FULL: Final = 3
RESPONSE_NAMES: Final = ("", "ACK", "RESULT", "FULL")

STOP_ON_FAILURE: Final = 1
ALLOW_FAILURE: Final = 2
MODE_NAMES: Final = ("", "STOP_ON_FAILURE", "ALLOW_FAILURE")
RESTRICTION_NAMES: Final = ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED")
_RESTRICTIONS: Final = (0, RESTRICT_ONLY_NEW, RESTRICT_ONLY_PARTIALLY_FILLED)

_STRATEGY_TYPE_MIN: Final = 1_000_000
COMMISSION_RATES_SIZE: Final = 1
"""`size` of a test order that also asks for commission rates, which weighs more."""

# Which parameters each order type needs beside symbol, side and type, and which it may not have.
_MANDATORY: Final = {
    LIMIT: ("timeInForce", "quantity", "price"),
    MARKET: (),
    LIMIT_MAKER: ("quantity", "price"),
    STOP_LOSS: ("quantity", "stopPrice"),
    STOP_LOSS_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
    TAKE_PROFIT: ("quantity", "stopPrice"),
    TAKE_PROFIT_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
}
_FORBIDDEN: Final = {
    LIMIT: ("quoteOrderQty", "stopPrice"),
    MARKET: ("timeInForce", "price", "stopPrice", "icebergQty"),
    LIMIT_MAKER: ("timeInForce", "quoteOrderQty", "stopPrice"),
    STOP_LOSS: ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    STOP_LOSS_LIMIT: ("quoteOrderQty",),
    TAKE_PROFIT: ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    TAKE_PROFIT_LIMIT: ("quoteOrderQty",),
}
_UNSUPPORTED: Final = (
    ("trailingDelta", "Trailing stop"),
    ("icebergQty", "Iceberg"),
    ("pegPriceType", "Pegged"),
    ("pegOffsetType", "Pegged"),
    ("pegOffsetValue", "Pegged"),
)


_NEEDED: Final = {kind: frozenset(names) for kind, names in _MANDATORY.items()}
_DOUBTFUL: Final = {
    kind: frozenset((*names, *(name for name, _ in _UNSUPPORTED)))
    for kind, names in _FORBIDDEN.items()
}


_USUAL_NAMES: Final = frozenset(
    (
        "symbol",
        "side",
        "type",
        "timeInForce",
        "quantity",
        "price",
        "newClientOrderId",
        "newOrderRespType",
        "recvWindow",
        "timestamp",
        "signature",
    )
)
"""An order that has no other parameters has the same terms as another with the same words."""
_USUAL_TERMS_MAX: Final = 4_096


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What a new order is to be."""

    symbol: int = 0
    side: int = 0
    order_type: int = 0
    time_in_force: int = 0
    price_e8: int = 0
    quantity_e8: int = 0
    quote_quantity_e8: int = 0
    client_order_id: str = ""
    stp_mode: int = 0
    stop_price_e8: int = 0
    strategy_id: int = 0
    strategy_type: int = 0
    response: int = ACK


def place(reading: Reading) -> Asked:
    """Read `POST /api/v3/order`."""
    return _place(reading, _read_terms(reading), 0)


def place_test(reading: Reading) -> Asked:
    """Read `POST /api/v3/order/test`: every check is made, nothing is placed."""
    terms = _read_terms(reading)
    if reading.parameters.boolean("computeCommissionRates"):
        asked = _place(reading, terms, FLAG_TEST, COMMISSION_RATES_SIZE)
        return Asked(asked.event, order_answers.tested_with_rates)
    return Asked(_place(reading, terms, FLAG_TEST).event, order_answers.tested)


def _place(reading: Reading, terms: Terms, flags: int, size: int = 0) -> Asked:
    event = Place(
        *reading.head(size=size),
        symbol=terms.symbol,
        side=terms.side,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        price_e8=terms.price_e8,
        quantity_e8=terms.quantity_e8,
        quote_quantity_e8=terms.quote_quantity_e8,
        client_order_id=terms.client_order_id,
        stp_mode=terms.stp_mode,
        flags=flags,
        stop_price_e8=terms.stop_price_e8,
        strategy_id=terms.strategy_id,
        strategy_type=terms.strategy_type,
    )
    return Asked(event, _ANSWERS[terms.response])


def cancel(reading: Reading) -> Asked:
    """Read `DELETE /api/v3/order`."""
    parameters = reading.parameters
    symbol = reading.symbol_number()
    order_id, client_order_id = order_names(parameters, "orderId", "origClientOrderId")
    event = Cancel(
        *reading.head(),
        symbol=symbol,
        order_id=order_id,
        orig_client_order_id=client_order_id,
        client_order_id=parameters.client_id("newClientOrderId"),
        restriction=_restriction(parameters),
    )
    return Asked(event, order_answers.cancelled)


def cancel_all(reading: Reading) -> Asked:
    """Read `DELETE /api/v3/openOrders`."""
    event = CancelAll(*reading.head(), symbol=reading.symbol_number())
    return Asked(event, order_answers.cancelled_all)


def replace(reading: Reading) -> Asked:
    """Read `POST /api/v3/order/cancelReplace`."""
    parameters = reading.parameters
    mode = parameters.choice("cancelReplaceMode", MODE_NAMES, Reason.INVALID_PARAMETER, True)
    parameters.choice(
        "orderRateLimitExceededMode", ("", "DO_NOTHING"), Reason.UNSUPPORTED_OPERATION
    )
    order_id, client_order_id = order_names(parameters, "cancelOrderId", "cancelOrigClientOrderId")
    terms = _read_terms(reading)
    event = Replace(
        *reading.head(),
        symbol=terms.symbol,
        order_id=order_id,
        orig_client_order_id=client_order_id,
        side=terms.side,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        price_e8=terms.price_e8,
        quantity_e8=terms.quantity_e8,
        quote_quantity_e8=terms.quote_quantity_e8,
        client_order_id=terms.client_order_id,
        stp_mode=terms.stp_mode,
        cancel_client_order_id=parameters.client_id("cancelNewClientOrderId"),
        allow_failure=mode == ALLOW_FAILURE,
        restriction=_restriction(parameters),
    )
    return Asked(event, _REPLACE_ANSWERS[terms.response])


def amend(reading: Reading) -> Asked:
    """Read `PUT /api/v3/order/amend/keepPriority`."""
    parameters = reading.parameters
    symbol = reading.symbol_number()
    order_id, client_order_id = order_names(parameters, "orderId", "origClientOrderId")
    event = Amend(
        *reading.head(),
        symbol=symbol,
        order_id=order_id,
        orig_client_order_id=client_order_id,
        quantity_e8=parameters.decimal_e8(
            "newQty", Reason.QUANTITY_MAX, Reason.QUANTITY_MIN, mandatory=True
        ),
        client_order_id=parameters.client_id("newClientOrderId"),
        keep_priority=True,
    )
    return Asked(event, order_answers.amended)


def order_names(parameters: Parameters, id_name: str, client_name: str) -> tuple[int, str]:
    """Return order id and client order id, of which at least one must be sent."""
    if not parameters.values.get(id_name) and not parameters.values.get(client_name):
        text = f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!"
        parameters.fail(Reason.MISSING_PARAMETER, f"{client_name}, {id_name}", "", -1102, text)
        return 0, ""
    order_id = parameters.integer(id_name) if parameters.values.get(id_name) else 0
    client_order_id = (
        parameters.client_id(client_name) if parameters.values.get(client_name) else ""
    )
    return order_id, client_order_id


def _read_terms(reading: Reading) -> Terms:
    """Return the terms of a new order.

    Most orders differ in price, quantity and name only. What their other words mean is remembered
    of the first one in which nothing was wrong, and what could be wrong with these is looked at
    in the same order as ever.
    """
    parameters = reading.parameters
    values = parameters.values
    if not (_USUAL_NAMES.issuperset(values) and "price" in values and "quantity" in values):
        return _read_all_terms(reading)
    get = values.get
    words = (get("symbol"), get("side"), get("type"), get("timeInForce"), get("newOrderRespType"))
    usual = reading.usual_terms.get(words)
    if usual is None:
        terms = _read_all_terms(reading)
        if parameters.fault is None and len(reading.usual_terms) < _USUAL_TERMS_MAX:
            reading.usual_terms[words] = terms
        return terms
    return Terms(
        usual.symbol,
        usual.side,
        usual.order_type,
        usual.time_in_force,
        parameters.decimal_e8("price", Reason.PRICE_MAX, Reason.PRICE_MIN),
        parameters.decimal_e8("quantity", Reason.QUANTITY_MAX, Reason.QUANTITY_MIN),
        0,
        parameters.client_id("newClientOrderId"),
        response=usual.response,
    )


def _read_all_terms(reading: Reading) -> Terms:
    parameters = reading.parameters
    given = parameters.values.__contains__
    definition = reading.symbol()
    side = parameters.choice("side", SIDE_NAMES, Reason.INVALID_SIDE, True)
    order_type = parameters.choice("type", ORDER_TYPE_NAMES, Reason.INVALID_ORDER_TYPE, True)
    if definition is None or not order_type:
        return Terms()
    filters = reading.core.rulebook.filters(definition.name)
    _check_combination(parameters, order_type)
    price_e8 = parameters.decimal_e8("price", Reason.PRICE_MAX, Reason.PRICE_MIN)
    stop_price_e8 = quote_quantity_e8 = stp_mode = 0
    # What most orders do not have is not even asked for.
    if given("stopPrice"):
        stop_price_e8 = parameters.decimal_e8("stopPrice", Reason.PRICE_MAX, Reason.PRICE_MIN)
    quantity_e8 = parameters.decimal_e8("quantity", Reason.QUANTITY_MAX, Reason.QUANTITY_MIN)
    if given("quoteOrderQty"):
        quote_quantity_e8 = parameters.decimal_e8(
            "quoteOrderQty", Reason.NOTIONAL_MAX, Reason.NOTIONAL_MIN
        )
    time_in_force = parameters.choice(
        "timeInForce", TIME_IN_FORCE_NAMES, Reason.INVALID_TIME_IN_FORCE
    )
    if given("selfTradePreventionMode"):
        stp_mode = parameters.choice(
            "selfTradePreventionMode", STP_MODE_NAMES, Reason.INVALID_PARAMETER
        )
    response = parameters.choice("newOrderRespType", RESPONSE_NAMES, Reason.INVALID_PARAMETER)
    if order_type not in filters.order_types:
        parameters.fail(*unsupported_order_type(order_type))
    if stp_mode and stp_mode not in filters.stp_modes:
        parameters.fail(Reason.INVALID_STP_MODE, STP_MODE_NAMES[stp_mode])
    return Terms(
        definition.symbol,
        side,
        order_type,
        time_in_force,
        price_e8,
        quantity_e8,
        quote_quantity_e8,
        parameters.client_id("newClientOrderId"),
        stp_mode,
        stop_price_e8,
        parameters.integer("strategyId") if given("strategyId") else 0,
        _strategy_type(parameters) if given("strategyType") else 0,
        response or (FULL if order_type in (LIMIT, MARKET) else ACK),
    )


def _check_combination(parameters: Parameters, order_type: int) -> None:
    """Note what the order type needs and lacks, or has and may not have."""
    given = parameters.values
    if (
        order_type != MARKET
        and _NEEDED[order_type] <= given.keys()
        and _DOUBTFUL[order_type].isdisjoint(given)
    ):
        return
    for name in _MANDATORY[order_type]:
        if name not in given:
            parameters.fail(Reason.MISSING_PARAMETER, name)
    for name in _FORBIDDEN[order_type]:
        if name in given:
            parameters.fail(Reason.UNEXPECTED_PARAMETER, name)
    if order_type == MARKET:
        _check_market_amount(parameters)
    for name, kind in _UNSUPPORTED:
        # Some clients send a zero where they mean absent.
        if name in given and given[name].strip("0."):
            parameters.fail(Reason.UNSUPPORTED_ORDER_TYPE, kind)


def _check_market_amount(parameters: Parameters) -> None:
    both = "quantity" in parameters.values, "quoteOrderQty" in parameters.values
    if all(both):
        text = "Combination of optional parameters invalid."
        parameters.fail(Reason.INVALID_ORDER_COMBINATION, "quoteOrderQty", "", -1128, text)
    elif not any(both):
        text = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
        parameters.fail(Reason.MISSING_PARAMETER, "quantity, quoteOrderQty", "", -1102, text)


def _strategy_type(parameters: Parameters) -> int:
    strategy_type = parameters.integer("strategyType")
    if strategy_type < _STRATEGY_TYPE_MIN:
        text = f"`strategyType` was less than {_STRATEGY_TYPE_MIN}."
        parameters.fail(Reason.INVALID_PARAMETER, "strategyType", "", -1134, text)
    return strategy_type


def _restriction(parameters: Parameters) -> int:
    name = "cancelRestrictions"
    value = parameters.text(name)
    if value and value not in RESTRICTION_NAMES:
        expected = ", ".join(RESTRICTION_NAMES[1:])
        text = "Invalid cancelRestrictions"
        parameters.fail(Reason.INVALID_PARAMETER, name, expected, -1145, text)
        return 0
    return _RESTRICTIONS[RESTRICTION_NAMES.index(value)]


_ANSWERS: Final = {
    ACK: order_answers.placed_ack,
    RESULT: order_answers.placed_result,
    FULL: order_answers.placed_full,
}
_REPLACE_ANSWERS: Final = {
    ACK: order_answers.replaced_ack,
    RESULT: order_answers.replaced_result,
    FULL: order_answers.replaced_full,
}
