"""Running one seed, saying what went wrong and how to see it again, and shortening it."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from gateway.journal import find_run
from gateway.journal.verify import verify_run
from gateway.replay import replay
from tests.sim import lives
from tests.sim.acts import act, break_disk, break_engine, pass_time
from tests.sim.asking import asked_in_vain
from tests.sim.damage import snapshot
from tests.sim.fuse import CrashError
from tests.sim.requests import draw_request
from tests.sim.swarm import Swarm, draw_swarm
from tests.sim.world import World, quick_starts, scratch

STEPS: Final = 400
LAST_EVENTS: Final = 15
"""Events a failure shows, unless told otherwise."""


class Failure(NamedTuple):
    """What a seed has found."""

    seed: int
    steps: int
    step: int
    message: str
    events: tuple[str, ...]
    only: tuple[int, ...] = ()

    def __str__(self) -> str:
        events = "\n  ".join(self.events)
        only = f" --only {','.join(map(str, self.only))}" if self.only else ""
        return (
            f"seed {self.seed}, step {self.step}: {self.message}\nlast events:\n  {events}\n"
            f"again: python -m tests.sim --seed {self.seed} --steps {self.steps}{only}"
        )


def run_seed(
    seed: int,
    steps: int = STEPS,
    coverage: Counter[str] | None = None,
    only: Collection[int] = (),
    last_events: int = LAST_EVENTS,
) -> Failure | None:
    """Simulate one seed; return what went wrong, None when nothing did.

    With `only` the other steps are left out; each step draws from a generator of its own, so that
    those left over still do much the same.
    """
    met: Counter[str] = Counter()
    failure, _ = _simulate(seed, steps, met, frozenset(only), last_events)
    if coverage is not None:
        coverage.update(met)
    return failure


def digest_of(seed: int, steps: int = STEPS) -> str:
    """Return the SHA-256 in hex of everything a seed does, and of every byte it records."""
    return _simulate(seed, steps, Counter(), frozenset(), LAST_EVENTS)[1]


def _simulate(
    seed: int, steps: int, met: Counter[str], only: frozenset[int], last_events: int
) -> tuple[Failure | None, str]:
    swarm = draw_swarm(Random(f"{seed}"))
    chosen = only or range(steps)
    step = 0
    with quick_starts(swarm.slice_orders), TemporaryDirectory(dir=scratch()) as folder:
        world = World(swarm, Random(f"{seed} start"), Path(folder), met)
        referee = world.referee
        try:
            world.begin()
            for step in range(steps):
                if step in chosen:
                    met["step"] += 1
                    world.random = Random(f"{seed} {step}")
                    world.disks.draw_from(world.random)
                    _step_or_die(world, swarm)
                    world.check()
                if referee.violations:
                    break
            else:
                _end(world)
        except Exception as error:
            import traceback

            place = traceback.format_exc(limit=-6)
            referee.violations.append(f"{type(error).__name__}: {error}\n{place}")
        met["torn end"] += sum(1 for _ in Path(folder).rglob("*.torn-*"))
        digest = _digest(world, Path(folder))
    if not referee.violations:
        return None, digest
    events = tuple(referee.events[-last_events:])
    first = referee.violations[0]
    return Failure(seed, steps, step, first, events, tuple(sorted(only))), digest


def _digest(world: World, folder: Path) -> str:
    """Return the digest of what was done and of what is recorded."""
    digest = world.referee.digest.copy()
    for path in sorted(folder.rglob("*.seg")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _step_or_die(world: World, swarm: Swarm) -> None:
    """Do one thing; where the gate dies in the middle of it, go on with the next gate."""
    try:
        _step(world, swarm)
    except CrashError:
        world.coverage["crash in a step"] += 1
        world.crash()


def _step(world: World, swarm: Swarm) -> None:
    """Do one thing."""
    kind = _draw(world.random, swarm.kinds)
    if kind == "request":
        wanted = _draw(world.random, swarm.requests)
        world.coverage[f"request {wanted}"] += 1
        if wanted == "burst":
            world.core.together(lambda: _burst(world))
        else:
            world.ask(draw_request(world, wanted))
    elif kind == "engine":
        world.progress()
    elif kind == "time":
        wanted = _draw(world.random, swarm.times)
        world.coverage[f"time {wanted}"] += 1
        pass_time(world, wanted)
    elif kind == "act":
        wanted = _draw(world.random, swarm.acts)
        world.coverage[f"act {wanted}"] += 1
        act(world, wanted)
    elif kind == "crash":
        # Here, or at one of the next places.
        points = world.random.choice((0, 1, 2, 5, 20, 100))
        if not points:
            world.crash()
        elif not world.fuse.armed:
            world.fuse.arm(points)
    elif kind == "restart":
        world.restart()
    elif kind == "snapshot":
        snapshot(world)
    elif kind == "sync":
        world.sync()
    elif kind == "disk":
        wanted = _draw(world.random, swarm.disk_faults)
        world.coverage[f"disk {wanted}"] += 1
        break_disk(world, wanted)
    else:
        wanted = _draw(world.random, swarm.faults)
        if break_engine(world, wanted):
            world.coverage[f"fault {wanted}"] += 1


def _burst(world: World) -> None:
    """Let several requests come before the first of them is decided."""
    for _ in range(world.random.randint(2, 12)):
        kind = world.random.choice(("place", "place", "market", "cancel", "query", "amend"))
        world.ask(draw_request(world, kind))


def _end(world: World) -> None:
    """Come to rest, end the run and read it again."""
    referee = world.referee
    world.fuse.disarm()
    world.come_to_rest()
    world.check_at_rest()
    core, recording = world.core, world.recording_now
    world.over = True
    lives.end(world)
    left = referee.uncounted()
    referee.check(not left, f"{left} refusals were answered and are in no record")
    if core.record_fault:
        world.coverage["record lost"] += 1
        world.coverage["reserve lost"] += not core._record.recorded
    run = find_run(recording.journal.directory)
    verified = verify_run(run.path)
    referee.check(verified.exit_code == 0, f"verify: {verified}")
    report = replay(run)
    referee.check(report.difference is None, f"replay: {report.difference}")
    vain = asked_in_vain(run)
    referee.check(not vain, f"a rule was left out that had something to say or do: {vain}")
    safe = referee.record.through()
    if core._record.recorded:
        first_seq = recording.journal.manifest.first_seq
        good = safe == core.seq == first_seq + report.records - 1
        referee.check(good, f"{safe} and {report.records} records from {first_seq} to {core.seq}")
    referee.violations.extend(recording.safe.faults)


def _draw(random: Random, weights: Mapping[str, float]) -> str:
    names = [name for name, weight in weights.items() if weight]
    return random.choices(names, [weights[name] for name in names])[0]


def minimized(failure: Failure, say: Callable[[str], None] = lambda _: None) -> Failure:
    """Return the failure with as few steps as leaving out halves, quarters and so on finds."""
    kept = list(failure.only) or list(range(failure.step + 1))
    size = max(1, len(kept) // 2)
    while True:
        place = 0
        while place < len(kept):
            tried = kept[:place] + kept[place + size :]
            steps, last = failure.step + 1, len(failure.events)
            found = run_seed(failure.seed, steps, None, tried, last) if tried else None
            if found is not None:
                kept, failure = tried, found
                say(f"{len(kept)} steps")
            else:
                place += size
        if size == 1:
            return failure
        size //= 2
