"""Legal holds: what must not be deleted although its retention is over.

`holds.jsonl` in the data directory is only ever added to: a line for each hold placed and each one
lifted, by whom, when and why. Each line names the digest of the line before, so a line that was
changed or taken out shows. A file that can't be read in full holds everything.
"""

import hashlib
from pathlib import Path
from typing import Final, Literal

import msgspec

from gateway.journal.durable import replace_durably
from gateway.journal.errors import JournalCorruptError, JournalUnreadableError
from gateway.journal.locks import HOLDS_LOCK, locked

HOLDS_NAME: Final = "holds.jsonl"
TEXT_MAX: Final = 256
"""Longest text of a hold's field."""


class HoldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A hold was placed or lifted."""

    at_ns: int
    actor: str
    action: Literal["add", "remove"]
    hold: str
    """Its id, such as `hold-1`."""
    reason: str
    run: str = ""
    """Run id; empty: any."""
    from_ns: int = 0
    """Beginning of the time held, 0: any."""
    to_ns: int = 0
    """End of the time held, not included, 0: any."""
    owner: str = ""
    """Name of an owner; empty: any."""
    account: str = ""
    """Name of an account; empty: any."""
    previous: str = ""
    """SHA-256 in hex of the line before, empty in the first."""


def read_holds(data: Path) -> list[HoldEvent]:
    """Return everything that was ever said about holds in a data directory, in order.

    Raises JournalCorruptError with the place of the first line that is not what was written, and
    JournalUnreadableError.
    """
    return _parsed(data / HOLDS_NAME, _content(data))


def active_holds(events: list[HoldEvent]) -> list[HoldEvent]:
    """Return the holds that were placed and not lifted."""
    active: dict[str, HoldEvent] = {}
    for event in events:
        if event.action == "add":
            active[event.hold] = event
        else:
            active.pop(event.hold, None)
    return list(active.values())


def add_hold(data: Path, wanted: HoldEvent) -> HoldEvent:
    """Place a hold and return it with its id; it is in force when this returns.

    Raises ValueError when it says nothing or too much, JournalError and OSError.
    """
    if problem := _problem(wanted):
        raise ValueError(problem)
    with locked(data, HOLDS_LOCK):
        events = read_holds(data)
        number = sum(event.action == "add" for event in events) + 1
        event = msgspec.structs.replace(wanted, action="add", hold=f"hold-{number}")
        return _append(data, event)


def remove_hold(data: Path, hold: str, actor: str, reason: str, at_ns: int) -> HoldEvent:
    """Lift a hold and return what was recorded of it.

    Raises ValueError when it is not in force or a text is missing, JournalError and OSError.
    """
    with locked(data, HOLDS_LOCK):
        active = {event.hold: event for event in active_holds(read_holds(data))}
        if hold not in active:
            known = ", ".join(active) or "none"
            raise ValueError(f"`{hold}` is not a hold in force; in force: {known}")
        event = msgspec.structs.replace(
            active[hold], at_ns=at_ns, actor=actor, reason=reason, action="remove"
        )
        if problem := _problem(event):
            raise ValueError(problem)
        return _append(data, event)


def _append(data: Path, event: HoldEvent) -> HoldEvent:
    content = _content(data)
    last = content.removesuffix(b"\n").rpartition(b"\n")[2]
    previous = hashlib.sha256(last).hexdigest() if last else ""
    event = msgspec.structs.replace(event, previous=previous)
    # Replaced whole, so that a crash leaves no half of a line.
    replace_durably(data / HOLDS_NAME, content + msgspec.json.encode(event) + b"\n")
    return event


def _content(data: Path) -> bytes:
    try:
        return (data / HOLDS_NAME).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise JournalUnreadableError(f"{data / HOLDS_NAME}: {error.strerror}") from None


def _parsed(path: Path, content: bytes) -> list[HoldEvent]:
    events = []
    offset, previous = 0, ""
    for line in content.split(b"\n")[:-1]:
        try:
            event = msgspec.json.decode(line, type=HoldEvent)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise JournalCorruptError(path, offset, f"not an event of a hold: {error}") from None
        if event.previous != previous:
            raise JournalCorruptError(
                path, offset, "the line before is not the one that was there when this was written"
            )
        events.append(event)
        previous = hashlib.sha256(line).hexdigest()
        offset += len(line) + 1
    if offset != len(content):
        raise JournalCorruptError(path, offset, "the last line has no end")
    return events


def _problem(event: HoldEvent) -> str:
    """Return what is missing or wrong in a hold, empty when nothing is."""
    if not (event.run or event.from_ns or event.to_ns or event.owner or event.account):
        return "a hold names a run, a time, an owner or an account"
    if event.to_ns and event.from_ns >= event.to_ns:
        return "the time of a hold ends before it begins"
    for name in ("actor", "reason"):
        if not getattr(event, name).strip():
            return f"a hold needs its {name}"
    for name in ("actor", "reason", "run", "owner", "account"):
        text: str = getattr(event, name)
        if len(text) > TEXT_MAX or not text.isprintable():
            return f"the {name} of a hold has at most {TEXT_MAX} printable characters"
    return ""
