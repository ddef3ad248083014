"""What the `record` commands share: the data directory, who asks, and how failures end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from gateway.commands.common import EXIT_DIFFERENCE, errors, fail, login_name
from gateway.data_lock import DataLock, DataLockedError
from gateway.journal import JournalCorruptError, JournalError
from gateway.journal.manifest import DATA_VARIABLE

DataOption: TypeAlias = Annotated[
    Path, typer.Option("--data", help="Data directory.", envvar=DATA_VARIABLE)
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ActorOption: TypeAlias = Annotated[
    str, typer.Option(help="Who asks, as it is recorded. Default: the name you are logged in by.")
]


def actor_name(given: str) -> str:
    """Return who asks."""
    return given or login_name()


def data_directory(data: Path) -> Path:
    """Return the data directory; ends the command when there is none."""
    if not data.is_dir():
        fail(f"{data} is not a directory; give the data directory with --data")
    return data


@contextmanager
def record_errors() -> Iterator[None]:
    """End the command with 1 where the record is not what it was, with 2 where it can't be read."""
    try:
        yield
    except JournalCorruptError as error:
        errors.print(f"ordergate: corrupt: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_DIFFERENCE) from None
    except (JournalError, ValueError, OSError) as error:
        fail(str(error))


@contextmanager
def without_a_gate(data: Path) -> Iterator[None]:
    """Hold the data directory as a gate does; ends the command while one runs on it."""
    try:
        lock = DataLock(data)
    except DataLockedError as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot lock {data}: {error.strerror}")
    try:
        yield
    finally:
        lock.release()


def end_with(problems: list[str]) -> None:
    """Print what could not be done, and end with exit code 1 when there is such."""
    for problem in problems:
        errors.print(f"ordergate: {problem}", markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(EXIT_DIFFERENCE)
