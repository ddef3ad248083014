"""A disk that fails: full, short writes, failing and stalling syncs, and what a crash loses.

The files are real, so that readers can read them. Beside them stands what the disk has confirmed:
the bytes of each file at its last sync, and the names in each directory. A loss of power keeps
that, and of what was under way any part, block by block and name by name. A killed process leaves
what the kernel has.
"""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from gateway.journal.disk import RealDisk, SegmentFile

BLOCK_BYTES: Final = 512


class FaultySegment:
    """A segment of a faulty disk: the product's own, behind a sync that can fail."""

    def __init__(self, disk: "FaultyDisk", segment: SegmentFile) -> None:
        self._disk = disk
        self._segment = segment
        self._synced = 0
        self.path = segment.path
        self.size = segment.size
        self.map = segment.map

    def sync(self, length: int) -> None:
        """Bring the first `length` bytes to the disk, or fail with any part of them there."""
        if self._disk.sync_fails():
            self._disk.write_part(self.path, self._synced, self.map[self._synced : length])
            raise OSError(errno.EIO, "input/output error", str(self.path))
        try:
            self._disk.point()
        except BaseException:
            # It dies in the middle of the write.
            self._disk.leave_part(self.path, self._synced, self.map[self._synced : length])
            raise
        self._segment.sync(length)
        self._synced = length
        self._disk.confirm(self.path)
        self._disk.point()

    def close(self, length: int | None) -> None:
        """Let go of the file."""
        self._disk.fail_if_broken()
        self._disk.point()
        self._disk.opened.remove(self)
        self._segment.close(length)

    def die(self) -> None:
        """End with the process that had the file open."""
        self._segment.close(None)


class FaultyDisk(RealDisk):
    """A disk below a folder. `random` draws what a fault leaves; `faults` counts those met.

    `point` is called at every operation, and raises to have the process die there.
    """

    def __init__(self, point: Callable[[], None]) -> None:
        self.point = point
        self.random = Random(0)
        self.full = False
        self.broken = False
        """Nothing but stores into open segments works."""
        self.failing_syncs = 0
        self.short_writes = 0
        """Syncs that write the beginning of what they should, and fail."""
        self.faults = 0
        self.opened: list[FaultySegment] = []
        self._confirmed: dict[Path, bytes] = {}
        self._names: dict[Path, frozenset[str]] = {}

    # --- The protocol -------------------------------------------------------------------------

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make a file of zeros, unless the disk is full."""
        self.fail_if_broken()
        self.point()
        if self.full:
            self.faults += 1
            raise OSError(errno.ENOSPC, "no space left on device", str(path))
        super().make_zeros(path, size, False)
        self._confirmed[path] = bytes(size) if synced else b""
        self.point()

    def open_segment(self, path: Path, synced: bool) -> SegmentFile:
        """Open a file."""
        self.fail_if_broken()
        segment = FaultySegment(self, super().open_segment(path, synced))
        self.opened.append(segment)
        return segment

    def rename(self, path: Path, new: Path) -> None:
        """Give a file another name."""
        self.fail_if_broken()
        self.point()
        super().rename(path, new)
        self._confirmed[new] = self._confirmed.pop(path, b"")
        self.point()

    def remove(self, path: Path) -> None:
        """Remove a file."""
        self.fail_if_broken()
        self.point()
        super().remove(path)
        self._confirmed.pop(path, None)

    def sync_directory(self, path: Path) -> None:
        """Confirm the names in a directory."""
        self.fail_if_broken()
        self.point()
        self._names[path] = frozenset(each.name for each in path.iterdir())
        self.point()

    def replace_file(self, path: Path, content: bytes, synced: bool) -> None:
        """Put `content` in the place of a file's."""
        self.fail_if_broken()
        if self.full:
            self.faults += 1
            raise OSError(errno.ENOSPC, "no space left on device", str(path))
        self.point()
        super().replace_file(path, content, False)
        if synced:
            self._confirmed[path] = content
            self._names[path.parent] = self._names.get(path.parent, frozenset()) | {path.name}
        self.point()

    def fail_if_broken(self) -> None:
        """Raise when nothing works any more."""
        if self.broken:
            self.faults += 1
            raise OSError(errno.EIO, "the disk is broken")

    def mend(self) -> None:
        """Work again."""
        self.full = self.broken = False
        self.failing_syncs = self.short_writes = 0

    # --- Syncing ------------------------------------------------------------------------------

    def sync_fails(self) -> bool:
        """Tell whether the sync that is asked for fails."""
        fails = self.broken or self.failing_syncs > 0 or self.short_writes > 0
        self.faults += fails
        self.failing_syncs = max(0, self.failing_syncs - 1)
        return fails

    def write_part(self, path: Path, offset: int, content: bytes) -> None:
        """Leave any part of `content` in a file, for good: of a short write its beginning."""
        if self.short_writes:
            self.short_writes -= 1
            left = content[: self.random.randrange(len(content) + 1)]
        else:
            there = path.read_bytes()[offset : offset + len(content)]
            left = self._torn(there, content)
        _write(path, offset, left)
        self.confirm(path)

    def leave_part(self, path: Path, offset: int, content: bytes) -> None:
        """Leave the beginning of `content` with the kernel, and what the disk has of it open."""
        _write(path, offset, content[: self.random.randrange(len(content) + 1)])

    def confirm(self, path: Path) -> None:
        """Take a file as it is now for what a crash would leave."""
        self._confirmed[path] = path.read_bytes()

    def confirmed(self, path: Path, offset: int, count: int) -> bytes:
        """Return bytes of a file that would be there after a crash of the machine."""
        if path.name not in self._names.get(path.parent, ()):
            return b""
        return self._confirmed.get(path, b"")[offset : offset + count]

    # --- A crash ------------------------------------------------------------------------------

    def die(self) -> None:
        """End every open file with the process."""
        while self.opened:
            self.opened.pop().die()

    def crash(self, data: Path) -> None:
        """Leave in the runs below `data` what a loss of power could leave."""
        for directory in sorted(path for path in data.iterdir() if path.is_dir()):
            known = self._names.get(data, frozenset())
            if directory.name not in known and self.random.random() < 0.5:
                shutil.rmtree(directory)
                continue
            names = self._names.get(directory, frozenset())
            for path in sorted(directory.iterdir()):
                if path.name not in names and self.random.random() < 0.5:
                    path.unlink()
                elif path.suffix == ".seg":
                    there = path.read_bytes()
                    path.write_bytes(self._torn(self._confirmed.get(path, b""), there))

    def settle(self, data: Path) -> None:
        """Take the runs below `data` for confirmed as they are: a start has looked at them."""
        if not data.is_dir():
            return
        for directory in [data, *(path for path in data.iterdir() if path.is_dir())]:
            self._names[directory] = frozenset(each.name for each in directory.iterdir())
            for path in directory.glob("*.seg"):
                self.confirm(path)

    def _torn(self, confirmed: bytes, content: bytes) -> bytes:
        """Return the newer content with any blocks still as they were confirmed."""
        size = max(len(confirmed), len(content))
        if len(content) != len(confirmed):
            confirmed, content = confirmed.ljust(size, b"\0"), content.ljust(size, b"\0")
        if content == confirmed:
            return content
        keeps = self.random.random()
        left = bytearray(content)
        for begin in range(0, size, BLOCK_BYTES):
            block = slice(begin, begin + BLOCK_BYTES)
            if content[block] != confirmed[block] and self.random.random() < keeps:
                left[block] = confirmed[block]
        return bytes(left)


def _write(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
