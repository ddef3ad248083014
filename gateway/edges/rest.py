"""REST over aiohttp: bytes in, one decision, bytes out.

The low-level server is used, without routes: every path goes to a dialect, and what a client sent
reaches it untouched (the raw query, the raw body), because signatures are verified over those
bytes. Requests that aiohttp itself can't read, and paths no dialect serves, are decided too, as
refused requests. aiohttp handles one request of a connection at a time, and each waits for its turn
among those of all edges.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from gateway.addresses import UNKNOWN_ADDRESS, PeerAddresses
from gateway.answer import Answer
from gateway.dialects.http import HttpDialect, HttpRequest, HttpResponse, Parsed
from gateway.edges.calls import Call, Calls
from gateway.edges.protocols import Meter, SubmittingCore, everybody
from gateway.lanes import MARKET_DATA
from gateway.stages import DECIDE, EDGE_OUT, RENDER, Stages, Trace
from gateway.turns import Turns
from rules.reasons import Reason

BODY_MAX: Final = 1_048_576
"""Bytes of a request's body that are taken."""
BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive once its headers have."""
KEEPALIVE_SECONDS: Final = 75.0
"""How long an idle connection stays open."""
LINGERING_SECONDS: Final = 2.0
"""How long the rest of a refused body is read, so that the client gets to read its answer."""
SHUTDOWN_SECONDS: Final = 5.0
"""How long requests in progress may take to end when the edge closes."""
_ABSOLUTE_FORM: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
"""What a proxy puts before the path: `GET http://host/path`."""
_BROKEN_OFF: Final = "the client ended in the middle of a body"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_logger = logging.getLogger(__name__)


class _Asked(NamedTuple):
    """A request that has arrived."""

    lane: int
    read: Callable[[], Parsed]
    shed: Callable[[int, int], Parsed]


def _refused(read: Callable[[], Parsed]) -> _Asked:
    """Return what can't be served: refusing it is as cheap as sending it away."""
    return _Asked(MARKET_DATA, read, lambda _waited_ns, _most_ns: read())


