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
_BLOCK_BYTES: Final = 16
_BATCH: Final = 64
"""Numbers whose texts are made together: those of requests follow one another."""
_FRAME_BYTES: Final = 32
"""What a number has in the long integer in which a batch is spread out."""
_PADDING_BITS: Final = 2
"""What 26 characters hold beyond 128 bits."""
_UUID_LENGTH: Final = 36
_NO_UUID: Final = b"00000000-0000-0000-0000-000000000000"
_DIGIT_PLACES: Final = tuple(place for place, digit in enumerate(_NO_UUID) if digit == ord("0"))
_ALPHABET: Final = bytes.maketrans(bytes(range(32)), b"abcdefghijklmnopqrstuvwxyz234567")


def _halves(groups: int) -> tuple[int, int, int]:
    """Return how the upper half of each so many groups of five bits parts from the lower one.

    That is by how many bits it moves, and masks of the lower half and of the upper one where it
    then is, in every frame of a batch. A group is to end in a byte of its own, so it moves by three
    bits for each group of the lower half.
    """
    half = groups // 2
    mask = (1 << 5 * half) - 1
    lower = upper = 0
    for place in range(0, _BATCH * _FRAME_BYTES, groups):
        lower |= mask << 8 * place
        upper |= mask << 8 * (place + half)
    return 3 * half, lower, upper


_SPREAD: Final = tuple(_halves(groups) for groups in (32, 16, 8, 4, 2))


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

    def uuid(self, seq: int) -> str:
        """Return what the decision id of `seq` says, in the form of a UUID."""
        return self._ids.uuid(seq)

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
        self._first = -_BATCH
        """Of the numbers whose texts are kept, and before any is."""
        self._texts = self._uuids = ""

    def encode(self, number: int) -> str:
        """Return the text of a number."""
        end = (self._place(number) + 1) * _FRAME_BYTES
        return self._texts[end - _TEXT_LENGTH : end]

    def uuid(self, number: int) -> str:
        """Return the same in the form of a UUID."""
        begin = self._place(number) * _UUID_LENGTH
        return self._uuids[begin : begin + _UUID_LENGTH]

    def _place(self, number: int) -> int:
        """Return where in the batch a number is, of which there are texts then."""
        place = number - self._first
        if not 0 <= place < _BATCH:
            place = number % _BATCH
            self._make(number - place)
        return place

    def _make(self, first: int) -> None:
        """Make the texts of a batch of numbers, all of them at once.

        A character is five bits. Every block, shifted to a multiple of five bits, is spread out
        over its frame in five steps, each of which parts the upper half of what belongs together
        from the lower one, in all frames of the batch by one operation.
        """
        plain = b"".join(
            [number.to_bytes(8, "big") + _CHECK for number in range(first, first + _BATCH)]
        )
        blocks = self._encryptor.update(plain)
        frames = bytearray(_BATCH * _FRAME_BYTES)
        for place in range(_BLOCK_BYTES):
            at = _FRAME_BYTES - _BLOCK_BYTES + place
            frames[at::_FRAME_BYTES] = blocks[place::_BLOCK_BYTES]
        bits = int.from_bytes(frames, "big") << _PADDING_BITS
        for shift, lower, upper in _SPREAD:
            bits = bits & lower | bits << shift & upper
        self._texts = bits.to_bytes(len(frames), "big").translate(_ALPHABET).decode("ascii")
        digits, uuids = blocks.hex().encode("ascii"), bytearray(_NO_UUID * _BATCH)
        for digit, place in enumerate(_DIGIT_PLACES):
            uuids[place::_UUID_LENGTH] = digits[digit :: len(_DIGIT_PLACES)]
        self._uuids = uuids.decode("ascii")
        self._first = first

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
