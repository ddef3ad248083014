"""What a decision costs: `make bench`, or `python -m tests.bench --help`.

Every rule of the rulebook `bench` is enforced, with limits out of reach. Requests are 55 %
placements and 45 % cancels, at several numbers of open orders; a thousand accounts have sent them,
or a tenth as many as there are open orders. A decision is one call of the pipeline: all checks,
the commit, and the rules' own counters, without network, record and engine. Beside it stand the
engine's answer being settled, a refusal in the last stage and one in the first, and, as yardsticks
from outside in the same process, one hit of a fixed window of PyPI's `limits` and one limit order
through nautilus_trader's RiskEngine, which never sees cancels. Figures of different machines or
runs should not be compared; ratios of one run may be. Exits with 1 when fewer than 99 % of the
requests were accepted.
"""

import argparse
import gc
import json
import platform
import statistics
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from rich.console import Console
from rich.table import Table

from gateway.builds import is_compiled
from rules.decisions import ACCEPTED
from rules.events import Place, Request
from tests.bench.assembled_parts import LACKING, RISK_ENGINE
from tests.bench.flow import ACCOUNTS, Flow

ACCEPTED_SHARE_MIN: Final = 0.99
WARM_UP: Final = 2_000
OPEN_OF_AN_ACCOUNT: Final = 10
"""Open orders of an account, where there are so many that more than a thousand accounts have them."""
DECISION: Final = "decision"
PLACEMENT: Final = "decision on a placement"
HIT: Final = "one hit of `limits`, fixed window"
EXECUTE: Final = "nautilus_trader RiskEngine.execute"

Rows = list[dict[str, Any]]


class Decided(NamedTuple):
    """What requests took, in nanoseconds."""

    decided_ns: list[int]
    placed_ns: list[int]
    """The placements among them."""
    settled_ns: list[int]
    """The engine's answers."""
    accepted: int


