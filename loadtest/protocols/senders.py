"""What all protocols share: sending on time, whatever became of what was sent before.

Messages go out when they are due. One that finds no connection with room waits for the next, and
that wait is part of its latency, not the tester's lateness. Nothing is ever sent twice.
"""

import asyncio
import contextlib
import ssl
import time
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, cast

from loadtest.samples import ERROR, NEVER, Samples
from loadtest.target import GRPC_SCHEMES, Target
from loadtest.units import NS_PER_MS, NS_PER_SECOND, LoadTestError

_CONNECT_SECONDS: Final = 5.0
_RECONNECT_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 0.05
_LEAD_NS: Final = 50 * NS_PER_MS
"""Between the last preparation and the start of the run."""
_LAST_ANSWERS_NS: Final = NS_PER_SECOND
"""How long answers are waited for when a run is broken off."""
_SPIN_NS: Final = 2 * NS_PER_MS
"""Event loops wake to the millisecond; the rest is waited for by looking at the stopwatch."""
_TURN_MAX: Final = 32
"""Messages sent before answers are looked at again, when many are due at once."""


class Rendered(NamedTuple):
    """Everything a run sends, as it goes over the wire."""

    wires: Sequence[bytes]
    """One for each message."""
    batch: int = 1
    """Requests in each message; they follow each other and are due at the same moment."""
    lanes: "array[int] | None" = None
    """For each message, which connections may carry it; None: any."""


class Ways(NamedTuple):
    """How a run's connections are made and used."""

    connections: int
    timeout_ns: int
    sources: tuple[str, ...] = ()
    """Local addresses to connect from, in turn; empty leaves it to the system."""
    spin: bool = True
    server_minus_stopwatch_ns: int = 0
    """What to add to `time.perf_counter_ns` to get the target's clock."""


class Connection(asyncio.Protocol, ABC):
    """One connection to the target. `lane` is which messages it may carry."""

    lane = 0
    listed = False
    """Whether the senders know that there is room; theirs to write."""
    opening = False
    """Whether it is being opened just now; the senders', too."""

    def __init__(self, senders: "Senders", number: int) -> None:
        self.number = number
        self.senders = senders
        self.transport: asyncio.Transport | None = None

    @property
    @abstractmethod
    def has_room(self) -> bool:
        """Whether a message may be sent now."""

    @abstractmethod
    def send(self, first: int, count: int, wire: bytes, now_ns: int) -> None:
        """Write the message that carries `count` requests from `first` on."""

    @abstractmethod
    def give_up_before(self, latest_ns: int, now_ns: int) -> None:
        """End what was sent before a time and has no answer."""

    async def ready(self) -> None:
        """Return once requests may be sent; raises LoadTestError when they never may."""

    async def leave(self) -> None:
        """Say good-bye as the protocol wants it, before the connection is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Connect again."""
        self.transport = None
        self.senders.lost(self)

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()


