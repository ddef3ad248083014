"""`ordergate fees tariffs list|show` and `ordergate fees statement`: what cancelling costs."""

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from gateway.admin.client import (
    DEFAULT_TOKEN_FILE,
    DEFAULT_URL,
    AdminOption,
    TokenFileOption,
    connect,
    get_or_fail,
)
from gateway.admin.conduct import SORTS
from gateway.admin.messages import ConductAnswer
from gateway.commands.common import console, errors, fail, print_json
from gateway.fees.counts_file import CountsError, read_counts
from gateway.fees.statement import Statement, csv_text, make_statement, slabs_text, terms
from gateway.tariffs import load_tariff, shipped_tariffs
from rules.fees.tariff import Tariff, TariffError

JsonOption = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]
NAME_HELP: Final = "Name of a shipped tariff, or path of a .toml file."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    fees = typer.Typer(help="Cancel-ratio fees.", no_args_is_help=True)
    tariffs = typer.Typer(help="Show tariffs.", no_args_is_help=True)
    tariffs.command("list")(list_command)
    tariffs.command("show")(show_command)
    fees.add_typer(tariffs, name="tariffs")
    fees.command("statement")(statement_command)
    fees.command("meter")(meter_command)
    app.add_typer(fees, name="fees")


def list_command(json: JsonOption = False) -> None:
    """List the shipped tariffs."""
    tariffs = [_load(name) for name in shipped_tariffs()]
    if json:
        print_json([terms(tariff) for tariff in tariffs])
        return
    table = Table()
    for heading in ("tariff", "model", "charges", "description"):
        table.add_column(heading, overflow="fold")
    for tariff in tariffs:
        file = tariff.file
        charged = f"{file.per} and {file.period}"
        table.add_row(tariff.name, tariff.model_name, charged, file.description)
    console.print(table)


def show_command(
    name: Annotated[str, typer.Argument(help=NAME_HELP)],
    json: JsonOption = False,
) -> None:
    """Show a tariff with its source, and the columns of counts it needs."""
    tariff = _load(name)
    if json:
        tree = {**msgspec.to_builtins(tariff.file), "name": tariff.name}
        given = {key: value for key, value in tree.items() if value is not None}
        print_json({**given, "model": tariff.model_name, "columns": tariff.columns})
        return
    for field in tariff.file.__struct_fields__:
        value = tariff.name if field == "name" else getattr(tariff.file, field)
        if isinstance(value, msgspec.Struct):
            _line(f"{field}:")
            for part, part_value in msgspec.to_builtins(value).items():
                _line(f"  {part} = {_value_text(part_value)}")
        elif value not in (None, ""):
            _line(f"{field}: {value}")
    _line(f"needs columns: owner, symbol, day, {', '.join(tariff.columns)}")


def statement_command(
    counts: Annotated[Path, typer.Option(help="CSV file of counts; docs/fees.md has its columns.")],
    tariff: Annotated[
        list[str], typer.Option(help=f"{NAME_HELP} Give it again for each further tariff.")
    ],
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="The lines as CSV.")] = False,
) -> None:
    """Compute a statement of fees from a table of counts."""
    if json and csv:
        fail("--json and --csv exclude each other; give one of them")
    names = list(dict.fromkeys(tariff))
    tariffs = _load_all(names)
    try:
        with errors.status("computing the statement"):
            statement = make_statement(tariffs, read_counts(counts, tariffs))
    except CountsError as error:
        fail(*error.errors)
    if json:
        print_json(statement)
    elif csv:
        sys.stdout.write(csv_text(statement))
    else:
        _print_statement(statement)


def meter_command(
    owner: Annotated[str, typer.Option(help="One owner.")] = "",
    sort: Annotated[str, typer.Option(help=f"What comes first: {', '.join(SORTS)}.")] = "fee",
    limit: Annotated[int, typer.Option(help="Owners shown.")] = 20,
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Show how owners stand in ratios and fees on a running gate."""
    client = connect(admin, token_file)
    answer = get_or_fail(
        client, "/admin/v1/conduct", ConductAnswer, owner=owner, sort=sort, limit=str(limit)
    )
    if json:
        print_json(answer)
        return
    table = Table(title=f"{len(answer.lines)} of {answer.owners} owners", title_justify="left")
    for heading in ("owner", "level", "what", "symbol"):
        table.add_column(heading, overflow="fold")
    for heading in ("now", "limit or headroom", "projected"):
        table.add_column(heading, justify="right", overflow="fold")
    for line in answer.lines:
        names = (escape(line.owner), line.level)
        for ratio in line.ratios:
            what = f"{ratio.rule} {ratio.label}"
            now = ratio.ratio or "undefined"
            table.add_row(*names, what, escape(ratio.symbol), now, ratio.maximum or "none", "")
            names = ("", "")
        for fee in line.fees:
            left = "none left" if fee.headroom is None else fee.headroom
            amounts = (f"{fee.amount} {fee.currency}", left, f"{fee.projected} {fee.currency}")
            table.add_row(*names, fee.tariff, escape(fee.symbol or "all"), *amounts)
            names = ("", "")
    console.print(table)


def _load(name: str) -> Tariff:
    return _load_all([name])[0]


def _load_all(names: list[str]) -> list[Tariff]:
    """Return the tariffs; ends with every fault of every one."""
    tariffs: list[Tariff] = []
    faults: list[str] = []
    for name in names:
        try:
            tariff = load_tariff(name)
        except TariffError as error:
            faults += error.errors
            continue
        if tariff.name in [other.name for other in tariffs]:
            faults.append(f"two tariffs are named `{tariff.name}`; give the file another name")
        tariffs.append(tariff)
    if faults:
        fail(*faults)
    return tariffs


def _print_statement(statement: Statement) -> None:
    for tariff in statement.tariffs:
        _line(f"{tariff.tariff}: {tariff.description}")
        _line(f"  source: {tariff.source}")
        console.print(_lines_table(statement, tariff.tariff))
    totals = Table(title="charged", title_justify="left")
    totals.add_column("owner", overflow="fold")
    totals.add_column("amount", justify="right")
    for total in (*statement.totals, *statement.sums):
        name = "everybody" if total.owner is None else total.owner
        totals.add_row(escape(name), f"{total.amount} {total.currency}")
    console.print(totals)


def _lines_table(statement: Statement, tariff: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("owner", overflow="fold")
    table.add_column("symbol", overflow="fold")
    table.add_column("period", no_wrap=True)
    table.add_column("measured", justify="right", overflow="fold")
    table.add_column("made up of", overflow="fold")
    table.add_column("amount", justify="right", no_wrap=True)
    for line in statement.lines:
        if line.tariff == tariff:
            names = (escape(line.owner), escape(line.symbol or "all"))
            measured = f"{line.measured}/{line.base} = {line.ratio}" if line.base else line.measured
            parts = slabs_text(line).split("; ")
            if line.cut_by_cap.strip("0."):
                parts.append(f"above the cap: -{line.cut_by_cap}")
            if line.relief:
                parts.append(f"{line.relief}: -{line.waived}")
            amount = f"{line.amount} {line.currency}"
            table.add_row(*names, line.period, measured, "\n".join(filter(None, parts)), amount)
    return table


def _value_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _line(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
