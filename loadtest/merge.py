"""One run out of several that were made at the same time: by processes, or on several machines.

Counts add up and HDR histograms are added bucket by bucket, so every figure is what one tester
would have found in all requests together. Means are of exact sums.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from loadtest.recorder import ALL, merged_distribution
from loadtest.results import Latency, Run, Second
from loadtest.samples import OUTCOMES
from loadtest.units import NS_PER_MS, NS_PER_SECOND

_TOGETHER_NS: Final = 100 * NS_PER_MS


def merged_run(runs: Sequence[Run], faults: tuple[str, ...] = ()) -> Run:
    """Return the run that some runs make together; `faults` are those of the whole.

    Runs that began within 100 ms of the first one began together: clocks are not known better.
    Seconds are aligned by the target's clock, to the nearest whole second, so that it does not
    matter how right the testers' own clocks are. The measured time is from where the first run
    begins to be measured to where the last one ends.
    """
    begins_ns = [measured_from_ns(run) for run in runs]
    begin_ns = min(begins_ns)
    begins_ns = [at if at - begin_ns > _TOGETHER_NS else begin_ns for at in begins_ns]
    ends_ns = [at_ns + run.duration_ns for at_ns, run in zip(begins_ns, runs, strict=True)]
    duration_ns = max(ends_ns) - begin_ns
    first = runs[begins_ns.index(begin_ns)]
    answered = sum(round(run.throughput * run.duration_ns / NS_PER_SECOND) for run in runs)
    outcomes: Counter[str] = Counter()
    for run in runs:
        outcomes.update(run.outcomes)

    def together(which: Callable[[Run], Latency]) -> Latency:
        return merged_distribution([which(run) for run in runs])

    return Run(
        rate=float(sum(Fraction(run.rate) for run in runs)),
        duration_ns=duration_ns,
        warmup_ns=first.warmup_ns,
        offered=sum(run.offered for run in runs),
        throughput=answered * NS_PER_SECOND / duration_ns,
        latency={
            name: merged_distribution([run.latency[name] for run in runs])
            for name in (ALL, *OUTCOMES)
        },
        wait=together(lambda run: run.wait),
        lateness=together(lambda run: run.lateness),
        seconds=_seconds(runs, [round((at - begin_ns) / NS_PER_SECOND) for at in begins_ns]),
        outcomes=dict(sorted(outcomes.items())),
        reconnects=sum(run.reconnects for run in runs),
        tester_cpu_share=sum(run.tester_cpu_share for run in runs),
        faults=faults,
        begun_utc_ns=first.begun_utc_ns,
        target_minus_utc_ns=first.target_minus_utc_ns,
        pauses=together(lambda run: run.pauses),
        processes=sum(run.processes for run in runs),
    )


def measured_from_ns(run: Run) -> int:
    """Return the target's clock when a run's warm-up was over."""
    return run.begun_utc_ns + run.target_minus_utc_ns + run.warmup_ns


def _seconds(runs: Sequence[Run], shifts: Sequence[int]) -> tuple[Second, ...]:
    """Return the seconds of all runs, each run's moved by so many seconds."""
    found: dict[int, list[Second]] = defaultdict(list)
    for run, shift in zip(runs, shifts, strict=True):
        for second in run.seconds:
            found[second.second + shift].append(second)
    return tuple(
        Second(
            second=number,
            offered=sum(second.offered for second in seconds),
            accepted=sum(second.accepted for second in seconds),
            refused=sum(second.refused for second in seconds),
            errors=sum(second.errors for second in seconds),
            answered=sum(second.answered for second in seconds),
            latency=merged_distribution([second.latency for second in seconds]),
        )
        for number, seconds in sorted(found.items())
    )
