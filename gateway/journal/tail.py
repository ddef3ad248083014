"""What stands after the last valid frame of an unsealed segment: nothing, a torn end, or damage.

A torn end is what a writer leaves that was stopped in the middle of an append; nobody was ever
told of its content. Damage is bytes that were once a safe record and are no longer.
"""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from gateway.journal.archive import open_segment
from gateway.journal.errors import JournalUnreadableError
from gateway.journal.frame import (
    FRAME_HEAD,
    FRAME_HEAD_BYTES,
    PAYLOAD_BYTES_MAX,
    Checkpoint,
    Control,
    Header,
    Record,
    Seal,
    SyncMark,
    decode_payload,
)
from gateway.journal.manifest import Durability

_CANDIDATE: Final = re.compile(rb"(?s)(?=...\x00....(?:\x94|[\x90-\x9f]\x00))")
"""Where a frame could begin: a length below 2^24 and the opening of a record or control frame."""


_SEARCH_BYTES_MAX: Final = 1 << 30
"""Bytes that may be summed in search of a frame; only a file made to stall a reader needs more."""


class Tail(NamedTuple):
    """What was found after the last valid frame."""

    torn_bytes: int
    """Bytes from there to the last that is not zero."""
    proof_offset: int | None
    """Offset of a frame which proves that what is before it was safe once; None: torn, or empty."""
    records: int = 0
    """Whole records among the torn bytes: of a batch that no sync has confirmed."""


def examine_tail(path: Path, offset: int, next_seq: int, durability: Durability) -> Tail:
    """Tell a torn end from damage in the bytes of `path` from `offset` on.

    `next_seq` is the record expected there. With `process` durability a record is safe as soon as
    it is stored, so any valid frame further on is proof of damage. With `disk` durability the
    disk may keep later bytes of an unconfirmed batch and lose earlier ones, so only a sync mark
    that vouches for bytes beyond `offset` is proof. Raises JournalUnreadableError, also when the
    bytes look like the beginning of a frame in more places than can be tried.
    """
    try:
        with open_segment(path) as source:
            rest = source.read_at(offset, max(source.size - offset, 0))
    except OSError as error:
        raise JournalUnreadableError(f"{path}: {error.strerror}") from None
    torn_bytes = len(rest.rstrip(b"\x00"))
    records = 0
    for position, payload in frames_within(rest, f"{path} at byte {offset}"):
        try:
            content = decode_payload(payload)
        except JournalUnreadableError:
            content = None
        if _proves(content, offset, next_seq, durability):
            return Tail(torn_bytes, offset + position)
        records += isinstance(content, Record) and content.seq >= next_seq
    return Tail(torn_bytes, None, records)


def frames_within(rest: bytes, place: str) -> Iterator[tuple[int, bytes]]:
    """Yield (position, payload) of every valid frame at whatever byte of `rest` after its first.

    Raises JournalUnreadableError naming `place` when too many places look like the head of one.
    """
    written = rest.rstrip(b"\x00")
    left = _SEARCH_BYTES_MAX
    for match in _CANDIDATE.finditer(written, 1):
        position = match.start()
        length, checksum = FRAME_HEAD.unpack_from(written, position)
        begin = position + FRAME_HEAD_BYTES
        if not 0 < length <= min(PAYLOAD_BYTES_MAX, len(rest) - begin):
            continue
        left -= length
        if left < 0:
            raise JournalUnreadableError(
                f"{place}: torn and damaged can't be told apart in what follows"
            )
        payload = rest[begin : begin + length]
        if zlib.crc32(payload) == checksum:
            yield position, payload


def _proves(
    content: Record | Control | None, offset: int, next_seq: int, durability: Durability
) -> bool:
    match content:
        case None:
            return durability == "process"
        case SyncMark():
            return content.synced_bytes > offset
        case Record():
            return durability == "process" and content.seq >= next_seq
        case Checkpoint():
            return durability == "process" and content.seq >= next_seq - 1
        case Seal():
            return durability == "process" and content.last_seq >= next_seq - 1
        case Header():
            return False
