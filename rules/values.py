"""Integer codes and scales shared by events, rules, the engine stub and the dialects.

Codes are part of the record's format: a number never changes its meaning and is never reused;
0 always means "absent". Prices, quantities and amounts are integers in units of 1e-8 (`_e8`).
"""

from typing import Final

E8: Final = 100_000_000
"""One whole unit of price, quantity or amount."""

INT63_MAX: Final = 2**63 - 1
"""The largest number a field of the record may hold; larger ones are refused at the dialect."""

NS_PER_MS: Final = 1_000_000
NS_PER_SECOND: Final = 1_000_000_000
NS_PER_MINUTE: Final = 60 * NS_PER_SECOND
NS_PER_HOUR: Final = 60 * NS_PER_MINUTE
NS_PER_DAY: Final = 24 * NS_PER_HOUR

# Side of an order.
BUY: Final = 1
SELL: Final = 2
SIDE_NAMES: Final = ("", "BUY", "SELL")

# Order type.
LIMIT: Final = 1
MARKET: Final = 2
LIMIT_MAKER: Final = 3
STOP_LOSS: Final = 4
STOP_LOSS_LIMIT: Final = 5
TAKE_PROFIT: Final = 6
TAKE_PROFIT_LIMIT: Final = 7
ORDER_TYPE_NAMES: Final = (
    "",
    "LIMIT",
    "MARKET",
    "LIMIT_MAKER",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)

# Time in force.
GTC: Final = 1
IOC: Final = 2
FOK: Final = 3
TIME_IN_FORCE_NAMES: Final = ("", "GTC", "IOC", "FOK")

# Self-trade prevention: the taker's mode decides.
STP_NONE: Final = 1
EXPIRE_TAKER: Final = 2
EXPIRE_MAKER: Final = 3
EXPIRE_BOTH: Final = 4
DECREMENT: Final = 5
TRANSFER: Final = 6
STP_MODE_NAMES: Final = (
    "",
    "NONE",
    "EXPIRE_TAKER",
    "EXPIRE_MAKER",
    "EXPIRE_BOTH",
    "DECREMENT",
    "TRANSFER",
)

# Status of an order, as the engine reports it.
NEW: Final = 1
PARTIALLY_FILLED: Final = 2
FILLED: Final = 3
CANCELED: Final = 4
REJECTED: Final = 5
EXPIRED: Final = 6
EXPIRED_IN_MATCH: Final = 7
PENDING_CANCEL: Final = 8
PENDING_NEW: Final = 9
ENGINE_LOST: Final = 10
"""The engine restarted with a new epoch and no longer has the order."""
ORDER_STATUS_NAMES: Final = (
    "",
    "NEW",
    "PARTIALLY_FILLED",
    "FILLED",
    "CANCELED",
    "REJECTED",
    "EXPIRED",
    "EXPIRED_IN_MATCH",
    "PENDING_CANCEL",
    "PENDING_NEW",
    "ENGINE_LOST",
)
LIVE_STATUSES: Final = frozenset((NEW, PARTIALLY_FILLED, PENDING_CANCEL, PENDING_NEW))

# Result of authentication, found by the gateway and recorded with the request.
AUTH_NOT_REQUIRED: Final = 1
AUTH_OK: Final = 2
AUTH_MISSING_KEY: Final = 3
AUTH_MALFORMED_KEY: Final = 4
AUTH_UNKNOWN_KEY: Final = 5
AUTH_BAD_SIGNATURE: Final = 6
AUTH_MISSING_SIGNATURE: Final = 7
AUTH_NONCE_USED: Final = 8
AUTH_NOT_CHECKED: Final = 9
"""The address is banned, so its signature was not verified."""
AUTH_NAMES: Final = (
    "",
    "NOT_REQUIRED",
    "OK",
    "MISSING_KEY",
    "MALFORMED_KEY",
    "UNKNOWN_KEY",
    "BAD_SIGNATURE",
    "MISSING_SIGNATURE",
    "NONCE_USED",
    "NOT_CHECKED",
)

# The way a request came in.
CHANNEL_REST: Final = 1
CHANNEL_WEBSOCKET: Final = 2
CHANNEL_GRPC: Final = 3
CHANNEL_ADMIN: Final = 4
CHANNEL_INTERNAL: Final = 5
"""Demo participants, simulation and other submitters inside the process."""
CHANNEL_WEB: Final = 6
CHANNEL_APP: Final = 7
CHANNEL_DESK: Final = 8
CHANNEL_NAMES: Final = (
    "",
    "REST",
    "WEBSOCKET",
    "GRPC",
    "ADMIN",
    "INTERNAL",
    "WEB",
    "APP",
    "DESK",
)

# Permissions of a key (bit set).
PERMIT_READ: Final = 1
PERMIT_TRADE: Final = 2
PERMIT_MARGIN: Final = 4
PERMIT_FUTURES: Final = 8
PERMISSION_NAMES: Final = {
    PERMIT_READ: "read",
    PERMIT_TRADE: "trade",
    PERMIT_MARGIN: "margin",
    PERMIT_FUTURES: "futures",
}

