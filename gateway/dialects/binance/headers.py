"""Headers of an answer: weight used, order counts, when to retry, and what was decided."""

from functools import cache
from typing import Final

from gateway.dialects.binance.reading import Desk
from gateway.dialects.binance.windows import window_suffix
from rules.decisions import Breach
from rules.values import NS_PER_MINUTE, NS_PER_SECOND, SCOPE_ACCOUNT, SCOPE_IP

CONTENT_TYPE: Final = ("Content-Type", "application/json;charset=UTF-8")
CACHE_CONTROL: Final = ("Cache-Control", "no-cache, no-store, must-revalidate")
WEIGHT: Final = "X-MBX-USED-WEIGHT"
ORDER_COUNT: Final = "X-MBX-ORDER-COUNT"
DECISION: Final = "X-OrderGate-Decision"
RULE: Final = "X-OrderGate-Rule"
REQUEST_ID: Final = "x-mbx-uuid"


def weight_headers(desk: Desk, ip: int, now_ns: int) -> list[tuple[str, str]]:
    """Return the weight an address has used in each window.

    The old header without a suffix repeats the one-minute window, or the first where the rulebook
    has no such window.
    """
    windows = len(desk.core.rulebook.clauses.request_weight.windows)
    usages = desk.core.pipeline.usage("request_weight", SCOPE_IP, ip, now_ns)
    # The budget of the gate's own routes follows the venue's windows and is not told here.
    usages = usages[:windows]
    if not usages:
        return []
    plain = usages[0].used
    found = []
    for usage in usages:
        if usage.window_ns == NS_PER_MINUTE:
            plain = usage.used
        found.append((_window_name(WEIGHT, usage.window_ns), str(usage.used)))
    return [(WEIGHT, str(plain)), *found]


def order_count_headers(desk: Desk, account: int, now_ns: int) -> list[tuple[str, str]]:
    """Return the account's order count in each window."""
    usages = desk.core.pipeline.usage("order_count", SCOPE_ACCOUNT, account, now_ns)
    return [(_window_name(ORDER_COUNT, usage.window_ns), str(usage.used)) for usage in usages]


@cache
def _window_name(name: str, window_ns: int) -> str:
    """Return a header's name with its window; a rulebook has few of them."""
    return f"{name}-{window_suffix(window_ns)}"


def retry_after(breach: Breach, now_ns: int) -> tuple[str, str]:
    """Return how many whole seconds to wait, rounded up and never 0."""
    wait_ns = max(breach.retry_ns - now_ns, 0)
    return "Retry-After", str(max(1, -(-wait_ns // NS_PER_SECOND)))
