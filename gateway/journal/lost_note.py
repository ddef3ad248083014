"""A note beside a run that its gate went on without any record.

When the record and its reserve are both lost, cancels still pass, unrecorded. The next start must
know: an engine process is compared with anyway, but an embedded engine is rebuilt from the record,
and would have the orders again whose cancels were confirmed.
"""

import contextlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from gateway.journal.durable import replace_durably

NOTE_NAME: Final = "unrecorded.json"


class LostNote(msgspec.Struct, frozen=True, kw_only=True):
    """From which record on nothing is recorded, and why."""

    after_seq: int
    fault: str


def note_paths(run_directory: Path, reserve_root: Path | None) -> tuple[Path, ...]:
    """Return where the note of a run may be."""
    paths = [run_directory / NOTE_NAME]
    if reserve_root is not None:
        paths.append(reserve_root / f"{run_directory.name}.{NOTE_NAME}")
    return tuple(paths)


def write_lost_note(path: Path, after_seq: int, fault: str) -> None:
    """Write the note; raises OSError."""
    replace_durably(path, msgspec.json.encode(LostNote(after_seq=after_seq, fault=fault)))


def leave_lost_note(paths: Iterable[Path], after_seq: int, fault: str) -> threading.Thread:
    """Leave the note wherever that works, without waiting for a disk that may not answer."""

    def leave() -> None:
        for path in places:
            with contextlib.suppress(OSError):
                write_lost_note(path, after_seq, fault)

    places = tuple(paths)
    thread = threading.Thread(target=leave, name="ordergate-lost-note", daemon=True)
    thread.start()
    return thread


def read_lost_note(paths: Iterable[Path]) -> LostNote | None:
    """Return the note of a run, None when its gate recorded everything it did.

    A note that can't be read counts as one: it says that there was something to say.
    """
    for path in paths:
        if not path.exists():
            continue
        try:
            return msgspec.json.decode(path.read_bytes(), type=LostNote)
        except (OSError, msgspec.MsgspecError) as error:
            return LostNote(after_seq=0, fault=f"{path} can't be read: {error}")
    return None
