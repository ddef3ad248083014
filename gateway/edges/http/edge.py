"""REST over a protocol of its own: bytes in, one decision, bytes out.

Every path goes to a dialect, and what a client sent reaches it untouched (the raw query, the raw
body), because signatures are verified over those bytes. What can't be read as HTTP, and paths no
dialect serves, are decided too, as refused requests. No task, future or await is made for a
request: the bytes of its answer are on their way when the call that delivered its bytes returns,
unless the engine or the record answers later.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from itertools import count
from typing import Final

from gateway.addresses import PeerAddresses
from gateway.dialects.http import HttpDialect, Parsed
from gateway.edges.http.answers import FAULT, answer_bytes
from gateway.edges.http.connection import Connection
from gateway.edges.http.exchange import Exchange
from gateway.edges.http.limits import HttpLimits
from gateway.edges.http.room import Room
from gateway.edges.http.wheel import TimerWheel
from gateway.edges.protocols import Meter, SubmittingCore, everybody
from gateway.lanes import LANES, MARKET_DATA
from gateway.stages import DECIDE, RENDER, Stages
from gateway.turns import NOWHERE, Turns
from rules.reasons import Reason
from rules.values import NS_PER_SECOND

_TICK_SECONDS_MAX: Final = 0.25
_TICKS_MIN: Final = 4
"""Ticks within the shortest time-out."""
_BACKLOG: Final = 1_024
_BAD_REQUEST: Final = 400
_LIMITS: Final = HttpLimits()

_logger = logging.getLogger(__name__)


class HttpEdge:
    """Serves HTTP dialects on one port.

    `receive_ns` is the receive clock (UTC), `addresses` tells which proxies are believed,
    `meter` counts answers, `stages` is told where the time goes. `turns` says whose request is
    next, among all edges that share it; `trusts` tells whether a key was proved from an address.
    """

    def __init__(
        self,
        core: SubmittingCore,
        dialects: Sequence[HttpDialect],
        receive_ns: Callable[[], int],
        addresses: PeerAddresses | None = None,
        meter: Meter | None = None,
        limits: HttpLimits = _LIMITS,
        stages: Stages | None = None,
        turns: Turns | None = None,
        trusts: Callable[[str], bool] = everybody,
    ) -> None:
        self.receive_ns = receive_ns
        self.addresses = addresses or PeerAddresses()
        self.limits = limits
        self.room = Room(limits.long_bodies_bytes)
        """What bodies beyond the usual may take."""
        self.unread = Room(limits.unread_bytes)
        """What answers may take that clients do not read."""
        self.stages = stages
        self.turns = turns or Turns()
        self.trusts = trusts
        self.lane = dialects[0].lane if len(dialects) == 1 else self._most_urgent_lane
        """Returns the lane of a method and a path."""
        self.next_number = count(1).__next__
        self.refused_connections = 0
        """Connections that were closed because there were too many."""
        self._core = core
        self._dialects = tuple(dialects)
        self._meter = meter
        self._connections: set[Connection] = set()
        self.open_lanes = LANES
        """Requests of lanes from here on wait, because there is no room for them behind the edge."""
        self._held: dict[Connection, None] = {}
        """Connections whose first request waits for that."""
        self._strangers: dict[Connection, None] = {}
        """Those over which no key was proved, the oldest first."""
        self._servers: list[asyncio.Server] = []
        self._emptied: asyncio.Event | None = None
        self._date_seconds = 0
        self._date = ""
        times = (
            limits.head_seconds,
            limits.body_seconds,
            limits.idle_seconds,
            limits.write_seconds,
            limits.linger_seconds,
        )
        self.wheel = TimerWheel(min(_TICK_SECONDS_MAX, min(times) / _TICKS_MIN), self._keep_date)
        (
            self.head_ticks,
            self.body_ticks,
            self.idle_ticks,
            self.write_ticks,
            self.linger_ticks,
        ) = map(self.wheel.ticks, times)

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (a free one for port 0); raises OSError when it is taken."""
        self.loop = asyncio.get_running_loop()
        self._begin(
            await self.loop.create_server(lambda: Connection(self), host, port, backlog=_BACKLOG)
        )
        bound: int = self._servers[0].sockets[0].getsockname()[1]
        return bound

    async def start_on(self, listening: Sequence[socket.socket]) -> None:
        """Take connections from sockets that somebody else has made; some may be waiting there."""
        self.loop = asyncio.get_running_loop()
        for one in listening:
            self._begin(
                await self.loop.create_server(
                    lambda: Connection(self), sock=one, backlog=_BACKLOG, start_serving=False
                )
            )
        for server in self._servers:
            await server.start_serving()

    def _begin(self, server: asyncio.Server) -> None:
        if not self._servers:
            self._keep_date()
            self.wheel.start()
        self._servers.append(server)

    async def close(self) -> None:
        """Stop listening, let requests in progress end, and close all connections."""
        if not self._servers:
            return
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in tuple(self._connections):
            connection.drain()
        await self._wait_emptied(self.limits.drain_seconds)
        for connection in tuple(self._connections):
            connection.abort()
        await self._wait_emptied(self.limits.drain_seconds)
        self.wheel.stop()

    async def _wait_emptied(self, seconds: float) -> None:
        if self._connections:
            self._emptied = asyncio.Event()
            try:
                await asyncio.wait_for(self._emptied.wait(), seconds)
            except TimeoutError:
                _logger.warning("%d connections did not end in time", len(self._connections))

    def open(self, lanes: int) -> None:
        """Have requests of the first so many lanes decided, and those of others wait."""
        more = lanes > self.open_lanes
        self.open_lanes = lanes
        if more:
            held, self._held = self._held, {}
            for connection in held:
                connection.answered()

    # --- What connections ask -----------------------------------------------------------------

    def opened(self, connection: Connection) -> bool:
        """Take in a connection; False when there are too many.

        Anybody can open connections, and must not keep clients out by it. So where there are too
        many the oldest one makes room over which no key was proved.
        """
        if len(self._connections) >= self.limits.connections:
            self.refused_connections += 1
            oldest = next(iter(self._strangers), None)
            if oldest is None:
                return False
            self.closed(oldest)
            oldest.abort()
        if not self._servers:
            return False
        self._connections.add(connection)
        self._strangers[connection] = None
        return True

    def held_back(self, connection: Connection) -> int:
        """Have a connection wait until its lane is open; return NOWHERE."""
        self._held[connection] = None
        return NOWHERE

    def proved(self, connection: Connection) -> None:
        """Take note that a key was proved over a connection."""
        self._strangers.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self.wheel.clear(connection)
        self._connections.discard(connection)
        self._strangers.pop(connection, None)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    def _most_urgent_lane(self, method: str, path: str) -> int:
        return min((dialect.lane(method, path) for dialect in self._dialects), default=MARKET_DATA)

    def shed(self, exchange: Exchange, waited_ns: int, most_ns: int) -> None:
        """Submit the refusal of a request that has waited for too long."""
        request = exchange.request
        if request is None:
            # Refusing what could not be read costs no more than sending it away.
            self.decide(exchange)
            return
        try:
            for dialect in self._dialects:
                if dialect.serves(request.path):
                    break
            else:
                dialect = self._dialects[0]
            exchange.parsed = dialect.shed(request, waited_ns, most_ns)
            self._core.submit(exchange.parsed.event, exchange)
        except Exception:
            _logger.exception("fault while refusing %r", request)
            exchange.outcome = None
            exchange.done = True

    def decide(self, exchange: Exchange) -> None:
        """Submit a request; its outcome comes now or later, and of a fault of the gate at once."""
        stages = self.stages
        trace = None if stages is None else stages.begin(exchange.started_ns)
        try:
            parsed = self._parse(exchange)
            exchange.parsed = parsed
            if trace is not None:
                exchange.trace = trace
                trace.enter(DECIDE)
            self._core.submit(parsed.event, exchange)
        except Exception:
            _logger.exception("fault while deciding %r", exchange.request)
            exchange.outcome = None
            exchange.done = True

    def answer(self, exchange: Exchange, connection: str) -> bytes:
        """Return the bytes of an answer whose outcome is there."""
        parsed, outcome = exchange.parsed, exchange.outcome
        if parsed is not None and outcome is not None:
            trace = exchange.trace
            if trace is not None:
                trace.enter(RENDER)
            try:
                response = parsed.render(outcome)
                if trace is not None and self.stages is not None:
                    self.stages.rendered(trace, parsed.event.endpoint)
                status = response.status
                if status == _BAD_REQUEST and exchange.fault_status:
                    status = exchange.fault_status
                data = answer_bytes(status, response, self._date, connection, exchange.head_only)
            except Exception:
                _logger.exception("fault while answering %r", exchange.request)
            else:
                if self._meter is not None:
                    latency_ns = time.perf_counter_ns() - exchange.started_ns
                    self._meter.answered(parsed.event.endpoint, status, latency_ns)
                return data
        return answer_bytes(FAULT.status, FAULT, self._date, connection, exchange.head_only)

    def _parse(self, exchange: Exchange) -> Parsed:
        request = exchange.request
        if request is None:
            return self._dialects[0].refuse(
                exchange.address, exchange.received_ns, Reason.MALFORMED_REQUEST, exchange.fault
            )
        path = request.path
        for dialect in self._dialects:
            if dialect.serves(path):
                return dialect.parse(request)
        return self._dialects[0].refuse(
            exchange.address, exchange.received_ns, Reason.UNKNOWN_ENDPOINT, path
        )

    def _keep_date(self) -> None:
        now_seconds = self.receive_ns() // NS_PER_SECOND
        if now_seconds != self._date_seconds:
            self._date_seconds = now_seconds
            self._date = f"Date: {formatdate(now_seconds, usegmt=True)}\r\n"
