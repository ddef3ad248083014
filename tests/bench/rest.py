"""What a REST request costs: `python -m tests.bench.rest --help`.

A gate with the rulebook `bench` runs on one processor, a bare client on another, so a row shows
the whole path of a request in one process: socket, HTTP, signature, all rules, record (`process`),
matching, answer. Orders are signed, 55 % placements and 45 % cancels; refusals and pings, which are
decided and recorded too, are rows of their own. Beside the gate, over the same requests and in the
same run, stand nginx returning a fixed body (the floor), nginx with Lua verifying an HMAC, counting
one window and passing on, and a stack assembled from aiohttp, `limits`, nautilus_trader's
RiskEngine, lightmatchingengine and a log of JSON lines. What is not installed is said and left out.
A baseline whose ratio to nginx is far from what it was elsewhere is named. Last comes the budget of
an order, stage by stage, from a gate that traces it. Servers take turns, so that a drift of the
machine meets all; figures of different machines or runs should not be compared, ratios of one run
may be. Exits with 1 when fewer than 99 % of the orders were accepted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import Any, Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.admin.client import AdminClient
from gateway.commands.stages import stages_table
from gateway.stages import StagesAnswer
from tests.bench.assembled_parts import LACKING
from tests.bench.rest_client import drive
from tests.bench.rest_servers import (
    ASSEMBLED,
    GATE,
    GATE_AIOHTTP,
    GATE_INTERPRETED,
    GATE_SPINNING,
    NGINX,
    NGINX_LUA,
    OWN_EDGE,
    WHOLE_ASSEMBLED,
    Server,
    gate,
    servers,
)

ACCEPTED_SHARE_MIN: Final = 0.99
MANY: Final = 64
PING: Final = b"GET /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n"
ORDER: Final = "order"
REFUSAL: Final = "refusal"
FIGURES: Final = ("cpu_us", "requests_per_second", "us_p50", "us_p99", "accepted_share")
ELSEWHERE: Final = {
    NGINX: {"cpu_us": 8.3, "us_p50": 79.0},
    NGINX_LUA: {"cpu_us": 28.0, "us_p50": 158.0},
    WHOLE_ASSEMBLED: {"cpu_us": 202.0, "us_p50": 337.0},
}
"""What the baselines took on a quiet machine of another kind; docs/performance.md has them too."""
HELD: Final = (("cpu_us", MANY, "processor time"), ("us_p50", 1, "p50"))
"""Which figures, at how many connections, are held against those."""
WITHIN: Final = 0.3

Lines = list[dict[str, Any]]


class Ratio(NamedTuple):
    """One figure of the gate against that of a baseline."""

    what: str
    figure: str
    connections: int
    server: str
    baseline: str
    inverse: bool
    """Whether it is the baseline's figure by the gate's: how many times faster the gate is."""
    target: str


RATIOS: Final = (
    Ratio("orders a core", "cpu_us", MANY, GATE, ASSEMBLED, True, "at least 5; stretch 8"),
    Ratio("orders a core", "cpu_us", MANY, GATE, NGINX_LUA, True, "at least 1.0; stretch 1.5"),
    Ratio("orders a core", "cpu_us", MANY, GATE, GATE_AIOHTTP, True, ""),
    Ratio("orders a core", "cpu_us", MANY, GATE, GATE_INTERPRETED, True, ""),
    Ratio("p50 alone", "us_p50", 1, GATE, NGINX, False, "at most 1.8; stretch 1.45"),
    Ratio("p50 alone", "us_p50", 1, GATE_SPINNING, NGINX, False, "below 1.0"),
    Ratio("p50 alone", "us_p50", 1, GATE, GATE_AIOHTTP, False, ""),
)


def cpu_ns(pid: int) -> int:
    """Return the processor time all threads of a process have had, ended ones too."""
    # What clock_getcpuclockid of the C library returns for a process on Linux.
    return time.clock_gettime_ns((~pid << 3) | 2)


def row(
    server: str,
    what: str,
    process: "subprocess.Popen[str]",
    port: int,
    plans: list[list[bytes]],
) -> dict[str, Any]:
    """Drive one server and return a line of the result."""
    before_ns = cpu_ns(process.pid)
    driven = drive(port, plans)
    used_ns = cpu_ns(process.pid) - before_ns
    requests = len(driven.latencies_ns)
    latencies = sorted(driven.latencies_ns)
    return {
        "server": server,
        "what": what,
        "connections": len(plans),
        "requests": requests,
        "cpu_us": round(used_ns / requests / 1_000, 2),
        "requests_per_second": round(requests / driven.seconds),
        "us_p50": round(latencies[requests // 2] / 1_000, 1),
        "us_p99": round(latencies[requests * 99 // 100] / 1_000, 1),
        "accepted_share": round(driven.statuses[200] / requests, 5),
    }


def rows_of(server: Server, connections: list[int], requests: int) -> Lines:
    """Return the lines of one server, each after a warm-up."""
    found = []
    with server.start() as (process, port, orders, *_):
        for number in connections:
            each = max(1, requests // number)
            everyone = range(number)
            drive(port, [orders.plan(one, each // 10 + 1) for one in everyone])
            plans = [orders.plan(one, each) for one in everyone]
            found.append(row(server.name, ORDER, process, port, plans))
            if server.whole:
                few = each // 4 + 1
                plans = [orders.off_tick(one, few) for one in everyone]
                found.append(row(server.name, REFUSAL, process, port, plans))
                found.append(row(server.name, "ping", process, port, [[PING] * few] * number))
    return found


def middle(rounds: list[Lines]) -> Lines:
    """Return one line for each kind of the rounds' lines: the median of each figure."""
    found = []
    for lines in zip(*rounds, strict=True):
        line = dict(lines[0])
        for name in FIGURES:
            line[name] = statistics.median(one[name] for one in lines)
        found.append(line)
    return found


