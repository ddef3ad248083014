"""Progress bars of long work, on standard error and only where somebody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.commands.common import errors

_UPDATE_EVERY: Final = 4096
"""Records between two updates; a power of two."""


@contextmanager
def records_progress(what: str, total: int, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a bar over `total` records; the function given takes the number of the last one done."""
    with _bar(quiet, MofNCompleteColumn()) as bar:
        task = bar.add_task(what, total=total)

        def update(done: int) -> None:
            if not done & (_UPDATE_EVERY - 1):
                bar.update(task, completed=done)

        yield update
        bar.update(task, completed=total)


@contextmanager
def reading_progress(
    what: str, expected: int, quiet: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar over records of which at least `expected` are there.

    The function given takes how many are read; the bar grows where there are more.
    """
    with _bar(quiet, MofNCompleteColumn()) as bar:
        task = bar.add_task(what, total=expected or None)

        def update(done: int) -> None:
            if not done & (_UPDATE_EVERY - 1):
                bar.update(task, completed=done, total=max(done, expected) or None)

        yield update


@contextmanager
def bytes_progress(what: str, total: int, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a bar over `total` bytes; the function given takes how many are done."""
    with _bar(quiet) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, completed=total)


def _bar(quiet: bool, *columns: MofNCompleteColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=quiet or not errors.is_terminal,
    )
