"""Following the record goes on over restarts of the gate, with the names each run knows."""

import shutil
from pathlib import Path

import pytest

from gateway.data_lock import LOCK_NAME, DataLock
from gateway.journal import JournalError
from gateway.journal.manifest import read_manifest, run_directories, write_manifest
from gateway.logview.query import Found
from gateway.logview.sources import source_of
from gateway.logview.tailing import Follower
from tests.gateway.logview.kept_world import two_runs


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a data directory of one run, and the directory of a run that continues it."""
    data = tmp_path / "data"
    first, second = two_runs(data)
    later = tmp_path / second.path.name
    second.path.rename(later)
    return data, first.path, later


def seqs(found: list[Found]) -> list[int]:
    """Return the numbers of records."""
    return [one.record.seq for one in found]


def test_goes_on_into_the_next_run(parts: tuple[Path, Path, Path]) -> None:
    """A run that begins while the one before is followed is shown from its first record."""
    data, first, later = parts
    follower = Follower(source_of(data), True, 2)
    last = seqs(follower.last())
    assert len(last) == 2
    assert list(follower.more()) == []
    assert not follower.over()
    later.rename(data / later.name)
    more = list(follower.more())
    assert seqs(more) == list(range(last[-1] + 1, more[-1].record.seq + 1))
    assert follower.run.path == data / later.name != first
    # Whose it is was said in the run before.
    places = [one for one in more if one.subject.client_order_ids == ("rests-7",)]
    assert [one.names.account(one.subject.accounts[0]) for one in places] == ["alice"] * len(places)
    assert places
    assert list(follower.more()) == []


def test_ends_with_its_run_where_one_run_is_asked_for(parts: tuple[Path, Path, Path]) -> None:
    """Without a data directory to watch it is over when the run has ended."""
    data, first, later = parts
    follower = Follower(source_of(first), False, 1)
    follower.last()
    later.rename(data / later.name)
    assert follower.over()
    assert list(follower.more()) == []
    assert follower.run.path == first


def test_ends_with_a_run_whose_gate_was_killed(parts: tuple[Path, Path, Path]) -> None:
    """Nobody writes a run any more whose data directory nobody holds, whatever its manifest says."""
    data, first, _ = parts
    manifest = read_manifest(first)
    manifest.status, manifest.ended_ns = "running", 0
    write_manifest(first, manifest)
    follower = Follower(source_of(first), False, 1)
    follower.last()
    (data / LOCK_NAME).unlink(missing_ok=True)
    assert not follower.over()
    lock = DataLock(data)
    assert not follower.over()
    lock.release()
    assert follower.over()
    assert not Follower(source_of(data), True, 1).over()


def test_a_damaged_run_does_not_end_it(parts: tuple[Path, Path, Path]) -> None:
    """What can't be read of a run that was followed is a problem, and the next one is shown."""
    data, first, later = parts
    source = source_of(data)
    follower = Follower(source, True, 0)
    path = first / "000001.seg"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert follower.last() == []
    with pytest.raises(JournalError):
        list(follower.more())
    shutil.copytree(later, data / later.name)
    more = list(follower.more())
    assert {one.run.path.name for one in more} == {later.name}
    (problem,) = source.problems
    assert str(path) in problem
    assert run_directories(data)[-1] == follower.run.path
