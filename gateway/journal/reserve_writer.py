"""Making the reserve ahead, and beginning it when a run's own record is lost."""

from pathlib import Path
from typing import Final

import msgspec

from gateway.journal.commit import CallSoon, Commit, GroupCommit
from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.errors import JournalError, JournalFullError
from gateway.journal.manifest import MANIFEST_NAME, run_directories, write_manifest
from gateway.journal.reserve import is_unused
from gateway.journal.segment import SegmentSupply, segment_name
from gateway.journal.writer import JournalWriter

RESERVE_BYTES: Final = 256 << 20
"""Room of a reserve unless told otherwise."""


class ReserveJournal:
    """The reserve of one run.

    Its whole room, one segment, is made when this is, so that nothing has to be made when the
    disk has failed. `root` must be locked by the gate: the room of an earlier run that did not
    need its reserve is taken over. `call_soon` is what commits report through. Raises JournalError
    when it can't be made.
    """

    def __init__(
        self,
        root: Path,
        main: JournalWriter,
        size: int,
        call_soon: CallSoon,
        disk: Disk = REAL_DISK,
    ) -> None:
        self.directory = root / main.directory.name
        self.writer: JournalWriter | None = None
        self._main = main
        self._size = size
        self._call_soon = call_soon
        self._disk = disk
        self._commit: GroupCommit | None = None
        self._manifest = msgspec.structs.replace(
            main.manifest, segment_bytes=size, first_seq=0, reserve="", segments=[]
        )
        try:
            self._make(root)
        except OSError as error:
            raise JournalError(f"cannot make the reserve in {self.directory}: {error}") from error

    @property
    def roomy(self) -> bool:
        """Whether less than half of the room is used."""
        return self.writer is None or self.writer.place[1] * 2 < self._size

    def begin(self, first_seq: int) -> tuple[JournalWriter, Commit | None]:
        """Give up the run's own journal and begin with record `first_seq`.

        Nothing is waited for: the disk may not answer. Raises JournalError or OSError.
        """
        self._main.abandon()
        supply = _OneSegment(self.directory, self._size, self._disk)
        self.writer = JournalWriter(
            self.directory,
            self._manifest,
            supply,
            first_seq=first_seq,
            disk=self._disk,
            made_ahead=True,
        )
        if self.writer.synced_first:
            self._commit = GroupCommit(self.writer, self._call_soon)
        return self.writer, self._commit

    def close(self) -> None:
        """Seal the reserve where it was begun; what was not is left for the next run.

        Raises JournalError.
        """
        if self._commit is not None:
            self._commit.close()
        if self.writer is not None:
            self.writer.close()

    def _make(self, root: Path) -> None:
        disk, synced = self._disk, self._manifest.durability == "disk"
        self.directory.mkdir(parents=True, exist_ok=True)
        segment = self.directory / segment_name(1)
        for unused in _unused(root, self.directory):
            spare = unused / segment_name(1)
            if not segment.exists() and spare.is_file() and spare.stat().st_size == self._size:
                disk.rename(spare, segment)
            for left in unused.iterdir():
                disk.remove(left)
            unused.rmdir()
        if not segment.exists():
            disk.make_zeros(segment, self._size, synced)
        write_manifest(self.directory, self._manifest, disk, synced)
        if synced:
            disk.sync_directory(self.directory)
            disk.sync_directory(root)
            disk.sync_directory(root.absolute().parent)


class _OneSegment(SegmentSupply):
    """Gives out the one segment that was made ahead, and no other."""

    def take(self, number: int, size_min: int) -> Path:
        """Return the path of segment 1; raises JournalFullError for any other."""
        if number != 1:
            self.fault = f"the reserve of {self._size} bytes is full"
            raise JournalFullError(self.fault)
        return self._directory / segment_name(1)

    def prepare(self) -> None:
        """Make nothing: there is one segment."""

    def discard(self) -> None:
        """Remove nothing."""


def _unused(root: Path, own: Path) -> list[Path]:
    """Return the reserves of other runs that were never begun."""
    return [
        path
        for path in run_directories(root)
        if path != own and (path / MANIFEST_NAME).exists() and is_unused(path)
    ]
