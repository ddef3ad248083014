"""Starts that ended before they served hide nothing of the record, and are hidden by nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.journal import Run, read_run, runs
from gateway.journal.manifest import (
    MANIFEST_NAME,
    make_run_directory,
    new_manifest,
    write_manifest,
)
from gateway.journal.reader import last_seq
from gateway.journal.repair import close_abandoned, cut_torn_tail
from gateway.journal.segment import segment_name
from gateway.journal.snapshot_file import START_SNAPSHOT, snapshot_name
from gateway.journal.tombstone import TOMBSTONE_NAME
from gateway.journal.unserved import unserved
from gateway.journal.verify import verify_run
from gateway.journal.writer import start_run
from gateway.logview.query import Query, search
from gateway.logview.sources import source_of
from gateway.logview.tailing import Follower
from rules.decisions import NOTED_DECISION
from rules.events import Define, RunBegan
from rules.values import DEFINE_ADDRESS
from tests.gateway.logview.kept_world import trade
from tests.gateway.logview.record_world import RULEBOOK
from tests.gateway.logview.test_damaged_part import invoke

SEGMENT_BYTES = 4_096


@pytest.fixture
def served(tmp_path: Path) -> Run:
    """Return a run that served."""
    trade(tmp_path / "data", 2)
    return runs(tmp_path / "data")[-1]


def bare(run: Run) -> Path:
    """Leave a directory without a manifest."""
    return make_run_directory(run.path.parent, run.manifest.ended_ns + 1)


def without_segment(run: Run) -> Path:
    """Leave a manifest without a segment."""
    path = bare(run)
    manifest = new_manifest(path.name, RULEBOOK, run.manifest.ended_ns + 1, SEGMENT_BYTES)
    manifest.previous = run.manifest.run_id
    write_manifest(path, manifest)
    return path


def without_header(run: Run) -> Path:
    """Leave a segment of zeros."""
    path = without_segment(run)
    (path / segment_name(1)).write_bytes(bytes(SEGMENT_BYTES))
    return path


def begun(run: Run, close: bool, *events: object) -> Path:
    """Begin a run that continues another, without the snapshot it would begin with."""
    started_ns = run.manifest.ended_ns + 1
    first_seq = last_seq(run.path) + 1
    writer = start_run(
        run.path.parent,
        RULEBOOK,
        started_ns,
        SEGMENT_BYTES,
        first_seq=first_seq,
        previous=run.manifest.run_id,
    )
    for seq, event in enumerate(events, first_seq):
        writer.append(seq, started_ns, event, NOTED_DECISION)  # type: ignore[arg-type]
    if close:
        writer.close()
    else:
        writer.prepared()
    return writer.directory


def without_snapshot(run: Run) -> Path:
    """Leave a segment without records, as a kill does."""
    return begun(run, False)


def refused(run: Run) -> Path:
    """Leave a segment without records, as a start does that finds no room for its snapshot."""
    return begun(run, True)


def without_service(run: Run) -> Path:
    """Leave records, none of which says that the run serves."""
    return begun(run, False, Define(DEFINE_ADDRESS, 900, "192.0.2.1"))


LEFT = (bare, without_segment, without_header, without_snapshot, refused, without_service)


@pytest.mark.parametrize("leave", LEFT)
def test_every_reader_passes_over_it(
    served: Run, leave: Callable[[Run], Path], tmp_path: Path
) -> None:
    """The record is told as if there were no such start, with a note that names it."""
    data = served.path.parent
    before = invoke("query", "--data", data, "--json").stdout
    path = leave(served)
    note = f"run {path.name} never served and is passed over: it "
    assert unserved(path)
    query = invoke("query", "--data", data, "--json")
    assert (query.exit_code, query.stdout) == (0, before)
    assert note in query.stderr
    export = invoke("export", "--data", data, "-o", tmp_path / "out", "--format", "jsonl")
    assert export.exit_code == 0, export.output
    summary = json.loads((tmp_path / "out" / "export.json").read_bytes())
    assert summary["problems"] == []
    assert summary["passed_over"][0].startswith(note)
    tail = invoke("tail", "--data", data, "-n", 1, "--json")
    assert (tail.exit_code, tail.stdout) == (0, before.splitlines()[-1] + "\n")
    for arguments in ((), ("--all",), ("--run", path.name)):
        verified = invoke("verify", "--data", data, *arguments)
        assert verified.exit_code == 0, verified.output
        assert note in verified.output
        assert (f"run {served.path.name} (ended)" in verified.output) == ("--run" not in arguments)
    asked = invoke("query", "--data", data, "--run", path.name)
    assert asked.exit_code == 2
    if (path / MANIFEST_NAME).exists():
        # What `record repair` does once nothing was found.
        run = Run(path, runs(data)[-1].manifest)
        assert cut_torn_tail(run) is None
        close_abandoned(run)
        assert unserved(path)


def shown_by_snapshot(path: Path, served: Run) -> None:
    """The run has made a snapshot on the way."""
    (path / snapshot_name(served.manifest.first_seq)).write_bytes(b"")


def shown_by_start(path: Path, served: Run) -> None:
    """The run has the snapshot it begins with."""
    (path / START_SNAPSHOT).write_bytes(b"")


def shown_by_tombstone(path: Path, served: Run) -> None:
    """Retention has been at the run."""
    (path / TOMBSTONE_NAME).write_bytes(b"{}")


def shown_by_reserve(path: Path, served: Run) -> None:
    """The run goes on in a reserve."""
    beside = path.parent.with_name(path.parent.name + "-reserve") / path.name
    beside.mkdir(parents=True)
    (beside / segment_name(1)).write_bytes((served.path / segment_name(1)).read_bytes())


def shown_by_the_next(path: Path, served: Run) -> None:
    """Another run goes on from it."""
    after = make_run_directory(path.parent, served.manifest.ended_ns + 2)
    write_manifest(
        after, msgspec.structs.replace(served.manifest, run_id=after.name, previous=path.name)
    )


SHOWN = (
    shown_by_snapshot,
    shown_by_start,
    shown_by_tombstone,
    shown_by_reserve,
    shown_by_the_next,
)


@pytest.mark.parametrize("leave", [bare, without_segment])
@pytest.mark.parametrize("show", SHOWN)
def test_a_run_that_shows_that_it_served_is_not_passed_over(
    served: Run, leave: Callable[[Run], Path], show: Callable[[Path, Run], None]
) -> None:
    """Files of a run that served can't be taken away unnoticed where anything tells of it."""
    path = leave(served)
    assert unserved(path)
    show(path, served)
    assert unserved(path) == ""
    assert verify_run(path).exit_code != 0
    assert any(path.name in problem for problem in _problems(path.parent))


