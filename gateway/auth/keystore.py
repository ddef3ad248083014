"""The store of key material: SQLite, secrets sealed with AES-GCM.

Only what signatures are verified with is kept here, by public key id. Whose key it is, what it
permits and whether it is in force are events in the record.
"""

import os
import re
import secrets
import sqlite3
import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.auth.authenticator import well_formed
from gateway.auth.key_file import read_or_make
from gateway.auth.material import KEY_KINDS, KeyKind, KeyMaterial, verifier

SECRET_KEY_VARIABLE: Final = "ORDERGATE_SECRET_KEY"  # noqa: S105 - a variable's name
_ALPHABET: Final = string.ascii_letters + string.digits
_NONCE_BYTES: Final = 12
_SEALING_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID
"""
_CONFIGURED_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS configured (
    name TEXT PRIMARY KEY
) WITHOUT ROWID
"""


class KeyStoreError(ValueError):
    """The store can't be opened or read as it is; the message names what would be accepted."""


class StoredKey(NamedTuple):
    """One row as a listing shows it; never with its secret."""

    name: str
    kind: KeyKind


class NewKey(NamedTuple):
    """A key to be stored: its id, and a shared secret or a public key as PEM."""

    name: str
    kind: KeyKind
    secret: bytes

    def __repr__(self) -> str:
        """Leave the secret out, so that no log or trace can show it."""
        return f"NewKey(name={self.name!r}, kind={self.kind!r})"


class KeyStore:
    """Key material by key id, in one SQLite file.

    `sealing_key` has 32 bytes; see `find_sealing_key`. A wrong one is noticed at the first read.
    """

    def __init__(self, path: Path | str, sealing_key: bytes) -> None:
        """Open or create the store; raises KeyStoreError when the file is not a key store."""
        self._seal = AESGCM(sealing_key)
        self._path = str(path)
        try:
            if self._path != ":memory:":
                # Made here and not by SQLite, so that it is never readable by others.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = _connect(self._path)
        except (OSError, sqlite3.Error) as error:
            raise KeyStoreError(f"key store {self._path} can't be opened: {error}") from None

    def create(self, key: NewKey) -> None:
        """Store one key.

        Raises KeyStoreError when the id is taken or malformed or the material is unusable.
        """
        self.create_many((key,))

    def create_many(self, keys: Iterable[NewKey]) -> int:
        """Store keys all together or, when one is unusable, none; returns how many.

        Raises KeyStoreError naming the first unusable one.
        """
        count = 0
        try:
            with self._database:
                for key in keys:
                    self._insert(key)
                    count += 1
        except sqlite3.IntegrityError:
            raise KeyStoreError(f"key {key.name} exists already; revoke it first") from None
        return count

    def put(self, key: NewKey) -> None:
        """Store one key of a configuration, replacing the material it may have had."""
        self.put_many((key,))

    def put_many(self, keys: Iterable[NewKey]) -> None:
        """Store keys of a configuration, all or, when one is unusable, none; replace what they had.

        Raises KeyStoreError naming the first unusable one.
        """
        with self._database:
            for key in keys:
                self._database.execute("DELETE FROM keys WHERE name = ?", (key.name,))
                self._insert(key)
                self._database.execute("INSERT OR IGNORE INTO configured VALUES (?)", (key.name,))

    def configured(self) -> set[str]:
        """Return the ids of the keys there are that some configuration has given."""
        rows = self._database.execute("SELECT name FROM configured JOIN keys USING (name)")
        return {name for (name,) in rows}

    def revoke(self, name: str) -> bool:
        """Delete a key's material for good; False when there was none."""
        with self._database:
            deleted = self._database.execute("DELETE FROM keys WHERE name = ?", (name,))
            self._database.execute("DELETE FROM configured WHERE name = ?", (name,))
        return deleted.rowcount > 0

    def find(self, name: str) -> KeyMaterial | None:
        """Return a key's material, None when there is none.

        Raises KeyStoreError when it can't be unsealed.
        """
        row = self._database.execute(
            "SELECT kind, sealed FROM keys WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else self._unseal(name, row[0], row[1])

    def list(self) -> Iterator[StoredKey]:
        """Return ids and kinds of all keys, in order of their ids."""
        for name, kind in self._database.execute("SELECT name, kind FROM keys ORDER BY name"):
            yield StoredKey(name, kind)

    def load_all(self) -> Mapping[str, KeyMaterial]:
        """Return all material by key id; raises KeyStoreError when one can't be unsealed."""
        rows = self._database.execute("SELECT name, kind, sealed FROM keys")
        return {name: self._unseal(name, kind, sealed) for name, kind, sealed in rows}

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _insert(self, key: NewKey) -> None:
        if not well_formed(key.name):
            raise KeyStoreError(f"`{key.name}` is not a key id; 64 letters and digits are needed")
        if key.kind not in KEY_KINDS:
            raise KeyStoreError(
                f"key {key.name}: `{key.kind}` is not a kind of key; use {', '.join(KEY_KINDS)}"
            )
        try:
            verifier(KeyMaterial(key.kind, key.secret))
        except ValueError as error:
            raise KeyStoreError(f"key {key.name}: {error}") from None
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._seal.encrypt(nonce, key.secret, _bound_to(key.name, key.kind))
        self._database.execute(
            "INSERT INTO keys (name, kind, sealed) VALUES (?, ?, ?)", (key.name, key.kind, sealed)
        )

    def _unseal(self, name: str, kind: KeyKind, sealed: bytes) -> KeyMaterial:
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return KeyMaterial(kind, self._seal.decrypt(nonce, rest, _bound_to(name, kind)))
        except (InvalidTag, ValueError):
            raise KeyStoreError(
                f"key {name} in {self._path} can't be unsealed; "
                f"is {SECRET_KEY_VARIABLE} the one it was sealed with?"
            ) from None


def _connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA busy_timeout=2000")
        with database:
            database.execute(_SCHEMA)
            database.execute(_CONFIGURED_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _bound_to(name: str, kind: str) -> bytes:
    """Return what a sealed secret is bound to, so that rows can't be exchanged unnoticed."""
    return f"{kind}:{name}".encode()


def find_sealing_key(store_path: Path, environment: Mapping[str, str]) -> bytes:
    """Return the 32 bytes secrets are sealed with.

    They come from `ORDERGATE_SECRET_KEY` (64 hexadecimal digits), else from the file
    `<store>.key` beside the store, which is made at first use, readable by its owner only.
    Raises KeyStoreError when either holds something else.
    """
    text = environment.get(SECRET_KEY_VARIABLE)
    if text is not None:
        return _sealing_key(text, SECRET_KEY_VARIABLE)
    path = store_path.with_name(store_path.name + ".key")
    held = read_or_make(path, lambda: f"{secrets.token_hex(32)}\n".encode())
    return _sealing_key(held.decode("ascii", "replace"), str(path))


def _sealing_key(text: str, source: str) -> bytes:
    if _SEALING_KEY.fullmatch(text.strip()) is None:
        raise KeyStoreError(f"{source} does not hold 64 hexadecimal digits")
    return bytes.fromhex(text.strip())


def make_key_name() -> str:
    """Return a new random key id: 64 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(64))


def make_secret() -> str:
    """Return a new random shared secret: 64 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(64))
