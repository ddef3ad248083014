"""`ordergate rulebook list|show|diff`: what rulebooks put in force, and where they differ."""

from typing import Annotated, Any, Final

import typer
from rich.table import Table

from gateway.commands.common import EXIT_DIFFERENCE, cell, console, fail, print_json
from gateway.commands.suggest import suggest_command
from gateway.rulebook_view import (
    EndpointView,
    RulebookView,
    RuleView,
    differences,
    parameter_text,
    view_of,
)
from gateway.rulebooks import load_rulebook, shipped_rulebooks
from rules.rulebook import Rulebook, RulebookError

JsonOption = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]
NAME_HELP: Final = "Name of a shipped rulebook, or path of a .toml file."
_STAGES: Final = {
    "access": "who may speak; ends at the first breach",
    "gate": "standing of key, account, owner, symbol and venue; ends at the first breach",
    "limit": "what is asked; all are evaluated, the first breach is told to the client",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    rulebook = typer.Typer(help="Show and compare rulebooks.", no_args_is_help=True)
    rulebook.command("list")(list_command)
    rulebook.command("show")(show_command)
    rulebook.command("diff")(diff_command)
    rulebook.command("suggest")(suggest_command)
    app.add_typer(rulebook, name="rulebook")


def list_command(json: JsonOption = False) -> None:
    """List the shipped rulebooks."""
    lines = []
    for name in shipped_rulebooks():
        rulebook = _load(name)
        modes = [rule.mode for rule in view_of(rulebook).rules]
        lines.append(
            {
                "name": name,
                "extends": rulebook.file.extends,
                "revision": rulebook.revision,
                "enforced": modes.count("enforce"),
                "shadow": modes.count("shadow"),
                "off": modes.count("off"),
                "description": rulebook.file.description,
            }
        )
    if json:
        print_json(lines)
        return
    table = Table()
    for heading in ("rulebook", "extends", "revision", "enforced", "shadow", "off", "description"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*map(str, line.values()))
    console.print(table)


def show_command(
    name: Annotated[str, typer.Argument(help=NAME_HELP)],
    json: JsonOption = False,
) -> None:
    """Show what a rulebook puts in force, each clause explained."""
    view = view_of(_load(name))
    if json:
        print_json(view)
        return
    _line(f"{view.name}, revision {view.revision}")
    if view.description:
        _line(view.description)
    if view.extends:
        _line(f"extends {view.extends}")
    for stage, meaning in _STAGES.items():
        _line("")
        _line(f"{stage}: {meaning}")
        for rule in view.rules:
            if rule.stage == stage and rule.mode != "off":
                _print_rule(rule)
    off = [rule.name for rule in view.rules if rule.mode == "off"]
    if off:
        _line("")
        _line(f"off: {', '.join(off)}")
    _line("")
    console.print(_endpoints_table(view.endpoints))
    for table in _instrument_tables(view):
        console.print(table)


def diff_command(
    first: Annotated[str, typer.Argument(help=NAME_HELP)],
    second: Annotated[str, typer.Argument(help=NAME_HELP)],
    json: JsonOption = False,
) -> None:
    """Show where two rulebooks differ; ends with exit code 1 when they do."""
    one, other = _load(first), _load(second)
    found = differences(one, other)
    if json:
        print_json({"first": one.name, "second": other.name, "differences": found})
    elif not found:
        _line(f"{one.name} and {other.name} put the same in force")
    else:
        table = Table()
        for heading in ("clause", one.name, other.name):
            table.add_column(heading, overflow="fold")
        for difference in found:
            table.add_row(
                *map(
                    cell,
                    (difference.path, _side_text(difference.first), _side_text(difference.second)),
                )
            )
        console.print(table)
    if found:
        raise typer.Exit(EXIT_DIFFERENCE)


def _load(name: str) -> Rulebook:
    try:
        return load_rulebook(name)
    except RulebookError as error:
        fail(*error.errors)


def _side_text(value: Any) -> str:
    return "absent" if value is None else parameter_text(value)


def _line(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _print_rule(rule: RuleView) -> None:
    _line(f"  {rule.name}: {rule.mode}")
    _line(f"    {rule.about}")
    for name, value in rule.parameters.items():
        _line(f"    {name} = {parameter_text(value)}")
    if rule.note:
        _line(f"    note: {rule.note}")
    _line(f"    source: {rule.source}")
    _line(f"    reasons: {', '.join(rule.reasons) or 'none, it never refuses'}")


def _endpoints_table(endpoints: tuple[EndpointView, ...]) -> Table:
    table = Table(title="endpoints", title_justify="left")
    for heading in ("endpoint", "weight", "on success", "needs", "permission", "orders"):
        table.add_column(heading, overflow="fold")
    for endpoint in endpoints:
        table.add_row(
            f"{endpoint.name} (gate)" if endpoint.gate else endpoint.name,
            endpoint.weight,
            "same" if endpoint.weight_success == endpoint.weight else endpoint.weight_success,
            endpoint.security,
            endpoint.permission,
            str(endpoint.orders or ""),
        )
    return table


def _instrument_tables(view: RulebookView) -> list[Table]:
    tables = []
    for symbol, clause in view.instruments.items():
        table = Table(title=cell(f"instrument {symbol}"), title_justify="left")
        table.add_column("filter or limit")
        table.add_column("value", overflow="fold")
        for name, value in clause.items():
            table.add_row(name, _filter_text(value))
        tables.append(table)
    return tables


def _filter_text(value: Any) -> str:
    return "off" if value in ("", "0", 0) and value is not False else parameter_text(value)
