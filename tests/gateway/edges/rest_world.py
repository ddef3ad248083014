"""The REST edges over real sockets: a core and a dialect that keep what they were given."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import uvloop

from gateway.dialects.http import HttpRequest, HttpResponse, Parsed
from gateway.directory import Directory
from gateway.edges.http.edge import HttpEdge
from gateway.edges.http.limits import HttpLimits
from gateway.edges.rest import RestEdge
from gateway.lanes import CANCELS, MARKET_DATA, ORDERS, QUERIES
from gateway.outcome import Outcome, Reply
from gateway.turns import PATIENT, Turns
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


LANES: Final = {
    "/api/cancel": CANCELS,
    "/api/order": ORDERS,
    "/api/query": QUERIES,
    "/api/market": MARKET_DATA,
}


class EchoDialect:
    """Accepts everything under /api and keeps the requests it parsed."""

    def __init__(self, core: RecordingCore) -> None:
        self.core = core
        self.seen: list[HttpRequest] = []

    def serves(self, path: str) -> bool:
        """Tell whether the path is one of this dialect's."""
        return path.startswith("/api")

    def lane(self, method: str, path: str) -> int:
        """Return the lane its path names, that of orders otherwise."""
        return LANES.get(path, ORDERS)

    def shed(self, request: HttpRequest, waited_ns: int, most_ns: int) -> Parsed:
        """Turn the request into one that is refused for having waited."""
        return self.refuse(request.address, 0, Reason.OVERLOADED, f"{request.path} {waited_ns}")

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
            statuses = {
                Reason.BODY_TOO_LARGE: 413,
                Reason.UNKNOWN_ENDPOINT: 404,
                Reason.OVERLOADED: 503,
            }
            status = statuses.get(outcome.event.reason, 400)
        headers = [("Content-Type", "text/plain"), ("X-Seq", str(outcome.seq))]
        return HttpResponse(status, headers, b"decided")


Serving: TypeAlias = Callable[
    ..., AbstractAsyncContextManager[tuple[EchoDialect, int, RestEdge | HttpEdge]]
]


def http_edge(core: RecordingCore, dialect: EchoDialect, **options: Any) -> HttpEdge:
    """Return the purpose-built edge; `body_max` and `body_seconds` are as the other edge has them."""
    limits = {"body_max": "body_bytes"}
    bounds = {
        limits.get(name, name): options.pop(name)
        for name in tuple(options)
        if limits.get(name, name) in HttpLimits._fields
    }
    options.setdefault("turns", Turns(PATIENT))
    return HttpEdge(core, [dialect], time.time_ns, limits=HttpLimits(**bounds), **options)


def aiohttp_edge(core: RecordingCore, dialect: EchoDialect, **options: Any) -> RestEdge:
    """Return the edge over aiohttp."""
    options.setdefault("turns", Turns(PATIENT))
    return RestEdge(core, [dialect], time.time_ns, **options)


def serving_with(make: Callable[..., RestEdge | HttpEdge]) -> Serving:
    """Return a context manager that runs an edge on a free port of the loopback interface."""

    @asynccontextmanager
    async def serving(
        core: RecordingCore, dialect: type[EchoDialect] = EchoDialect, **options: Any
    ) -> AsyncIterator[tuple[EchoDialect, int, RestEdge | HttpEdge]]:
        spoken = dialect(core)
        edge = make(core, spoken, **options)
        port = await edge.start("127.0.0.1", 0)
        try:
            yield spoken, port, edge
        finally:
            await edge.close()

    return serving


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
    """Run one scenario on an event loop of its own, of the kind a gate has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario)
