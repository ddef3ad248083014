"""What is before and after damage is read, and what is not is named."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import log
from gateway.journal import JournalCorruptError, Run, read_run
from gateway.journal.repair import quarantine_run
from gateway.journal.seal import make_key_files
from gateway.journal.snapshot_file import START_SNAPSHOT, snapshot_seqs
from gateway.journal.upkeep import sign
from gateway.journal.verify import verify_run
from gateway.logview.reads import READS_NAME
from tests.gateway.logview.kept_world import two_runs


def invoke(*arguments: object) -> Result:
    """Run `ordergate log` with these arguments."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


def flip(path: Path) -> None:
    """Damage the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def damaged(tmp_path: Path) -> tuple[Path, Run, dict[int, Any]]:
    """Return a data directory whose second run has a damaged segment, and what was in it."""
    data = tmp_path / "data"
    _, run = two_runs(data)
    lines = invoke("query", "--data", data, "--account", "alice", "--json").stdout.splitlines()
    flip(run.path / run.manifest.segments[1].file)
    return data, run, {int(line["seq"]): line for line in map(json.loads, lines)}


def test_query_goes_on_after_damage(damaged: tuple[Path, Run, dict[int, Any]]) -> None:
    """Records before the damage and after the next snapshot are found, with their names."""
    data, run, before = damaged
    result = invoke("query", "--data", data, "--account", "alice", "--json")
    assert result.exit_code == 1
    found = {int(line["seq"]): line for line in map(json.loads, result.stdout.splitlines())}
    onward = snapshot_seqs(run.path)[0][0] + 1
    entry = run.manifest.segments[1]
    assert f"{entry.file} at byte" in result.stderr
    assert f"it is read on from record {onward}" in result.stderr
    lost = before.keys() - found.keys()
    assert lost
    assert min(lost) >= entry.first_seq
    assert max(lost) < onward
    assert all(before[seq] == line for seq, line in found.items())


@pytest.mark.parametrize("wanted", [0, 1, 5])
@pytest.mark.parametrize("follow", [False, True])
def test_tail_tells_what_is_before_damage(tmp_path: Path, wanted: int, follow: bool) -> None:
    """The last records before the damage are shown, then where it is, and the exit code is 1."""
    first, second = two_runs(tmp_path / "data")
    for run in (first, second):
        entry = run.manifest.segments[-1]
        path = run.path / entry.file
        flip(path)
        seqs = readable(run.path)
        options = ("--data", run.path, "-n", wanted, "--json", *(("-f",) if follow else ()))
        result = invoke("tail", *options)
        assert result.exit_code == 1, result.output
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert [int(line["seq"]) for line in lines] == seqs[len(seqs) - wanted :]
        assert f"ordergate: incomplete: {path} at byte" in result.stderr


def readable(run: Path) -> list[int]:
    """Return the numbers of the records before the damage."""
    seqs = []
    try:
        for record in read_run(run):
            seqs.append(record.seq)  # noqa: PERF401 (what came before the error counts)
    except JournalCorruptError:
        return seqs
    pytest.fail("the run is not damaged")


def test_export_and_case_go_on_after_damage(
    damaged: tuple[Path, Run, dict[int, Any]], tmp_path: Path
) -> None:
    """Both have what can be read, each order once, and say what is missing."""
    data, run, before = damaged
    result = invoke("export", "--data", data, "-o", tmp_path / "out", "--format", "jsonl")
    assert result.exit_code == 1
    (problem,) = json.loads((tmp_path / "out" / "export.json").read_text())["problems"]
    assert "it is read on from record" in problem
    text = (tmp_path / "out" / "orders.jsonl").read_text().splitlines()[1:]
    order_ids = [json.loads(line)["order_id"] for line in text]
    assert len(order_ids) == len(set(order_ids))
    result = invoke("case", "alice", "--data", data, "--json")
    assert result.exit_code == 1
    case = json.loads(result.stdout)
    assert [entry["run"] for entry in case["runs"]].count(run.manifest.run_id) == 1
    assert case["problems"] == [problem]
    assert case["entries"][-1]["seq"] == max(before)


def test_a_damaged_beginning_is_passed_over(tmp_path: Path) -> None:
    """Without the snapshot a run begins with, it is read from the next one."""
    data = tmp_path / "data"
    _, run = two_runs(data)
    flip(run.path / START_SNAPSHOT)
    first = snapshot_seqs(run.path)[0][0] + 1
    result = invoke("query", "--data", data, "--run", run.manifest.run_id, "--json")
    assert result.exit_code == 1
    seqs = [json.loads(line)["seq"] for line in result.stdout.splitlines()]
    assert seqs == [record.seq for record in read_run(run.path, first)]
    assert START_SNAPSHOT in result.stderr


def test_damage_is_told_of_the_damaged_segment_only(tmp_path: Path) -> None:
    """The signature of the segment after a damaged one is not blamed."""
    data = tmp_path / "data"
    _, run = two_runs(data)
    key = make_key_files(tmp_path / "seal.pem")
    sign(data, key)
    path = run.path / run.manifest.segments[1].file
    flip(path)
    assert {finding.file for finding in verify_run(run.path, None, (key.public,)).findings} == {
        str(path)
    }


def test_a_run_in_quarantine_is_read(damaged: tuple[Path, Run, dict[int, Any]]) -> None:
    """What can be read of it has its decision ids, and reading it is recorded where it came from."""
    data, run, before = damaged
    moved = quarantine_run(run.path, verify_run(run.path), "operator", "damage", 1)
    result = invoke("query", "--data", moved, "--account", "alice", "--json")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines
    assert all(before[line["seq"]]["decision_id"] == line["decision_id"] for line in lines)
    assert READS_NAME in {path.name for path in data.iterdir()}
    assert not (moved.parent / READS_NAME).exists()
