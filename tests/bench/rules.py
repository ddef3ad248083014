"""What each rule takes of a decision: `python -m tests.bench.rules --help`.

Every check and every `apply` of a pipeline with the rulebook `bench` is timed while the requests
of the bench go through it. A figure is the median of the calls, with what the timing itself takes
taken off, so it has its share of cold caches and none of the scheduler's pauses. A profiler would
charge each call inside a rule with its own work, and show rules of many small calls too dear.
"""

import argparse
import gc
import statistics
import sys
from time import perf_counter_ns
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from rules.answers import ALL_REPORTED
from rules.events import Cancel, CommandResult, Event, Place
from rules.pipeline import Pipeline
from rules.rule import Rule
from tests.bench.flow import Flow

KINDS: Final[tuple[type[Event], ...]] = (Place, Cancel, CommandResult)
WARM_UP: Final = 2_000
CALIBRATION: Final = 20_000


class Times:
    """What the calls of one method of a rule took, for one type of event."""

    __slots__ = ("taken_ns",)

    def __init__(self) -> None:
        self.taken_ns: list[int] = []

    @property
    def median_ns(self) -> int:
        """What a call takes, 0 before the first."""
        return int(statistics.median(self.taken_ns)) if self.taken_ns else 0


class Timed(Rule):
    """A rule in the place of another one, which it asks and tells and times."""

    def __init__(self, rule: Rule, checks: Times, applies: Times) -> None:
        self._rule, self._checks, self._applies = rule, checks, applies

    def check(self, event: Any, book: Any, now_ns: int) -> Any:
        """Return what the rule says, and add the time it took."""
        check = self._rule.check
        started_ns = perf_counter_ns()
        verdict = check(event, book, now_ns)
        self._checks.taken_ns.append(perf_counter_ns() - started_ns)
        return verdict

    def apply(self, event: Any, decision: Any, book: Any, now_ns: int) -> None:
        """Do what the rule does, and add the time it took."""
        apply = self._rule.apply
        started_ns = perf_counter_ns()
        apply(event, decision, book, now_ns)
        self._applies.taken_ns.append(perf_counter_ns() - started_ns)


def overhead_ns(book: Any) -> int:
    """Return what timing one call takes."""
    times = Times()
    timed = Timed(Rule.__new__(Rule), times, Times())
    for _ in range(CALIBRATION):
        timed.check(None, book, 0)
    return times.median_ns


def watch(pipeline: Pipeline) -> dict[tuple[str, str, str], Times]:
    """Time every rule's methods from now on; the key is rule, method and type of event."""
    found: dict[tuple[str, str, str], Times] = {}

    def timed(rules: tuple[Rule, ...], kind: type[Event]) -> tuple[Rule, ...]:
        return tuple(
            Timed(
                rule,
                found.setdefault((rule.name, "check", kind.__name__), Times()),
                found.setdefault((rule.name, "apply", kind.__name__), Times()),
            )
            for rule in rules
        )

    for kind in KINDS:
        plan = pipeline.plan_of(kind)
        plan.access, plan.gates = timed(plan.access, kind), timed(plan.gates, kind)
        plan.limits, plan.limits_priced = timed(plan.limits, kind), timed(plan.limits_priced, kind)
        plan.applies = timed(plan.applies, kind)
        plan.applies_refused = timed(plan.applies_refused, kind)
        if kind is CommandResult:
            for reported in range(ALL_REPORTED + 1):
                plan.results[reported] = timed(plan.told(reported), kind)
    return found


def measure(size: int, accounts: int, requests: int, seed: int) -> list[dict[str, Any]]:
    """Return a row for each rule, the dearest first, in nanoseconds a call."""
    flow = Flow(size, seed, accounts)
    for _ in range(WARM_UP):
        request = flow.next_request()
        result = flow.settle(request, flow.apply(request))
        if result is not None:
            flow.apply(result)
    gc.collect()
    gc.freeze()
    watched = watch(flow.pipeline)
    for _ in range(requests):
        request = flow.next_request()
        result = flow.settle(request, flow.apply(request))
        if result is not None:
            flow.apply(result)
    gc.unfreeze()
    taken_off = overhead_ns(flow.pipeline.book)
    rows: dict[str, dict[str, Any]] = {}
    for (rule, method, kind), timed in watched.items():
        if not timed.taken_ns:
            continue
        row = rows.setdefault(rule, {"rule": rule, "total": 0})
        each = max(timed.median_ns - taken_off, 0)
        row[f"{kind} {method}"] = each
        row["total"] += each * len(timed.taken_ns) // requests
    return sorted(rows.values(), key=lambda row: -int(row["total"]))


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    columns = [f"{kind.__name__} {method}" for kind in KINDS for method in ("check", "apply")]
    columns.remove("CommandResult check")
    table = Table(title="ns a call; total: ns an order or cancel", title_justify="left")
    table.add_column("rule")
    for heading in (*columns, "total"):
        table.add_column(heading, justify="right")
    for row in rows:
        cells = [f"{row[column]:,}" if column in row else "" for column in columns]
        table.add_row(row["rule"], *cells, f"{row['total']:,}")
    sums = [f"{sum(row.get(column, 0) for row in rows):,}" for column in (*columns, "total")]
    table.add_row("together", *sums)
    Console(width=120).print(table)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rules", description=__doc__)
    parser.add_argument("--size", type=int, default=1_000, help="number of open orders")
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    show(measure(given.size, given.accounts, given.requests, given.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
