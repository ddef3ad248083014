"""A gate's end of an engine, and engines to link it to."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from gateway.directory import Directory
from gateway.engine.port import (
    CancelCommand,
    DepthSnapshot,
    EnginePort,
    PlaceCommand,
    PublicTrade,
)
from gateway.engine.remote import RemoteEngine
from gateway.engine.server import EngineServer
from gateway.engine.venue import Venue
from rules.events import (
    CommandResult,
    Define,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    Event,
    Report,
)
from rules.values import (
    CAUSE_CLIENT,
    CHANNEL_WEB,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    GTC,
    LIMIT,
    SYMBOL_TRADING,
)

SECONDS = 20.0
# Numbers that the engine process would not choose itself: names must carry the meaning.
BTC, USDT, SYMBOL, ALICE, BOB = 7, 9, 12, 31, 32
SYMBOL_DEFINITION = DefineSymbol(SYMBOL, "BTCUSDT", BTC, USDT, SYMBOL_TRADING, 100 * E8, 100, 200)
ACCOUNTS = (DefineAccount(ALICE, "alice", 5, "", 0), DefineAccount(BOB, "bob", 6, "", 0))


class Gate:
    """The gate's end of an engine: keeps everything it is told, in order."""

    def __init__(self) -> None:
        self.directory = Directory(self._define)
        self.events: list[Event] = []
        self.trades: list[PublicTrade] = []
        self.depths: list[DepthSnapshot] = []
        self._told = asyncio.Event()
        for number, name in ((BTC, "BTC"), (USDT, "USDT")):
            self._define(Define(DEFINE_ASSET, number, name))
        for number, name in ((5, "Alice"), (6, "Bob")):
            self._define(Define(DEFINE_OWNER, number, name))
        self._define(SYMBOL_DEFINITION)
        for account in ACCOUNTS:
            self._define(account)

    def _define(self, event: Event) -> None:
        self.directory.on_event(event)

    def sink(self, event: Event) -> None:
        """Take an event of the engine."""
        self.events.append(event)
        self._told.set()

    def on_trade(self, trade: PublicTrade) -> None:
        """Take a public trade."""
        self.trades.append(trade)
        self._told.set()

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Take a depth snapshot."""
        self.depths.append(depth)
        self._told.set()

    def results(self) -> list[CommandResult]:
        """Return the results so far."""
        return [event for event in self.events if isinstance(event, CommandResult)]

    def reports(self) -> list[Report]:
        """Return the reports so far."""
        return [event for event in self.events if isinstance(event, Report)]

    def sessions(self) -> list[EngineSession]:
        """Return the session events so far."""
        return [event for event in self.events if isinstance(event, EngineSession)]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what was told so far meets a condition."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._told.clear()
                await self._told.wait()


def place(
    command_id: int,
    account: int,
    side: int,
    price: int,
    quantity: int,
    order_type: int = LIMIT,
    time_in_force: int = GTC,
    **rest: int,
) -> PlaceCommand:
    """Return a placement whose order id is 1000 above its command id."""
    return PlaceCommand(
        command_id=command_id,
        order_id=command_id + 1000,
        account=account,
        symbol=SYMBOL,
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        price_e8=price * E8,
        quantity_e8=quantity * E8,
        quote_quantity_e8=rest.get("quote_quantity_e8", 0),
        price_limit_e8=rest.get("price_limit_e8", 0),
        stp_mode=rest.get("stp_mode", 0),
        client_order_id=f"client-{command_id}",
        valid_until_ns=rest.get("valid_until_ns", 0),
    )


def cancel(command_id: int, *order_ids: int) -> CancelCommand:
    """Return a client's cancel."""
    return CancelCommand(command_id, order_ids, CAUSE_CLIENT)


def timeless(event: Event) -> Event:
    """Return an event without the engine's clock."""
    if isinstance(event, (CommandResult, Report)):
        return msgspec.structs.replace(event, engine_ns=0)
    return event


def fund(engine: EnginePort) -> None:
    """Make the venue known to an engine."""
    engine.define_symbol(SYMBOL_DEFINITION)
    for account in ACCOUNTS:
        engine.define_account(account)
    for account in (ALICE, BOB):
        engine.deposit(account, BTC, 1_000 * E8, "funding")
        engine.deposit(account, USDT, 100_000 * E8, "funding")


def tellable(gate: Gate) -> list[Event]:
    """Return what must be the same from every engine: results and reports in order."""
    return [timeless(event) for event in gate.events if isinstance(event, (CommandResult, Report))]


@contextlib.contextmanager
def engine_process(
    port: int = 0, stderr: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `ordergate engine` as its own process; yield it and the address it prints."""
    program = (
        "import typer; from gateway.commands import engine; app = typer.Typer(); "
        "app.callback()(lambda: None); engine.register(app); app()"
    )
    command = [sys.executable, "-c", program, "engine", "--port", str(port), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["engine"]
    finally:
        process.kill()
        process.communicate()


@contextlib.asynccontextmanager
async def linked(address: str, gate: Gate, **options: object) -> AsyncIterator[RemoteEngine]:
    """Link a gate to an engine and end the link afterwards."""
    engine = RemoteEngine(address, gate.directory, time.time_ns, **options)  # type: ignore[arg-type]
    engine.start(gate.sink, gate)
    try:
        await engine.wait_connected(SECONDS)
        yield engine
    finally:
        engine.close()
        await engine.wait_closed()


class Breakable:
    """An engine server in this process whose link can be broken and taken up again."""

    def __init__(self) -> None:
        self.venue = Venue(time.time_ns)
        self.server = EngineServer(self.venue)
        self.port = 0

    async def up(self) -> str:
        """Listen, at the same port every time."""
        self.server = EngineServer(self.venue)
        self.port = await self.server.start("127.0.0.1", self.port)
        return f"127.0.0.1:{self.port}"

    async def down(self) -> None:
        """Break the link."""
        await self.server.close()

    def enter_from_web(self, account: str, side: int, price: int, quantity: int) -> None:
        """Enter an order that does not come through the gate."""
        venue, names = self.venue, self.venue.names
        _, reports = venue.exchange.enter_foreign(
            CHANNEL_WEB,
            names.account(account),
            names.symbol("BTCUSDT"),
            side,
            LIMIT,
            GTC,
            price * E8,
            quantity * E8,
            time.time_ns(),
        )
        self.server.publish(venue.keep(reports))
