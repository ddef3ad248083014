"""Keys of all three kinds: signatures that the venue's own verification accepts, files that are told."""

import base64
import hashlib
import hmac
import json
from fractions import Fraction
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from loadtest.keys import read_keys, write_keys
from loadtest.profile import load_profile
from loadtest.protocols.rest import RestProtocol
from loadtest.schedule import constant
from loadtest.signing import Key
from loadtest.target import parse_target
from loadtest.units import NS_PER_MS, LoadTestError
from loadtest.workload import Workload
from tests.loadtest.markets import MARKET

EPOCH_NS = 1_795_230_673_000_000_000
ED25519 = Ed25519PrivateKey.generate()
RSA = generate_rsa(65_537, 2_048)


def pem(key: object) -> str:
    """Return a private key as a file holds it."""
    return key.private_bytes(  # type: ignore[attr-defined, no-any-return]
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ).decode()


KEYS = (
    Key("a" * 64, "secret-a"),
    Key("b" * 64, private_key=pem(ED25519)),
    Key("c", "", "", pem(RSA)),
)


def verified(key_name: str, signature: str, payload: bytes) -> None:
    """Raise unless a signature is right."""
    if key_name == KEYS[0].name:
        assert signature == hmac.new(b"secret-a", payload, hashlib.sha256).hexdigest()
    elif key_name == KEYS[1].name:
        ED25519.public_key().verify(base64.b64decode(signature, validate=True), payload)
    else:
        raw = base64.b64decode(signature, validate=True)
        RSA.public_key().verify(raw, payload, PKCS1v15(), SHA256())


def test_requests_are_signed_and_carry_their_moment() -> None:
    """Each request is signed with its key, over the query as sent, at the moment it is meant for."""
    target = parse_target("http://127.0.0.1:8080")
    times = constant(Fraction(1_000), 300 * NS_PER_MS)
    intents = Workload(load_profile("mixed"), [MARKET], KEYS, 1, "t").plan(times)
    rendered = RestProtocol(target, KEYS, 1).rendered(intents, EPOCH_NS)
    for number, wire in enumerate(rendered.wires):
        head, *headers = wire.decode("ascii").split("\r\n")
        query, _, _ = head.split(" ")[1].partition("?")[2].rpartition("&signature=")
        asked = dict(parse_qsl(head.split(" ")[1].partition("?")[2], strict_parsing=True))
        key_name = headers[1].removeprefix("X-MBX-APIKEY: ")
        verified(key_name, asked["signature"], query.encode())
        assert int(asked["timestamp"]) == EPOCH_NS // NS_PER_MS + number


def test_files_hold_keys_of_all_kinds(tmp_path: Path) -> None:
    """What is written is read again; a private key may stand in a file of its own."""
    path = tmp_path / "keys.json"
    write_keys(path, KEYS)
    assert read_keys(path) == KEYS
    (tmp_path / "my.pem").write_text(pem(ED25519))
    path.write_text('{"keys":[{"name":"k","private_key_file":"my.pem"}]}')
    assert read_keys(path) == (Key("k", private_key=pem(ED25519)),)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"name": "k"}, "needs either a secret or a private key"),
        ({"name": "k", "secret": "s", "private_key": pem(ED25519)}, "needs either"),
        ({"name": "a b", "secret": "s"}, "not letters and digits"),
        ({"name": "k", "private_key": "x"}, "can't be read"),
        ({"name": "k", "private_key": pem(generate_private_key(SECP256R1()))}, "neither Ed25519"),
        ({"name": "k", "private_key_file": "none.pem"}, "none.pem: can't be read"),
        ({"name": "k", "private_key": "x", "private_key_file": "y"}, "two private keys"),
        ({"name": "k", "secret": "s", "sekret": "s"}, "is no file of keys"),
    ],
)
def test_keys_that_cannot_sign_are_told(tmp_path: Path, key: dict[str, str], message: str) -> None:
    """The message names the file and the key."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [key]}))
    with pytest.raises(LoadTestError, match=message):
        read_keys(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"keys": "\xff"}', b"[" * 100_000])
def test_what_is_no_file_of_keys_is_told(tmp_path: Path, content: bytes) -> None:
    """Whatever is in it."""
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(LoadTestError, match="is no file of keys"):
        read_keys(path)


def test_a_locked_private_key_is_told(tmp_path: Path) -> None:
    """The tester asks nobody for a passphrase."""
    locked = ED25519.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    with pytest.raises(LoadTestError, match="can't be read"):
        Key("k", private_key=locked.decode()).check()
