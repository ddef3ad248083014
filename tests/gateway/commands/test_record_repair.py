"""`ordergate record repair|quarantine`: runs with a reserve, runs whose manifest is gone."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import build
from gateway.data_lock import DataLock, is_locked
from gateway.journal import JournalWriter, read_run
from gateway.journal.life import life_of
from gateway.journal.manifest import (
    MANIFEST_NAME,
    Run,
    make_run_directory,
    new_manifest,
    read_manifest,
    run_directories,
)
from gateway.journal.repair import highest_quarantined_seq
from gateway.journal.reserve import reserve_root
from gateway.journal.seal import make_key_files
from gateway.journal.upkeep import archive, sign
from gateway.journal.verify import verify_run
from tests.gateway.journal.conftest import RULEBOOK, START_NS, abandon, sample
from tests.gateway.journal.keeping_world import make_data

OWN = 60
"""Records in the run's own journal."""
LAST = 90
"""Last record in the reserve."""


def invoke(*arguments: object) -> Result:
    """Run `ordergate` with these arguments."""
    return CliRunner().invoke(build(), [str(argument) for argument in arguments])


def written(directory: Path, first_seq: int, last_seq: int, size: int, run_id: str) -> Path:
    """Write records as a writer that was killed leaves them, the last append cut short."""
    writer = JournalWriter(
        directory, new_manifest(run_id, RULEBOOK, START_NS, size), first_seq=first_seq
    )
    for seq in range(first_seq, last_seq + 1):
        writer.append(*sample(seq))
    abandon(writer)
    last = max(path for path in directory.glob("0*.seg") if path.read_bytes().strip(b"\0"))
    with last.open("r+b") as file:
        file.seek(len(last.read_bytes().rstrip(b"\0")) + 8)
        file.write(b"half of a record")
    return directory


def make_lost(data: Path, first: int, size: int) -> tuple[Path, Path]:
    """Make a killed run that went on in its reserve from record `first` on; return both parts."""
    run = make_run_directory(data, START_NS)
    written(run, 1, OWN, size, run.name)
    reserve = reserve_root(data) / run.name
    reserve.mkdir(parents=True)
    return run, written(reserve, first, LAST, 1 << 16, run.name)


@pytest.mark.parametrize("size", [1 << 16, 1 << 10])
@pytest.mark.parametrize("first", [1, 2, 31, OWN - 1, OWN, OWN + 1])
def test_a_run_and_its_reserve_are_repaired(tmp_path: Path, size: int, first: int) -> None:
    """Both are closed; what the run's own journal holds beyond is cut with a copy kept."""
    data = tmp_path / "data"
    run, reserve = make_lost(data, first, size)
    before = list(read_run(run))
    assert [record.seq for record in before] == list(range(1, LAST + 1))
    held = b"".join(path.read_bytes().rstrip(b"\0") for path in sorted(run.glob("0*.seg")))
    result = invoke("record", "repair", "--data", data, "--json")
    assert result.exit_code == 0, result.output
    (done,) = json.loads(result.stdout)
    assert done["closed"]
    assert done["torn"]["bytes"]
    assert done["reserve"]["closed"] == ["000001.seg"]
    assert done["reserve"]["last_seq"] == LAST
    assert done["reserve"]["torn"]["bytes"] == len(b"half of a record") + 8
    for part in (run, reserve):
        manifest = read_manifest(part)
        files = sorted(path.name for path in part.glob("0*.seg"))
        assert files == [entry.file for entry in manifest.segments]
        assert manifest.status == "running"
    own = read_manifest(run).segments
    assert sum(entry.count for entry in own if entry.first_seq < first) >= first - 1
    if size == 1 << 16:
        assert own[-1].last_seq == first - 1
        kept = b"".join(path.read_bytes() for path in sorted(run.glob("*.torn-*")))
        assert held.endswith(kept)
    assert list(read_run(run)) == before
    key = make_key_files(tmp_path / "seal.pem")
    sign(data, key)
    assert verify_run(run, None, (key.public,), True).exit_code == 0
    assert archive(data, None, 0).problems == []
    assert list(read_run(run)) == before
    assert invoke("record", "repair", "--data", data).stdout == "nothing to repair\n"


