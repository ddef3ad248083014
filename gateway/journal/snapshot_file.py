"""Snapshot files: bytes that are whole or not there, with their digest before them.

A file is the eight bytes `ORDERGS1`, the SHA-256 of the content, and the content compressed with
zstandard. It is written under another name and renamed, so it is never seen half written.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

import zstandard

from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.errors import JournalCorruptError, JournalUnreadableError

START_SNAPSHOT: Final = "start.snapshot"
"""What a run that continues another begins with."""
_MAGIC: Final = b"ORDERGS1"
_HEAD_BYTES: Final = len(_MAGIC) + hashlib.sha256().digest_size
_LEVEL: Final = 1
"""Of compression: a snapshot must not keep a start waiting."""
_NAME: Final = re.compile(r"([0-9]{1,19})\.snapshot")


def snapshot_name(seq: int) -> str:
    """Return the file name of the snapshot after record `seq`."""
    return f"{seq:012d}.snapshot"


def snapshot_seqs(directory: Path) -> list[tuple[int, Path]]:
    """Return the snapshots in a run's directory with the record each follows, oldest first."""
    matches = ((_NAME.fullmatch(path.name), path) for path in directory.iterdir())
    return sorted((int(match[1]), path) for match, path in matches if match)


def packed(content: bytes) -> bytes:
    """Return the bytes of a snapshot file."""
    compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(content)
    return _MAGIC + hashlib.sha256(content).digest() + compressed


def write_snapshot_file(path: Path, content: bytes, disk: Disk = REAL_DISK) -> None:
    """Put a snapshot in its place, on the disk when this returns; raises OSError."""
    disk.replace_file(path, packed(content), synced=True)


def read_snapshot_file(path: Path) -> bytes:
    """Return the content of a snapshot.

    Raises JournalUnreadableError when there is no such file or it is of another format, and
    JournalCorruptError when it is damaged.
    """
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise JournalUnreadableError(f"{path}: {error.strerror}") from None
    if not stored.startswith(_MAGIC):
        raise JournalUnreadableError(f"{path}: not a snapshot of a format known here")
    digest = stored[len(_MAGIC) : _HEAD_BYTES]
    try:
        content = zstandard.ZstdDecompressor().decompress(stored[_HEAD_BYTES:])
    except zstandard.ZstdError as error:
        raise JournalCorruptError(path, _HEAD_BYTES, f"can't be unpacked: {error}") from None
    if hashlib.sha256(content).digest() != digest:
        raise JournalCorruptError(path, len(_MAGIC), "the digest does not fit the content")
    return content
