"""The lives of a simulated gate: how each begins, ends well, or dies, and what the next one finds.

A start is the product's: `gateway.recovery`, `gateway.takeover`, the engine rebuilt or resumed.
What was taken over is held against the models, brought to what is left of the record.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from gateway.app import CLOCK_WAIT_NS
from gateway.clock import SystemClock
from gateway.core import Core
from gateway.directory import Directory
from gateway.engine.continued import rebuilt, resume_of
from gateway.engine.remote import Resume
from gateway.journal.errors import JournalError
from gateway.recovery import Recovered, recover
from gateway.snapshots import write_start
from gateway.takeover import reconcile, settle_what_was_lost, take_over
from rules.decisions import Decision
from rules.events import Event, RunBegan
from rules.pipeline import Pipeline
from rules.values import NS_PER_MS, NS_PER_SECOND
from tests.sim.damage import change_a_byte, check_from_zero, damage_snapshots
from tests.sim.engines import Nobody, WatchedEngine, WatchedLink
from tests.sim.fuse import CrashError
from tests.sim.participants import definitions, fund
from tests.sim.recording import SimRecording
from tests.sim.swarm import EMBEDDED

if TYPE_CHECKING:
    from tests.sim.world import World

DEADLINE_NS: Final = 900 * NS_PER_MS
_STARTS_MAX: Final = 20
"""Starts that may die or fail one after another."""
_KILL_TRIES: Final = 3
_ENGINE_SECONDS: Final = 600.0
"""Of real time, which must not matter."""


def begin(world: World) -> None:
    """Start a gate, again and again while it dies or the disk fails in the middle of it."""
    for attempt in range(_STARTS_MAX):
        if attempt and world.random.random() < 0.5:
            world.disks.mend()
        if world.swarm.crashes and world.random.random() < 0.2:
            world.fuse.arm(world.random.randint(1, 60))
        try:
            _start(world)
            world.fuse.disarm()
            return
        except CrashError:
            world.coverage["crash in a start"] += 1
            _died(world)
        except JournalError as error:
            world.fuse.disarm()
            world.coverage["start failed"] += 1
            world.referee.check(world.disks.faults > 0, f"the gate does not start: {error}")
            world.disks.mend()
            _died(world)
    raise AssertionError(f"{_STARTS_MAX} starts have failed")


def end(world: World) -> None:
    """End the gate well, in the order in which the product takes it down."""
    world.coverage["planned restart"] += 1
    core, recording = world.core, world.recording
    core.close()
    core.flush()
    world.engine.close()
    try:
        recording.close(core)
    except JournalError as error:
        # The product logs it and goes: the next start finds a run that did not end well.
        world.coverage["end failed"] += 1
        world.referee.check(world.disks.faults > 0, f"the gate does not end well: {error}")
    world.disks.die()
    _judge(world, recording)


def die(world: World) -> None:
    """Have the process killed here, or the machine lose its power."""
    world.coverage["crash"] += 1
    _died(world)


def _died(world: World) -> None:
    world.fuse.disarm()
    recording, random = world.recording, world.random
    if recording is None:
        world.disks.die()
        return
    power = world.swarm.power_losses and random.random() < 0.5
    world.coverage["power lost" if power else "process killed"] += 1
    if world.link is not None:
        world.link.die(random.randint(0, 4))
    recording.die(random, power=power)
    _judge(world, recording)


def _judge(world: World, recording: SimRecording) -> None:
    """Have what is left of a gate's record judged, and let go of what was in the process."""
    left, directory = recording.survivors(), recording.directory
    if directory.exists():
        world.referee.end_life(left)
        if not world.over:
            damage_snapshots(world, directory)
        if world.referee.kept_seq == left.through():
            change_a_byte(world, left, directory)
    else:
        # The machine lost power before the run's directory was on the disk.
        world.referee.end_without_record()
    world.turns.clear()
    world.sessions.clear()
    world.asked.clear()
    world.embedded_faults._forced.clear()
    world.recording = None
    world.link = None


# --- A start ----------------------------------------------------------------------------------


def _start(world: World) -> None:
    swarm, disks = world.swarm, world.disks
    world.clock = SystemClock(world.time.monotonic_ns, world.time.utc_ns)
    before = recover(disks.data)
    disks.settle()
    _check_recovered(world, before)
    check_from_zero(world, before)
    _wait_for_clock(world, before.last_ns)
    world.recording = None
    world.referee.begin_life(before.first_seq)
    recording = world.recording = SimRecording(
        swarm,
        disks,
        world.fuse,
        world.clock.now_ns(),
        world.referee,
        world.turns.append,
        first_seq=before.first_seq,
        previous=before.previous,
    )
    start = None
    if before.replica is not None:
        snapshot = before.replica.snapshot(before.previous)
        start = write_start(recording.directory, snapshot, disks.main)
    directory = Directory(lambda event: world.core.submit(event))
    engine = world.engine = _engine(world, directory, before)
    core = world.core = Core(
        swarm.rulebook, world.clock, recording.journal, engine, DEADLINE_NS, directory
    )
    core.outbox.later = world.turns.append
    _watch_decisions(world)
    _watch_counts(world)
    take_over(core, engine, start, before.first_seq)
    recording.secure(core)
    world.referee.compare(core.book)
    if isinstance(engine, WatchedLink):
        core.listeners.add(engine.on_record)
    settle_what_was_lost(core, engine, before)
    engine.start(core.submit, Nobody())
    if before.replica is None:
        for event in definitions(world.clock.now_ns()):
            core.submit(event)
        fund(engine.deposit)
    core.submit(RunBegan(before.previous, _next_order_id(world)))
    core.flush()
    if core.record_fault:
        raise JournalError(core.record_fault)
    world.settle()
    for _ in range(_KILL_TRIES):
        if world.referee.killed_orders():
            # What a kill could not cancel it tries again after a while.
            world.pass_ns(DEADLINE_NS)
            world.settle()
    world.check_kills()
    world.check_agreed()
    world.coverage["recovery" if before.replica is not None else "beginning"] += 1


