"""What conduct rules add to a decision: `make bench`, or `python -m tests.bench.conduct --help`.

Two pipelines get the same requests of a hundred thousand owners, each with an account of his own:
one with every rule of the rulebook `bench`, one in which the conduct rules are off. Rounds take
turns, so that both see the same machine. A decision is one call of the pipeline; the engine's
answer is settled in another, and most of what conduct rules do they do there. Exits with 1 when
fewer than 99 % of the requests were accepted.
"""

import argparse
import gc
import json
import platform
import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from rules.registry import RULES
from tests.bench.__main__ import ACCEPTED_SHARE_MIN, WARM_UP, decisions, row
from tests.bench.flow import Flow

OWNERS: Final = 100_000
OPEN_ORDERS: Final = 100_000
ON, OFF = "conduct rules on", "conduct rules off"


def conduct_rules() -> tuple[str, ...]:
    """Return the names of all conduct rules."""
    return tuple(kind.name for kind in RULES if kind.__module__.startswith("rules.conduct."))


def measure(
    owners: int, open_orders: int, requests: int, rounds: int, seed: int
) -> list[dict[str, Any]]:
    """Return a row for decisions and settled answers each, with conduct rules on and off.

    The last row is what they add to an order in all: to its decision and to its engine's answer.
    """
    off = {"rules": {name: {"mode": "off"} for name in conduct_rules()}}
    flows = {}
    for name, changes in ((ON, {}), (OFF, off)):
        sys.stderr.write(f"bench: opening {owners:,} accounts, {name}\n")
        flows[name] = Flow(open_orders, seed, owners, changes)
        decisions(flows[name], WARM_UP)
    gc.collect()
    gc.freeze()
    decided: dict[str, list[list[int]]] = {name: [] for name in flows}
    settled: dict[str, list[list[int]]] = {name: [] for name in flows}
    accepted = dict.fromkeys(flows, 0)
    for _ in range(rounds):
        for name, flow in flows.items():
            taken = decisions(flow, requests)
            decided[name].append(taken.decided_ns)
            settled[name].append(taken.settled_ns)
            accepted[name] += taken.accepted
    gc.unfreeze()
    rows = []
    for name, flow in flows.items():
        share = round(accepted[name] / (requests * rounds), 5)
        rows += [
            row(f"decision, {name}", flow.open_orders, decided[name], accepted_share=share),
            row(f"engine's answer settled, {name}", flow.open_orders, settled[name]),
        ]
    added_us = {
        unit: round(rows[0][unit] + rows[1][unit] - rows[2][unit] - rows[3][unit], 3)
        for unit in ("us_mean", "us_p50")
    }
    return [*rows, {"what": "added by conduct rules to an order", **added_us}]


def show(rows: list[dict[str, Any]], owners: int) -> None:
    """Print the rows as a table."""
    title = f"µs, {owners:,} owners, {len(conduct_rules())} conduct rules, "
    table = Table(title=title + f"Python {platform.python_version()}", title_justify="left")
    for heading in ("what", "open orders", "mean", "p50", "p99", "calls", "accepted"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for one in rows:
        whole = "calls" in one
        table.add_row(
            one["what"],
            f"{one['open_orders']:,}" if whole else "",
            f"{one['us_mean']:.2f}",
            f"{one['us_p50']:.2f}",
            f"{one['us_p99']:.2f}" if whole else "",
            f"{one['calls']:,}" if whole else "",
            f"{one['accepted_share']:.2%}" if "accepted_share" in one else "",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.conduct", description=__doc__)
    parser.add_argument("--owners", type=int, default=OWNERS)
    parser.add_argument("--open-orders", type=int, default=OPEN_ORDERS)
    parser.add_argument("--requests", type=int, default=20_000, help="requests a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    given = parser.parse_args()
    rows = measure(given.owners, given.open_orders, given.requests, given.rounds, given.seed)
    if given.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        show(rows, given.owners)
    shares = [one["accepted_share"] for one in rows if "accepted_share" in one]
    return 0 if min(shares) >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
