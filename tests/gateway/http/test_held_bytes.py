"""What requests may hold of the gate's memory: each connection, and all of them together."""

import asyncio
import socket
from contextlib import suppress

import pytest

from gateway.edges.http.edge import HttpEdge
from gateway.edges.http.exchange import Exchange
from gateway.edges.http.room import Room
from tests.gateway.edges.rest_world import RecordingCore, run
from tests.gateway.http.hostile import CHUNKED, GET, NEXT, POST
from tests.gateway.http.http_world import client, serving, until
from tests.gateway.http.test_reader import reader


def post(size: int) -> bytes:
    """Return a request with a body."""
    return (
        b"POST /api/order HTTP/1.1\r\nHost: gate\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    )


def edge_of(edge: object) -> HttpEdge:
    """Return the edge as what it is."""
    assert isinstance(edge, HttpEdge)
    return edge


def test_no_more_is_read_of_a_connection_than_may_be_held() -> None:
    """Large requests wait in the network; small ones are bounded by their number. None is lost."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        size = 10_000
        bounds = {"held_bytes": 50_000}
        async with serving(core, **bounds) as (dialect, port, _), client(port) as one:
            one.send(post(size) * 100 + NEXT * 100)
            await until(lambda: len(core.waiting) > 3)
            for _ in range(20):
                await asyncio.sleep(0.005)
            # What is read further is what one read brought.
            assert len(core.waiting) <= 50_000 // size + 2
            for _ in range(200):
                await until(lambda: bool(core.waiting))
                core.waiting.pop(0)()
            answers = [await one.answer() for _ in range(200)]
        numbers = [answer.seq for answer in answers if answer is not None]
        assert len(numbers) == 200
        assert numbers == sorted(numbers)
        assert [len(each.body) for each in dialect.seen] == [size] * 100 + [0] * 100

    run(scenario())


def test_long_bodies_share_a_room() -> None:
    """Where it is full a further long body is refused; ordinary ones are not, and room comes back."""

    async def scenario() -> None:
        core = RecordingCore()
        bounds = {"small_body_bytes": 1_000, "long_bodies_bytes": 5_000}
        async with serving(core, **bounds) as (_, port, served):
            edge = edge_of(served)
            async with client(port) as slow, client(port) as other, client(port) as small:
                slow.send(post(4_000)[:-1])
                await until(lambda: edge.room.left == 5_000 - 3_999)
                other.send(post(2_000) + NEXT)
                (refused,) = await other.answers()
                assert refused.status == 413
                small.send(post(1_000))
                answered = await small.answer()
                assert answered is not None
                assert answered.status == 200
                slow.send(b"x")
                answered = await slow.answer()
                assert answered is not None
                assert answered.status == 200
                assert edge.room.left == 5_000
                slow.send(post(4_500)[:-1])
                await until(lambda: edge.room.left < 1_000)
            await until(lambda: edge.room.left == 5_000)

    run(scenario())


@pytest.mark.parametrize("late", [False, True])
def test_room_comes_back_from_clients_that_vanish(late: bool) -> None:
    """Whatever they left behind: half a body, a request without an answer, a refused one."""

    async def scenario() -> None:
        core = RecordingCore(late=late)
        chunks = POST + CHUNKED + b"400\r\n" + b"x" * 1_024 + b"\r\n"
        bounds = {"small_body_bytes": 100, "long_bodies_bytes": 500_000, "body_max": 100_000}
        async with serving(core, **bounds) as (_, port, served):
            edge = edge_of(served)
            for sent in (
                post(4_000),
                post(4_000)[:-1],
                post(4_000) * 3 + b"nonsense\r\n\r\n",
                post(100_001),
                chunks,
                chunks + b"zz\r\n",
                GET + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n",
            ):
                async with client(port) as one:
                    one.send(sent)
                    await one.writer.drain()
                    await asyncio.sleep(0.02)
            while edge.connections or edge.room.left < 500_000:
                while core.waiting:
                    core.waiting.pop(0)()
                await asyncio.sleep(0.001)

    run(scenario())


def test_what_a_request_holds_is_exact() -> None:
    """Target, headers and body; nothing up to a kilobyte; nothing when all are let go."""
    one = reader(small_body_bytes=2_000)
    fixed = len(b"/api/order" + b"Hostgate" + b"Content-Length999")

    def held(size: int) -> int:
        before = one.held_bytes
        one.feed(post(size), 1, 2)
        return one.held_bytes - before

    assert held(1_023 - fixed) == held(1_024 - fixed) == 0
    assert held(1_025 - fixed) == 1_025
    # Where the head came before, its other bytes count, too.
    assert held(1_025 - fixed) == len(post(1_025 - fixed))
    assert held(3_000) == 3_001 + fixed
    exchanges = list(one.arrived)
    assert [each.long_bytes for each in exchanges] == [0, 0, 0, 0, 3_000]
    for each in exchanges:
        one.let_go(each)
    assert one.held_bytes == 0


def test_an_idle_connection_holds_no_body() -> None:
    """Once a request is handed over its body is the request's alone."""
    room = Room(10_000)
    one = reader(room, small_body_bytes=100)
    one.feed(post(5_000), 1, 2)
    assert room.left == 5_000
    exchange: Exchange = one.arrived.popleft()
    one.let_go(exchange)
    assert room.left == 10_000
    assert not one._parts


def test_unread_answers_share_a_room() -> None:
    """Who reads nothing while it is full is cut off at once; it comes back with the connections."""

    async def scenario() -> None:
        core = RecordingCore()
        bounds = {"unread_bytes": 100_000, "write_seconds": 60.0}
        async with serving(core, **bounds) as (_, port, served):
            edge = edge_of(served)
            silent = [await silent_client(port) for _ in range(3)]
            # The buffers of one are over 64 KiB when it is noticed, so there is room for one.
            await until(lambda: edge.connections == 1)
            assert 0 <= edge.unread.left < 40_000
            for one in silent:
                one.close()
            await until(lambda: edge.connections == 0)
            assert edge.unread.left == 100_000

    run(scenario())


async def silent_client(port: int) -> socket.socket:
    """Send requests until no more are taken, and read nothing."""
    one = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    one.setblocking(False)
    with suppress(TimeoutError, ConnectionError):
        while True:
            async with asyncio.timeout(0.5):
                await asyncio.get_running_loop().sock_sendall(one, NEXT * 1_000)
    return one
