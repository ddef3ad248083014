"""The REST edge over real sockets: bytes arrive untouched, and every request is one decision."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.addresses import PeerAddresses
from gateway.dialects.http import HttpRequest, HttpResponse, Parsed
from gateway.directory import Directory
from gateway.edges.rest import RestEdge, split_target
from gateway.outcome import Outcome, Reply
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Decision
from rules.endpoints import Endpoint
from rules.events import Event, Query, RefusedRequest, Request
from rules.reasons import Reason


class RecordingCore:
    """Decides at once, or when `release` is called, and keeps what it was given."""

    def __init__(self, late: bool = False) -> None:
        self.directory = Directory(self.submit)
        self.events: list[Event] = []
        self.late = late
        self.waiting: list[Callable[[], None]] = []

    @property
    def requests(self) -> list[Request]:
        """The requests among the events."""
        return [event for event in self.events if isinstance(event, Request)]

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Take one event."""
        self.events.append(event)
        self.directory.on_event(event)
        if reply is None:
            return
        refused = isinstance(event, RefusedRequest)
        decision = Decision(REFUSED if refused else ACCEPTED) if reply else NOTED_DECISION
        outcome = Outcome(len(self.events), 1, event, decision)
        if self.late:
            self.waiting.append(lambda: reply(outcome))
        else:
            reply(outcome)


class EchoDialect:
    """Accepts everything under /api and keeps the requests it parsed."""

    def __init__(self, core: RecordingCore) -> None:
        self.core = core
        self.seen: list[HttpRequest] = []

    def serves(self, path: str) -> bool:
        """Tell whether the path is one of this dialect's."""
        return path.startswith("/api")

    def parse(self, request: HttpRequest) -> Parsed:
        """Turn the request into a query, or into a refusal when its body is too large."""
        self.seen.append(request)
        if request.path == "/api/fault":
            raise RuntimeError("a bug of the dialect")
        ip = self.core.directory.address(request.address)
        common = (ip, 0, 1, request.received_ns, 0, 0, 0, 1, 0, 0)
        if request.body_too_large:
            event: Any = RefusedRequest(Endpoint.UNKNOWN, *common, Reason.BODY_TOO_LARGE)
        else:
            event = Query(Endpoint.PING, *common)
        return Parsed(event, self.render)

    def refuse(self, address: str, received_ns: int, reason: Reason, detail: str) -> Parsed:
        """Turn what is no request into a refused one."""
        ip = self.core.directory.address(address)
        common = (Endpoint.UNKNOWN, ip, 0, 1, received_ns, 0, 0, 0, 1, 0, 0)
        return Parsed(RefusedRequest(*common, reason, detail), self.render)

    def render(self, outcome: Outcome) -> HttpResponse:
        """Answer with the sequence number."""
        status = 200
        if isinstance(outcome.event, RefusedRequest):
            statuses = {Reason.BODY_TOO_LARGE: 413, Reason.UNKNOWN_ENDPOINT: 404}
            status = statuses.get(outcome.event.reason, 400)
        headers = [("Content-Type", "text/plain"), ("X-Seq", str(outcome.seq))]
        return HttpResponse(status, headers, b"decided")


@asynccontextmanager
async def serving(
    core: RecordingCore, **options: Any
) -> AsyncIterator[tuple[EchoDialect, int, RestEdge]]:
    """Run an edge on a free port of the loopback interface."""
    dialect = EchoDialect(core)
    edge = RestEdge(core, [dialect], time.time_ns, **options)
    port = await edge.start("127.0.0.1", 0)
    try:
        yield dialect, port, edge
    finally:
        await edge.close()


async def exchange(port: int, sent: bytes, local: str = "127.0.0.1", end: bool = False) -> bytes:
    """Send bytes on one connection and return everything that comes back until it closes.

    With `end` the sending side is closed as soon as everything is sent.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
    writer.write(sent)
    if end:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(-1), 10)
    finally:
        writer.close()
        await writer.wait_closed()


def get(target: bytes, *headers: bytes) -> bytes:
    """Return a GET request that closes its connection."""
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: gate", b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(target: bytes, body: bytes, *headers: bytes) -> bytes:
    """Return a POST request that closes its connection."""
    lines = [b"POST " + target + b" HTTP/1.1", b"Host: gate", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body


def run(scenario: Any) -> None:
    """Run one scenario on an event loop of its own."""
    asyncio.run(scenario)


def test_raw_query_and_body_arrive_as_they_were_sent() -> None:
    """Escapes, plus signs and bytes of a body that are no UTF-8 are neither decoded nor changed."""

    async def scenario() -> None:
        queries = (
            b"a=%40&b=x+y&c=@&d=%e4%bd%a0&e=%E4%BD%A0&f=%2B",
            b"symbols=%5B%22BTCUSDT%22%5D",
            b"symbols=[%22BTCUSDT%22]",
            b"escaped=%FF%fe%00",
            b"a=1&&a=2&=&?x=?",
            b"",
        )
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            for query in queries:
                answer = await exchange(port, get(b"/api/v3/order?" + query))
                assert answer.startswith(b"HTTP/1.1 200"), (query, answer)
            assert tuple(request.query for request in dialect.seen) == queries
            body = b"quantity=1.0&x=%40\x00\xff@+\r\n"
            await exchange(port, post(b"/api/v3/order?timestamp=1", body))
            assert dialect.seen[-1].body == body
            assert dialect.seen[-1].query == b"timestamp=1"
            assert dialect.seen[-1].method == "POST"

    run(scenario())


def test_path_stays_encoded_and_can_be_recorded() -> None:
    """The path is neither normalised nor decoded; a proxy's absolute form names the same path."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            await exchange(port, get(b"/api/../api/%6frder//x?a=1"))
            await exchange(port, get(b"http://gate:8080/api/v3/ping?b=2"))
            assert [request.path for request in dialect.seen] == [
                "/api/../api/%6frder//x",
                "/api/v3/ping",
            ]
            assert dialect.seen[1].query == b"b=2"

    run(scenario())


