"""`ordergate serve`: run the gate from a configuration file."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.admin.client import settings_for
from gateway.admin.surface import TOKEN_FILE
from gateway.app import Gate
from gateway.commands.common import errors, fail
from gateway.commands.serving import ready_line, run_gate
from gateway.config_checks import check_listen, check_stages
from gateway.config_file import ConfigError, load_config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration file (TOML).")],
    edges: Annotated[
        int | None,
        typer.Option(
            "--edges",
            min=0,
            max=64,
            help="Processes that serve REST in front of the core; 0: none. As `listen.edges`.",
        ),
    ] = None,
    trace_stages: Annotated[
        bool,
        typer.Option(
            "--trace-stages",
            help="Measure where the time of requests goes; a table is printed at the end.",
        ),
    ] = False,
) -> None:
    """Run the gate from a configuration file until Ctrl-C.

    Prints one JSON line with its addresses once it is ready, and before it on standard error what
    operators' commands need when port or data directory are not the default. `ordergate check
    FILE` tells what is wrong with a configuration without starting anything.
    """
    try:
        loaded = load_config(config)
    except ConfigError as error:
        fail(*error.errors)
    if edges is not None:
        listen = msgspec.structs.replace(loaded.listen, edges=edges)
        faults = check_listen(listen, ("listen",))
        if faults:
            fail(*(fault.message for fault in faults))
        loaded = msgspec.structs.replace(loaded, listen=listen)
    if trace_stages:
        traced = msgspec.structs.replace(loaded.telemetry, stages=True)
        loaded = msgspec.structs.replace(loaded, telemetry=traced)
    if faults := check_stages(loaded.listen, loaded.telemetry):
        fail(*(fault.message for fault in faults))

    def announce(gate: Gate) -> None:
        line = ready_line(gate)
        for setting in settings_for(line.admin, gate.config.record.data / TOKEN_FILE):
            errors.print(f"for operators' commands: {setting}", markup=False, soft_wrap=True)
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()

    raise typer.Exit(run_gate(loaded, announce))
