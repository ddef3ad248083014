"""The key store: sealed at rest, bound to its row, closed to others, all or nothing."""

import sqlite3
import stat
from pathlib import Path

import pytest

from gateway.auth.keystore import (
    SECRET_KEY_VARIABLE,
    KeyStore,
    KeyStoreError,
    NewKey,
    find_sealing_key,
    make_key_name,
    make_secret,
)
from gateway.auth.material import KeyMaterial

SEALING = bytes(range(32))
NAME = "A" * 64
SECRET = b"the secret nobody may see"


def store_with_key(path: Path) -> KeyStore:
    """Return a store holding one key."""
    store = KeyStore(path, SEALING)
    store.create(NewKey(NAME, "hmac", SECRET))
    return store


def test_create_find_list_revoke(tmp_path: Path) -> None:
    """A key is found until it is revoked, also by a store opened anew."""
    store_with_key(tmp_path / "keys.sqlite").close()
    store = KeyStore(tmp_path / "keys.sqlite", SEALING)
    assert store.find(NAME) == KeyMaterial("hmac", SECRET)
    assert [tuple(row) for row in store.list()] == [(NAME, "hmac")]
    assert store.load_all() == {NAME: KeyMaterial("hmac", SECRET)}
    assert store.find("B" * 64) is None
    assert store.revoke(NAME)
    assert not store.revoke(NAME)
    assert store.find(NAME) is None
    store.close()


def test_nothing_readable_on_disk(tmp_path: Path) -> None:
    """The files hold no secret in the clear and are their owner's alone."""
    store = store_with_key(tmp_path / "keys.sqlite")
    for path in tmp_path.iterdir():
        assert SECRET not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()
    assert SECRET not in (tmp_path / "keys.sqlite").read_bytes()


def test_wrong_sealing_key_is_told(tmp_path: Path) -> None:
    """With another sealing key the store says so, and does not hand out noise."""
    store_with_key(tmp_path / "keys.sqlite").close()
    store = KeyStore(tmp_path / "keys.sqlite", bytes(32))
    with pytest.raises(KeyStoreError, match=SECRET_KEY_VARIABLE):
        store.find(NAME)
    store.close()


def test_rows_cannot_be_exchanged(tmp_path: Path) -> None:
    """A sealed secret moved to another key id no longer opens."""
    path = tmp_path / "keys.sqlite"
    store_with_key(path).close()
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE keys SET name = ?", ("B" * 64,))
    database.close()
    store = KeyStore(path, SEALING)
    with pytest.raises(KeyStoreError):
        store.find("B" * 64)
    store.close()


def test_import_is_all_or_nothing(tmp_path: Path) -> None:
    """One unusable key of a bulk import leaves the store as it was, and is named."""
    store = KeyStore(tmp_path / "keys.sqlite", SEALING)
    good = [NewKey(letter * 64, "hmac", SECRET) for letter in "abc"]
    for bad in (
        NewKey("too short", "hmac", SECRET),
        NewKey("d" * 64, "rsa", b"no key"),
        NewKey("d" * 64, "dsa", SECRET),  # type: ignore[arg-type]
        NewKey("a" * 64, "hmac", SECRET),
    ):
        with pytest.raises(KeyStoreError, match=bad.name):
            store.create_many([*good, bad])
        assert list(store.list()) == []
    assert store.create_many(good) == 3
    with pytest.raises(KeyStoreError, match="exists"):
        store.create(good[0])
    store.put(NewKey("a" * 64, "hmac", b"another"))
    assert store.find("a" * 64) == KeyMaterial("hmac", b"another")
    store.close()


def test_keys_of_a_configuration_are_known_apart(tmp_path: Path) -> None:
    """Which keys a configuration gave is known to a store opened anew, until they are revoked."""
    store = store_with_key(tmp_path / "keys.sqlite")
    assert store.configured() == set()
    store.put_many(NewKey(letter * 64, "hmac", SECRET) for letter in "bc")
    store.close()
    store = KeyStore(tmp_path / "keys.sqlite", SEALING)
    assert store.configured() == {"b" * 64, "c" * 64}
    store.revoke("b" * 64)
    assert store.configured() == {"c" * 64}
    store.close()


def test_a_store_of_an_earlier_version(tmp_path: Path) -> None:
    """A store made before it was kept which keys a configuration gave is taken as it is."""
    path = tmp_path / "keys.sqlite"
    store_with_key(path).close()
    database = sqlite3.connect(path)
    with database:
        database.execute("DROP TABLE configured")
    database.close()
    store = KeyStore(path, SEALING)
    assert store.find(NAME) == KeyMaterial("hmac", SECRET)
    assert store.configured() == set()
    store.close()


def test_bulk_import_of_many(tmp_path: Path) -> None:
    """Thousands of keys go in together and come back."""
    store = KeyStore(tmp_path / "keys.sqlite", SEALING)
    keys = [NewKey(make_key_name(), "hmac", make_secret().encode()) for _ in range(2_000)]
    assert store.create_many(keys) == 2_000
    assert store.load_all() == {key.name: KeyMaterial("hmac", key.secret) for key in keys}
    store.close()


def test_not_a_key_store(tmp_path: Path) -> None:
    """Another file or a directory is refused with its name."""
    other = tmp_path / "notes.txt"
    other.write_text("no database " * 100)
    for path in (other, tmp_path, tmp_path / "absent" / "keys.sqlite"):
        with pytest.raises(KeyStoreError, match=path.name):
            KeyStore(path, SEALING)


def test_sealing_key_from_environment(tmp_path: Path) -> None:
    """The environment's key is used as it is; anything but 64 hexadecimal digits is refused."""
    path = tmp_path / "keys.sqlite"
    assert find_sealing_key(path, {SECRET_KEY_VARIABLE: SEALING.hex()}) == SEALING
    assert not list(tmp_path.iterdir())
    for text in ("", "00", SEALING.hex() + "00", "g" * 64):
        with pytest.raises(KeyStoreError, match=SECRET_KEY_VARIABLE):
            find_sealing_key(path, {SECRET_KEY_VARIABLE: text})


def test_sealing_key_file(tmp_path: Path) -> None:
    """Without one, a key file is made beside the store, for its owner only, and used again."""
    path = tmp_path / "keys.sqlite"
    made = find_sealing_key(path, {})
    assert len(made) == 32
    file = tmp_path / "keys.sqlite.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert find_sealing_key(path, {}) == made
    file.write_text("spoilt")
    with pytest.raises(KeyStoreError, match=r"keys\.sqlite\.key"):
        find_sealing_key(path, {})


def test_secrets_do_not_show() -> None:
    """The text form of a new key has no secret in it."""
    assert "secret" not in repr(NewKey(NAME, "hmac", SECRET))
