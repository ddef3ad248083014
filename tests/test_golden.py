"""Runs and snapshots of earlier versions are read, verified and followed by this one.

Each folder of `tests/golden` was written by the version it is named after and is never changed;
`tools/make_golden.py` makes the one of a release.
"""

import asyncio
import hashlib
import importlib.util
import json
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.__main__ import build
from gateway.app import Gate
from gateway.journal import Run, read_run
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE
from gateway.journal.manifest import read_manifest, run_directories
from gateway.journal.repair import close_abandoned, cut_torn_tail
from gateway.journal.reserve import find_reserve
from gateway.journal.seal import read_public_key
from gateway.journal.segment import segment_numbers
from gateway.journal.snapshot_file import START_SNAPSHOT, snapshot_seqs
from gateway.journal.verify import verify_run
from gateway.recovery import follow
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import read_snapshot
from rules.values import NS_PER_SECOND

GOLDEN = Path(__file__).resolve().parent / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
DECIDED_OTHERWISE: dict[str, str] = {}
"""Versions whose decisions are made otherwise today, and why; their course is followed all the
same."""


def tool() -> ModuleType:
    """Return the tool that makes a set, for the venue it uses."""
    path = GOLDEN.parents[1] / "tools" / "make_golden.py"
    spec = importlib.util.spec_from_file_location("make_golden", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_golden = tool()


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
    torn = signed = 0
    for run in run_directories(golden / "data"):
        result = verify_run(run, None, (key,))
        assert (result.exit_code, result.findings) == (0, [])
        torn += result.torn_bytes
        signed += result.signed
        forms |= {path.name.split(".", 1)[1] for path in run.glob("0*.seg*")}
    assert torn
    assert signed
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


def test_sets_have_everything_a_record_can_have() -> None:
    """Among them are a reserve, a run that continues another, and a snapshot of the middle."""
    directories = [run for name in VERSIONS for run in run_directories(GOLDEN / name / "data")]
    assert any(find_reserve(directory) for directory in directories)
    assert any((directory / START_SNAPSHOT).exists() for directory in directories)
    assert any(snapshot_seqs(directory) for directory in directories)
    assert any(read_manifest(directory).previous for directory in directories)


def test_every_command_reads_it(golden: Path) -> None:
    """Every reading command gives what is in the set, over all its runs and its reserve."""
    data = golden / "data"
    runs = expected(golden)
    count = sum(run["last_seq"] - run["first_seq"] + 1 for run in runs.values())
    lines = invoke("log", "query", "--data", data, "--json").splitlines()
    assert len(lines) == count
    refused: Counter[str] = Counter()
    for line in map(json.loads, lines):
        if line["verdict"] == "REFUSED":
            refused[line["decision"]["breaches"][0]["reason"]] += 1
    assert refused == sum((Counter(run["refusals"]) for run in runs.values()), Counter())
    for name, run in runs.items():
        place = json.loads(
            invoke(
                "log", "query", "--data", data, "--run", name, "--event", "place", "--json"
            ).splitlines()[-1]
        )
        for told in (str(place["seq"]), place["decision_id"]):
            if told is not None:
                explain = ("log", "explain", told, "--data", data, "--run", name, "--json")
                explained = json.loads(invoke(*explain))
                assert explained["record"]["seq"] == place["seq"]
                assert explained["agrees"] or golden.name in DECIDED_OTHERWISE
                assert explained["rules"]
        tail = invoke("log", "tail", "-n", 1, "--data", data, "--run", name, "--json")
        assert json.loads(tail)["seq"] == run["last_seq"]
    invoke("log", "verify", "--all", "--data", data, "--public-key", golden / "seal.pub")
    if golden.name not in DECIDED_OTHERWISE:
        replayed = json.loads(invoke("replay", "--all", data, "--json"))
        assert sum(report["records"] for report in replayed) == count
    case = json.loads(invoke("log", "case", "alice", "--data", data, "--json"))
    assert case["orders"]
    assert not case["problems"]
    out = golden / "out"
    invoke("log", "export", "--data", data, "-o", out, "--format", "csv")
    assert json.loads((out / "export.json").read_text())["files"][0]["rows"] == count


def test_a_gate_goes_on_with_it(golden: Path) -> None:
    """This version starts on the data directory and continues: numbers, orders and balances."""
    data = golden / "data"
    newest = run_directories(data)[-1]
    run = Run(newest, read_manifest(newest))
    before, _ = follow(run)
    clock = make_golden.HandClock(before.now_ns + NS_PER_SECOND)

    async def start() -> int:
        gate = Gate(make_golden.config(data), clock)
        try:
            await gate.start()
            book = gate.core.book
            # Without the engine that was embedded its orders are lost, and said to be.
            kept = before.pipeline.book.orders if before.engine is not None else {}
            assert book.orders.keys() == kept.keys()
            assert book.next_order_id >= before.pipeline.book.next_order_id
            return gate.core.seq
        finally:
            await gate.stop()

    assert asyncio.run(start()) > before.seq
    following = run_directories(data)[-1]
    assert read_manifest(following).previous == newest.name
    assert verify_run(following).exit_code == 0
    assert verify_run(newest).exit_code == 0


def invoke(*arguments: object) -> str:
    """Return what `ordergate` prints; it must end well."""
    result = CliRunner().invoke(build(), [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_killed_run_is_repaired(golden: Path) -> None:
    """The torn end of a killed run is cut and its last segment closed, with every record kept."""
    for directory in run_directories(golden / "data"):
        run = Run(directory, read_manifest(directory))
        torn = bool(verify_run(directory).torn_bytes)
        cut = cut_torn_tail(run)
        close_abandoned(run)
        assert (cut is not None) == torn
        assert all(run.manifest.sealed(number) for number in segment_numbers(directory))
        result = verify_run(directory)
        assert (result.exit_code, result.torn_bytes) == (0, 0)
        assert result.last_seq == expected(golden)[directory.name]["last_seq"]
