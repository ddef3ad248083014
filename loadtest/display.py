"""The live display of a run, drawn by a process of its own.

Drawing takes milliseconds in which the tester would send nothing, so the tester only writes a
line of figures into a pipe now and then, and `python -m loadtest.display` reads and draws them.
"""

import contextlib
import os
import subprocess
import sys
from typing import BinaryIO, Final, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from loadtest.share import Counts

_EVERY: Final = 5
"""Calls between two lines; the senders call 20 times a second."""


class Figures(msgspec.Struct, frozen=True, array_like=True):
    """What one line says."""

    title: str
    total: int
    due: int
    answered: int
    refused: int
    errors: int


class Display:
    """Sends figures to the drawing process; does nothing where nobody watches."""

    def __init__(self, *, shown: bool) -> None:
        self.title = ""
        self._shown = shown and sys.stderr.isatty()
        self._process: subprocess.Popen[bytes] | None = None
        self._calls = 0

    def __enter__(self) -> Self:
        if self._shown:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "loadtest.display"], stdin=subprocess.PIPE
            )
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process.wait()

    def progress(self, counts: Counts) -> None:
        """Note how far a run is."""
        self._calls += 1
        if self._process is None or self._calls % _EVERY:
            return
        figures = Figures(self.title, *counts)
        assert self._process.stdin is not None
        # A full pipe or a display that has ended must not disturb the run.
        with contextlib.suppress(OSError):
            os.write(self._process.stdin.fileno(), msgspec.json.encode(figures) + b"\n")


def draw(source: BinaryIO) -> None:
    """Draw figures until their source ends."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(
            "{task.completed}/{task.total} due, {task.fields[waiting]} unanswered, "
            "{task.fields[refused]} refused, {task.fields[errors]} errors"
        ),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing", total=None, waiting=0, refused=0, errors=0)
        for line in source:
            figures = msgspec.json.decode(line, type=Figures)
            bar.update(
                task,
                description=figures.title,
                total=figures.total,
                completed=figures.due,
                waiting=figures.due - figures.answered,
                refused=figures.refused,
                errors=figures.errors,
            )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        draw(sys.stdin.buffer)
