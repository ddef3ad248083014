"""When requests are meant to be sent: fixed before a run, in ns since its start.

An open loop: arrivals depend on nothing the target does, so a slow target meets the requests it
would meet in earnest, and the time they wait is measured.
"""

import csv
import gzip
import io
import random
import re
import zlib
from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Final, TypeAlias

from loadtest.units import NS_PER_SECOND, LoadTestError

Schedule: TypeAlias = "array[int]"
"""Non-decreasing times in ns since the start of the run, of type code `q`."""

ARRIVALS_MAX: Final = 1_000_000
"""Arrivals of one run. All requests are rendered before it starts, about a kilobyte each."""
ARRIVAL_KINDS: Final = ("constant", "poisson", "burst", "ramp", "flow")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ARRIVING: Final = frozenset({"new", "cancel", "amend", "reduce"})
"""Rows of a recorded flow that a client has sent; fills are the venue's answers."""
_TIME: Final = re.compile(r"[0-9]{1,19}")
_RESTING: Final = "S"
"""Flag of orders that were there before the recording began."""


def constant(rate: Fraction, duration_ns: int) -> Schedule:
    """Return arrivals `1/rate` apart, the first one at 0, all before `duration_ns`."""
    _check_count(rate * duration_ns / NS_PER_SECOND)
    period = Fraction(NS_PER_SECOND) / rate
    count = -(-duration_ns // period)
    numerator, denominator = period.numerator, period.denominator
    return array("q", (index * numerator // denominator for index in range(count)))


def poisson(rate: Fraction, duration_ns: int, seed: int) -> Schedule:
    """Return arrivals of a Poisson process: independent of each other, `rate` on average."""
    _check_count(rate * duration_ns / NS_PER_SECOND)
    generator = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    mean_ns = float(NS_PER_SECOND / rate)
    times = array("q")
    now_ns = 0.0
    while True:
        now_ns += generator.expovariate(1) * mean_ns
        if now_ns >= duration_ns:
            return times
        times.append(int(now_ns))


def burst(rate: Fraction, duration_ns: int, period_ns: int, width_ns: int) -> Schedule:
    """Return arrivals that all fall into the first `width_ns` of each period, evenly there.

    `rate` is the average over whole periods; within a burst it is `period / width` times that.
    Where no whole number falls to a burst, some have one more than others, or none.
    Raises LoadTestError unless 0 < width ≤ period.
    """
    if not 0 < width_ns <= period_ns:
        raise LoadTestError(
            f"burst width {width_ns} ns is not above 0 and at most the period {period_ns} ns"
        )
    periods, rest_ns = divmod(duration_ns, period_ns)
    # What arrives evenly over the bursts alone, put one behind the other.
    joined = constant(rate * period_ns / width_ns, periods * width_ns + min(rest_ns, width_ns))
    return array("q", (at // width_ns * period_ns + at % width_ns for at in joined))


def ramp(from_rate: Fraction, to_rate: Fraction, duration_ns: int, warmup_ns: int = 0) -> Schedule:
    """Return arrivals whose rate goes evenly from one to the other after a warm-up at the first.

    The n-th arrival (from 0) is where the sum of the rate over time reaches n; it is computed in
    integers, so it is exact to the nanosecond.
    """
    warm_up = constant(from_rate, warmup_ns)
    mean_rate = (from_rate + to_rate) / 2
    _check_count(len(warm_up) + mean_rate * duration_ns / NS_PER_SECOND)
    rising = _rising(from_rate, to_rate, duration_ns)
    return warm_up + array("q", (warmup_ns + at_ns for at_ns in rising))


def _rising(from_rate: Fraction, to_rate: Fraction, duration_ns: int) -> Schedule:
    if from_rate == to_rate:
        return constant(from_rate, duration_ns)
    # n = a t + b t², a per ns, b per ns²; over one denominator a = A/D and b = B/D, so that only
    # integers are under the root u = A² + 4 B D n. Then t = 2 D n / (√u + A), whatever the sign
    # of b, with no difference of large numbers; 64 further bits keep the root exact enough.
    slope = (to_rate - from_rate) / (2 * duration_ns) / NS_PER_SECOND
    start = from_rate / NS_PER_SECOND
    scale = slope.denominator * start.denominator
    linear = start.numerator * slope.denominator
    square = slope.numerator * start.denominator
    times = array("q")
    while True:
        under = linear * linear + 4 * square * scale * len(times)
        if under < 0:
            return times
        root = isqrt(under << 128) + (linear << 64)
        at_ns = (2 * scale * len(times) << 64) // root
        if at_ns >= duration_ns:
            return times
        times.append(at_ns)


def recorded(times_ns: Iterable[int], speed: Fraction, duration_ns: int = 0) -> Schedule:
    """Return recorded times from their first one on, `speed` times as fast.

    What comes at or after `duration_ns` is left out; 0 takes all. Raises LoadTestError when the
    times go back, or when there are none.
    """
    times = array("q")
    first_ns = last_ns = None
    for time_ns in times_ns:
        if first_ns is None or last_ns is None:
            first_ns = last_ns = time_ns
        if time_ns < last_ns:
            raise LoadTestError(f"the recorded time {time_ns} comes after {last_ns}")
        last_ns = time_ns
        at_ns = (time_ns - first_ns) * speed.denominator // speed.numerator
        if duration_ns and at_ns >= duration_ns:
            break
        times.append(at_ns)
        _check_count(Fraction(len(times)))
    if not times:
        raise LoadTestError("the recorded flow has no arrivals")
    return times


def recorded_end_ns(times_ns: Sequence[int], speed: Fraction) -> int:
    """Return how long recorded times last, `speed` times as fast: to just after the last one.

    Raises LoadTestError when there are none.
    """
    if not times_ns:
        raise LoadTestError("the recorded flow has no arrivals")
    return (max(times_ns) - times_ns[0]) * speed.denominator // speed.numerator + 1


def in_batches(times: Schedule, size: int) -> Schedule:
    """Return arrivals of `size` requests at each of some times: what one message carries."""
    _check_count(Fraction(len(times) * size))
    return array("q", (at_ns for at_ns in times for _ in range(size))) if size > 1 else times


def flow_times_ns(path: Path) -> list[int]:
    """Return when clients sent something in a recorded flow: a CSV file, plain or gzipped.

    Needed are the columns `ts_ns` and `event`; fills, and orders flagged as resting before the
    recording began, are not arrivals. Raises LoadTestError naming file and line.
    """
    times = []
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            plain = gzip.GzipFile(fileobj=raw) if zipped else raw
            rows = csv.DictReader(io.TextIOWrapper(plain, encoding="utf-8", newline=""))
            for name in ("ts_ns", "event"):
                if name not in (rows.fieldnames or ()):
                    raise LoadTestError(f"{path}: has no column `{name}`")
            for row in rows:
                if row["event"] in _ARRIVING and row.get("flag") != _RESTING:
                    # A row that is too short has None.
                    text = row["ts_ns"] or ""
                    if not _TIME.fullmatch(text):
                        raise LoadTestError(
                            f"{path}:{rows.line_num}: ts_ns `{text[:40]}` is not nanoseconds since "
                            "1970 as a whole number"
                        )
                    times.append(int(text))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise LoadTestError(f"{path}: can't be read: {error}") from None
    return times


def _check_count(expected: Fraction) -> None:
    """Raise LoadTestError for more arrivals than are rendered before a run."""
    if expected > ARRIVALS_MAX:
        raise LoadTestError(
            f"{int(expected):,} requests are more than the {ARRIVALS_MAX:,} of one run; "
            "use a lower rate or a shorter duration"
        )
