"""Finds out who sent a request, from its key id and its signature over the raw bytes."""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from cachetools import LRUCache

from gateway.auth.material import KeyMaterial, Verifier, verifier
from gateway.directory import Directory
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MALFORMED_KEY,
    AUTH_MISSING_KEY,
    AUTH_MISSING_SIGNATURE,
    AUTH_NOT_CHECKED,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    AUTH_UNKNOWN_KEY,
)

_KEY_NAME: Final = re.compile(r"[A-Za-z0-9]{64}")
VERIFIERS_MAX: Final = 65_536
"""Keys whose parsed material is kept; others are read from the store again."""


class Identity(msgspec.Struct, frozen=True, gc=False):
    """The result of authentication, as it goes into the event."""

    auth: int
    """Result (`AUTH_*`)."""
    key: int
    """Interned key, also of a revoked one; 0 when none was named or there never was such a key."""


NOBODY: Final = Identity(AUTH_NOT_REQUIRED, 0)


class Authenticator:
    """Verifies HMAC, RSA and Ed25519 signatures.

    `find_material` returns a key's material by its public id, None when there is none (revoked).
    Which keys exist is the directory's to say, so that an unknown id costs one look-up in memory.
    """

    def __init__(
        self,
        find_material: Callable[[str], KeyMaterial | None],
        directory: Directory,
        verifiers_max: int = VERIFIERS_MAX,
    ) -> None:
        self._find_material = find_material
        self._directory = directory
        self._verifiers: LRUCache[str, Verifier] = LRUCache(verifiers_max)
        """Parsed material by public id."""

    def identify(self, key_name: str | None) -> Identity:
        """Return whose key id this is, without looking at a signature."""
        if not key_name:
            return Identity(AUTH_MISSING_KEY, 0)
        definition = self._directory.keys.get(key_name)
        if definition is None:
            return Identity(AUTH_UNKNOWN_KEY if well_formed(key_name) else AUTH_MALFORMED_KEY, 0)
        return Identity(AUTH_OK, definition.key)

    def authenticate(
        self, key_name: str | None, signature: str | None, payload: bytes, banned: bool = False
    ) -> Identity:
        """Return who signed `payload`.

        A banned address gets AUTH_NOT_CHECKED: its request is refused anyway, and verifying it
        would let a banned address go on using the processor.
        """
        definition = self._directory.keys.get(key_name) if key_name else None
        if definition is None or key_name is None:
            identity = self.identify(key_name)
            return Identity(AUTH_NOT_CHECKED, 0) if banned else identity
        key = definition.key
        if banned:
            return Identity(AUTH_NOT_CHECKED, key)
        if not signature:
            return Identity(AUTH_MISSING_SIGNATURE, key)
        keyed = self._verifier(key_name)
        if keyed is None:
            # Revoked: no signature could be right, and the key is what its user has to change.
            return Identity(AUTH_UNKNOWN_KEY, key)
        proved = keyed.verify(payload, signature)
        return Identity(AUTH_OK if proved else AUTH_BAD_SIGNATURE, key)

    def forget(self, key_name: str) -> None:
        """Drop the kept material of a key that was revoked or replaced."""
        self._verifiers.pop(key_name, None)

    def _verifier(self, key_name: str) -> Verifier | None:
        found = self._verifiers.get(key_name)
        if found is None:
            material = self._find_material(key_name)
            if material is None:
                return None
            found = self._verifiers[key_name] = verifier(material)
        return found


def well_formed(key_name: str) -> bool:
    """Tell whether a text has the form of a key id: 64 letters and digits."""
    return _KEY_NAME.fullmatch(key_name) is not None
