"""Volume-weighted average price over a sliding span, in one-second buckets."""

from collections import deque
from typing import Any, Final

from rules.values import NS_PER_SECOND

MINUTES_MAX: Final = 60
"""The longest span kept; a longer one is answered as if it were this long."""

_SECONDS_PER_MINUTE: Final = 60


class TradeAverage:
    """Sums of price times quantity and of quantity, second by second.

    A span of some minutes ends with the second now running and holds that many whole seconds. So a
    trade leaves the span up to one second early, never late.
    """

    __slots__ = (
        "_buckets",
        "_minutes",
        "_oldest",
        "_price_e8",
        "_quantity",
        "_until_ns",
        "_weighted",
    )

    def __init__(self) -> None:
        self._buckets: deque[list[int]] = deque(maxlen=MINUTES_MAX * _SECONDS_PER_MINUTE)
        # The sums over all buckets after `_oldest`, the span last asked for. They follow new
        # trades, so a span is added up once a second however many orders ask for it. They are
        # derived from the buckets and no part of the state.
        self._oldest = 0
        self._weighted = 0
        self._quantity = 0
        # The last answer, which holds until the next trade or second.
        self._minutes = 0
        self._price_e8 = 0
        self._until_ns = 0

    def add(self, price_e8: int, quantity_e8: int, now_ns: int) -> None:
        """Count one trade; a time before the latest trade's counts as the latest trade's."""
        self._until_ns = 0
        second = now_ns // NS_PER_SECOND
        weighted = price_e8 * quantity_e8
        buckets = self._buckets
        if buckets and buckets[-1][0] >= second:
            last = buckets[-1]
            second = last[0]
            last[1] += weighted
            last[2] += quantity_e8
        else:
            buckets.append([second, weighted, quantity_e8])
        if second > self._oldest:
            self._weighted += weighted
            self._quantity += quantity_e8

    def price_e8(self, minutes: int, now_ns: int) -> int:
        """Return the average of the last `minutes`, rounded down; 0 when nothing was traded."""
        if self._until_ns - NS_PER_SECOND <= now_ns < self._until_ns and minutes == self._minutes:
            return self._price_e8
        second = now_ns // NS_PER_SECOND
        oldest = second - min(minutes, MINUTES_MAX) * _SECONDS_PER_MINUTE
        if oldest != self._oldest:
            self._sum_up(oldest)
        self._price_e8 = self._weighted // self._quantity if self._quantity else 0
        self._minutes = minutes
        self._until_ns = (second + 1) * NS_PER_SECOND
        return self._price_e8

    def _sum_up(self, oldest: int) -> None:
        weighted = quantity = 0
        for second, bucket_weighted, bucket_quantity in reversed(self._buckets):
            if second <= oldest:
                break
            weighted += bucket_weighted
            quantity += bucket_quantity
        self._oldest = oldest
        self._weighted = weighted
        self._quantity = quantity

    def state(self) -> Any:
        """Return the buckets as plain values; sums as text, since they may pass 63 bits."""
        return [
            [second, str(weighted), str(quantity)] for second, weighted, quantity in self._buckets
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._buckets.clear()
        self._buckets.extend(
            [second, int(weighted), int(quantity)] for second, weighted, quantity in state
        )
        self._sum_up(self._oldest)
        self._until_ns = 0
