"""`ordergate status` and `ordergate limits`: how the gate is, and how close every limit is."""

import datetime
from itertools import pairwise
from typing import Annotated, Final

import typer
from rich.table import Table

from gateway.admin.client import (
    DEFAULT_TOKEN_FILE,
    DEFAULT_URL,
    AdminOption,
    JsonOption,
    TokenFileOption,
    connect,
    get_or_fail,
)
from gateway.admin.messages import LimitsAnswer, StatusAnswer
from gateway.commands.common import EXIT_DIFFERENCE, cell, console, print_json
from gateway.logview.times import clock_text
from rules.units import duration_text
from rules.values import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

_IN_MS_BELOW: Final = 10 * NS_PER_SECOND


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("status")(status_command)
    app.command("limits")(limits_command)


def status_command(
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Show how the gate is: record, engine, rulebook, stops, waiting requests, symbols, bans.

    Exit code 1 when new orders can't be taken at all: the record or the engine is lost.
    """
    client = connect(admin, token_file)
    status = get_or_fail(client, "/admin/v1/status", StatusAnswer)
    if json:
        print_json(status)
    else:
        console.print(_facts(status))
        if status.stops:
            console.print(_stops(status))
        if any(lane.shed or lane.requests for lane in status.lanes):
            console.print(_lanes(status))
        console.print(_symbols(status))
        if status.bans:
            console.print(_bans(status))
    if status.journal_fault or not status.engine_connected:
        raise typer.Exit(EXIT_DIFFERENCE)


def limits_command(
    key: Annotated[str, typer.Option(help="Limits of a key, its account and owner.")] = "",
    account: Annotated[str, typer.Option(help="Limits of an account and its owner.")] = "",
    address: Annotated[str, typer.Option(help="Limits of an address.")] = "",
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Show the use of every limit; without an option, of limits in use by anybody.

    Without an option at most 1,000 lines are shown, and it is said when there may be more.
    """
    client = connect(admin, token_file)
    answer = get_or_fail(
        client, "/admin/v1/limits", LimitsAnswer, key=key, account=account, address=address
    )
    if json:
        print_json(answer)
        return
    table = Table("rule", "scope", "subject", "limit of", title=None)
    for heading in ("used", "limit", "resets in"):
        table.add_column(heading, justify="right")
    for line in answer.limits:
        resets = ""
        if line.resets_ns:
            resets = time_left(max(0, line.resets_ns - answer.now_ns))
        limit = str(line.limit) if line.limit not in (0, "0") else "none"
        table.add_row(
            line.rule, line.scope, cell(line.subject), line.label, str(line.used), limit, resets
        )
    if answer.more:
        table.caption = "there may be more; --key, --account and --address choose among all"
    console.print(table)


def _facts(status: StatusAnswer) -> Table:
    table = Table(show_header=False, box=None)
    up_seconds = (status.now_ns - status.started_ns) // NS_PER_SECOND
    engine = "connected" if status.engine_connected else "LOST"
    behind = status.seq - status.recorded_seq
    for name, value in (
        ("version", status.version + (", compiled rules" if status.compiled else "")),
        ("up", str(datetime.timedelta(seconds=up_seconds))),
        ("time", clock_text(status.now_ns)),
        ("rulebook", f"{status.rulebook} {status.revision}"),
        ("record", status.journal or "none"),
        ("recorded", f"{status.recorded_seq} ({behind} to be written)"),
        ("engine", f"{engine}, epoch {status.engine_epoch}, report {status.engine_seq}"),
        ("open orders", str(status.open_orders)),
        ("accounts, keys", f"{status.accounts}, {status.keys}"),
    ):
        table.add_row(name, cell(value))
    if status.journal_fault:
        table.add_row("record LOST", cell(status.journal_fault))
    if status.record_space != "AMPLE":
        table.add_row("room for the record", status.record_space)
    return table


def _stops(status: StatusAnswer) -> Table:
    table = Table("scope", "subject", "state", "reason", "by", "since", title="stopped")
    for stop in status.stops:
        chosen = map(cell, (stop.subject, stop.state, stop.reason, stop.actor))
        table.add_row(stop.scope, *chosen, clock_text(stop.since_ns))
    return table


def _lanes(status: StatusAnswer) -> Table:
    table = Table("requests", title="waiting, and refused for having waited too long")
    for heading in ("waiting", "for up to", "shed", ""):
        table.add_column(heading, justify="right")
    for lane in status.lanes:
        waited = time_left(lane.oldest_ns) if lane.requests else ""
        state = "SHEDDING" if lane.shedding else ""
        name = lane.name.replace("_", " ")
        table.add_row(name, str(lane.requests), waited, str(lane.shed), state)
    return table


def _symbols(status: StatusAnswer) -> Table:
    table = Table("symbol", "state")
    for heading in ("last", "bid", "ask"):
        table.add_column(heading, justify="right")
    for line in status.symbols:
        table.add_row(cell(line.symbol), line.state, line.last, line.bid, line.ask)
    return table


def _bans(status: StatusAnswer) -> Table:
    table = Table("banned address", "until")
    for ban in status.bans:
        table.add_row(ban.address, clock_text(ban.until_ns))
    if status.more_bans:
        table.caption = f"the first {len(status.bans):,}"
    return table


def time_left(left_ns: int) -> str:
    """Return a time as people read it, never too short: `1d 3h`, `12h 25m`, `9s`, `250ms`.

    It is told in its two largest units, or below ten seconds in milliseconds.
    """
    if left_ns < _IN_MS_BELOW:
        return duration_text(-(-left_ns // NS_PER_MS) * NS_PER_MS)
    units = (NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND)
    for larger, smaller in pairwise(units):
        whole = -(-left_ns // smaller) * smaller
        if whole >= larger:
            parts = (whole // larger * larger, whole % larger)
            return " ".join(duration_text(part) for part in parts if part)
    return duration_text(-(-left_ns // NS_PER_SECOND) * NS_PER_SECOND)
