"""Encrypted segments: AES-256-GCM in chunks, each bound to its place and the last one marked.

A file is a header and chunks. The header names the key, never holds it, and has the salt from
which the key of this one file is derived (HKDF-SHA256, RFC 5869), so that no nonce is used twice
under one key. The chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár
2015): the nonce is the chunk's number and whether it is the last, so chunks can't be exchanged,
left out or cut off unseen.
"""

import hashlib
import os
import re
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.journal.durable import replace_durably
from gateway.journal.errors import JournalCorruptError, JournalKeyError, JournalUnreadableError
from gateway.journal.source import CachedBlocks, Source, blocks

KEY_VARIABLE: Final = "ORDERGATE_RECORD_KEY"
"""Holds keys as 64 hexadecimal digits each; the first one encrypts, all of them decrypt."""
KEY_FILE_VARIABLE: Final = "ORDERGATE_RECORD_KEY_FILE"
"""Names a file that holds them, one a line."""
KEY_BYTES: Final = 32
CHUNK_BYTES: Final = 1 << 16

_HEADER: Final = struct.Struct("<8sBBBB8s32s")
"""Magic, version, algorithm, log2 of the chunk length, 0, key id, salt; its CRC-32 follows."""
_HEADER_CHECKSUM: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _HEADER_CHECKSUM.size
_MAGIC: Final = b"OGRECENC"
_VERSION: Final = 1
_AES_256_GCM: Final = 1
_CHUNK_LOG2_RANGE: Final = range(12, 25)
_TAG_BYTES: Final = 16
_NONCE: Final = struct.Struct(">3xQB")
_KEY_TEXT: Final = re.compile(r"[0-9a-fA-F]{64}")
_SEPARATORS: Final = re.compile(r"[\s,]+")


class RecordKey(NamedTuple):
    """A key of the record."""

    key_id: str
    """Names the key in the files it encrypted: 16 hexadecimal digits of a digest of it."""
    key: bytes

    def __repr__(self) -> str:
        """Leave the key out, so that no log or trace can show it."""
        return f"RecordKey(key_id={self.key_id!r})"


def record_key(key: bytes) -> RecordKey:
    """Return a key of 32 bytes with its id; raises ValueError for another length."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key of the record has {KEY_BYTES} bytes, not {len(key)}")
    return RecordKey(hashlib.sha256(b"ordergate record key\n" + key).digest()[:8].hex(), key)


def find_keys(environment: Mapping[str, str] | None = None) -> list[RecordKey]:
    """Return the keys the environment gives, directly or in a file; none when it gives none.

    Raises JournalKeyError when what it gives is not keys.
    """
    environment = os.environ if environment is None else environment
    text, source = environment.get(KEY_VARIABLE, ""), KEY_VARIABLE
    if not text and (file := environment.get(KEY_FILE_VARIABLE, "")):
        return read_keys(Path(file))
    return _parsed(text, source)


def read_keys(path: Path) -> list[RecordKey]:
    """Return the keys in a file, in order; raises JournalKeyError."""
    try:
        return _parsed(path.read_text(encoding="ascii"), str(path))
    except OSError as error:
        raise JournalKeyError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise JournalKeyError(f"{path} does not hold 64 hexadecimal digits a line") from None


def make_key_file(path: Path) -> RecordKey:
    """Make a key and keep it in a new file that only its owner reads.

    Raises FileExistsError when there is a file already, and OSError.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    key = record_key(secrets.token_bytes(KEY_BYTES))
    replace_durably(path, key.key.hex().encode() + b"\n", mode=0o600)
    return key


def _parsed(text: str, source: str) -> list[RecordKey]:
    words = [word for word in _SEPARATORS.split(text) if word]
    if any(_KEY_TEXT.fullmatch(word) is None for word in words):
        raise JournalKeyError(f"{source} holds something else than keys of 64 hexadecimal digits")
    return [record_key(bytes.fromhex(word)) for word in words]


