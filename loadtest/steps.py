"""Several runs: repeated ones, and steps of rising load until the knee."""

from fractions import Fraction
from typing import Final, NamedTuple

from loadtest.display import Display
from loadtest.recorder import ALL
from loadtest.results import Run
from loadtest.session import Session
from loadtest.units import NS_PER_SECOND, duration_text

KEEPS_UP_SHARE: Final = 0.97
"""Of what was offered must be answered while it was offered."""


class Steps(NamedTuple):
    """How load rises."""

    most: int
    """The most steps; 0 for none."""
    factor: Fraction
    """From one rate to the next."""
    p99_max_ns: int
    """A target whose p99 is above does not keep up."""


class Knee(NamedTuple):
    """What the steps found."""

    rate: float | None = None
    """The highest rate the target kept up with."""
    text: str = ""


class Made:
    """What was made so far; it holds also when what comes next can't be made."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.knee = Knee()


async def repeat(
    session: Session, rate: Fraction, count: int, display: Display, made: Made
) -> None:
    """Make the same run several times, each with a seed of its own, until one is broken off."""
    for number in range(count):
        display.title = f"run {number + 1} of {count}"
        run = await session.run(rate, number)
        if run is not None:
            made.runs.append(run)
        if session.stopped_by:
            return


async def climb(
    session: Session, rate: Fraction, steps: Steps, display: Display, made: Made
) -> None:
    """Make runs of rising rate until one is not kept up with, not valid or broken off."""
    kept: float | None = None
    for number in range(steps.most):
        display.title = f"step {number + 1}: {float(rate):,.0f}/s"
        made.knee = Knee(kept, f"{_kept_text(kept)}; the step to {float(rate):,.1f}/s is not whole")
        run = await session.run(rate, number)
        if run is not None:
            made.runs.append(run)
        if run is None or session.stopped_by:
            return
        fault = run.faults[0] if run.faults else falls_behind(run, steps.p99_max_ns)
        if fault:
            made.knee = Knee(kept, f"{_kept_text(kept)}; at {run.rate:,.1f}/s {fault}")
            return
        kept = run.rate
        rate *= steps.factor
    made.knee = Knee(kept, f"{_kept_text(kept)}; no step was too much, take more of them")


def falls_behind(run: Run, p99_max_ns: int) -> str:
    """Return in which way a target does not keep up, empty when it does."""
    offered = run.offered * NS_PER_SECOND / run.duration_ns
    if run.throughput < KEEPS_UP_SHARE * offered:
        return f"{run.throughput:,.1f} of {offered:,.1f} requests a second were answered"
    p99_ns = run.latency[ALL].percentiles_ns["99"]
    if p99_ns > p99_max_ns:
        return f"the p99 was {duration_text(p99_ns)}, above {duration_text(p99_max_ns)}"
    return ""


def _kept_text(rate: float | None) -> str:
    return "the target kept up with no step" if rate is None else f"knee: {rate:,.1f}/s kept up"
