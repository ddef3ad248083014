"""A disk that does what a test says: full, short, failing to sync, or busy for as long as told."""

import errno
import threading
from pathlib import Path

from gateway.journal.disk import Bytes, RealDisk, SegmentFile


class FaultyDisk(RealDisk):
    """The file system, until a test lets something go wrong.

    While `open` is cleared every sync waits. `syncs` counts those of segments that began.
    """

    def __init__(self) -> None:
        self.full = False
        self.sync_error: OSError | None = None
        self.store_error: OSError | None = None
        self.stored_of_failed = 4
        """Bytes that a failing store leaves behind."""
        self.open = threading.Event()
        self.open.set()
        self.syncs = 0
        self.began = threading.Semaphore(0)
        self.log: list[str] = []
        """What was synced, by name, in order."""

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make a file, if there is room."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().make_zeros(path, size, synced)

    def open_segment(self, path: Path, synced: bool) -> SegmentFile:
        """Open a segment whose bytes and syncs this disk can spoil."""
        return _Segment(super().open_segment(path, synced), self)

    def sync_directory(self, path: Path) -> None:
        """Sync a directory, and note it."""
        self.log.append("directory")
        super().sync_directory(path)

    def replace_file(self, path: Path, content: bytes, synced: bool) -> None:
        """Replace a file, and note it."""
        self.log.append(path.name)
        super().replace_file(path, content, synced)

    def fail_sync(self) -> None:
        """Let every sync fail from now on."""
        self.sync_error = OSError(errno.EIO, "Input/output error")


class _Segment:
    """A segment on a faulty disk."""

    def __init__(self, real: SegmentFile, disk: FaultyDisk) -> None:
        self._real = real
        self._disk = disk
        self.path = real.path
        self.size = real.size
        self.map: Bytes = _Map(self._real.map, disk)

    def sync(self, length: int) -> None:
        """Sync, fail or wait."""
        disk = self._disk
        disk.syncs += 1
        disk.log.append(self.path.name)
        disk.began.release()
        disk.open.wait()
        if disk.sync_error is not None:
            raise disk.sync_error
        self._real.sync(length)

    def close(self, length: int | None) -> None:
        """Close."""
        self._real.close(length)


class _Map:
    """Bytes that can't always be stored."""

    def __init__(self, real: Bytes, disk: FaultyDisk) -> None:
        self._real = real
        self._disk = disk

    def __getitem__(self, where: slice) -> bytes:
        return self._real[where]

    def __setitem__(self, where: slice, content: bytes) -> None:
        if self._disk.store_error is None:
            self._real[where] = content
            return
        part = content[: self._disk.stored_of_failed]
        self._real[where.start : where.start + len(part)] = part
        raise self._disk.store_error
