"""The process beside the gate: started on request, one at a time, and its failures are told."""

from pathlib import Path

import pytest

from gateway.journal import JournalKeyError
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE
from gateway.journal.upkeep import Upkeep
from gateway.journal.upkeep_process import UpkeepProcess, check_upkeep
from gateway.journal.verify import verify_run

from .keeping_world import make_data, seal_key

PATIENCE_SECONDS = 60.0


def test_upkeep_is_done_beside(tmp_path: Path) -> None:
    """A request compresses and signs in a process of its own; a second one is done after it."""
    data = tmp_path / "data"
    run = make_data(data, (0,))[0]
    key = seal_key(tmp_path)
    wanted = Upkeep(seal_key=str(tmp_path / "seal.pem"), compress=True, keep_plain=0)
    upkeep = UpkeepProcess(data, wanted)
    assert not upkeep.poll()
    upkeep.request()
    upkeep.request()
    assert upkeep.wait(PATIENCE_SECONDS)
    assert (upkeep.fault, upkeep.poll()) == ("", False)
    assert not list(run.glob("*.seg"))
    result = verify_run(run, None, (key.public,), True)
    assert (result.exit_code, result.unsigned) == (0, [])
    upkeep.close()


def test_failure_is_told_and_goes_away(tmp_path: Path) -> None:
    """What could not be done is the fault, until a later process has done it."""
    data = tmp_path / "data"
    run = make_data(data, (0,))[0]
    path = run / "000002.seg"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    upkeep = UpkeepProcess(data, Upkeep(compress=True, keep_plain=0))
    upkeep.request()
    assert upkeep.wait(PATIENCE_SECONDS)
    assert "000002.seg" in upkeep.fault
    assert [stored.name for stored in run.glob("*.seg")] == ["000002.seg"]
    path.write_bytes(content)
    upkeep.request()
    assert upkeep.wait(PATIENCE_SECONDS)
    assert upkeep.fault == ""
    assert not list(run.glob("*.seg"))


def test_process_that_is_not_done_is_ended(tmp_path: Path) -> None:
    """The end of the gate waits no longer than told for upkeep, and starts no further one."""
    data = tmp_path / "data"
    run = make_data(data, (0,))[0]
    upkeep = UpkeepProcess(data, Upkeep(compress=True, keep_plain=0))
    upkeep.request()
    upkeep.request()
    upkeep.close(0.0)
    assert not upkeep.poll()
    assert verify_run(run).exit_code == 0


def test_nothing_to_do_starts_nothing(tmp_path: Path) -> None:
    """Without anything configured there is no process."""
    upkeep = UpkeepProcess(tmp_path, Upkeep())
    upkeep.request()
    assert not upkeep.poll()


def test_what_would_fail_later_is_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that are not there and periods that are none are found before the first segment ends."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    seal_key(tmp_path)
    check_upkeep(Upkeep(seal_key=str(tmp_path / "seal.pem"), compress=True, retention="1d"))
    with pytest.raises(JournalKeyError):
        check_upkeep(Upkeep(seal_key=str(tmp_path / "none.pem")))
    with pytest.raises(JournalKeyError):
        check_upkeep(Upkeep(encrypt=True))
    with pytest.raises(ValueError, match="keep nothing"):
        check_upkeep(Upkeep(retention="0d"))
