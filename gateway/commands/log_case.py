"""`ordergate log case`: everything about one owner, for whoever has to judge it."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.clock import SystemClock
from gateway.commands.common import console, counted, fail, print_json
from gateway.commands.log_options import (
    DataOption,
    JsonOption,
    RunOption,
    finish,
    open_recorded,
    reading,
    time_range,
)
from gateway.commands.log_recording import ActorOption
from gateway.journal.durable import put_in_place, write_new
from gateway.journal.manifest import DATA_DIRECTORY
from gateway.logview.case import ENTRIES_MAX, CaseError, CaseFile, case_file
from gateway.logview.case_html import case_html


def add_to(log: typer.Typer) -> None:
    """Add the command."""
    log.command()(case)


def case(
    context: typer.Context,
    owner: Annotated[str, typer.Argument(help="Owner name.")],
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    since: Annotated[str, typer.Option("--from", help="First time, ISO 8601, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", help="End of the time, not included.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="HTML file; the same as JSON is put beside it."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there already.")
    ] = False,
    entries: Annotated[int, typer.Option(help="Most entries it may have.", min=1)] = ENTRIES_MAX,
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make the case file of one owner: orders, trades, refusals, measures, the book at each.

    Other parties are masked; the file says what was. Exit code 1 when a part of the record could
    not be read.
    """
    if output is None and not as_json:
        fail("name the HTML file to write with -o, or print JSON with --json")
    if output is not None and output.suffix not in (".html", ".htm"):
        fail(f"`{output}` is no name of an HTML file; it ends with .html")
    if output is not None and not output.parent.is_dir():
        fail(f"`{output.parent}` is not a directory")
    for file in () if output is None or force else (output, output.with_suffix(".json")):
        if file.exists():
            fail(f"{file} is there already; give another name, or --force to replace it")
    from_ns, to_ns = time_range(since, until)
    source = open_recorded(context, data, run_id, actor)
    try:
        with reading(source, quiet=as_json) as progress:
            made_ns = SystemClock().now_ns()
            found = case_file(source, owner, made_ns, from_ns, to_ns, entries, progress)
    except CaseError as error:
        fail(str(error))
    if output is not None:
        _write(output, found)
    if as_json:
        print_json(found)
    elif output is not None:
        console.print(
            f"{output}: {counted(len(found.entries), 'record')}, "
            f"{counted(len(found.orders), 'order')}, {counted(len(found.trades), 'trade')}, "
            f"{counted(len(found.measures), 'measure')}; "
            f"{output.with_suffix('.json')} says the same as JSON",
            markup=False,
            soft_wrap=True,
        )
    finish(source)


def _write(output: Path, found: CaseFile) -> None:
    """Write both files, each whole or not at all; ends the command when that can't be done."""
    text = msgspec.json.format(msgspec.json.encode(found), indent=2)
    beside = output.with_suffix(".json")
    made: list[Path] = []
    try:
        made.append(write_new(output, (part.encode() for part in case_html(found))))
        made.append(write_new(beside, (text, b"\n")))
        for new, path in zip(made, (output, beside), strict=True):
            put_in_place(new, path)
    except OSError as error:
        for new in made:
            new.unlink(missing_ok=True)
        fail(f"{error.filename or output}: {error.strerror}")
