"""What retention has left of a record is read, explained and replayed, and the rest is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import log, replay
from gateway.journal import Run, read_run
from gateway.journal.manifest import Manifest, read_manifest
from gateway.journal.retention import plan_retention
from gateway.journal.segment import segment_numbers
from gateway.journal.snapshot_file import snapshot_seqs
from gateway.replica import Replica
from gateway.snapshots import start_of
from tests.gateway.gate_world import name_of
from tests.gateway.logview.kept_world import retain_nothing_old, trade, two_runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory of two runs with nothing deleted."""
    data = tmp_path_factory.mktemp("kept") / "data"
    two_runs(data)
    return data


@pytest.fixture
def kept(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of which only the end is kept."""
    data = tmp_path / "data"
    shutil.copytree(whole, data)
    retain_nothing_old(data)
    return data


def second(data: Path) -> Path:
    """Return the directory of the run of which a part is kept."""
    return max(path for path in data.iterdir() if (path / "manifest.json").exists())


def deleted_seq(data: Path) -> int:
    """Return the last record that was deleted."""
    manifest: Manifest = read_manifest(second(data))
    lowest = segment_numbers(second(data))[0]
    entry = manifest.sealed(lowest - 1)
    assert entry is not None
    return entry.last_seq


def invoke(*arguments: object) -> Result:
    """Run `ordergate` with these arguments."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    replay.register(app)
    return CliRunner().invoke(app, [*map(str, arguments)])


def lines(result: Result) -> list[dict[str, Any]]:
    """Return the objects that were printed, one a line."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_query_finds_what_is_kept(whole: Path, kept: Path) -> None:
    """The same records with the same names as before, the deleted ones named and no failure."""
    ask = ("log", "query", "--account", "alice", "--json", "--data")
    before, after = lines(invoke(*ask, whole)), lines(result := invoke(*ask, kept))
    first_kept = deleted_seq(kept) + 1
    assert after == [line for line in before if int(line["seq"]) >= first_kept]
    assert after
    assert len(before) > len(after)
    assert f"to {first_kept - 1} were deleted by retention (1h)" in result.stderr
    since = ("--from", after[0]["now_ns"])
    narrowed = invoke(*ask, kept, *since)
    assert lines(narrowed) == after
    assert "deleted" not in narrowed.stderr


def test_tail_shows_what_is_kept(kept: Path) -> None:
    """More lines than are kept are all that are kept."""
    seqs = [
        line["seq"] for line in lines(invoke("log", "tail", "-n", 9999, "--json", "--data", kept))
    ]
    assert seqs == list(range(deleted_seq(kept) + 1, seqs[-1] + 1))


def test_explain_begins_with_the_snapshot_that_is_left(whole: Path, kept: Path) -> None:
    """The first kept decision is explained as before; a deleted one is said to be deleted."""
    seq = deleted_seq(kept) + 1
    explain = ("log", "explain", seq, "--json", "--data")
    before = json.loads(invoke(*explain, whole).stdout)
    after = json.loads(invoke(*explain, kept).stdout)
    assert after == before
    assert after["agrees"]
    assert after["beginning"]["snapshot_seq"] == seq - 1
    for gone in (seq - 1, read_manifest(second(kept)).first_seq, 1):
        result = invoke("log", "explain", gone, "--data", kept)
        assert result.exit_code == 2
        assert "deleted by retention (1h)" in result.stderr
    decision = before["record"]["decision_id"]
    assert json.loads(invoke("log", "explain", decision, "--json", "--data", kept).stdout) == after


def test_decision_id_of_a_deleted_record(whole: Path, kept: Path) -> None:
    """An id whose record is gone is told to be of a deleted record, by explain and query."""
    ask = ("log", "query", "--decision", deleted_seq(kept), "--json", "--data", whole)
    (line,) = lines(invoke(*ask))
    explained = invoke("log", "explain", line["decision_id"], "--data", kept)
    assert explained.exit_code == 2
    assert "deleted by retention (1h)" in explained.stderr
    found = invoke("log", "query", "--decision", line["decision_id"], "--data", kept)
    assert "0 records" in found.stderr
    assert "deleted by retention (1h)" in found.stderr


def test_replay_of_what_is_kept(kept: Path) -> None:
    """What is kept is decided again from the snapshot on; runs of which nothing is are named."""
    result = invoke("replay", "--all", kept, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["snapshot_seq"] == deleted_seq(kept)
    assert report["difference"] is None
    assert report["records"] == len(list(read_run(second(kept), deleted_seq(kept) + 1)))
    assert "deleted by retention (1h)" in result.stderr
    assert invoke("replay", kept, "--rulebook", "bench").exit_code == 0


def test_export_of_what_is_kept(whole: Path, kept: Path, tmp_path: Path) -> None:
    """Orders placed in deleted records are told as the snapshot has them, with their decision."""
    rows = {}
    for name, data in (("before", whole), ("after", kept)):
        result = invoke("log", "export", "--data", data, "-o", tmp_path / name, "--format", "jsonl")
        assert result.exit_code == 0, result.output
        text = (tmp_path / name / "orders.jsonl").read_text().splitlines()[1:]
        rows[name] = {row["order_id"]: row for row in map(json.loads, text)}
    assert rows["after"]
    same = ("run", "seq", "decision_id", "account", "client_order_id", "price", "status", "filled")
    for order_id, row in rows["after"].items():
        assert {field: row[field] for field in same} == {
            field: rows["before"][order_id][field] for field in same
        }
    summary = json.loads((tmp_path / "after" / "export.json").read_text())
    assert len(summary["deleted"]) == 2
    assert not summary["problems"]


def test_decisions_of_orders_are_those_of_their_run(whole: Path, tmp_path: Path) -> None:
    """An order that ends or is still open in a later run has the id of the run that placed it."""
    result = invoke("log", "export", "--data", whole, "-o", tmp_path, "--format", "jsonl")
    assert result.exit_code == 0, result.output
    tables = {}
    for table in ("orders", "decisions"):
        text = (tmp_path / f"{table}.jsonl").read_text().splitlines()[1:]
        tables[table] = [json.loads(line) for line in text]
    decisions = {row["decision_id"]: (row["run"], row["seq"]) for row in tables["decisions"]}
    runs = set()
    for row in tables["orders"]:
        assert decisions[row["decision_id"]] == (row["run"], row["seq"])
        runs.add((row["run"], row["ended"] is None))
    assert len(runs) >= 3


def test_case_of_what_is_kept(kept: Path, tmp_path: Path) -> None:
    """A case file says what was deleted, and has each order with the record that ended it."""
    page = tmp_path / "case.html"
    result = invoke("log", "case", "alice", "--data", kept, "--json", "-o", page)
    assert result.exit_code == 0, result.output
    case = json.loads(result.stdout)
    assert len(case["deleted"]) == 2
    for text in case["deleted"]:
        assert text in page.read_text()
    filled = [order for order in case["orders"] if order["status"] == "FILLED"]
    assert filled
    for order in filled:
        last = next(e for e in case["entries"] if e["seq"] == order["records"][-1])
        assert last["time"] == order["ended"]
    assert name_of("bob") not in result.stdout


def test_damaged_snapshot_is_passed_over(whole: Path, tmp_path: Path) -> None:
    """With a damaged snapshot an earlier one is taken, and the answer says so."""
    data = tmp_path / "data"
    shutil.copytree(whole, data)
    seq, path = snapshot_seqs(second(data))[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    explain = ("log", "explain", seq + 1, "--json", "--data")
    before = json.loads(invoke(*explain, whole).stdout)
    after = json.loads(invoke(*explain, data).stdout)
    assert before["beginning"]["snapshot_seq"] == seq
    assert after["beginning"]["snapshot_seq"] < seq
    (told,) = after["beginning"]["unusable"]
    assert path.name in told
    assert after["rules"] == before["rules"]
    assert after["facts"] == before["facts"]


def test_retention_goes_on_after_a_part_was_deleted(kept: Path) -> None:
    """The run whose beginning is gone is known to have served, so older ones may go."""
    plan = plan_retention(kept, "1h", 2**62)
    assert [keep.because for keep in plan.kept] == ["the next start needs it"]
    trade(kept, 1)
    plan = plan_retention(kept, "1h", 2**62)
    assert [(removal.run, removal.whole) for removal in plan.removals] == [
        (read_manifest(sorted(kept.glob("2*"))[1]).run_id, True)
    ]


def test_state_before_what_is_kept(kept: Path) -> None:
    """A run whose beginning is gone begins with the earliest snapshot; a run without any does not."""
    run = Run(second(kept), read_manifest(second(kept)))
    start = start_of(run)
    assert start is not None
    assert start.seq == deleted_seq(kept)
    assert Replica.at_start(run).seq == start.seq
