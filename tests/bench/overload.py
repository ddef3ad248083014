"""What a gate does with twice the work it can do: `python -m tests.bench.overload --help`.

A gate with the rulebook `bench` runs on one processor, a bare open-loop client with 64 connections
on the last: orders and cancels, signed, 5 % queries, 5 % market data. Eight more only cancel, so
that about as many cancels are sent as orders, and the admin port is asked twenty times a second.
First the knee is found: the highest of rising loads at which nothing is shed and the p95 is below
50 ms. Then the gate gets the load of the knee, twice that, and half of that; the first second of
the overload, in which the queues fill, is a row of its own. Latencies count from the time a request
was planned for. Exits with 1 when a cancel was shed, something was not answered, or the gate did
not recover within two seconds by itself.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.open_client import (
    ADMIN,
    CANCEL,
    CANCEL_ALONE,
    MARKET_DATA,
    ORDER,
    QUERY,
    SHED_STATUS,
    Answer,
    Mix,
    OpenClient,
)
from tests.bench.rest_client import drive
from tests.bench.rest_servers import OWN_EDGE, Running, gate

CONNECTIONS: Final = 64
CANCELLING: Final = 8
"""Further connections that only cancel."""
KNEE_MS: Final = 50.0
STEP: Final = 1.15
TRIES: Final = 3
"""A load is served as it should be if it was in one of so many tries; other work disturbs some."""
BUCKET_SECONDS: Final = 0.1
RECOVERY_SECONDS_MAX: Final = 2.0
"""Shedding ends a second after nothing had to wait for too long."""
KINDS: Final = (ORDER, CANCEL, CANCEL_ALONE, QUERY, MARKET_DATA, ADMIN)


class KindFigures(msgspec.Struct, frozen=True):
    """What became of the requests of one kind in one phase."""

    kind: str
    requests: int
    shed: int
    ms_p50: float
    """Of those that were not shed, as are the other percentiles."""
    ms_p99: float
    ms_max: float


class Phase(msgspec.Struct, frozen=True):
    """One load over some time."""

    name: str
    offered_per_second: int
    answered_per_second: int
    """Answers other than those that something was shed."""
    shed_share: float
    kinds: list[KindFigures]
    late_ms_p99: float
    """How late the client itself was."""
    mib: int
    """Memory of the gate afterwards, without what it maps of files."""


class Result(msgspec.Struct, frozen=True):
    """What was found."""

    knee_per_second: int
    phases: list[Phase]
    recovered_seconds: float
    """From the end of the overload until nothing was shed and nobody waited for 50 ms any more."""
    unanswered: int


def percentile(latencies_ns: Sequence[int], per_mille: int) -> float:
    """Return what so many of a thousand do not exceed, in ms; 0 of nothing."""
    if not latencies_ns:
        return 0.0
    ordered = sorted(latencies_ns)
    return round(ordered[min(len(ordered) - 1, len(ordered) * per_mille // 1_000)] / 1e6, 2)


def memory_mib(pid: int) -> int:
    """Return the memory a process has that no file stands behind."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) // 1_024
    return 0


def figures(name: str, offered: float, seconds: float, answers: list[Answer], mib: int) -> Phase:
    """Return the figures of one phase."""
    kinds = []
    for kind in KINDS:
        ours = [one for one in answers if one.kind == kind]
        served = [one.latency_ns for one in ours if one.status != SHED_STATUS]
        tails = (percentile(served, 500), percentile(served, 990), percentile(served, 1_000))
        kinds.append(KindFigures(kind, len(ours), len(ours) - len(served), *tails))
    clients = sum(one.requests for one in kinds if one.kind != ADMIN)
    shed = sum(one.shed for one in kinds)
    late = percentile([one.late_ns for one in answers if one.kind != ADMIN], 990)
    served_per_second = round((clients - shed) / seconds)
    rates = (round(offered), served_per_second, round(shed / max(1, clients), 4))
    return Phase(name, *rates, kinds, late, mib)


def connected(running: Running) -> OpenClient:
    """Return a client of a gate and of its admin port."""
    admin = (running.data / "admin.url").read_text(encoding="ascii").strip()
    token = (running.data / "admin.token").read_text(encoding="ascii").strip()
    connections = CONNECTIONS + CANCELLING
    return OpenClient(running.port, connections, int(admin.rpartition(":")[2]), token)


def knee(client: OpenClient, mix: Mix, start: float, seconds: float) -> float:
    """Return the highest load of a rising row that is served as it should be."""
    found, load = 0.0, start
    while True:
        tries = []
        for _ in range(TRIES):
            answers = client.offer(mix.next, load, seconds)
            latencies = [one.latency_ns for one in answers if one.kind != ADMIN]
            shed = sum(one.status == SHED_STATUS for one in answers)
            tries.append((shed, percentile(latencies, 950)))
            if tries[-1] < (1, KNEE_MS):
                break
        shed, tail = min(tries)
        sys.stderr.write(f"bench: {load:,.0f} a second: p95 {tail} ms, shed {shed}\n")
        if tail < KNEE_MS and not shed:
            found, load = load, load * STEP
        elif found:
            return found
        else:
            load /= STEP * STEP
            if load < 50:
                raise RuntimeError("no load is served as it should be; the machine is too busy")


