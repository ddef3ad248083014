"""Upkeep killed with -9 before any of its file operations loses nothing, and can be done again."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal import JournalDeletedError, Record, read_run
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE
from gateway.journal.holds import read_holds
from gateway.journal.manifest import run_directories
from gateway.journal.seal import read_public_key
from gateway.journal.verify import verify_run

from .crash_steps import KEY, WORK
from .keeping_world import make_data, seal_key

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def given_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the key to this process and to those it starts."""
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, KEY.key.hex())


def kill_at_every_step(tmp_path: Path, name: str, template: Path) -> list[Path]:
    """Do a piece of work killed at each of its steps; return the directories, the whole one last."""
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.gateway.journal.crash_steps", str(work), str(template), name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [work / str(step) for step in range(int(done.stdout) + 1)]


def records(data: Path) -> list[list[Record] | None]:
    """Return the records of each run, None for one that was deleted."""
    found: list[list[Record] | None] = []
    for run in run_directories(data):
        try:
            found.append(list(read_run(run)))
        except JournalDeletedError:
            found.append(None)
    return found


@pytest.mark.parametrize("name", ["compress", "encrypt", "sign", "close"])
def test_nothing_is_lost_when_killed(tmp_path: Path, name: str) -> None:
    """At every step all records are read and verified, and doing it again completes it."""
    template = tmp_path / "template"
    runs = make_data(template, (0, 1), killed=(0,), records=10)
    seal_key(template)
    if name == "close":
        with max(runs[0].glob("0*.seg")).open("r+b") as file:
            file.seek(-200, 2)
            file.write(b"torn")
    before = records(template)
    steps = kill_at_every_step(tmp_path, name, template)
    assert len(steps) > 10
    public = (read_public_key(template / "seal.pem.pub"),)
    files = sorted(path.relative_to(steps[-1]) for path in steps[-1].rglob("*.*"))
    for data in steps:
        assert records(data) == before, data
        for run in run_directories(data):
            assert verify_run(run, None, public).exit_code == 0, data
        WORK[name](data)
        assert records(data) == before, data
        assert sorted(path.relative_to(data) for path in data.rglob("*.*")) == files, data


def test_deletion_killed_at_any_step(tmp_path: Path) -> None:
    """A run is there, or partly or wholly deleted and said to be; what is kept is whole."""
    template = tmp_path / "template"
    runs = make_data(template, (0, 1, 2), killed=(1,), records=10)
    before = records(template)
    steps = kill_at_every_step(tmp_path, "retain", template)
    assert len(steps) > 10
    states = set()
    for data in steps:
        after = records(data)
        assert after[2] == before[2]
        assert all(run in (None, before[index]) for index, run in enumerate(after))
        states.add(tuple(run is None for run in after))
        assert [verify_run(run).exit_code for run in run_directories(data)] == [0, 0, 0]
        WORK["retain"](data)
        assert records(data) == [None, None, before[2]], data
        for run in runs[:2]:
            left = sorted(path.name for path in (data / run.name).iterdir())
            assert left == ["manifest.json", "tombstone.json"], data
    assert states == {(False, False, False), (True, False, False), (True, True, False)}


def test_hold_killed_at_any_step(tmp_path: Path) -> None:
    """A hold is placed or it is not; the file is never half written."""
    template = tmp_path / "template"
    make_data(template, (0,))
    WORK["hold"](template)
    counts = []
    for data in kill_at_every_step(tmp_path, "hold", template):
        counts.append(len(read_holds(data)))
        WORK["hold"](data)
        assert len(read_holds(data)) == counts[-1] + 1
    assert counts[0] == 1
    assert counts[-1] == 2
    assert counts == sorted(counts)
