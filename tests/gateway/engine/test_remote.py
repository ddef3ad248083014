"""The engine in another process does what the embedded one does, and survives broken links."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator

import grpc
import msgspec
import pytest

from gateway.directory import Directory
from gateway.engine.command_codec import command_message
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.names import GateNames
from gateway.engine.port import (
    AmendCommand,
    CancelCommand,
    Command,
    DepthSnapshot,
    EnginePort,
    PlaceCommand,
    PublicTrade,
    ReplaceCommand,
)
from gateway.engine.remote import RemoteEngine
from gateway.engine.server import EngineServer
from gateway.engine.venue import Venue
from gateway.stub.exchange import MatchingExchange
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from gateway.wire.ordergate.v1.engine_pb2_grpc import EngineStub
from rules.events import (
    BalanceAdjusted,
    CommandResult,
    Define,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    Event,
    MarketOrder,
    MarketTrade,
    OrderTrade,
    Reference,
    Report,
    TradeBust,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    CHANNEL_WEB,
    DECREMENT,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    EXPIRE_TAKER,
    FOK,
    GTC,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    SELL,
    SYMBOL_HALT,
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


SCENARIO: tuple[Command, ...] = (
    place(1, ALICE, SELL, 101, 5),
    place(2, ALICE, SELL, 102, 5),
    place(3, BOB, BUY, 99, 3),
    place(4, BOB, BUY, 102, 7),
    place(5, BOB, BUY, 110, 9, LIMIT, FOK),
    place(6, BOB, BUY, 110, 9, LIMIT, IOC),
    place(7, BOB, BUY, 100, 1, LIMIT_MAKER, 0),
    place(8, ALICE, SELL, 90, 1, LIMIT_MAKER, 0),
    place(9, ALICE, SELL, 0, 2, MARKET, 0),
    place(10, ALICE, BUY, 0, 0, MARKET, 0, quote_quantity_e8=50 * E8),
    place(11, ALICE, SELL, 105, 2),
    place(12, ALICE, BUY, 105, 1, LIMIT, GTC, stp_mode=DECREMENT),
    place(13, ALICE, BUY, 105, 1, LIMIT, GTC, stp_mode=EXPIRE_TAKER),
    place(14, ALICE, SELL, 500, 10_000),
    AmendCommand(15, 1011, E8 // 2, 0),
    ReplaceCommand(16, 1011, place(16, ALICE, SELL, 106, 1)),
    ReplaceCommand(17, 4444, place(17, ALICE, SELL, 106, 1)),
    cancel(18, 1016),
    cancel(19, 1003, 4711),
    cancel(20, 1021),
    place(21, BOB, BUY, 50, 1),
    place(22, BOB, BUY, 50, 1, LIMIT, GTC, valid_until_ns=1),
    place(1, ALICE, SELL, 101, 5),
)


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
def engine_process(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `ordergate engine` as its own process; yield it and the address it prints."""
    program = (
        "import typer; from gateway.commands import engine; app = typer.Typer(); "
        "app.callback()(lambda: None); engine.register(app); app()"
    )
    command = [sys.executable, "-c", program, "engine", "--port", str(port), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
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


def test_scenario_is_the_same_on_both_engines() -> None:
    """Embedded and remote engines give the same results and reports for the same commands."""

    async def run() -> None:
        local = Gate()
        embedded = EmbeddedEngine(MatchingExchange(), time.time_ns)
        embedded.start(local.sink, local)
        fund(embedded)
        for command in SCENARIO[:-1]:
            embedded.send(command)
        with engine_process() as (process, address):
            far = Gate()
            async with linked(address, far) as remote:
                fund(remote)
                for command in SCENARIO[:-1]:
                    remote.send(command)
                await far.until(lambda: len(far.results()) == len(SCENARIO) - 1)
                await far.until(lambda: len(far.trades) == len(local.trades))
            assert tellable(far) == tellable(local)
            assert [msgspec.structs.replace(t, engine_ns=0) for t in far.trades] == [
                msgspec.structs.replace(t, engine_ns=0) for t in local.trades
            ]
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0

    asyncio.run(run())


def test_scenario_exercises_every_kind_of_answer() -> None:
    """The scenario has fills, refusals, tombstones, prevented trades and all report kinds."""
    gate = Gate()
    engine = EmbeddedEngine(MatchingExchange(), time.time_ns)
    engine.start(gate.sink, gate)
    fund(engine)
    for command in SCENARIO:
        engine.send(command)
    kinds = {type(event).__name__ for event in gate.events}
    assert kinds >= {"BalanceAdjusted", "CommandResult", "OrderTrade", "OrderReduced"}
    reasons = {result.reason for result in gate.results()}
    assert reasons >= {
        None,
        Reason.ENGINE_NO_LIQUIDITY,
        Reason.ENGINE_WOULD_TAKE,
        Reason.ENGINE_INSUFFICIENT_BALANCE,
        Reason.ENGINE_UNKNOWN_ORDER,
        Reason.ENGINE_TOMBSTONED,
        Reason.ENGINE_STALE,
        Reason.ENGINE_DUPLICATE_ORDER,
    }
    assert any(result.fills for result in gate.results())
    assert any(result.prevented_e8 for result in gate.results())


def test_broken_link_is_resumed_without_loss() -> None:
    """Events and results that a broken link swallowed come after it, in their first order."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            fund(engine)
            engine.send(place(1, ALICE, SELL, 101, 5))
            await gate.until(lambda: len(gate.results()) == 1)
            epoch = engine.epoch
            await host.down()
            await gate.until(lambda: gate.sessions()[-1].connected is False)
            # The venue goes on while the gate is away: this is told later.
            host.enter_from_web("bob", BUY, 101, 2)
            await host.up()
            await gate.until(lambda: any(isinstance(e, MarketTrade) for e in gate.events))
            await gate.until(lambda: any(isinstance(e, MarketOrder) for e in gate.events))
            assert engine.epoch == epoch
            seqs = [report.engine_seq for report in gate.reports()]
            assert seqs == list(range(1, len(seqs) + 1))
            trade = next(event for event in gate.events if isinstance(event, OrderTrade))
            assert (trade.order_id, trade.fill.quantity_e8) == (1001, 2 * E8)
            market = next(event for event in gate.events if isinstance(event, MarketTrade))
            assert (market.buy_channel, market.buy_owner, market.sell_owner) == (CHANNEL_WEB, 6, 5)
        await host.down()

    asyncio.run(run())


def test_commands_in_flight_are_settled_after_a_broken_link() -> None:
    """What arrived is answered as it was, what did not is refused; cancels are sent again."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            fund(engine)
            engine.send(place(1, ALICE, SELL, 101, 5))
            engine.send(place(2, ALICE, SELL, 102, 5))
            await gate.until(lambda: len(gate.results()) == 2)
            # Written to nobody: these are in flight when the link breaks.
            await host.down()
            engine.send(place(3, ALICE, SELL, 103, 5))
            engine.send(cancel(4, 1001))
            await gate.until(lambda: not engine.connected)
            engine.send(cancel(5, 1002))
            engine.send(place(6, ALICE, SELL, 104, 5))
            await host.up()
            await gate.until(lambda: len(gate.results()) == 6)
            results = {result.command_id: result for result in gate.results()}
            assert results[3].reason == results[6].reason == Reason.ENGINE_UNAVAILABLE
            assert results[4].accepted
            assert results[4].ended[0].order_id == 1001
            assert results[5].ended[0].order_id == 1002
            assert list(host.venue.exchange.open_orders()) == []
        await host.down()

    asyncio.run(run())


def test_result_lost_with_the_link_is_given_after_it() -> None:
    """A command carried out before the link broke is answered afterwards, and done once."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            fund(engine)
            await gate.until(lambda: len(gate.reports()) == 4)
            # The link swallows the answer: the venue has it, the gate never hears of it.
            link, host.server._link = host.server._link, None
            order = place(1, ALICE, SELL, 101, 5)
            host.venue.take(command_message(GateNames(gate.directory), order))
            engine._unanswered[1] = order
            host.server._link = link
            await host.down()
            await host.up()
            await gate.until(gate.results)
            assert gate.results()[0].accepted
            assert [one.order_id for one in host.venue.exchange.open_orders()] == [1001]
        await host.down()

    asyncio.run(run())


def test_new_epoch_loses_orders_and_keeps_balances() -> None:
    """A restarted engine is a new epoch: what was in flight is lost, balances are taken over."""

    async def run() -> None:
        gate = Gate()

        def balances() -> list[tuple[int, int, int]]:
            totals: dict[tuple[int, int], int] = {}
            for event in gate.events:
                if isinstance(event, BalanceAdjusted):
                    holding = event.account, event.asset
                    totals[holding] = totals.get(holding, 0) + event.delta_e8
            return [(*holding, total_e8) for holding, total_e8 in totals.items()]

        with engine_process() as (process, address):
            port = int(address.rpartition(":")[2])
            async with linked(address, gate, balances=balances) as engine:
                fund(engine)
                engine.send(place(1, ALICE, SELL, 101, 5))
                await gate.until(lambda: len(gate.results()) == 1)
                old_epoch = engine.epoch
                process.kill()
                process.wait()
                engine.send(place(2, ALICE, SELL, 102, 5))
                engine.send(cancel(3, 1001))
                with engine_process(port):
                    await gate.until(lambda: engine.connected and engine.epoch != old_epoch)
                    sessions = [(s.connected, s.epoch) for s in gate.sessions()]
                    assert sessions == [
                        (False, 0),
                        (True, old_epoch),
                        (False, old_epoch),
                        (True, engine.epoch),
                    ]
                    lost = {result.command_id: result.reason for result in gate.results()}
                    assert lost[2] in (Reason.ENGINE_LOST, Reason.ENGINE_UNAVAILABLE)
                    assert lost[3] == Reason.ENGINE_LOST
                    # Balances are as they were: the whole funding can be sold, and no more.
                    engine.send(place(4, ALICE, SELL, 101, 1_001))
                    engine.send(place(5, ALICE, SELL, 101, 1_000))
                    await gate.until(lambda: len(gate.results()) == 5)
                    assert gate.results()[-2].reason == Reason.ENGINE_INSUFFICIENT_BALANCE
                    assert gate.results()[-1].accepted

    asyncio.run(run())


def test_gate_with_another_record_gets_a_new_epoch() -> None:
    """Orders belong to one gate's record: a gate that knows nothing of them ends them."""

    async def run() -> None:
        host, first = Breakable(), Gate()
        address = await host.up()
        async with linked(address, first) as engine:
            fund(engine)
            engine.send(place(1, ALICE, SELL, 101, 5))
            await first.until(lambda: len(first.results()) == 1)
            old_epoch = engine.epoch
        second = Gate()
        async with linked(address, second) as engine:
            assert engine.epoch != old_epoch
            # The venue is right about balances, and says so in its own sequence.
            await second.until(lambda: len(second.reports()) == 4)
            assert [report.engine_seq for report in second.reports()] == [1, 2, 3, 4]
            assert {
                (report.account, report.asset, report.delta_e8)
                for report in second.reports()
                if isinstance(report, BalanceAdjusted)
            } == {
                (ALICE, BTC, 1_000 * E8),
                (ALICE, USDT, 100_000 * E8),
                (BOB, BTC, 1_000 * E8),
                (BOB, USDT, 100_000 * E8),
            }
            assert list(host.venue.exchange.open_orders()) == []
        await host.down()

    asyncio.run(run())


def test_market_data_and_references_arrive() -> None:
    """Depth, public trades and references come by name; depth() shows the newest depth."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            assert engine.depth(SYMBOL, 5).bids == ()
            fund(engine)
            engine.set_symbol_state(SYMBOL, SYMBOL_HALT)
            engine.send(place(1, ALICE, SELL, 101, 5))
            engine.set_symbol_state(SYMBOL, SYMBOL_TRADING)
            engine.send(place(2, ALICE, SELL, 101, 5))
            engine.send(place(3, ALICE, SELL, 102, 5))
            engine.send(place(4, BOB, BUY, 101, 2))
            await gate.until(
                lambda: any(isinstance(e, Reference) and e.last_e8 == 101 * E8 for e in gate.events)
            )
            await gate.until(lambda: engine.depth(SYMBOL, 1).asks == ((101 * E8, 3 * E8),))
            assert engine.depth(SYMBOL, 9).asks == ((101 * E8, 3 * E8), (102 * E8, 5 * E8))
            assert gate.results()[0].reason == Reason.ENGINE_SYMBOL_CLOSED
            assert (gate.trades[0].symbol, gate.trades[0].price_e8) == (SYMBOL, 101 * E8)
            # A trade the venue annuls is told in its sequence, by name.
            bust = host.venue.exchange.bust(1, time.time_ns())
            host.server.publish(host.venue.keep(bust))
            await gate.until(lambda: any(isinstance(e, TradeBust) for e in gate.events))
            told = next(event for event in gate.events if isinstance(event, TradeBust))
            assert (told.symbol, told.buy_account, told.sell_account) == (SYMBOL, BOB, ALICE)
        await host.down()

    asyncio.run(run())


def test_deposit_while_down_is_booked_once() -> None:
    """A deposit made without a link is booked when it comes up, once for all links."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        address = await host.up()
        async with linked(address, gate) as engine:
            fund(engine)
            await gate.until(lambda: len(gate.reports()) == 4)
            await host.down()
            await gate.until(lambda: not engine.connected)
            engine.deposit(ALICE, BTC, 7, "late")
            for _ in range(2):
                await host.up()
                await gate.until(lambda: engine.connected)
                await gate.until(lambda: len(gate.reports()) == 5)
                await host.down()
                await gate.until(lambda: not engine.connected)
            assert host.venue.exchange.ledger.supply_e8(host.venue.names.asset("BTC")) == (
                2_000 * E8 + 7
            )

    asyncio.run(run())


def test_first_item_must_be_a_hello() -> None:
    """The engine refuses a link that begins with anything else."""

    async def run() -> None:
        host = Breakable()
        async with grpc.aio.insecure_channel(await host.up()) as channel:
            call = EngineStub(channel).Link()
            await call.write(wire.GateMessage(items=[wire.GateItem(acknowledge={"last_seq": 1})]))
            with pytest.raises(grpc.aio.AioRpcError, match="hello"):
                await call.read()
        await host.down()

    asyncio.run(run())


def test_port_that_is_taken_is_an_error_with_exit_code_2() -> None:
    """`ordergate engine` on a taken port says so and ends with exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(json.JSONDecodeError), engine_process(taken.getsockname()[1]) as _:
            pytest.fail("the engine started on a taken port")
