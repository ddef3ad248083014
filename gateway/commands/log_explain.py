"""`ordergate log explain`: what every rule said of one decision, and what it knew."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from gateway.commands.common import cell, console, counted, errors, fail, print_json
from gateway.commands.log_options import DataOption, JsonOption, RunOption, open_recorded
from gateway.commands.log_recording import ActorOption
from gateway.commands.progress import reading_progress
from gateway.journal import JournalError
from gateway.journal.manifest import DATA_DIRECTORY
from gateway.logview.explaining import ExplainedDecision, RuleVerdict, explain
from gateway.logview.measures import LONGEST_DURATION_NS, measured
from gateway.logview.times import time_text
from rules.pipeline import StateError
from rules.rulebook import RulebookError
from rules.units import decimal_text, duration_text

_PARTS: Final = ("breaches", "shadows", "charges", "alerts", "steps", "postings")
"""What of a decision is shown apart."""


def add_to(log: typer.Typer) -> None:
    """Add the command."""
    log.command(name="explain")(explain_command)


def explain_command(
    context: typer.Context,
    decision: Annotated[str, typer.Argument(help="Decision id or sequence number.")],
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what every rule said of one decision, with limits, observed values and the facts."""
    source = open_recorded(context, data, run_id, actor)
    try:
        run, seq = source.locate(decision)
        with reading_progress("replaying", 0, quiet=as_json) as progress:
            explained = explain(run, seq, source.ids(run), progress)
    except RulebookError as error:
        fail(*error.errors)
    except (JournalError, StateError, ValueError) as error:
        fail(str(error))
    if as_json:
        print_json(explained)
    else:
        _print_explained(explained)


def _print_explained(explained: ExplainedDecision) -> None:
    record = explained.record
    console.print(
        f"record {record['seq']} of run {explained.run}, {record['time']}",
        markup=False,
        soft_wrap=True,
    )
    if record["decision_id"]:
        console.print(f"decision id {record['decision_id']}", markup=False, soft_wrap=True)
    console.print(
        f"{record['event']}: {record['verdict']}, rulebook {explained.rulebook} "
        f"revision {explained.revision}",
        markup=False,
        soft_wrap=True,
    )
    snapshot, replayed = explained.beginning.snapshot_seq, explained.beginning.replayed
    begun = f"the snapshot after record {snapshot}" if snapshot else "the beginning of the run"
    console.print(
        f"state from {begun} and {counted(replayed, 'record')} replayed from there",
        markup=False,
        soft_wrap=True,
    )
    for text in explained.beginning.unusable:
        errors.print(f"passed over: {text}", markup=False, soft_wrap=True)
    if not explained.agrees:
        errors.print("deciding it again gives another decision; see `ordergate replay`")
    _print_tree("input", record["input"])
    _print_tree("decision", record["decision"] | dict.fromkeys(_PARTS, ()))
    for kind in ("breaches", "shadows"):
        for breach in record["decision"][kind]:
            told = {
                field: measured(breach[field], breach["rule"], breach["reason"])
                for field in ("limit", "observed")
            }
            _print_tree(kind, breach | told)
    for kind in ("charges", "alerts", "steps", "postings"):
        for part in record["decision"][kind]:
            _print_tree(kind, _figured(part))
    _print_lost(record["lost"])
    _print_rules(explained.rules)
    for name, facts in explained.facts.items():
        _print_tree(name, facts)


def _print_rules(rules: list[RuleVerdict]) -> None:
    """Print what every rule said; of a record that is no request none says anything."""
    if not rules:
        console.print("no rule judges a record of this kind")
        return
    table = Table(title="rules", title_justify="left")
    for heading in ("stage", "rule", "mode", "verdict", "limit", "observed", "detail"):
        table.add_column(heading, overflow="fold")
    for said in rules:
        table.add_row(
            said.stage,
            said.rule,
            said.mode,
            said.reason or said.verdict,
            cell(measured(said.limit, said.rule, said.reason or said.asked)),
            cell(measured(said.observed, said.rule, said.reason or said.asked)),
            cell(_detail(said)),
        )
    console.print(table)


def _figured(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a decision with an alert's figures as fields, after its own."""
    shown = {
        f"figure {name.removesuffix('_e8')}": (
            decimal_text(int(value)) if name.endswith("_e8") else value
        )
        for name, value in part.get("figures", ())
    }
    return {field: value for field, value in part.items() if field != "figures"} | shown


def _print_lost(lost: list[dict[str, Any]]) -> None:
    """Print the orders that ended with the engine's epoch."""
    if not lost:
        return
    table = Table(*lost[0], title="ended as ENGINE_LOST", title_justify="left")
    for order in lost:
        table.add_row(*(cell(str(value)) for value in order.values()))
    console.print(table)


def _detail(said: RuleVerdict) -> str:
    """Return what a rule looked at; one with several reasons is told by that it would refuse for."""
    asked = said.asked if said.passed else None
    return ", ".join(text for text in (asked, said.detail) if text and text != said.verdict)


def _print_tree(title: str, tree: dict[str, Any]) -> None:
    """Print a tree's fields that say something, as a table of two columns."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("field")
    table.add_column("value", overflow="fold")
    for field, value in tree.items():
        if value not in (None, "", 0, "0", [], (), False) or field in ("limit", "observed"):
            table.add_row(cell(field), cell(_text(field, value)))
    console.print(table)


def _text(field: str, value: Any) -> str:
    if field.endswith("_ns") and isinstance(value, int) and not isinstance(value, bool):
        return time_text(value) if value > LONGEST_DURATION_NS else duration_text(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