def test_repair_says_what_it_did_to_the_reserve(tmp_path: Path) -> None:
    """The two parts of a run are told apart; one run by its id is one object."""
    run, reserve = make_lost(tmp_path / "data", 31, 1 << 16)
    text = invoke("record", "repair", run.name, "--data", tmp_path / "data").stdout
    assert f"run {run.name}: closed 000001.seg at record 30\n" in text
    assert f"reserve of run {run.name}: closed 000001.seg at record {LAST}\n" in text
    assert f"of {reserve / '000001.seg'}; a copy is in {reserve}" in text
    again = invoke("record", "repair", run.name, "--data", tmp_path / "data", "--json")
    assert json.loads(again.stdout)["reserve"]["closed"] == []


def test_damage_in_a_reserve_leaves_both_as_they_are(tmp_path: Path) -> None:
    """Nothing is cut or closed of a run whose reserve is damaged."""
    run, reserve = make_lost(tmp_path / "data", 31, 1 << 16)
    path = reserve / "000001.seg"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    before = (run / "000001.seg").read_bytes()
    result = invoke("record", "repair", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "(did not end well)" in result.stdout
    assert (run / "000001.seg").read_bytes() == before


# --- A manifest that is gone or destroyed ------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff" * 100, b'{"format_version": 1}'])
def test_a_run_without_its_manifest_is_set_aside(tmp_path: Path, content: bytes | None) -> None:
    """It can't be read (exit 2), is said what to do about, and its numbers are not used again."""
    first, second = make_data(tmp_path, (0, 1), killed=(1,))
    last_seq = max(record.seq for record in read_run(second))
    path = second / MANIFEST_NAME
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    result = invoke("log", "verify", "--data", tmp_path, "--all")
    assert result.exit_code == 2
    command = f"ordergate record quarantine {second.name} --data {tmp_path} --reason ..."
    assert command in result.stderr
    repaired = invoke("record", "repair", "--data", tmp_path)
    assert repaired.exit_code == 2
    assert command in repaired.stderr
    assert invoke("record", "repair", second.name, "--data", tmp_path).exit_code == 2
    done = invoke(
        "record", "quarantine", second.name, "--data", tmp_path, "--reason", "gone", "--json"
    )
    assert done.exit_code == 0, done.output
    assert run_directories(tmp_path) == [first]
    assert highest_quarantined_seq(tmp_path) == last_seq
    assert invoke("log", "verify", "--data", tmp_path, "--all").exit_code == 0


def test_numbers_of_compressed_segments_count_without_a_manifest(tmp_path: Path) -> None:
    """Closed segments are in an archive then, and only the manifest listed them."""
    (run,) = make_data(tmp_path, (0,))
    last_seq = max(record.seq for record in read_run(run))
    assert archive(tmp_path, None, 0).changed
    (run / MANIFEST_NAME).write_bytes(b"{")
    done = invoke("record", "quarantine", run.name, "--data", tmp_path, "--reason", "gone")
    assert done.exit_code == 0, done.output
    assert highest_quarantined_seq(tmp_path) == last_seq


def test_numbers_of_a_reserve_count_in_quarantine(tmp_path: Path) -> None:
    """Commands were sent with the numbers of the reserve, too."""
    run, _ = make_lost(tmp_path / "data", 31, 1 << 16)
    (run / MANIFEST_NAME).write_bytes(b"{")
    invoke("record", "quarantine", run.name, "--data", tmp_path / "data", "--reason", "gone")
    assert highest_quarantined_seq(tmp_path / "data") == LAST


def test_what_is_no_damage_is_not_set_aside(tmp_path: Path) -> None:
    """A later version's manifest and an empty directory are not the record's fault."""
    (run,) = make_data(tmp_path, (0,))
    manifest = json.loads((run / MANIFEST_NAME).read_text())
    manifest = {"format_version": manifest["format_version"] + 1, "run_id": 7}
    (run / MANIFEST_NAME).write_text(json.dumps(manifest))
    empty = tmp_path / "20990101T000000.000000000Z"
    empty.mkdir()
    for name in (run.name, empty.name):
        result = invoke("record", "quarantine", name, "--data", tmp_path, "--reason", "x")
        assert result.exit_code == 2
        assert run_directories(tmp_path) == [run, empty]
    verified = invoke("log", "verify", "--data", run)
    assert verified.exit_code == 2
    assert "this version reads up to" in verified.stderr
    assert "record quarantine" not in verified.stderr


def replayed(result: Result) -> list[Any]:
    """Return the runs that a replay has decided again."""
    reports = json.loads(result.stdout)
    return [report["run"] for report in (reports if isinstance(reports, list) else [reports])]


@pytest.mark.parametrize("more", [(), ("--all",), ("--rulebook", "bench")])
def test_replay_of_the_runs_that_can_be_read(tmp_path: Path, more: tuple[str, ...]) -> None:
    """One run without its manifest keeps no other from being replayed: it is named, exit 1."""
    first, second, third = make_data(tmp_path, (0, 1, 2), records=0)
    (second / MANIFEST_NAME).write_bytes(b"{")
    result = invoke("replay", tmp_path, "--json", *more)
    assert result.exit_code == 1, result.output
    assert f"incomplete: run {second.name} can't be read: {second / MANIFEST_NAME}" in result.stderr
    if more[:1] != ("--rulebook",):
        assert replayed(result) == [run.name for run in ((first, third) if more else (third,))]
    for run in (first, third):
        (run / MANIFEST_NAME).write_bytes(b"{")
    assert invoke("replay", tmp_path, *more).exit_code == 2
    assert invoke("replay", second, *more).exit_code == 2


# --- What became of a run ----------------------------------------------------------------------


def lives(data: Path) -> list[str]:
    """Return what became of each run, as `record status` and `log verify` agree on."""
    by_status = json.loads(invoke("record", "status", "--data", data, "--json").stdout)
    by_verify = json.loads(invoke("log", "verify", "--all", "--data", data, "--json").stdout)
    told = [line["life"] for line in by_status]
    assert told == [report["life"] for report in by_verify]
    text = invoke("log", "verify", "--all", "--data", data).stdout
    assert [f"({life}):" in line for life, line in zip(told, _runs_told(text), strict=True)]
    return told


def _runs_told(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("run ")]


def test_killed_runs_are_not_called_running(tmp_path: Path) -> None:
    """Only the newest run of a directory that a gate holds is running."""
    first, second, third = make_data(tmp_path, (0, 1, 2), killed=(1, 2))
    assert lives(tmp_path) == ["ended", "did not end well", "did not end well"]
    lock = DataLock(tmp_path)
    assert is_locked(tmp_path)
    assert lives(tmp_path) == ["ended", "did not end well", "running"]
    assert life_of(Run(first, read_manifest(first))) == "ended"
    lock.release()
    assert not is_locked(tmp_path)
    assert lives(tmp_path) == ["ended", "did not end well", "did not end well"]
    # Asking holds nobody up.
    DataLock(tmp_path).release()
    assert [run.name for run in (second, third)] == [r.name for r in run_directories(tmp_path)[1:]]


def test_a_reserve_is_as_alive_as_its_run(tmp_path: Path) -> None:
    """The status lists it beside its run."""
    make_lost(tmp_path / "data", 31, 1 << 16)
    lines = json.loads(invoke("record", "status", "--data", tmp_path / "data", "--json").stdout)
    assert [line["life"] for line in lines] == ["did not end well"] * 2
