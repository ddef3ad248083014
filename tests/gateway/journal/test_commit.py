"""Group commit: what is told when, what a sync covers, and that a failed one is never tried again."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journal import JournalError, JournalWriter, read_run, start_run
from gateway.journal.commit import GroupCommit
from gateway.journal.frame import SyncMark, decode_payload
from gateway.journal.manifest import Durability
from gateway.journal.reader import RunReader, SegmentReader
from gateway.journal.segment import segment_name
from gateway.journal.verify import verify_run

from .conftest import RULEBOOK, START_NS, sample
from .faulty_disk import FaultyDisk

PATIENCE_SECONDS = 10.0


class Run:
    """A run with `disk` durability, its commit, and what the commit told."""

    def __init__(self, data: Path, segment_bytes: int = 1 << 16) -> None:
        self.disk = FaultyDisk()
        self.writer: JournalWriter = start_run(
            data, RULEBOOK, START_NS, segment_bytes, "disk", disk=self.disk
        )
        self.synced: list[int] = []
        self.failed: list[str] = []
        # The news is fetched by `flush` and `poll`: there is no loop to bring it.
        self.commit = GroupCommit(self.writer, lambda _: None)
        self.commit.watch(self.synced.append, self.failed.append)
        self.disk.log.clear()
        while self.disk.began.acquire(blocking=False):
            pass

    def append(self, last: int) -> None:
        """Append records up to `last`."""
        for seq in range(self.writer.appended_seq + 1, last + 1):
            self.writer.append(*sample(seq))
        self.commit.appended(self.writer.appended_seq)

    def sync_began(self) -> None:
        """Wait until a sync has begun."""
        assert self.disk.began.acquire(timeout=PATIENCE_SECONDS)

    def flush(self) -> bool:
        """Wait until everything is synced."""
        return self.commit.flush(PATIENCE_SECONDS)

    def marks(self, number: int = 1) -> list[SyncMark]:
        """Return the sync marks in a segment."""
        frames = SegmentReader(self.writer.directory / segment_name(number)).frames()
        found = [decode_payload(payload) for _, payload in frames]
        return [content for content in found if isinstance(content, SyncMark)]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return a run; its thread is ended after the test."""
    made = Run(tmp_path / "data")
    yield made
    made.disk.open.set()
    made.commit.close()


def test_nothing_is_safe_before_its_sync(run: Run) -> None:
    """While the disk is busy the record is appended and not recorded, and nobody is told."""
    run.disk.open.clear()
    run.append(3)
    run.sync_began()
    run.commit.poll()
    assert (run.writer.appended_seq, run.writer.recorded_seq, run.synced) == (3, 0, [])
    assert not run.commit.flush(0.01)
    run.disk.open.set()
    assert run.flush()
    assert (run.writer.recorded_seq, run.synced) == (3, [3])


def test_batches_form_by_themselves(run: Run) -> None:
    """Whatever is appended during one sync is covered by one further sync."""
    run.disk.open.clear()
    run.append(1)
    run.sync_began()
    for last in range(2, 101):
        run.append(last)
    run.disk.open.set()
    assert run.flush()
    assert run.commit.syncs == 2
    assert run.synced == [100]


def test_nothing_unsynced_means_no_sync(run: Run) -> None:
    """There is no timer, and saying the same again costs nothing."""
    run.append(1)
    assert run.flush()
    for _ in range(5):
        run.commit.appended(1)
    assert run.flush()
    assert run.commit.syncs == 1


def test_a_mark_says_what_the_disk_has_confirmed(run: Run) -> None:
    """Each confirmed sync leaves a mark of its last record and of the bytes that hold it."""
    ends = []
    for last in (1, 5, 6):
        run.append(last)
        ends.append(run.writer.place[1])
        assert run.flush()
    wanted = [SyncMark(seq, end) for seq, end in zip((1, 5, 6), ends, strict=True)]
    # A mark goes to the disk with what comes next, so the last one is not there yet.
    assert run.marks() == wanted[:2]
    run.commit.close()
    run.writer.close()
    assert run.marks() == wanted
    result = verify_run(run.writer.directory)
    assert (result.exit_code, result.sync_marks, result.records) == (0, 3, 6)
    assert [record.seq for record in read_run(run.writer.directory)] == list(range(1, 7))


def test_a_sealed_segment_comes_before_the_next(tmp_path: Path) -> None:
    """It is synced, then the directory, then the manifest; only then anything of the next counts."""
    run = Run(tmp_path / "data", 2048)
    run.disk.open.clear()
    run.append(1)
    run.sync_began()
    while run.writer.place[0].name == segment_name(1):
        run.append(run.writer.appended_seq + 1)
    assert run.writer.manifest.segments == []
    run.disk.log.clear()
    run.disk.open.set()
    assert run.flush()
    first, second = segment_name(1), segment_name(2)
    assert run.disk.log == [first, "directory", "manifest.json", "directory", second]
    assert [entry.number for entry in run.writer.manifest.segments] == [1]
    assert run.writer.recorded_seq == run.writer.appended_seq
    run.commit.close()
    run.writer.close()
    assert verify_run(run.writer.directory).exit_code == 0
    assert len(list(read_run(run.writer.directory))) == run.writer.appended_seq


