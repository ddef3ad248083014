"""What is done beside the gate: in processes of low priority, one at a time, failures told."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.beside import Beside, Work, works_of
from gateway.config import RecordConfig
from gateway.journal import JournalKeyError
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE
from gateway.journal.upkeep import Upkeep, upkeep_command
from gateway.journal.verify import verify_run
from gateway.low_priority import NICENESS, low_priority_command
from gateway.snapshotter import EXIT_UNREADABLE, snapshot_command
from tests.gateway.journal.keeping_world import make_data, seal_key


def saying(text: str, code: int = 0) -> Work:
    """Return a work that says something and ends with an exit code."""
    program = f"import sys; sys.stderr.write({text!r}); sys.exit({code})"
    return Work("saying", [sys.executable, "-c", program], {1: "it went badly"})


async def done(beside: Beside) -> None:
    """Begin what there is to do and wait for its end."""
    beside.look()
    task = beside._task
    assert task is not None
    await task


def test_upkeep_is_done_beside(tmp_path: Path) -> None:
    """A closed segment has the record signed and compressed; one that was seen already does not."""
    data = tmp_path / "data"
    run = make_data(data, (0,))[0]
    key = seal_key(tmp_path)
    wanted = Upkeep(seal_key=str(tmp_path / "seal.pem"), compress=True, keep_plain=0)

    async def scenario() -> Beside:
        closed = [0]
        beside = Beside([Work("upkeep", upkeep_command(data, wanted), {})], lambda: closed[0])
        beside.look()
        assert list(run.glob("*.seg"))
        closed[0] = 1
        await done(beside)
        beside.look()
        await beside.stop()
        return beside

    beside = asyncio.run(scenario())
    assert (beside.faults, beside.last_fault) == ({"upkeep": 0}, "")
    assert not list(run.glob("*.seg"))
    result = verify_run(run, None, (key.public,), True)
    assert (result.exit_code, result.unsigned) == (0, [])


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (saying("all well"), ""),
        (saying("look here", 1), "saying: it went badly: look here"),
        (saying("", 7), "saying: exit code 7"),
        (Work("saying", ["/nowhere/at/all"], {}), "saying: can't be started: "),
        (
            Work("saying", snapshot_command(Path("/nowhere")), {}),
            "saying: exit code 2: no snapshot",
        ),
    ],
)
def test_what_ends_badly_is_told_and_counted(work: Work, fault: str) -> None:
    """By its exit code, what that means, and what the process said; the next work is done still."""

    async def scenario() -> Beside:
        closed = iter((0, 1))
        beside = Beside([work, saying("after it", 1)], lambda: next(closed))
        await done(beside)
        return beside

    beside = asyncio.run(scenario())
    assert beside.faults == {"saying": 1 + bool(fault)}
    assert beside.last_fault == "saying: it went badly: after it"
    alone = asyncio.run(_alone(work))
    assert alone.last_fault.startswith(fault)
    assert bool(alone.last_fault) == bool(fault)


async def _alone(work: Work) -> Beside:
    closed = iter((0, 1))
    beside = Beside([work], lambda: next(closed))
    await done(beside)
    return beside


def test_the_end_waits_for_nothing() -> None:
    """A process at work is ended, no further one is begun, and that is no fault."""
    endless = Work("endless", [sys.executable, "-c", "import time; time.sleep(3600)"], {})

    async def scenario() -> Beside:
        closed = iter((0, 1))
        beside = Beside([endless, saying("never", 1)], lambda: next(closed))
        beside.look()
        while beside._process is None:
            await asyncio.sleep(0)
        await beside.stop()
        return beside

    beside = asyncio.run(scenario())
    assert beside.faults == {"endless": 0, "saying": 0}


def test_nobody_waits_for_a_process_of_low_priority() -> None:
    """It is idle work where the system has that, and as nice as can be."""
    program = (
        "from gateway.low_priority import yield_to_all; import os; yield_to_all(); "
        "print(os.nice(0), os.sched_getscheduler(0))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    if sys.platform == "linux":
        assert said.stdout.split() == [str(NICENESS), str(os.SCHED_IDLE)]


def test_a_module_is_run_with_its_arguments(tmp_path: Path) -> None:
    """The command of low priority ends as the module does."""
    command = low_priority_command("gateway.snapshotter", str(tmp_path))
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == EXIT_UNREADABLE
    assert str(tmp_path / "manifest.json") in said.stderr


def test_what_would_fail_later_is_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that are not there and periods that are none are found before the first segment ends."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    seal_key(tmp_path)
    record = RecordConfig(seal_key=str(tmp_path / "seal.pem"), compress=True, retention="1d")
    assert [work.name for work in works_of(record, tmp_path)] == ["snapshot", "upkeep"]
    assert works_of(RecordConfig(snapshots=False), tmp_path) == []
    with pytest.raises(JournalKeyError):
        works_of(RecordConfig(seal_key=str(tmp_path / "none.pem")), tmp_path)
    with pytest.raises(JournalKeyError):
        works_of(RecordConfig(encrypt=True), tmp_path)
    with pytest.raises(ValueError, match="keep nothing"):
        works_of(RecordConfig(retention="0d"), tmp_path)
