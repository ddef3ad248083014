"""Segment files: made of zeros ahead of need, named by number, mapped for writing."""

import mmap
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.journal.errors import JournalFullError

SEGMENT_BYTES: Final = 64 << 20
"""Size of a segment unless told otherwise."""
PREPARED_NAME: Final = "prepared.seg"
"""The segment made ahead; it gets its number when it is taken."""

_ZEROS: Final = bytes(1 << 20)
_SEGMENT_NAME: Final = re.compile(r"([0-9]{6,})\.seg")


def segment_name(number: int) -> str:
    """Return the file name of segment `number`, counted from 1."""
    return f"{number:06d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """Return the numbers of the segments in a run's directory, in order."""
    found = (_SEGMENT_NAME.fullmatch(entry.name) for entry in directory.iterdir())
    return sorted(int(match[1]) for match in found if match)


def write_zeros(path: Path, size: int) -> None:
    """Make `path` a file of `size` zero bytes that the disk really holds.

    Zeros are written, not seeked over: a hole would let a later write fail for want of space,
    and through a map that failure is a signal that ends the process. Raises OSError, with no
    file left behind.
    """
    try:
        with path.open("wb", buffering=0) as file:
            left = size
            while left:
                left -= file.write(_ZEROS[:left])
    except OSError:
        path.unlink(missing_ok=True)
        raise


class SegmentSupply:
    """Gives out zero-filled segments and prepares the next one ahead in a thread.

    `make` writes the zeros; a test passes one that fails. `fault` says why the next segment could
    not be prepared: the present one still has room, but there will be no other.
    """

    def __init__(
        self, directory: Path, size: int, make: Callable[[Path, int], None] = write_zeros
    ) -> None:
        self._directory = directory
        self._size = size
        self._make = make
        self._prepared = directory / PREPARED_NAME
        self._thread: threading.Thread | None = None
        self._ready = False
        self.fault = ""

    def take(self, number: int, size_min: int) -> Path:
        """Return the path of segment `number`, zeros of at least `size_min` bytes.

        Waits for a preparation under way, and makes a segment on the spot when the prepared one
        failed or is too small. Raises JournalFullError when there is no room.
        """
        self._wait()
        path = self._directory / segment_name(number)
        try:
            if not self._ready or size_min > self._size:
                self._ready = False
                self._make(self._prepared, max(self._size, size_min))
            self._prepared.rename(path)
        except OSError as error:
            self.fault = f"no room for a segment of {self._size} bytes: {error}"
            raise JournalFullError(self.fault) from error
        self._ready = False
        self.fault = ""
        return path

    def prepare(self) -> None:
        """Begin to make the next segment, in a thread of its own."""
        self._wait()
        thread = threading.Thread(target=self._prepare, name="ordergate-segment", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.fault = f"cannot prepare a segment: {error}"
        else:
            self._thread = thread

    def discard(self) -> None:
        """Remove what was prepared and not taken."""
        self._wait()
        self._ready = False
        self._prepared.unlink(missing_ok=True)

    def _prepare(self) -> None:
        try:
            self._make(self._prepared, self._size)
            self._ready = True
        except OSError as error:
            self.fault = f"no room for a segment of {self._size} bytes: {error}"

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None


class MappedSegment:
    """A segment mapped for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("r+b", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size
        self.map = mmap.mmap(self._file.fileno(), self.size)

    def close(self, length: int) -> None:
        """Unmap the file and cut it to the `length` bytes that are written."""
        self.map.close()
        self._file.truncate(length)
        self._file.close()
