"""Every reason as Binance says it: HTTP status, code and text, in one table.

Where Binance has no code of its own, code and text are chosen by what clients make of them; the
note of the entry says why. The table is published as `docs/binance-errors.md`.
"""

from typing import Final, NamedTuple

from rules.reasons import Reason

# What limit and observed value of a breach count.
NOTHING: Final = ""
"""They are states or names, which tell a client nothing beside the reason."""
COUNT: Final = "count"
E8: Final = "1e-8"
"""A price, quantity or amount; shown as decimal text."""
NS: Final = "ns"
"""A time or duration; shown in milliseconds."""

ORDER_REJECTED: Final = -2010
CANCEL_REJECTED: Final = -2011
AMEND_REJECTED: Final = -2038
NOT_AUTHORIZED: Final = -1002

BUSY_TEXT: Final = (
    "Server is currently overloaded with other requests. Please try again in a few minutes."
)
NO_TRADING_TEXT: Final = "This account may not place or cancel orders."
KEY_TEXT: Final = "Invalid API-key, IP, or permissions for action."
UNKNOWN_TEXT: Final = "An unknown error occurred while processing the request."
TIMEOUT_TEXT: Final = (
    "Timeout waiting for response from backend server. "
    "Send status unknown; execution status unknown."
)
BALANCE_TEXT: Final = "Account has insufficient balance for requested action."
MANDATORY_TEXT: Final = "Mandatory parameter '{detail}' was not sent, was empty/null, or malformed."
WEIGHT_TEXT: Final = (
    "Too much request weight used; current limit is {limit} request weight per {window}. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
RAW_TEXT: Final = (
    "Too many requests; current limit is {limit} requests per {window}. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
BAN_TEXT: Final = (
    "Way too much request weight used; IP banned until {until_ms}. "
    "Please use WebSocket Streams for live updates to avoid bans."
)
ORDERS_TEXT: Final = "Too many new orders; current limit is {limit} orders per {window}."
PACE_TEXT: Final = "Too many new orders; current limit is 1 orders per {pace}."


class Entry(NamedTuple):
    """How one reason is told."""

    status: int
    code: int
    text: str
    """May name `{detail}`, `{expected}`, `{limit}`, `{limit_ms}`, `{pace}`, `{window}`,
    `{until_ms}` and `{filter}`."""
    unit: str = NOTHING
    note: str = ""
    """Why this code, where Binance has none for the reason."""


def _filter(name: str, unit: str = E8) -> Entry:
    return Entry(400, -1013, f"Filter failure: {name}", unit)


R: Final = Reason
ENTRIES: Final[dict[Reason, Entry]] = {
    R.MALFORMED_REQUEST: Entry(400, -1100, "Illegal characters found in a parameter."),
    R.UNKNOWN_ENDPOINT: Entry(
        404,
        -1020,
        "This operation is not supported.",
        note="Binance answers 404 without a body; clients need code and msg to report it.",
    ),
    R.METHOD_NOT_ALLOWED: Entry(
        405,
        -1020,
        "This operation is not supported.",
        note="As for an unknown path, with the HTTP status that names the cause.",
    ),
    R.MISSING_PARAMETER: Entry(400, -1102, MANDATORY_TEXT),
    R.ILLEGAL_CHARACTERS: Entry(
        400,
        -1100,
        "Illegal characters found in parameter '{detail}'; legal range is '{expected}'.",
    ),
    R.INVALID_PARAMETER: Entry(400, -1130, "Data sent for parameter '{detail}' is not valid."),
    R.DUPLICATE_PARAMETER: Entry(400, -1101, "Duplicate values for a parameter detected."),
    R.UNEXPECTED_PARAMETER: Entry(400, -1106, "Parameter '{detail}' sent when not required."),
    R.TOO_MUCH_PRECISION: Entry(400, -1111, "Parameter '{detail}' has too much precision."),
    R.NUMBER_TOO_LARGE: Entry(400, -1108, "Parameter '{detail}' overflowed."),
    R.UNKNOWN_SYMBOL: Entry(400, -1121, "Invalid symbol."),
    R.INVALID_SIDE: Entry(400, -1117, "Invalid side."),
    R.INVALID_ORDER_TYPE: Entry(400, -1116, "Invalid orderType."),
    R.INVALID_TIME_IN_FORCE: Entry(400, -1115, "Invalid timeInForce."),
    R.UNSUPPORTED_ORDER_TYPE: Entry(
        400, -1013, "{detail} orders are not supported for this symbol."
    ),
    R.INVALID_STP_MODE: Entry(
        400, -1013, "This symbol does not allow the specified self-trade prevention mode."
    ),
    R.BODY_TOO_LARGE: Entry(
        413,
        -1101,
        "Too many parameters sent for this endpoint.",
        note="No body of an endpoint is that long; the status names the cause.",
    ),
    R.EMPTY_PARAMETER: Entry(400, -1105, "Parameter '{detail}' was empty."),
    R.INVALID_INTERVAL: Entry(400, -1120, "Invalid interval."),
    R.INVALID_ORDER_COMBINATION: Entry(400, -1014, "Unsupported order combination."),
    R.PARAMETER_OUT_OF_RANGE: Entry(
        400, -1102, "'{detail}' contains unexpected value. Cannot be greater than {expected}."
    ),
    R.UNSUPPORTED_OPERATION: Entry(400, -1020, "This operation is not supported."),
    R.TOO_MANY_PARAMETERS: Entry(400, -1101, "Too many parameters sent for this endpoint."),
    R.ADDRESS_BANNED: Entry(418, -1003, BAN_TEXT),
    R.RAW_REQUEST_LIMIT: Entry(
        429,
        -1003,
        RAW_TEXT,
        COUNT,
        "Binance has no text for raw requests; the old form of -1003.",
    ),
    R.REQUEST_WEIGHT_LIMIT: Entry(429, -1003, WEIGHT_TEXT, COUNT),
    R.KEY_MISSING: Entry(401, -2014, "API-key format invalid."),
    R.KEY_MALFORMED: Entry(401, -2014, "API-key format invalid."),
    R.KEY_UNKNOWN: Entry(401, -2015, KEY_TEXT),
    R.SIGNATURE_INVALID: Entry(400, -1022, "Signature for this request is not valid."),
    R.SIGNATURE_MISSING: Entry(400, -1102, MANDATORY_TEXT.replace("{detail}", "signature")),
    R.NONCE_USED: Entry(
        400,
        -1022,
        "Signature for this request is not valid.",
        note="Requests of this dialect have no nonce; listed so that the table is whole.",
    ),
    R.TIMESTAMP_EXPIRED: Entry(
        400, -1021, "Timestamp for this request is outside of the recvWindow.", NS
    ),
    R.TIMESTAMP_AHEAD: Entry(
        400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.", NS
    ),
    R.TIMESTAMP_INVALID: Entry(400, -1130, "Data sent for parameter 'timestamp' is not valid.", NS),
    R.RECV_WINDOW_TOO_LARGE: Entry(
        400,
        -1102,
        "'recvWindow' contains unexpected value. Cannot be greater than {limit_ms}.",
        NS,
        "The present documents' text; the older one was -1131.",
    ),
    R.SIGNATURE_NOT_CHECKED: Entry(
        401,
        -2015,
        KEY_TEXT,
        note="A banned address is refused before this; the key was not looked at.",
    ),
    R.TIMESTAMP_MISSING: Entry(400, -1102, MANDATORY_TEXT.replace("{detail}", "timestamp")),
    R.KEY_DISABLED: Entry(401, -2015, KEY_TEXT),
    R.KEY_EXPIRED: Entry(401, -2015, KEY_TEXT),
    R.ADDRESS_NOT_ALLOWED: Entry(401, -2015, KEY_TEXT),
    R.PERMISSION_DENIED: Entry(401, -2015, KEY_TEXT),
    R.ACCOUNT_DISABLED: Entry(
        400,
        ORDER_REJECTED,
        NO_TRADING_TEXT,
        note="ccxt: PermissionDenied, which bots treat as final; -2015 would look like throttling.",
    ),
    R.STATE_KILLED: Entry(
        400,
        ORDER_REJECTED,
        NO_TRADING_TEXT,
        note="ccxt: PermissionDenied; the other texts for a stop come out as InvalidOrder.",
    ),
    R.STATE_CANCEL_ONLY: Entry(
        400,
        ORDER_REJECTED,
        NO_TRADING_TEXT,
        note="As STATE_KILLED for new orders; cancels pass and are never answered with it.",
    ),
    R.STATE_REDUCE_ONLY: Entry(
        400, ORDER_REJECTED, NO_TRADING_TEXT, note="As STATE_CANCEL_ONLY; reducing orders pass."
    ),
    R.STATE_SLOW: Entry(
        429,
        -1015,
        PACE_TEXT,
        NS,
        "A pace, so it is told like the order count, with Retry-After; it does not lead to a ban.",
    ),
    R.SYMBOL_HALTED: Entry(400, -1013, "Market is closed."),
    R.SYMBOL_CANCEL_ONLY: Entry(400, -1013, "Market is closed."),
    R.RECORD_LOST: Entry(
        503,
        -1008,
        BUSY_TEXT,
        note="-1008 is documented as certainly not executed, and clients try again later.",
    ),
    R.OVERLOADED: Entry(503, -1008, BUSY_TEXT),
    R.SHUTTING_DOWN: Entry(503, -1016, "This service is no longer available."),
    R.SYMBOL_NOT_PERMITTED: Entry(
        400, ORDER_REJECTED, "This symbol is not permitted for this account."
    ),
    R.ORDER_COUNT_LIMIT: Entry(429, -1015, ORDERS_TEXT, COUNT),
    R.PRICE_MIN: _filter("PRICE_FILTER"),
    R.PRICE_MAX: _filter("PRICE_FILTER"),
    R.PRICE_TICK: _filter("PRICE_FILTER"),
    R.QUANTITY_MIN: _filter("LOT_SIZE"),
    R.QUANTITY_MAX: _filter("LOT_SIZE"),
    R.QUANTITY_STEP: _filter("LOT_SIZE"),
    R.MARKET_QUANTITY_MIN: _filter("MARKET_LOT_SIZE"),
    R.MARKET_QUANTITY_MAX: _filter("MARKET_LOT_SIZE"),
    R.MARKET_QUANTITY_STEP: _filter("MARKET_LOT_SIZE"),
    R.MIN_NOTIONAL: _filter("MIN_NOTIONAL"),
    R.NOTIONAL_MIN: _filter("NOTIONAL"),
    R.NOTIONAL_MAX: _filter("NOTIONAL"),
    R.PERCENT_PRICE: _filter("PERCENT_PRICE"),
    R.PERCENT_PRICE_BY_SIDE: _filter("PERCENT_PRICE_BY_SIDE"),
    R.MAX_NUM_ORDERS: _filter("MAX_NUM_ORDERS", COUNT),
    R.REFERENCE_PRICE_MISSING: Entry(
        400,
        -1013,
        "Filter failure: {filter}",
        E8,
        "The filter that needs the price is named; it fails closed.",
    ),
    R.ORDER_SIZE: Entry(
        400,
        ORDER_REJECTED,
        "Order quantity is above the maximum order size.",
        E8,
        "ccxt: InvalidOrder by the code, whatever the text; so the text says what it is.",
    ),
    R.ORDER_VALUE: Entry(
        400, ORDER_REJECTED, "Order value is above the maximum order value.", E8, "As ORDER_SIZE."
    ),
    R.PRICE_COLLAR: Entry(
        400, ORDER_REJECTED, "Order price is outside the price collar.", E8, "As ORDER_SIZE."
    ),
    R.PRICE_COLLAR_PERIOD: Entry(
        400,
        ORDER_REJECTED,
        "Order price is too far from the prices of the last minutes.",
        E8,
        "As ORDER_SIZE.",
    ),
    R.COLLAR_REFERENCE_MISSING: Entry(
        400,
        ORDER_REJECTED,
        "Order price can't be checked: there is no current reference price.",
        E8,
        "As ORDER_SIZE.",
    ),
    R.DUPLICATE_CLIENT_ORDER_ID: Entry(400, ORDER_REJECTED, "Duplicate order sent."),
    R.INSUFFICIENT_BALANCE: Entry(400, ORDER_REJECTED, BALANCE_TEXT, E8),
    R.UNKNOWN_ORDER: Entry(400, CANCEL_REJECTED, "Unknown order sent."),
    R.ORDER_ID_MISMATCH: Entry(400, -2039, "Client order ID is not correct for this order ID."),
    R.CANCEL_RESTRICTED: Entry(
        400, CANCEL_REJECTED, "Order was not canceled due to cancel restrictions."
    ),
    R.VALUE_UNBOUNDED: Entry(
        400,
        ORDER_REJECTED,
        "Order value can't be bounded: there is no current reference price.",
        E8,
        "As ORDER_SIZE.",
    ),
    R.AMEND_NOT_REDUCING: Entry(
        400, AMEND_REJECTED, "Order amend (quantity increase) is not supported.", E8
    ),
    R.CLIENT_ORDER_ID_REUSED: Entry(400, ORDER_REJECTED, "Duplicate order sent."),
    R.MINIMUM_RESTING_TIME: Entry(
        400,
        -1004,
        "Order has not rested for the minimum time yet.",
        NS,
        "-2011 reads as OrderNotFound (ccxt), and bots then forget an order that is still open; "
        "429 would stop all of a bot's traffic. -1004 is OperationRejected: still open, try later.",
    ),
    R.ORDER_TO_TRADE_RATIO: Entry(
        400,
        ORDER_REJECTED,
        "Order-to-trade ratio is above its limit until {until_ms}.",
        E8,
        "As ORDER_SIZE.",
    ),
    R.TRADING_INDICATOR: Entry(
        400,
        -4400,
        "Trading Quantitative Rules violated, orders are restricted until {until_ms}.",
        E8,
        "-4400 is TRADING_QUANTITATIVE_RULE of Binance Futures; the spot venue has no code for it.",
    ),
    R.AGE_COST_LIMIT: Entry(
        400,
        -1015,
        "Cost of orders by their age is above its limit until {until_ms}.",
        E8,
        "-1015 reads as RateLimitExceeded (ccxt): a bot waits. 400 and not 429, since it does not "
        "lead to a ban.",
    ),
    R.OWNER_SELF_TRADE: Entry(
        400,
        ORDER_REJECTED,
        "Order would trade with an order of the same owner.",
        note="As ORDER_SIZE.",
    ),
    R.CONDUCT_LIMIT: Entry(
        400,
        ORDER_REJECTED,
        "Order is not taken while a conduct case is open.",
        note="As ORDER_SIZE; `ordergate.caseId` names the case.",
    ),
    R.ENGINE_UNKNOWN_ORDER: Entry(400, CANCEL_REJECTED, "Unknown order sent."),
    R.ENGINE_WOULD_TAKE: Entry(400, ORDER_REJECTED, "Order would immediately match and take."),
    R.ENGINE_NO_LIQUIDITY: Entry(
        400, ORDER_REJECTED, "Order book liquidity is less than symbol minimum quantity."
    ),
    R.ENGINE_INSUFFICIENT_BALANCE: Entry(400, ORDER_REJECTED, BALANCE_TEXT),
    R.ENGINE_SYMBOL_CLOSED: Entry(400, ORDER_REJECTED, "Market is closed."),
    R.ENGINE_DUPLICATE_ORDER: Entry(400, ORDER_REJECTED, "Duplicate order sent."),
    R.ENGINE_TOMBSTONED: Entry(
        400,
        ORDER_REJECTED,
        "Order was canceled before it reached the matching engine.",
        note="As ORDER_SIZE.",
    ),
    R.ENGINE_UNSUPPORTED: Entry(400, ORDER_REJECTED, "Unsupported order combination"),
    R.ENGINE_UNAVAILABLE: Entry(
        503, -1008, BUSY_TEXT, note="As RECORD_LOST: nothing was sent to the engine."
    ),
    R.ENGINE_TIMEOUT: Entry(
        408,
        -1007,
        TIMEOUT_TEXT,
        note="The HTTP status is not documented for Spot; 408 is what Binance Futures sends.",
    ),
    R.ENGINE_LOST: Entry(
        500,
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    R.ENGINE_STALE: Entry(400, -1021, "Timestamp for this request is outside of the recvWindow."),
    R.ENGINE_STP_EXPIRED: Entry(
        400,
        ORDER_REJECTED,
        "Order was expired by self-trade prevention.",
        note="As ORDER_SIZE; an order that only lost its rest is answered as accepted.",
    ),
    R.RULE_FAULT: Entry(
        500,
        -1001,
        "Internal error; unable to process your request. Please try again.",
        note="The order was not sent; the text says so.",
    ),
    R.INTERNAL_ERROR: Entry(500, -1000, UNKNOWN_TEXT),
}
"""The whole table; a test holds it complete."""
