"""Senders over HTTP/1.1 with keep-alive.

Each connection carries one request at a time. A request goes out when it is due, whatever earlier
ones are waiting for; only where every connection is taken it waits for one, and that wait is part
of its latency. Nothing is ever sent twice.

A general HTTP client costs the tester more, hides when a request really went out, and sends some
again behind one's back when a connection ends. So requests are bytes made beforehand, written to
the transport as they are, and `httptools` finds the answers' ends.
"""

import asyncio
import ssl
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from loadtest.samples import DECISION_HEADER, ERROR, RULE_HEADER, Samples, classify
from loadtest.units import NS_PER_MS, NS_PER_SECOND, LoadTestError
from loadtest.workload import Request

BODY_KEPT_MAX: Final = 4_096
"""Bytes of an answer's body that are looked at."""
_CONNECT_SECONDS: Final = 5.0
_RECONNECT_SECONDS: Final = 0.1
_SWEEP_SECONDS: Final = 0.05
_LEAD_NS: Final = 50 * NS_PER_MS
"""Between the last preparation and the start of the run."""
_SPIN_NS: Final = 2 * NS_PER_MS
"""Event loops wake to the millisecond; the rest is waited for by looking at the stopwatch."""
_TURN_MAX: Final = 32
"""Requests sent before answers are looked at again, when many are due at once."""


