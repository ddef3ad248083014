"""What every command shares: exit codes, error output and JSON output.

Exit codes: 0 good, 1 a difference or a failed check, 2 bad input or a broken environment.
"""

import getpass
import os
import sys
from typing import Any, Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from gateway.logview.rendering import counted, printable

__all__ = ["cell", "console", "counted", "errors", "fail", "login_name", "print_json"]

EXIT_DIFFERENCE: Final = 1
EXIT_BAD_INPUT: Final = 2

PIPED_WIDTH: Final = 160
"""Columns where the output is no terminal, so that no name is broken in two for whoever greps."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True, highlight=False)


def cell(text: str) -> Text:
    """Return text that others chose as a table's cell: no markup, nothing that steers a terminal."""
    return Text(printable(text))


def login_name() -> str:
    """Return the name somebody is logged in by; of a user without one, as in containers, the uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def fail(*messages: str) -> NoReturn:
    """Print each message on standard error and end with exit code 2."""
    for message in messages:
        # Others may have chosen parts of it; only its own lines are kept.
        text = "\n".join(map(printable, message.splitlines()))
        errors.print(f"ordergate: {text}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_BAD_INPUT)


def print_json(value: Any) -> None:
    """Write `value` as one indented JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
