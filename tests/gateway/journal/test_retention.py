"""Retention deletes what is over, and never what is held or needed."""

from pathlib import Path

import msgspec
import pytest

from gateway.journal import JournalDeletedError, JournalError, find_run, read_run
from gateway.journal.holds import HOLDS_NAME, add_hold, remove_hold
from gateway.journal.manifest import read_manifest
from gateway.journal.reader import last_seq
from gateway.journal.retention import (
    START_SNAPSHOT,
    RetentionPlan,
    apply_retention,
    holds_of,
    plan_retention,
)
from gateway.journal.seal import sign_run
from gateway.journal.snapshot_file import packed
from gateway.journal.tombstone import read_tombstone
from gateway.journal.verify import verify_run

from .conftest import START_NS
from .keeping_world import DAYS_NS, RECORDS, make_data, seal_key
from .test_holds import hold

NOW_NS = START_NS + 100 * DAYS_NS


def removed(plan: RetentionPlan) -> list[str]:
    """Return the runs of which something goes."""
    return [removal.run for removal in plan.removals]


def snapshot(text: str) -> bytes:
    """Return something that has a text in it as a snapshot has."""
    return packed(msgspec.msgpack.encode(["run", 7, [["D", 2, 1, text]], {"book": None}]))


def test_age_at_its_boundary(tmp_path: Path) -> None:
    """A run goes when its last record is older than the period, and not at the period itself."""
    old, _ = make_data(tmp_path, (0, 1))
    last_ns = read_manifest(old).ended_ns
    for before, expected in ((-1, []), (0, []), (1, [old.name])):
        plan = plan_retention(tmp_path, "30d", last_ns + 30 * DAYS_NS + before)
        assert removed(plan) == expected
    assert len(list(read_run(old))) == RECORDS + 3, "a plan deletes nothing"


def test_deleted_run_leaves_its_digests(tmp_path: Path) -> None:
    """What is left says what there was, when it was deleted and by whom; readers say so too."""
    data = tmp_path / "data"
    runs = make_data(data, (0, 1, 2), killed=(1,))
    key = seal_key(tmp_path)
    sign_run(runs[0], read_manifest(runs[0]), key)
    entries = read_manifest(runs[0]).segments
    (runs[0] / START_SNAPSHOT).write_bytes(b"state")
    (runs[0] / "000001.seg.torn-9").write_bytes(b"torn")
    plan = apply_retention(data, "30d", NOW_NS, "officer")
    assert removed(plan) == [runs[0].name, runs[1].name]
    assert sorted(path.name for path in runs[0].iterdir()) == ["manifest.json", "tombstone.json"]
    for run in runs[:2]:
        tombstone = read_tombstone(run)
        assert tombstone is not None
        deletion = tombstone.deletions[0]
        assert (deletion.at_ns, deletion.actor, deletion.retention) == (NOW_NS, "officer", "30d")
        assert sum(entry.count for entry in deletion.segments) == RECORDS + 3
        with pytest.raises(
            JournalDeletedError, match=r"deleted by retention \(30d\) on 2026-01-17"
        ):
            list(read_run(run))
        result = verify_run(run, None, (key.public,))
        assert (result.exit_code, result.deleted_records) == (0, RECORDS + 3)
    assert [(s.digest, s.signature) for s in read_tombstone(runs[0]).deletions[0].segments] == [
        (entry.digest, entry.signature) for entry in entries
    ]
    assert len(list(read_run(runs[2]))) == RECORDS + 3
    assert removed(plan_retention(data, "30d", NOW_NS)) == []
    assert find_run(data).path == runs[2]