def test_headers_have_lower_case_names_and_repeated_ones_are_joined() -> None:
    """A key sent twice can't be mistaken for either of the two."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            await exchange(port, get(b"/api", b"X-MBX-APIKEY: one", b"x-mbx-apikey: two"))
            assert dialect.seen[0].headers["x-mbx-apikey"] == "one, two"

    run(scenario())


def test_compressed_body_is_not_unpacked() -> None:
    """A signature covers the bytes on the wire, whatever they are said to be."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            await exchange(port, post(b"/api", b"not gzip at all", b"Content-Encoding: gzip"))
            assert dialect.seen[0].body == b"not gzip at all"

    run(scenario())


def test_body_at_the_bound_passes_and_one_byte_more_is_flagged() -> None:
    """The dialect learns of a body that is too large, and answers; nothing more is read."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, body_max=1_000) as (dialect, port, _):
            for size, too_large in ((999, False), (1_000, False), (1_001, True), (90_000, True)):
                answer = await exchange(port, post(b"/api", b"x" * size))
                assert dialect.seen[-1].body_too_large is too_large
                assert dialect.seen[-1].body == b"x" * min(size, 1_000)
                assert answer.startswith(b"HTTP/1.1 413" if too_large else b"HTTP/1.1 200")

    run(scenario())


def test_chunked_body_is_put_together() -> None:
    """A body without a length arrives whole; a broken one is one refused request."""

    async def scenario() -> None:
        core = RecordingCore()
        head = b"POST /api HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n"
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        async with serving(core) as (dialect, port, _):
            await exchange(port, head + b"3\r\nab@\r\n2\r\n+c\r\n0\r\n\r\n")
            assert dialect.seen[0].body == b"ab@+c"
            answer = await exchange(port, head + b"3\r\nab@\r\nzz\r\n")
            assert b" 400 Bad Request" in answer
            assert len(dialect.seen) == 1
            assert [type(event) for event in core.requests] == [Query, RefusedRequest]

    run(scenario())


def test_body_that_does_not_arrive_is_one_refused_request() -> None:
    """A client that stops in the middle of a body does not hold its connection for ever."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, body_seconds=0.05) as (dialect, port, _):
            answer = await exchange(
                port, b"POST /api HTTP/1.1\r\nHost: gate\r\nContent-Length: 10\r\n\r\nabc"
            )
            assert answer.startswith(b"HTTP/1.1 400")
            assert b"Connection: close" in answer
            assert answer.endswith(b"decided")
            assert dialect.seen == []
            (event,) = core.requests
            assert isinstance(event, RefusedRequest)
            assert event.reason is Reason.MALFORMED_REQUEST

    run(scenario())


def test_client_that_ends_its_side_still_gets_its_answers() -> None:
    """Closing the sending side ends the requests, not the answers; then the gate closes too."""

    async def scenario() -> None:
        core = RecordingCore()
        request = b"GET /api HTTP/1.1\r\nHost: gate\r\n\r\n"
        async with serving(core) as (dialect, port, _):
            for number in (1, 2, 100):
                answers = await exchange(port, request * number, end=True)
                assert answers.count(b"HTTP/1.1 200") == number
            assert len(dialect.seen) == 103
            assert await exchange(port, b"", end=True) == b""
            assert await exchange(port, request[:-2], end=True) == b""
            assert len(core.requests) == 103

    run(scenario())


def test_body_that_breaks_off_is_one_refused_request() -> None:
    """A client that ends or vanishes in the middle of a body has sent a request nevertheless."""

    async def scenario() -> None:
        core = RecordingCore()
        begun = b"POST /api HTTP/1.1\r\nHost: gate\r\nContent-Length: 10\r\n\r\nabc"
        async with serving(core) as (dialect, port, _):
            answer = await exchange(port, begun, end=True)
            assert answer.startswith(b"HTTP/1.1 400")
            assert len(core.requests) == 1
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            await asyncio.sleep(0.05)
            writer.transport.abort()
            while len(core.requests) < 2:
                await asyncio.sleep(0)
            assert [type(event) for event in core.requests] == [RefusedRequest] * 2
            assert dialect.seen == []

    run(scenario())


