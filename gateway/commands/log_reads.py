"""`ordergate log reads`: who read what."""

import sys
from pathlib import Path

import msgspec
import typer
from rich.table import Table

from gateway.commands.common import EXIT_DIFFERENCE, cell, console, errors
from gateway.commands.log_options import DataOption, JsonLinesOption, finish, open_source
from gateway.journal.manifest import DATA_DIRECTORY
from gateway.logview.reads import ReadsError, all_reads
from gateway.logview.times import time_text


def add_to(log: typer.Typer) -> None:
    """Add the command."""
    log.command()(reads)


def reads(data: DataOption = Path(DATA_DIRECTORY), as_json: JsonLinesOption = False) -> None:
    """List who read the record, when, and what was asked.

    Exit code 1 when the journal of reads is not as it was written.
    """
    source = open_source(data)
    try:
        found = all_reads(source)
    except ReadsError as error:
        errors.print(f"ordergate: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_DIFFERENCE) from None
    if as_json:
        for read in found:
            line = {"time": time_text(read.time_ns)} | read._asdict()
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    else:
        table = Table("time", "who", "what", "where")
        for read in found:
            shown = (cell(text) for text in (read.actor, read.query, read.where))
            table.add_row(time_text(read.time_ns), *shown)
        console.print(table)
    finish(source)