def test_many_segments_in_one_batch(tmp_path: Path) -> None:
    """Segments sealed while one sync took its time are all synced, in order, and closed."""
    run = Run(tmp_path / "data", 2048)
    run.disk.open.clear()
    run.append(1)
    run.sync_began()
    run.append(200)
    run.disk.log.clear()
    run.disk.open.set()
    assert run.flush()
    segments = [name for name in run.disk.log if name.endswith(".seg")]
    assert segments == [segment_name(number) for number in range(1, len(segments) + 1)]
    assert len(segments) > 5
    run.commit.close()
    run.writer.close()
    assert verify_run(run.writer.directory).exit_code == 0


def test_a_failed_sync_is_told_once_and_never_tried_again(run: Run) -> None:
    """The kernel forgets what it could not write, so a second sync would be a lie."""
    run.append(2)
    assert run.flush()
    run.disk.fail_sync()
    run.append(3)
    assert not run.flush()
    assert run.failed == ["OSError: [Errno 5] Input/output error"]
    assert run.writer.recorded_seq == 2
    before = run.disk.syncs
    run.disk.sync_error = None
    run.append(4)
    assert not run.flush()
    run.commit.poll()
    assert (run.disk.syncs, run.writer.recorded_seq, len(run.failed)) == (before, 2, 1)


def test_an_abandoned_commit_is_silent(run: Run) -> None:
    """What a sync says after the record was given up changes nothing."""
    run.disk.open.clear()
    run.append(3)
    run.sync_began()
    run.writer.abandon()
    run.commit.abandon()
    run.disk.open.set()
    run.commit.close()
    run.commit.poll()
    assert (run.synced, run.failed, run.marks()) == ([], [], [])


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_a_short_store_leaves_a_torn_end(tmp_path: Path, durability: Durability) -> None:
    """Part of a record was stored: the append says so, and readers stop before it."""
    disk = FaultyDisk()
    writer = start_run(tmp_path, RULEBOOK, START_NS, 1 << 16, durability, disk=disk)
    for seq in (1, 2):
        writer.append(*sample(seq))
    disk.store_error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        writer.append(*sample(3))
    disk.store_error = None
    if durability == "disk":
        writer.sync(writer.sync_point())
    reader = RunReader(writer.directory)
    assert [record.seq for record in reader.records()] == [1, 2]
    torn_bytes = 8 + disk.stored_of_failed
    assert reader.torn_bytes == (torn_bytes if durability == "process" else 0)
    assert verify_run(writer.directory).exit_code == 0


def test_what_came_before_the_commit_is_synced_at_once(tmp_path: Path) -> None:
    """A run may have been written to before anything waits for its disk."""
    writer = start_run(tmp_path, RULEBOOK, START_NS, 1 << 16, "disk")
    for seq in (1, 2):
        writer.append(*sample(seq))
    assert list(read_run(writer.directory)) == []
    commit = GroupCommit(writer, lambda _: None)
    told: list[int] = []
    commit.watch(told.append, lambda _: None)
    commit.appended(2)
    assert commit.flush(PATIENCE_SECONDS)
    commit.close()
    assert (told, commit.syncs, writer.recorded_seq) == ([2], 1, 2)
    assert len(list(read_run(writer.directory))) == 2


def test_a_lost_end_before_an_unconfirmed_segment_is_torn(tmp_path: Path) -> None:
    """A power cut may keep the next segment's beginning and lose the end of the one before.

    Nobody was told of either, unless a mark in the later one says that the disk confirmed it.
    """
    for confirmed in (False, True):
        run = Run(tmp_path / str(confirmed), 2048)
        run.append(1)
        assert run.flush()
        run.disk.open.clear()
        run.append(2)
        run.sync_began()
        while run.writer.place[0].name == segment_name(1):
            run.append(run.writer.appended_seq + 1)
        last = run.writer.appended_seq
        run.disk.open.set()
        assert run.flush()
        if confirmed:
            run.append(last + 1)
            assert run.flush()
        run.commit.close()
        run.writer.manifest.segments.clear()
        run.writer._write_manifest()
        path = run.writer.directory / segment_name(1)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        if not confirmed:
            assert run.marks(2) == []
            seen = [record.seq for record in read_run(run.writer.directory)]
            assert 1 <= len(seen) < last
            assert verify_run(run.writer.directory).exit_code == 0
        else:
            with pytest.raises(JournalError, match="another segment follows"):
                list(read_run(run.writer.directory))
            assert verify_run(run.writer.directory).exit_code == 1
