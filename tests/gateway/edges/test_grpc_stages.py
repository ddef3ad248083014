"""Where the time of requests goes that come over gRPC or aiohttp: stages add up to the whole."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.app import Gate
from gateway.config import KeyConfig, ListenConfig, RecordConfig, TelemetryConfig
from gateway.stages import STAGE_NAMES, WHOLE, Stages
from gateway.turns import Turns
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.endpoints import Endpoint
from rules.events import Place
from rules.reasons import Reason
from tests.gateway.edges.grpc_world import (
    KEY,
    PATH,
    SECRET,
    World,
    call,
    limit_order,
    metadata,
    refused,
    run,
)
from tests.gateway.edges.test_grpc_sessions import Client, entry
from tests.gateway.edges.test_grpc_turns import late
from tests.gateway.gate_world import Client as RestClient
from tests.gateway.gate_world import config, running

TRACED = TelemetryConfig(stages=True)
CHANGES: dict[str, Any] = {
    "telemetry": TRACED,
    "keys": (
        KeyConfig(name=KEY, account="alice", secret=SECRET.decode(), permissions=("read", "trade")),
    ),
}


def spent(stages: Stages, endpoint: Endpoint, requests: int) -> dict[str, int]:
    """Return the sum of each stage, after a look whether they make up the whole of so many."""
    spreads = stages.spreads[endpoint]
    assert sum(spread.total_ns for spread in spreads[:WHOLE]) == spreads[WHOLE].total_ns
    assert {spread.number for spread in spreads} == {requests}
    return dict(zip(STAGE_NAMES, (spread.total_ns for spread in spreads[:WHOLE]), strict=True))


async def until_measured(stages: Stages, requests: int) -> None:
    """Wait until so many answers have left; that is known a moment after the client has one."""
    async with asyncio.timeout(20):
        while sum(spreads[WHOLE].number for spreads in stages.spreads.values()) < requests:
            await asyncio.sleep(0.001)
    assert stages.open == 0


def stages_of(gate: Gate) -> Stages:
    """Return the tracer of a gate that has one."""
    assert gate.stages is not None
    return gate.stages


def follow(world: World, stages: Stages) -> None:
    """Have the core of a world tell of what it decides, as the gate's does."""
    decide = world.core._decide

    def told(event: Any, reply: Any) -> None:
        stages.decide(len(world.core.record) + 1, event, reply)
        decide(event, reply)

    world.core._decide = told  # type: ignore[method-assign]


def order() -> wire.PlaceRequest:
    """Return an order of a hundredth of a coin, which the rulebook `bench` takes."""
    return limit_order(50_000, quantity_e8=1_000_000)


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_stages_of_calls_add_up(tmp_path: Path, durability: Any) -> None:
    """Orders, refusals and methods that do not exist, where answers wait for a disk or not."""

    async def scenario() -> None:
        record = RecordConfig(data=tmp_path, segment_bytes=1 << 20, durability=durability)
        async with running(config(tmp_path, record=record, **CHANGES)) as gate:
            stages, address = stages_of(gate), f"127.0.0.1:{gate.ports['grpc']}"
            async with grpc.aio.insecure_channel(address) as channel:
                await asyncio.gather(*(call(channel, "Place", order()) for _ in range(20)))
                raw = limit_order(-1).SerializeToString()
                await refused(channel, f"{PATH}Place", raw, metadata("Place", raw))
                unknown = channel.unary_unary(f"{PATH}Nonsense")
                with pytest.raises(grpc.aio.AioRpcError):
                    await unknown(b"")
                await until_measured(stages, 22)
            placed = spent(stages, Endpoint.ORDER_PLACE, 21)
            assert all(placed.values()), placed
            assert spent(stages, Endpoint.UNKNOWN, 1)["engine"] == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_stages_of_a_session_add_up(tmp_path: Path, durability: Any) -> None:
    """Logon, batches and single messages; each entry is a request, authenticated with the logon."""

    async def scenario() -> None:
        record = RecordConfig(data=tmp_path, segment_bytes=1 << 20, durability=durability)
        async with running(config(tmp_path, record=record, **CHANGES)) as gate:
            stages, address = stages_of(gate), f"127.0.0.1:{gate.ports['grpc']}"
            async with grpc.aio.insecure_channel(address) as channel:
                client = Client(channel)
                await client.log_on()
                await client.send(entries=[entry(n, place=order()) for n in range(1, 41)])
                for number in range(41, 51):
                    await client.send(entries=[entry(number, place=order())])
                await client.send(entries=[entry(60), entry(60)])
                await client.read(52)
                await until_measured(stages, 53)
                assert await client.end() is grpc.StatusCode.OK
            placed = spent(stages, Endpoint.ORDER_PLACE, 50)
            assert [name for name, total in placed.items() if not total] == ["authenticate"]
            assert spent(stages, Endpoint.UNKNOWN, 2)["engine"] == 0
            assert spent(stages, Endpoint.SESSION_LOGON, 1)["authenticate"]
            shown = gate.telemetry.exposition().decode()
            assert (
                'stage_latency_seconds_count{endpoint="order_place",stage="edge_out"} 50' in shown
            )
            answers = gate.telemetry.answers
            assert answers[Endpoint.ORDER_PLACE, 0] == 50
            assert answers[Endpoint.SESSION_LOGON, 0] == 1

    asyncio.run(scenario())


