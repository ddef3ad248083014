"""The disk as the record's writer sees it: every operation that can fail, behind one door.

A simulation puts a faulty disk in its place: one that is full, writes short, fails to sync, stalls,
or loses at a crash what was not synced.
"""

import mmap
import os
from pathlib import Path
from typing import Final, Protocol

_ZEROS: Final = bytes(1 << 20)
_WRITE_BYTES_MAX: Final = 1 << 20
"""Bytes in one write: as much is copied at a time."""
_OPEN_FLAGS: Final = os.O_RDWR | os.O_CLOEXEC
_sync_data: Final = getattr(os, "fdatasync", os.fsync)
"""Where a system has no sync of the data alone, all is synced."""


class Bytes(Protocol):
    """The bytes of a segment, as many as the file has."""

    def __getitem__(self, where: slice, /) -> bytes:
        """Return some of them."""

    def __setitem__(self, where: slice, content: bytes, /) -> None:
        """Store some of them; they need not be on the disk before the next sync.

        May raise OSError, with any part of `content` stored.
        """


class SegmentFile(Protocol):
    """A segment open for writing."""

    @property
    def path(self) -> Path:
        """Where it is; a segment keeps the name it was opened by."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    @property
    def map(self) -> Bytes:
        """Its bytes."""

    def sync(self, length: int) -> None:
        """Return when the first `length` bytes are on the disk; raises OSError.

        After a failure nothing is known of what was stored, and a second attempt would not tell:
        the kernel forgets which pages it could not write. Called from a thread of its own.
        """

    def close(self, length: int | None) -> None:
        """Let go of the file, cut to `length` bytes unless that is None; raises OSError."""


class Disk(Protocol):
    """What the writer asks of the disk. Every method may raise OSError."""

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make `path` a file of `size` zero bytes that the disk really holds, on it if `synced`.

        Leaves no file behind when it raises.
        """

    def open_segment(self, path: Path, synced: bool) -> SegmentFile:
        """Open a file made by `make_zeros`; unless it will be `synced`, a store is with the kernel."""

    def rename(self, path: Path, new: Path) -> None:
        """Give a file another name; an older file of that name is replaced."""

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""

    def sync_directory(self, path: Path) -> None:
        """Return when the names in a directory are on the disk."""

    def replace_file(self, path: Path, content: bytes, synced: bool) -> None:
        """Put `content` in the place of a file's; a reader sees the old or the new, whole."""

    def free_bytes(self, directory: Path) -> int:
        """Return how much more there is room for where `directory` is."""


class MappedSegment:
    """A segment mapped into memory: what is stored there is with the kernel at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, _OPEN_FLAGS)
        try:
            self.size = os.fstat(self._descriptor).st_size
            self.map = mmap.mmap(self._descriptor, self.size)
        except (OSError, ValueError) as error:
            os.close(self._descriptor)
            raise OSError(f"cannot map {path}: {error}") from error

    def sync(self, length: int) -> None:
        """Return when everything stored before the call is on the disk; raises OSError."""
        self.map.flush()

    def close(self, length: int | None) -> None:
        """Unmap the file and cut it to the `length` bytes that are written; raises OSError."""
        self.map.close()
        _close(self._descriptor, length)


class WrittenSegment:
    """A segment kept in memory and written by each sync.

    Nothing that is stored can wait for the disk, which a mapped file makes it do while the disk is
    busy: only the thread that syncs waits. And a write into blocks that are there needs no entry
    in the file system's own journal, as a store into a map does, so a sync takes less than half.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # A bare descriptor: one that is given up after a failure is closed with the process.
        self._descriptor = os.open(path, _OPEN_FLAGS)
        self.size = os.fstat(self._descriptor).st_size
        # Memory of its own, which the system gives page by page as it is used.
        self.map = mmap.mmap(-1, self.size)
        self._written = 0

    def sync(self, length: int) -> None:
        """Write what is new among the first `length` bytes, and sync it; raises OSError.

        The length of the file never changes before the seal, so the data alone is synced.
        """
        while self._written < length:
            part = self.map[self._written : min(length, self._written + _WRITE_BYTES_MAX)]
            self._written += os.pwrite(self._descriptor, part, self._written)
        _sync_data(self._descriptor)

    def close(self, length: int | None) -> None:
        """Cut the file to the `length` bytes that are written, and close it; raises OSError."""
        self.map.close()
        _close(self._descriptor, length)


def _close(descriptor: int, length: int | None) -> None:
    try:
        if length is not None:
            os.ftruncate(descriptor, length)
    finally:
        os.close(descriptor)


class RealDisk:
    """The file system."""

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make `path` a file of `size` zero bytes that the disk really holds, on it if `synced`.

        Zeros are written, not seeked over: a hole would let a later write fail for want of space,
        and through a map that failure is a signal that ends the process. Synced ahead, they don't
        weigh on the first sync of a record.
        """
        try:
            with path.open("wb", buffering=0) as file:
                left = size
                while left:
                    left -= file.write(_ZEROS[:left])
                if synced:
                    os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def open_segment(self, path: Path, synced: bool) -> SegmentFile:
        """Open a file made by `make_zeros`."""
        return WrittenSegment(path) if synced else MappedSegment(path)

    def rename(self, path: Path, new: Path) -> None:
        """Give a file another name; an older file of that name is replaced."""
        path.replace(new)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:
        """Return when the names in a directory are on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace_file(self, path: Path, content: bytes, synced: bool) -> None:
        """Put `content` in the place of a file's; a reader sees the old or the new, whole."""
        new = path.with_name(f"{path.name}.new")
        with new.open("wb", buffering=0) as file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            if synced:
                os.fsync(file.fileno())
        new.replace(path)
        if synced:
            self.sync_directory(path.parent)

    def free_bytes(self, directory: Path) -> int:
        """Return what is free for this user on the file system of `directory`."""
        found = os.statvfs(directory)
        return found.f_bavail * found.f_frsize


REAL_DISK: Final = RealDisk()
