"""The composition root: a whole gate from a configuration, its start, its life and its end."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.addresses import PeerAddresses
from gateway.admin.administration import Administration
from gateway.admin.cases import CaseAdministration
from gateway.admin.key_registry import KeyRegistry
from gateway.auth.authenticator import Authenticator
from gateway.auth.key_file import read_or_make
from gateway.auth.keystore import KeyStore, KeyStoreError, find_sealing_key
from gateway.beside import Beside, works_of
from gateway.builds import BuildError
from gateway.builds import check as check_build
from gateway.builds import chosen as chosen_build
from gateway.clock import Clock, ManualClock, SystemClock
from gateway.collection import Collector
from gateway.config import Config, ListenConfig
from gateway.core import Core
from gateway.data_lock import DataLock, DataLockedError
from gateway.decision_id import DecisionIds
from gateway.descriptors import connections_that_fit
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.dialects.native.desk import Desk
from gateway.directory import Directory
from gateway.edges.admin import AdminEdge, make_token
from gateway.edges.grpc_admin import GrpcAdmin
from gateway.edges.grpc_orders import GrpcOrderEdge
from gateway.edges.http.spin import Spinner
from gateway.edges.rest_choice import EdgeGround, make_edge_processes, make_rest_edge
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.remote import RemoteEngine
from gateway.fees.posting import FeePoster
from gateway.gauges import Gauge, gate_gauges, open_gauges, publish_turns
from gateway.journal import JournalError
from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.foundation import manifest_digest, start_digest
from gateway.ladder_acts import LadderActs
from gateway.logview.rendering import Names, record_tree
from gateway.logview.subjects import Subjects
from gateway.population import populate
from gateway.recent_decisions import RecentDecisions
from gateway.record_space import LOOK_SECONDS, space_watch
from gateway.recording import Recording
from gateway.recovery import Recovered, recover
from gateway.rulebooks import load_rulebook
from gateway.snapshots import Snapshot, write_start
from gateway.stages import Stages
from gateway.stub.market import DemoMarket
from gateway.takeover import begin_engine, make_engine, reconcile, settle_what_was_lost, take_over
from gateway.telemetry import Telemetry
from gateway.trust import trust_of
from gateway.turns import Turns, bounds_of
from gateway.views import Views
from gateway.views.before import ViewsBefore
from rules.events import RunBegan
from rules.rulebook import RulebookError
from rules.units import duration_ns

DECISION_KEY_FILE: Final = "decision.key"
KEYSTORE_FILE: Final = "keys.sqlite"
TICK_SECONDS: Final = 0.02
MARKET_STEP_SECONDS: Final = 0.1
COLLECT_SECONDS: Final = 1.0
CLOCK_WAIT_NS: Final = 1_000_000_000
"""How long a start waits for a clock that is behind the last record."""
ENGINE_WAIT_SECONDS: Final = 10.0

_logger = logging.getLogger(__name__)


class StartError(RuntimeError):
    """The gate can't start; the message says why and what would help."""