class Pipeline(Connection):
    """A connection that carries many requests at a time, whose answers name their request."""

    def __init__(self, senders: "Senders", number: int) -> None:
        super().__init__(senders, number)
        self.outstanding: dict[int, None] = {}
        """Requests without an answer, in the order they were sent."""
        self.paused = False

    def sent(self, indexes: Iterable[int], now_ns: int) -> None:
        """Note that requests were sent."""
        sent_ns = self.senders.samples.sent_ns
        for index in indexes:
            self.outstanding[index] = None
            sent_ns[index] = now_ns

    def answered(
        self, index: int, now_ns: int, outcome: str, label: str, decision_id: str = ""
    ) -> bool:
        """Note an answer; False when nothing waits for it, be it late, doubled or nobody's."""
        if index not in self.outstanding:
            return False
        del self.outstanding[index]
        self.senders.samples.end(index, now_ns, outcome, label)
        self.senders.samples.decision_ids[index] = decision_id
        return True

    def failed(self, index: int, label: str, now_ns: int) -> None:
        """End one request that gets no answer."""
        if index in self.outstanding:
            del self.outstanding[index]
            self.senders.samples.end(index, now_ns, ERROR, label)

    def fail_all(self, label: str) -> None:
        """End everything that waits for an answer."""
        now_ns = self.senders.now_ns()
        for index in list(self.outstanding):
            self.failed(index, label, now_ns)

    def give_up_before(self, latest_ns: int, now_ns: int) -> None:
        """End what was sent before a time; the connection stays, answers name their request."""
        sent_ns = self.senders.samples.sent_ns
        while self.outstanding:
            oldest = next(iter(self.outstanding))
            if sent_ns[oldest] >= latest_ns:
                return
            self.failed(oldest, "no answer in time", now_ns)

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start afresh."""
        super().connection_made(transport)
        self.paused = False

    def connection_lost(self, error: Exception | None) -> None:
        """End everything that was under way, and connect again."""
        self.fail_all("connection lost")
        super().connection_lost(error)

    def pause_writing(self) -> None:
        """The target does not read: send nothing more."""
        self.paused = True

    def resume_writing(self) -> None:
        """The target reads again."""
        self.paused = False
        self.senders.freed(self, self.senders.now_ns())


class _Lane:
    """Connections that may carry the same messages."""

    def __init__(self) -> None:
        self.free: deque[Connection] = deque()
        self.waiting: deque[int] = deque()
        """First requests of messages that found no room."""

    def take(self) -> Connection | None:
        """Return the connection that has had room longest, None where none has any."""
        while self.free:
            connection = self.free.popleft()
            connection.listed = False
            # What comes from the target may have taken the room since it was listed.
            if connection.has_room:
                return connection
        return None


class Senders(ABC):
    """A number of connections to one target."""

    def __init__(self, target: Target, ways: Ways, lanes: int = 1) -> None:
        self.target = target
        self.ways = ways
        self._spin_ns = _SPIN_NS if ways.spin else 0
        self._lanes = [_Lane() for _ in range(lanes)]
        self._connections: list[Connection] = []
        self._reconnecting: set[asyncio.Task[None]] = set()
        self._closing = False
        self._start_ns = 0
        self._rendered = Rendered([])
        self._dispatching: asyncio.Task[None] | None = None
        self._dispatched = 0
        """Requests that were sent, or wait for a connection."""
        self.broken_ns: int | None = None
        """When the run was broken off, since its start; None when it was not."""
        self.samples = Samples(array("q"))
        self.reconnects = 0

    @abstractmethod
    def make(self, number: int) -> Connection:
        """Return a connection that is yet to be opened."""

    async def connect(self) -> None:
        """Open all connections; raises LoadTestError when one can't be."""
        self._connections = [self.make(number) for number in range(self.ways.connections)]
        for connection in self._connections:
            try:
                await self._open(connection)
            except (OSError, TimeoutError, LoadTestError) as error:
                await self.close()
                raise LoadTestError(
                    f"can't connect to {self.target.url}: {str(error) or type(error).__name__}"
                ) from None

    async def close(self) -> None:
        """Close all connections."""
        self._closing = True
        for task in self._reconnecting:
            task.cancel()
        await asyncio.gather(*self._reconnecting, return_exceptions=True)
        leaving = [connection.leave() for connection in self._connections]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await asyncio.gather(*leaving)
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)

    async def run(
        self,
        samples: Samples,
        rendered: Rendered,
        start_ns: int,
        progress: Callable[[Samples, int], None] | None = None,
    ) -> None:
        """Send every message at its time, and return once each request is answered or given up.

        The run starts when the stopwatch (`time.perf_counter_ns`) shows `start_ns`, or a moment
        from now if that has passed. `progress` is called every 50 ms with the samples and the
        number of requests that are due.
        """
        self.samples, self._rendered = samples, rendered
        self._start_ns = max(start_ns, time.perf_counter_ns() + _LEAD_NS)
        sweeper = asyncio.create_task(self._sweep(progress))
        self._dispatching = asyncio.create_task(self._dispatch())
        try:
            await asyncio.wait((self._dispatching,))
            if not self._dispatching.cancelled():
                self._dispatching.result()
            await sweeper
        finally:
            self._dispatching.cancel()
            sweeper.cancel()

    def break_off(self, at_ns: int) -> None:
        """Send nothing more of the run under way, which ends at a moment of the stopwatch.

        What was sent has a second for its answer. Then whatever was due by that moment and has
        none ends as an error, and the run is over.
        """
        assert self._dispatching is not None
        self._dispatching.cancel()
        self.broken_ns = max(at_ns - self._start_ns, 0)
        for lane in self._lanes:
            lane.waiting.clear()

    def due_at_the_end(self) -> int:
        """Return how many requests were due and taken up when the run was broken off, else all."""
        if self.broken_ns is None:
            return len(self.samples)
        # What became due while the word came to stop was not held back by the target.
        return min(bisect_left(self.samples.intended_ns, self.broken_ns), self._dispatched)

    # --- Sending ------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Hand each message to a connection when it is due, or let it wait for one."""
        times, batch = self.samples.intended_ns, self._rendered.batch
        index, count = 0, len(times)
        while index < count:
            self._dispatched = index
            wait_ns = self._start_ns + times[index] - time.perf_counter_ns()
            if wait_ns > 0:
                rest_ns = wait_ns - self._spin_ns
                await asyncio.sleep(rest_ns / NS_PER_SECOND if rest_ns > 0 else 0)
                continue
            for _ in range(_TURN_MAX):
                lane = self._lane_of(index)
                connection = lane.take()
                if connection is not None:
                    self._send(connection, index)
                    self._list(connection, lane)
                else:
                    lane.waiting.append(index)
                index += batch
                if index >= count or times[index] > self.now_ns():
                    break
            else:
                self._dispatched = index
                await asyncio.sleep(0)
        self._dispatched = index

    def _lane_of(self, index: int) -> _Lane:
        lanes = self._rendered.lanes
        return self._lanes[lanes[index // self._rendered.batch] if lanes is not None else 0]

    def _send(self, connection: Connection, index: int) -> None:
        batch = self._rendered.batch
        connection.send(index, batch, self._rendered.wires[index // batch], self.now_ns())

    def _list(self, connection: Connection, lane: _Lane) -> None:
        """Keep a connection among those with room, if it has some."""
        connection.listed = connection.has_room
        if connection.listed:
            lane.free.append(connection)

    def freed(self, connection: Connection, now_ns: int) -> None:
        """Give a connection that has room again the messages that have waited longest."""
        if connection.listed:
            return
        lane, samples = self._lanes[connection.lane], self.samples
        while lane.waiting and connection.has_room:
            index = lane.waiting.popleft()
            for each in range(index, index + self._rendered.batch):
                samples.possible_ns[each] = max(now_ns, samples.intended_ns[each])
            self._send(connection, index)
        self._list(connection, lane)

    def lost(self, connection: Connection) -> None:
        """Open a connection again that was closed."""
        if connection.listed:
            self._lanes[connection.lane].free.remove(connection)
            connection.listed = False
        if not self._closing and not connection.opening:
            self.reconnects += 1
            task = asyncio.get_running_loop().create_task(self._reopen(connection))
            self._reconnecting.add(task)
            task.add_done_callback(self._reconnecting.discard)

    def now_ns(self) -> int:
        """Return the time since the start of the run."""
        return time.perf_counter_ns() - self._start_ns

    def server_now_ns(self) -> int:
        """Return the target's clock."""
        return time.perf_counter_ns() + self.ways.server_minus_stopwatch_ns

    async def _reopen(self, connection: Connection) -> None:
        while not self._closing:
            try:
                await self._open(connection)
            except (OSError, TimeoutError, LoadTestError):
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                return

    async def _open(self, connection: Connection) -> None:
        sources = self.ways.sources
        source = sources[connection.number % len(sources)] if sources else None
        connection.opening = True
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    self.target.host,
                    self.target.port,
                    ssl=self.tls(),
                    local_addr=(source, 0) if source else None,
                )
                await connection.ready()
            if connection.transport is None:
                raise ConnectionError("the connection was closed at once")
        except BaseException:
            connection.abort()
            raise
        finally:
            connection.opening = False

    def tls(self) -> ssl.SSLContext | None:
        """Return how connections are encrypted, None when they are not."""
        if not self.target.tls:
            return None
        context = ssl.create_default_context()
        if self.target.scheme in GRPC_SCHEMES:
            context.set_alpn_protocols(["h2"])
        return context

    # --- Giving up ----------------------------------------------------------------------------

    async def _sweep(self, progress: Callable[[Samples, int], None] | None) -> None:
        """End what takes too long, until every request has ended."""
        samples = self.samples
        due = 0
        while samples.answered < len(samples):
            await asyncio.sleep(_SWEEP_SECONDS)
            now_ns = self.now_ns()
            if self.broken_ns is not None:
                if self._all_ended(self.broken_ns, now_ns):
                    return
                continue
            latest_ns = now_ns - self.ways.timeout_ns
            for lane in self._lanes:
                while lane.waiting and samples.intended_ns[lane.waiting[0]] < latest_ns:
                    first = lane.waiting.popleft()
                    for index in range(first, first + self._rendered.batch):
                        samples.end(index, now_ns, ERROR, "no free connection in time")
            for connection in self._connections:
                connection.give_up_before(latest_ns, now_ns)
            if progress is not None:
                while due < len(samples) and samples.intended_ns[due] <= now_ns:
                    due += 1
                progress(samples, due)

    def _all_ended(self, broken_ns: int, now_ns: int) -> bool:
        """Tell whether a run that was broken off is over; what has no answer by then is ended."""
        samples, due = self.samples, self.due_at_the_end()
        over = now_ns >= broken_ns + _LAST_ANSWERS_NS
        if not over and samples.answered < due:
            return False
        left = [index for index in range(due) if samples.answered_ns[index] == NEVER]
        if left and not over:
            return False
        for index in left:
            samples.end(index, now_ns, ERROR, "no answer before the run was broken off")
        return True
