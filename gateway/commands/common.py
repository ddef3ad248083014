"""What every command shares: exit codes, error output and JSON output.

Exit codes: 0 good, 1 a difference or a failed check, 2 bad input or a broken environment.
"""

import sys
from typing import Any, Final, NoReturn

import msgspec
import typer
from rich.console import Console

EXIT_DIFFERENCE: Final = 1
EXIT_BAD_INPUT: Final = 2

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(*messages: str) -> NoReturn:
    """Print each message on standard error and end with exit code 2."""
    for message in messages:
        errors.print(f"ordergate: {message}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_BAD_INPUT)


def print_json(value: Any) -> None:
    """Write `value` as one indented JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
