"""Changing files so that a crash at any moment leaves the old state or the new one, whole.

Used by everything that works on a record beside its writer: compression, encryption, retention,
seals, holds, repair. Each step is on the disk before the next one begins.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

NEW_SUFFIX: Final = ".new"
"""Ends the name of a file that is being made; what a crash leaves of one is never read."""


def write_new(path: Path, parts: Iterable[bytes], mode: int = 0o644) -> Path:
    """Write `parts` to a file beside `path`, on the disk when this returns; return that file.

    Raises OSError, with nothing left behind.
    """
    new = path.with_name(path.name + NEW_SUFFIX)
    new.unlink(missing_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
    except Exception:
        new.unlink(missing_ok=True)
        raise
    return new


def put_in_place(new: Path, path: Path) -> None:
    """Give a file made by `write_new` its name, for good; raises OSError."""
    new.replace(path)
    sync_directory(path.parent)


def replace_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put `content` in the place of a file's, or make the file; raises OSError."""
    put_in_place(write_new(path, (content,), mode), path)


def remove_durably(path: Path) -> None:
    """Remove a file, if it is there, for good; raises OSError."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Return when the names in a directory are on the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
