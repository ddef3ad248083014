"""`ordergate replay`: decide a recorded run again, with its own rulebook or with another."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from gateway.commands.common import EXIT_DIFFERENCE, console, errors, fail, print_json
from gateway.commands.progress import records_progress
from gateway.journal import JournalError, find_run
from gateway.journal.reader import last_seq
from gateway.replay import ReplayReport, WhatIfReport, replay, what_if
from gateway.rulebooks import load_rulebook
from rules.rulebook import RulebookError


def register(app: typer.Typer) -> None:
    """Add `replay` to the application."""
    app.command(name="replay")(replay_command)


def replay_command(
    directory: Annotated[
        Path, typer.Argument(help="A run's directory, or a data directory: its latest run.")
    ],
    rulebook: Annotated[
        str,
        typer.Option(
            "--rulebook",
            help="What if: decide with this rulebook (a name or a TOML file), state following "
            "the recorded course.",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decide a recorded run again: exit 0 when every decision is the same, 1 at a difference.

    With --rulebook, report which decisions another rulebook would have made otherwise.
    """
    try:
        run = find_run(directory)
        other = load_rulebook(rulebook) if rulebook else None
        with records_progress("replaying", last_seq(run.path), quiet=as_json) as progress:
            report = replay(run, progress) if other is None else what_if(run, other, progress)
    except RulebookError as error:
        fail(*error.errors)
    except JournalError as error:
        fail(str(error))
    if as_json:
        print_json(report)
    elif isinstance(report, ReplayReport):
        _print_replay(report)
    else:
        _print_what_if(report)
    if isinstance(report, ReplayReport) and report.difference is not None:
        raise typer.Exit(EXIT_DIFFERENCE)


def _print_replay(report: ReplayReport) -> None:
    if not report.same_code:
        errors.print("the run was written by other code than this", markup=False, soft_wrap=True)
    console.print(
        f"run {report.run}, rulebook {report.rulebook} revision {report.revision}",
        markup=False,
        soft_wrap=True,
    )
    difference = report.difference
    if difference is None:
        console.print(
            f"{report.records} records decided again, {report.requests} of them requests: "
            "every decision is the same",
            markup=False,
            soft_wrap=True,
        )
        return
    console.print(
        f"first difference at record {difference.seq}, {difference.time}, "
        f"{difference.record['event']}",
        markup=False,
        soft_wrap=True,
    )
    table = Table("field", "recorded", "now")
    recorded = difference.record["decision"]
    for field, now in difference.replayed.items():
        if recorded[field] != now:
            table.add_row(Text(field), _text(recorded[field]), _text(now))
    console.print(table)


def _print_what_if(report: WhatIfReport) -> None:
    console.print(
        f"run {report.run}: {report.recorded_rulebook} ({report.recorded_revision}) as recorded, "
        f"{report.rulebook} ({report.revision}) now",
        markup=False,
        soft_wrap=True,
    )
    console.print(
        "first order: state follows the recorded course, only the verdict is made again",
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"{report.requests} requests; refused {report.recorded_refused} then, "
        f"{report.refused_now} now\n"
        f"{report.changed} changed: {report.newly_refused} newly refused, "
        f"{report.newly_accepted} newly accepted, {report.refused_otherwise} refused for another "
        f"reason, {report.other} otherwise",
        markup=False,
        soft_wrap=True,
    )
    if report.rules:
        table = Table("rule", "refuses now", "refused before", "shadows now", "shadowed before")
        for name, change in report.rules.items():
            row = (
                change.refuses_now,
                change.refused_before,
                change.shadows_now,
                change.shadowed_before,
            )
            table.add_row(name, *map(str, row))
        console.print(table)
    for title, counts in (("account", report.accounts), ("symbol", report.symbols)):
        if counts:
            table = Table(title, "changed")
            for name, count in list(counts.items())[:20]:
                table.add_row(Text(name), str(count))
            console.print(table)
    if report.examples:
        table = Table("record", "what", "account", "symbol", "order", "then", "now")
        for example in report.examples:
            table.add_row(
                str(example.seq),
                example.what,
                Text(example.account or ""),
                Text(example.symbol or ""),
                Text(example.event),
                Text(f"{example.recorded} {example.recorded_because}"),
                Text(f"{example.now} {example.now_because}"),
            )
        console.print(table)


def _text(value: Any) -> Text:
    return Text(value if isinstance(value, str) else msgspec.json.encode(value).decode())
