"""Starts edge processes, starts anew what has died, and ends all of them.

The gate makes what they listen on, one socket of the same port for each, and hands it on. So when
an edge dies its clients lose their connections, but nobody is turned away meanwhile: new ones wait
in its socket until the next process is there, or come to another edge's at once.
"""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from gateway.clock import Rate
from gateway.edges.processes.core_desk import EdgeDesk, definition_of
from gateway.edges.processes.core_side import EdgeLink
from gateway.edges.processes.messages import ClockRate, Defined, Setup, Stop
from gateway.listeners import Listeners
from rules.decisions import Decision
from rules.events import Define, DefineKey, DefineSymbol, Event

WORKER: Final = "gateway.edges.processes.worker"
START_SECONDS: Final = 60.0
"""How long the first processes may take to listen."""
START_LOOK_SECONDS: Final = 0.005
STOP_SECONDS: Final = 15.0
"""How long they may take to answer what is under way and end."""
END_SECONDS: Final = 5.0
"""How long a process whose socket is closed may take to end by itself."""
BACKOFF_SECONDS_MIN: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 5.0
STEADY_SECONDS: Final = 30.0
"""An edge that has served for so long is started anew at once when it dies."""
SILENT_LOOKS_MAX: Final = 15
"""So often, once a second, an edge may be found to have said nothing before it is killed. It says
how it is every second."""
BACKLOG: Final = 1_024

_logger: Final = logging.getLogger(__name__)


class EdgesError(ValueError):
    """The edge processes can't be started."""


class EdgePlan(NamedTuple):
    """How many edges there are, and what each is told at its start."""

    number: int
    setup: Callable[[], Setup]
    rate: Callable[[], Rate]
    """How the receive clock runs."""
    clock_seconds: float = 1.0
    """How often edges are told so."""


class _Edge:
    """One place among the edges, whatever process has it."""

    def __init__(self, name: str, listening: list[socket.socket]) -> None:
        self.name = name
        self.listening = listening
        self.process: subprocess.Popen[bytes] | None = None
        self.link: EdgeLink | None = None
        self.serving = asyncio.Event()