class Gate:
    """One gate.

    `start` brings everything up in order, `wait` returns when the gate has been asked to stop or
    must stop, `stop` takes everything down so that nothing that was answered is lost.
    """

    def __init__(self, config: Config, clock: Clock | None = None, disk: Disk = REAL_DISK) -> None:
        """Take the configuration; a test gives a clock of its own, or a disk for the record."""
        self.config = config
        self._given_clock = clock
        self._disk = disk
        self.ports: dict[str, int] = {}
        self.stages = Stages() if config.telemetry.stages else None
        self.fault = ""
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], Any]] = []

    # --- Start --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring the gate up; `stop` must be called even when this raises.

        Raises StartError and RulebookError for what an operator can mend.
        """
        try:
            await self._start()
        except (
            JournalError,
            KeyStoreError,
            DataLockedError,
            BuildError,
            OSError,
            ValueError,
        ) as error:
            if isinstance(error, RulebookError):
                raise
            raise StartError(str(error)) from error

    async def _start(self) -> None:
        check_build(chosen_build())
        config = self.config
        data = config.record.data
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(
                f"{data} can't be made a data directory: {error.strerror}; name another one"
            ) from None
        self._closers.append(DataLock(data).release)
        self.rulebook = load_rulebook(config.rulebook)
        self.clock: Clock = self._given_clock or _clock(config)
        seen = ViewsBefore()
        before = recover(data, seen.begin, seen.on_record)
        if not config.engine.address:
            begin_engine(before, self.rulebook)
        await self._wait_for_clock(before.last_ns)
        start = self._open_stores(data, before)
        self._make_core(before)
        take_over(self.core, self.engine, start, before.first_seq)
        # From the first command on, nothing may leave before its record is safe.
        self.recording.secure(self.core)
        self.views = Views(self.core, self.engine, config.seed_history, seen.views)
        self.core.stages = self.stages
        self.telemetry = Telemetry(config.telemetry.otlp_endpoint, self.stages)
        self._closers.append(self.telemetry.close)
        self.decisions = RecentDecisions(self.journal)
        self.ladder_acts = LadderActs(self.core.book, self.core.submit)
        for onlooker in (self.views, self.telemetry, self.decisions, self.ladder_acts):
            onlooker.listen_to(self.core.listeners)
        if isinstance(self.engine, RemoteEngine):
            self.core.listeners.add(self.engine.on_record)
        # Before the engine is there, so that the kills it begins with find what was not cancelled.
        settle_what_was_lost(self.core, self.engine, before)
        self.engine.start(self.core.submit, self.views.market)
        self._closers.append(self._close_engine)
        populate(self.core, self.engine, self.keystore, config)
        self.ladder_acts.catch_up()
        next_order_id = await self._wait_for_engine()
        # Everything that is taken over is recorded now: the next run may start from this one.
        manifest, directory = self.journal.manifest, self.journal.directory
        foundation = manifest_digest(manifest), start_digest(directory)
        self.core.submit(RunBegan(before.previous, next_order_id, *foundation))
        self._closers += [self.core.flush, self.core.close, self.turns.finish]
        self.recording.settle()
        self.space = space_watch(self.core, config.record, self._disk)
        self._timers()
        if config.demo_market:
            self.market = DemoMarket(self.core, self.core.directory, self.engine, config.seed)
            self.market.start()
            self._every(MARKET_STEP_SECONDS, lambda: self.market.step(self.core.now_ns()))
        self.views.klines.warm()
        open_gauges(self.telemetry, self.core, self.clock, self.recording, self._gauges())
        publish_turns(self.telemetry, self.turns)
        await self._open_edges(data)
        self.collector = Collector(lambda: self.core.seq + self.core.refusals.counted)
        self._closers.append(self.collector.stop)
        self._every(TICK_SECONDS, self.collector.tend)
        self._every(COLLECT_SECONDS, self.collector.look)

    def _make_core(self, before: Recovered) -> None:
        config = self.config
        # Numbers of names are given through the core's door, and the core needs the engine first.
        self.directory = Directory(
            lambda event: self.core.submit(event), config.record.addresses_max
        )
        self.engine = make_engine(
            config,
            self.rulebook,
            self.clock.now_ns,
            self.directory,
            lambda: self.core.book,
            before,
        )
        self.core = Core(
            self.rulebook,
            self.clock,
            self.journal,
            self.engine,
            duration_ns(config.engine.deadline),
            self.directory,
            config.record.refusals_per_second,
        )
        self.turns = Turns(bounds_of(config.overload))
        self.core.outbox.later = self.turns.later

    def _open_stores(self, data: Path, before: Recovered) -> Snapshot | None:
        """Open the key store and the record; return what the run begins with, as recorded."""
        config = self.config
        keystore_path = data / KEYSTORE_FILE
        self.keystore = KeyStore(keystore_path, find_sealing_key(keystore_path, os.environ))
        self._closers.append(self.keystore.close)
        self.recording = Recording(
            config,
            self.rulebook,
            self.clock.now_ns(),
            asyncio.get_running_loop().call_soon_threadsafe,
            first_seq=before.first_seq,
            previous=before.previous,
            disk=self._disk,
        )
        self.journal = self.recording.journal
        self._closers.append(self.recording.close)
        self.decision_ids = DecisionIds(_decision_key(data), self.journal.directory.name)
        if before.replica is None:
            return None
        snapshot = before.replica.snapshot(before.previous)
        return write_start(self.journal.directory, snapshot, self._disk)

    async def _wait_for_clock(self, last_ns: int) -> None:
        """Wait for a clock that is a little behind the last record; refuse when it is far."""
        behind_ns = last_ns - self.clock.now_ns()
        if behind_ns > CLOCK_WAIT_NS and self.config.clock != "manual":
            raise StartError(
                f"the clock is {behind_ns / 1e9:.3f} s behind the last record; set it, or use another data "
                f"directory than {self.config.record.data}"
            )
        if isinstance(self.clock, ManualClock):
            self.clock.advance(max(behind_ns, 0))
            return
        while (behind_ns := last_ns - self.clock.now_ns()) > 0:
            await asyncio.sleep(behind_ns / 1e9)

    async def _wait_for_engine(self) -> int:
        """Return the next order id, once gate and engine agree on orders and balances."""
        try:
            return await reconcile(self.core, self.engine, ENGINE_WAIT_SECONDS)
        except TimeoutError:
            raise StartError(
                f"no engine answers at {self.config.engine.address}; start one with "
                "`ordergate engine`"
            ) from None

    def _gauges(self) -> tuple[Gauge, ...]:
        return gate_gauges(
            lambda: self.fee_poster.backlog(),
            lambda: self.space.free_bytes,
            lambda: self.space.space,
            lambda: sum(self.beside.faults.values()),
            lambda: self.collector.full,
        )

    async def _open_edges(self, data: Path) -> None:
        listen = self.config.listen
        fitting = connections_that_fit(listen.connections_max, ports=2)
        config = msgspec.structs.replace(listen, connections_max=fitting)
        core = self.core
        authenticator = Authenticator(self.keystore.find, core.directory)
        addresses = PeerAddresses(config.proxies)
        dialect = BinanceDialect(
            core, self.views, authenticator, self.decision_ids, self.decisions.find, self.stages
        )
        administration = Administration(core, self.decision_ids, self.recording, self.turns)
        self.admin_token = make_token(data)
        clock = self.clock
        admin = AdminEdge(
            self.admin_token,
            administration,
            KeyRegistry(core, self.keystore, authenticator),
            self.telemetry,
            self._find_decision,
            clock.advance if isinstance(clock, ManualClock) else None,
            home=data,
            cases=CaseAdministration(core, self.decision_ids),
            stages=self.stages,
            turns=self.turns,
        )
        self.rest = self._rest_edge(config, dialect, authenticator, addresses)
        desk = Desk(core, self.views.orders, self.decision_ids)
        edges: list[tuple[str, int, Any]] = [
            ("rest", config.rest_port, self.rest),
            (
                "grpc",
                config.grpc_port,
                GrpcOrderEdge(
                    *(core, desk, authenticator, clock.receive_ns),
                    addresses=addresses,
                    meter=self.telemetry,
                    services=(GrpcAdmin(administration, self.admin_token).add_to,),
                    connections_max=config.connections_max,
                    turns=self.turns,
                    trusts=trust_of(core),
                    stages=self.stages,
                ),
            ),
            ("admin", config.admin_port, admin),
        ]
        for name, port, edge in edges:
            if port >= 0:
                self._closers.append(edge.close)
                try:
                    self.ports[name] = await edge.start(config.host, port)
                except OSError as error:
                    raise StartError(
                        f"{name} can't listen on {config.host}:{port}: {error}; "
                        "give another host or port, 0 for any free port"
                    ) from None

    def _rest_edge(
        self,
        listen: ListenConfig,
        dialect: BinanceDialect,
        authenticator: Authenticator,
        addresses: PeerAddresses,
    ) -> Any:
        """Return what serves REST: this process, or others in front of it."""
        core, clock, meter, data = self.core, self.clock, self.telemetry, self.config.record.data
        turns, trusts = self.turns, trust_of(core)
        if not listen.edges:
            waiting = self.stages, turns, trusts
            return make_rest_edge(
                listen, core, [dialect], clock.receive_ns, addresses, meter, *waiting
            )
        secret, run_id = _decision_key(data), self.journal.directory.name
        ground = EdgeGround(
            *(self.views, authenticator, secret, run_id, data / KEYSTORE_FILE),
            *(self.decisions.find, clock, meter, turns, trusts),
        )
        edges = make_edge_processes(listen, core, ground)
        edges.listen_to(core.listeners)
        return edges

    def _find_decision(self, decision_id: str) -> dict[str, Any] | None:
        """Return one recorded decision with names, None when there is none."""
        seq = self.decision_ids.decode(decision_id)
        record = self.decisions.find(seq) if seq is not None else None
        if record is None:
            return None
        names = Names(self.core.directory)
        return record_tree(record, Subjects().observe(record), names, self.decision_ids)

    # --- Life ---------------------------------------------------------------------------------

    def _timers(self) -> None:
        self._closers.append(self._stop_timers)
        self._every(TICK_SECONDS, self._tick)
        self._every(1.0, self._follow_clock)
        self._every(LOOK_SECONDS, self.space.look)
        self._every(1.0, self.turns.look)
        self.fee_poster = FeePoster(self.core)
        self._every(1.0, self.fee_poster.post)
        self.beside = Beside(
            works_of(self.config.record, self.journal.directory),
            lambda: len(self.journal.manifest.segments),
        )
        self._closers.append(self.beside.stop)
        self._every(1.0, self.beside.look)
        if self.config.listen.spin:
            self._closers.append(Spinner().stop)

    def _tick(self) -> None:
        core, engine = self.core, self.engine
        if not core.stopped:
            core.tick()
            if isinstance(engine, EmbeddedEngine):
                core.together(lambda: engine.poll(core.now_ns()))
        if core.stopped:
            self.ask_to_stop(f"the core stopped: {core.stopped}")

    def _follow_clock(self) -> None:
        """Follow the system clock a little, and say so when it has stepped."""
        stepped_ns = self.clock.step_ns
        self.clock.slew()
        if self.clock.step_ns and not stepped_ns:
            _logger.error(
                "the system clock stepped by %d ns; the gate keeps its own time until a restart",
                self.clock.step_ns,
            )

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        async def repeat() -> None:
            while True:
                try:
                    act()
                except Exception as error:  # a timer that fails must end the gate, not vanish
                    _logger.critical("a timer failed", exc_info=error)
                    self.ask_to_stop(f"{type(error).__name__}: {error}")
                    return
                await asyncio.sleep(seconds)

        self._tasks.append(asyncio.get_running_loop().create_task(repeat()))

    def ask_to_stop(self, fault: str = "") -> None:
        """Let `wait` return; `fault` says why, when it is not an operator's wish."""
        self.fault = self.fault or fault
        self._stopping.set()

    async def wait(self) -> None:
        """Return when the gate has been asked to stop or must."""
        await self._stopping.wait()

    # --- End ----------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Close what was opened, the edges first and the record after the engine.

        Whatever can't be closed becomes the gate's fault, and the rest is closed all the same.
        """
        self._stopping.set()
        while self._closers:
            close = self._closers.pop()
            try:
                closed = close()
                if asyncio.iscoroutine(closed):
                    await closed
            except Exception as error:
                _logger.error("%r failed", close, exc_info=error)
                self.fault = self.fault or str(error)

    async def _stop_timers(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close_engine(self) -> None:
        self.engine.close()
        if isinstance(self.engine, RemoteEngine):
            await self.engine.wait_closed()


def _clock(config: Config) -> Clock:
    return ManualClock() if config.clock == "manual" else SystemClock()


def _decision_key(data: Path) -> bytes:
    """Return the key decision ids are enciphered with, made at the first start."""
    return read_or_make(data / DECISION_KEY_FILE, lambda: os.urandom(32))
