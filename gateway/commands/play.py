"""`ordergate play`: a recorded flow as live orders against a running gate."""

import asyncio
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.commands.common import EXIT_DIFFERENCE, cell, console, fail, print_json
from gateway.commands.progress import records_progress
from gateway.demo_keys import DEMO_KEYS
from gateway.flows.course import chart
from gateway.flows.plan import KINDS, plan
from gateway.flows.reader import Flow, FlowError, read_flow
from gateway.play import Credentials, Player, PlayError, is_loopback, parse_symbol_map
from rules.units import decimal_e8

SPEED_MAX = "max"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("play")(play_command)


def play_command(
    flow: Annotated[Path, typer.Argument(help="Recorded flow: CSV, plain or gzipped.")],
    target: Annotated[str, typer.Option(help="Base URL of a Binance-style REST API.")],
    speed: Annotated[
        str, typer.Option(help="Times the recorded speed, or `max`: as fast as it answers.")
    ] = "1",
    key: Annotated[
        str,
        typer.Option(envvar="ORDERGATE_KEY", help="API key. Default on this machine: the demo's."),
    ] = "",
    secret: Annotated[str, typer.Option(envvar="ORDERGATE_SECRET", help="Its secret.")] = "",
    symbol_map: Annotated[
        str, typer.Option(help="Recorded to target symbols, as GOOG=BTCUSDT,MSFT=ETHUSDT.")
    ] = "",
    notional: Annotated[
        str,
        typer.Option(
            help="Worth of the median order, in quote asset. Default: ten times the least."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(help="Play so many rows only; 0: all.", min=0)] = 0,
    i_own_this_venue: Annotated[
        bool, typer.Option("--i-own-this-venue", help="Needed for a target beyond this machine.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Send a recorded flow as live, signed orders, rescaled to the target's price level.

    Exit code 1 when a request had no answer. See docs/simulate.md.
    """
    try:
        if not is_loopback(target) and not i_own_this_venue:
            fail(
                f"target `{target}` is not this machine; these are real orders, so another host "
                "needs --i-own-this-venue"
            )
        factor = _speed(speed)
        recorded = read_flow(flow)
        if limit:
            recorded = recorded._replace(rows=recorded.rows[:limit])
        if not recorded.rows:
            raise FlowError(f"{flow}: has a header but no rows")
        notional_e8 = decimal_e8(notional) if notional else 0
        if notional and not notional_e8:
            raise PlayError(f"notional `{notional}` is not above 0")
        player = Player(target, _credentials(key, secret, target))
        pairs = parse_symbol_map(symbol_map)
        figures = asyncio.run(_play(player, recorded, pairs, notional_e8, factor, quiet=json))
    except (PlayError, FlowError, ValueError) as error:
        fail(str(error))
    figures = {"flow": str(flow), "target": target, "speed": speed, **figures}
    if json:
        print_json(figures)
    else:
        _print_figures(figures)
    if figures["failed"]:
        raise typer.Exit(EXIT_DIFFERENCE)


async def _play(
    player: Player,
    flow: Flow,
    symbol_map: dict[str, str],
    notional_e8: int,
    speed: float,
    *,
    quiet: bool,
) -> dict[str, Any]:
    course = chart(flow)
    async with player:
        scales = await player.scales(flow, course, symbol_map, notional_e8)
        planned = plan(flow, course, scales, player.tag())
        with records_progress("playing", len(planned.messages), quiet=quiet) as progress:
            await player.play(planned, speed, progress)
    symbols = {name: scale.filters.symbol for name, scale in scales.items()}
    return {
        "symbols": symbols,
        "skipped_not_in_recording": planned.skipped,
        **player.answers.figures(),
    }


def _speed(text: str) -> float:
    """Return the factor, 0 for `max`; raises PlayError."""
    if text == SPEED_MAX:
        return 0
    try:
        factor = float(text)
    except ValueError:
        factor = 0
    if not 0 < factor < math.inf:
        raise PlayError(f"speed `{text}` is not a number above 0, nor `{SPEED_MAX}`")
    return factor


def _credentials(key: str, secret: str, target: str) -> Credentials:
    """Return what requests are signed with; raises PlayError when a part of it is missing.

    Without either it is the demo's first key, which opens nothing but a demo on this machine.
    """
    if not key and not secret and is_loopback(target):
        return Credentials(DEMO_KEYS[0].name, DEMO_KEYS[0].secret)
    if not key or not secret:
        raise PlayError("--key and --secret are needed; `ordergate demo` prints a pair")
    return Credentials(key, secret)


def _print_figures(figures: dict[str, Any]) -> None:
    title = f"{figures['flow']} at {figures['target']}, speed {figures['speed']}"
    table = Table(title=cell(title), title_justify="left")
    table.add_column("requests")
    table.add_column("count", justify="right")
    table.add_row("sent", f"{figures['sent']:,}")
    table.add_row(
        "not sent: order is older than the recording", f"{figures['skipped_not_in_recording']:,}"
    )
    for kind in KINDS:
        table.add_row(f"{kind} accepted", f"{figures['accepted'][kind]:,}")
        for code, count in figures["refused"][kind].items():
            table.add_row(f"{kind} refused: {code}", f"{count:,}")
    for failure, count in figures["failed"].items():
        table.add_row(f"no answer: {failure}", f"{count:,}")
    table.add_row("sent late by at most, ms", f"{figures['lateness_ms_max']:,.1f}")
    console.print(table)