def test_a_snapshot_that_was_taken_away_is_missed(served: Run) -> None:
    """A run that recorded that it serves needs the snapshot it begins with."""
    path = begun(served, False, RunBegan(served.path.name, 1))
    assert unserved(path) == ""
    query = invoke("query", "--data", path.parent)
    assert query.exit_code == 1
    assert "start.snapshot: is missing" in query.stderr


def test_a_listed_segment_that_is_gone_is_missed(served: Run) -> None:
    """A manifest that lists a closed segment is not one of a start that never served."""
    path = refused(served)
    (path / segment_name(1)).unlink()
    assert unserved(path) == ""
    assert verify_run(path).exit_code != 0


def test_a_damaged_record_is_no_start_that_never_served(served: Run) -> None:
    """What can't be read to its end may have said that the run serves."""
    event = Define(DEFINE_ADDRESS, 900, "192.0.2.1")
    path = begun(served, True, event, Define(DEFINE_ADDRESS, 901, "192.0.2.2"))
    assert unserved(path)
    segment = path / segment_name(1)
    content = bytearray(segment.read_bytes())
    content[content.index(b"192.0.2.1")] ^= 1
    segment.write_bytes(content)
    assert unserved(path) == ""


def test_nothing_but_such_a_start(tmp_path: Path, served: Run) -> None:
    """Where no run served there is nothing to read, and the message says why."""
    left = without_segment(served)
    alone = tmp_path / "other"
    alone.mkdir()
    left.rename(alone / left.name)
    result = invoke("query", "--data", alone)
    assert result.exit_code == 2
    assert f"run {left.name} never served" in result.stderr
    assert invoke("verify", "--data", alone).exit_code == 0


def test_what_is_followed_goes_on_past_it(served: Run) -> None:
    """A start that ended is no run to go on into; the one after it is."""
    data = served.path.parent
    follower = Follower(source_of(data), True, 1)
    follower.last()
    without_snapshot(served)
    assert list(follower.more()) == []
    assert follower.run.path == served.path
    trade(data, 1)
    seqs = [found.record.seq for found in follower.more()]
    assert seqs == [record.seq for record in read_run(runs(data)[-1].path)]


def _problems(data: Path) -> list[str]:
    """Return what a query finds it could not read."""
    source = source_of(data)
    list(search(source, Query()))
    return source.problems
