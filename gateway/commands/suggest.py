"""`ordergate rulebook suggest`: what rules would do to one's own flow, and thresholds that fit it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.commands.common import cell, console, fail, print_json
from gateway.commands.log_options import open_recorded
from gateway.commands.log_recording import ActorOption
from gateway.commands.progress import records_progress
from gateway.flows.participants import OWNERS_ONE, Participants
from gateway.flows.reader import FlowError
from gateway.flows.thresholds import Suggestion
from gateway.journal import JournalError
from gateway.rulebooks import DEFAULT_RULEBOOK, load_rulebook
from gateway.suggest import suggest_from_flow, suggest_from_record
from rules.rulebook import RulebookError


def suggest_command(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="Recorded flow (a file), or a data directory or run.")
    ],
    rulebook: Annotated[
        str,
        typer.Option(
            help="Name of a shipped rulebook, or path of a .toml file. Default: of a record its "
            f"own, of a flow {DEFAULT_RULEBOOK}."
        ),
    ] = "",
    owners: Annotated[
        str,
        typer.Option(
            help="Whose orders a flow's are: `one` (default), `hash:N`, or `flow`; a record tells."
        ),
    ] = "",
    hit_share: Annotated[
        float,
        typer.Option(help="Per cent a suggested threshold may hit, to a tenth.", min=0, max=100),
    ] = 1.0,
    actor: ActorOption = "",
    json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Report what each rule would hit in one's own flow, and thresholds that fit it.

    State follows the recorded course. docs/simulate.md says what each figure is.
    """
    permille = round(hit_share * 10)
    if permille != hit_share * 10:
        fail(f"hit share {hit_share:g} is not whole tenths of a per cent, such as 0.5")
    if owners and source.is_dir():
        fail(
            f"--owners `{owners}` is for a recorded flow; the record in {source} tells whose orders are"
        )
    try:
        chosen = load_rulebook(rulebook) if rulebook else None
        if source.is_dir():
            opened = open_recorded(context, source, "", actor)
            with records_progress("following", opened.records_expected(), quiet=json) as seen:
                report = suggest_from_record(source, opened.runs, chosen, permille, seen)
        else:
            chosen = chosen or load_rulebook(DEFAULT_RULEBOOK)
            report = suggest_from_flow(source, chosen, Participants(owners or OWNERS_ONE), permille)
    except RulebookError as error:
        fail(*error.errors)
    except (FlowError, JournalError, ValueError) as error:
        fail(str(error))
    if json:
        print_json(report)
        return
    console.print(
        f"{report['source']}: {report['messages']:,} messages, {report['orders']:,} orders; "
        f"rulebook {report['rulebook']} ({report['revision']}), owners: {report['owners']}",
        markup=False,
        soft_wrap=True,
    )
    console.print(rules_table(report["rules"]))
    console.print(_suggestions_table(report["suggestions"]))


def rules_table(rules: list[dict[str, Any]]) -> Table:
    """Return hits, owners and doubtful hits by rule."""
    table = Table(title="what each rule hits", title_justify="left")
    table.add_column("rule", no_wrap=True)
    table.add_column("mode", no_wrap=True)
    for heading in ("hits", "alerts", "per million orders", "owners"):
        table.add_column(heading, justify="right")
    for heading in ("of orders that traded", "of market makers", "of owners hit rarely"):
        table.add_column(f"doubtful: {heading}", justify="right")
    for rule in rules:
        doubtful = rule["doubtful"]
        million = rule["per_million_orders"]
        table.add_row(
            rule["rule"],
            rule["mode"],
            f"{rule['hits']:,}",
            f"{rule['alerts']:,}",
            "-" if million is None else f"{million:,}",
            f"{rule['owners_hit']:,} of {rule['owners_seen']:,}",
            f"{doubtful['hits_of_orders_that_traded']:,}",
            f"{doubtful['hits_of_market_makers']:,}",
            f"{doubtful['hits_of_owners_hit_rarely']:,}",
        )
    return table


def _suggestions_table(suggestions: list[Suggestion]) -> Table:
    table = Table(title="thresholds", title_justify="left")
    for heading in ("rule", "what", "symbol"):
        table.add_column(heading, overflow="fold")
    for heading in ("judged", "limit (hit)", "suggested (hit)"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("percentile: threshold (hit)", overflow="fold")
    for one in suggestions:
        judged = f"{one.subjects:,}"
        if one.minimum and not one.subjects:
            judged = f"0; most counted {one.most_counted:,} of {one.minimum:,}"
        limit = "none" if one.limit is None else f"{one.limit} ({one.hit_by_limit:,})"
        suggested = "-" if one.suggested is None else f"{one.suggested} ({one.suggested_hits:,})"
        parts = [
            f"{candidate.percentile}: {candidate.threshold} ({candidate.subjects_hit:,})"
            for candidate in one.candidates
        ]
        table.add_row(
            one.rule,
            cell(f"{one.label} {one.hits_when}".strip()),
            cell(one.symbol or "all"),
            judged,
            limit,
            suggested,
            "  ".join(parts),
        )
    return table
