"""Who may change a data directory beside the gate that writes it: one at a time, for each purpose."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.data_lock import DataLock, DataLockedError
from gateway.journal.errors import JournalError

HOLDS_LOCK: Final = "holds.lock"
"""Held while a hold is placed or lifted, and by whoever deletes, so that no hold comes too late."""
UPKEEP_LOCK: Final = "upkeep.lock"
"""Held while closed segments are signed, compressed, encrypted or deleted."""
_WAIT_SECONDS: Final = 0.1
_ATTEMPTS: Final = 50


@contextmanager
def locked(data: Path, name: str) -> Iterator[None]:
    """Hold one of the locks; waits a few seconds for whoever has it.

    Raises JournalError when it can't be had.
    """
    lock = None
    for _ in range(_ATTEMPTS):
        try:
            lock = DataLock(data, name)
            break
        except DataLockedError:
            time.sleep(_WAIT_SECONDS)
        except OSError as error:
            raise JournalError(f"cannot lock {data / name}: {error}") from error
    if lock is None:
        raise JournalError(f"another process holds {data / name}; try again when it is done")
    try:
        yield
    finally:
        lock.release()
