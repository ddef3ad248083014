"""From samples to distributions, after the run: nothing is computed while requests are sent."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from loadtest.results import Latency, Run, Second
from loadtest.samples import ACCEPTED, ERROR, NEVER, OUTCOMES, REFUSED, Samples
from loadtest.units import NS_PER_SECOND

ALL: Final = "all"
PERCENTILES: Final = ("50", "90", "99", "99.9", "99.99")
_LOWEST_NS: Final = 1
_HIGHEST_NS: Final = 3_600 * NS_PER_SECOND
_DIGITS: Final = 3


def distribution(values_ns: Iterable[int]) -> Latency:
    """Return the distribution of some times; negative ones count as 0, longer ones as an hour."""
    histogram = HdrHistogram(_LOWEST_NS, _HIGHEST_NS, _DIGITS)
    total, least, most = 0, _HIGHEST_NS, 0
    for value in values_ns:
        clamped = min(max(value, 0), _HIGHEST_NS)
        histogram.record_value(clamped)
        total += clamped
        least, most = min(least, clamped), max(most, clamped)
    return _described(histogram, total, least, most)


def merged_distribution(parts: Sequence[Latency]) -> Latency:
    """Return what `distribution` returns of the times of all parts together."""
    filled = [part for part in parts if part.count]
    if len(filled) == 1:
        return filled[0]
    histogram = HdrHistogram(_LOWEST_NS, _HIGHEST_NS, _DIGITS)
    for part in filled:
        histogram.add(decoded(part))
    return _described(
        histogram,
        sum(part.total_ns or round(part.mean_ns * part.count) for part in filled),
        min((part.min_ns for part in filled), default=0),
        max((part.max_ns for part in filled), default=0),
    )


def _described(histogram: Any, total_ns: int, least_ns: int, most_ns: int) -> Latency:
    """Return a histogram's figures; the rest is what it can't tell exactly."""
    count = histogram.get_total_count()
    if not count:
        return Latency(count=0)
    return Latency(
        count=count,
        mean_ns=total_ns / count,
        min_ns=least_ns,
        max_ns=most_ns,
        percentiles_ns={
            name: min(_at_percentile(histogram, name), most_ns) for name in PERCENTILES
        },
        histogram=histogram.encode().decode("ascii"),
        total_ns=total_ns,
    )


def decoded(latency: Latency) -> Any:
    """Return the HDR histogram of a distribution that has one."""
    return HdrHistogram.decode(latency.histogram)


def percentile_ns(latency: Latency, percentile: float | str) -> int:
    """Return any percentile of a distribution, 0 of an empty one.

    It is the least time that at least so many per cent of the requests did not exceed.
    """
    if not latency.count:
        return 0
    return min(_at_percentile(decoded(latency), percentile), latency.max_ns)


def _at_percentile(histogram: Any, percentile: float | str) -> int:
    # The library rounds to the nearest rank, which for few requests tells a p99 that is too low;
    # asked for the very share of a rank it takes that one.
    count = histogram.get_total_count()
    rank = max(-(-Fraction(percentile) * count // 100), 1)
    return int(histogram.get_value_at_percentile(100 * rank / count))


def measured(
    samples: Samples,
    *,
    rate: float,
    warmup_ns: int,
    duration_ns: int,
    cpu_ns: int,
    wall_ns: int,
    reconnects: int,
) -> Run:
    """Return the figures of a run without its warm-up.

    The run lasts for `warmup_ns + duration_ns`; `cpu_ns` and `wall_ns` are what the tester used
    and how long it took.
    """
    chosen = [i for i, at_ns in enumerate(samples.intended_ns) if at_ns >= warmup_ns]
    latencies: dict[str, list[int]] = {name: [] for name in (ALL, *OUTCOMES)}
    outcomes: Counter[str] = Counter()
    for index in chosen:
        outcome, label = samples.label_names[samples.labels[index]]
        latency_ns = samples.answered_ns[index] - samples.intended_ns[index]
        latencies[ALL].append(latency_ns)
        latencies[outcome].append(latency_ns)
        outcomes[f"{outcome} {label}"] += 1
    end_ns = warmup_ns + duration_ns
    in_time = sum(
        warmup_ns <= samples.answered_ns[i] < end_ns
        and samples.label_names[samples.labels[i]][0] != ERROR
        for i in range(len(samples))
    )
    sent = [index for index in chosen if samples.sent_ns[index] != NEVER]
    return Run(
        rate=rate,
        duration_ns=duration_ns,
        warmup_ns=warmup_ns,
        offered=len(chosen),
        throughput=in_time * NS_PER_SECOND / duration_ns,
        latency={name: distribution(values) for name, values in latencies.items()},
        wait=distribution(samples.possible_ns[i] - samples.intended_ns[i] for i in sent),
        lateness=distribution(samples.sent_ns[i] - samples.possible_ns[i] for i in sent),
        seconds=_seconds(samples, chosen, warmup_ns, duration_ns),
        outcomes=dict(sorted(outcomes.items())),
        reconnects=reconnects,
        tester_cpu_share=cpu_ns / wall_ns,
    )


def _seconds(
    samples: Samples, chosen: list[int], warmup_ns: int, duration_ns: int
) -> tuple[Second, ...]:
    """Return the figures of each second after the warm-up, the last one maybe a part of one."""
    number = -(-duration_ns // NS_PER_SECOND)
    counts = [Counter[str]() for _ in range(number)]
    latencies: list[list[int]] = [[] for _ in range(number)]
    answered = [0] * number
    for index, answered_ns in enumerate(samples.answered_ns):
        second = (answered_ns - warmup_ns) // NS_PER_SECOND
        ended = samples.label_names[samples.labels[index]][0]
        if 0 <= second < number and ended != ERROR:
            answered[second] += 1
    for index in chosen:
        second = (samples.intended_ns[index] - warmup_ns) // NS_PER_SECOND
        counts[second][samples.label_names[samples.labels[index]][0]] += 1
        latencies[second].append(samples.answered_ns[index] - samples.intended_ns[index])
    return tuple(
        Second(
            second=second,
            offered=counts[second].total(),
            accepted=counts[second][ACCEPTED],
            refused=counts[second][REFUSED],
            errors=counts[second][ERROR],
            answered=answered[second],
            latency=distribution(latencies[second]),
        )
        for second in range(number)
    )
