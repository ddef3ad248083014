"""An edge behind which there is little room: less urgent requests wait in it, urgent ones pass."""

import asyncio

from gateway.edges.http.edge import HttpEdge
from gateway.lanes import CANCELS, LANES, ORDERS
from tests.gateway.edges.rest_world import RecordingCore, run

from .http_world import client, serving, until

ORDER = b"POST /api/order HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
CANCEL = b"DELETE /api/cancel HTTP/1.1\r\nHost: a\r\n\r\n"


def decided(core: RecordingCore) -> int:
    """Return how many requests were decided."""
    return len(core.requests)


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(50):
        await asyncio.sleep(0.001)


def test_closed_lanes_wait_and_go_on_in_order() -> None:
    """What comes meanwhile is decided when the lane is open again, and answered in order."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (_, port, edge), client(port) as one, client(port) as two:
            assert isinstance(edge, HttpEdge)
            edge.open(ORDERS)
            one.send(ORDER * 3)
            two.send(CANCEL * 3)
            for _ in range(3):
                answer = await two.answer()
                assert answer is not None
                assert answer.status == 200
            await settled()
            assert decided(core) == 3
            edge.open(LANES)
            seqs = [answer.seq for _ in range(3) if (answer := await one.answer())]
            assert seqs == sorted(seqs)
            assert decided(core) == 6

    run(scenario())


def test_nothing_is_read_for_long_while_all_are_closed() -> None:
    """A client that sends on is no longer read from, and loses nothing."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, waiting_requests=10) as (_, port, edge), client(port) as one:
            assert isinstance(edge, HttpEdge)
            edge.open(CANCELS)
            one.send(ORDER * 2_000)
            await settled()
            assert decided(core) == 0
            (connection,) = edge._connections
            assert not connection._reading
            assert connection.waiting < 1_000
            edge.open(LANES)
            for _ in range(2_000):
                assert await one.answer() is not None
            assert decided(core) == 2_000

    run(scenario())


def test_what_is_in_line_already_waits_too() -> None:
    """Closing lanes holds for requests that had their place in line before."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (_, port, edge), client(port) as one:
            assert isinstance(edge, HttpEdge)
            submit = core.submit

            def submit_one(*asked: object) -> None:
                edge.open(CANCELS)
                submit(*asked)  # type: ignore[arg-type]

            core.submit = submit_one  # type: ignore[method-assign, assignment]
            one.send(ORDER * 20)
            assert await one.answer() is not None
            await settled()
            assert decided(core) == 1
            core.submit = submit  # type: ignore[method-assign]
            edge.open(LANES)
            for _ in range(19):
                assert await one.answer() is not None

    run(scenario())


def test_a_client_that_leaves_while_it_waits() -> None:
    """What it sent is decided all the same once there is room."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (_, port, edge):
            assert isinstance(edge, HttpEdge)
            edge.open(CANCELS)
            async with client(port) as one:
                one.send(ORDER * 3)
                await until(lambda: edge.connections == 1)
                await settled()
            await settled()
            assert decided(core) == 0
            edge.open(LANES)
            await until(lambda: decided(core) == 3)
            await until(lambda: edge.connections == 0)

    run(scenario())
