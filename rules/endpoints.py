"""The closed list of things a client can ask for, across dialects.

The numbers are part of the record's format: a number never changes its meaning and is never
reused. What an endpoint weighs, needs as security and counts as orders is rulebook data, keyed by
the names here.
"""

from enum import IntEnum, unique


@unique
class Endpoint(IntEnum):
    """What a request asks for, whatever the dialect; lower-cased it is the rulebook's key."""

    UNKNOWN = 1
    """No such path; counted like a request of weight 1."""

    # Market data and venue facts.
    PING = 10
    TIME = 11
    EXCHANGE_INFO = 12
    DEPTH = 13
    TRADES = 14
    HISTORICAL_TRADES = 15
    AGG_TRADES = 16
    KLINES = 17
    UI_KLINES = 18
    AVG_PRICE = 19
    TICKER_24HR = 20
    TICKER_TRADING_DAY = 21
    TICKER_PRICE = 22
    TICKER_BOOK = 23
    TICKER_ROLLING = 24
    EXECUTION_RULES = 25
    REFERENCE_PRICE = 26

    # Trading.
    ORDER_PLACE = 40
    ORDER_TEST = 41
    ORDER_CANCEL = 42
    OPEN_ORDERS_CANCEL = 43
    ORDER_CANCEL_REPLACE = 44
    ORDER_AMEND = 45
    ORDER_REPLACE = 46
    ORDER_LIST_PLACE = 47
    ORDER_LIST_CANCEL = 48

    # Account.
    ORDER_QUERY = 60
    OPEN_ORDERS = 61
    ALL_ORDERS = 62
    ACCOUNT = 63
    MY_TRADES = 64
    RATE_LIMIT_ORDER = 65
    MY_PREVENTED_MATCHES = 66
    MY_ALLOCATIONS = 67
    ACCOUNT_COMMISSION = 68
    ORDER_AMENDMENTS = 69
    MY_FILTERS = 70
    ORDER_LISTS = 71
    OPEN_ORDERS_ALL = 72
    """Open orders of every symbol at once: the dearer form."""
    MY_TRADES_BY_ORDER = 73

    # Clients' start-up stubs: answered empty so that unmodified clients start.
    STARTUP_STUB = 90

    # The gate's own routes, which have a budget of their own and are never banned.
    GATE_DECISION = 100
    GATE_LIMITS = 101
    GATE_STATUS = 102
    GATE_CONDUCT = 103

    # Sessions.
    SESSION_LOGON = 110
    SESSION_CONNECT = 111


ENDPOINT_BY_NAME: dict[str, Endpoint] = {member.name.lower(): member for member in Endpoint}
"""Endpoints by their rulebook key."""
