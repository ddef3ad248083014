"""The journal of reads: who asked what of a record on which no gate was running.

`reads.jsonl` in the data directory has one JSON object a line: `n` counts from 1, `time_ns` is the
system's time, `actor` and `query` say who asked what, `previous` is the digest of the line before
(empty in the first) and `digest` the SHA-256 in hex of the line with an empty `digest`. So a line
that was changed, taken out or put in shows; that the last lines were cut off does not. What a
command that was killed left of a line is cut by the next one, and kept in `reads.jsonl.torn-<byte>`.
"""

import errno
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from gateway.journal.durable import put_in_place, write_new
from gateway.logview.query import Query, search
from gateway.logview.sources import Source
from rules.events import RecordRead

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)


READS_NAME: Final = "reads.jsonl"
_TAIL_BYTES: Final = 65_536
"""More than a line can have."""


class Read(msgspec.Struct, frozen=True):
    """One line of the journal of reads."""

    n: int
    time_ns: int
    actor: str
    query: str
    previous: str
    digest: str


class ReadLine(NamedTuple):
    """One read, from the record of a run or from the journal of reads."""

    time_ns: int
    actor: str
    query: str
    where: str
    """The record's number in its run, or the line of the journal."""


class ReadsError(Exception):
    """The journal of reads can't be written, or is not as it was written."""


def append_read(data: Path, time_ns: int, actor: str, query: str) -> Read:
    """Add a line to the journal of reads of a data directory and have it on the disk.

    Raises ReadsError when it can't be written; the record is not to be read then.
    """
    path = data / READS_NAME
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            # Two readers at once must not follow the same line.
            _lock(file)
            size = _cut_torn(path, file)
            before = _last(path, size)
            n = before.n + 1 if before is not None else 1
            previous = before.digest if before is not None else ""
            line = _sealed(Read(n, time_ns, actor, query, previous, ""))
            _append(file, size, msgspec.json.encode(line) + b"\n")
    except OSError as error:
        raise ReadsError(
            f"{path}: {error.strerror}; who reads the record is itself recorded, so it must be "
            "possible to write there: read a copy that you may write to"
        ) from None
    return line


def read_lines(data: Path) -> Iterator[Read]:
    """Yield the journal's lines; raises ReadsError at the first that is not as it was written."""
    path = data / READS_NAME
    previous, n = "", 0
    try:
        with path.open("rb") as file:
            for text in file:
                n += 1
                if not text.endswith(b"\n"):
                    # Being written, or cut short with its command: nothing was read for it.
                    return
                line = _decoded(path, n, text)
                if (line.n, line.previous) != (n, previous) or _sealed(line).digest != line.digest:
                    raise ReadsError(f"{path}, line {n}: was changed, or a line before it is gone")
                previous = line.digest
                yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise ReadsError(f"{path}: {error.strerror}") from None


def all_reads(source: Source) -> list[ReadLine]:
    """Return every recorded read of a data directory, by time: those in the record, those beside.

    Raises ReadsError.
    """
    found = []
    for record, _, _, run in search(source, Query(event="record_read")):
        event = record.event
        assert isinstance(event, RecordRead)
        where = f"{run.manifest.run_id} record {record.seq}"
        found.append(ReadLine(record.now_ns, event.actor, event.query, where))
    found += [
        ReadLine(line.time_ns, line.actor, line.query, f"{READS_NAME} line {line.n}")
        for line in read_lines(source.data)
    ]
    return sorted(found)


def _append(file: IO[bytes], size: int, line: bytes) -> None:
    """Write a line at the end and have it on the disk; raises OSError with nothing of it left."""
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            os.ftruncate(file.fileno(), size)
        raise


def _cut_torn(path: Path, file: IO[bytes]) -> int:
    """Cut what a reader that was killed left of a line, keeping a copy; return the size then.

    Nothing was read for that line: a command begins to read when its line is on the disk.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _TAIL_BYTES)
    text = _tail(path, start)
    if not text or text.endswith(b"\n"):
        return size
    end = start + text.rfind(b"\n") + 1
    torn = text[end - start :]
    if end == start > 0:
        raise ReadsError(f"{path}: its last line is no line; move the file away, and keep it")
    aside = path.with_name(f"{path.name}.torn-{end}")
    put_in_place(write_new(aside, (torn,), 0o600), aside)
    os.ftruncate(file.fileno(), end)
    return end


def _tail(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read()


def _last(path: Path, size: int) -> Read | None:
    """Return the last line of the journal, None when it has none; it ends with a whole one."""
    if not size:
        return None
    text = _tail(path, max(0, size - _TAIL_BYTES))
    last = text.rstrip(b"\n").rpartition(b"\n")[2]
    return _decoded(path, 0, last)


def _decoded(path: Path, n: int, text: bytes) -> Read:
    try:
        return msgspec.json.decode(text, type=Read)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ReadsError(f"{path}, line {n or 'last'}: is none of the journal of reads") from None


def _sealed(line: Read) -> Read:
    """Return a line with its digest."""
    bare = msgspec.json.encode(msgspec.structs.replace(line, digest=""))
    return msgspec.structs.replace(line, digest=hashlib.sha256(bare).hexdigest())
