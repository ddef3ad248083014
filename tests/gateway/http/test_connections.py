"""How connections share the edge, wait, and end; over real sockets."""

import asyncio
import re
import socket
import struct
from contextlib import AsyncExitStack

import msgspec

from gateway.dialects.http import HttpRequest, HttpResponse, Parsed
from gateway.edges.http.edge import HttpEdge
from gateway.outcome import Outcome
from rules.events import RefusedRequest, Request
from rules.values import AUTH_NOT_CHECKED, AUTH_OK
from tests.gateway.edges.rest_world import EchoDialect, RecordingCore, exchange, get, run
from tests.gateway.http.hostile import GET, NEXT, POST
from tests.gateway.http.http_world import WatchedCore, client, serving, until


def details(core: RecordingCore) -> list[str]:
    """Return why each refused request was refused."""
    return [event.detail for event in core.requests if isinstance(event, RefusedRequest)]


def test_answers_keep_the_order_of_the_requests() -> None:
    """Whichever outcome comes first, the answers are in order, and none is written before it is."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core) as (_, port, _edge), client(port) as one:
            one.send(NEXT * 5)
            await until(lambda: len(core.waiting) == 5)
            for number in (4, 2, 1, 3):
                core.waiting[number]()
            await asyncio.sleep(0)
            assert not one.reader._buffer  # type: ignore[attr-defined]
            core.waiting[0]()
            seqs = [answer.seq for _ in range(5) if (answer := await one.answer())]
            assert seqs == sorted(seqs)
            assert len(set(seqs)) == 5

    run(scenario())


def test_a_late_answer_lets_later_requests_be_decided() -> None:
    """Pipelined requests are decided without waiting for each other's answers, up to a bound."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core, unanswered_requests=50) as (_, port, _edge), client(port) as one:
            one.send(NEXT * 2_000)
            await until(lambda: len(core.waiting) == 50)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(core.waiting) == 50
            core.waiting.pop(0)()
            await until(lambda: len(core.waiting) == 50)
            core.late = False
            for late in core.waiting:
                late()
            seqs = [answer.seq for _ in range(2_000) if (answer := await one.answer())]
            assert len(seqs) == 2_000
            assert seqs == sorted(seqs)

    run(scenario())


def test_no_connection_holds_up_the_others() -> None:
    """A request that comes while another connection has hundreds waiting is decided after 32."""

    async def scenario() -> None:
        other = socket.socket()

        def send_once() -> None:
            if not sent:
                sent.append(other.send(NEXT.replace(b"/time", b"/other")))

        sent: list[int] = []
        core = WatchedCore(send_once)
        async with serving(core) as (dialect, port, edge):
            assert isinstance(edge, HttpEdge)
            other.connect(("127.0.0.1", port))
            await until(lambda: edge.connections == 1)
            async with client(port) as one:
                one.send(NEXT * 500)
                answers = [await one.answer() for _ in range(500)]
            assert None not in answers
            at = [request.path for request in dialect.seen].index("/api/v3/other")
            assert 16 <= at <= 32
        other.close()

    run(scenario())


def test_thousands_of_requests_at_a_time_are_read_in_pieces() -> None:
    """However much arrives at once, little more is read than may wait; all of it is answered."""

    async def scenario() -> None:
        core = WatchedCore(lambda: most.append(waiting()))
        most: list[int] = []
        async with serving(core) as (_, port, edge), client(port) as one:
            assert isinstance(edge, HttpEdge)

            def waiting() -> int:
                return max(len(connection._arrived) for connection in edge._connections)

            number = 30_000
            one.send(NEXT * number + POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000)
            answers = [await one.answer() for _ in range(number + 1)]
            assert None not in answers
            assert [answer.seq for answer in answers if answer] == sorted(
                answer.seq for answer in answers if answer
            )
        assert len(core.requests) == number + 1
        assert 64 <= max(most) <= 64 + 8_192 // len(NEXT) + 1

    run(scenario())


