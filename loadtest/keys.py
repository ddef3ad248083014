"""Files of keys: what `load prepare` writes and `load run` reads."""

from pathlib import Path

import msgspec

from loadtest.units import LoadTestError
from loadtest.workload import Key


class KeyFile(msgspec.Struct):
    """A JSON object with keys; the ready line of `ordergate demo --json` is one, too."""

    keys: tuple[Key, ...]


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file; raises LoadTestError."""
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=KeyFile).keys
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise LoadTestError(f"{path}: is no file of keys: {error}") from None
    if not keys:
        raise LoadTestError(f"{path}: has no keys")
    for key in keys:
        if not (key.name.isascii() and key.name.isalnum()):
            raise LoadTestError(f"{path}: key `{key.name}` is not letters and digits")
    return keys


def write_keys(path: Path, keys: tuple[Key, ...]) -> None:
    """Write a file of keys that only its owner may read; raises OSError."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(KeyFile(keys)), indent=1) + b"\n")
