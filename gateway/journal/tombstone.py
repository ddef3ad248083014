"""What is left of a segment that was deleted when its retention was over.

`tombstone.json` in the run's directory names every deleted segment with its digest and, if it had
one, its seal. It is written before anything is deleted, so a segment that is gone without being
named there is missing, not deleted. A segment that is named and still there is simply there.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from gateway.journal.durable import replace_durably
from gateway.journal.errors import JournalDeletedError, JournalUnreadableError
from gateway.journal.manifest import SealedSegment
from gateway.journal.segment import segment_numbers
from rules.values import NS_PER_SECOND

TOMBSTONE_NAME: Final = "tombstone.json"
TOMBSTONE_VERSION: Final = 1


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """Segments deleted together."""

    at_ns: int
    actor: str
    """Who asked for it."""
    retention: str
    """How long they had to be kept, such as `5y`."""
    segments: tuple[SealedSegment, ...]


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """Everything deleted of a run, in order."""

    format_version: int = TOMBSTONE_VERSION
    run_id: str
    deletions: tuple[Deletion, ...] = ()

    def deletion(self, number: int) -> tuple[Deletion, SealedSegment] | None:
        """Return the deletion of a segment and its entry, None when it was not deleted."""
        for deletion in self.deletions:
            for segment in deletion.segments:
                if segment.number == number:
                    return deletion, segment
        return None


def read_tombstone(directory: Path) -> Tombstone | None:
    """Return the tombstone of a run, None when nothing of it was deleted.

    Raises JournalUnreadableError.
    """
    path = directory / TOMBSTONE_NAME
    try:
        tombstone = msgspec.json.decode(path.read_bytes(), type=Tombstone)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalUnreadableError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JournalUnreadableError(f"{path}: not a tombstone: {error}") from None
    if tombstone.format_version > TOMBSTONE_VERSION:
        raise JournalUnreadableError(
            f"{path}: format version {tombstone.format_version}; this version reads up to "
            f"{TOMBSTONE_VERSION}"
        )
    return tombstone


def write_tombstone(directory: Path, tombstone: Tombstone) -> None:
    """Put a tombstone in place, on the disk when this returns; raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(tombstone), indent=2)
    replace_durably(directory / TOMBSTONE_NAME, text + b"\n")


def deleted_error(directory: Path, number: int) -> JournalDeletedError | None:
    """Return what to raise for a segment that was deleted, None when it was not.

    Raises JournalUnreadableError when the tombstone can't be read.
    """
    tombstone = read_tombstone(directory)
    found = tombstone.deletion(number) if tombstone is not None else None
    if found is None:
        return None
    return JournalDeletedError(f"{directory / found[1].file}: {deleted_text(*found)}")


def deleted_beginning(directory: Path) -> tuple[Deletion, SealedSegment] | None:
    """Return the last segment that is deleted from the beginning of a run, None when none is.

    Raises JournalUnreadableError when the tombstone can't be read.
    """
    numbers = segment_numbers(directory)
    if numbers and numbers[0] == 1:
        return None
    tombstone = read_tombstone(directory)
    if tombstone is None:
        return None
    listed = [segment.number for deletion in tombstone.deletions for segment in deletion.segments]
    before = numbers[0] - 1 if numbers else max(listed, default=0)
    return tombstone.deletion(before)


def deleted_text(deletion: Deletion, segment: SealedSegment) -> str:
    """Return what is said of a deleted segment."""
    day = datetime.fromtimestamp(deletion.at_ns // NS_PER_SECOND, UTC)
    return (
        f"records {segment.first_seq} to {segment.last_seq} were deleted by retention "
        f"({deletion.retention}) on {day:%Y-%m-%d}"
    )
