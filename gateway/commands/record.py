"""`ordergate record`: keeping the record for years. Sign, compress, encrypt, hold, delete, repair."""

from typing import Final

import typer

from gateway.commands import record_archive, record_keep, record_keys, record_repair

_PARTS: Final = (record_keep, record_archive, record_keys, record_repair)
"""Modules with the commands, in the order in which the help lists them."""


def register(app: typer.Typer) -> None:
    """Add `record` and its commands to the application."""
    record = typer.Typer(
        help="Keep the record for years: sign, compress, encrypt, hold, delete, repair.",
        no_args_is_help=True,
    )
    for part in _PARTS:
        part.add_to(record)
    app.add_typer(record, name="record")
