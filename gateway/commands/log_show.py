"""`ordergate log tail` and `log query`: records as lines or as JSON lines."""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from gateway.commands.common import console, counted, errors, fail, print_json
from gateway.commands.log_options import (
    DataOption,
    JsonLinesOption,
    NewestRunOption,
    RunOption,
    filtered,
    finish,
    open_recorded,
    reading,
)
from gateway.commands.log_recording import ActorOption
from gateway.journal import JournalCorruptError, JournalError
from gateway.journal.manifest import DATA_DIRECTORY, MANIFEST_NAME
from gateway.logview.lines import WHO_WIDTH_LEAST, line_head, record_line, who
from gateway.logview.query import Found, Query, search
from gateway.logview.rendering import EVENT_NAMES, Names, record_tree
from gateway.logview.sources import Source
from gateway.logview.tailing import Follower
from rules.decisions import VERDICT_NAMES

_POLL_SECONDS: Final = 0.2
_LINES_MAX: Final = 1_000_000
"""Records that a tail shows at most; they are kept in memory until the last is read."""
_WHO_WIDTH_MOST: Final = 32
"""Characters that the longest name of an account makes the column of who it was at first."""


def add_to(log: typer.Typer) -> None:
    """Add the commands."""
    log.command()(tail)
    log.command()(query)


def tail(
    context: typer.Context,
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: NewestRunOption = "",
    count: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=_LINES_MAX, help="Records to show.")
    ] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    actor: ActorOption = "",
    as_json: JsonLinesOption = False,
) -> None:
    """Show the last records of the newest run, and with -f those that are added.

    With a data directory -f goes on into the next run, until Ctrl-C; with the directory of a run,
    or --run, it ends with that run. Of a damaged run what is before the damage is shown: exit 1.
    """
    source = open_recorded(context, data, run_id, actor)
    printer = _Printer(source, as_json)
    try:
        onward = not run_id and not (data / MANIFEST_NAME).is_file()
        follower = Follower(source, onward, count)
        run = follower.run
        for found in follower.last():
            printer.show(found)
        while follow:
            over = follower.over()
            for found in follower.more():
                printer.show(found)
            sys.stdout.flush()
            if follower.run is not run:
                run = follower.run
                _note(f"goes on with run {run.manifest.run_id}")
            if over:
                _note(f"the run {run.manifest.run_id} is over")
                break
            time.sleep(_POLL_SECONDS)
    except JournalCorruptError as error:
        if str(error) not in source.problems:
            source.problems.append(str(error))
    except JournalError as error:
        fail(str(error))
    except KeyboardInterrupt:
        return
    finish(source)


@filtered
def query(
    context: typer.Context,
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    *,
    wanted: Query,
    decision: Annotated[str, typer.Option(help="Decision id or sequence number.")] = "",
    limit: Annotated[int, typer.Option(help="Stop after this many; 0: all.", min=0)] = 0,
    counts: Annotated[bool, typer.Option("--count", help="Print only how many there are.")] = False,
    actor: ActorOption = "",
    as_json: JsonLinesOption = False,
) -> None:
    """Show the records of all runs that match all the filters given.

    Exit code 1 when a part of the record could not be read.
    """
    source = open_recorded(context, data, run_id, actor)
    if decision:
        try:
            run, seq = source.locate(decision)
        except ValueError as error:
            fail(str(error))
        source, wanted = source.narrowed(run), msgspec.structs.replace(wanted, seq=seq)
    printer = _Counter() if counts else _Printer(source, as_json)
    with reading(source, quiet=sys.stdout.isatty() and not counts) as progress:
        for found in search(source, wanted, progress):
            printer.show(found)
            if printer.shown == limit:
                break
    if isinstance(printer, _Counter):
        printer.print(as_json)
    elif not as_json:
        _note(counted(printer.shown, "record"))
    finish(source)


class _Printer:
    """Prints records as they are found, as lines or as JSON lines."""

    def __init__(self, source: Source, as_json: bool) -> None:
        self.shown = 0
        self._source = source
        self._json = as_json
        self._who_width = 0

    def show(self, found: Found) -> None:
        """Print one record."""
        record, subject, names, run = found
        if self._json:
            tree = {"run": run.manifest.run_id}
            tree |= record_tree(record, subject, names, self._source.ids(run))
            line = msgspec.json.encode(tree).decode()
        else:
            if not self.shown:
                self._who_width = _who_width(names)
            self._who_width = max(self._who_width, len(who(subject, names)))
            if not self.shown:
                sys.stdout.write(line_head(self._who_width) + "\n")
            line = record_line(record, subject, names, self._who_width)
        sys.stdout.write(line + "\n")
        self.shown += 1


def _who_width(names: Names) -> int:
    """Return how wide the column is that names accounts; it grows where more is named."""
    longest = max(map(len, names.directory.accounts), default=0)
    return min(max(longest, WHO_WIDTH_LEAST), _WHO_WIDTH_MOST)


class _Counter:
    """Counts records by event and verdict, and breaches by rule and reason."""

    def __init__(self) -> None:
        self.shown = 0
        self._events: Counter[tuple[str, str]] = Counter()
        self._breaches: Counter[tuple[str, str]] = Counter()

    def show(self, found: Found) -> None:
        """Count one record."""
        decision = found.record.decision
        self.shown += 1
        self._events[EVENT_NAMES[type(found.record.event)], VERDICT_NAMES[decision.verdict]] += 1
        for breach in decision.breaches:
            self._breaches[breach.rule, breach.reason.name] += 1

    def print(self, as_json: bool) -> None:
        """Print the counts, most first."""
        events = [_line(("event", "verdict"), *item) for item in self._events.most_common()]
        breaches = [_line(("rule", "reason"), *item) for item in self._breaches.most_common()]
        if as_json:
            print_json({"records": self.shown, "events": events, "breaches": breaches})
            return
        for lines in (events, breaches):
            if lines:
                table = Table(*list(lines[0])[:2])
                table.add_column("records", justify="right")
                for line in lines:
                    table.add_row(*(str(value) for value in line.values()))
                console.print(table)
        console.print(counted(self.shown, "record"), markup=False)


def _line(names: tuple[str, str], values: tuple[str, str], count: int) -> dict[str, Any]:
    return dict(zip(names, values, strict=True)) | {"count": count}


def _note(text: str) -> None:
    errors.print(text, markup=False, soft_wrap=True)
