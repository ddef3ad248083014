"""Headers of an answer: weight used, order counts, when to retry, and what was decided."""

from functools import cache
from typing import Final

from gateway.dialects.binance.reading import Desk
from gateway.dialects.binance.windows import window_suffix
from gateway.dialects.http import header_lines
from rules.decisions import Breach
from rules.values import NS_PER_MINUTE, NS_PER_SECOND, SCOPE_ACCOUNT, SCOPE_IP

CONTENT_TYPE: Final = ("Content-Type", "application/json;charset=UTF-8")
CACHE_CONTROL: Final = ("Cache-Control", "no-cache, no-store, must-revalidate")
ALWAYS: Final = header_lines((CONTENT_TYPE, CACHE_CONTROL))
"""Lines of every answer."""
WEIGHT: Final = "X-MBX-USED-WEIGHT"
ORDER_COUNT: Final = "X-MBX-ORDER-COUNT"
DECISION: Final = "X-OrderGate-Decision"
RULE: Final = "X-OrderGate-Rule"
REQUEST_ID: Final = "x-mbx-uuid"


def weight_lines(desk: Desk, ip: int, now_ns: int) -> str:
    """Return lines with the weight an address has used in each window.

    The old header without a suffix repeats the one-minute window, or the first where the rulebook
    has no such window.
    """
    used = desk.core.pipeline.used("request_weight", SCOPE_IP, ip, now_ns)
    if not used:
        return ""
    windows_ns = used[::2]
    plain = used[2 * windows_ns.index(NS_PER_MINUTE) + 1 if NS_PER_MINUTE in windows_ns else 1]
    return f"{WEIGHT}: {plain}\r\n{_lines(WEIGHT, windows_ns) % used[1::2]}"


def order_count_lines(desk: Desk, account: int, now_ns: int) -> str:
    """Return lines with the account's order count in each window."""
    used = desk.core.pipeline.used("order_count", SCOPE_ACCOUNT, account, now_ns)
    return _lines(ORDER_COUNT, used[::2]) % used[1::2]


@cache
def _lines(name: str, windows_ns: tuple[int, ...]) -> str:
    """Return a line for each window with a place for its number; a rulebook has few of them."""
    return "".join(f"{name}-{window_suffix(window_ns)}: %d\r\n" for window_ns in windows_ns)


def retry_after(breach: Breach, now_ns: int) -> tuple[str, str]:
    """Return how many whole seconds to wait, rounded up and never 0."""
    wait_ns = max(breach.retry_ns - now_ns, 0)
    return "Retry-After", str(max(1, -(-wait_ns // NS_PER_SECOND)))
