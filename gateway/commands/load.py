"""`ordergate load prepare|run|report|compare`: the load tester, a package of its own."""

from typing import Final

import typer

from gateway.commands.common import fail

_OF_THE_EXTRA: Final = ("hdrh", "hpack", "httptools", "hyperframe", "websockets")
"""Modules that come with the extra `loadtest`, and maybe with nothing else."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`; without the extra's packages, one that says what is missing."""
    try:
        from loadtest.commands import load
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _OF_THE_EXTRA:
            raise
        app.command(
            "load",
            help="Load tests; needs the extra `loadtest`.",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_missing)
    else:
        app.add_typer(load, name="load")


def _missing() -> None:
    fail("the load tester needs further packages: pip install 'ordergate[loadtest]'")
