"""The room on the record's disk, from what is found free to what is shed."""

from pathlib import Path

import pytest

from gateway.journal.disk import REAL_DISK
from gateway.record_space import SpaceWatch
from rules.decisions import ACCEPTED, REFUSED
from rules.events import Event, RecordSpace
from rules.pipeline import Pipeline
from rules.values import NS_PER_SECOND, SPACE_AMPLE, SPACE_LOW, SPACE_SCARCE
from tests.gateway.core_world import CoreWorld

LOW = 1_000


class Disk:
    """A disk with as much room as a test says."""

    def __init__(self) -> None:
        self.free = 10 * LOW
        self.fault: OSError | None = None

    def __call__(self) -> int:
        """Return what is free."""
        if self.fault is not None:
            raise self.fault
        return self.free


@pytest.fixture
def world() -> CoreWorld:
    """Return a core with an embedded engine."""
    return CoreWorld()


def watch_of(world: CoreWorld, disk: Disk) -> SpaceWatch:
    """Return the watch of a world's disk."""
    return SpaceWatch(world.core.submit, world.core.pipeline, LOW, disk)


def told(world: CoreWorld) -> list[Event]:
    """Return what was recorded about the room."""
    return world.recorder.events(RecordSpace)


def test_each_bound_and_the_way_back(world: CoreWorld) -> None:
    """Below a bound the room is less; a quarter above it, it is more again."""
    disk = Disk()
    watch = watch_of(world, disk)
    for free, space in (
        (LOW, SPACE_AMPLE),
        (LOW - 1, SPACE_LOW),
        (LOW + 249, SPACE_LOW),
        (500, SPACE_LOW),
        (499, SPACE_SCARCE),
        (624, SPACE_SCARCE),
        (625, SPACE_LOW),
        (LOW + 249, SPACE_LOW),
        (LOW + 250, SPACE_AMPLE),
        (LOW, SPACE_AMPLE),
        (0, SPACE_SCARCE),
        (LOW + 250, SPACE_AMPLE),
    ):
        disk.free = free
        watch.look()
        assert watch.space == space, f"{free} bytes free"
    assert told(world) == [
        RecordSpace(space, free)
        for space, free in (
            (SPACE_LOW, 999),
            (SPACE_SCARCE, 499),
            (SPACE_LOW, 625),
            (SPACE_AMPLE, 1250),
            (SPACE_SCARCE, 0),
            (SPACE_AMPLE, 1250),
        )
    ]


def test_shedding_follows_and_replays(world: CoreWorld) -> None:
    """Queries go first, orders next, cancels never; the record leads to the same decisions."""
    disk = Disk()
    watch = watch_of(world, disk)
    orders = [world.place().decision.order_id for _ in range(3)]
    world.wait(NS_PER_SECOND)
    for free, query_verdict, place_verdict in (
        (LOW - 1, REFUSED, ACCEPTED),
        (LOW // 2 - 1, REFUSED, REFUSED),
        (2 * LOW, ACCEPTED, ACCEPTED),
    ):
        disk.free = free
        watch.look()
        (query,) = world.ask(world.query_event())
        assert query.decision.verdict == query_verdict
        assert world.place().decision.verdict == place_verdict
        (cancel,) = world.ask(world.cancel_event(orders.pop()))
        assert cancel.decision.verdict == ACCEPTED
    again = Pipeline(world.core.rulebook)
    for record in world.recorder.records:
        assert again.apply(record.event, record.now_ns, seq=record.seq) == record.decision


def test_a_disk_that_can_not_be_looked_at_changes_nothing(world: CoreWorld) -> None:
    """What was found last stays until something is found again."""
    disk = Disk()
    watch = watch_of(world, disk)
    disk.free = LOW - 1
    watch.look()
    disk.fault = OSError(5, "Input/output error")
    watch.look()
    assert watch.space == SPACE_LOW
    assert len(told(world)) == 1


def test_a_restart_begins_with_what_was_found(world: CoreWorld) -> None:
    """A gate whose disk has room again says so, also when another had found too little."""
    world.core.submit(RecordSpace(SPACE_SCARCE, 0))
    watch = watch_of(world, Disk())
    assert watch.space == SPACE_SCARCE
    watch.look()
    assert told(world)[-1] == RecordSpace(SPACE_AMPLE, 10 * LOW)


def test_what_is_free_is_read_from_the_file_system(tmp_path: Path) -> None:
    """A file system has room, one that is not there can't be looked at."""
    assert REAL_DISK.free_bytes(tmp_path) > 0
    with pytest.raises(OSError, match="No such file"):
        REAL_DISK.free_bytes(tmp_path / "nowhere")
