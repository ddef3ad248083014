"""REST over real sockets: bytes arrive untouched, and every request is one decision.

Whichever edge serves it.
"""

import asyncio
import re

import pytest

from gateway.addresses import PeerAddresses
from gateway.edges.rest import split_target
from rules.endpoints import Endpoint
from rules.events import Query, RefusedRequest
from rules.reasons import Reason
from tests.gateway.edges.rest_world import (
    RecordingCore,
    Serving,
    aiohttp_edge,
    exchange,
    get,
    http_edge,
    post,
    run,
    serving_with,
)


@pytest.fixture(params=[http_edge, aiohttp_edge], ids=["httptools", "aiohttp"])
def serving(request: pytest.FixtureRequest) -> Serving:
    """Return what runs one of the two edges."""
    return serving_with(request.param)


def test_raw_query_and_body_arrive_as_they_were_sent(serving: Serving) -> None:
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


def test_path_stays_encoded_and_can_be_recorded(serving: Serving) -> None:
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


def test_headers_have_lower_case_names_and_repeated_ones_are_joined(serving: Serving) -> None:
    """A key sent twice can't be mistaken for either of the two."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            await exchange(port, get(b"/api", b"X-MBX-APIKEY: one", b"x-mbx-apikey: two"))
            assert dialect.seen[0].headers["x-mbx-apikey"] == "one, two"

    run(scenario())


def test_compressed_body_is_not_unpacked(serving: Serving) -> None:
    """A signature covers the bytes on the wire, whatever they are said to be."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            await exchange(port, post(b"/api", b"not gzip at all", b"Content-Encoding: gzip"))
            assert dialect.seen[0].body == b"not gzip at all"

    run(scenario())


def test_body_at_the_bound_passes_and_one_byte_more_is_flagged(serving: Serving) -> None:
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


def test_chunked_body_is_put_together(serving: Serving) -> None:
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


def test_body_that_does_not_arrive_is_one_refused_request(serving: Serving) -> None:
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


def test_client_that_ends_its_side_still_gets_its_answers(serving: Serving) -> None:
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


def test_body_that_breaks_off_is_one_refused_request(serving: Serving) -> None:
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


def test_what_is_not_http_is_one_refused_request(serving: Serving) -> None:
    """Bytes that can't be read are decided and answered with 400, or 431 where that says more."""

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
                assert re.match(rb"HTTP/1\.[01] (400|431) ", answer)
                assert b"X-Seq: " in answer
                assert b"Connection: close" in answer
                assert answer.endswith(b"decided")
            assert dialect.seen == []
            reasons = [event.reason for event in core.requests if type(event) is RefusedRequest]
            assert reasons == [Reason.MALFORMED_REQUEST] * len(broken)
            assert core.directory.name(1, core.requests[0].ip) == "127.0.0.1"

    run(scenario())


def test_path_of_no_dialect_is_one_refused_request(serving: Serving) -> None:
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


def test_answer_waits_for_a_late_outcome(serving: Serving) -> None:
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


def test_loopback_addresses_count_separately(serving: Serving) -> None:
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


def test_forwarded_header_counts_from_listed_proxies_only(serving: Serving) -> None:
    """Whoever is not a listed proxy can't choose the address it is counted under."""

    async def scenario() -> None:
        core = RecordingCore()
        forwarded = get(b"/api", b"X-Forwarded-For: 198.51.100.7")
        async with serving(core, addresses=PeerAddresses(["127.0.0.2"])) as (dialect, port, _):
            await exchange(port, forwarded, "127.0.0.1")
            await exchange(port, forwarded, "127.0.0.2")
            assert [request.address for request in dialect.seen] == ["127.0.0.1", "198.51.100.7"]

    run(scenario())


def test_fault_is_answered_with_500_and_the_edge_stays_up(serving: Serving) -> None:
    """A bug while parsing one request ends that request only."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (_, port, _edge):
            assert (await exchange(port, get(b"/api/fault"))).startswith(b"HTTP/1.1 500")
            assert (await exchange(port, get(b"/api"))).startswith(b"HTTP/1.1 200")

    run(scenario())


def test_answers_are_measured_by_endpoint(serving: Serving) -> None:
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


def test_close_lets_a_request_in_progress_end(serving: Serving) -> None:
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
