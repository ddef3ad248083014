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
