"""One edge process: `python -m gateway.edges.processes.worker`, started by the gate only.

The arguments are file descriptors it inherits: its end of the socket to the core, then what it
listens on. It ends when the core tells it to, or is gone.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.addresses import PeerAddresses
from gateway.auth.authenticator import Authenticator
from gateway.auth.keystore import KeyStore, find_sealing_key
from gateway.auth.material import KeyMaterial
from gateway.clock import FollowingClock, Rate
from gateway.collection import Collector
from gateway.decision_id import DecisionIds
from gateway.descriptors import connections_that_fit
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.edges.http.edge import HttpEdge
from gateway.edges.http.limits import HttpLimits
from gateway.edges.http.spin import Spinner
from gateway.edges.processes.edge_dialect import EdgeDialect
from gateway.edges.processes.edge_side import RemoteCore, take_each
from gateway.edges.processes.link import Link
from gateway.edges.processes.messages import (
    Answered,
    Begin,
    ClockRate,
    Decided,
    Defined,
    Failed,
    FromCore,
    Listening,
    Setup,
    Stop,
)
from gateway.edges.processes.meter import EdgeMeter
from gateway.edges.processes.mirror import Mirror
from gateway.turns import PATIENT, Turns
from rules.clauses import RulebookFile
from rules.rulebook import Rulebook

TELL_SECONDS: Final = 1.0
"""How often the core is told what was measured."""
TENDED_TIMES: Final = 50
"""Looks at young garbage between two times that it tells."""
CLOSE_SECONDS: Final = 2.0
"""How long the last words to the core may take."""
EXIT_CORE_LOST: Final = 1

_logger: Final = logging.getLogger(__name__)


class EdgeProcess:
    """An edge over HTTP whose core is in another process."""

    def __init__(self, listening: Sequence[socket.socket]) -> None:
        self._listening = listening
        self._stopping = asyncio.Event()
        self._closed = asyncio.Event()
        self._core_lost = False
        self._edge: HttpEdge | None = None
        self._keystore: KeyStore | None = None
        self._acts: dict[type[Any], Any] = {
            Setup: self._set_up,
            Begin: lambda _: self._begin(),
            Stop: lambda _: self.ask_to_stop(),
        }
        self._link = Link(FromCore, self._take, self._lost, crowded=self._crowded)
        self._tasks: set[asyncio.Task[None]] = set()

    def ask_to_stop(self) -> None:
        """Answer what is under way, then end."""
        self._stopping.set()

    async def run(self, end: socket.socket) -> int:
        """Serve until the core wants no more or is gone; return the exit code."""
        await self._link.open(end)
        await self._stopping.wait()
        if self._core_lost:
            # What was sent is decided, if it has reached the core; nobody can be told any more.
            return EXIT_CORE_LOST
        if self._edge is not None:
            closing = asyncio.ensure_future(self._edge.close())
            core_gone = asyncio.ensure_future(self._closed.wait())
            await asyncio.wait((closing, core_gone), return_when=asyncio.FIRST_COMPLETED)
            self._tell()
        self._link.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), CLOSE_SECONDS)
        if self._keystore is not None:
            self._keystore.close()
        return 0

    # --- What the core says -------------------------------------------------------------------

    def _take(self, messages: list[Any]) -> None:
        take_each(self._acts, messages)

    def _lost(self) -> None:
        self._core_lost = not self._stopping.is_set()
        self._stopping.set()
        self._closed.set()

    def _set_up(self, setup: Setup) -> None:
        """Make everything that answers requests."""
        clock = FollowingClock(_rate(setup.clock))
        rulebook = Rulebook(msgspec.json.decode(setup.rulebook_text, type=RulebookFile))
        keystore_path = Path(setup.keystore)
        keystore = KeyStore(keystore_path, find_sealing_key(keystore_path, os.environ))
        mirror = Mirror(rulebook, lambda name: authenticator.forget(name))
        directory = mirror.directory

        def find_in_force(name: str) -> KeyMaterial | None:
            # The store may still have a key for a moment after the record has its end.
            definition = directory.keys.get(name)
            return keystore.find(name) if definition is not None and definition.enabled else None

        authenticator = Authenticator(find_in_force, directory)
        ids = DecisionIds(setup.decision_key, setup.run_id)
        own = BinanceDialect(mirror, mirror.views, authenticator, ids, lambda _: None)
        dialect = EdgeDialect(mirror, own, authenticator)
        core = RemoteCore(self._link, directory, self._open_lanes)
        core.dialect = dialect
        self._meter = EdgeMeter(setup.bounds_ns)
        self._core, self._keystore, self._spin = core, keystore, setup.spin
        self._edge = HttpEdge(
            core,
            [dialect],
            clock.receive_ns,
            PeerAddresses(setup.proxies),
            self._meter,
            HttpLimits(connections=connections_that_fit(setup.connections_max, ports=1)),
            # What waits too long waits for the core, which is not this process's to judge.
            turns=Turns(PATIENT),
            trusts=dialect.trusts,
        )
        self._acts |= {
            Decided: core.decided,
            Answered: core.answered,
            Failed: core.failed,
            Defined: lambda told: mirror.define(told.event),
            ClockRate: lambda told: clock.follow(_rate(told)),
        }

    def _begin(self) -> None:
        self._later(self._serve())

    async def _serve(self) -> None:
        assert self._edge is not None
        await self._edge.start_on(self._listening)
        if self._spin:
            Spinner()
        self._link.send(Listening())
        collector = Collector(lambda: self._core.submitted)
        while True:
            for _ in range(TENDED_TIMES):
                await asyncio.sleep(TELL_SECONDS / TENDED_TIMES)
                collector.tend()
            collector.look()
            self._tell()

    def _tell(self) -> None:
        edge = self._edge
        assert edge is not None
        self._link.send(self._meter.take(edge.connections, edge.refused_connections))

    def _crowded(self, crowded: bool) -> None:
        self._core.crowded(crowded)

    def _open_lanes(self, lanes: int) -> None:
        assert self._edge is not None
        self._edge.open(lanes)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _logger.critical("the edge process can't go on", exc_info=task.exception())
            self._core_lost = True
            self._stopping.set()


def _rate(told: ClockRate) -> Rate:
    return Rate(told.since_ns, told.offset_ns, told.ppm)


async def _run(end: socket.socket, listening: Sequence[socket.socket]) -> int:
    process = EdgeProcess(listening)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, process.ask_to_stop)
    # Ctrl-C is the gate's, which then tells its edges to stop.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    return await process.run(end)


def main(arguments: Sequence[str]) -> int:
    """Run an edge process on inherited descriptors; return its exit code."""
    end, *listening = (socket.socket(fileno=int(argument)) for argument in arguments)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_run(end, listening))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(end, listening))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
