"""What the commands say: tables, JSON, errors.

Exit codes: 0 good, 1 an invalid run, a failed assertion or audit, 2 bad input or no target; 130
and 143 when SIGINT or SIGTERM ended it.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from loadtest.compare import RUNS_MIN, Comparison
from loadtest.recorder import ALL, PERCENTILES
from loadtest.results import Audit, Latency, Part, Results, Run
from loadtest.samples import OUTCOMES
from loadtest.units import duration_text

EXIT_DIFFERENCE: Final = 1
EXIT_BAD_INPUT: Final = 2
_EXIT_SIGNALLED: Final = 128

_WIDTH_MAX: Final = 300
"""Tables take what their figures need; a narrower terminal breaks lines rather than numbers."""

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str) -> NoReturn:
    """Print a message on standard error and end with exit code 2."""
    errors.print(f"ordergate: {message}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_BAD_INPUT)


def interrupted(signum: int, done: str) -> NoReturn:
    """Say what was done when a signal ended a command, and end with the signal's exit code."""
    errors.print(f"ordergate: interrupted; {done}", markup=False, soft_wrap=True)
    raise typer.Exit(_EXIT_SIGNALLED + signum)


def say_aside(text: str) -> None:
    """Print a line as it is on standard error, beside a document on standard output."""
    errors.print(text, markup=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Write `value` as one indented JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_results(results: Results) -> None:
    """Print everything a run measured."""
    load = results.load
    say(
        f"{load.target}, {load.way}, profile {load.profile.name}, arrivals: {load.arrivals}, "
        f"{load.connections} connections, {load.keys} keys, {', '.join(load.symbols)}"
        + (f", instance {load.instance}" if load.instance else "")
    )
    for part in results.parts:
        _print_part(part)
    for run in results.runs:
        _print_run(run)
    if results.broken_off:
        say(f"BROKEN OFF: {results.broken_off}")
    if results.left_open:
        say(f"LEFT OPEN: open orders could not be cancelled: {results.left_open}")
    if results.steps:
        say(results.knee_text)
    for text, holds, observed in results.assertions:
        say(f"{'holds' if holds else 'FAILS'}: {text} (observed {observed})")
    if results.audit is not None:
        _print_audit(results.audit)


def _print_part(part: Part) -> None:
    share = f"instance {part.instance}" if part.instance else f"seed {part.seed}"
    ahead_ns = -part.target_minus_utc_ns
    say(
        f"  {part.name}: {share}, {part.offered:,} requests, lateness p99 "
        f"{duration_text(part.lateness_p99_ns)}, clock {duration_text(ahead_ns)} ahead of the "
        f"target's, {part.machine.processor or 'unknown processor'}"
    )


def _print_run(run: Run) -> None:
    offered = run.offered / (run.duration_ns / 1e9)
    table = Table(
        title=f"{offered:,.1f}/s offered, {run.throughput:,.1f}/s answered, "
        f"{duration_text(run.duration_ns)} after {duration_text(run.warmup_ns)} of warm-up",
        title_justify="left",
    )
    table.add_column("from the intended time", no_wrap=True)
    for heading in ("count", "mean", *(f"p{name}" for name in PERCENTILES), "max"):
        table.add_column(heading, justify="right")
    for name in (ALL, *OUTCOMES):
        if name == ALL or run.latency[name].count:
            table.add_row(name, *_cells(run.latency[name]))
    table.add_section()
    table.add_row("wait for a connection", *_cells(run.wait))
    table.add_row("tester's lateness", *_cells(run.lateness))
    table.add_row("tester's pauses", *_cells(run.pauses))
    _print_wide(table)
    for label, count in run.outcomes.items():
        say(f"  {count:>10,}  {label}")
    processes = "" if run.processes == 1 else f" in {run.processes} processes"
    say(
        f"  tester: {run.tester_cpu_share:.0%} of a core{processes}, "
        f"{run.reconnects} connections opened again"
    )
    for fault in run.faults:
        say(f"NOT VALID: {fault}")
    if run.faults:
        say(
            "  These figures may be the tester's: give it a core of its own (taskset), lower the "
            "rate, or widen --late-bound."
        )


def _cells(latency: Latency) -> list[str]:
    if not latency.count:
        return ["0", *[""] * (len(PERCENTILES) + 2)]
    percentiles = (duration_text(latency.percentiles_ns[name]) for name in PERCENTILES)
    return [
        f"{latency.count:,}",
        duration_text(latency.mean_ns),
        *percentiles,
        duration_text(latency.max_ns),
    ]


def _print_audit(audit: Audit) -> None:
    say(f"audit: {audit.answers:,} answers with a decision id")
    if audit.records:
        say(f"audit: {audit.records:,} records decided again")
    if audit.counted:
        say(f"audit: of the answers {audit.counted:,} refusals are recorded as counts")
    for text in audit.not_audited:
        say(f"not audited: {text}")
    for text in audit.faults:
        say(f"AUDIT FAILS: {text}")
    if audit.answers and audit.records and not audit.faults and not audit.not_audited:
        say(
            "audit: every other answer is in the record once, and replay is identical"
            if audit.counted
            else "audit: every answer is in the record once, and replay is identical"
        )


def print_comparisons(
    comparisons: Sequence[Comparison],
    runs_a: int,
    runs_b: int,
    differences: Sequence[str],
    *,
    paired: bool,
) -> None:
    """Print what differs between two sides, how sure that is, and what drifted meanwhile."""
    made = f"{runs_a} pairs of runs made in turn" if paired else f"A: {runs_a} runs, B: {runs_b}"
    table = Table(title=made, title_justify="left")
    table.add_column("figure", no_wrap=True)
    drift = ("early", "late", "drift A", "drift B") if paired else ()
    for heading in ("A", "B", "change", "95 % interval", *drift, ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in comparisons:
        show = _rate_text if each.metric == "throughput" else duration_text
        interval = f"needs {RUNS_MIN} runs of each"
        if each.change_low is not None and each.change_high is not None:
            interval = f"{each.change_low:+.1%} to {each.change_high:+.1%}"
        verdict = {True: "differs", False: "may be chance", None: ""}[each.differs]
        drifted = (each.change_early, each.change_late, each.drift_a, each.drift_b)
        shares = map(_share_text, drifted if paired else ())
        change = _share_text(each.change)
        table.add_row(each.metric, show(each.a), show(each.b), change, interval, *shares, verdict)
    _print_wide(table)
    if paired:
        say(
            "early, late: the change in the first and the last half of the pairs; drift: how much "
            "a side itself changed between them"
        )
    else:
        say("The runs were not made in turn: a machine that slowed down shows as a difference.")
    if differences:
        say(f"NOT ALIKE: the loads differ in {', '.join(differences)}")


def _share_text(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}"


def _print_wide(table: Table) -> None:
    needed = Measurement.get(console, console.options.update(max_width=_WIDTH_MAX), table).maximum
    Console(highlight=False, width=max(console.width, needed)).print(table)


def _rate_text(rate: float) -> str:
    return f"{rate:,.1f}/s"
