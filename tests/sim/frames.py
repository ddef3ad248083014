"""What is safe in the record, read from the bytes as `docs/record.md` states them.

This shares no code with the product's reader and writer: whatever a release claims to have
recorded must be found here first.
"""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

_HEAD: Final = struct.Struct("<II")
_HEADER: Final = 1
_SYNC_MARK: Final = 3
_SEAL: Final = 4

Contents = Callable[[Path, int, int], bytes]
"""Gives bytes of a file that are safe: path, offset, count."""


class SafeRecord:
    """Follows one run; `seq` is the last record found safe, `contents` what safe means."""

    def __init__(self, directory: Path, contents: Contents) -> None:
        self.seq = 0
        self.first_seq = 0
        """The first record, 0 as long as nothing is safe."""
        self.payloads: dict[int, bytes] = {}
        """Encoded (event, decision) of each record, by seq."""
        self.faults: list[str] = []
        self.places: dict[int, tuple[Path, int, int]] = {}
        """Segment, begin and end of each record."""
        self.vouched: dict[Path, int] = {}
        """Bytes of each segment that a later mark vouches for."""
        self._directory = directory
        self._contents = contents
        self._number = 1
        self._offset = 0

    def through(self) -> int:
        """Read what has become safe and return the number of the last record."""
        while self._frame():
            pass
        return self.seq

    def _frame(self) -> bool:
        path = self._directory / f"{self._number:06d}.seg"
        head = self._contents(path, self._offset, _HEAD.size)
        if len(head) < _HEAD.size:
            return False
        length, checksum = _HEAD.unpack(head)
        if not length:
            return False
        payload = self._contents(path, self._offset + _HEAD.size, length)
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return False
        begin = self._offset
        self._offset += _HEAD.size + length
        fields = msgspec.msgpack.decode(payload, type=list[msgspec.Raw])
        first = msgspec.msgpack.decode(fields[0], type=int)
        if first:
            self._record(first, fields)
            self.places[first] = path, begin, self._offset
            return True
        kind = msgspec.msgpack.decode(fields[1], type=int)
        if kind == _SEAL:
            self._number += 1
            self._offset = 0
        elif kind == _SYNC_MARK:
            self.vouched[path] = msgspec.msgpack.decode(fields[3], type=int)
        elif kind == _HEADER and not self.first_seq:
            self.first_seq = msgspec.msgpack.decode(fields[5], type=int)
            self.seq = self.first_seq - 1
        return True

    def _record(self, seq: int, fields: list[msgspec.Raw]) -> None:
        if seq != self.seq + 1:
            self.faults.append(f"record {seq} follows record {self.seq}")
        self.seq = seq
        self.payloads[seq] = bytes(fields[2]) + bytes(fields[3])


def with_the_kernel(path: Path, offset: int, count: int) -> bytes:
    """Return bytes that survive the end of the process: what the file shows now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, count, offset)
    finally:
        os.close(descriptor)
