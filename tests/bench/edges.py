"""What edge processes take off the core: `python -m tests.bench.edges --help`.

The same signed orders go over the same connections to a gate without edge processes and to gates
that have them, with the rulebook `bench`, durability `process` and the embedded engine. The core's
process runs on one processor; edges and client share another, since what is measured is processor
time and not speed: how many orders one core can decide is what its own time for an order allows.
Orders come in waves, one over each connection at once, because a core that has all it can do finds
many of them waiting whenever it looks; with `--loop` each connection sends its next order as soon
as it has its answer, and a core with a client as slow as this one's finds hardly more than one.
Gates take turns, so that a drift of the machine meets all; only ratios of one run mean anything.
Exits with 1 when fewer than 99 % of the orders were accepted.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.rest import ACCEPTED_SHARE_MIN, MANY, cpu_ns
from tests.bench.rest_client import Driven, drive, drive_in_waves
from tests.bench.rest_servers import OWN_EDGE, gate

FIGURES: Final = ("core_us", "edges_us", "requests_per_second", "us_p50", "us_p99")
TARGET: Final = "at most 0.6; stretch 0.4"

Lines = list[dict[str, Any]]
Driver = Callable[[int, list[list[bytes]]], Driven]


class Kind(NamedTuple):
    """One way to run a gate."""

    edges: int
    build: str
    """Which rules run: `always` compiled, or `never`."""


def edge_pids(gate_pid: int) -> list[int]:
    """Return the process ids of a gate's edges: all its children."""
    tasks = Path(f"/proc/{gate_pid}/task")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]


@contextmanager
def other_processor(pids: list[int]) -> Iterator[None]:
    """Have processes, and this one, on the last processor until the end of the block."""
    allowed = os.sched_getaffinity(0)
    for pid in (0, *pids):
        os.sched_setaffinity(pid, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def measured(
    kind: Kind, connections: int, requests: int, driver: Driver = drive_in_waves
) -> dict[str, Any]:
    """Drive one gate and return a line of the result."""
    options = ("--edges", str(kind.edges))
    with gate(OWN_EDGE, *options, build=kind.build) as (process, port, orders, *_):
        edges = edge_pids(process.pid)
        each = max(1, requests // connections)
        with other_processor(edges):
            drive(port, [orders.plan(one, each // 10 + 1) for one in range(connections)])
            plans = [orders.plan(one, each) for one in range(connections)]
            core_ns, edges_ns = cpu_ns(process.pid), sum(map(cpu_ns, edges))
            driven = driver(port, plans)
            core_ns = cpu_ns(process.pid) - core_ns
            edges_ns = sum(map(cpu_ns, edges)) - edges_ns
    latencies = sorted(driven.latencies_ns)
    number = len(latencies)
    return {
        "edges": kind.edges,
        "build": kind.build,
        "requests": number,
        "core_us": round(core_ns / number / 1_000, 2),
        "edges_us": round(edges_ns / number / 1_000, 2),
        "requests_per_second": round(number / driven.seconds),
        "us_p50": round(latencies[number // 2] / 1_000, 1),
        "us_p99": round(latencies[number * 99 // 100] / 1_000, 1),
        "accepted_share": round(driven.statuses[200] / number, 5),
    }


def middle(rounds: list[Lines]) -> Lines:
    """Return one line for each kind of gate: the median of each figure."""
    found = []
    for lines in zip(*rounds, strict=True):
        line = dict(lines[0])
        for name in FIGURES:
            line[name] = statistics.median(one[name] for one in lines)
        line["accepted_share"] = min(one["accepted_share"] for one in lines)
        found.append(line)
    return found


def ratios(lines: Lines) -> Lines:
    """Return the core's time for an order against that of a gate without edges."""
    alone = {line["build"]: line["core_us"] for line in lines if not line["edges"]}
    return [
        {
            "edges": line["edges"],
            "build": line["build"],
            "ratio": round(line["core_us"] / alone[line["build"]], 2),
            "target": TARGET,
        }
        for line in lines
        if line["edges"] and line["build"] in alone
    ]


def show(lines: Lines) -> None:
    """Print the lines and the ratios as tables."""
    headings = ("edges", "rules", "core CPU µs", "edges CPU µs", "orders/s", "p50 µs", "p99 µs")
    table = Table(*headings, "accepted")
    for line in lines:
        table.add_row(
            str(line["edges"]),
            line["build"],
            *(f"{line[name]:,.0f}" for name in FIGURES),
            f"{line['accepted_share']:.2%}",
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    compared = Table("edges", "rules", "core against none", "target")
    for one in ratios(lines):
        compared.add_row(str(one["edges"]), one["build"], f"{one['ratio']:.2f}", one["target"])
    console.print(compared)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.edges", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="requests of a row")
    parser.add_argument("--connections", type=int, default=MANY)
    parser.add_argument("--edges", default="0,1,2", help="numbers of edge processes")
    parser.add_argument("--builds", default="auto", help="auto, always, never: which rules run")
    parser.add_argument("--loop", action="store_true", help="each connection for itself, no waves")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print lines and ratios as JSON")
    given = parser.parse_args()
    kinds = [
        Kind(int(number), build)
        for build in given.builds.split(",")
        for number in given.edges.split(",")
    ]
    rounds = []
    for number in range(given.rounds):
        sys.stderr.write(f"bench: round {number + 1} of {given.rounds}\n")
        driver = drive if given.loop else drive_in_waves
        rounds.append([measured(kind, given.connections, given.requests, driver) for kind in kinds])
    lines = middle(rounds)
    if given.json:
        found = {"lines": lines, "ratios": ratios(lines)}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        show(lines)
    return 0 if min(line["accepted_share"] for line in lines) >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
