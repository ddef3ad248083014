"""Generated candles before the start, so that indicators have their 1,000 candles at once.

Prices walk backwards from the starting price, with a pull towards it. Four resolutions are walked
(seconds, minutes, hours, days), each only as far back as a coarser interval needs it; all other
candles are put together from these. So wherever two intervals cover the same time, the longer
candle is exactly the sum of the shorter ones. The same name and price give the same history
relative to the moment it ends. `1M` reaches back beyond 1970: its early times are negative.
"""

import math
from collections.abc import Iterable
from random import Random
from typing import Final

from gateway.views.intervals import INTERVALS, open_ns, shift_ns
from gateway.views.kline import Kline, fold_kline, widened
from rules.values import E8, NS_PER_DAY, NS_PER_SECOND, notional_e8

HISTORY_CANDLES: Final = 1_000
"""Closed candles of each interval."""
MINUTES: Final = 1_500
"""Candles of one minute, which rolling statistics of 24 hours are read from."""

_DAILY_VOLATILITY: Final = 0.02
_PULL_PER_DAY: Final = 0.0008
"""Share of the distance to the starting price that a day takes back: keeps decades in range."""
_TURNOVER_PER_SECOND: Final = 50.0
"""Mean quote amount traded in a second."""
_TRADES_PER_SECOND: Final = 0.2

# Which resolution each interval is put together from.
_BASES: Final = (
    ("1s", ()),
    ("1m", ("3m", "5m", "15m", "30m")),
    ("1h", ("2h", "4h", "6h", "8h", "12h")),
    ("1d", ("3d", "1w", "1M")),
)


def generate_history(
    name: str, price_e8: int, tick_e8: int, step_e8: int, end_ns: int
) -> dict[str, list[Kline]]:
    """Return the candles of every interval up to `end_ns`, oldest first.

    The last close is `price_e8`. The last candle of an interval is the one `end_ns` falls in,
    unless it begins there. `tick_e8` and `step_e8` are what prices and quantities are multiples
    of, 0 for no such grid.
    """
    walk = _Walk(name, price_e8, tick_e8 or 1, step_e8 or 1)
    end_ns = open_ns("1s", end_ns)
    series: dict[str, list[Kline]] = {}
    finer: list[Kline] = []
    for level, (base, coarser) in enumerate(_BASES):
        back_to_ns = _needed_from_ns(level, end_ns)
        generated = walk.back(base, finer[0].open_ns if finer else end_ns, back_to_ns)
        candles = [*generated, *fold_series(base, finer)]
        series[base] = candles
        for interval in coarser:
            first_ns = shift_ns(interval, open_ns(interval, end_ns), -HISTORY_CANDLES)
            series[interval] = fold_series(
                interval, (candle for candle in candles if candle.open_ns >= first_ns)
            )
        finer = candles
    for base, _ in _BASES:
        kept = MINUTES if base == "1m" else HISTORY_CANDLES + 1
        series[base] = series[base][-kept:]
    return {interval: series[interval] for interval in INTERVALS}


def fold_series(interval: str, candles: Iterable[Kline]) -> list[Kline]:
    """Put candles of a finer interval, oldest first, together into those of `interval`."""
    folded: list[Kline] = []
    until_ns: int | None = None
    for candle in candles:
        if until_ns is not None and candle.open_ns < until_ns:
            fold_kline(folded[-1], candle)
            continue
        start_ns = open_ns(interval, candle.open_ns)
        until_ns = shift_ns(interval, start_ns, 1)
        folded.append(widened(candle, start_ns, until_ns))
    return folded


def _needed_from_ns(level: int, end_ns: int) -> int:
    """Return how far back one resolution goes: for all it is put together into, and aligned."""
    base, coarser = _BASES[level]
    oldest_ns = min(
        shift_ns(interval, open_ns(interval, end_ns), -HISTORY_CANDLES)
        for interval in (base, *coarser)
    )
    if level + 1 < len(_BASES):
        return open_ns(_BASES[level + 1][0], oldest_ns)
    return oldest_ns


class _Walk:
    """A random walk of one symbol's price, backwards in time.

    Floating point is in place here: nothing that decides reads these candles.
    """

    def __init__(self, name: str, price_e8: int, tick_e8: int, step_e8: int) -> None:
        self._random = Random(f"{name} {price_e8}")  # noqa: S311 (made-up prices, no secret)
        self._start_e8 = price_e8
        self._tick_e8 = tick_e8
        self._step_e8 = step_e8
        self._distance = 0.0
        """Logarithm of price over starting price."""
        self._price_e8 = price_e8

    def back(self, interval: str, end_ns: int, start_ns: int) -> list[Kline]:
        """Return the candles from `start_ns` to `end_ns`, oldest first."""
        length_ns = shift_ns(interval, end_ns, 1) - end_ns
        seconds = length_ns / NS_PER_SECOND
        volatility = _DAILY_VOLATILITY * math.sqrt(length_ns / NS_PER_DAY)
        stay = math.exp(-_PULL_PER_DAY * length_ns / NS_PER_DAY)
        candles = [
            self._candle(open_at_ns, length_ns, seconds, volatility, stay)
            for open_at_ns in range(end_ns - length_ns, start_ns - 1, -length_ns)
        ]
        candles.reverse()
        return candles

    def _candle(
        self, open_at_ns: int, length_ns: int, seconds: float, volatility: float, stay: float
    ) -> Kline:
        random = self._random
        close_e8 = self._price_e8
        self._distance = self._distance * stay + volatility * random.gauss(0.0, 1.0)
        start_e8 = self._price_e8 = self._on_tick(self._start_e8 * math.exp(self._distance))
        above, below, busy, bought = random.random(), random.random(), random.random(), 0.0
        bought = random.random()
        high_e8 = max(start_e8, close_e8)
        low_e8 = min(start_e8, close_e8)
        high_e8 = max(high_e8, self._on_tick(high_e8 * (1.0 + volatility * above)))
        low_e8 = min(low_e8, self._on_tick(low_e8 * (1.0 - volatility * below)))
        mean_e8 = (start_e8 + high_e8 + low_e8 + close_e8) // 4
        activity = seconds * (0.5 + busy)
        volume_e8 = self._on_step(_TURNOVER_PER_SECOND * activity * E8 / mean_e8 * E8)
        taker_e8 = min(volume_e8, self._on_step(volume_e8 * bought))
        return Kline(
            open_at_ns,
            open_at_ns + length_ns,
            start_e8,
            high_e8,
            low_e8,
            close_e8,
            volume_e8,
            notional_e8(mean_e8, volume_e8),
            max(1, int(_TRADES_PER_SECOND * activity)),
            taker_e8,
            notional_e8(mean_e8, taker_e8),
        )

    def _on_tick(self, price_e8: float) -> int:
        return max(1, round(price_e8 / self._tick_e8)) * self._tick_e8

    def _on_step(self, quantity_e8: float) -> int:
        return max(1, round(quantity_e8 / self._step_e8)) * self._step_e8
