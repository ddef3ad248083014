"""A gate whose record has as much room as a file says: `-m tests.attack.small_gate CONFIG ROOM`.

All else is `ordergate serve -c CONFIG`.
"""

import errno
import os
import sys
from pathlib import Path

import msgspec

from gateway.app import Gate
from gateway.commands.serving import ready_line, run_gate
from gateway.config_file import load_config
from gateway.journal.disk import RealDisk


class SmallDisk(RealDisk):
    """The file system, as if a directory were all of it, and had so many bytes."""

    def __init__(self, directory: Path, room: Path) -> None:
        self._directory = directory
        self._room = room

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make a file, if there is room."""
        if self.free_bytes(path.parent) < size:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().make_zeros(path, size, synced)

    def free_bytes(self, directory: Path) -> int:
        """Return the room that the files of the record leave."""
        used = 0
        for path in self._directory.rglob("*"):
            # A file may be renamed while this looks.
            try:
                used += path.stat().st_size
            except FileNotFoundError:
                continue
        return int(self._room.read_text()) - used


def set_room(room: Path, size: int) -> None:
    """Say how much room there is; a reader sees the old or the new figure, whole."""
    new = room.with_suffix(".new")
    new.write_text(str(size))
    new.replace(room)


def announce(gate: Gate) -> None:
    """Print where the gate is reached."""
    sys.stdout.write(msgspec.json.encode(ready_line(gate)).decode() + os.linesep)
    sys.stdout.flush()


if __name__ == "__main__":
    loaded = load_config(Path(sys.argv[1]))
    sys.exit(run_gate(loaded, announce, SmallDisk(loaded.record.data, Path(sys.argv[2]))))