def row(
    name: str, open_orders: int | None, taken_ns: list[list[int]], **more: Any
) -> dict[str, Any]:
    """Return one line of the result: median of the rounds' means, and percentiles of all."""
    every = sorted(one for taken in taken_ns for one in taken)
    means = [statistics.fmean(taken) for taken in taken_ns]
    return {
        "what": name,
        "open_orders": open_orders,
        "us_mean": round(statistics.median(means) / 1_000, 3),
        "us_p50": round(every[len(every) // 2] / 1_000, 3),
        "us_p99": round(every[len(every) * 99 // 100] / 1_000, 3),
        "calls": len(every),
        **more,
    }


def timed(act: Callable[..., Any], *arguments: Any) -> tuple[Any, int]:
    """Return what `act` returned, and how long it took in nanoseconds."""
    started_ns = perf_counter_ns()
    result = act(*arguments)
    return result, perf_counter_ns() - started_ns


def decisions(flow: Flow, requests: int) -> Decided:
    """Decide and settle requests; return the times of both, and how many were accepted."""
    decided_ns, placed_ns, settled_ns, accepted = [], [], [], 0
    apply = flow.pipeline.apply
    for _ in range(requests):
        request = flow.next_request()
        flow.advance()
        decision, taken_ns = timed(apply, request, flow.now_ns)
        decided_ns.append(taken_ns)
        if isinstance(request, Place):
            placed_ns.append(taken_ns)
        accepted += decision.verdict == ACCEPTED
        result = flow.settle(request, decision)
        if result is not None:
            flow.advance()
            settled_ns.append(timed(apply, result, flow.now_ns)[1])
    return Decided(decided_ns, placed_ns, settled_ns, accepted)


def refusals(flow: Flow, make: Callable[[], Request], requests: int) -> list[int]:
    """Decide requests that are refused; return the times."""
    found = []
    for _ in range(requests):
        request = make()
        flow.advance()
        decision, taken_ns = timed(flow.pipeline.apply, request, flow.now_ns)
        assert decision.verdict != ACCEPTED, "a request that must be refused was accepted"
        found.append(taken_ns)
    return found


def window_hits(hits: int) -> list[int]:
    """Hit a fixed window of PyPI's `limits` that is never full; return the times."""
    limiter = FixedWindowRateLimiter(MemoryStorage())
    limit = parse("1000000000/minute")
    return [timed(limiter.hit, limit, "one subject")[1] for _ in range(hits)]


def executions(orders: int, rounds: int) -> tuple[list[list[int]], int]:
    """Let a RiskEngine decide limit orders; return the times of that alone, and how many passed."""
    from tests.bench.risk_engine import AccountRisk

    engine, found, passed = AccountRisk(1), [], 0
    execute = engine.execute
    for number in range(rounds):
        taken_ns = []
        for one in range(orders):
            side = "SELL" if one & 1 else "BUY"
            command = engine.command(side, "0.001", "65000.00", f"bench-{number}-{one}")
            taken_ns.append(timed(execute, command)[1])
            passed += engine.outcome(command) is None
        found.append(taken_ns)
    return found, passed


def rows_of(size: int, requests: int, rounds: int, seed: int) -> Rows:
    """Return the rows of a pipeline with that many open orders."""
    sys.stderr.write(f"bench: opening {size:,} orders\n")
    accounts = max(ACCOUNTS, size // OPEN_OF_AN_ACCOUNT)
    flow = Flow(size, seed, accounts)
    decisions(flow, WARM_UP)
    gc.collect()
    gc.freeze()
    found, late, early = [], [], []
    for _ in range(rounds):
        found.append(decisions(flow, requests))
        late.append(refusals(flow, flow.off_tick, requests // 10))
        early.append(refusals(flow, flow.unsigned, requests // 10))
    share = sum(one.accepted for one in found) / (requests * rounds)
    decided = [one.decided_ns for one in found]
    rows = [
        row(DECISION, flow.open_orders, decided, accepted_share=round(share, 5)),
        row(PLACEMENT, flow.open_orders, [one.placed_ns for one in found]),
        row("engine's answer settled", flow.open_orders, [one.settled_ns for one in found]),
        row("refusal, last stage", flow.open_orders, late),
        row("refusal, first stage", flow.open_orders, early),
    ]
    gc.unfreeze()
    return [one | {"accounts": accounts} for one in rows]


def measure(sizes: list[int], requests: int, rounds: int, seed: int) -> Rows:
    """Return every row of the result."""
    rows = []
    for size in sizes:
        rows += rows_of(size, requests, rounds, seed)
    gc.collect()
    if RISK_ENGINE not in LACKING:
        executed, passed = executions(requests, rounds)
        share = round(passed / (requests * rounds), 5)
        rows.append(row(EXECUTE, None, executed, accepted_share=share))
    hits = [window_hits(requests) for _ in range(rounds)]
    return [*rows, row(HIT, None, hits)]


def ratios(rows: Rows) -> Rows:
    """Return what a decision costs against the yardsticks, and with most orders against fewest."""
    decided = sorted((one for one in rows if one["what"] == DECISION), key=_open_orders)
    placed = min((one for one in rows if one["what"] == PLACEMENT), key=_open_orders)
    yardsticks = {one["what"]: one for one in rows if one["open_orders"] is None}
    few, many = decided[0], decided[-1]
    hits = "below 1" if is_compiled() else "below 4; stretch 2"
    compared = [(few, yardsticks[HIT], hits)]
    if EXECUTE in yardsticks:
        compared += [
            (few, yardsticks[EXECUTE], "compiled: stretch 0.25"),
            (placed, yardsticks[EXECUTE], ""),
        ]
    if many is not few:
        compared.append((many, few, "at most 1.3; stretch 1.1"))
    return [
        {
            "what": f"{_title(one)} against {_title(other)}",
            "ratio_mean": round(one["us_mean"] / other["us_mean"], 2),
            "ratio_p50": round(one["us_p50"] / other["us_p50"], 2),
            "target": target,
        }
        for one, other, target in compared
    ]


def _open_orders(one: dict[str, Any]) -> int:
    return int(one["open_orders"])


def _title(one: dict[str, Any]) -> str:
    number = one["open_orders"]
    return str(one["what"]) + ("" if number is None else f", {number:,} open orders,")


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows and the ratios as tables."""
    table = Table(title=f"µs, Python {platform.python_version()}", title_justify="left")
    for heading in ("what", "open orders", "accounts", "mean", "p50", "p99", "calls", "accepted"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for one in rows:
        share = one.get("accepted_share")
        table.add_row(
            one["what"],
            f"{one['open_orders']:,}" if one["open_orders"] is not None else "",
            f"{one['accounts']:,}" if "accounts" in one else "",
            f"{one['us_mean']:.2f}",
            f"{one['us_p50']:.2f}",
            f"{one['us_p99']:.2f}",
            f"{one['calls']:,}",
            f"{share:.2%}" if share is not None else "",
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    compared = Table("against", "ratio of means", "of p50s", "target")
    for one in ratios(rows):
        figures = (f"{one['ratio_mean']:.2f}", f"{one['ratio_p50']:.2f}")
        compared.add_row(one["what"], *figures, one["target"])
    console.print(compared)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", default="1000,1000000", help="numbers of open orders")
    parser.add_argument("--requests", type=int, default=20_000, help="requests a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    if RISK_ENGINE in LACKING:
        sys.stderr.write(
            f"bench: no row of {EXECUTE}: {RISK_ENGINE} is not installed "
            "(pip install -e '.[bench]')\n"
        )
    rows = measure(sizes, given.requests, given.rounds, given.seed)
    if given.json:
        found = {"rows": rows, "ratios": ratios(rows)}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show(rows)
    shares = [one["accepted_share"] for one in rows if "accepted_share" in one]
    return 0 if min(shares) >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
