"""Runs and snapshots of earlier versions are read, verified and followed by this one.

Each folder of `tests/golden` was written by the version it is named after and is never changed;
`tools/make_golden.py` makes the one of a release.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.journal import Run, read_run
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE
from gateway.journal.manifest import read_manifest, run_directories
from gateway.journal.repair import close_abandoned, cut_torn_tail
from gateway.journal.seal import read_public_key
from gateway.journal.snapshot_file import snapshot_seqs
from gateway.journal.verify import verify_run
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import read_snapshot

GOLDEN = Path(__file__).resolve().parent / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
DECIDED_OTHERWISE: dict[str, str] = {}
"""Versions whose decisions are made otherwise today, and why; their course is followed all the
same."""


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of a set, with its key given as an operator does."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    copy = tmp_path / request.param
    shutil.copytree(GOLDEN / request.param, copy)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(copy / "record.key"))
    return copy


def expected(golden: Path) -> dict[str, Any]:
    """Return what was in the runs when they were written."""
    runs: dict[str, Any] = json.loads((golden / "expected.json").read_text())["runs"]
    return runs


def test_records_are_read(golden: Path) -> None:
    """Every record is there with its time, its verdict and each breach."""
    for name, expectation in expected(golden).items():
        digest = hashlib.sha256()
        seqs = []
        for record in read_run(golden / "data" / name):
            breaches = [[b.rule, int(b.reason), b.limit] for b in record.decision.breaches]
            verdict = [record.seq, record.now_ns, record.decision.verdict, breaches]
            digest.update(msgspec.json.encode(verdict))
            seqs.append(record.seq)
        assert seqs == list(range(expectation["first_seq"], expectation["last_seq"] + 1))
        assert digest.hexdigest() == expectation["verdicts"]


def test_runs_are_verified(golden: Path) -> None:
    """Digests and signatures are right, and a torn end is told as one."""
    key = read_public_key(golden / "seal.pub")
    forms = set()
    torn = 0
    for run in run_directories(golden / "data"):
        result = verify_run(run, None, (key,))
        assert (result.exit_code, result.findings) == (0, [])
        assert result.status == "running" or (result.signed, result.unsigned) == (result.sealed, [])
        torn += result.torn_bytes
        forms |= {path.name.split(".", 1)[1] for path in run.glob("0*.seg*")}
    assert torn
    assert {"seg", "seg.zst", "seg.zst.enc", "seg.sig"} <= forms


def test_course_is_followed_and_decided_the_same(golden: Path) -> None:
    """This version decides every record as it was decided, or says for which version it does not."""
    for directory in run_directories(golden / "data"):
        replica = Replica.at_start(Run(directory, read_manifest(directory)))
        for record in read_run(directory):
            replica.take(record)
        assert replica.seq == expected(golden)[directory.name]["last_seq"]
        assert golden.name in DECIDED_OTHERWISE or not replica.differences, (
            f"record {replica.first_difference} of {directory} is decided otherwise now; if that is "
            "meant, say why in DECIDED_OTHERWISE"
        )


def test_snapshots_are_restored(golden: Path) -> None:
    """A snapshot from the middle leads to the same end as the record from its beginning."""
    found = 0
    for directory in run_directories(golden / "data"):
        run = Run(directory, read_manifest(directory))
        whole = Replica.at_start(run)
        for record in read_run(directory):
            whole.take(record)
        for seq, path in snapshot_seqs(directory):
            found += 1
            replica = Replica.restored(read_snapshot(path), manifest_rulebook(run.manifest))
            for record in read_run(directory, seq + 1):
                replica.take(record)
            assert replica.pipeline.state() == whole.pipeline.state()
            assert replica.definitions == whole.definitions
    assert found


def test_killed_run_is_repaired(golden: Path) -> None:
    """The torn end of a killed run is cut and its last segment closed, with every record kept."""
    for directory in run_directories(golden / "data"):
        run = Run(directory, read_manifest(directory))
        cut = cut_torn_tail(run)
        closed = close_abandoned(run)
        assert (cut is not None, bool(closed)) == (
            (True, True) if not run.manifest.ended_ns else (False, False)
        )
        result = verify_run(directory)
        assert (result.exit_code, result.torn_bytes) == (0, 0)
        assert result.last_seq == expected(golden)[directory.name]["last_seq"]
