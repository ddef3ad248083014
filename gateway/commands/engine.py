"""`ordergate engine`: the matching-engine stub as a process of its own."""

import asyncio
from typing import Annotated

import typer

from gateway.commands.common import errors, fail
from gateway.engine.server import ready_line, serve

DEFAULT_PORT = 50_052


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("engine")(engine)


def engine(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 picks a free one.")
    ] = DEFAULT_PORT,
    json: Annotated[
        bool, typer.Option("--json", help="Print nothing but the JSON ready line.")
    ] = False,
) -> None:
    """Run the matching engine as a process of its own, for `serve` with a remote engine.

    Prints one JSON line with its address once it listens. Every start is a new epoch: orders of
    an earlier run are gone, and a gate that links up again is told so.
    """

    def announce(address: str) -> None:
        ready_line(address)
        if not json:
            errors.print(f"engine listens on {address}; Ctrl-C stops it")

    try:
        asyncio.run(serve(host, port, announce))
    except OSError as error:
        fail(str(error))