class RestEdge:
    """Serves HTTP dialects on one port.

    `receive_ns` is the receive clock (UTC), `addresses` tells which proxies are believed,
    `meter` counts answers. `turns`, `trusts` and `stages` are as HttpEdge has them.
    """

    def __init__(
        self,
        core: SubmittingCore,
        dialects: Sequence[HttpDialect],
        receive_ns: Callable[[], int],
        addresses: PeerAddresses | None = None,
        meter: Meter | None = None,
        body_max: int = BODY_MAX,
        body_seconds: float = BODY_SECONDS,
        turns: Turns | None = None,
        trusts: Callable[[str], bool] = everybody,
        stages: Stages | None = None,
    ) -> None:
        self._core = core
        self._dialects = tuple(dialects)
        self._receive_ns = receive_ns
        self._addresses = addresses or PeerAddresses()
        self._meter = meter
        self._body_max = body_max
        self._body_seconds = body_seconds
        self._calls = Calls(turns or Turns(), trusts, stages)
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (a free one for port 0); raises OSError when it is taken."""
        server = _Server(self)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=1024).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def close(self) -> None:
        """Stop listening, let requests in progress end, and close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- One request --------------------------------------------------------------------------

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        started_ns = time.perf_counter_ns()
        received_ns = self._receive_ns()
        headers = _headers(request)
        address = self._address(request, headers.get("x-forwarded-for"))
        path, query = split_target(request.raw_path)
        dialect = self._dialect(path)
        too_large = broken = False
        refuse = partial(dialect.refuse, address, received_ns)
        try:
            body, too_large = await self._body(request)
        except TimeoutError:
            broken = True
            asked = _refused(partial(refuse, Reason.MALFORMED_REQUEST, "body not in time"))
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            broken = True
            asked = _refused(partial(refuse, Reason.MALFORMED_REQUEST, "broken body"))
        else:
            if dialect.serves(path):
                method = request.method
                fields = (method, path, query, headers, body, address, received_ns, 0, too_large)
                whole = HttpRequest(*fields)
                lane = self._calls.lane(dialect.lane(method, path), address)
                asked = _Asked(lane, partial(dialect.parse, whole), partial(dialect.shed, whole))
            else:
                asked = _refused(partial(refuse, Reason.UNKNOWN_ENDPOINT, path))
        rendered = await self._decide(request, asked, started_ns)
        response = _response(rendered)
        if too_large or broken:
            response.force_close()
        return response

    async def refuse_broken(self, request: web.BaseRequest, detail: str) -> HttpResponse:
        """Have bytes that are no HTTP request decided; return the answer once that is recorded."""
        started_ns = time.perf_counter_ns()
        asked = _refused(
            partial(
                self._dialects[0].refuse,
                self._address(request, request.headers.get("X-Forwarded-For")),
                self._receive_ns(),
                Reason.MALFORMED_REQUEST,
                detail,
            )
        )
        return await self._decide(request, asked, started_ns)

    def written(self, trace: Trace, endpoint: int) -> None:
        """Take note that the answer to a request that is followed is with the transport."""
        if self._calls.stages is not None:
            self._calls.stages.sent(trace, endpoint)

    def _dialect(self, path: str) -> HttpDialect:
        """Return the dialect of a path; what none serves is refused by the first one."""
        for dialect in self._dialects:
            if dialect.serves(path):
                return dialect
        return self._dialects[0]

    async def _decide(
        self, request: web.BaseRequest, asked: "_Asked", started_ns: int
    ) -> HttpResponse:
        """Submit a request when it is its turn, and return its rendered answer."""
        answer = Answer()
        submitted: list[Parsed] = []

        def submit(parsed: Parsed) -> None:
            submitted.append(parsed)
            if answer.trace is not None:
                answer.trace.enter(DECIDE)
            self._core.submit(parsed.event, answer)

        self._calls.add(
            request.protocol,
            Call(
                asked.lane,
                started_ns,
                lambda: submit(asked.read()),
                lambda waited_ns, most_ns: submit(asked.shed(waited_ns, most_ns)),
                answer,
            ),
        )
        outcome = await answer.outcome()
        (parsed,) = submitted
        trace = answer.trace
        if trace is not None:
            trace.enter(RENDER)
        rendered = parsed.render(outcome)
        if trace is not None:
            trace.enter(EDGE_OUT)
            if isinstance(request.protocol, _Protocol):
                request.protocol.followed = trace, parsed.event.endpoint
        if self._meter is not None:
            latency_ns = time.perf_counter_ns() - started_ns
            self._meter.answered(parsed.event.endpoint, rendered.status, latency_ns)
        return rendered

    async def _body(self, request: web.BaseRequest) -> tuple[bytes, bool]:
        """Return the body, at most one byte more than is taken, and whether it was too large.

        Raises TimeoutError when it does not arrive in time, ConnectionError when it breaks off.
        """
        if not request.can_read_body:
            return b"", False
        content = request.content
        if getattr(request.protocol, "ended", False) and not content.is_eof():
            raise ConnectionResetError(_BROKEN_OFF)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(_CONTINUE)
        body = bytearray()
        async with asyncio.timeout(self._body_seconds):
            while len(body) <= self._body_max:
                chunk = await content.readany()
                if not chunk:
                    return bytes(body), False
                body += chunk
        return bytes(body[: self._body_max]), True

    def _address(self, request: web.BaseRequest, forwarded_for: str | None) -> str:
        peer = request.protocol.peername
        if not isinstance(peer, tuple):
            return UNKNOWN_ADDRESS
        return self._addresses.of(peer[0], forwarded_for)


