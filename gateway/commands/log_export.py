"""`ordergate log export` and `log sql`: the record as flat tables."""

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.common import cell, console, errors, fail, print_json
from gateway.commands.log_options import (
    DataOption,
    JsonLinesOption,
    JsonOption,
    RunOption,
    filtered,
    finish,
    open_recorded,
    reading,
)
from gateway.commands.log_recording import ActorOption
from gateway.journal.manifest import DATA_DIRECTORY
from gateway.logview.exporting import (
    EXTRA_HINT,
    FORMATS,
    SUMMARY_NAME,
    ExportError,
    ExportSummary,
    export,
)
from gateway.logview.masking import KEY_BYTES_MIN, PSEUDONYM, Mask, MaskError, mask_rules
from gateway.logview.query import Query
from gateway.logview.rendering import printable
from gateway.logview.tables import TABLES

_SAID: Final = {
    "erased": "masked, erased",
    "pseudonyms": "masked, pseudonyms",
    "networks": "masked, networks",
    "kept": "not masked",
}
MASK_KEY_VARIABLE: Final = "ORDERGATE_MASK_KEY"

MaskOption: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--mask",
        help="Masking rule such as account=pseudonym, or a TOML file of them; repeatable.",
        default_factory=list,
    ),
]
MaskKeyOption: TypeAlias = Annotated[
    str,
    typer.Option(help=f"File with the key of the pseudonyms; default: ${MASK_KEY_VARIABLE}."),
]


def add_to(log: typer.Typer) -> None:
    """Add the commands."""
    log.command(name="export")(export_command)
    log.command(name="sql")(sql_command)


@filtered
def export_command(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the files.")],
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    *,
    wanted: Query,
    form: Annotated[str, typer.Option("--format", help="parquet, csv or jsonl.")] = "parquet",
    table: Annotated[
        list[str],
        typer.Option(
            help="decisions, breaches, orders or trades; repeatable. Default: all.",
            default_factory=list,
        ),
    ],
    mask: MaskOption,
    mask_key: MaskKeyOption = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write the records that match as flat tables, with export.json to say what they are.

    Exit code 1 when a part of the record could not be read: the export is incomplete.
    """
    tables = tuple(dict.fromkeys(table)) or tuple(TABLES)
    if form not in FORMATS:
        fail(f"`{form}` is not a format; there are {', '.join(FORMATS)}")
    for name in tables:
        if name not in TABLES:
            fail(f"`{name}` is not a table; there are {', '.join(TABLES)}")
    names = (*(f"{name}.{form}" for name in tables), SUMMARY_NAME)
    present = [name for name in names if (output / name).exists()]
    if present and not force:
        fail(f"{output} has {', '.join(present)} already; name another directory, or --force")
    chosen = mask_of(mask, mask_key)
    source = open_recorded(context, data, run_id, actor)
    try:
        with reading(source, quiet=as_json) as progress:
            summary = export(source, wanted, output, form, tables, chosen, progress)  # type: ignore[arg-type]
    except ExportError as error:
        fail(str(error))
    if as_json:
        print_json(summary)
    else:
        _print_summary(output, summary)
    finish(source)


@filtered
def sql_command(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="A SELECT over decisions, breaches, orders, trades.")],
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    *,
    wanted: Query,
    mask: MaskOption,
    mask_key: MaskKeyOption = "",
    actor: ActorOption = "",
    as_json: JsonLinesOption = False,
) -> None:
    """Answer a SQL query (DuckDB) over the records that match, read only.

    Tables and columns are those of `log export`; times are TIMESTAMP_NS in UTC.
    """
    try:
        # DuckDB and pyarrow are large and optional: only whoever asks in SQL loads them.
        from gateway.logview.sql import SqlError, answered
    except ImportError as error:
        fail(f"SQL needs {error.name}, which is not installed; {EXTRA_HINT}")
    chosen = mask_of(mask, mask_key)
    source = open_recorded(context, data, run_id, actor)
    try:
        with reading(source, quiet=as_json) as progress:
            answer = answered(source, wanted, sql, chosen, progress)
            with answer as (columns, rows):
                if as_json:
                    for row in rows:
                        line = dict(zip(columns, map(_plain, row), strict=True))
                        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
                else:
                    table = Table(*(escape(printable(column)) for column in columns))
                    for row in rows:
                        table.add_row(*(cell(_shown(value)) for value in row))
                    console.print(table)
    except SqlError as error:
        fail(str(error))
    except OSError as error:
        fail(f"the tables can't be written: {error}")
    finish(source)


def mask_of(rules: list[str], key_file: str) -> Mask:
    """Return the mask that options ask for; ends the command where they can't be used."""
    found: dict[str, str] = {}
    try:
        for rule in rules:
            field, equals, action = rule.partition("=")
            if equals:
                found[field.strip()] = action.strip()
            elif Path(rule).is_file():
                found |= mask_rules(Path(rule).read_text(encoding="utf-8"))
            else:
                fail(f"`{rule}` is neither a masking rule, such as account=pseudonym, nor a file")
        key = b""
        if key_file:
            key = Path(key_file).read_bytes().strip()
        elif PSEUDONYM in found.values():
            key = os.environ.get(MASK_KEY_VARIABLE, "").encode()
            if not key:
                fail(
                    f"pseudonyms need a secret key of at least {KEY_BYTES_MIN} bytes; name its "
                    f"file with --mask-key, or set {MASK_KEY_VARIABLE}"
                )
        return Mask(found, key)
    except MaskError as error:
        fail(*error.errors)
    except (OSError, UnicodeDecodeError) as error:
        fail(f"masking rules or key can't be read: {error}")


def _print_summary(directory: Path, summary: ExportSummary) -> None:
    table = Table("file")
    for heading in ("rows", "bytes"):
        table.add_column(heading, justify="right")
    for file in summary.files:
        table.add_row(cell(str(directory / file.file)), f"{file.rows:,}", f"{file.bytes:,}")
    console.print(table)
    for what, fields in summary.about["masked"].items():
        if fields:
            errors.print(f"{_SAID[what]}: {', '.join(fields)}", markup=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; amounts as exact text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, (str, int, float, bool, list, dict, type(None))):
        return value
    return str(value)


def _shown(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
