"""Signatures over raw bytes: the venue's published vectors, generated keys, and what is refused."""

import base64
import hashlib
import hmac
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.authenticator import Authenticator, Identity
from gateway.auth.material import KeyMaterial, verifier
from gateway.auth.signing import signed_bytes
from gateway.directory import Directory
from rules.events import DefineKey
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MALFORMED_KEY,
    AUTH_MISSING_KEY,
    AUTH_MISSING_SIGNATURE,
    AUTH_NOT_CHECKED,
    AUTH_OK,
    AUTH_UNKNOWN_KEY,
    PERMIT_READ,
)

SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
_ORDER = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
_TIMES = "recvWindow=5000&timestamp=1499827319559"
VECTORS = [
    (
        f"symbol=LTCBTC&{_ORDER}&{_TIMES}".encode(),
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        f"symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&{_ORDER}&{_TIMES}".encode(),
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
]


def directory_with(*names: str) -> Directory:
    """Return a directory that knows these keys."""
    directory = Directory(lambda event: None)
    for number, name in enumerate(names, 1):
        directory.on_event(DefineKey(number, name, 1, PERMIT_READ, (), 0))
    return directory


@pytest.mark.parametrize(("payload", "signature"), VECTORS)
def test_published_hmac_vectors(payload: bytes, signature: str) -> None:
    """The two worked examples of the venue's documentation verify, in either case of hex."""
    keyed = verifier(KeyMaterial("hmac", SECRET))
    assert keyed.verify(payload, signature)
    assert keyed.verify(payload, signature.upper())
    assert not keyed.verify(payload + b"0", signature)
    assert not keyed.verify(payload, signature[:-1])
    assert not keyed.verify(payload, signature[:-1] + ("0" if signature[-1] != "0" else "1"))


def test_websocket_vector() -> None:
    """The same secret verifies the documented payload of the WebSocket API."""
    payload = (
        f"apiKey={KEY}&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL"
        "&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
    ).encode()
    signature = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert verifier(KeyMaterial("hmac", SECRET)).verify(payload, signature)


@given(st.text(max_size=100))
def test_any_text_as_signature_is_refused_without_error(signature: str) -> None:
    """A signature of any characters is wrong, never a fault."""
    assert not verifier(KeyMaterial("hmac", SECRET)).verify(b"a=1", signature)


def test_rsa_and_ed25519() -> None:
    """Signatures made with generated keys verify; other bytes, other keys and no base64 don't."""
    private_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_ed = Ed25519PrivateKey.generate()
    payload = b"symbol=BTCUSDT&timestamp=1"
    made = [
        (
            KeyMaterial("rsa", _pem(private_rsa.public_key())),
            private_rsa.sign(payload, padding.PKCS1v15(), hashes.SHA256()),
        ),
        (KeyMaterial("ed25519", _pem(private_ed.public_key())), private_ed.sign(payload)),
    ]
    for material, raw in made:
        keyed = verifier(material)
        text = base64.b64encode(raw).decode()
        assert keyed.verify(payload, text)
        assert not keyed.verify(payload + b"&", text)
        assert not keyed.verify(payload, text.swapcase())
        assert not keyed.verify(payload, "not base64!")
        assert not keyed.verify(payload, "ü")
        assert not keyed.verify(payload, "")


@pytest.mark.parametrize(
    "material",
    [
        KeyMaterial("hmac", b""),
        KeyMaterial("rsa", b"nonsense"),
        KeyMaterial("ed25519", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ],
)
def test_unusable_material(material: KeyMaterial) -> None:
    """Material that can't be read is refused when it is stored, not when it is used."""
    with pytest.raises(ValueError):
        verifier(material)


def test_material_of_another_kind() -> None:
    """A public key of another kind, or a short RSA key, is refused."""
    other = _pem(generate_private_key(SECP256R1()).public_key())
    edwards = _pem(Ed25519PrivateKey.generate().public_key())
    short = _pem(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key())
    for material in (
        KeyMaterial("rsa", other),
        KeyMaterial("ed25519", other),
        KeyMaterial("rsa", edwards),
        KeyMaterial("rsa", short),
    ):
        with pytest.raises(ValueError):
            verifier(material)


def test_secrets_do_not_show() -> None:
    """The text form of key material names its kind only."""
    assert "Nhq" not in repr(KeyMaterial("hmac", SECRET))


@pytest.mark.parametrize(
    ("query", "body", "payload", "signature"),
    [
        (b"a=1&b=2&signature=f00d", b"", b"a=1&b=2", "f00d"),
        (b"signature=f00d&a=1", b"", b"a=1", "f00d"),
        (b"a=1&signature=f00d&b=2", b"", b"a=1&b=2", "f00d"),
        (b"a=1", b"b=2&signature=f00d", b"a=1b=2", "f00d"),
        (b"a=1&signature=f00d", b"b=2", b"a=1b=2", "f00d"),
        (b"", b"b=2&signature=f00d", b"b=2", "f00d"),
        (b"a=%40&b=@+c&signature=a%2Bb%3D", b"", b"a=%40&b=@+c", "a+b="),
        (b"a=1&mysignature=2", b"", b"a=1&mysignature=2", None),
        (b"signature=", b"", b"", ""),
        (b"a=1&signature=a+b%20", b"", b"a=1", "a+b "),
        (b"a=1&signature=1&signature=2", b"", b"a=1", "1"),
        (b"a=1&signature=1", b"b=2&signature=2", b"a=1b=2", "1"),
        (b"&a=1&&signature=1", b"", b"&a=1&", "1"),
        (b"mysignature=2&signature=1", b"", b"mysignature=2", "1"),
        (b"", b"", b"", None),
    ],
)
def test_signed_payload(query: bytes, body: bytes, payload: bytes, signature: str | None) -> None:
    """The payload is what was sent, `signature` left out wherever it stands."""
    assert signed_bytes(query, body) == (payload, signature)


def test_plus_and_at_as_a_client_sends_them() -> None:
    """Bytes an encoder leaves bare (`@`) or writes as `+` verify, since nothing is re-encoded."""
    raw = urllib.parse.urlencode({"newClientOrderId": "a b@c", "timestamp": 1}).replace("%40", "@")
    assert raw == "newClientOrderId=a+b@c&timestamp=1"
    signature = _hmac(raw.encode())
    keyed = verifier(KeyMaterial("hmac", SECRET))
    assert keyed.verify(*signed_bytes(f"{raw}&signature={signature}".encode(), b""))


def test_authenticator_tells_apart() -> None:
    """Each way of not being somebody has its own code; a banned address is not verified."""
    asked: list[str] = []

    def find(name: str) -> KeyMaterial | None:
        asked.append(name)
        return KeyMaterial("hmac", SECRET) if name == KEY else None

    revoked = "r" * 64
    authenticator = Authenticator(find, directory_with(KEY, revoked))
    payload, signature = VECTORS[0]
    assert authenticator.authenticate(None, signature, payload) == Identity(AUTH_MISSING_KEY, 0)
    assert authenticator.authenticate("", signature, payload) == Identity(AUTH_MISSING_KEY, 0)
    for malformed in (KEY[:-1], KEY + "a", KEY[:-1] + "-", KEY[:-1] + "é", KEY + "\n"):
        assert authenticator.authenticate(malformed, signature, payload).auth == AUTH_MALFORMED_KEY
    unknown = authenticator.authenticate("a" * 64, signature, payload)
    assert unknown == Identity(AUTH_UNKNOWN_KEY, 0)
    assert not asked, "no key material was looked for so far"
    assert authenticator.authenticate(KEY, signature, payload, banned=True) == Identity(
        AUTH_NOT_CHECKED, 1
    )
    assert authenticator.authenticate(KEY, None, payload) == Identity(AUTH_MISSING_SIGNATURE, 1)
    assert not asked
    assert authenticator.authenticate(KEY, signature, payload) == Identity(AUTH_OK, 1)
    assert authenticator.authenticate(KEY, "00", payload) == Identity(AUTH_BAD_SIGNATURE, 1)
    assert asked == [KEY], "the parsed material was kept"
    assert authenticator.authenticate(revoked, signature, payload) == Identity(AUTH_UNKNOWN_KEY, 2)
    assert authenticator.identify(KEY) == Identity(AUTH_OK, 1)


def test_kept_material_is_bounded_and_can_be_dropped() -> None:
    """Only so many verifiers are kept, and a revoked key's is dropped on demand."""
    names = [letter * 64 for letter in "abc"]
    material = {name: KeyMaterial("hmac", SECRET) for name in names}
    authenticator = Authenticator(material.get, directory_with(*names), verifiers_max=2)
    payload, signature = VECTORS[0]
    for name in names:
        assert authenticator.authenticate(name, signature, payload).auth == AUTH_OK
    assert len(authenticator._verifiers) == 2
    del material["c" * 64]
    assert authenticator.authenticate("c" * 64, signature, payload).auth == AUTH_OK
    authenticator.forget("c" * 64)
    assert authenticator.authenticate("c" * 64, signature, payload).auth == AUTH_UNKNOWN_KEY


def _pem(public: object) -> bytes:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def _hmac(payload: bytes) -> str:
    return hmac.new(SECRET, payload, hashlib.sha256).hexdigest()
