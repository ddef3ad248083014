"""Which path and method asks for what."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from gateway.dialects.binance import account_requests, market_requests, order_requests
from gateway.dialects.binance.reading import Asked, Reading
from rules.endpoints import Endpoint

Reader: TypeAlias = Callable[[Reading], Asked]


class Route(NamedTuple):
    """One thing clients can ask for."""

    endpoint: Endpoint
    read: Reader
    counts_orders: bool = False
    """Whether its answers show the order count."""


DECISIONS_PREFIX: Final = "/ordergate/v1/decisions/"
PREFIXES: Final = ("/api/", "/sapi/", "/fapi/", "/dapi/", "/ordergate/")
"""Beginnings of the paths this dialect answers."""

_STARTUP: Final = Endpoint.STARTUP_STUB
_LIST: Final = partial(market_requests.stub, "list")
_INFORMATION: Final = partial(market_requests.stub, "information")

ROUTES: Final[dict[str, dict[str, Route]]] = {
    "/api/v3/ping": {"GET": Route(Endpoint.PING, market_requests.ping)},
    "/api/v3/time": {"GET": Route(Endpoint.TIME, market_requests.time)},
    "/api/v3/exchangeInfo": {"GET": Route(Endpoint.EXCHANGE_INFO, market_requests.exchange_info)},
    "/api/v3/depth": {"GET": Route(Endpoint.DEPTH, market_requests.depth)},
    "/api/v3/trades": {"GET": Route(Endpoint.TRADES, market_requests.trades)},
    "/api/v3/historicalTrades": {"GET": Route(Endpoint.HISTORICAL_TRADES, market_requests.trades)},
    "/api/v3/aggTrades": {"GET": Route(Endpoint.AGG_TRADES, market_requests.agg_trades)},
    "/api/v3/klines": {"GET": Route(Endpoint.KLINES, market_requests.klines)},
    "/api/v3/uiKlines": {"GET": Route(Endpoint.UI_KLINES, market_requests.klines)},
    "/api/v3/avgPrice": {"GET": Route(Endpoint.AVG_PRICE, market_requests.average_price)},
    "/api/v3/ticker/24hr": {"GET": Route(Endpoint.TICKER_24HR, market_requests.ticker_24hr)},
    "/api/v3/ticker/price": {"GET": Route(Endpoint.TICKER_PRICE, market_requests.ticker_price)},
    "/api/v3/ticker/bookTicker": {"GET": Route(Endpoint.TICKER_BOOK, market_requests.ticker_book)},
    "/api/v3/order": {
        "POST": Route(Endpoint.ORDER_PLACE, order_requests.place, True),
        "GET": Route(Endpoint.ORDER_QUERY, account_requests.order),
        "DELETE": Route(Endpoint.ORDER_CANCEL, order_requests.cancel, True),
    },
    "/api/v3/order/test": {"POST": Route(Endpoint.ORDER_TEST, order_requests.place_test, True)},
    "/api/v3/order/cancelReplace": {
        "POST": Route(Endpoint.ORDER_CANCEL_REPLACE, order_requests.replace, True)
    },
    "/api/v3/order/amend/keepPriority": {
        "PUT": Route(Endpoint.ORDER_AMEND, order_requests.amend, True)
    },
    "/api/v3/openOrders": {
        "GET": Route(Endpoint.OPEN_ORDERS, account_requests.open_orders),
        "DELETE": Route(Endpoint.OPEN_ORDERS_CANCEL, order_requests.cancel_all, True),
    },
    "/api/v3/allOrders": {"GET": Route(Endpoint.ALL_ORDERS, account_requests.all_orders)},
    "/api/v3/account": {"GET": Route(Endpoint.ACCOUNT, account_requests.account)},
    "/api/v3/myTrades": {"GET": Route(Endpoint.MY_TRADES, account_requests.my_trades)},
    "/api/v3/rateLimit/order": {
        "GET": Route(Endpoint.RATE_LIMIT_ORDER, account_requests.rate_limit_order, True)
    },
    "/api/v3/account/commission": {
        "GET": Route(Endpoint.ACCOUNT_COMMISSION, account_requests.commission)
    },
    "/api/v3/openOrderList": {"GET": Route(Endpoint.ORDER_LISTS, account_requests.empty_list)},
    "/api/v3/allOrderList": {"GET": Route(Endpoint.ORDER_LISTS, account_requests.empty_list)},
    "/api/v3/myPreventedMatches": {
        "GET": Route(Endpoint.MY_PREVENTED_MATCHES, account_requests.empty_list)
    },
    "/api/v3/myAllocations": {"GET": Route(Endpoint.MY_ALLOCATIONS, account_requests.empty_list)},
    # What ccxt asks for before its first call.
    "/sapi/v1/capital/config/getall": {"GET": Route(_STARTUP, _LIST)},
    "/sapi/v1/margin/allPairs": {"GET": Route(_STARTUP, _LIST)},
    "/sapi/v1/margin/isolated/allPairs": {"GET": Route(_STARTUP, _LIST)},
    "/fapi/v1/exchangeInfo": {"GET": Route(_STARTUP, _INFORMATION)},
    "/dapi/v1/exchangeInfo": {"GET": Route(_STARTUP, _INFORMATION)},
    "/ordergate/v1/conduct": {"GET": Route(Endpoint.GATE_CONDUCT, account_requests.gate_conduct)},
    "/ordergate/v1/limits": {"GET": Route(Endpoint.GATE_LIMITS, account_requests.gate_limits)},
}


def find_route(method: str, path: str) -> Route | None:
    """Return what `method` on `path` asks for, None when nothing does."""
    methods = ROUTES.get(path)
    if methods is not None:
        return methods.get(method)
    if method == "GET" and path.startswith(DECISIONS_PREFIX):
        decision_id = path[len(DECISIONS_PREFIX) :]
        if decision_id and "/" not in decision_id:
            read = partial(account_requests.gate_decision, decision_id)
            return Route(Endpoint.GATE_DECISION, read)
    return None


def known_path(path: str) -> bool:
    """Tell whether some method on `path` asks for something."""
    return path in ROUTES or find_route("GET", path) is not None
