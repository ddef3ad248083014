"""A run its writer did not close: its torn end is cut with a copy kept, its last segment closed."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.journal import JournalCorruptError, JournalError, Run, find_run, read_run
from gateway.journal.frame import Header, control_payload, framed
from gateway.journal.manifest import read_manifest, run_directories, write_manifest
from gateway.journal.reader import SegmentReader
from gateway.journal.repair import (
    close_abandoned,
    cut_torn_tail,
    highest_quarantined_seq,
    quarantine_run,
)
from gateway.journal.verify import verify_run

from .conftest import START_NS
from .keeping_world import make_data

MakeRun = Callable[..., Path]


def run_of(path: Path) -> Run:
    """Return a run as it stands on the disk."""
    return Run(path, read_manifest(path))


def last_segment(run: Path) -> Path:
    """Return the segment a killed writer was in."""
    return max(run.glob("0*.seg"))


@pytest.mark.parametrize("tail", [b"", bytes(500)])
def test_torn_end_is_cut_at_every_byte(make_run: MakeRun, tail: bytes) -> None:
    """Wherever the last append was cut short, the records before stay and the bytes are kept."""
    run = make_run(8, close=False)
    path = last_segment(run)
    data = path.read_bytes()
    places = [offset for offset, _ in SegmentReader(path).frames()]
    end = len(data.rstrip(b"\x00"))
    for size in range(places[-1], end):
        path.write_bytes(data[:size] + tail)
        torn = data[places[-1] : size].rstrip(b"\x00")
        cut = cut_torn_tail(run_of(run))
        assert [record.seq for record in read_run(run)] == list(range(1, 8))
        if not torn:
            assert cut is None
            continue
        assert cut is not None
        assert (cut.segment, cut.offset, cut.torn_bytes) == (path, places[-1], len(torn))
        assert [kept.read_bytes() for kept in cut.kept] == [torn]
        assert path.stat().st_size == places[-1]
        assert cut_torn_tail(run_of(run)) is None
        result = verify_run(run)
        assert (result.exit_code, result.torn_bytes) == (0, 0)


def test_nothing_is_cut_of_a_whole_run(make_run: MakeRun) -> None:
    """A closed run, a killed one without a torn end and an empty directory are left alone."""
    assert cut_torn_tail(run_of(make_run(8))) is None
    run = make_run(8, close=False)
    before = last_segment(run).read_bytes()
    assert cut_torn_tail(run_of(run)) is None
    assert last_segment(run).read_bytes() == before


def test_damage_is_not_cut(make_run: MakeRun) -> None:
    """A damaged record before others is no torn end: nothing is changed."""
    run = make_run(8, close=False)
    path = last_segment(run)
    data = bytearray(path.read_bytes())
    offset = [offset for offset, _ in SegmentReader(path).frames()][4]
    data[offset + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorruptError) as raised:
        cut_torn_tail(run_of(run))
    assert (raised.value.path, raised.value.offset) == (path, offset)
    with pytest.raises(JournalCorruptError):
        close_abandoned(run_of(run))
    assert path.read_bytes() == data


def test_unconfirmed_segments_are_set_aside(make_run: MakeRun) -> None:
    """With `disk` durability a torn end may have lost what comes before a new segment."""
    run = make_run(8, segment_bytes=1 << 16, close=False)
    manifest = read_manifest(run)
    path = last_segment(run)
    data = path.read_bytes()
    frames = list(SegmentReader(path).frames())
    hole, after = frames[-2][0], frames[-1][0]
    later = run / "000002.seg"
    header = framed(control_payload(Header(1, run.name, 2, 9, bytes(32))))
    later.write_bytes(header + bytes(100))
    path.write_bytes(data[:hole] + bytes(after - hole) + data[after:])
    with pytest.raises(JournalCorruptError):
        cut_torn_tail(run_of(run))
    manifest.durability = "disk"
    write_manifest(run, manifest)
    cut = cut_torn_tail(run_of(run))
    assert cut is not None
    assert [kept.name for kept in cut.kept] == [f"000001.seg.torn-{hole}", "000002.seg.torn-0"]
    assert cut.records == 1, "the record after the hole was whole and never confirmed"
    assert [record.seq for record in read_run(run)] == list(range(1, 7))
    assert verify_run(run).exit_code == 0


def test_killed_run_is_closed(tmp_path: Path) -> None:
    """What a killed writer left open is sealed, listed and cut, and stays a run that did not end."""
    run = make_data(tmp_path, (0,), killed=(0,))[0]
    before = list(read_run(run))
    assert (run / "prepared.seg").exists()
    added = close_abandoned(run_of(run))
    assert [entry.number for entry in added] == [len(list(run.glob("0*.seg")))]
    assert not (run / "prepared.seg").exists()
    manifest = read_manifest(run)
    assert manifest.status == "running"
    assert [entry.last_seq for entry in manifest.segments][-1] == len(before)
    assert list(read_run(run)) == before
    result = verify_run(run)
    assert (result.exit_code, result.sealed, result.records) == (
        0,
        len(manifest.segments),
        len(before),
    )
    assert close_abandoned(run_of(run)) == []


@pytest.mark.parametrize("lost", [1, 2, 99])
def test_manifest_that_was_never_renewed(tmp_path: Path, lost: int) -> None:
    """Segments sealed by a writer that was killed before it listed them are listed."""
    run = make_data(tmp_path, (0,))[0]
    manifest = read_manifest(run)
    entries = list(manifest.segments)
    manifest.status, manifest.ended_ns = "running", 0
    del manifest.segments[-lost:]
    write_manifest(run, manifest)
    assert close_abandoned(run_of(run)) == entries[-lost:]
    assert read_manifest(run).segments == entries


def test_segment_that_was_never_begun_goes(tmp_path: Path) -> None:
    """A segment of zeros that was taken before the end is no part of the record."""
    run = make_data(tmp_path, (0,), killed=(0,))[0]
    number = len(list(run.glob("0*.seg"))) + 1
    (run / f"{number:06d}.seg").write_bytes(bytes(1024))
    close_abandoned(run_of(run))
    assert not (run / f"{number:06d}.seg").exists()
    assert verify_run(run).exit_code == 0


def test_quarantine_keeps_the_run_and_its_numbers(tmp_path: Path) -> None:
    """A damaged run is moved whole; the highest number in it is known, damaged parts included."""
    first, second = make_data(tmp_path, (0, 1), killed=(1,))
    path = last_segment(second)
    data = bytearray(path.read_bytes())
    frames = list(SegmentReader(path).frames())
    data[frames[1][0] + 20] ^= 1
    path.write_bytes(data)
    seqs = [msgspec.msgpack.decode(payload)[0] for _, payload in frames]
    run = run_of(second)
    result = verify_run(second)
    assert result.exit_code == 1
    moved = quarantine_run(run.path, result, "operator", "disk fault", START_NS)
    assert run_directories(tmp_path) == [first]
    assert find_run(tmp_path).path == first
    assert highest_quarantined_seq(tmp_path) == max(seqs)
    assert sorted(p.name for p in moved.iterdir() if p.name != "quarantine.json")
    assert (moved / path.name).read_bytes() == data
    (moved / "quarantine.json").write_bytes(b"{")
    with pytest.raises(JournalError):
        highest_quarantined_seq(tmp_path)