def _engine(world: World, directory: Directory, before: Recovered) -> WatchedEngine | WatchedLink:
    engine: WatchedEngine | WatchedLink
    if world.swarm.engine == EMBEDDED:
        exchange, owed, lost = rebuilt(before.replica, world.swarm.rulebook, before.unrecorded)
        world.coverage["engine lost its orders"] += bool(lost)
        good = not lost or world.diverges or bool(before.unrecorded)
        world.referee.check(good, f"the engine can't be rebuilt: {lost}")
        engine = WatchedEngine(
            exchange, world.clock.now_ns, world.embedded_faults, world.lot_step_e8, owed=owed
        )
    else:
        resume = resume_of(before.replica) if before.replica is not None else Resume()
        engine = world.link = WatchedLink(
            "simulated",
            directory,
            world.clock.now_ns,
            lambda: (
                (account, asset, balance.total_e8)
                for (account, asset), balance in world.core.book.balances.items()
            ),
            world.lot_step_e8,
            resume,
        )
        engine.link_to(world.process)
    engine.watch, engine.point = world.referee.sent, world.fuse.point
    return engine


def _next_order_id(world: World) -> int:
    """Return the next order id, after gate and engine agree on orders and balances."""
    link = world.link
    if link is None:
        return world.core.book.next_order_id
    moving = link

    async def agree() -> int:
        task = asyncio.ensure_future(reconcile(world.core, moving, _ENGINE_SECONDS))
        try:
            while not task.done():
                await asyncio.sleep(0)
                moving.connect()
                moving.carry(1_000)
                moving.deliver(1_000)
                world.sync_all()
                while world.turns:
                    world.turns.popleft()()
        finally:
            task.cancel()
        return task.result()

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(agree())
    finally:
        loop.close()


def _wait_for_clock(world: World, last_ns: int) -> None:
    """Wait for a clock that is a little behind the last record; set one that is far."""
    behind_ns = last_ns - world.clock.now_ns()
    if behind_ns > CLOCK_WAIT_NS:
        world.coverage["clock far behind at a start"] += 1
        world.time.step(behind_ns + world.random.randint(0, NS_PER_SECOND))
        world.clock = SystemClock(world.time.monotonic_ns, world.time.utc_ns)
    elif behind_ns > 0:
        world.coverage["clock behind at a start"] += 1
        world.time.elapsed_ns += behind_ns


def _check_recovered(world: World, before: Recovered) -> None:
    """Hold what was recovered against the models."""
    referee, replica = world.referee, before.replica
    kept_seq = referee.kept_seq
    if replica is None:
        referee.check(not kept_seq, f"nothing was recovered, the record has {kept_seq}")
        return
    referee.check(replica.seq == kept_seq, f"recovered {replica.seq}, the record has {kept_seq}")
    good = replica.differences == 0
    referee.check(good, f"record {replica.first_difference} is decided differently now")
    referee.compare(replica.pipeline.book)


class _Watched:
    """A pipeline, compiled or not, whose decisions a referee hears of."""

    def __init__(self, pipeline: Pipeline, referee: Any) -> None:
        self._pipeline = pipeline
        self._referee = referee

    def apply(
        self, event: Event, now_ns: int, course: Decision | None = None, seq: int = 0
    ) -> Decision:
        """Decide, and tell."""
        decision = self._pipeline.apply(event, now_ns, course, seq)
        self._referee.decide(seq, event, decision, now_ns)
        return decision

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)


def _watch_counts(world: World) -> None:
    """Have the referee hear of refusals that are only counted, when they are."""
    refusals: Any = world.core.refusals
    answer = refusals._answer

    def heard(reply: Any, outcome: Any) -> None:
        world.referee.counted(outcome)
        answer(reply, outcome)

    refusals._answer = heard


def _watch_decisions(world: World) -> None:
    """Let the referee hear of every decision."""
    core, referee = world.core, world.referee
    watched: Any = _Watched(core.pipeline, referee)
    core.pipeline = watched
    referee.now_ns = world.clock.now_ns
    referee.lost = lambda: bool(core.record_fault)
    referee.unrecorded = lambda: not core._record.recorded
