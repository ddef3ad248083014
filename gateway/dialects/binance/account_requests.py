"""Requests that read an account: its orders, trades, balances, limits and decisions."""

from functools import partial

from gateway.dialects.binance import account_answers, conduct_answers, gate_answers
from gateway.dialects.binance.order_requests import order_names
from gateway.dialects.binance.reading import Asked, Reading
from rules.endpoints import Endpoint
from rules.events import Query
from rules.reasons import Reason
from rules.values import NS_PER_DAY

_LIMIT_DEFAULT = 500
_LIMIT_MAX = 1_000


def order(reading: Reading) -> Asked:
    """Read `GET /api/v3/order`."""
    symbol = reading.symbol_number()
    order_id, client_order_id = order_names(reading.parameters, "orderId", "origClientOrderId")
    event = Query(
        *reading.head(), symbol=symbol, order_id=order_id, client_order_id=client_order_id
    )
    return Asked(event, account_answers.order)


def open_orders(reading: Reading) -> Asked:
    """Read `GET /api/v3/openOrders`; without a symbol it weighs more."""
    symbol = reading.symbol_number(mandatory=False)
    endpoint = None if reading.parameters.given("symbol") else Endpoint.OPEN_ORDERS_ALL
    return Asked(Query(*reading.head(endpoint), symbol=symbol), account_answers.open_orders)


def all_orders(reading: Reading) -> Asked:
    """Read `GET /api/v3/allOrders`."""
    symbol = reading.symbol_number()
    from_order_id = reading.parameters.integer("orderId")
    start_ns, end_ns = _span(reading)
    limit = reading.parameters.limit(_LIMIT_DEFAULT, _LIMIT_MAX)
    answer = partial(
        account_answers.all_orders,
        from_order_id=from_order_id,
        start_ns=start_ns,
        end_ns=end_ns,
        limit=limit,
    )
    return Asked(Query(*reading.head(), symbol=symbol, order_id=from_order_id), answer)


def my_trades(reading: Reading) -> Asked:
    """Read `GET /api/v3/myTrades`; for one order it weighs less."""
    parameters = reading.parameters
    symbol = reading.symbol_number()
    order_id = parameters.integer("orderId")
    from_trade_id = parameters.integer("fromId")
    start_ns, end_ns = _span(reading)
    if parameters.given("fromId") and (start_ns or end_ns):
        text = "Combination of optional parameters invalid."
        parameters.fail(Reason.INVALID_ORDER_COMBINATION, "fromId", "", -1128, text)
    answer = partial(
        account_answers.my_trades,
        from_trade_id=from_trade_id,
        start_ns=start_ns,
        end_ns=end_ns,
        limit=parameters.limit(_LIMIT_DEFAULT, _LIMIT_MAX),
    )
    endpoint = Endpoint.MY_TRADES_BY_ORDER if parameters.given("orderId") else None
    return Asked(Query(*reading.head(endpoint), symbol=symbol, order_id=order_id), answer)


def account(reading: Reading) -> Asked:
    """Read `GET /api/v3/account`."""
    omit_zero = reading.parameters.boolean("omitZeroBalances")
    answer = partial(account_answers.account, omit_zero=omit_zero)
    return Asked(Query(*reading.head()), answer)


def commission(reading: Reading) -> Asked:
    """Read `GET /api/v3/account/commission`."""
    return Asked(Query(*reading.head(), symbol=reading.symbol_number()), account_answers.commission)


def rate_limit_order(reading: Reading) -> Asked:
    """Read `GET /api/v3/rateLimit/order`."""
    return Asked(Query(*reading.head()), account_answers.rate_limit_order)


def empty_list(reading: Reading) -> Asked:
    """Read a query for something this venue has none of: lists, allocations, prevented matches."""
    return Asked(Query(*reading.head()), account_answers.empty_list)


def gate_limits(reading: Reading) -> Asked:
    """Read `GET /ordergate/v1/limits`."""
    return Asked(Query(*reading.head()), gate_answers.limits)


def gate_conduct(reading: Reading) -> Asked:
    """Read `GET /ordergate/v1/conduct`."""
    return Asked(Query(*reading.head()), conduct_answers.conduct)


def gate_decision(decision_id: str, reading: Reading) -> Asked:
    """Read `GET /ordergate/v1/decisions/<id>`."""
    event = Query(*reading.head(), detail=decision_id[:256])
    return Asked(event, partial(gate_answers.decision, decision_id=decision_id))


def _span(reading: Reading) -> tuple[int, int]:
    """Return startTime and endTime, 0 for either when absent; at most 24 hours apart."""
    parameters = reading.parameters
    start_ns, end_ns = parameters.time_ns("startTime"), parameters.time_ns("endTime")
    if start_ns and end_ns and end_ns - start_ns > NS_PER_DAY:
        text = "More than 24 hours between startTime and endTime."
        parameters.fail(Reason.INVALID_PARAMETER, "endTime", "", -1127, text)
    return start_ns, end_ns
