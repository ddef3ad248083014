"""Files of keys: what `load prepare` writes and `load run` reads."""

import ipaddress
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
    sources: tuple[str, ...] = ()


class KeyFile(msgspec.Struct, omit_defaults=True):
    """A JSON object with keys; the ready line of `ordergate demo --json` is one, too."""

    keys: tuple[Key, ...]
    sources: tuple[str, ...] = ()
    """Addresses of this machine to send from."""


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file; raises LoadTestError."""
    listed = _read(path).keys
    if not listed:
        raise LoadTestError(f"{path}: has no keys")
    return tuple(_key(path, each) for each in listed)


def read_sources(path: Path) -> tuple[str, ...]:
    """Return the addresses to send from that a file of keys names; raises LoadTestError."""
    sources = _read(path).sources
    for source in sources:
        try:
            ipaddress.ip_address(source)
        except ValueError:
            raise LoadTestError(f"{path}: source `{source}` is no address") from None
    return sources


def write_keys(path: Path, keys: tuple[Key, ...], sources: tuple[str, ...] = ()) -> None:
    """Write a file of keys that only its owner may read; raises OSError."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    text = msgspec.json.format(msgspec.json.encode(KeyFile(keys, sources)), indent=1)
    path.write_bytes(text + b"\n")


def _read(path: Path) -> _KeyFile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_KeyFile)
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LoadTestError(f"{path}: is no file of keys: {error}") from None


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