class _Protocol(RequestHandler):
    """aiohttp's connection, with two differences.

    What it can't read is decided before it is answered. A client that has finished sending, and
    says so by closing its side, still gets the answers to all it has sent.
    """

    __slots__ = ("_edge", "_started", "ended", "followed")

    def __init__(self, edge: RestEdge, manager: web.Server, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._edge = edge
        self._started = False
        self.ended = False
        """The client has closed its side and waits for answers."""
        self.followed: tuple[Trace, int] | None = None
        """Trace and endpoint of the request whose answer is being written, where it is followed."""

    async def start(self) -> None:
        """Handle requests until the connection ends."""
        self._started = True
        await super().start()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Take note that the client sends no more; False closes the connection."""
        if not self._messages and (self._waiter is not None or not self._started):
            return False
        self.ended = True
        # Bodies of requests that are not being handled yet are looked at when they are.
        if self._current_request is not None and not self._current_request.content.is_eof():
            self._current_request.content.set_exception(ConnectionResetError(_BROKEN_OFF))
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write one answer; the last one to a client that has ended closes the connection."""
        if self.ended and not self._messages:
            resp.force_close()
        finished = await super().finish_response(request, resp, start_time)
        if self.followed is not None:
            self._edge.written(*self.followed)
            self.followed = None
        return finished

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp could not read, or a fault of the gate."""
        if isinstance(exc, HttpProcessingError):
            return _BrokenHttp(self._edge, message or "")
        _logger.error("fault while answering %s %s", request.method, request.path, exc_info=exc)
        response = web.Response(status=500, headers={"Server": "ordergate"})
        response.force_close()
        return response


class _Server(web.Server):
    """Makes the connections of one edge."""

    def __init__(self, edge: RestEdge) -> None:
        # Bodies stay as they were sent: signatures cover the bytes on the wire.
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": KEEPALIVE_SECONDS,
            "lingering_time": LINGERING_SECONDS,
        }
        super().__init__(edge.handle)
        self._edge = edge

    def __call__(self) -> RequestHandler:
        loop = asyncio.get_running_loop()
        return _Protocol(self._edge, self, loop=loop, **self._options)


class _BrokenHttp(web.Response):
    """The answer to a request that is not HTTP; it is decided before a byte of it leaves."""

    def __init__(self, edge: RestEdge, detail: str) -> None:
        super().__init__(status=400)
        self.force_close()
        self._edge = edge
        self._detail = detail

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Have the request decided, then begin the answer."""
        rendered = await self._edge.refuse_broken(request, self._detail)
        self.set_status(rendered.status)
        self.headers.update(_response_headers(rendered))
        # aiohttp answers as HTTP/1.0, where closing goes without saying; not every client knows.
        self.headers["Connection"] = "close"
        self.body = rendered.body
        return await super().prepare(request)


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """Return the headers by lower-case name; one sent twice has its values joined by a comma."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        if not value.isascii():
            value = _printable(value)
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def split_target(raw_target: str) -> tuple[str, bytes]:
    """Return path and raw query of a request target, which aiohttp decoded as UTF-8.

    Its compiled parser refuses targets with bytes outside ASCII. Its Python parser takes them:
    bytes that are no UTF-8 then stay in the query as they were sent, and are marked in the path.
    """
    absolute = _ABSOLUTE_FORM.match(raw_target)
    if absolute is not None:
        raw_target = raw_target[absolute.end() :]
    path, _, query = raw_target.partition("?")
    if not path.isascii():
        path = _printable(path)
    return path or "/", query.encode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    """Return `text` with bytes that were no UTF-8 replaced, so that it can be recorded."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _response(rendered: HttpResponse) -> web.Response:
    return web.Response(
        status=rendered.status, headers=_response_headers(rendered), body=rendered.body
    )


def _response_headers(rendered: HttpResponse) -> CIMultiDict[str]:
    headers = CIMultiDict(rendered.headers)
    headers.setdefault("Server", "ordergate")
    return headers