# Flags of an order request (bit set).
FLAG_TEST: Final = 1
"""Every check is made, nothing is booked (`POST /api/v3/order/test`)."""
FLAG_ALGO: Final = 2
"""The order was decided by an algorithm (RTS 6, German HFT Act)."""
FLAG_MARKET_MAKING: Final = 4

# Flags of an account (bit set).
ACCOUNT_MARKET_MAKER: Final = 1
ACCOUNT_HIGH_FREQUENCY: Final = 2
ACCOUNT_DEMO: Final = 4

# Class of an owner.
OWNER_ORDINARY: Final = 1
OWNER_HIGH_FREQUENCY: Final = 2
OWNER_MARKET_MAKER: Final = 3
OWNER_CLASS_NAMES: Final = ("", "ordinary", "high_frequency", "market_maker")

# Scope of a limit, a stop or a bulk cancel.
SCOPE_VENUE: Final = 1
SCOPE_SYMBOL: Final = 2
SCOPE_OWNER: Final = 3
SCOPE_ACCOUNT: Final = 4
SCOPE_KEY: Final = 5
SCOPE_IP: Final = 6
SCOPE_SESSION: Final = 7
SCOPE_OWNER_SYMBOL: Final = 8
SCOPE_ACCOUNT_SYMBOL: Final = 9
SCOPE_ORDER: Final = 10
SCOPE_NAMES: Final = (
    "",
    "venue",
    "symbol",
    "owner",
    "account",
    "key",
    "ip",
    "session",
    "owner_symbol",
    "account_symbol",
    "order",
)

PAIR_SHIFT: Final = 32

# Stop state of a scope; a larger number is stricter, the strictest of all scopes wins.
STATE_ACTIVE: Final = 0
STATE_SLOW: Final = 1
STATE_REDUCE_ONLY: Final = 2
STATE_CANCEL_ONLY: Final = 3
STATE_KILLED: Final = 4
STATE_NAMES: Final = ("ACTIVE", "SLOW", "REDUCE_ONLY", "CANCEL_ONLY", "KILLED")

# State of a symbol.
SYMBOL_TRADING: Final = 1
SYMBOL_HALT: Final = 2
SYMBOL_BREAK: Final = 3
SYMBOL_END_OF_DAY: Final = 4
SYMBOL_CANCEL_ONLY: Final = 5
SYMBOL_AUCTION: Final = 6
SYMBOL_STATE_NAMES: Final = (
    "",
    "TRADING",
    "HALT",
    "BREAK",
    "END_OF_DAY",
    "CANCEL_ONLY",
    "AUCTION",
)

# Why an order was cancelled. Only CAUSE_CLIENT counts for or against anybody.
CAUSE_CLIENT: Final = 1
CAUSE_KILL: Final = 2
CAUSE_DISCONNECT: Final = 3
CAUSE_SELF_TRADE: Final = 4
CAUSE_HALT: Final = 5
CAUSE_EXPIRY: Final = 6
CAUSE_ENGINE: Final = 7
CAUSE_RECONCILE: Final = 8
CAUSE_REPLACE: Final = 9
CAUSE_NAMES: Final = (
    "",
    "CLIENT",
    "KILL",
    "DISCONNECT",
    "SELF_TRADE",
    "HALT",
    "EXPIRY",
    "ENGINE",
    "RECONCILE",
    "REPLACE",
)

# Room on the disk of the record.
SPACE_AMPLE: Final = 0
SPACE_LOW: Final = 1
"""Queries are shed."""
SPACE_SCARCE: Final = 2
"""New orders are shed too."""
SPACE_NAMES: Final = ("AMPLE", "LOW", "SCARCE")

# Restriction of a cancel to orders in one status.
RESTRICT_NONE: Final = 0
RESTRICT_ONLY_NEW: Final = 1
RESTRICT_ONLY_PARTIALLY_FILLED: Final = 2

# What an interned number stands for (`events.Define`).
DEFINE_ADDRESS: Final = 1
DEFINE_OWNER: Final = 2
DEFINE_ASSET: Final = 3
DEFINE_AGENT: Final = 4
DEFINE_ALGO: Final = 5
DEFINE_GROUP: Final = 6
"""Owners who are judged together."""

# What is done about a conduct case (`events.ActOnCase`).
CASE_EXPLAIN: Final = 1
CASE_CONFIRM: Final = 2
CASE_DISMISS: Final = 3
CASE_APPEAL: Final = 4
CASE_CLEAR: Final = 5
CASE_ACT_NAMES: Final = ("", "explain", "confirm", "dismiss", "appeal", "clear")


def notional_e8(price_e8: int, quantity_e8: int) -> int:
    """Return price times quantity in 1e-8 units, rounded down."""
    return price_e8 * quantity_e8 // E8


def notional_up_e8(price_e8: int, quantity_e8: int) -> int:
    """Return price times quantity in 1e-8 units, rounded up: what must be held to afford it."""
    return -(-price_e8 * quantity_e8 // E8)


def pair_of(number: int, symbol: int) -> int:
    """Return the subject of a scope that joins an owner or account with a symbol."""
    return number << PAIR_SHIFT | symbol


def split_pair(subject: int) -> tuple[int, int]:
    """Return (owner or account, symbol) of a joined scope's subject."""
    return subject >> PAIR_SHIFT, subject & ((1 << PAIR_SHIFT) - 1)