class EdgeProcesses:
    """Serves REST by processes in front of the core. Linux only.

    `deaths` counts processes that ended without being asked to.
    """

    def __init__(self, plan: EdgePlan, desk: EdgeDesk) -> None:
        self.deaths = 0
        self._plan = plan
        self._desk = desk
        self._edges: list[_Edge] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._told_rate: Rate | None = None
        self._clock_timer: asyncio.TimerHandle | None = None

    @property
    def serving(self) -> int:
        """Number of edges that take connections."""
        return sum(edge.serving.is_set() for edge in self._edges)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the edges that run."""
        running = (edge.process for edge in self._edges)
        return tuple(process.pid for process in running if process is not None)

    @property
    def connections(self) -> int:
        """Number of open connections, as told at most a second ago."""
        return sum(edge.link.connections for edge in self._edges if edge.link is not None)

    def listen_to(self, listeners: Listeners) -> None:
        """Have what edges need to know told."""
        listeners.add(self.on_record, Define, DefineKey, DefineSymbol)

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Tell edges what was defined, in order with the outcomes."""
        definition = definition_of(event)
        if definition is not None:
            self._tell_all(Defined(definition))

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (a free one for port 0).

        Raises OSError when it is taken, and EdgesError when the processes do not come up.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
        port = _check_free(*addresses[0])
        addresses = [(family, (address[0], port, *address[2:])) for family, address in addresses]
        for family, address in addresses[1:]:
            _check_free(family, address)
        self._edges = [
            _Edge(f"edge {number + 1}", [_listening(*one) for one in addresses])
            for number in range(self._plan.number)
        ]
        self._tasks = [loop.create_task(self._keep(edge)) for edge in self._edges]
        self._follow_clock()
        try:
            async with asyncio.timeout(START_SECONDS):
                while self.serving < self._plan.number:
                    if self.deaths:
                        raise EdgesError(
                            "an edge process ended before it listened; above is what it said"
                        )
                    await asyncio.sleep(START_LOOK_SECONDS)
        except TimeoutError:
            raise EdgesError(
                f"{self._plan.number - self.serving} of {self._plan.number} edge processes did not "
                f"begin to listen within {START_SECONDS:.0f} s"
            ) from None
        return port

    async def close(self) -> None:
        """Have every edge answer what is under way, then end it."""
        self._stop.set()
        if self._clock_timer is not None:
            self._clock_timer.cancel()
        for edge in self._edges:
            for one in edge.listening:
                one.close()
        self._tell_all(Stop())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for edge in self._edges:
            if edge.process is not None:
                _logger.error("%s did not end in time and is killed", edge.name)
                edge.process.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- One edge -----------------------------------------------------------------------------

    async def _keep(self, edge: _Edge) -> None:
        """Have a process in this place until the end."""
        loop = asyncio.get_running_loop()
        backoff_seconds = BACKOFF_SECONDS_MIN
        while not self._stop.is_set():
            began = loop.time()
            try:
                code = await self._serve(edge)
            except OSError as error:
                _logger.critical("%s can't be started: %s", edge.name, error)
                code = None
            if self._stop.is_set():
                return
            self.deaths += 1
            if loop.time() - began >= STEADY_SECONDS:
                backoff_seconds = BACKOFF_SECONDS_MIN
            _logger.error(
                "%s ended with %s; its connections are lost, and it is started anew in %g s",
                *(edge.name, code, backoff_seconds),
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), backoff_seconds)
            backoff_seconds = min(2 * backoff_seconds, BACKOFF_SECONDS_MAX)

    async def _serve(self, edge: _Edge) -> int:
        """Run one process until it ends; return its exit code."""
        gone = asyncio.Event()
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = [one.fileno() for one in (theirs, *edge.listening)]
            # Not by the event loop, which forks; this way the child borrows the page tables of the
            # gate's memory until it begins.
            process = edge.process = subprocess.Popen(  # noqa: S603 - a module of our own
                [sys.executable, "-m", WORKER, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,
                # Ctrl-C in the gate's terminal is not for it.
                start_new_session=True,
            )
        link = edge.link = EdgeLink(self._desk, edge.serving.set, gone.set)
        try:
            # Whatever is told to all edges from here on comes after it.
            link.link.hold()
            link.link.send(self._plan.setup())
            await link.link.open(ours)
            link.link.flush()
            link.link.send(ClockRate(*self._plan.rate()))
            link.define_all()
            if self._stop.is_set():
                link.link.send(Stop())
            await gone.wait()
        finally:
            edge.serving.clear()
            link.link.abort()
            code = await _ended(process)
            edge.process = edge.link = None
        return code

    def _tell_all(self, message: Any) -> None:
        for edge in self._edges:
            if edge.link is not None and edge.link.link.open_now:
                edge.link.link.send(message)

    def _follow_clock(self) -> None:
        """Tell edges how the clock runs whenever that changes, and end those that hang."""
        for edge in self._edges:
            if edge.link is not None and edge.process is not None and edge.serving.is_set():
                # Looks are counted and not time: a core that stood still has heard nobody.
                edge.link.silent += 1
                if edge.link.silent > SILENT_LOOKS_MAX:
                    _logger.error("%s says nothing any more and is killed", edge.name)
                    edge.process.kill()
        rate = self._plan.rate()
        if rate != self._told_rate:
            self._told_rate = rate
            self._tell_all(ClockRate(*rate))
        loop = asyncio.get_running_loop()
        self._clock_timer = loop.call_later(self._plan.clock_seconds, self._follow_clock)


async def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Return a process's exit code; one that does not end by itself is killed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            while process.poll() is None:
                await asyncio.sleep(0.01)
    if process.poll() is None:
        process.kill()
    return await asyncio.to_thread(process.wait)


# --- What they listen on --------------------------------------------------------------------------


def _listening(family: int, address: tuple[Any, ...]) -> socket.socket:
    """Return a socket that shares its port with others of this gate."""
    one = _socket(family)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def _check_free(family: int, address: tuple[Any, ...]) -> int:
    """Return the port of an address, a free one for 0; raise OSError when somebody listens there.

    Sharing the port would not tell: another gate's edges would silently get part of the clients.
    """
    with _socket(family) as probe:
        probe.bind(address)
        port: int = probe.getsockname()[1]
        return port


def _socket(family: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return one