def measure(connections: list[int], requests: int, rounds: int, measured: list[Server]) -> Lines:
    """Return every line; servers take turns, so that a drift of the machine meets all."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    found = []
    try:
        for number in range(rounds):
            sys.stderr.write(f"bench: round {number + 1} of {rounds}\n")
            lines: Lines = []
            for server in measured:
                lines += rows_of(server, connections, requests)
            found.append(lines)
    finally:
        os.sched_setaffinity(0, allowed)
    return middle(found)


def ratios(lines: Lines) -> Lines:
    """Return the gate's figures against those of the baselines that were measured."""
    orders = {(line["server"], line["connections"]): line for line in lines if _is_order(line)}
    found = []
    for one in RATIOS:
        ours = orders.get((one.server, one.connections))
        theirs = orders.get((one.baseline, one.connections))
        if ours is None or theirs is None:
            continue
        value = ours[one.figure] / theirs[one.figure]
        found.append(
            {
                "what": f"{one.what}: {one.server} against {one.baseline}",
                "ratio": round(1 / value if one.inverse else value, 2),
                "target": one.target,
            }
        )
    return found


def doubts(lines: Lines) -> list[str]:
    """Return which baselines are not to nginx what they were elsewhere."""
    orders = {(line["server"], line["connections"]): line for line in lines if _is_order(line)}
    found = []
    for figure, connections, title in HELD:
        floor = orders.get((NGINX, connections))
        for name, elsewhere in ELSEWHERE.items():
            line = orders.get((name, connections))
            if line is None or line is floor:
                continue
            where = f"{title} of {name}, connections: {connections}"
            if floor is None:
                found.append(f"{where}: nothing to hold it against, since {NGINX} has no row")
                continue
            ratio = line[figure] / floor[figure]
            expected = elsewhere[figure] / ELSEWHERE[NGINX][figure]
            if abs(ratio / expected - 1) > WITHIN:
                found.append(
                    f"{where}: {ratio:.1f} times that of {NGINX}, {expected:.1f} were measured "
                    "elsewhere: the machine is another one or busy, or its baselines are others"
                )
    return found


def stages(connections: int, requests: int) -> StagesAnswer:
    """Return where the time of orders goes, from a gate that measures it."""
    with gate(OWN_EDGE, "--trace-stages") as (_, port, orders, data, _):
        each = max(1, requests // connections)
        drive(port, [orders.plan(one, each) for one in range(connections)])
        url = (data / "admin.url").read_text(encoding="ascii").strip()
        token = (data / "admin.token").read_text(encoding="ascii").strip()
        return AdminClient(url, token).get("/admin/v1/stages", StagesAnswer)


def _is_order(line: dict[str, Any]) -> bool:
    return bool(line["what"] == ORDER)


def show(lines: Lines, budgets: dict[int, StagesAnswer]) -> None:
    """Print the lines, the ratios and the stages as tables."""
    table = Table()
    headings = ("server", "what", "connections", "CPU µs", "requests/s", "p50 µs", "p99 µs")
    for heading in (*headings, "accepted"):
        table.add_column(heading, justify="left" if heading in headings[:2] else "right")
    for line in lines:
        table.add_row(
            line["server"],
            line["what"],
            f"{line['connections']}",
            # A server that spins uses all there is, whatever it has to do.
            "all" if line["server"] == GATE_SPINNING else f"{line['cpu_us']:.1f}",
            f"{line['requests_per_second']:,.0f}",
            f"{line['us_p50']:.0f}",
            f"{line['us_p99']:.0f}",
            f"{line['accepted_share']:.2%}",
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    compared = Table("against", "ratio", "target")
    for one in ratios(lines):
        compared.add_row(one["what"], f"{one['ratio']:.2f}", one["target"])
    console.print(compared)
    for connections, answer in budgets.items():
        console.print(f"where the time of an order goes, connections: {connections}")
        console.print(stages_table(answer))


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rest", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="requests of a row")
    parser.add_argument("--connections", default=f"1,{MANY}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print lines and ratios as JSON")
    given = parser.parse_args()
    measured = []
    for server in servers():
        if server.missing:
            sys.stderr.write(f"bench: no row of {server.name}: {server.missing}\n")
        else:
            measured.append(server)
    if LACKING:
        sys.stderr.write(
            f"bench: {ASSEMBLED}: sketches take the place of what is not installed; its ratios "
            "don't count (pip install -e '.[bench]' brings it)\n"
        )
    connections = [int(number) for number in given.connections.split(",")]
    lines = measure(connections, given.requests, given.rounds, measured)
    budgets = {number: stages(number, given.requests) for number in connections}
    if given.json:
        found = {
            "lines": lines,
            "ratios": ratios(lines),
            "doubts": doubts(lines),
            "stages": budgets,
        }
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        show(lines, budgets)
    for doubt in doubts(lines):
        sys.stderr.write(f"bench: {doubt}\n")
    accepted = min(line["accepted_share"] for line in lines if _is_order(line))
    return 0 if accepted >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
