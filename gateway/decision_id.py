"""Decision ids: a decision's sequence number as clients may see it.

The sequence number itself would tell every client how much the venue does, so it is enciphered:
one AES block holding the number and eight zero bytes. A text that was not made here does not
decipher to those zero bytes and is nobody's decision.
"""

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

_TEXT_LENGTH: Final = 26
"""Sixteen bytes in base32 without padding."""
_CHECK: Final = bytes(8)
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_TWO_CHARACTERS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
"""Base32 of each ten bits; the library's encoder takes three times as long."""
_PADDING_BITS: Final = 2
"""What 26 characters hold beyond 128 bits."""
_FORTY_BITS: Final = 2**40 - 1


class DecisionIds:
    """Turns sequence numbers into opaque texts of 26 characters and back.

    `key` is any secret of at least 16 bytes, and `run` the name of the run the numbers count in;
    with the same key and run the same number has the same text.
    """

    def __init__(self, key: bytes, run: str = "") -> None:
        """Raise ValueError when `key` is too short to be a secret."""
        if len(key) < 16:
            raise ValueError(f"decision id key has {len(key)} bytes; at least 16 are needed")
        self._ids = _Texts(b"ordergate decision id\x00" + key + run.encode())
        self._case_ids = _Texts(b"ordergate case id\x00" + key)

    def encode(self, seq: int) -> str:
        """Return the decision id of `seq`: 26 characters a-z and 2-7."""
        return self._ids.encode(seq)

    def decode(self, text: str) -> int | None:
        """Return the sequence number behind a decision id, None when it is not one of ours."""
        return self._ids.decode(text)

    def encode_case(self, number: int) -> str:
        """Return the id of a conduct case: the same in every run, unlike a decision's."""
        return self._case_ids.encode(number)

    def decode_case(self, text: str) -> int | None:
        """Return the number of a case by its id, None when it is not one of ours."""
        return self._case_ids.decode(text)


class _Texts:
    """Numbers as opaque texts under one secret."""

    def __init__(self, secret: bytes) -> None:
        # Each number is one block of its own and never repeats, so there is nothing that a
        # chaining mode would hide, and a context can be kept open for all of them.
        cipher = Cipher(algorithms.AES(hashlib.sha256(secret).digest()), modes.ECB())  # noqa: S305
        self._encryptor: CipherContext = cipher.encryptor()
        self._decryptor: CipherContext = cipher.decryptor()

    def encode(self, number: int) -> str:
        """Return the text of a number."""
        block = self._encryptor.update(number.to_bytes(8, "big") + _CHECK)
        bits = int.from_bytes(block, "big") << _PADDING_BITS
        # A few numbers below 2^40 are shifted faster than one of 130 bits.
        high, middle, low = bits >> 80, bits >> 40 & _FORTY_BITS, bits & _FORTY_BITS
        two = _TWO_CHARACTERS
        return (
            f"{two[high >> 40]}{two[high >> 30 & 1023]}{two[high >> 20 & 1023]}"
            f"{two[high >> 10 & 1023]}{two[high & 1023]}"
            f"{two[middle >> 30]}{two[middle >> 20 & 1023]}"
            f"{two[middle >> 10 & 1023]}{two[middle & 1023]}"
            f"{two[low >> 30]}{two[low >> 20 & 1023]}{two[low >> 10 & 1023]}{two[low & 1023]}"
        )

    def decode(self, text: str) -> int | None:
        """Return the number of a text, None when it was not made here."""
        if len(text) != _TEXT_LENGTH or not text.isascii():
            return None
        try:
            block = base64.b32decode(text.upper() + "======")
        except ValueError:
            return None
        plain = self._decryptor.update(block)
        number = int.from_bytes(plain[:8], "big")
        return number if plain[8:] == _CHECK and self.encode(number) == text else None
