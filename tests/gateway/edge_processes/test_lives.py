"""Edge processes live and die: what they had in hand, who is told, and what goes on."""

import asyncio
import os
import re
import signal
import socket
from pathlib import Path
from typing import Final

import pytest

from gateway.app import Gate, StartError
from gateway.config import ListenConfig, RecordConfig
from gateway.edges.processes import supervisor
from gateway.journal import find_run, read_run
from gateway.journal.verify import verify_run
from gateway.replay import replay
from rules.events import Place, Query
from tests.gateway.edge_processes.edge_world import (
    Wire,
    ask,
    edged,
    placement,
    request,
    status,
    until,
    wire,
)
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import config, running

_ORDER_ID: Final = re.compile(rb'"orderId":([0-9]+)')
_NAME: Final = re.compile(rb'"clientOrderId":"([a-z0-9-]+)"')


def names(answers: list[bytes]) -> list[str]:
    """Return the client order ids in answers."""
    return [found[1].decode() for found in map(_NAME.search, answers) if found]


def recorded_names(data: Path) -> list[str]:
    """Return the client order ids of all placements in the record, in its order."""
    events = (record.event for record in read_run(find_run(data).path))
    return [event.client_order_id for event in events if isinstance(event, Place)]


def whole(data: Path) -> None:
    """Check that the last run's record is sound and decides the same again."""
    assert verify_run(find_run(data).path).exit_code == 0
    report = replay(find_run(data))
    assert report.difference is None
    assert report.records > 0


async def pipelined(connection: Wire, orders: list[bytes]) -> list[bytes]:
    """Send orders as one piece of bytes and return the answers."""
    connection.writer.write(b"".join(orders))
    return [await connection.answer() for _ in orders]


def test_pipelined_over_many_connections(tmp_path: Path) -> None:
    """Answers come in the order of each connection's requests, whatever they are."""
    data = tmp_path / "data"

    async def one(gate: Gate, number: int) -> None:
        sent = [f"c{number}-{place}" for place in range(40)]
        orders = [placement(gate, newClientOrderId=name) for name in sent]
        ping = request("GET", "/api/v3/ping", "")
        async with wire(gate) as connection:
            mixed = [piece for order in orders for piece in (order, ping)]
            answers = await pipelined(connection, mixed)
        assert [status(answer) for answer in answers] == [200] * 80
        assert names(answers) == sent
        assert all(answer.endswith(b"{}") for answer in answers[1::2])

    async def scenario() -> None:
        async with edged(data) as gate:
            await asyncio.gather(*(one(gate, number) for number in range(8)))
            assert len(gate.core.book.orders) == 320

    run(scenario())
    placed = recorded_names(data)
    assert len(placed) == 320
    for number in range(8):
        mine = [name for name in placed if name.startswith(f"c{number}-")]
        assert mine == [f"c{number}-{place}" for place in range(40)]
    whole(data)


def test_an_edge_is_killed(tmp_path: Path) -> None:
    """Its clients lose their connections; what the core had is recorded; another takes its place."""
    data = tmp_path / "data"

    async def flood(gate: Gate, number: int) -> list[str]:
        async with wire(gate) as connection:
            orders = [placement(gate, newClientOrderId=f"k{number}-{n}") for n in range(60)]
            return names(await pipelined(connection, orders))

    answered: list[str] = []

    async def scenario() -> None:
        async with edged(data) as gate:
            first = gate.rest.pids
            tasks = [asyncio.create_task(flood(gate, number)) for number in range(8)]
            await until(lambda: len(gate.core.book.orders) > 40)
            os.kill(first[0], signal.SIGKILL)
            answered.extend(name for told in await asyncio.gather(*tasks) for name in told)
            await until(lambda: gate.rest.deaths == 1 and gate.rest.serving == 2)
            assert gate.rest.pids[0] != first[0]
            assert gate.rest.pids[1] == first[1]
            for _ in range(8):
                assert status(await ask(gate, placement(gate))) == 200

    run(scenario())
    placed = recorded_names(data)
    assert answered
    assert set(answered) <= set(placed)
    named = list(filter(None, placed))
    assert len(set(named)) == len(named)
    whole(data)


