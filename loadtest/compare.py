"""Two sides compared by their repeated runs, with intervals of confidence.

Runs are what repeats: requests within a run share its luck, so runs are drawn again (bootstrap),
not requests. Where the runs of both sides were made in turn, pairs of them are drawn: what slowed
the machine down for a while slowed both of a pair.

The plain percentiles of a bootstrap are too narrow for few runs: of five, one interval in six
misses the truth, not one in twenty. They lack a factor √(n / (n - 1)) and know nothing of Student's
t (Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69, 2015,
sections 4.4 and 4.5). Both widen the interval here, on the scale of logarithms, since a change is
a ratio.
"""

import random
from collections.abc import Sequence
from math import expm1, log, sqrt
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Final

import msgspec

from loadtest.assertions import time_metric_ns
from loadtest.files import load
from loadtest.recorder import ALL
from loadtest.results import Results, Run
from loadtest.units import LoadTestError

METRICS: Final = ("mean", "p50", "p90", "p99", "p99.9", "throughput")
RESAMPLES: Final = 10_000
_ASKED: Final = ("rate", "duration_ns", "warmup_ns")
"""What was asked for of each run."""
RUNS_MIN: Final = 5
"""Runs of each side that an interval needs."""
_OUTSIDE: Final = 0.025
"""Share of the truth that lies below a 95 % interval, and above it."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both sides; times in ns, throughput per second."""

    metric: str
    a: float
    """Mean over the runs."""
    b: float
    change: float | None
    """(b - a) / a; None when a is 0."""
    change_low: float | None
    """95 % interval of the change; None with too few runs of a side."""
    change_high: float | None
    differs: bool | None
    """Whether the interval leaves out no change; None without an interval."""
    change_early: float | None = None
    """The change in the first half of the pairs, for runs made in turn."""
    change_late: float | None = None
    """The change in the last half."""
    drift_a: float | None = None
    """How much A itself changed from the first half of the pairs to the last one."""
    drift_b: float | None = None


def read_side(path: Path) -> tuple[list[Results], list[Run]]:
    """Return the result files of one side, a file or a directory of them, and their runs.

    Raises LoadTestError when there is none, a run is not valid, or it has steps.
    """
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    files = [load(each) for each in paths]
    if not files:
        raise LoadTestError(f"{path}: has no result files (*.json)")
    for each, results in zip(paths, files, strict=True):
        if results.broken_off:
            raise LoadTestError(f"{each}: is not whole: {results.broken_off}")
        if results.steps:
            raise LoadTestError(f"{each}: is of rising steps; runs at one rate can be compared")
        for run in results.runs:
            if run.faults:
                raise LoadTestError(f"{each}: has a run that is not valid: {run.faults[0]}")
    return files, [run for results in files for run in results.runs]


def unlike(a: Sequence[Results], b: Sequence[Results]) -> list[str]:
    """Return in what besides the target and the seed the loads of two sides differ."""
    first = msgspec.to_builtins(a[0].load)
    first |= {name: getattr(a[0].runs[0], name) for name in _ASKED}
    found = set()
    for results in (*a, *b):
        other = msgspec.to_builtins(results.load)
        for run in results.runs:
            other |= {name: getattr(run, name) for name in _ASKED}
            found |= {name for name, value in other.items() if value != first[name]}
        if results.machine.processor != a[0].machine.processor:
            found.add("machine")
    return sorted(found - {"target", "seed"})


def alternated(a: Sequence[Run], b: Sequence[Run]) -> tuple[list[Run], list[Run]] | None:
    """Return the runs of two sides that were made in turn as pairs, None when they were not.

    In turn means: by the time they began, each two that follow are of different sides.
    """
    runs = [(run.begun_utc_ns, "a", run) for run in a]
    runs += [(run.begun_utc_ns, "b", run) for run in b]
    runs.sort(key=lambda each: each[0])
    if len(a) != len(b) or not all(begun_ns for begun_ns, _, _ in runs):
        return None
    pairs_a, pairs_b = [], []
    for first, second in zip(runs[::2], runs[1::2], strict=True):
        if first[1] == second[1]:
            return None
        of_a, of_b = (first, second) if first[1] == "a" else (second, first)
        pairs_a.append(of_a[2])
        pairs_b.append(of_b[2])
    return pairs_a, pairs_b


def compare(a: Sequence[Run], b: Sequence[Run], seed: int = 1) -> list[Comparison]:
    """Return every figure of both sides; the same seed gives the same intervals."""
    generator = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    pairs = alternated(a, b)
    if pairs is not None:
        a, b = pairs
    return [
        _compared(metric, _figures(a, metric), _figures(b, metric), generator, pairs is not None)
        for metric in METRICS
    ]


def change_interval(
    a: Sequence[float],
    b: Sequence[float],
    generator: random.Random,
    *,
    paired: bool,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Return the 95 % interval of mean(b) / mean(a) - 1; all values above 0."""
    count = min(len(a), len(b))
    pairs = list(zip(a, b, strict=True)) if paired else []
    ratios = []
    for _ in range(resamples):
        if paired:
            drawn = generator.choices(pairs, k=count)
            ratios.append(_log_ratio([each for each, _ in drawn], [each for _, each in drawn]))
        else:
            drawn_a, drawn_b = generator.choices(a, k=len(a)), generator.choices(b, k=len(b))
            ratios.append(_log_ratio(drawn_a, drawn_b))
    ratios.sort()
    outside = round(resamples * _OUTSIDE)
    normal = NormalDist().inv_cdf(1 - _OUTSIDE)
    wider = sqrt(count / (count - 1)) * student_quantile(count - 1) / normal
    found = _log_ratio(a, b)
    low, high = (found + wider * (end - found) for end in (ratios[outside], ratios[-1 - outside]))
    return expm1(low), expm1(high)


def _log_ratio(a: Sequence[float], b: Sequence[float]) -> float:
    return log(fmean(b) / fmean(a))


def student_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t, to 0.001 from four degrees of freedom on.

    It is the Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5.
    """
    z = NormalDist().inv_cdf(1 - _OUTSIDE)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
        + (79 * z**9 + 776 * z**7 + 1_482 * z**5 - 1_920 * z**3 - 945 * z) / (92_160 * degrees**4)
    )


def _figures(runs: Sequence[Run], metric: str) -> list[float]:
    if metric == "throughput":
        return [run.throughput for run in runs]
    return [float(time_metric_ns(run.latency[ALL], metric)) for run in runs]


def _compared(
    metric: str, a: list[float], b: list[float], generator: random.Random, paired: bool
) -> Comparison:
    low = high = differs = early = late = drift_a = drift_b = None
    count = min(len(a), len(b))
    if count >= RUNS_MIN and min(*a, *b) > 0:
        low, high = change_interval(a, b, generator, paired=paired)
        differs = low > 0 or high < 0
    if paired and (half := count // 2):
        early, late = _change(a[:half], b[:half]), _change(a[-half:], b[-half:])
        drift_a, drift_b = _change(a[:half], a[-half:]), _change(b[:half], b[-half:])
    return Comparison(
        metric=metric,
        a=fmean(a),
        b=fmean(b),
        change=_change(a, b),
        change_low=low,
        change_high=high,
        differs=differs,
        change_early=early,
        change_late=late,
        drift_a=drift_a,
        drift_b=drift_b,
    )


def _change(before: Sequence[float], after: Sequence[float]) -> float | None:
    """Return by which share a mean changes, None when it was 0."""
    return fmean(after) / fmean(before) - 1 if fmean(before) else None
