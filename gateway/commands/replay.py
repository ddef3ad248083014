"""`ordergate replay`: decide recorded runs again, with their own rulebook or with another."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from gateway.commands.common import (
    EXIT_DIFFERENCE,
    cell,
    console,
    counted,
    errors,
    fail,
    print_json,
)
from gateway.commands.log_recording import ActorOption, record_read
from gateway.commands.progress import reading_progress
from gateway.journal import JournalError, Run
from gateway.logview.sources import Source, runs_within, source_of
from gateway.replay import Difference, ReplayReport, replay
from gateway.rulebooks import load_rulebook
from gateway.what_if import WhatIfReport, what_if
from rules.pipeline import StateError
from rules.rulebook import Rulebook, RulebookError

_SHOWN = 20
"""Accounts and symbols in the tables for people."""


def register(app: typer.Typer) -> None:
    """Add `replay` to the application."""
    app.command(name="replay")(replay_command)


def replay_command(
    context: typer.Context,
    directory: Annotated[
        list[Path],
        typer.Argument(help="Runs' directories, or data directories: the latest run of each."),
    ],
    rulebook: Annotated[
        str,
        typer.Option(
            "--rulebook",
            help="What if: decide with this rulebook (a name or a TOML file), state following "
            "the recorded course.",
        ),
    ] = "",
    all_runs: Annotated[
        bool, typer.Option("--all", help="All runs of a data directory, not only the latest.")
    ] = False,
    actor: ActorOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decide recorded runs again: exit 0 when every decision is the same, 1 at a difference.

    Of a damaged run what is before the damage is decided again, runs that can't be read are named, and the exit code is 1. With --rulebook, report which decisions another rulebook would have made otherwise.
    """
    try:
        other = load_rulebook(rulebook) if rulebook else None
        sources = [_source(path, all_runs) for path in directory]
        for source in sources:
            record_read(context, source, actor)
        if other is not None:
            _what_if(sources, other, as_json)
        else:
            _replay(sources, as_json)
    except RulebookError as error:
        fail(*error.errors)
    except (JournalError, StateError) as error:
        fail(str(error))


def _source(path: Path, all_runs: bool) -> Source:
    source = source_of(path)
    return source if all_runs else source.narrowed(source.runs[-1])


def _kept(source: Source) -> list[Run]:
    """Return the runs of which something was kept; says what was passed over or deleted."""
    found = list(runs_within(source, 0, 0))
    for text in (*source.passed_over, *source.deleted):
        errors.print(text, markup=False, soft_wrap=True)
    if not found:
        fail(*source.problems, f"{source.data}: nothing of what was asked for is left")
    return found


def _replay(sources: list[Source], as_json: bool) -> None:
    reports, problems = [], []
    for source in sources:
        for run in _kept(source):
            expected = source.narrowed(run).records_expected()
            what = f"replaying {run.manifest.run_id}"
            try:
                with reading_progress(what, expected, quiet=as_json) as progress:
                    reports.append(replay(run, progress))
            except RulebookError as error:
                problems += error.errors
            except (JournalError, StateError) as error:
                problems.append(f"run {run.manifest.run_id} can't be replayed: {error}")
        problems += source.problems
    if not reports:
        fail(*problems)
    if as_json:
        print_json(reports if len(reports) > 1 else reports[0])
    else:
        for report in reports:
            _print_replay(report)
    _incomplete(problems + [report.problem for report in reports if report.problem])
    if any(report.difference is not None for report in reports):
        raise typer.Exit(EXIT_DIFFERENCE)


def _incomplete(problems: list[str]) -> None:
    """Say what could not be read, and end with exit code 1 when there is such."""
    for problem in problems:
        errors.print(f"ordergate: incomplete: {problem}", markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(EXIT_DIFFERENCE)


def _what_if(sources: list[Source], rulebook: Rulebook, as_json: bool) -> None:
    runs = [run for source in sources for run in _kept(source)]
    expected = sum(source.records_expected() for source in sources)
    with reading_progress("replaying", expected, quiet=as_json) as progress:
        report = what_if(runs, rulebook, progress)
    if report.problems and not report.records:
        fail(*report.problems)
    if as_json:
        print_json(report)
    else:
        _print_what_if(report)
    _incomplete(report.problems + [text for source in sources for text in source.problems])


def _print_replay(report: ReplayReport) -> None:
    if not report.same_code:
        errors.print("the run was written by other code than this", markup=False, soft_wrap=True)
    start = ""
    if report.snapshot_seq:
        start = f", from the state after record {report.snapshot_seq}"
    _line(f"run {report.run}, rulebook {report.rulebook} revision {report.revision}{start}")
    if report.difference is None:
        _line(
            f"{counted(report.records, 'record')} decided again, {report.requests} of them "
            "requests: every decision is the same"
        )
    else:
        _print_difference(report.difference)


def _print_difference(difference: Difference) -> None:
    record, now = difference.record, difference.replayed
    _line(f"first difference at record {difference.seq}, {difference.time}, {record['event']}")
    table = Table("", "recorded", "now")
    table.add_row("verdict", _text(record["decision"]["verdict"]), _text(now["verdict"]))
    for index in range(max(len(record["decision"]["breaches"]), len(now["breaches"]))):
        table.add_row(
            "refused for",
            _text(_breach(record["decision"]["breaches"], index)),
            _text(_breach(now["breaches"], index)),
        )
    table.add_section()
    for place, recorded, replayed in difference.differs:
        table.add_row(cell(place), _text(recorded), _text(replayed))
    console.print(table)


def _breach(breaches: list[dict[str, Any]], index: int) -> str:
    if index >= len(breaches):
        return ""
    breach = breaches[index]
    told = f"{breach['rule']}: {breach['reason']}"
    return f"{told}, limit {breach['limit']}, observed {breach['observed']}"


def _print_what_if(report: WhatIfReport) -> None:
    _line(
        f"{', '.join(report.runs)}: {', '.join(report.recorded_rulebooks)} as recorded, "
        f"{report.rulebook} ({report.revision}) now"
    )
    _line("first order: state follows the recorded course, only the verdict is made again")
    _line(
        f"{counted(report.requests, 'request')}; refused {report.recorded_refused} then, "
        f"{report.refused_now} now\n"
        f"{report.changed} changed: {report.newly_refused} newly refused, "
        f"{report.newly_accepted} newly accepted, {report.refused_otherwise} refused for another "
        f"reason, {report.other} otherwise"
    )
    if report.rules:
        _line(
            "by rule: of requests whose decision changed, how many it refuses now and not then, "
            "and then and not now; shadows of all requests"
        )
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
            for name, count in list(counts.items())[:_SHOWN]:
                table.add_row(cell(name), str(count))
            console.print(table)
    if report.examples:
        table = Table("record", "what", "account", "symbol", "request", "then", "now")
        for example in report.examples:
            table.add_row(
                str(example.seq),
                example.what,
                cell(example.account or ""),
                cell(example.symbol or ""),
                cell(example.event),
                cell(f"{example.recorded} {example.recorded_because}"),
                cell(f"{example.now} {example.now_because}"),
            )
        console.print(table)


def _line(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _text(value: Any) -> Text:
    return cell(value if isinstance(value, str) else msgspec.json.encode(value).decode())
