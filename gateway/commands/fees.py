"""`ordergate fees tariffs list|show` and `ordergate fees statement`: what cancelling costs."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
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
from gateway.commands.common import cell, console, counted, errors, fail, print_json
from gateway.commands.log_options import open_recorded
from gateway.commands.log_recording import ActorOption
from gateway.commands.progress import records_progress
from gateway.fees.counts_file import CountsError, read_counts
from gateway.fees.record_counts import RecordCounts
from gateway.fees.statement import Statement, csv_text, make_statement, slabs_text, terms
from gateway.journal import JournalError
from gateway.tariffs import load_tariff, shipped_tariffs
from rules.fees.tariff import Tariff, TariffError
from rules.rulebook import RulebookError

JsonOption = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]
_RECORDS_SHOWN: Final = 60
"""Characters of a line's records that a table shows."""
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
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Argument(help="Data directory, or the directory of one run.")
    ] = None,
    counts: Annotated[
        Path | None, typer.Option(help="CSV file of counts; docs/fees.md has its columns.")
    ] = None,
    tariff: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{NAME_HELP} Give it again for each further one. From a record: those of its "
            "rulebook unless given."
        ),
    ] = None,
    owner: Annotated[str, typer.Option(help="One owner; from a record.")] = "",
    since: Annotated[str, typer.Option("--from", help="First day; from a record.")] = "",
    until: Annotated[str, typer.Option("--to", help="Last day; from a record.")] = "",
    actor: ActorOption = "",
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="The lines as CSV.")] = False,
) -> None:
    """Compute a statement of fees from the record, or from a table of counts."""
    if json and csv:
        fail("--json and --csv exclude each other; give one of them")
    if (data is None) == (counts is None):
        fail("name a data directory, or a table of counts with --counts; one of them")
    if counts is not None and (owner or since or until):
        fail("--owner, --from and --to choose from a record; a table of counts is taken whole")
    tariffs = _load_all(list(dict.fromkeys(tariff or ())))
    if counts is not None:
        statement = _from_counts(counts, tariffs)
    else:
        assert data is not None
        _check_days(since, until)
        source = open_recorded(context, data, "", actor)
        found = RecordCounts(tariffs or None)
        try:
            with records_progress("counting", source.records_expected(), quiet=json or csv) as seen:
                found.take(source.runs, seen)
        except RulebookError as error:
            fail(*error.errors)
        except (JournalError, ValueError) as error:
            fail(str(error))
        if owner and not found.knows(owner):
            fail(f"there is no owner `{owner}` in {data}")
        statement = found.statement(owner, since, until)
    if json:
        print_json(statement)
    elif csv:
        sys.stdout.write(csv_text(statement, from_record=counts is None))
    else:
        _print_statement(statement)


def _from_counts(counts: Path, tariffs: list[Tariff]) -> Statement:
    if not tariffs:
        fail("name a tariff with --tariff; `ordergate fees tariffs list` lists the shipped ones")
    try:
        with errors.status("computing the statement"):
            return make_statement(tariffs, read_counts(counts, tariffs))
    except CountsError as error:
        fail(*error.errors)


def _check_days(since: str, until: str) -> None:
    for text in filter(None, (since, until)):
        if not _is_day(text):
            fail(f"`{text}` is not a day such as 2026-01-31")
    if since and until and since > until:
        fail(f"--from `{since}` is after --to `{until}`")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


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
        names: tuple[RenderableType, str] = (cell(line.owner), line.level)
        for ratio in line.ratios:
            what = f"{ratio.rule} {ratio.label}"
            now = ratio.ratio or "undefined"
            table.add_row(*names, what, cell(ratio.symbol), now, ratio.maximum or "none", "")
            names = ("", "")
        for fee in line.fees:
            left = "none left" if fee.headroom is None else fee.headroom
            amounts = (f"{fee.amount} {fee.currency}", left, f"{fee.projected} {fee.currency}")
            table.add_row(*names, fee.tariff, cell(fee.symbol or "all"), *amounts)
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
        totals.add_row(cell(name), f"{total.amount} {total.currency}")
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
            names = (cell(line.owner), cell(line.symbol or "all"))
            measured = f"{line.measured}/{line.base} = {line.ratio}" if line.base else line.measured
            parts = slabs_text(line).split("; ")
            if line.cut_by_cap.strip("0."):
                parts.append(f"above the cap: -{line.cut_by_cap}")
            if line.relief:
                parts.append(f"{line.relief}: -{line.waived}")
            if line.state:
                parts.append(
                    f"{line.state}, {counted(line.acts, 'act')} in records {_first(line.records)}"
                )
            amount = f"{line.amount} {line.currency}"
            table.add_row(*names, line.period, measured, "\n".join(filter(None, parts)), amount)
    return table


def _first(records: str) -> str:
    """Return the first of many records: a table is read, and JSON and CSV name all."""
    if len(records) <= _RECORDS_SHOWN:
        return records
    shown = records[: records.rindex(",", 0, _RECORDS_SHOWN)]
    return f"{shown}, … (all with --json or --csv)"


def _value_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _line(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