def recovery_seconds(answers: list[Answer], began_ns: int) -> float:
    """Return the time after `began_ns` from which on requests were served, and within 50 ms."""
    bad = [
        one.planned_ns
        for one in answers
        if one.planned_ns >= began_ns
        and (one.status == SHED_STATUS or one.latency_ns > KNEE_MS * 1e6)
    ]
    # Single late answers of a busy machine later on are no overload any more.
    buckets = {int((planned_ns - began_ns) / 1e9 / BUCKET_SECONDS) for planned_ns in bad}
    number = 0
    while number in buckets:
        number += 1
    return round(number * BUCKET_SECONDS, 1)


def measure(overload_seconds: float, after_seconds: float, factor: float) -> Result:
    """Return what was found with a gate of its own."""
    allowed = os.sched_getaffinity(0)
    with gate(OWN_EDGE, sheds=True) as running:
        os.sched_setaffinity(0, {max(allowed)})
        try:
            pid = running.process.pid
            each = range(CONNECTIONS)
            closed = drive(running.port, [running.orders.plan(one, 60) for one in each])
            capacity = len(closed.latencies_ns) / closed.seconds
            client = connected(running)
            mix = Mix([running.orders.key(number) for number in each], CONNECTIONS, 1)
            try:
                found = knee(client, mix, capacity * 0.5, 2.0)
                phases = []
                plan = (
                    ("knee", 1.0, after_seconds),
                    (f"{factor:.0%}", factor, overload_seconds),
                    ("50%", 0.5, after_seconds),
                )
                sent, began, memory = 0, [], []
                answers: list[Answer] = []
                for name, share, seconds in plan:
                    began.append(time.perf_counter_ns())
                    last = name == plan[-1][0]
                    answers += client.offer(mix.next, found * share, seconds, whole=last)
                    sent += int(found * share * seconds)
                    memory.append(memory_mib(pid))
                for number, (name, share, seconds) in enumerate(plan):
                    # An answer belongs to the load under which its request was sent.
                    until_ns = (*began, sys.maxsize)[number + 1]
                    ours = [one for one in answers if began[number] <= one.planned_ns < until_ns]
                    load = found * share
                    if share > 1:
                        turn_ns = began[number] + int(1e9)
                        first = [one for one in ours if one.planned_ns < turn_ns]
                        ours = [one for one in ours if one.planned_ns >= turn_ns]
                        mib = memory[number]
                        phases.append(figures(f"{name}, first second", load, 1.0, first, mib))
                        seconds -= 1.0
                    phases.append(figures(name, load, seconds, ours, memory[number]))
                recovered = recovery_seconds(answers, began[-1])
                answered = sum(one.kind != ADMIN for one in answers)
            finally:
                client.close()
        finally:
            os.sched_setaffinity(0, allowed)
    return Result(round(found), phases, recovered, sent - answered)


def show(result: Result) -> None:
    """Print the phases as a table."""
    table = Table("load", "kind")
    for heading in ("requests", "shed", "p50 ms", "p99 ms", "most ms"):
        table.add_column(heading, justify="right")
    for phase in result.phases:
        for one in phase.kinds:
            tails = (f"{one.ms_p50:.1f}", f"{one.ms_p99:.1f}", f"{one.ms_max:.1f}")
            shed = f"{one.shed / max(1, one.requests):.1%}"
            table.add_row(phase.name, one.kind, f"{one.requests:,}", shed, *tails)
    summary = Table("load")
    headings = ("offered/s", "served/s", "shed", "client late, p99 ms", "MiB after")
    for heading in headings:
        summary.add_column(heading, justify="right")
    for phase in result.phases:
        summary.add_row(
            phase.name,
            f"{phase.offered_per_second:,}",
            f"{phase.answered_per_second:,}",
            f"{phase.shed_share:.1%}",
            f"{phase.late_ms_p99:.1f}",
            f"{phase.mib:,}",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(summary)
    console.print(
        f"the knee is at {result.knee_per_second:,} requests a second; as usual again "
        f"{result.recovered_seconds} s after the overload"
    )


def verdict(result: Result) -> int:
    """Return the exit code."""
    kinds = [one for phase in result.phases for one in phase.kinds]
    cancels = sum(one.shed for one in kinds if one.kind in (CANCEL, CANCEL_ALONE))
    served = result.phases[-1].answered_per_second
    recovered = served and result.recovered_seconds <= RECOVERY_SECONDS_MAX
    return 0 if not cancels and not result.unanswered and recovered else 1


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of overload")
    parser.add_argument("--after", type=float, default=10.0, help="seconds of the other loads")
    parser.add_argument("--factor", type=float, default=2.0, help="of the knee")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    given = parser.parse_args()
    result = measure(given.seconds, given.after, given.factor)
    if given.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result)).decode() + "\n")
    else:
        show(result)
    return verdict(result)


if __name__ == "__main__":
    sys.exit(main())