def test_plan_counts_what_a_kill_left_unlisted(tmp_path: Path) -> None:
    """The records and the open segment of a killed run are in the plan, as they are in its end."""
    for records in (0, RECORDS):
        data = tmp_path / f"with {records}"
        _, killed, _ = make_data(data, (0, 1, 2), killed=(1,), records=records)
        segments = sorted(path.name for path in killed.glob("0*.seg"))
        assert len(read_manifest(killed).segments) < len(segments)
        plan = plan_retention(data, "30d", NOW_NS)
        removals = {removal.run: removal for removal in plan.removals}
        assert {removal.records for removal in removals.values()} == {records + 3}
        assert sorted(removals[killed.name].segments) == segments
        applied = apply_retention(data, "30d", NOW_NS, "test")
        assert applied.removals == plan.removals
        tombstone = read_tombstone(killed)
        assert tombstone is not None
        (deletion,) = tombstone.deletions
        assert sum(entry.count for entry in deletion.segments) == records + 3


def test_forged_tombstone_is_found(tmp_path: Path) -> None:
    """A tombstone with other digests than the manifest, or another signature, is corrupt."""
    data = tmp_path / "data"
    run = make_data(data, (0, 1))[0]
    key = seal_key(tmp_path)
    sign_run(run, read_manifest(run), key)
    apply_retention(data, "30d", NOW_NS, "officer")
    path = run / "tombstone.json"
    good = path.read_text()
    digest = read_manifest(run).segments[1].digest
    path.write_text(good.replace(digest, "00" * 32))
    result = verify_run(run, None, (key.public,))
    assert result.exit_code == 1
    assert result.findings[0].file == str(path)
    path.write_text("{")
    assert verify_run(run).exit_code == 2
    path.unlink()
    assert verify_run(run).exit_code == 1, "without it the segments are missing"


def test_what_the_next_start_needs_is_kept(tmp_path: Path) -> None:
    """However old, the newest run that served and the runs after it stay."""
    runs = make_data(tmp_path, (0, 1, 2))
    plan = apply_retention(tmp_path, "1s", NOW_NS, "officer")
    assert removed(plan) == [runs[0].name, runs[1].name]
    assert [kept.run for kept in plan.kept] == [runs[2].name]
    assert len(list(read_run(runs[2]))) == RECORDS + 3


def test_nothing_goes_where_no_run_is_known_to_have_served(tmp_path: Path) -> None:
    """If the runs that served can't be read, nothing is deleted at all."""
    runs = make_data(tmp_path, (0, 1))
    for run in runs:
        path = run / "000001.seg"
        data = bytearray(path.read_bytes())
        data[60] ^= 1
        path.write_bytes(data)
    plan = apply_retention(tmp_path, "1s", NOW_NS, "officer")
    assert removed(plan) == []
    assert all((run / "000001.seg").exists() for run in runs)


def test_damaged_run_is_kept(tmp_path: Path) -> None:
    """A run that was left open and is damaged is evidence; it is kept and said so."""
    runs = make_data(tmp_path, (0, 1), killed=(0,))
    path = max(runs[0].glob("0*.seg"))
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    plan = apply_retention(tmp_path, "1s", NOW_NS, "officer")
    assert removed(plan) == []
    assert [kept.run for kept in plan.kept if kept.failed] == [runs[0].name]
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"run": 0}, (0,)),
        ({"owner": "owner-1"}, (1,)),
        ({"account": "account-2"}, (2,)),
        ({"owner": "owner-1", "account": "account-2"}, ()),
        ({"owner": "nobody"}, ()),
        ({"from_ns": START_NS + 1 * DAYS_NS}, (1, 2)),
        ({"to_ns": START_NS + 1 * DAYS_NS}, (0,)),
        ({"to_ns": START_NS + 1 * DAYS_NS + 1}, (0, 1)),
        ({"from_ns": START_NS + DAYS_NS // 2, "to_ns": START_NS + 2 * DAYS_NS}, (1,)),
        ({"from_ns": START_NS + DAYS_NS, "owner": "owner-0"}, ()),
    ],
)
def test_held_runs_are_kept(
    tmp_path: Path, fields: dict[str, object], held: tuple[int, ...]
) -> None:
    """A hold keeps every run that all its conditions fit, until it is lifted."""
    runs = make_data(tmp_path, (0, 1, 2, 3))
    if "run" in fields:
        fields = {"run": runs[0].name}
    add_hold(tmp_path, hold(**fields))
    assert holds_of(tmp_path)[runs[0].name] == (("hold-1",) if 0 in held else ())
    plan = apply_retention(tmp_path, "1s", NOW_NS, "officer")
    assert removed(plan) == [run.name for index, run in enumerate(runs[:3]) if index not in held]
    for index in held:
        assert len(list(read_run(runs[index]))) == RECORDS + 3
    remove_hold(tmp_path, "hold-1", "judge", "settled", NOW_NS)
    assert removed(apply_retention(tmp_path, "1s", NOW_NS, "officer")) == [
        runs[index].name for index in held
    ]