def test_who_does_not_read_is_not_served_on() -> None:
    """Nothing more is decided for a client whose buffers are full; in the end it is cut off."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, write_seconds=0.2) as (_, port, edge):
            assert isinstance(edge, HttpEdge)
            silent = socket.create_connection(("127.0.0.1", port))
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            silent.setblocking(False)
            sent = 0
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(5):
                    while sent < 200_000:
                        await loop.sock_sendall(silent, NEXT * 1_000)
                        sent += 1_000
            except (TimeoutError, ConnectionError):
                pass
            await until(lambda: edge.connections == 0)
            assert len(core.requests) < 200_000
            silent.close()
            assert (await exchange(port, get(b"/api"))).startswith(b"HTTP/1.1 200")

    run(scenario())


def test_a_client_that_reads_again_is_served_on() -> None:
    """Back-pressure loses nothing: every request is answered once its client reads."""

    class Talkative(EchoDialect):
        def render(self, outcome: Outcome) -> HttpResponse:
            return super().render(outcome)._replace(body=b"x" * 20_000)

    async def scenario() -> None:
        core = RecordingCore()
        serve = serving(core, dialect=Talkative)
        async with serve as (_, port, _edge), client(port, limit=1_024) as one:
            one.send(NEXT * 3_000)
            await until(lambda: len(core.requests) > 50)
            await asyncio.sleep(0.2)
            assert len(core.requests) < 3_000
            seqs = [answer.seq for _ in range(3_000) if (answer := await one.answer())]
            assert len(seqs) == 3_000
            assert seqs == sorted(seqs)

    run(scenario())


def test_slow_heads_are_refused_and_idle_connections_closed() -> None:
    """Time for a head runs from its first byte, whatever trickles in."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, head_seconds=0.2, idle_seconds=0.4) as (_, port, _edge):
            async with client(port) as slow, client(port) as idle, client(port) as served:
                served.send(NEXT)
                slow.send(NEXT + b"GET /api")
                while not details(core):
                    slow.send(b"a")
                    await asyncio.sleep(0.01)
                first, second = await slow.answers()
                assert (first.status, second.status) == (200, 400)
                assert details(core) == ["head not in time"]
                assert await idle.answers() == []
                assert len(await served.answers()) == 1
            assert len(core.requests) == 3

    run(scenario())


def test_trickling_bodies_are_refused() -> None:
    """Time for a body runs from the end of its head, whatever trickles in."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, body_seconds=0.2) as (_, port, _edge):
            async with client(port) as slow:
                slow.send(POST + b"Content-Length: 1000\r\n\r\n")
                while not details(core):
                    slow.send(b"a")
                    await asyncio.sleep(0.01)
                (answer,) = await slow.answers()
                assert answer.status == 400
            assert details(core) == ["body not in time"]

    run(scenario())


def test_a_late_outcome_is_no_idle_connection() -> None:
    """A connection whose answer is still to come is not closed for being quiet."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core, idle_seconds=0.05) as (_, port, _edge), client(port) as one:
            one.send(NEXT)
            await until(lambda: len(core.waiting) == 1)
            await asyncio.sleep(0.3)
            core.waiting.pop()()
            assert await one.answer() is not None
            assert await one.answer() is None

    run(scenario())


def test_expecting_clients_are_told_to_go_on() -> None:
    """`100 Continue` comes in its place among the answers, and only where a body is wanted."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core, body_max=1_000) as (dialect, port, _), client(port) as one:
            one.send(NEXT + POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            await until(lambda: len(core.waiting) == 1)
            core.waiting.pop()()
            statuses = [answer.status for _ in range(2) if (answer := await one.answer())]
            assert statuses == [200, 100]
            one.send(b"abc")
            await until(lambda: len(core.waiting) == 1)
            core.waiting.pop()()
            answer = await one.answer()
            assert answer is not None
            assert answer.status == 200
            assert dialect.seen[-1].body == b"abc"
            core.late = False
            one.send(POST + b"Expect: 100-continue\r\nContent-Length: 1000001\r\n\r\n")
            assert [answer.status for answer in await one.answers()] == [413]

    run(scenario())


class Signed(EchoDialect):
    """Takes a key as proved under /api/signed, and does not look at it under /api/banned."""

    def parse(self, request: HttpRequest) -> Parsed:
        """Turn the request into a query."""
        parsed = super().parse(request)
        auth = {"/api/signed": AUTH_OK, "/api/banned": AUTH_NOT_CHECKED}.get(request.path)
        if auth is None:
            return parsed
        return Parsed(msgspec.structs.replace(parsed.event, auth=auth), parsed.render)


SIGNED = NEXT.replace(b"/api/v3/time", b"/api/signed")


def test_no_more_connections_than_are_allowed() -> None:
    """Beyond those with a proved key one too many is closed unheard; when one ends there is room."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, Signed, connections=2) as (_, port, edge):
            assert isinstance(edge, HttpEdge)
            async with client(port) as first, client(port) as second:
                for one in (first, second):
                    one.send(SIGNED)
                    assert await one.answer() is not None
                async with client(port) as third:
                    assert await third.answers() == []
                assert (edge.connections, edge.refused_connections) == (2, 1)
                for one in (first, second):
                    one.send(NEXT)
                    assert await one.answer() is not None
            await until(lambda: edge.connections == 0)
            assert (await exchange(port, get(b"/api"))).startswith(b"HTTP/1.1 200")
            assert len(core.requests) == 5

    run(scenario())


