"""Files of keys: what `load prepare` writes and `load run` reads."""

from pathlib import Path

import msgspec

from loadtest.signing import Key
from loadtest.units import LoadTestError


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    """A key as a file has it."""

    name: str
    secret: str = ""
    account: str = ""
    private_key: str = ""
    private_key_file: str = ""
    """Instead of `private_key`: a PEM file, relative to the file of keys."""


class _KeyFile(msgspec.Struct):
    keys: tuple[_Listed, ...]


class KeyFile(msgspec.Struct):
    """A JSON object with keys; the ready line of `ordergate demo --json` is one, too."""

    keys: tuple[Key, ...]


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file; raises LoadTestError."""
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=_KeyFile).keys
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise LoadTestError(f"{path}: is no file of keys: {error}") from None
    if not listed:
        raise LoadTestError(f"{path}: has no keys")
    return tuple(_key(path, each) for each in listed)


def write_keys(path: Path, keys: tuple[Key, ...]) -> None:
    """Write a file of keys that only its owner may read; raises OSError."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(KeyFile(keys)), indent=1) + b"\n")


def _key(path: Path, listed: _Listed) -> Key:
    """Return a key with its private key read, where a file holds it."""
    pem = listed.private_key
    if listed.private_key_file:
        if pem:
            raise LoadTestError(f"{path}: key `{listed.name}` has two private keys")
        pem_path = path.parent / listed.private_key_file
        try:
            pem = pem_path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise LoadTestError(f"{pem_path}: can't be read: {error}") from None
    key = Key(listed.name, listed.secret, listed.account, pem)
    try:
        key.check()
    except LoadTestError as error:
        raise LoadTestError(f"{path}: {error}") from None
    return key
