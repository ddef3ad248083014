"""What the `log` commands share: which record, which filters, and how reading is shown."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import typer

from gateway.commands.common import EXIT_BAD_INPUT, EXIT_DIFFERENCE, errors, fail
from gateway.commands.log_recording import record_read
from gateway.commands.progress import reading_progress
from gateway.journal import JournalError
from gateway.journal.manifest import DATA_VARIABLE
from gateway.logview.query import Progress, Query
from gateway.logview.sources import Source, source_of
from gateway.logview.times import time_ns

DataOption: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--data", help="Data directory, or the directory of one run.", envvar=DATA_VARIABLE
    ),
]
RunOption: TypeAlias = Annotated[
    str, typer.Option("--run", help="Run id within the data directory; empty: all its runs.")
]
NewestRunOption: TypeAlias = Annotated[
    str, typer.Option("--run", help="Run id within the data directory; empty: the newest.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonLinesOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line.")
]

_CommandT = TypeVar("_CommandT", bound=Callable[..., None])


def _filters(
    since: Annotated[str, typer.Option("--from", help="First time, ISO 8601, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", help="End of the time, not included.")] = "",
    key: Annotated[str, typer.Option(help="API key id.")] = "",
    account: Annotated[str, typer.Option(help="Account name.")] = "",
    owner: Annotated[str, typer.Option(help="Owner name.")] = "",
    symbol: Annotated[str, typer.Option(help="Symbol, such as BTCUSDT.")] = "",
    address: Annotated[str, typer.Option(help="Peer address.")] = "",
    client_order_id: Annotated[str, typer.Option(help="Client order id.")] = "",
    order_id: Annotated[int, typer.Option(help="Order id.", min=0)] = 0,
    rule: Annotated[
        str,
        typer.Option(help="Rule that refused or would have, charged, told, or moved a measure."),
    ] = "",
    verdict: Annotated[str, typer.Option(help="accepted, refused, deferred or noted.")] = "",
    reason: Annotated[str, typer.Option(help="Reason, by name or number.")] = "",
    event: Annotated[str, typer.Option(help="Event type, such as place or cancel.")] = "",
) -> Query:
    """Return the filters that were given; ends the command where one can't be used."""
    from_ns, to_ns = time_range(since, until)
    wanted = Query(
        from_ns=from_ns,
        to_ns=to_ns,
        order_id=order_id,
        key=key,
        account=account,
        owner=owner,
        symbol=symbol,
        address=address,
        client_order_id=client_order_id,
        rule=rule,
        reason=reason,
        verdict=verdict,
        event=event.lower(),
    )
    if problems := wanted.problems():
        fail(*problems)
    return wanted


_FILTERS: Final = inspect.signature(_filters).parameters


def filtered(command: _CommandT) -> _CommandT:
    """Give `command` the filters of the record as options; it takes them as the query `wanted`."""
    own = inspect.signature(command).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        wanted = _filters(**{name: given.pop(name) for name in _FILTERS})
        command(wanted=wanted, **given)

    parameters: list[inspect.Parameter] = []
    for name, parameter in own.items():
        parameters += _FILTERS.values() if name == "wanted" else (parameter,)
    by_keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    run.__signature__ = inspect.Signature(by_keyword)  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def time_range(since: str, until: str) -> tuple[int, int]:
    """Return the times of two options in nanoseconds, 0 where none is given."""
    try:
        from_ns, to_ns = (time_ns(text) if text else 0 for text in (since, until))
    except ValueError as error:
        fail(str(error))
    if until and to_ns <= from_ns:
        fail(f"the time asked for ends, `{until}`, before it begins, `{since}`")
    return from_ns, to_ns


def open_source(data: Path, run_id: str = "") -> Source:
    """Return the runs to read; ends the command where there are none."""
    try:
        return source_of(data, run_id)
    except JournalError as error:
        fail(str(error))


def open_recorded(context: typer.Context, data: Path, run_id: str, actor: str) -> Source:
    """Return the runs to read, once it is recorded who reads them and what is asked.

    Ends the command where there are none, or where that can't be recorded.
    """
    source = open_source(data, run_id)
    record_read(context, source, actor)
    return source


@contextmanager
def reading(source: Source, quiet: bool = False) -> Iterator[Progress]:
    """Show how far reading is; ends the command when a disk or a record gives out."""
    try:
        with reading_progress("reading", source.records_expected(), quiet) as progress:
            yield progress
    except JournalError as error:
        fail(str(error))


def finish(source: Source) -> None:
    """Say what was passed over or deleted, what could not be read and which names nothing knows.

    Ends with exit code 1 when something could not be read, else with 2 for a name nobody knows.
    """
    for text in (*source.passed_over, *source.deleted):
        errors.print(text, markup=False, soft_wrap=True)
    for problem in source.problems:
        errors.print(f"ordergate: incomplete: {problem}", markup=False, soft_wrap=True)
    for text in source.unknown:
        errors.print(f"ordergate: {text}", markup=False, soft_wrap=True)
    if source.problems:
        raise typer.Exit(EXIT_DIFFERENCE)
    if source.unknown:
        raise typer.Exit(EXIT_BAD_INPUT)
