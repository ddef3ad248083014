"""What happens to a record while no gate runs: snapshots damaged or gone, a byte of it changed.

A damaged snapshot must be passed over; the state is the same from an older one and from zero. A
changed byte of a record that was safe must keep the gate from starting.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from gateway.journal.errors import JournalError
from gateway.journal.manifest import Run, read_manifest
from gateway.journal.snapshot_file import START_SNAPSHOT, snapshot_seqs
from gateway.recovery import Recovered, follow, recover
from gateway.replica import Replica
from gateway.snapshotter import make_snapshot
from tests.sim.swarm import DISK

if TYPE_CHECKING:
    from tests.sim.recording import SafeRun
    from tests.sim.world import World

_ZERO_SHARE: Final = 0.6
_DAMAGE_SHARE: Final = 0.2


def snapshot(world: World) -> None:
    """Make a snapshot beside the gate, as the process does that is started for it."""
    made = make_snapshot(world.recording_now.directory)
    if made.path is None:
        return
    world.coverage["snapshot"] += 1
    good = made.differences == 0
    world.referee.check(good, f"a snapshot decides record {made.first_difference} differently")
    good = not made.engine_divergence or world.diverges
    world.referee.check(good, f"a snapshot can't follow the engine: {made.engine_divergence}")


def damage_snapshots(world: World, directory: Path) -> None:
    """Damage some of a run's snapshots, or remove them; never the one it begins with."""
    random = world.random
    for _, path in snapshot_seqs(directory):
        how = random.choice(("flip", "cut", "remove", "", "", ""))
        content = bytearray(path.read_bytes())
        if how == "remove":
            path.unlink()
        elif how == "cut":
            path.write_bytes(content[: random.randrange(len(content))])
        elif how == "flip":
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            path.write_bytes(content)
        if how:
            world.coverage[f"snapshot damaged: {how}"] += 1


def change_a_byte(world: World, left: SafeRun, directory: Path) -> None:
    """Change a byte of a record that was safe: nothing may be taken over then. Change it back."""
    random = world.random
    if random.random() > _DAMAGE_SHARE or left.reserve is not None or not directory.exists():
        return
    places = _vouched(world, left, directory)
    if not places:
        return
    path, begin, end = random.choice(places)
    offset, bit = random.randrange(begin, end), 1 << random.randrange(8)
    whole = path.read_bytes()
    _flip(path, offset, bit)
    world.coverage["byte changed"] += 1
    try:
        recover(world.disks.data)
        message = f"byte {offset} of {path.name} was changed, and the gate starts"
        world.referee.check(False, f"{message} (record at {begin} to {end})")
    except JournalError:
        pass
    path.write_bytes(whole)


def _vouched(world: World, left: SafeRun, directory: Path) -> list[tuple[Path, int, int]]:
    """Return the places of records that are read at a start and known to have been safe."""
    main = left.main
    manifest = read_manifest(directory)
    read_from = max((seq for seq, _ in snapshot_seqs(directory)), default=0)
    closed = {directory / segment.file for segment in manifest.segments}
    last = main.through()
    places = []
    for seq, place in main.places.items():
        path, _, end = place
        if seq <= read_from:
            continue
        if path in closed or manifest.status == "ended":
            places.append(place)
        elif world.swarm.durability == DISK:
            if end <= main.vouched.get(path, 0):
                places.append(place)
        elif seq < last:
            places.append(place)
    return places


def _flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes((byte ^ bit,)))


def check_from_zero(world: World, before: Recovered) -> None:
    """Now and then follow the run again without its snapshots: it must come to the same state."""
    replica = before.replica
    directory = world.disks.data / before.previous
    if replica is None or not snapshot_seqs(directory) or world.random.random() > _ZERO_SHARE:
        return
    world.coverage["recovered from zero too"] += 1
    with TemporaryDirectory(dir=world.disks.data.parent) as folder:
        copied = Path(folder) / before.previous
        shutil.copytree(directory, copied)
        for path in copied.glob("*.snapshot"):
            if path.name != START_SNAPSHOT:
                path.unlink()
        again, _ = follow(Run(copied, read_manifest(copied)))
    good = _state(again) == _state(replica)
    world.referee.check(good, "from a snapshot it is another state than from the beginning")


def _state(replica: Replica) -> tuple[object, ...]:
    engine = replica.engine.state() if replica.engine is not None else None
    return replica.seq, replica.now_ns, replica.definitions, replica.pipeline.state(), engine
