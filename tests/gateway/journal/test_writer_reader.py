"""What is appended is read back, across segments, while running and after the end."""

import contextlib
import errno
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.journal import (
    JournalError,
    JournalFullError,
    JournalUnreadableError,
    JournalWriter,
    Record,
    find_run,
    latest_run,
    read_run,
    runs,
    start_run,
)
from gateway.journal.disk import RealDisk
from gateway.journal.manifest import new_manifest, read_manifest
from gateway.journal.reader import RunReader
from gateway.journal.segment import PREPARED_NAME, SegmentSupply
from gateway.journal.verify import verify_run
from rules.decisions import NOTED_DECISION
from rules.events import AnyEvent, RulebookChanged
from rules.rulebook import Rulebook
from rules.rulebook import RulebookFile as File

from .conftest import RULEBOOK, START_NS, MakeWriter, abandon, sample


def expected(first: int, last: int) -> list[Record]:
    """Return the records the samples make."""
    return [Record(*sample(seq)) for seq in range(first, last + 1)]


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 3000])
def test_round_trip(make_run: Callable[..., Path], count: int) -> None:
    """Every record comes back equal and in order, around the distance of checkpoints."""
    run = make_run(count)
    assert list(read_run(run)) == expected(1, count)
    result = verify_run(run)
    assert (result.exit_code, result.records, result.torn_bytes) == (0, count, 0)
    assert result.checkpoints == count // 1024


def test_segments_roll(make_run: Callable[..., Path]) -> None:
    """A run over many segments reads as one, and each segment names its digest and bounds."""
    run = make_run(400, segment_bytes=2048)
    manifest = read_manifest(run)
    assert len(manifest.segments) > 10
    assert [entry.number for entry in manifest.segments] == list(
        range(1, len(manifest.segments) + 1)
    )
    seq = 0
    for entry in manifest.segments:
        assert entry.first_seq == seq + 1
        seq = entry.last_seq
        assert (run / entry.file).stat().st_size == entry.bytes
        assert entry.last_ns == START_NS + seq * 1_000
    assert seq == 400
    assert (manifest.status, manifest.ended_ns) == ("ended", START_NS + 400_000)
    assert list(read_run(run)) == expected(1, 400)
    assert verify_run(run).exit_code == 0
    assert not (run / PREPARED_NAME).exists()


@pytest.mark.parametrize("start", [1, 2, 199, 400, 401])
def test_start_seq(make_run: Callable[..., Path], start: int) -> None:
    """Reading can begin at any record, also in a later segment, also behind the last."""
    run = make_run(400, segment_bytes=2048)
    assert list(read_run(run, start)) == expected(start, 400)


def test_reading_a_run_being_written(make_writer: MakeWriter) -> None:
    """A reader sees each record as soon as it is appended, and follows into new segments."""
    writer = make_writer(2048)
    reader = RunReader(writer.directory)
    seen: list[Record] = []
    for seq in range(1, 200):
        writer.append(*sample(seq))
        seen.extend(reader.records())
        assert len(seen) == seq
    writer.close()
    assert list(reader.records()) == []
    assert seen == expected(1, 199)


def test_reader_goes_on_where_it_was_left(make_run: Callable[..., Path]) -> None:
    """A consumer that stops in the middle of a pass misses nothing in the next."""
    reader = RunReader(make_run(300, segment_bytes=2048))
    seen = []
    while True:
        before = len(seen)
        for record in reader.records():
            seen.append(record)
            if len(seen) % 7 == 0:
                break
        if len(seen) == before:
            break
    assert seen == expected(1, 300)


def test_record_larger_than_a_segment(make_writer: MakeWriter) -> None:
    """A record too large for the segment size gets a segment of its own size."""
    writer = make_writer(2048)
    writer.append(*sample(1))
    event = RulebookChanged("big", "r", "me", "x" * 3_000_000)
    writer.append(2, START_NS, event, NOTED_DECISION)
    writer.append(*sample(3))
    writer.close()
    records = list(read_run(writer.directory))
    assert [record.seq for record in records] == [1, 2, 3]
    assert records[1].event == event
    assert verify_run(writer.directory).exit_code == 0