def test_what_is_not_http_is_one_refused_request() -> None:
    """Bytes that aiohttp can't read are decided and answered with 400."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            broken = (
                b"nonsense\r\n\r\n",
                get(b"/api", b"X: " + b"y" * 20_000),
                get(b"/api?symbol=\xff\xfe"),
            )
            for sent in broken:
                answer = await exchange(port, sent)
                assert b" 400 Bad Request" in answer
                assert b"X-Seq: " in answer
                assert b"Connection: close" in answer
                assert answer.endswith(b"decided")
            assert dialect.seen == []
            reasons = [event.reason for event in core.requests if type(event) is RefusedRequest]
            assert reasons == [Reason.MALFORMED_REQUEST] * len(broken)
            assert core.directory.name(1, core.requests[0].ip) == "127.0.0.1"

    run(scenario())


def test_path_of_no_dialect_is_one_refused_request() -> None:
    """An unknown path is decided like any request, and the connection stays usable."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (_, port, _edge):
            first = b"GET /nowhere HTTP/1.1\r\nHost: gate\r\n\r\n"
            answer = await exchange(port, first + get(b"/api"))
            assert answer.startswith(b"HTTP/1.1 404")
            assert answer.count(b"X-Seq: ") == 2
            assert b"HTTP/1.1 200" in answer
            (refused, accepted) = core.requests
            assert isinstance(refused, RefusedRequest)
            assert refused.reason is Reason.UNKNOWN_ENDPOINT
            assert isinstance(accepted, Query)

    run(scenario())


def test_answer_waits_for_a_late_outcome() -> None:
    """Nothing is written before the core replies."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core) as (_, port, _edge):
            request = asyncio.create_task(exchange(port, get(b"/api")))
            while not core.waiting:
                await asyncio.sleep(0)
            assert not request.done()
            core.waiting.pop()()
            assert (await request).startswith(b"HTTP/1.1 200")

    run(scenario())


def test_loopback_addresses_count_separately() -> None:
    """Bots on one machine that use different loopback addresses are different clients."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            for local in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                await exchange(port, get(b"/api"), local)
            assert [request.address for request in dialect.seen] == [
                "127.0.0.1",
                "127.0.0.2",
                "127.0.0.3",
            ]

    run(scenario())


def test_forwarded_header_counts_from_listed_proxies_only() -> None:
    """Whoever is not a listed proxy can't choose the address it is counted under."""

    async def scenario() -> None:
        core = RecordingCore()
        forwarded = get(b"/api", b"X-Forwarded-For: 198.51.100.7")
        async with serving(core, addresses=PeerAddresses(["127.0.0.2"])) as (dialect, port, _):
            await exchange(port, forwarded, "127.0.0.1")
            await exchange(port, forwarded, "127.0.0.2")
            assert [request.address for request in dialect.seen] == ["127.0.0.1", "198.51.100.7"]

    run(scenario())


def test_fault_is_answered_with_500_and_the_edge_stays_up() -> None:
    """A bug while parsing one request ends that request only."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (_, port, _edge):
            assert (await exchange(port, get(b"/api/fault"))).startswith(b"HTTP/1.1 500")
            assert (await exchange(port, get(b"/api"))).startswith(b"HTTP/1.1 200")

    run(scenario())


def test_answers_are_measured_by_endpoint() -> None:
    """The meter gets endpoint, status and latency of each answer."""

    class Meter:
        def __init__(self) -> None:
            self.answers: list[tuple[int, int]] = []

        def answered(self, endpoint: int, status: int, latency_ns: int) -> None:
            assert latency_ns > 0
            self.answers.append((endpoint, status))

    async def scenario() -> None:
        meter = Meter()
        async with serving(RecordingCore(), meter=meter) as (_, port, _edge):
            await exchange(port, get(b"/api"))
        assert meter.answers == [(Endpoint.PING, 200)]

    run(scenario())


def test_close_lets_a_request_in_progress_end() -> None:
    """A stop answers what was decided already and takes no new connection."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        async with serving(core) as (_, port, edge):
            request = asyncio.create_task(exchange(port, get(b"/api")))
            while not core.waiting:
                await asyncio.sleep(0)
            closing = asyncio.create_task(edge.close())
            await asyncio.sleep(0)
            core.waiting.pop()()
            await closing
            assert (await request).startswith(b"HTTP/1.1 200")

    run(scenario())


def test_target_bytes_outside_utf8_survive_the_python_parser() -> None:
    """Where aiohttp's parser lets such bytes pass, the query keeps them and the path marks them."""
    raw = b"/api/\xff?symbol=\xff\xfe".decode("utf-8", "surrogateescape")
    path, query = split_target(raw)
    assert path == "/api/\N{REPLACEMENT CHARACTER}"
    assert query == b"symbol=\xff\xfe"