def encrypted(parts: Iterable[bytes], key: RecordKey) -> Iterator[bytes]:
    """Yield the encrypted file that holds the bytes of `parts`."""
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        _AES_256_GCM,
        CHUNK_BYTES.bit_length() - 1,
        0,
        bytes.fromhex(key.key_id),
        secrets.token_bytes(32),
    )
    yield header + _HEADER_CHECKSUM.pack(zlib.crc32(header))
    cipher = _file_cipher(key, header)
    number, held = 0, b""
    for block in blocks(parts, CHUNK_BYTES):
        if held:
            yield cipher.encrypt(_NONCE.pack(number, 0), held, None)
            number += 1
        held = block
    yield cipher.encrypt(_NONCE.pack(number, 1), held, None)


def _file_cipher(key: RecordKey, header: bytes) -> AESGCM:
    """Return the cipher of one file; its key depends on every byte of the header."""
    salt = header[-32:]
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, b"ordergate segment\n" + header).derive(key.key))


def _read_header(source: Source) -> tuple[bytes, str, int]:
    """Return the header, the id of the key and the length of a chunk."""
    head = source.read_at(0, HEADER_BYTES)
    header, checksum = head[: _HEADER.size], head[_HEADER.size :]
    if len(head) < HEADER_BYTES or checksum != _HEADER_CHECKSUM.pack(zlib.crc32(header)):
        raise JournalCorruptError(source.path, 0, "the header of an encrypted segment is damaged")
    magic, version, algorithm, chunk_log2, zero, key_id, _ = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise JournalCorruptError(source.path, 0, "not an encrypted segment")
    if (
        (version, algorithm) != (_VERSION, _AES_256_GCM)
        or zero
        or chunk_log2 not in _CHUNK_LOG2_RANGE
    ):
        raise JournalUnreadableError(
            f"{source.path}: encrypted in a way this version does not know "
            f"(version {version}, algorithm {algorithm}, chunks of 2^{chunk_log2} bytes)"
        )
    return header, key_id.hex(), 1 << chunk_log2


class DecryptedSource(CachedBlocks):
    """What an encrypted file holds.

    Raises JournalKeyError when its key is not among `keys`, JournalCorruptError when its header
    or its end is not what was written, and JournalUnreadableError.
    """

    def __init__(self, source: Source, keys: list[RecordKey]) -> None:
        super().__init__(source)
        header, self.key_id, self._chunk_bytes = _read_header(source)
        key = next((key for key in keys if key.key_id == self.key_id), None)
        if key is None:
            given = ", ".join(key.key_id for key in keys) or "none"
            raise JournalKeyError(
                f"{self.path} is encrypted with key {self.key_id}; keys given: {given} "
                f"(set {KEY_VARIABLE} or {KEY_FILE_VARIABLE})"
            )
        self._cipher = _file_cipher(key, header)
        body = source.size - HEADER_BYTES
        stored = self._chunk_bytes + _TAG_BYTES
        self._count = max(-(-body // stored), 1)
        self.size = body - self._count * _TAG_BYTES
        # The last chunk is the one that says that it is the last: nothing is cut off or added.
        self.block(self._count - 1)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer only where they end."""
        end = min(offset + length, self.size)
        found = []
        while offset < end:
            index, within = divmod(offset, self._chunk_bytes)
            part = self.block(index)[within : within + end - offset]
            found.append(part)
            offset += len(part)
        return found[0] if len(found) == 1 else b"".join(found)

    def place(self, offset: int) -> int:
        """Return where in the file the chunk begins that holds the byte at `offset`."""
        index = min(offset // self._chunk_bytes, self._count - 1)
        return HEADER_BYTES + index * (self._chunk_bytes + _TAG_BYTES)

    def make_block(self, index: int) -> bytes:
        """Decrypt a chunk."""
        stored = self._chunk_bytes + _TAG_BYTES
        place = HEADER_BYTES + index * stored
        chunk = self.source.read_at(place, stored)
        try:
            nonce = _NONCE.pack(index, index == self._count - 1)
            return self._cipher.decrypt(nonce, chunk, None)
        except (InvalidTag, ValueError):
            raise JournalCorruptError(
                self.path, place, "an encrypted chunk is damaged, or the file was cut here"
            ) from None
