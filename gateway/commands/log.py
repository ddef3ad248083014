"""`ordergate log`: follow, search, explain, export and verify the record."""

from typing import Final

import typer

from gateway.commands import log_case, log_explain, log_export, log_reads, log_show, log_verify

_PARTS: Final = (log_show, log_explain, log_case, log_export, log_reads, log_verify)
"""Modules with the commands, in the order in which the help lists them."""


def register(app: typer.Typer) -> None:
    """Add `log` and its commands to the application."""
    log = typer.Typer(
        help="Follow, search, explain, export and verify the record.", no_args_is_help=True
    )
    for part in _PARTS:
        part.add_to(log)
    app.add_typer(log, name="log")
