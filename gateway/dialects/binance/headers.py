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
    plain = used[1]
    lines = ""
    for place in range(0, len(used), 2):
        weight = used[place + 1]
        if used[place] == NS_PER_MINUTE:
            plain = weight
        lines += f"{_line_start(WEIGHT, used[place])}{weight}\r\n"
    return f"{WEIGHT}: {plain}\r\n{lines}"


def order_count_lines(desk: Desk, account: int, now_ns: int) -> str:
    """Return lines with the account's order count in each window."""
    used = desk.core.pipeline.used("order_count", SCOPE_ACCOUNT, account, now_ns)
    lines = ""
    for place in range(0, len(used), 2):
        lines += f"{_line_start(ORDER_COUNT, used[place])}{used[place + 1]}\r\n"
    return lines


@cache
def _line_start(name: str, window_ns: int) -> str:
    """Return a header's name with its window; a rulebook has few of them."""
    return f"{name}-{window_suffix(window_ns)}: "


def retry_after(breach: Breach, now_ns: int) -> tuple[str, str]:
    """Return how many whole seconds to wait, rounded up and never 0."""
    wait_ns = max(breach.retry_ns - now_ns, 0)
    return "Retry-After", str(max(1, -(-wait_ns // NS_PER_SECOND)))
