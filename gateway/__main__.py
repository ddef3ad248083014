"""The `ordergate` command."""

import sys

import typer

from gateway.commands import (
    cases,
    check,
    demo,
    engine,
    fees,
    keys,
    kill,
    load,
    log,
    play,
    record,
    replay,
    rulebook,
    serve,
    simulate,
    stages,
    status,
)
from gateway.commands.common import EXIT_BAD_INPUT
from gateway.logview.rendering import printable

_COMMANDS = (
    demo,
    serve,
    engine,
    check,
    rulebook,
    simulate,
    play,
    log,
    record,
    replay,
    kill,
    cases,
    status,
    stages,
    keys,
    load,
    fees,
)


def build() -> typer.Typer:
    """Return the command line with every command."""
    app = typer.Typer(
        name="ordergate",
        help="A pre-trade risk gateway in front of an exchange's order API.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
    )
    for command in _COMMANDS:
        command.register(app)
    return app


def main() -> None:
    """Run the command line; refuses to start where assertions are stripped (`python -O`)."""
    if not __debug__:
        sys.stderr.write("ordergate: runs with assertions only; start python without -O\n")
        raise SystemExit(EXIT_BAD_INPUT)
    try:
        build()()
    except OSError as error:
        if error.filename is None:
            raise
        # A path that can't even be looked at: its name is too long, or its directory is closed.
        sys.stderr.write(f"ordergate: {printable(str(error.filename))}: {error.strerror}\n")
        raise SystemExit(EXIT_BAD_INPUT) from None


if __name__ == "__main__":
    main()