def test_strangers_make_room_for_whoever_comes() -> None:
    """However many connections are held open, a further one is served; one with a key stays."""

    async def scenario() -> None:
        async with serving(RecordingCore(), Signed, connections=5) as (_, port, edge):
            assert isinstance(edge, HttpEdge)
            async with client(port) as proved, AsyncExitStack() as held:
                proved.send(SIGNED)
                assert await proved.answer() is not None
                strangers = [await held.enter_async_context(client(port)) for _ in range(4)]
                for one in strangers:
                    one.send(NEXT)
                    assert await one.answer() is not None
                more = [await held.enter_async_context(client(port)) for _ in range(40)]
                await until(lambda: edge.refused_connections == 40)
                assert edge.connections == 5
                async with client(port) as newcomer:
                    newcomer.send(SIGNED)
                    assert await newcomer.answer() is not None
                for one in (*strangers, *more[:37]):
                    assert await one.answer() is None
                for one in (proved, *more[37:]):
                    one.send(NEXT)
                    assert await one.answer() is not None
            await until(lambda: edge.connections == 0)

    run(scenario())


def test_what_was_received_is_decided_when_the_client_vanishes() -> None:
    """Requests that arrived whole are decided once each, although nobody hears of it."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core) as (_, port, edge):
            assert isinstance(edge, HttpEdge)
            async with client(port) as one:
                one.send(NEXT * 100 + POST + b"Content-Length: 3\r\n\r\na")
                await until(lambda: len(core.waiting) == 100)
                reset_on_close = struct.pack("ii", 1, 0)
                one.writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close
                )
                one.writer.transport.abort()
                await until(lambda: len(core.waiting) == 101)
            assert details(core) == ["broken body"]
            assert edge.connections == 0
            for late in core.waiting:
                late()
            await asyncio.sleep(0)
            assert isinstance(core.requests[-1], Request)

    run(scenario())


def test_close_ends_every_connection_as_it_should() -> None:
    """Idle ones at once, bodies and late answers when they are complete, half a head never."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core, drain_seconds=5.0) as (dialect, port, edge):
            assert isinstance(edge, HttpEdge)
            async with (
                client(port) as idle,
                client(port) as half,
                client(port) as late,
                client(port) as body,
            ):
                half.send(GET)
                late.send(NEXT * 2)
                body.send(POST + b"Content-Length: 3\r\n\r\na")
                await until(lambda: edge.connections == 4 and len(core.waiting) == 2)
                await asyncio.sleep(0.05)
                closing = asyncio.create_task(edge.close())
                assert await idle.answers() == []
                assert await half.answers() == []
                assert edge.connections == 2
                body.send(b"bc")
                await until(lambda: len(core.waiting) == 3)
                for waiting in core.waiting:
                    waiting()
                first, second = await late.answers()
                assert b"Connection" not in first.head
                assert b"\r\nConnection: close\r\n" in second.head
                (third,) = await body.answers()
                assert b"\r\nConnection: close\r\n" in third.head
                await closing
                assert dialect.seen[-1].body == b"abc"
            assert len(core.requests) == 3

    run(scenario())


def test_close_does_not_wait_for_ever() -> None:
    """A request whose outcome does not come is given up."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core, drain_seconds=0.05) as (_, port, edge):
            async with client(port) as one:
                one.send(NEXT)
                await until(lambda: len(core.waiting) == 1)
                await edge.close()
                assert await one.reader.read() == b""
            core.waiting.pop()()

    run(scenario())


def test_answers_have_a_date() -> None:
    """An origin server tells its clock's time, in the one form HTTP has for it."""

    async def scenario() -> None:
        async with serving(RecordingCore()) as (_, port, _edge):
            answer = await exchange(port, get(b"/api"))
            form = rb"\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT\r\n"
            assert len(re.findall(form, answer)) == 1

    run(scenario())


def test_a_close_answers_all_that_has_arrived() -> None:
    """Also what was not looked at yet when it began; half a request at the end is left."""

    async def scenario() -> None:
        closing: list[asyncio.Task[None]] = []

        def close_at_the_first() -> None:
            if not closing:
                closing.append(asyncio.get_running_loop().create_task(edge.close()))

        core = WatchedCore(close_at_the_first)
        for ending in (b"", NEXT[:-2]):
            closing.clear()
            core.events.clear()
            async with serving(core) as (_, port, edge), client(port) as one:
                one.send(NEXT * 1_000 + ending)
                answers = await one.answers()
                assert len(answers) == len(core.requests) == 1_000
                assert b"\r\nConnection: close\r\n" in answers[-1].head
                await closing[0]

    run(scenario())
