"""Simulating many seeds on several processors, and the figures of what they have met."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import monotonic
from typing import Final, NamedTuple

from tests.sim.run import STEPS, Failure, run_seed

BATCH: Final = 25
"""Seeds a process is given at a time."""

_FIGURES: Final = (
    ("steps", ("step",)),
    ("events decided", ("event ",)),
    ("answers", ("answer ",)),
    ("gates started", ("recovery", "beginning")),
    ("gates ended well", ("planned restart",)),
    ("processes killed", ("process killed",)),
    ("losses of power", ("power lost",)),
    ("of both, in the middle of a start", ("crash in a start",)),
    ("torn ends cut", ("torn end",)),
    ("snapshots made", ("snapshot",)),
    ("snapshots damaged", ("snapshot damaged: ",)),
    ("states followed from zero too", ("recovered from zero too",)),
    ("bytes of safe records changed, each found", ("byte changed",)),
    ("disk faults", ("disk ",)),
    ("records lost, gone on in the reserve", ("record lost",)),
    ("reserves lost too", ("reserve lost",)),
    ("engine faults", ("fault ",)),
    ("engine disconnected", ("fault disconnect",)),
    ("engine restarted", ("fault new_epoch",)),
    ("steps of the system clock", ("time clock_step",)),
)
"""Names, and the things met that they count: those that begin with any of these."""


class Found(NamedTuple):
    """What many seeds have met, and which of them failed."""

    seeds: int
    met: Counter[str]
    failures: list[Failure]
    seconds: float


def simulate(
    seeds: range,
    workers: int,
    steps: int = STEPS,
    say: Callable[[Failure], None] = lambda _: None,
) -> Found:
    """Simulate seeds with so many processes; `say` is told of each failure as soon as it is there."""
    begun = monotonic()
    met: Counter[str] = Counter()
    failures: list[Failure] = []
    for batch_met, batch_failures in _batches(seeds, workers, steps):
        met.update(batch_met)
        failures.extend(batch_failures)
        for failure in batch_failures:
            say(failure)
    return Found(len(seeds), met, failures, monotonic() - begun)


def figures(found: Found) -> Iterator[str]:
    """Yield lines that say how much was simulated."""
    yield f"{found.seeds:14,} seeds, {len(found.failures)} failed, in {found.seconds:.0f} s"
    for name, beginnings in _FIGURES:
        count = sum(number for one, number in found.met.items() if _counts(one, beginnings))
        yield f"{count:14,} {name}"


def _counts(met: str, beginnings: tuple[str, ...]) -> bool:
    return any(met == one or (one[-1] == " " and met.startswith(one)) for one in beginnings)


def _batches(
    seeds: range, workers: int, steps: int
) -> Iterator[tuple[Counter[str], list[Failure]]]:
    batches = [seeds[place : place + BATCH] for place in range(0, len(seeds), BATCH)]
    if workers < 2:
        yield from map(partial(_batch, steps=steps), batches)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(partial(_batch, steps=steps), batches)


def _batch(seeds: range, steps: int) -> tuple[Counter[str], list[Failure]]:
    """Simulate some seeds."""
    met: Counter[str] = Counter()
    found = [run_seed(seed, steps, met) for seed in seeds]
    return met, [failure for failure in found if failure is not None]
