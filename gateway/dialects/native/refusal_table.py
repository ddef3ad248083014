"""Every reason as gRPC clients are told it: status code, text and unit, in one table."""

from enum import IntEnum
from typing import Final, NamedTuple

from rules.reasons import Reason


class Code(IntEnum):
    """The status codes of gRPC, with its numbers; the wire's library is not needed here."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


# What limit and observed value count; the numbers are those of the proto's LimitUnit.
COUNT: Final = 0
E8: Final = 1
NS: Final = 2


class Entry(NamedTuple):
    """How one reason is told."""

    code: Code
    text: str
    """May name `{limit}`, `{observed}`, `{detail}` and `{expected}`."""
    unit: int = COUNT
    retryable: bool = False
    """The same request can pass later although no time is known."""


R: Final = Reason
_ARGUMENT: Final = Code.INVALID_ARGUMENT
_STATE: Final = Code.FAILED_PRECONDITION
_EXHAUSTED: Final = Code.RESOURCE_EXHAUSTED
_UNAUTHENTICATED: Final = Code.UNAUTHENTICATED
_DENIED: Final = Code.PERMISSION_DENIED
_UNAVAILABLE: Final = Code.UNAVAILABLE

ENTRIES: Final[dict[Reason, Entry]] = {
    # The request itself.
    R.MALFORMED_REQUEST: Entry(_ARGUMENT, "message can't be read: {detail}"),
    R.UNKNOWN_ENDPOINT: Entry(Code.UNIMPLEMENTED, "no method {detail}"),
    R.METHOD_NOT_ALLOWED: Entry(Code.UNIMPLEMENTED, "method is not allowed here"),
    R.MISSING_PARAMETER: Entry(_ARGUMENT, "{detail} is missing"),
    R.ILLEGAL_CHARACTERS: Entry(_ARGUMENT, "{detail} is not of the form {expected}"),
    R.INVALID_PARAMETER: Entry(_ARGUMENT, "{detail} is not valid; expected {expected}"),
    R.DUPLICATE_PARAMETER: Entry(_ARGUMENT, "{detail} is given twice"),
    R.UNEXPECTED_PARAMETER: Entry(_ARGUMENT, "{detail} must not be given for this order"),
    R.TOO_MUCH_PRECISION: Entry(_ARGUMENT, "{detail} has too many decimal places"),
    R.NUMBER_TOO_LARGE: Entry(_ARGUMENT, "{detail} is too large; expected {expected}"),
    R.UNKNOWN_SYMBOL: Entry(_ARGUMENT, "no symbol {detail}"),
    R.INVALID_SIDE: Entry(_ARGUMENT, "side is not BUY or SELL"),
    R.INVALID_ORDER_TYPE: Entry(_ARGUMENT, "order_type {detail} does not exist"),
    R.INVALID_TIME_IN_FORCE: Entry(_ARGUMENT, "time_in_force {detail} does not exist"),
    R.UNSUPPORTED_ORDER_TYPE: Entry(_ARGUMENT, "{detail} orders are not taken for this symbol"),
    R.INVALID_STP_MODE: Entry(_ARGUMENT, "stp_mode {detail} is not taken for this symbol"),
    R.BODY_TOO_LARGE: Entry(_ARGUMENT, "message is longer than {expected}"),
    R.EMPTY_PARAMETER: Entry(_ARGUMENT, "{detail} is empty"),
    R.INVALID_INTERVAL: Entry(_ARGUMENT, "interval {detail} does not exist"),
    R.INVALID_ORDER_COMBINATION: Entry(_ARGUMENT, "{detail} exclude each other"),
    R.PARAMETER_OUT_OF_RANGE: Entry(_ARGUMENT, "{detail} is out of range; expected {expected}"),
    R.UNSUPPORTED_OPERATION: Entry(Code.UNIMPLEMENTED, "{detail} is not supported"),
    R.TOO_MANY_PARAMETERS: Entry(_ARGUMENT, "too many {detail}; expected {expected}"),
    # Access.
    R.ADDRESS_BANNED: Entry(_EXHAUSTED, "address is banned after too many refused requests", NS),
    R.RAW_REQUEST_LIMIT: Entry(_EXHAUSTED, "more than {limit} requests in the window"),
    R.REQUEST_WEIGHT_LIMIT: Entry(_EXHAUSTED, "more than {limit} of request weight in the window"),
    R.KEY_MISSING: Entry(_UNAUTHENTICATED, "API key is missing"),
    R.KEY_MALFORMED: Entry(_UNAUTHENTICATED, "API key is malformed"),
    R.KEY_UNKNOWN: Entry(_UNAUTHENTICATED, "API key is unknown"),
    R.SIGNATURE_INVALID: Entry(_UNAUTHENTICATED, "signature does not fit the message"),
    R.SIGNATURE_MISSING: Entry(_UNAUTHENTICATED, "signature is missing"),
    R.NONCE_USED: Entry(_UNAUTHENTICATED, "nonce was used before"),
    R.TIMESTAMP_EXPIRED: Entry(_UNAUTHENTICATED, "request came after its recv_window", NS),
    R.TIMESTAMP_AHEAD: Entry(_UNAUTHENTICATED, "timestamp is ahead of the gate's clock", NS),
    R.TIMESTAMP_INVALID: Entry(_UNAUTHENTICATED, "timestamp is not a time in microseconds", NS),
    R.RECV_WINDOW_TOO_LARGE: Entry(_ARGUMENT, "recv_window is longer than {limit}", NS),
    R.SIGNATURE_NOT_CHECKED: Entry(_UNAUTHENTICATED, "signature was not checked"),
    R.TIMESTAMP_MISSING: Entry(_UNAUTHENTICATED, "timestamp is missing"),
    # Standing.
    R.KEY_DISABLED: Entry(_DENIED, "API key is disabled"),
    R.KEY_EXPIRED: Entry(_DENIED, "API key has expired", NS),
    R.ADDRESS_NOT_ALLOWED: Entry(_DENIED, "API key must not be used from this address"),
    R.PERMISSION_DENIED: Entry(_DENIED, "API key has no permission for this"),
    R.ACCOUNT_DISABLED: Entry(_DENIED, "account is disabled"),
    R.STATE_KILLED: Entry(_STATE, "trading is killed; the gate cancels open orders itself"),
    R.STATE_CANCEL_ONLY: Entry(_STATE, "only cancels are taken"),
    R.STATE_REDUCE_ONLY: Entry(_STATE, "only orders that reduce a position are taken"),
    R.STATE_SLOW: Entry(_EXHAUSTED, "orders are taken at a slower pace", NS),
    R.SYMBOL_HALTED: Entry(_STATE, "symbol is halted", retryable=True),
    R.SYMBOL_CANCEL_ONLY: Entry(_STATE, "symbol takes only cancels", retryable=True),
    R.RECORD_LOST: Entry(_UNAVAILABLE, "record is not available; nothing was sent", COUNT, True),
    R.OVERLOADED: Entry(_UNAVAILABLE, "gate is overloaded; nothing was sent", COUNT, True),
    R.SHUTTING_DOWN: Entry(_UNAVAILABLE, "gate is shutting down; nothing was sent", COUNT, True),
    R.SYMBOL_NOT_PERMITTED: Entry(_DENIED, "symbol is not permitted for this account"),
    # Form and rate of orders.
    R.ORDER_COUNT_LIMIT: Entry(_EXHAUSTED, "more than {limit} orders in the window"),
    R.PRICE_MIN: Entry(_ARGUMENT, "price {observed} is below {limit}", E8),
    R.PRICE_MAX: Entry(_ARGUMENT, "price {observed} is above {limit}", E8),
    R.PRICE_TICK: Entry(_ARGUMENT, "price {observed} is not on the tick {limit}", E8),
    R.QUANTITY_MIN: Entry(_ARGUMENT, "quantity {observed} is below {limit}", E8),
    R.QUANTITY_MAX: Entry(_ARGUMENT, "quantity {observed} is above {limit}", E8),
    R.QUANTITY_STEP: Entry(_ARGUMENT, "quantity {observed} is not on the step {limit}", E8),
    R.MARKET_QUANTITY_MIN: Entry(_ARGUMENT, "market quantity {observed} is below {limit}", E8),
    R.MARKET_QUANTITY_MAX: Entry(_ARGUMENT, "market quantity {observed} is above {limit}", E8),
    R.MARKET_QUANTITY_STEP: Entry(
        _ARGUMENT, "market quantity {observed} is not on the step {limit}", E8
    ),
    R.MIN_NOTIONAL: Entry(_ARGUMENT, "order value {observed} is below {limit}", E8),
    R.NOTIONAL_MIN: Entry(_ARGUMENT, "order value {observed} is below {limit}", E8),
    R.NOTIONAL_MAX: Entry(_ARGUMENT, "order value {observed} is above {limit}", E8),
    R.PERCENT_PRICE: Entry(_ARGUMENT, "price {observed} is too far from average; {limit}", E8),
    R.PERCENT_PRICE_BY_SIDE: Entry(
        _ARGUMENT, "price {observed} is too far from average for its side; {limit}", E8
    ),
    R.MAX_NUM_ORDERS: Entry(_EXHAUSTED, "more than {limit} open orders", retryable=True),
    R.REFERENCE_PRICE_MISSING: Entry(_STATE, "no current reference price", E8, True),
    # Exposure.
    R.ORDER_SIZE: Entry(_STATE, "quantity {observed} is above the order size limit {limit}", E8),
    R.ORDER_VALUE: Entry(_STATE, "value {observed} is above the order value limit {limit}", E8),
    R.PRICE_COLLAR: Entry(_STATE, "price {observed} is outside the collar at {limit}", E8),
    R.PRICE_COLLAR_PERIOD: Entry(
        _STATE, "price {observed} is beyond {limit}, the collar over the period", E8, True
    ),
    R.COLLAR_REFERENCE_MISSING: Entry(_STATE, "no current reference for the collar", E8, True),
    R.DUPLICATE_CLIENT_ORDER_ID: Entry(
        Code.ALREADY_EXISTS, "client_order_id is in use", retryable=True
    ),
    R.INSUFFICIENT_BALANCE: Entry(
        _STATE, "order needs {observed}, of which {limit} is free", E8, True
    ),
    R.UNKNOWN_ORDER: Entry(Code.NOT_FOUND, "no such order"),
    R.ORDER_ID_MISMATCH: Entry(_ARGUMENT, "order_id and client order id name different orders"),
    R.CANCEL_RESTRICTED: Entry(_STATE, "order is not in the status the cancel is restricted to"),
    R.VALUE_UNBOUNDED: Entry(
        _STATE, "order value can't be bounded without a reference price", E8, True
    ),
    R.AMEND_NOT_REDUCING: Entry(_ARGUMENT, "order can't be amended to {observed}", E8),
    R.CLIENT_ORDER_ID_REUSED: Entry(
        Code.ALREADY_EXISTS, "client_order_id was used for another order"
    ),
    # Conduct.
    R.MINIMUM_RESTING_TIME: Entry(_STATE, "order has not rested for {limit} yet", NS, True),
    R.ORDER_TO_TRADE_RATIO: Entry(
        _EXHAUSTED, "order-to-trade ratio {observed} is above {limit}", E8
    ),
    R.TRADING_INDICATOR: Entry(_EXHAUSTED, "share {observed} of orders has reached {limit}", E8),
    R.AGE_COST_LIMIT: Entry(
        _EXHAUSTED, "cost {observed} of orders by their age is above {limit}", E8, True
    ),
    R.OWNER_SELF_TRADE: Entry(
        _STATE, "order would trade with an order of the same owner or of a linked one"
    ),
    R.CONDUCT_LIMIT: Entry(_STATE, "not taken while a conduct case is open", retryable=True),
    # The engine.
    R.ENGINE_UNKNOWN_ORDER: Entry(Code.NOT_FOUND, "no such order"),
    R.ENGINE_WOULD_TAKE: Entry(_STATE, "order would take liquidity", COUNT, True),
    R.ENGINE_NO_LIQUIDITY: Entry(_STATE, "not enough liquidity", COUNT, True),
    R.ENGINE_INSUFFICIENT_BALANCE: Entry(_STATE, "balance is not sufficient", COUNT, True),
    R.ENGINE_SYMBOL_CLOSED: Entry(_STATE, "market is closed", COUNT, True),
    R.ENGINE_DUPLICATE_ORDER: Entry(Code.ALREADY_EXISTS, "order was sent before"),
    R.ENGINE_TOMBSTONED: Entry(Code.ABORTED, "order was cancelled before it reached the engine"),
    R.ENGINE_UNSUPPORTED: Entry(Code.UNIMPLEMENTED, "engine does not take such an order"),
    R.ENGINE_UNAVAILABLE: Entry(
        _UNAVAILABLE, "engine is not connected; nothing was sent", COUNT, True
    ),
    R.ENGINE_TIMEOUT: Entry(
        Code.DEADLINE_EXCEEDED, "engine did not answer in time; execution status is unknown"
    ),
    R.ENGINE_LOST: Entry(Code.ABORTED, "engine restarted and lost the order"),
    R.ENGINE_STALE: Entry(Code.ABORTED, "order reached the engine after its recv_window"),
    R.ENGINE_STP_EXPIRED: Entry(Code.ABORTED, "self-trade prevention ended the order"),
    # The gate itself.
    R.RULE_FAULT: Entry(Code.INTERNAL, "a rule failed; nothing was sent"),
    R.INTERNAL_ERROR: Entry(Code.INTERNAL, "internal error"),
}
"""The whole table; a test holds it complete."""