def test_record_too_large_for_a_frame(make_writer: MakeWriter) -> None:
    """A record no frame can hold is refused by size, and the next one is taken."""
    writer = make_writer()
    event = RulebookChanged("big", "r", "me", "x" * (1 << 24))
    with pytest.raises(JournalError, match="at most 16777215"):
        writer.append(1, START_NS, event, NOTED_DECISION)
    writer.append(*sample(1))
    writer.close()
    assert list(read_run(writer.directory)) == expected(1, 1)


def test_gap_is_refused(make_writer: MakeWriter) -> None:
    """A record out of turn is refused and changes nothing."""
    writer = make_writer()
    writer.append(*sample(1))
    for seq in (0, 1, 3):
        with pytest.raises(JournalError, match="numbers have no gap"):
            writer.append(*sample(seq))
    writer.append(*sample(2))
    assert writer.recorded_seq == 2
    writer.close()
    with pytest.raises(JournalError, match="closed"):
        writer.append(*sample(3))
    writer.close()
    assert list(read_run(writer.directory)) == expected(1, 2)


def test_record_that_cannot_be_encoded(make_writer: MakeWriter) -> None:
    """An encoder's error leaves the records before and the place for the next untouched."""
    writer = make_writer()
    writer.append(*sample(1))
    with pytest.raises(OverflowError):
        writer.append(2, 2**70, sample(2)[2], NOTED_DECISION)
    writer.append(*sample(2))
    writer.close()
    assert list(read_run(writer.directory)) == expected(1, 2)


class FullDisk(RealDisk):
    """A disk without room while `full`, or when it has made `full_after` segments."""

    full = False
    full_after = 1 << 30

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make a segment, if there is room."""
        if self.full or not self.full_after:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.full_after -= 1
        super().make_zeros(path, size, synced)


def test_disk_full(tmp_path: Path) -> None:
    """A segment that can't be prepared is known ahead; the record goes on when there is room."""
    run = tmp_path / "run"
    run.mkdir()
    disk = FullDisk()
    supply = SegmentSupply(run, 2048, disk)
    writer = JournalWriter(run, new_manifest("run", RULEBOOK, START_NS, 2048), supply)
    assert writer.prepared()
    assert writer.fault == ""
    disk.full = True
    seq = 0
    with contextlib.suppress(JournalFullError):
        while True:
            writer.append(*sample(seq + 1))
            seq += 1
    with pytest.raises(JournalFullError, match="No space left"):
        writer.append(*sample(seq + 1))
    assert "No space left" in writer.fault
    assert writer.recorded_seq == seq
    assert list(read_run(run)) == expected(1, seq)
    disk.full = False
    writer.append(*sample(seq + 1))
    supply._wait()
    assert writer.fault == ""
    writer.close()
    assert list(read_run(run)) == expected(1, seq + 1)
    assert verify_run(run).exit_code == 0


def test_failed_preparation_shows_before_it_hurts(tmp_path: Path) -> None:
    """`fault` is set while the present segment still takes records."""
    run = tmp_path / "run"
    run.mkdir()
    disk = FullDisk()
    disk.full_after = 1
    supply = SegmentSupply(run, 4096, disk)
    writer = JournalWriter(run, new_manifest("run", RULEBOOK, START_NS, 4096), supply)
    assert not writer.prepared()
    assert "No space left" in writer.fault
    writer.append(*sample(1))
    writer.close()
    assert list(read_run(run)) == expected(1, 1)


@pytest.mark.parametrize("first", [1, 2, 1024, 1025, 1 << 24])
def test_a_run_may_begin_with_any_number(tmp_path: Path, first: int) -> None:
    """A run that goes on from another one begins with the number after its last."""
    writer = start_run(tmp_path, RULEBOOK, START_NS, 2048, first_seq=first)
    assert (writer.appended_seq, writer.recorded_seq) == (first - 1, first - 1)
    with pytest.raises(JournalError, match="numbers have no gap"):
        writer.append(*sample(first - 1))
    for seq in range(first, first + 50):
        writer.append(*sample(seq))
    writer.close()
    assert writer.manifest.segments[0].first_seq == first
    assert writer.manifest.segments[-1].last_seq == writer.recorded_seq == first + 49