def test_edges_end_with_the_gate(tmp_path: Path) -> None:
    """A stop answers what is under way, and leaves no process behind."""
    data = tmp_path / "data"

    async def scenario() -> None:
        async with edged(data) as gate:
            pids = gate.rest.pids
            async with wire(gate) as idle, wire(gate) as busy:
                assert status(await idle.ask(placement(gate))) == 200
                orders = [placement(gate, newClientOrderId=f"s-{n}") for n in range(30)]
                busy.writer.write(b"".join(orders))
                await until(lambda: len(gate.core.book.orders) > 5)
                stopping = asyncio.create_task(gate.stop())
                answers = []
                while answer := await busy.answer():
                    answers.append(answer)
                assert await idle.answer() == b""
                await stopping
            assert names(answers) == [f"s-{n}" for n in range(len(answers))]
            assert gate.fault == ""
            assert not any(Path(f"/proc/{pid}").exists() for pid in pids)

    run(scenario())
    whole(data)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Two gates never share a port, although the edges of each do."""

    async def scenario() -> None:
        async with edged(tmp_path / "first") as first:
            listen = ListenConfig(
                rest_port=first.ports["rest"], grpc_port=-1, admin_port=-1, edges=1
            )
            with pytest.raises(StartError, match="can't listen"):
                async with running(config(tmp_path / "second", listen=listen)):
                    pass
            assert status(await ask(first, placement(first))) == 200

    run(scenario())


def test_edges_that_do_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate does not start either, at once, and says so."""
    monkeypatch.setattr(supervisor, "WORKER", "gateway.no_such_module")

    async def scenario() -> None:
        with pytest.raises(StartError, match="an edge process ended before it listened"):
            async with edged(tmp_path / "data"):
                pass

    run(scenario())


def test_an_edge_that_is_asked_to_stop(tmp_path: Path) -> None:
    """SIGTERM lets it answer what it was sent; another takes its place, and nobody is turned away."""

    async def scenario() -> None:
        async with edged(tmp_path / "data", edges=1) as gate, wire(gate) as connection:
            (first,) = gate.rest.pids
            orders = [placement(gate, newClientOrderId=f"t-{n}") for n in range(20)]
            connection.writer.write(b"".join(orders))
            assert status(await connection.answer()) == 200
            os.kill(first, signal.SIGTERM)
            answers = []
            while answer := await connection.answer():
                answers.append(answer)
            assert names(answers) == [f"t-{n}" for n in range(1, len(answers) + 1)]
            # Whoever comes now waits for the next process.
            assert status(await ask(gate, placement(gate))) == 200
            assert gate.rest.pids != (first,)
            assert len(gate.core.book.orders) == len(answers) + 2

    run(scenario())


def test_an_edge_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed, and another takes its place."""
    monkeypatch.setattr(supervisor, "SILENT_LOOKS_MAX", 3)

    async def scenario() -> None:
        async with edged(tmp_path / "data", edges=1) as gate:
            (first,) = gate.rest.pids
            os.kill(first, signal.SIGSTOP)
            # Whoever comes now waits until then, on a busy machine for longer than usual orders may.
            assert status(await ask(gate, placement(gate, recvWindow="60000"))) == 200
            assert gate.rest.deaths >= 1
            assert gate.rest.pids != (first,)

    run(scenario())


def test_on_every_address_of_a_host(tmp_path: Path) -> None:
    """A name that stands for several addresses is listened on at all of them."""

    async def scenario() -> None:
        listen = ListenConfig(host="localhost", rest_port=0, grpc_port=-1, admin_port=-1, edges=2)
        async with edged(tmp_path / "data", listen=listen) as gate:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo("localhost", gate.ports["rest"], type=socket.SOCK_STREAM)
            for host in {address[4][0] for address in found}:
                reader, writer = await asyncio.open_connection(host, gate.ports["rest"])
                writer.write(placement(gate))
                assert status(await Wire(reader, writer).answer()) == 200
                writer.close()

    run(scenario())


def test_with_the_disk_confirming(tmp_path: Path) -> None:
    """With durability `disk` answers come when the record is safe, and in order."""
    data = tmp_path / "data"
    record = RecordConfig(data=data, segment_bytes=1 << 20, durability="disk", reserve="")

    async def scenario() -> None:
        async with edged(data, record=record) as gate, wire(gate) as connection:
            orders = [placement(gate, newClientOrderId=f"d-{n}") for n in range(20)]
            assert names(await pipelined(connection, orders)) == [f"d-{n}" for n in range(20)]

    run(scenario())
    whole(data)


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    """Each request has one decision, those that were passed on too."""
    data = tmp_path / "data"

    async def scenario() -> None:
        async with edged(data, edges=1) as gate:
            for _ in range(3):
                assert status(await ask(gate, placement(gate))) == 200
                assert status(await ask(gate, request("GET", "/api/v3/ping", ""))) == 200

    run(scenario())
    events = [record.event for record in read_run(find_run(data).path)]
    assert sum(isinstance(event, Place) for event in events) == 3
    assert sum(isinstance(event, Query) for event in events) == 3
