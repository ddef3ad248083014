"""Keys, and what is signed with them: HMAC, Ed25519 and RSA, as the dialects of the venues do."""

import base64
import functools
import hmac

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loadtest.units import LoadTestError


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


@functools.lru_cache(maxsize=65_536)
def _private_key(pem: str) -> Ed25519PrivateKey | RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LoadTestError(f"a private key can't be read: {error}") from None
    if not isinstance(key, (Ed25519PrivateKey, RSAPrivateKey)):
        raise LoadTestError("a private key is neither Ed25519 nor RSA")
    return key