def test_runs_and_manifest(tmp_path: Path) -> None:
    """Runs are found in the order they started, and the manifest holds the whole rulebook."""
    data = tmp_path / "data"
    assert runs(data) == []
    assert latest_run(data) is None
    with pytest.raises(JournalUnreadableError, match="neither a run nor"):
        find_run(data)
    started = [
        start_run(data, RULEBOOK, at_ns, 2048, config_digest="c")
        for at_ns in (START_NS + 1, START_NS, *[START_NS] * 10)
    ]
    for writer in started:
        writer.close()
    names = [run.path.name for run in runs(data)]
    assert names[0] == "20251009T085320.123456789Z"
    assert names[1:11] == [f"{names[0]}-{number}" for number in range(2, 12)]
    latest = latest_run(data)
    assert latest is not None
    assert latest.path == started[0].directory
    assert find_run(data).path == latest.path
    assert find_run(latest.path).path == latest.path
    assert find_run(data, names[0]).path.name == names[0]
    manifest = latest.manifest
    again = Rulebook(msgspec.json.decode(manifest.rulebook_text, type=File))
    assert again.revision == manifest.rulebook_revision == RULEBOOK.revision
    assert manifest.packages["msgspec"] == msgspec.__version__
    assert manifest.config_digest == "c"
    assert len(manifest.code_digest) == 64


def test_torn_manifest_is_unreadable(make_run: Callable[..., Path]) -> None:
    """A manifest that is no JSON, or of a later format, is an error that names it."""
    run = make_run(3)
    manifest = read_manifest(run)
    manifest.format_version += 1
    for text in (b"", b"{", b"\xff\xfe", b"[]", msgspec.json.encode(manifest)):
        (run / "manifest.json").write_bytes(text)
        with pytest.raises(JournalUnreadableError, match=r"manifest\.json"):
            RunReader(run)
        assert verify_run(run).exit_code == 2


def test_every_event_type_is_recorded(make_writer: MakeWriter) -> None:
    """Each event type survives the frame with each field set to a value of its own."""
    writer = make_writer(1 << 20)
    events = []
    for seq, event_type in enumerate(AnyEvent.__args__, 1):
        fields = msgspec.structs.fields(event_type)
        values = [_value(field.type, number) for number, field in enumerate(fields)]
        events.append(event_type(*values))
        writer.append(seq, START_NS + seq, events[-1], NOTED_DECISION)
    writer.close()
    assert [record.event for record in read_run(writer.directory)] == events


def _value(annotation: object, number: int) -> object:
    """Return a value of an event's field that differs from its default."""
    simple = {int: number + 2**40, str: f"text-{number}", bool: True}
    if annotation in simple:
        return simple[annotation]  # type: ignore[index]
    return msgspec.convert(_SPECIAL[str(annotation)], annotation)


_FILL = [1, 2, 3, 4, 5, 6, True, 8, 9]
_SPECIAL: dict[str, object] = {
    "<enum 'Reason'>": 5001,
    "rules.reasons.Reason | None": 5001,
    "<class 'rules.events.Fill'>": _FILL,
    "tuple[rules.events.Fill, ...]": [_FILL, _FILL],
    "tuple[rules.events.Ended, ...]": [[1, 4, 3]],
    "tuple[rules.events.RefusedShare, ...]": [[1, [[2001, 3]], 4, 5, 6, 7]],
    "tuple[tuple[int, int], ...]": [[1, 2], [3, 4]],
    "tuple[int, ...]": [7, 8],
}


def test_abandoned_run_is_clean(make_writer: MakeWriter) -> None:
    """A run without its seal, as a kill leaves it, is read whole and verified clean."""
    writer = make_writer()
    for seq in range(1, 51):
        writer.append(*sample(seq))
    abandon(writer)
    assert list(read_run(writer.directory)) == expected(1, 50)
    result = verify_run(writer.directory)
    assert (result.exit_code, result.torn_bytes, result.status) == (0, 0, "running")