class Target(NamedTuple):
    """Where a run goes."""

    url: str
    host: str
    port: int
    tls: bool

    @property
    def host_header(self) -> str:
        """The value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"

    def rendered(self, request: Request) -> bytes:
        """Return a request as it goes over the wire."""
        return (
            f"{request.method} {request.target} HTTP/1.1\r\n"
            f"Host: {self.host_header}\r\n"
            f"X-MBX-APIKEY: {request.key_name}\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode("ascii")


def parse_target(url: str) -> Target:
    """Return the parts of a base URL; raises LoadTestError when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise LoadTestError(f"target `{url}` is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise LoadTestError(f"target `{url}` is not a base URL such as http://127.0.0.1:8080")
    tls = parts.scheme == "https"
    return Target(url.rstrip("/"), parts.hostname, port or (443 if tls else 80), tls)


class RestSenders:
    """A number of connections to one target.

    `sources` are local addresses to connect from, in turn; empty leaves it to the system.
    """

    def __init__(
        self,
        target: Target,
        connections: int,
        timeout_ns: int,
        sources: Sequence[str] = (),
        *,
        spin: bool = True,
    ) -> None:
        self._target = target
        self._timeout_ns = timeout_ns
        self._sources = sources
        self._spin_ns = _SPIN_NS if spin else 0
        self._tls = ssl.create_default_context() if target.tls else None
        self._connections = [_Connection(self, number) for number in range(connections)]
        self._free: deque[_Connection] = deque()
        self._waiting: deque[int] = deque()
        self._reconnecting: set[asyncio.Task[None]] = set()
        self._closing = False
        self._start_ns = 0
        self._wires: list[bytes] = []
        self.samples: Samples = Samples(array("q"))
        self.reconnects = 0

    async def connect(self) -> None:
        """Open all connections; raises LoadTestError when one can't be."""
        for connection in self._connections:
            try:
                await self._open(connection)
            except (OSError, TimeoutError) as error:
                await self.close()
                raise LoadTestError(
                    f"can't connect to {self._target.url}: {str(error) or type(error).__name__}"
                ) from None

    async def close(self) -> None:
        """Close all connections."""
        self._closing = True
        for task in self._reconnecting:
            task.cancel()
        await asyncio.gather(*self._reconnecting, return_exceptions=True)
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)

    async def run(
        self,
        samples: Samples,
        wires: list[bytes],
        start_ns: int,
        progress: Callable[[Samples, int], None] | None = None,
    ) -> None:
        """Send every request at its time, and return once each one is answered or given up.

        The run starts when the stopwatch (`time.perf_counter_ns`) shows `start_ns`, or a moment
        from now if that has passed. `progress` is called every 50 ms with the samples and the number of requests that are due.
        """
        self.samples, self._wires = samples, wires
        self._start_ns = max(start_ns, time.perf_counter_ns() + _LEAD_NS)
        sweeper = asyncio.create_task(self._sweep(progress))
        try:
            await self._dispatch()
            await sweeper
        finally:
            sweeper.cancel()

    # --- Sending ------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Hand each request to a connection when it is due, or let it wait for one."""
        times = self.samples.intended_ns
        index, count = 0, len(times)
        while index < count:
            wait_ns = self._start_ns + times[index] - time.perf_counter_ns()
            if wait_ns > 0:
                rest_ns = wait_ns - self._spin_ns
                await asyncio.sleep(rest_ns / NS_PER_SECOND if rest_ns > 0 else 0)
                continue
            for _ in range(_TURN_MAX):
                if self._free:
                    self._free.popleft().send(index, self._wires[index], self.now_ns())
                else:
                    self._waiting.append(index)
                index += 1
                if index == count or times[index] > self.now_ns():
                    break
            else:
                await asyncio.sleep(0)

    def freed(self, connection: "_Connection", now_ns: int) -> None:
        """Give a connection that has nothing to do the request that has waited longest."""
        if not self._waiting:
            self._free.append(connection)
            return
        index = self._waiting.popleft()
        self.samples.possible_ns[index] = max(now_ns, self.samples.intended_ns[index])
        connection.send(index, self._wires[index], self.now_ns())

    def lost(self, connection: "_Connection") -> None:
        """Open a connection again that was closed."""
        if connection in self._free:
            self._free.remove(connection)
        if not self._closing:
            self.reconnects += 1
            task = asyncio.get_running_loop().create_task(self._reopen(connection))
            self._reconnecting.add(task)
            task.add_done_callback(self._reconnecting.discard)

    def now_ns(self) -> int:
        """Return the time since the start of the run."""
        return time.perf_counter_ns() - self._start_ns

    async def _reopen(self, connection: "_Connection") -> None:
        while not self._closing:
            try:
                await self._open(connection)
            except (OSError, TimeoutError):
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                return

    async def _open(self, connection: "_Connection") -> None:
        source = self._sources[connection.number % len(self._sources)] if self._sources else None
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                self._target.host,
                self._target.port,
                ssl=self._tls,
                local_addr=(source, 0) if source else None,
            )

    # --- Giving up ----------------------------------------------------------------------------

    async def _sweep(self, progress: Callable[[Samples, int], None] | None) -> None:
        """End what takes too long, until every request has ended."""
        samples = self.samples
        due = 0
        while samples.answered < len(samples):
            await asyncio.sleep(_SWEEP_SECONDS)
            now_ns = self.now_ns()
            latest_ns = now_ns - self._timeout_ns
            while self._waiting and samples.intended_ns[self._waiting[0]] < latest_ns:
                samples.end(self._waiting.popleft(), now_ns, ERROR, "no free connection in time")
            for connection in self._connections:
                connection.give_up_before(latest_ns, now_ns)
            if progress is not None:
                while due < len(samples) and samples.intended_ns[due] <= now_ns:
                    due += 1
                progress(samples, due)


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, and its answer."""

    def __init__(self, senders: RestSenders, number: int) -> None:
        self.number = number
        self._senders = senders
        self._transport: asyncio.Transport | None = None
        self._index = -1
        """The request that waits for its answer, -1 for none."""
        self._last = -1
        """The request that was answered last."""
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers_done = self._framed = False
        self._stays_open = True
        self._body = b""
        self._decision_id = self._rule = ""

    def send(self, index: int, wire: bytes, now_ns: int) -> None:
        """Write a request; the connection must be free."""
        assert self._index < 0
        assert self._transport is not None
        self._index = index
        self._senders.samples.sent_ns[index] = now_ns
        self._transport.write(wire)

    def give_up_before(self, latest_ns: int, now_ns: int) -> None:
        """End a request that was sent before a time, and with it the connection."""
        if self._index >= 0 and self._senders.samples.sent_ns[self._index] < latest_ns:
            self._fail("no answer in time", now_ns)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, label: str, now_ns: int) -> None:
        if self._index >= 0:
            self._senders.samples.end(self._index, now_ns, ERROR, label)
            self._index = -1
        self.abort()

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start afresh."""
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._reset()
        self._senders.freed(self, self._senders.now_ns())

    def data_received(self, data: bytes) -> None:
        """Read an answer, or a part of it."""
        if self._index < 0:
            # Nothing was asked: nobody knows what a further answer would belong to.
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("malformed answer", self._senders.now_ns())
            return
        if self._index >= 0:
            return
        # Only now, with all that came taken in, is the connection free for another request.
        if self._stays_open:
            self._senders.freed(self, self._senders.samples.answered_ns[self._last])
        else:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """End the request that was under way, and connect again."""
        self._transport = None
        if self._index >= 0:
            if error is None and self._headers_done and not self._framed:
                self._finish()
            else:
                self._fail("connection lost", self._senders.now_ns())
        self._senders.lost(self)

    # --- httptools ----------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers that are needed."""
        lower = name.lower()
        if lower == DECISION_HEADER:
            self._decision_id = value.decode("latin-1")
        elif lower == RULE_HEADER:
            self._rule = value.decode("latin-1")
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        """Note that the status is known."""
        self._headers_done = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        """Keep the beginning of the body."""
        if len(self._body) < BODY_KEPT_MAX:
            self._body += body[: BODY_KEPT_MAX - len(self._body)]

    def on_message_complete(self) -> None:
        """The answer is whole; an interim one (1xx) is not the answer."""
        if self._parser.get_status_code() < 200:
            return
        if self._index < 0:
            self._stays_open = False
            return
        self._stays_open = self._parser.should_keep_alive()
        self._finish()

    def _finish(self) -> None:
        """Note the answer."""
        now_ns = self._senders.now_ns()
        samples, index = self._senders.samples, self._index
        outcome, label = classify(self._parser.get_status_code(), self._body, self._rule)
        samples.end(index, now_ns, outcome, label)
        samples.decision_ids[index] = self._decision_id
        self._last, self._index = index, -1
        self._headers_done = self._framed = False
        self._body = b""
        self._decision_id = self._rule = ""
