"""One gate to a data directory: two would each carry on from the same record."""

import sys
import time
from pathlib import Path
from typing import IO, Final

LOCK_NAME: Final = "lock"
_ATTEMPTS: Final = 5
_WAIT_SECONDS: Final = 0.02
"""Between attempts: whoever only asks whether a lock is held has it for a moment."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    _share = _lock
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)


class DataLockedError(RuntimeError):
    """Another gate runs on the data directory."""


class DataLock:
    """Holds a data directory from when it is made until `release`; the end of the process ends it.

    Raises DataLockedError when another process, or another gate of this one, holds it.
    """

    def __init__(self, data: Path, name: str = LOCK_NAME) -> None:
        """Take the lock, or the one called `name`: other work on the directory has its own."""
        self._file = (data / name).open("ab")
        for attempt in range(_ATTEMPTS):
            try:
                _lock(self._file)
                return
            except OSError:
                if attempt + 1 < _ATTEMPTS:
                    time.sleep(_WAIT_SECONDS)
        self._file.close()
        raise DataLockedError(
            f"another gate runs on {data}; stop it, or give another data directory"
        )

    def release(self) -> None:
        """Let the next gate have it."""
        self._file.close()


def is_locked(data: Path, name: str = LOCK_NAME) -> bool:
    """Tell whether somebody holds the lock of a data directory; True when that can't be asked."""
    try:
        file = (data / name).open("rb")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    with file:
        try:
            _share(file)
        except OSError:
            return True
    return False
