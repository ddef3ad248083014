"""Keys, and what is signed with them: HMAC, Ed25519 and RSA, as the dialects of the venues do."""

import base64
import functools
import hmac
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from loadtest.units import LoadTestError

HMAC: Final = "hmac"
ED25519: Final = "ed25519"
RSA: Final = "rsa"
_RSA_BITS: Final = 2_048


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An API key with its HMAC secret, or with the private key that signs for it."""

    name: str
    secret: str = ""
    account: str = ""
    private_key: str = ""
    """PEM of an Ed25519 or RSA key without a passphrase; then there is no secret."""

    def signature(self, payload: bytes) -> str:
        """Return a signature: HMAC-SHA256 as hex; Ed25519, or RSA with PKCS #1 v1.5, as base64.

        Raises LoadTestError when the private key can't be used.
        """
        if not self.private_key:
            return hmac.digest(self.secret.encode(), payload, "sha256").hex()
        key = _private_key(self.private_key)
        if isinstance(key, Ed25519PrivateKey):
            signed = key.sign(payload)
        else:
            signed = key.sign(payload, PKCS1v15(), SHA256())
        return base64.b64encode(signed).decode("ascii")

    def check(self) -> None:
        """Raise LoadTestError unless requests can be signed with the key."""
        if not (self.name.isascii() and self.name.isalnum()):
            raise LoadTestError(f"key `{self.name}` is not letters and digits")
        if bool(self.secret) == bool(self.private_key):
            raise LoadTestError(f"key `{self.name}` needs either a secret or a private key")
        if self.private_key:
            _private_key(self.private_key)


def make_key_material(kind: str) -> tuple[str, str]:
    """Return what signs for a new key of some kind, and what a gate is told of it.

    With HMAC both are the same secret; else they are PEM of the private and of the public key.
    Raises LoadTestError for a kind that there is not.
    """
    if kind == HMAC:
        secret = secrets.token_hex(32)
        return secret, secret
    private: Ed25519PrivateKey | RSAPrivateKey
    if kind == ED25519:
        private = Ed25519PrivateKey.generate()
    elif kind == RSA:
        private = generate_private_key(65_537, _RSA_BITS)
    else:
        raise LoadTestError(f"kind of key `{kind}` is not {HMAC}, {ED25519} or {RSA}")
    private_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public_pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private_pem.decode("ascii"), public_pem.decode("ascii")


@functools.lru_cache(maxsize=65_536)
def _private_key(pem: str) -> Ed25519PrivateKey | RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LoadTestError(f"a private key can't be read: {error}") from None
    if not isinstance(key, (Ed25519PrivateKey, RSAPrivateKey)):
        raise LoadTestError("a private key is neither Ed25519 nor RSA")
    return key
