"""Key material and how a signature is verified with it."""

import base64
import binascii
import hmac
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as keyed_hash
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

KeyKind: TypeAlias = Literal["hmac", "rsa", "ed25519"]
KEY_KINDS: Final[tuple[KeyKind, ...]] = ("hmac", "rsa", "ed25519")

RSA_BITS_MIN: Final = 2048


class KeyMaterial(NamedTuple):
    """What signatures of one API key are verified with."""

    kind: KeyKind
    secret: bytes
    """The shared secret (hmac) or the public key as PEM (rsa, ed25519)."""

    def __repr__(self) -> str:
        """Name the kind only, so that no log or trace can show a secret."""
        return f"KeyMaterial(kind={self.kind!r})"


class Verifier(Protocol):
    """Verifies signatures of one key."""

    def verify(self, payload: bytes, signature: str) -> bool:
        """Tell whether `signature` was made over `payload` with this key."""


class HmacVerifier:
    """HMAC-SHA256, hexadecimal in either case, compared in constant time.

    The keyed object is kept and copied, which saves hashing the key for every request.
    """

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        self._keyed = keyed_hash.HMAC(secret, hashes.SHA256())

    def verify(self, payload: bytes, signature: str) -> bool:
        """Tell whether `signature` is the HMAC of `payload`."""
        digest = self._keyed.copy()
        digest.update(payload)
        try:
            claimed = binascii.unhexlify(signature.encode("ascii"))
        except (binascii.Error, UnicodeEncodeError):
            return False
        return hmac.compare_digest(digest.finalize(), claimed)


class RsaVerifier:
    """RSASSA-PKCS1-v1_5 with SHA-256, base64."""

    __slots__ = ("_key",)

    def __init__(self, key: RSAPublicKey) -> None:
        self._key = key

    def verify(self, payload: bytes, signature: str) -> bool:
        """Tell whether `signature` was made over `payload` with the private key."""
        claimed = _base64_bytes(signature)
        if claimed is None:
            return False
        try:
            self._key.verify(claimed, payload, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


class Ed25519Verifier:
    """Ed25519, base64."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    def verify(self, payload: bytes, signature: str) -> bool:
        """Tell whether `signature` was made over `payload` with the private key."""
        claimed = _base64_bytes(signature)
        if claimed is None:
            return False
        try:
            self._key.verify(claimed, payload)
        except InvalidSignature:
            return False
        return True


def verifier(material: KeyMaterial) -> Verifier:
    """Return what verifies signatures of `material`.

    Raises ValueError when a public key can't be read, is of another kind, or is too short.
    """
    if material.kind == "hmac":
        if not material.secret:
            raise ValueError("the shared secret is empty")
        return HmacVerifier(material.secret)
    try:
        key = load_pem_public_key(material.secret)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the public key can't be read; a PEM `PUBLIC KEY` is needed") from None
    if material.kind == "rsa":
        if not isinstance(key, RSAPublicKey):
            raise ValueError("the public key is not an RSA key")
        if key.key_size < RSA_BITS_MIN:
            raise ValueError(f"the RSA key has {key.key_size} bits; at least {RSA_BITS_MIN}")
        return RsaVerifier(key)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the public key is not an Ed25519 key")
    return Ed25519Verifier(key)


def _base64_bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
