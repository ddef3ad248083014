"""Legal holds: recorded for good, and a file that was changed holds everything."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.journal import JournalCorruptError, JournalError
from gateway.journal.holds import (
    HOLDS_NAME,
    TEXT_MAX,
    HoldEvent,
    active_holds,
    add_hold,
    read_holds,
    remove_hold,
)
from gateway.journal.locks import HOLDS_LOCK, locked


def hold(**fields: object) -> HoldEvent:
    """Return a hold that is wanted."""
    given = {"at_ns": 5, "actor": "counsel", "action": "add", "hold": "", "reason": "case 7"}
    return msgspec.convert(given | fields, HoldEvent)


def test_holds_are_placed_and_lifted(tmp_path: Path) -> None:
    """Everything that was said stays, and what is in force follows from it."""
    assert read_holds(tmp_path) == []
    first = add_hold(tmp_path, hold(run="r1"))
    second = add_hold(tmp_path, hold(owner="o", account="a", from_ns=3, to_ns=4))
    assert (first.hold, second.hold) == ("hold-1", "hold-2")
    lifted = remove_hold(tmp_path, "hold-1", "judge", "settled", 9)
    assert (lifted.at_ns, lifted.actor, lifted.reason, lifted.run) == (9, "judge", "settled", "r1")
    third = add_hold(tmp_path, hold(to_ns=1))
    assert third.hold == "hold-3", "an id is never given twice"
    events = read_holds(tmp_path)
    assert events == [first, second, lifted, third]
    assert active_holds(events) == [second, third]
    with pytest.raises(ValueError, match="hold-2, hold-3"):
        remove_hold(tmp_path, "hold-1", "judge", "again", 10)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"from_ns": 4, "to_ns": 4},
        {"run": "r", "reason": " "},
        {"run": "r", "actor": ""},
        {"run": "r", "reason": "two\nlines"},
        {"owner": "x" * (TEXT_MAX + 1)},
    ],
)
def test_hold_that_says_nothing_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    """A hold names what it holds, by whom and why."""
    with pytest.raises(ValueError):
        add_hold(tmp_path, hold(**fields))
    assert not (tmp_path / HOLDS_NAME).exists()


def test_any_change_shows(tmp_path: Path) -> None:
    """A line that was changed, taken out, put elsewhere or cut is corrupt, with its place."""
    for number in range(3):
        add_hold(tmp_path, hold(run=f"r{number}"))
    path = tmp_path / HOLDS_NAME
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    for changed in (
        lines[1:],
        [lines[0], lines[2]],
        [lines[1], lines[0], lines[2]],
        [lines[0].replace(b"r0", b"r9"), *lines[1:]],
        [*lines, b"{}\n"],
        [*lines[:2], lines[2][:-1]],
        [*lines, b"\n"],
    ):
        path.write_bytes(b"".join(changed))
        with pytest.raises(JournalCorruptError) as raised:
            read_holds(tmp_path)
        assert raised.value.path == path
        with pytest.raises(JournalCorruptError):
            add_hold(tmp_path, hold(run="r"))
        assert path.read_bytes() == b"".join(changed)
    for position in range(len(b"".join(lines[:2]))):
        damaged = bytearray(good)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(JournalError):
            read_holds(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_as_a_file_of_holds(tmp_path: Path, content: bytes) -> None:
    """Whatever the file holds, reading it answers with holds or with a JournalError."""
    (tmp_path / HOLDS_NAME).write_bytes(content)
    try:
        events = read_holds(tmp_path)
    except JournalError:
        return
    assert events == []


def test_holds_wait_for_whoever_deletes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hold is placed while something is deleted."""
    monkeypatch.setattr("gateway.journal.locks._ATTEMPTS", 2)
    with locked(tmp_path, HOLDS_LOCK), pytest.raises(JournalError, match="another process"):
        add_hold(tmp_path, hold(run="r"))
    assert add_hold(tmp_path, hold(run="r")).hold == "hold-1"
