"""Volume-weighted average price over a sliding span, in one-second buckets."""

from collections import deque
from typing import Any, Final

from rules.values import NS_PER_MINUTE, NS_PER_SECOND

BUCKETS_MAX: Final = 3_600
"""An hour of seconds; older trades are dropped."""


class TradeAverage:
    """Sums of price times quantity and of quantity, second by second."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: deque[list[int]] = deque(maxlen=BUCKETS_MAX)

    def add(self, price_e8: int, quantity_e8: int, now_ns: int) -> None:
        """Count one trade."""
        second = now_ns // NS_PER_SECOND
        buckets = self._buckets
        if buckets and buckets[-1][0] == second:
            last = buckets[-1]
            last[1] += price_e8 * quantity_e8
            last[2] += quantity_e8
        else:
            buckets.append([second, price_e8 * quantity_e8, quantity_e8])

    def price_e8(self, minutes: int, now_ns: int) -> int:
        """Return the average of the last `minutes`, 0 when nothing was traded in them."""
        oldest = (now_ns - minutes * NS_PER_MINUTE) // NS_PER_SECOND
        weighted = quantity = 0
        for second, bucket_weighted, bucket_quantity in reversed(self._buckets):
            if second <= oldest:
                break
            weighted += bucket_weighted
            quantity += bucket_quantity
        return weighted // quantity if quantity else 0

    def state(self) -> Any:
        """Return the buckets as plain values; sums as text, since they may pass 63 bits."""
        return [[second, str(weighted), quantity] for second, weighted, quantity in self._buckets]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._buckets.clear()
        self._buckets.extend(
            [second, int(weighted), quantity] for second, weighted, quantity in state
        )