def test_stages_over_aiohttp_add_up(tmp_path: Path) -> None:
    """Also of what aiohttp can't read."""

    async def scenario() -> None:
        listen = ListenConfig(rest_port=0, grpc_port=-1, admin_port=0, rest_edge="aiohttp")
        async with running(config(tmp_path, listen=listen, telemetry=TRACED)) as gate:
            stages, client = stages_of(gate), RestClient(gate)
            for _ in range(3):
                assert (await client.place()).status == 200
            assert (await client.place(quantity="-1")).status == 400
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.ports["rest"])
            writer.write(b"nonsense\r\n\r\n")
            await reader.read()
            writer.close()
            await until_measured(stages, 5)
            placed = spent(stages, Endpoint.ORDER_PLACE, 4)
            assert all(placed.values()), placed
            spent(stages, Endpoint.UNKNOWN, 1)

    asyncio.run(scenario())


def test_nothing_of_calls_is_traced_unless_asked_for() -> None:
    """No reply has a trace."""

    async def test(world: World) -> None:
        replies: list[Any] = []
        submit = world.core.submit

        def seen(event: Any, reply: Any = None) -> None:
            replies.append(reply)
            submit(event, reply)

        world.core.submit = seen  # type: ignore[method-assign]
        async with world.channel() as channel:
            await call(channel, "Place", limit_order())
            client = Client(channel)
            await client.log_on()
            await client.send(entries=[entry(1, place=limit_order())])
            await client.read(1)
        assert len([reply for reply in replies if reply is not None]) == 3
        assert all(getattr(reply, "trace", None) is None for reply in replies)

    run(test)


def test_what_is_sent_away_is_not_traced() -> None:
    """Neither calls nor entries of a session; what is decided between them is."""

    async def test(world: World) -> None:
        stages = Stages()
        follow(world, stages)
        async with (
            world.serve(turns=late(), stages=stages) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            raw = limit_order().SerializeToString()
            await refused(channel, f"{PATH}Place", raw, metadata("Place", raw))
            client = Client(channel)
            await client.log_on()
            cancel = wire.CancelRequest(symbol="BTCUSDT", order_id=2)
            entries = [entry(1, place=limit_order()), entry(2, cancel=cancel)]
            await client.send(entries=entries)
            answers = await client.read(2)
            assert answers[0].refused.reason == Reason.OVERLOADED
            await until_measured(stages, 2)
        assert set(stages.spreads) == {Endpoint.SESSION_LOGON, Endpoint.ORDER_CANCEL}

    run(test)


def test_a_client_that_vanishes_leaves_no_trace() -> None:
    """What is answered to nobody is not measured, and nothing of it is kept."""

    async def test(world: World) -> None:
        stages = Stages()
        follow(world, stages)
        async with (
            world.serve(turns=Turns(), stages=stages) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            world.core.held = True
            calling = asyncio.create_task(call(channel, "Place", limit_order()))
            async with asyncio.timeout(20):
                while not world.events(Place):
                    await asyncio.sleep(0.001)
            calling.cancel()
            await asyncio.sleep(0.05)
            world.core.release()
            assert stages.open == 0
        assert Endpoint.ORDER_PLACE not in stages.spreads

    run(test)