def test_owner_in_a_snapshot_is_held(tmp_path: Path) -> None:
    """An owner a run took over from the one before is in the snapshot it begins with."""
    runs = make_data(tmp_path, (0, 1, 2))
    (runs[1] / START_SNAPSHOT).write_bytes(snapshot("owner-0"))
    add_hold(tmp_path, hold(owner="owner-0"))
    assert removed(plan_retention(tmp_path, "1s", NOW_NS)) == []
    (runs[1] / START_SNAPSHOT).write_bytes(snapshot("owner-9"))
    assert removed(plan_retention(tmp_path, "1s", NOW_NS)) == [runs[1].name]
    (runs[1] / START_SNAPSHOT).write_bytes(b"\xc1")
    assert removed(plan_retention(tmp_path, "1s", NOW_NS)) == [], "what can't be read is held"


def test_unreadable_holds_hold_everything(tmp_path: Path) -> None:
    """Without certainty about the holds nothing is deleted."""
    make_data(tmp_path, (0, 1))
    (tmp_path / HOLDS_NAME).write_bytes(b"{")
    with pytest.raises(JournalError):
        apply_retention(tmp_path, "1s", NOW_NS, "officer")


def test_segments_of_a_long_run(tmp_path: Path) -> None:
    """Of a run that stays, what is old and before the last two snapshots goes, oldest first."""
    run = make_data(tmp_path, (0,))[0]
    entries = read_manifest(run).segments
    assert len(entries) > 4
    (run / START_SNAPSHOT).write_bytes(snapshot("owner"))
    assert removed(plan_retention(tmp_path, "1s", NOW_NS)) == []
    (run / f"{entries[2].last_seq}.snapshot").write_bytes(snapshot("owner"))
    assert removed(plan_retention(tmp_path, "1s", NOW_NS)) == [], "a second one may be needed"
    (run / f"{entries[3].first_seq}.snapshot").write_bytes(snapshot("owner"))
    plan = apply_retention(tmp_path, "1s", NOW_NS, "officer")
    assert [removal.segments for removal in plan.removals] == [
        tuple(entry.file for entry in entries[:3])
    ]
    assert not plan.removals[0].whole
    assert not (run / START_SNAPSHOT).exists()
    kept_seq = entries[3].first_seq
    for start in (1, entries[2].last_seq):
        with pytest.raises(JournalDeletedError, match=f"{entries[2].first_seq} to"):
            list(read_run(run, start))
    assert [r.seq for r in read_run(run, kept_seq)] == list(range(kept_seq, RECORDS + 4))
    assert last_seq(run) == RECORDS + 3
    result = verify_run(run)
    assert (result.exit_code, result.deleted_segments, result.first_seq) == (0, 3, kept_seq)


@pytest.mark.parametrize("period", ["0d", "-1d", "soon", "5"])
def test_period_that_is_none(tmp_path: Path, period: str) -> None:
    """A period must be a duration above zero."""
    with pytest.raises(ValueError):
        plan_retention(tmp_path, period, NOW_NS)
