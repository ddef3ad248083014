"""A snapshot another version made and this one does not understand keeps no gate from starting."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.journal import JournalError, Run
from gateway.journal.manifest import read_manifest
from gateway.journal.snapshot_file import START_SNAPSHOT, packed, snapshot_seqs
from gateway.recovery import follow
from gateway.snapshots import Snapshot, encoded, read_snapshot
from tests.gateway.logview.kept_world import retain_nothing_old, two_runs


def make_foreign(path: Path) -> None:
    """Let a snapshot hold a rule's state as no version of this one writes it."""
    snapshot: Snapshot = read_snapshot(path)
    rules: dict[str, Any] = {name: {"of": "another"} for name in snapshot.pipeline["rules"]}
    pipeline = snapshot.pipeline | {"rules": rules}
    path.write_bytes(packed(encoded(msgspec.structs.replace(snapshot, pipeline=pipeline))))


def reopened(run: Run) -> Run:
    """Return a run as it is on the disk now."""
    return Run(run.path, read_manifest(run.path))


def test_an_older_one_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The state is the same from whichever snapshot it is made, and a warning names each."""
    _, run = two_runs(tmp_path / "data")
    wanted, _ = follow(run)
    paths = [path for _, path in snapshot_seqs(run.path)]
    for number, path in enumerate(reversed(paths), 1):
        make_foreign(path)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found, _ = follow(reopened(run))
        assert found.pipeline.state() == wanted.pipeline.state()
        assert caplog.text.count("is not understood by this version") == number
    make_foreign(run.path / START_SNAPSHOT)
    with pytest.raises(JournalError, match="is not understood by this version"):
        follow(reopened(run))


def test_none_is_left_when_the_beginning_is_deleted(tmp_path: Path) -> None:
    """Where retention has left only what is not understood the error says so."""
    _, run = two_runs(tmp_path / "data")
    retain_nothing_old(tmp_path / "data")
    wanted, _ = follow(reopened(run))
    first, last = (path for _, path in snapshot_seqs(run.path))
    make_foreign(last)
    found, _ = follow(reopened(run))
    assert found.pipeline.state() == wanted.pipeline.state()
    make_foreign(first)
    with pytest.raises(JournalError, match="is not understood by this version"):
        follow(reopened(run))
