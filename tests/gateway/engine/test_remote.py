"""The engine in another process does what the embedded one does."""

import asyncio
import json
import signal
import socket
import subprocess
import time

import grpc
import msgspec
import pytest

from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.port import (
    AmendCommand,
    Command,
    ReplaceCommand,
)
from gateway.stub.exchange import MatchingExchange
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from gateway.wire.ordergate.v1.engine_pb2_grpc import EngineStub
from rules.events import (
    Reference,
    TradeBust,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    DECREMENT,
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
from tests.gateway.engine.link_world import (
    ALICE,
    BOB,
    SECONDS,
    SYMBOL,
    Breakable,
    Gate,
    cancel,
    engine_process,
    fund,
    linked,
    place,
    tellable,
)

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


def test_an_engine_stopped_while_a_gate_is_linked_ends_quietly() -> None:
    """Ctrl-C prints nothing and ends with exit code 0."""

    async def run() -> None:
        with engine_process(stderr=subprocess.PIPE) as (process, address):
            async with linked(address, Gate()):
                process.send_signal(signal.SIGINT)
                _, told = await asyncio.to_thread(process.communicate, timeout=SECONDS)
        assert (process.returncode, told) == (0, "")

    asyncio.run(run())


def test_port_that_is_taken_is_an_error_with_exit_code_2() -> None:
    """`ordergate engine` on a taken port says so and ends with exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(json.JSONDecodeError), engine_process(taken.getsockname()[1]) as _:
            pytest.fail("the engine started on a taken port")
