"""One gate to a data directory: two would each carry on from the same record."""

import sys
from pathlib import Path
from typing import IO, Final

LOCK_NAME: Final = "lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


class DataLockedError(RuntimeError):
    """Another gate runs on the data directory."""


class DataLock:
    """Holds a data directory from when it is made until `release`; the end of the process ends it.

    Raises DataLockedError when another process, or another gate of this one, holds it.
    """

    def __init__(self, data: Path, name: str = LOCK_NAME) -> None:
        """Take the lock, or the one called `name`: other work on the directory has its own."""
        self._file = (data / name).open("ab")
        try:
            _lock(self._file)
        except OSError:
            self._file.close()
            raise DataLockedError(
                f"another gate runs on {data}; stop it, or give another data directory"
            ) from None

    def release(self) -> None:
        """Let the next gate have it."""
        self._file.close()
