"""A manifest or a snapshot that is not what the run began with is found, and named."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.journal import read_run
from gateway.journal.foundation import manifest_digest, start_digest
from gateway.journal.manifest import MANIFEST_NAME, Manifest, read_manifest
from gateway.journal.retention import apply_retention
from gateway.journal.snapshot_file import (
    START_SNAPSHOT,
    packed,
    read_snapshot_file,
    snapshot_seqs,
)
from gateway.journal.verify import EXIT_CLEAN, EXIT_CORRUPT, verify_run
from gateway.snapshots import Snapshot, encoded, read_snapshot
from rules.events import RunBegan
from rules.values import NS_PER_DAY
from tests.gateway.logview.kept_world import two_runs

MAY_CHANGE = ("status",)
"""A run whose writer was killed after its last seal stays `running`; nothing else may change."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a run that continues another and has snapshots."""
    return two_runs(tmp_path_factory.mktemp("foundation") / "data")[1].path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may damage."""
    copy = tmp_path / "data" / made.name
    shutil.copytree(made.parent, copy.parent)
    return copy


def test_a_run_states_what_it_rests_on(run: Path) -> None:
    """The record says what manifest and snapshot were, and still are when the run has ended."""
    (began,) = (record.event for record in read_run(run) if isinstance(record.event, RunBegan))
    assert isinstance(began, RunBegan)
    assert began.manifest_digest == manifest_digest(read_manifest(run))
    assert began.start_digest == start_digest(run) != ""
    result = verify_run(run)
    assert (result.exit_code, result.snapshots) == (EXIT_CLEAN, 4)


def changed(value: Any) -> Any:
    """Return another value of the same type."""
    match value:
        case int():
            return value + 1
        case dict():
            return value | {"msgspec": "0"}
        case "process":
            return "disk"
        case str():
            return value + "x"
    raise TypeError(value)


@pytest.mark.parametrize(
    "field", [name for name in Manifest.__struct_fields__ if name not in ("segments", *MAY_CHANGE)]
)
def test_any_changed_field_of_the_manifest_is_found(run: Path, field: str) -> None:
    """Whatever the manifest says otherwise than it did is damage, or can't be read."""
    path = run / MANIFEST_NAME
    said = msgspec.json.decode(path.read_bytes())
    said[field] = changed(said[field])
    path.write_bytes(msgspec.json.encode(said))
    assert verify_run(run).exit_code != EXIT_CLEAN


@pytest.mark.parametrize("change", ["first_seq", "last_seq", "count", "first_ns", "last_ns"])
def test_any_changed_entry_of_a_segment_is_found(run: Path, change: str) -> None:
    """What the manifest lists of a segment is held against the segment."""
    path = run / MANIFEST_NAME
    said = msgspec.json.decode(path.read_bytes())
    said["segments"][1][change] += 1
    path.write_bytes(msgspec.json.encode(said))
    result = verify_run(run)
    assert result.exit_code == EXIT_CORRUPT
    assert any("000002.seg" in finding.file for finding in result.findings)


def test_a_segment_left_out_of_the_manifest_is_found(run: Path) -> None:
    """The manifest of a run that ended lists every segment."""
    path = run / MANIFEST_NAME
    said = msgspec.json.decode(path.read_bytes())
    del said["segments"][1]
    path.write_bytes(msgspec.json.encode(said))
    (finding,) = verify_run(run).findings
    assert finding.message == "the manifest does not list the segment"


def test_a_forged_start_is_found(run: Path) -> None:
    """A snapshot that is whole in itself but says something else is not the run's."""
    path = run / START_SNAPSHOT
    snapshot: Snapshot = read_snapshot(path)
    forged = msgspec.structs.replace(snapshot, now_ns=snapshot.now_ns + 1)
    path.write_bytes(packed(encoded(forged)))
    (finding,) = verify_run(run).findings
    assert (finding.kind, finding.file) == ("corrupt", str(path))
    path.unlink()
    (finding,) = verify_run(run).findings
    assert finding.message == "the snapshot is missing"


def test_a_flip_anywhere_in_a_snapshot_is_found(run: Path) -> None:
    """Each file is damaged by any flipped bit; only the one the run begins with is its record's."""
    paths = [run / START_SNAPSHOT, snapshot_seqs(run)[1][1]]
    for path in paths:
        whole, said = path.read_bytes(), read_snapshot_file(path)
        places = {*range(64), *range(0, len(whole), 61), len(whole) - 1}
        for offset in places:
            content = bytearray(whole)
            content[offset] ^= 1 << (offset % 8)
            path.write_bytes(content)
            result = verify_run(run)
            if not result.findings and path.name != START_SNAPSHOT:
                # Zstandard has bits that it does not use.
                assert read_snapshot_file(path) == said
                continue
            assert result.exit_code != EXIT_CLEAN, f"{path} at byte {offset}"
            assert {finding.file for finding in result.findings} == {str(path)}
            spare = path.name != START_SNAPSHOT
            assert (result.record_exit_code == EXIT_CLEAN) == spare
            assert result.spare_snapshots == ([str(path)] if spare else [])
        path.write_bytes(whole)


def test_what_was_deleted_is_held_against_the_manifest(run: Path) -> None:
    """A tombstone must say of a segment what the manifest says of it."""
    later_ns = read_manifest(run).ended_ns + NS_PER_DAY
    apply_retention(run.parent, "1h", later_ns, "test")
    assert verify_run(run).exit_code == EXIT_CLEAN
    path = run / "tombstone.json"
    said = msgspec.json.decode(path.read_bytes())
    said["deletions"][0]["segments"][0]["last_ns"] += 1
    path.write_bytes(msgspec.json.encode(said))
    (finding,) = verify_run(run).findings
    assert finding.file == str(path)
