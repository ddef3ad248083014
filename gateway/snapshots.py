"""Snapshots: everything later decisions depend on, after one record of a run.

A run that continues another begins with one (`start.snapshot`), so it can be replayed alone.
Others are made on the way by `gateway.snapshotter`, so that a start, and whoever looks for the
state at some record, need not begin at the beginning.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.errors import JournalDeletedError, JournalError, JournalUnreadableError
from gateway.journal.manifest import Run, SealedSegment
from gateway.journal.segment import segment_numbers
from gateway.journal.snapshot_file import (
    START_SNAPSHOT,
    read_snapshot_file,
    snapshot_name,
    snapshot_seqs,
    write_snapshot_file,
)
from gateway.journal.tombstone import Deletion, deleted_beginning, deleted_text
from rules.events import AnyEvent

SNAPSHOT_VERSION: Final = 1
"""Of the fields below; states of rules grow without it."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a gate after record `seq`; fields are only appended."""

    version: int = SNAPSHOT_VERSION
    run_id: str
    """The run the record is of."""
    seq: int
    now_ns: int
    """Time of that record."""
    rulebook_name: str
    rulebook_revision: str
    code_digest: str
    """Of the code that made it."""
    definitions: tuple[AnyEvent, ...]
    """The latest definition of every name, in the order in which they were first given."""
    pipeline: dict[str, Any]
    """What `Pipeline.state` returned."""
    exchange: dict[str, Any] | None = None
    """The embedded engine: its state, commands it has not got, reports nobody has got."""


_decode = msgspec.msgpack.Decoder(Snapshot, strict=True).decode
_encode = msgspec.msgpack.Encoder().encode


def encoded(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    return _encode(snapshot)


def decoded(content: bytes, where: str) -> Snapshot:
    """Return the snapshot in `content`; raises JournalUnreadableError naming `where` it is."""
    try:
        snapshot = _decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JournalUnreadableError(f"{where}: not a snapshot: {error}") from None
    if snapshot.version > SNAPSHOT_VERSION:
        raise JournalUnreadableError(
            f"{where}: snapshot version {snapshot.version}; this version reads up to "
            f"{SNAPSHOT_VERSION}"
        )
    return snapshot


def write_start(directory: Path, snapshot: Snapshot, disk: Disk = REAL_DISK) -> Snapshot:
    """Make a run's directory begin with `snapshot`; return it as it will be read again.

    Raises OSError.
    """
    content = encoded(snapshot)
    path = directory / START_SNAPSHOT
    write_snapshot_file(path, content, disk)
    return decoded(content, str(path))


def write_snapshot(directory: Path, snapshot: Snapshot) -> Path:
    """Put a snapshot into its run's directory; raises OSError."""
    path = directory / snapshot_name(snapshot.seq)
    write_snapshot_file(path, encoded(snapshot))
    return path


def read_snapshot(path: Path) -> Snapshot:
    """Return a snapshot; raises JournalError when it is damaged, of a later version or not there."""
    return decoded(read_snapshot_file(path), str(path))


def start_of(run: Run) -> Snapshot | None:
    """Return the state before the first record of a run, None when it begins with nothing.

    Where retention has deleted the run's beginning, it is the earliest snapshot after that. Raises
    JournalError, also when the run continues another and its snapshot is gone, and
    JournalDeletedError when nothing is left of the run.
    """
    deleted = deleted_beginning(run.path)
    if deleted is not None:
        return _earliest(run, *deleted)
    path = run.path / START_SNAPSHOT
    if not path.exists():
        if run.manifest.previous:
            raise JournalUnreadableError(
                f"{path}: is missing; the run continues {run.manifest.previous}"
            )
        return None
    return read_snapshot(path)


def _earliest(run: Run, deletion: Deletion, last: SealedSegment) -> Snapshot:
    """Return the earliest readable snapshot from which the records that were kept go on."""
    text = f"{run.path}: {deleted_text(deletion, last)}"
    if not segment_numbers(run.path):
        raise JournalDeletedError(text)
    problem = "no snapshot of what was before the rest is left"
    for at_seq, path in snapshot_seqs(run.path):
        if at_seq >= last.last_seq:
            try:
                return read_snapshot(path)
            except JournalError as error:
                problem = str(error)
    raise JournalUnreadableError(f"{text}; {problem}")


def nearest(run: Run, seq: int, unreadable: list[str] | None = None) -> Snapshot | None:
    """Return the latest readable snapshot of a run up to record `seq`, None when there is none.

    `unreadable` takes a line for each snapshot that could not be used. Raises JournalError when
    the run's own beginning can't be read, and JournalDeletedError when all that is kept of the run
    is after `seq`.
    """
    for at_seq, path in reversed(snapshot_seqs(run.path)):
        if at_seq <= seq:
            try:
                return read_snapshot(path)
            except JournalError as error:
                if unreadable is not None:
                    unreadable.append(str(error))
    start = start_of(run)
    if start is not None and start.seq >= run.manifest.first_seq and start.seq > seq:
        deleted = deleted_beginning(run.path)
        assert deleted is not None, "only then a run begins with a snapshot of itself"
        raise JournalDeletedError(f"{run.path}: {deleted_text(*deleted)}")
    return start
