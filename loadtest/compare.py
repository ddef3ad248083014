"""Two sides compared by their repeated runs, with intervals of confidence.

Runs are what repeats: requests within a run share its luck, so runs are drawn again (bootstrap),
not requests. Make the runs of both sides in turn, so that a machine that slows down slows both.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec

from loadtest.assertions import time_metric_ns
from loadtest.recorder import ALL
from loadtest.results import Results, Run, load
from loadtest.units import LoadTestError

METRICS: Final = ("mean", "p50", "p90", "p99", "p99.9", "throughput")
RESAMPLES: Final = 10_000
RUNS_MIN: Final = 5
"""Runs of each side that an interval needs; drawn from fewer it would be far too narrow."""
_CONFIDENCE: Final = 0.95


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

    @property
    def differs(self) -> bool | None:
        """Whether the interval leaves out no change; None without an interval."""
        if self.change_low is None or self.change_high is None:
            return None
        return self.change_low > 0 or self.change_high < 0


def read_side(path: Path) -> tuple[list[Results], list[Run]]:
    """Return the result files of one side, a file or a directory of them, and their runs.

    Raises LoadTestError when there is none, a run is not valid, or it has steps.
    """
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    files = [load(each) for each in paths]
    if not files:
        raise LoadTestError(f"{path}: has no result files (*.json)")
    for each, results in zip(paths, files, strict=True):
        if results.steps:
            raise LoadTestError(f"{each}: is of rising steps; runs at one rate can be compared")
        for run in results.runs:
            if run.faults:
                raise LoadTestError(f"{each}: has a run that is not valid: {run.faults[0]}")
    return files, [run for results in files for run in results.runs]


def unlike(a: Sequence[Results], b: Sequence[Results]) -> list[str]:
    """Return in what besides the target and the seed the loads of two sides differ."""
    first = msgspec.to_builtins(a[0].load)
    first["rate"] = a[0].runs[0].rate
    found = set()
    for results in (*a, *b):
        other = msgspec.to_builtins(results.load)
        for run in results.runs:
            other["rate"] = run.rate
            found |= {name for name, value in other.items() if value != first[name]}
        if results.machine.processor != a[0].machine.processor:
            found.add("machine")
    return sorted(found - {"target", "seed"})


def compare(a: Sequence[Run], b: Sequence[Run], seed: int = 1) -> list[Comparison]:
    """Return every figure of both sides; the same seed gives the same intervals."""
    generator = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    return [
        _compared(metric, _figures(a, metric), _figures(b, metric), generator) for metric in METRICS
    ]


def _figures(runs: Sequence[Run], metric: str) -> list[float]:
    if metric == "throughput":
        return [run.throughput for run in runs]
    return [float(time_metric_ns(run.latency[ALL], metric)) for run in runs]


def _compared(metric: str, a: list[float], b: list[float], generator: random.Random) -> Comparison:
    mean_a, mean_b = fmean(a), fmean(b)
    low = high = None
    if min(len(a), len(b)) >= RUNS_MIN and min(a) > 0:
        changes = sorted(
            fmean(generator.choices(b, k=len(b))) / fmean(generator.choices(a, k=len(a))) - 1
            for _ in range(RESAMPLES)
        )
        outside = round(RESAMPLES * (1 - _CONFIDENCE) / 2)
        low, high = changes[outside], changes[-1 - outside]
    return Comparison(
        metric=metric,
        a=mean_a,
        b=mean_b,
        change=mean_b / mean_a - 1 if mean_a else None,
        change_low=low,
        change_high=high,
    )
