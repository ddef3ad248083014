"""One simulated venue: the whole core on a virtual clock, in one thread, with a real record."""

import functools
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final
from unittest import mock

import gateway.engine.remote
import gateway.replay
import gateway.replica
import rules.booking
from gateway.clock import SystemClock
from gateway.core import Core
from gateway.engine.faults import Faults
from gateway.journal import manifest as journal_manifest
from gateway.outcome import Outcome
from gateway.stub.exchange import MatchingExchange
from rules.events import Event, Report
from rules.rulebook import Rulebook
from rules.values import NS_PER_MS, NS_PER_SECOND
from tests.sim import lives
from tests.sim.engines import WatchedEngine, WatchedLink
from tests.sim.fuse import Fuse
from tests.sim.link import EngineProcess
from tests.sim.lives import DEADLINE_NS
from tests.sim.participants import ASSET_NUMBERS, START_NS, SYMBOL_NAMES
from tests.sim.recording import STALL_NS, Disks, SimRecording
from tests.sim.referee import Asked, Referee
from tests.sim.swarm import LINKED, LOSSY, LOSSY_EMBEDDED, Swarm

DELAY_NS: Final = 300 * NS_PER_MS
OUTAGE_NS: Final = 700 * NS_PER_MS
_QUIET_ROUNDS: Final = 12


