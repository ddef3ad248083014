"""Segment files: made of zeros ahead of need, and named by number."""

import re
import threading
from pathlib import Path
from typing import Final

from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.errors import JournalFullError

SEGMENT_BYTES: Final = 64 << 20
"""Size of a segment unless told otherwise."""
PREPARED_NAME: Final = "prepared.seg"
"""The segment made ahead; it gets its number when it is taken."""
MAKE_SECONDS_MAX: Final = 2.0
"""How long an append waits for a segment that is still being made, before the disk counts as full."""

_STORED_NAME: Final = re.compile(r"([0-9]{6,})\.seg(?:\.zst(?:\.enc)?)?")
"""A segment as it is written, or as `archive` keeps a closed one."""


def segment_name(number: int) -> str:
    """Return the file name of segment `number`, counted from 1."""
    return f"{number:06d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """Return the numbers of the segments in a run's directory, in any form, in order."""
    found = (_STORED_NAME.fullmatch(entry.name) for entry in directory.iterdir())
    return sorted({int(match[1]) for match in found if match})


class SegmentSupply:
    """Gives out zero-filled segments and prepares the next one ahead in a thread.

    `synced` has the zeros on the disk before a segment is given out. Without `threaded` the next
    one is made at once, on the caller's time. `fault` says why the next segment could not be
    prepared: the present one still has room, but there will be no other.
    """

    def __init__(
        self,
        directory: Path,
        size: int,
        disk: Disk = REAL_DISK,
        *,
        synced: bool = False,
        threaded: bool = True,
    ) -> None:
        self._directory = directory
        self._size = size
        self._disk = disk
        self._synced = synced
        self._threaded = threaded
        self._prepared = directory / PREPARED_NAME
        self._thread: threading.Thread | None = None
        self._ready = False
        self.fault = ""

    def take(self, number: int, size_min: int) -> Path:
        """Return the path of segment `number`, zeros of at least `size_min` bytes.

        Waits `MAKE_SECONDS_MAX` for a preparation under way, and makes a segment on the spot when
        the prepared one failed or is too small. Raises JournalFullError when there is no room.
        """
        self._wait(MAKE_SECONDS_MAX)
        path = self._directory / segment_name(number)
        try:
            if self._thread is not None:
                raise OSError("the disk is still busy making it")
            if not self._ready or size_min > self._size:
                self._ready = False
                self._disk.make_zeros(self._prepared, max(self._size, size_min), self._synced)
            self._disk.rename(self._prepared, path)
        except OSError as error:
            self.fault = f"no room for a segment of {self._size} bytes: {error}"
            raise JournalFullError(self.fault) from error
        self._ready = False
        self.fault = ""
        return path

    def prepare(self) -> None:
        """Begin to make the next segment, in a thread of its own."""
        if not self._threaded:
            self._prepare()
            return
        self._wait()
        thread = threading.Thread(target=self._prepare, name="ordergate-segment", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.fault = f"cannot prepare a segment: {error}"
        else:
            self._thread = thread

    def wait(self) -> bool:
        """Wait for a preparation under way; tell whether a segment is ready."""
        self._wait()
        return self._ready

    def discard(self) -> None:
        """Remove what was prepared and not taken; raises OSError."""
        self._wait()
        self._ready = False
        self._disk.remove(self._prepared)

    def _prepare(self) -> None:
        try:
            self._disk.make_zeros(self._prepared, self._size, self._synced)
            self._ready = True
        except OSError as error:
            self.fault = f"no room for a segment of {self._size} bytes: {error}"

    def _wait(self, seconds: float | None = None) -> None:
        """Wait for the preparation under way; one that takes longer than `seconds` goes on."""
        if self._thread is not None:
            self._thread.join(seconds)
            if not self._thread.is_alive():
                self._thread = None
