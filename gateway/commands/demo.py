"""`ordergate demo`: a whole venue on this machine, with a market that moves."""

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.app import Gate
from gateway.commands.common import console, fail
from gateway.commands.demo_text import welcome
from gateway.commands.serving import ReadyLine, ready_line, run_gate
from gateway.config import Config, EngineConfig, ListenConfig, OverloadConfig, RecordConfig
from gateway.config_checks import check_engine, check_listen
from gateway.demo_keys import DEMO_ACCOUNTS, DEMO_KEYS

PATIENCE: Final = OverloadConfig(orders="5s", queries="4s", market_data="3s", lasting="1s")
"""A laptop has other things to do now and then, which is no overload of the gate."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="REST port; 0 picks free ports for everything.")
    ] = 8080,
    grpc_port: Annotated[int, typer.Option(min=0, max=65_535, help="gRPC port.")] = 50_051,
    admin_port: Annotated[int, typer.Option(min=0, max=65_535, help="Admin port.")] = 8081,
    rulebook: Annotated[
        str, typer.Option(help="Name of a shipped rulebook, or path of a file.")
    ] = "binance-spot-2026",
    data: Annotated[Path, typer.Option(help="Where the record is kept.")] = Path("ordergate-data"),
    engine: Annotated[
        str, typer.Option(help="Address of an `ordergate engine`; empty: embedded.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of the participants.")] = 1,
    manual_clock: Annotated[
        bool, typer.Option("--manual-clock", help="Let the admin port move the clock forward.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print nothing but the JSON ready line.")
    ] = False,
) -> None:
    """Run a gate with an embedded engine, demo keys and seeded participants, until Ctrl-C."""
    config = Config(
        rulebook=rulebook,
        listen=ListenConfig(
            host=host,
            rest_port=port,
            grpc_port=grpc_port if port else 0,
            admin_port=admin_port if port else 0,
        ),
        overload=PATIENCE,
        engine=EngineConfig(address=engine),
        record=RecordConfig(data=data),
        accounts=DEMO_ACCOUNTS,
        keys=DEMO_KEYS,
        clock="manual" if manual_clock else "system",
        demo_market=True,
        seed=seed,
        seed_history=True,
    )

    faults = [*check_listen(config.listen, ("listen",)), *check_engine(config.engine, ("engine",))]
    if faults:
        fail(*map(str, faults))

    def announce(gate: Gate) -> None:
        keys = tuple(
            {"name": key.name, "secret": key.secret, "account": key.account} for key in DEMO_KEYS
        )
        line: ReadyLine = ready_line(gate, keys)
        if not json:
            console.print(welcome(line, gate), markup=False, soft_wrap=True)
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()

    raise typer.Exit(run_gate(config, announce))
