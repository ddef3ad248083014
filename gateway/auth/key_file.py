"""Files that hold one secret each, made at their first use."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what a file holds; when there is none, it is made with what `make` returns.

    Only its owner can read it. It appears whole and on the disk or not at all, however the process
    ends, and of several processes that make it at a time one wins and all return its content.
    Raises OSError.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return path.read_bytes()