class VirtualTime:
    """The machine's clocks: one that only goes on, and one that can be set."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self.set_ns = 0
        """How far the system clock was set away."""

    def monotonic_ns(self) -> int:
        """Return the monotonic clock."""
        return self.elapsed_ns

    def utc_ns(self) -> int:
        """Return the system clock."""
        return START_NS + self.elapsed_ns + self.set_ns

    def step(self, by_ns: int) -> None:
        """Set the system clock forward or back."""
        self.set_ns += by_ns


class World:
    """Everything of one simulation. `random` is set anew for each step."""

    def __init__(self, swarm: Swarm, random: Random, folder: Path, coverage: Counter[str]) -> None:
        self.swarm = swarm
        self.random = random
        self.coverage = coverage
        self.deadline_ns = DEADLINE_NS
        self.time = VirtualTime()
        self.fuse = Fuse()
        self.disks = Disks(folder, self.fuse)
        self.process = EngineProcess(lambda: START_NS + self.time.elapsed_ns)
        self.embedded_faults = Faults(0, {}, DELAY_NS, OUTAGE_NS)
        self.referee = Referee(swarm.rulebook, DEADLINE_NS, coverage)
        self.process.on_command = self.referee.arrived
        self.asked: list[Asked] = []
        self.sessions: list[int] = []
        self.last_session = 0
        self.turns: deque[Callable[[], None]] = deque()
        """What the core has put off until others had their turn."""
        lossy = LOSSY if swarm.engine == LINKED else LOSSY_EMBEDDED
        self.lossy = not lossy.isdisjoint(swarm.faults)
        self.diverges = bool(swarm.faults) or "foreign_order" in swarm.acts
        """Whether the embedded engine may do what can't be repeated from the record."""
        self.recording: SimRecording | None = None
        self.link: WatchedLink | None = None
        self.engine: WatchedEngine | WatchedLink
        self.core: Core
        self.clock: SystemClock
        self.over = False
        """Whether no other gate will follow."""
        self._slewed_ns = 0

    @property
    def exchange(self) -> MatchingExchange:
        """The matching engine, wherever it is."""
        return self.process.venue.exchange if self.link is not None else self.engine.exchange

    @property
    def recording_now(self) -> SimRecording:
        """The record of the gate that runs."""
        assert self.recording is not None, "no gate runs"
        return self.recording

    def lot_step_e8(self, symbol_name: str) -> int:
        """Return what orders by quote amount are rounded down to."""
        return self.swarm.rulebook.filters(symbol_name).step_e8 or 1

    def begin(self) -> None:
        """Start the first gate."""
        lives.begin(self)

    def restart(self) -> None:
        """End the gate well and start it again after a while."""
        lives.end(self)
        if self.swarm.later is not None and self.random.random() < 0.5:
            self._change_rulebook(self.swarm.later)
        self._pause()
        lives.begin(self)

    def _change_rulebook(self, rulebook: Rulebook) -> None:
        """Have the next gate start with another rulebook."""
        self.coverage["rulebook changed"] += 1
        self.swarm = self.swarm._replace(rulebook=rulebook, later=self.swarm.rulebook)
        self.referee.change_rulebook(rulebook)

    def crash(self) -> None:
        """Have the gate die and start it again after a while."""
        lives.die(self)
        self._pause()
        lives.begin(self)

    def _pause(self) -> None:
        self.time.elapsed_ns += self.random.choice((0, 1, 10**6, 10**9, 10**10))

    # --- What happens -------------------------------------------------------------------------

    def ask(self, event: Event) -> None:
        """Submit a request or an operator's act that is to be answered."""
        asked = Asked(len(self.asked), event)
        self.asked.append(asked)

        def reply(outcome: Outcome) -> None:
            self.fuse.point()
            self.referee.answered(asked, outcome)
            self.fuse.point()

        self.fuse.point()
        self.core.submit(event, reply)
        self.fuse.point()

    def pass_ns(self, by_ns: int) -> None:
        """Let time pass, with everything the gate does regularly."""
        if by_ns * 2 > STALL_NS or self.random.random() < 0.9:
            # A disk that works has long confirmed everything by then.
            self.sync_all()
        self.time.elapsed_ns += by_ns
        if self.time.elapsed_ns - self._slewed_ns >= NS_PER_SECOND:
            self._slewed_ns = self.time.elapsed_ns
            self.clock.slew()
            if self.clock.step_ns:
                self.coverage["clock step seen"] += 1
        self.core.tick()
        self.core.together(lambda: self.engine.poll(self.core.now_ns()))

    def sync(self) -> None:
        """Let a sync begin, or the one that has begun end."""
        commit = self.recording_now.commit
        if commit is None:
            return
        if self.random.random() < 0.5:
            commit.finish()
        commit.begin()
        if self.random.random() < 0.5:
            commit.finish()
        while self.turns and self.random.random() < 0.8:
            self.turns.popleft()()

    def sync_all(self) -> None:
        """Let everything that was decided become safe and leave, unless the disk hangs."""
        for _ in range(50):
            commit = self.recording_now.commit
            if commit is not None:
                commit.finish()
                commit.sync_all()
                commit.poll()
            if not self.core.unreleased or (commit is not None and commit.stalled):
                return

    def engine_says(self, reports: tuple[Report, ...]) -> None:
        """Hand on reports that no command of the gate has caused."""
        if isinstance(self.engine, WatchedLink):
            self.engine.say(reports)
        else:
            self.engine._report(reports)

    def engine_account(self, account: int) -> int:
        """Return the engine's number of an account."""
        names = self.process.venue.names
        return names.define_account(f"account {account}") if self.link is not None else account

    def engine_symbol(self, symbol: int) -> int:
        """Return the engine's number of a symbol, 0 when it has none yet."""
        names = self.process.venue.names
        return names.symbol(SYMBOL_NAMES[symbol]) if self.link is not None else symbol

    def progress(self) -> None:
        """Let the engine, its link, or what was put off get on by a random bit."""
        random, link = self.random, self.link
        if self.turns and random.random() < 0.5:
            self.turns.popleft()()
        if link is None:
            return
        if not link.connected:
            if random.random() < 0.4:
                link.connect()
            return
        link.carry(random.randint(0, 4))
        link.deliver(random.randint(0, 6))

    def settle(self) -> None:
        """Let everything that is on its way arrive."""
        link = self.link
        for _ in range(200):
            while self.turns:
                self.turns.popleft()()
            self.sync_all()
            if link is not None:
                link.connect()
                link.carry(1_000)
                link.deliver(1_000)
            waiting = link is not None and (link.to_engine or link.to_gate)
            if not (waiting or self.turns or self.core.unreleased):
                return

    def come_to_rest(self) -> None:
        """Let the engine be there and everything be tried again until nothing changes."""
        self.embedded_faults._forced.clear()
        self.recording_now.mend()
        for _ in range(_QUIET_ROUNDS):
            self.settle()
            self.pass_ns(NS_PER_SECOND)
        self.settle()

    # --- What must hold -----------------------------------------------------------------------

    def check(self) -> None:
        """Hold what must be true between two steps."""
        core, referee = self.core, self.referee
        referee.check(core.pipeline.faults == 0, f"a rule raised: {core.pipeline.last_fault}")
        referee.check(core.outbox.faults == 0, "an answer could not be handed over")
        referee.check(core.listener_faults == 0, "a listener raised")
        self._check_record()
        referee.check(core.seq == referee.decided_seq, f"seq {core.seq} of {referee.decided_seq}")
        referee.compare(core.book)
        ledger = self.exchange.ledger
        for asset in ledger.assets():
            total_e8, supply_e8 = ledger.total_e8(asset), ledger.supply_e8(asset)
            referee.check(total_e8 == supply_e8, f"asset {asset}: {total_e8} of {supply_e8}")

    def _check_record(self) -> None:
        """Hold that only a disk that failed loses the record."""
        recording, fault = self.recording_now, self.core.record_fault
        stalled = self.coverage["disk stall"]
        if fault:
            self.referee.check(recording.faults > 0 or stalled > 0, f"record lost: {fault}")

    def check_at_rest(self) -> None:
        """Hold what must be true once everything has been answered."""
        referee = self.referee
        for asked in self.asked:
            referee.check(len(asked.outcomes) == 1, f"{asked.event} was never answered")
        referee.check(self.core.outbox.unanswered == 0, "commands stay unanswered")
        self.check_kills()
        held = referee.stops.overdue(self.core.now_ns())
        referee.check(not held, f"orders {held} are old enough, and their cancels are held yet")
        self.check()
        if not self.lossy:
            self.check_agreed(traded="foreign_order" in self.swarm.acts)

    def check_kills(self) -> None:
        """Hold that nothing of a KILLED scope is open once the engine has said all it has to."""
        resting = {order.order_id for order in self.exchange.open_orders()}
        orders = self.referee.killed_orders()
        left = [order for order in orders if not self.lossy or order in resting]
        self.referee.check(not left, f"orders {left} of KILLED scopes are open")

    def check_agreed(self, *, traded: bool = False) -> None:
        """Hold the book against the engine's own: nothing was lost on the way for good.

        What other channels have `traded` moves balances that the gate is told of when it starts.
        """
        book = self.core.book
        there = {
            order.order_id: (order.price_e8, order.quantity_e8, order.filled_e8)
            for order in self.exchange.open_orders()
            if not order.channel
        }
        mine = {
            order.order_id: (order.price_e8, order.quantity_e8, order.filled_e8)
            for order in book.orders.values()
        }
        self.referee.check(mine == there, f"the book has {mine}, the engine {there}")
        if not traded:
            held = {place: balance.total_e8 for place, balance in book.balances.items()}
            told = self._holdings()
            places = sorted(held.keys() | told.keys())
            differ = [one for one in places if held.get(one, 0) != told.get(one, 0)]
            self.referee.check(not differ, f"balances of {differ} are {told} at the engine: {held}")

    def _holdings(self) -> dict[tuple[int, int], int]:
        """Return what everybody has at the engine, by the gate's numbers."""
        names, found = self.process.venue.names, {}
        for account, asset, free_e8, locked_e8 in self.exchange.ledger.all_holdings():
            place = account, asset
            if self.link is not None:
                number = int(names.account_name(account).rpartition(" ")[2])
                place = number, ASSET_NUMBERS[names.asset_name(asset)]
            found[place] = free_e8 + locked_e8
        return found


@contextmanager
def _silence() -> Iterator[None]:
    """Have nothing logged: every crash would be."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def quick_starts(slice_orders: int) -> Iterator[None]:
    """Make starts cheap and slices small: what the code is need not be read for every seed."""
    digest = _code_digest()
    versions = _package_versions()
    with (
        _silence(),
        mock.patch.object(journal_manifest, "code_digest", return_value=digest),
        mock.patch.object(gateway.replica, "code_digest", return_value=digest),
        mock.patch.object(gateway.replay, "code_digest", return_value=digest),
        mock.patch.object(journal_manifest, "package_versions", return_value=versions),
        mock.patch.object(gateway.engine.remote, "ACKNOWLEDGE_EVERY", 4),
        mock.patch.object(rules.booking, "SLICE", slice_orders),
    ):
        yield


@functools.cache
def _code_digest() -> str:
    return journal_manifest.code_digest()


@functools.cache
def _package_versions() -> dict[str, str]:
    return journal_manifest.package_versions()


def scratch() -> Path:
    """Return a folder for records: memory where there is some."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else Path()
