"""A gate under an even load for a long time: `python -m tests.bench.soak --help`.

A gate with the rulebook `bench` runs on one processor, the open-loop client of the overload run on
the last, at 70 % of the knee found before. After a minute in which histories fill, each minute is a
row: p50, p99 and p99.9 of orders and cancels, counted from their planned times, and the gate's
memory. Two accounts trade, so that their histories have reached their bounds after that minute.
Exits with 1 when the memory grows or the p99.9 has a rising trend: by Kendall's test at 5 %, and by
a tenth over the run. No trend can be told of fewer than four minutes, and it says so.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.open_client import ADMIN, CANCEL, CANCEL_ALONE, ORDER, SHED_STATUS, Answer, Mix
from tests.bench.overload import CONNECTIONS, connected, knee, memory_mib, percentile
from tests.bench.rest_client import drive
from tests.bench.rest_servers import OWN_EDGE, gate

ACCOUNTS: Final = 2
ACCEPTED_STATUS: Final = 200
SHARE: Final = 0.7
GROWTH_MAX: Final = 0.1
"""Growth over the whole run, of its first value, that is none."""
MINUTES_MIN: Final = 4
"""Of fewer even the clearest rise may be chance."""
DOUBT: Final = 0.05
"""Chance that a row without a trend is taken to have one."""


class Minute(msgspec.Struct, frozen=True):
    """One row."""

    requests: int
    shed: int
    ms_p50: float
    ms_p99: float
    ms_p999: float
    mib: int
    late_ms_p99: float
    """How late the client itself was."""
    accepted_share: float = 1.0
    """Of all orders and cancels; what was shed, and cancels of what was shed, was not."""


class Trend(msgspec.Struct, frozen=True):
    """Whether a row of numbers rises."""

    growth: float
    """From the first to the last by the median of all slopes, as a share of the first."""
    chance: float
    """Of so clear a rise in a row without a trend."""

    @property
    def rises(self) -> bool:
        """Whether it is both clear and worth speaking of."""
        return self.growth > GROWTH_MAX and self.chance < DOUBT


class Result(msgspec.Struct, frozen=True):
    """What was found."""

    knee_per_second: int
    offered_per_second: int
    minutes: list[Minute]
    memory: Trend
    tail: Trend
    unanswered: int


def trend(values: Sequence[float]) -> Trend:
    """Return how a row rises: Theil and Sen's slope, Kendall's test counted out exactly."""
    pairs = list(combinations(range(len(values)), 2))
    if not pairs or not values[0]:
        return Trend(0.0, 1.0)
    slopes = sorted((values[late] - values[early]) / (late - early) for early, late in pairs)
    growth = slopes[len(slopes) // 2] * (len(values) - 1) / values[0]
    rising = sum(values[late] > values[early] for early, late in pairs)
    ties = sum(values[late] == values[early] for early, late in pairs)
    # In how many of all orders of the values do so many pairs, or more, rise.
    counts = [1]
    for number in range(2, len(values) + 1):
        longer = [0] * (len(counts) + number - 1)
        for place, count in enumerate(counts):
            for more in range(number):
                longer[place + more] += count
        counts = longer
    clear = rising + ties // 2
    return Trend(round(growth, 4), round(sum(counts[clear:]) / sum(counts), 4))


def minute(answers: list[Answer], mib: int) -> Minute:
    """Return the row of some answers."""
    ours = [one for one in answers if one.kind in (ORDER, CANCEL, CANCEL_ALONE)]
    served = [one.latency_ns for one in ours if one.status != SHED_STATUS]
    tails = (percentile(served, 500), percentile(served, 990), percentile(served, 999))
    late = percentile([one.late_ns for one in ours], 990)
    accepted = sum(one.status == ACCEPTED_STATUS for one in ours) / max(1, len(ours))
    return Minute(len(ours), len(ours) - len(served), *tails, mib, late, round(accepted, 5))


def measure(minutes: int, seconds: float = 60.0) -> Result:
    """Return what was found with a gate of its own; a minute may be shorter, for a test."""
    allowed = os.sched_getaffinity(0)
    with gate(OWN_EDGE, sheds=True) as running:
        os.sched_setaffinity(0, {max(allowed)})
        try:
            each = range(CONNECTIONS)
            closed = drive(running.port, [running.orders.plan(one, 60) for one in each])
            client = connected(running)
            mix = Mix([running.orders.key(number) for number in range(ACCOUNTS)], CONNECTIONS, 1)
            try:
                start = 0.5 * len(closed.latencies_ns) / closed.seconds
                found = knee(client, mix, start, min(2.0, seconds))
                load = SHARE * found
                answers = client.offer(mix.next, load, seconds)
                rows: list[Minute] = []
                sent = answered = 0
                for number in range(minutes):
                    answers = client.offer(mix.next, load, seconds, whole=number == minutes - 1)
                    rows.append(minute(answers, memory_mib(running.process.pid)))
                    sent += int(load * seconds)
                    answered += sum(one.kind != ADMIN for one in answers)
                    sys.stderr.write(f"bench: {time.strftime('%H:%M:%S')} {rows[-1]}\n")
            finally:
                client.close()
        finally:
            os.sched_setaffinity(0, allowed)
    memory, tail = trend([one.mib for one in rows]), trend([one.ms_p999 for one in rows])
    return Result(round(found), round(load), rows, memory, tail, sent - answered)


def show(result: Result) -> None:
    """Print the rows and the verdict."""
    table = Table()
    tails = ("p50 ms", "p99 ms", "p99.9 ms")
    for heading in ("minute", "orders, cancels", "accepted", "shed", *tails, "MiB"):
        table.add_column(heading, justify="right")
    for number, one in enumerate(result.minutes, 1):
        times = (f"{one.ms_p50:.2f}", f"{one.ms_p99:.1f}", f"{one.ms_p999:.1f}")
        counts = f"{one.requests:,}", f"{one.accepted_share:.2%}", f"{one.shed:,}"
        table.add_row(f"{number}", *counts, *times, f"{one.mib}")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(
        f"{result.offered_per_second:,} requests a second, {SHARE:.0%} of the knee at "
        f"{result.knee_per_second:,}"
    )
    for line in verdicts(result):
        console.print(line)


def verdicts(result: Result) -> list[str]:
    """Return what is said of memory and p99.9."""
    if len(result.minutes) < MINUTES_MIN:
        few = len(result.minutes)
        return [f"memory, p99.9: no trend can be told of {few} minutes; take {MINUTES_MIN} or more"]
    return [
        f"{name} {'RISES' if found.rises else 'has no rising trend'}: "
        f"{found.growth:+.1%} over the run, chance {found.chance:.3f}"
        for name, found in (("memory", result.memory), ("p99.9", result.tail))
    ]


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    given = parser.parse_args()
    result = measure(given.minutes)
    if given.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result)).decode() + "\n")
    else:
        show(result)
    return 1 if result.memory.rises or result.tail.rises or result.unanswered else 0


if __name__ == "__main__":
    sys.exit(main())
