"""What no scenario shows, and why."""

RULE_EXCEPTIONS = {
    ("authentication", "NONCE_USED"): (
        "neither the Binance dialect nor the native one has nonces; Upbit's tokens do"
    ),
    ("authentication", "SIGNATURE_NOT_CHECKED"): (
        "only signatures of banned addresses are left unchecked, and the ban refuses first"
    ),
    ("symbol_state", "UNKNOWN_SYMBOL"): (
        "both dialects refuse a symbol they do not know before the rule sees it, for the same reason"
    ),
}
"""(rule, reason) → why no client of these dialects can be refused by it."""

_TEXT = "only text has it: numbers and fields of a gRPC message can't be sent so"
_HTTP = "only HTTP has methods, and market data is not asked for over gRPC"
REQUEST_EXCEPTIONS = {
    "METHOD_NOT_ALLOWED": _HTTP,
    "INVALID_INTERVAL": _HTTP,
    "DUPLICATE_PARAMETER": _TEXT,
    "EMPTY_PARAMETER": _TEXT,
    "TOO_MUCH_PRECISION": _TEXT,
    "NUMBER_TOO_LARGE": _TEXT,
    "TOO_MANY_PARAMETERS": _TEXT,
    "PARAMETER_OUT_OF_RANGE": "only gRPC's fields can be below 0; text with a minus is illegal",
    "UNSUPPORTED_OPERATION": "only of parameters that gRPC does not have",
}
"""Reason of a request that could not be understood → why not both dialects can be sent it."""
