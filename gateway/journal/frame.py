"""Frames: the unit of a segment, a length, a checksum and one msgpack array.

A frame is `length u32, CRC-32 u32, payload` with little-endian numbers; length and checksum are
of the payload alone. A payload is a record `[seq, now_ns, event, decision]` with `seq >= 1`, or a
control frame `[0, kind, ...]`. A length of 0 is no frame: there the written part ends.
"""

import struct
import zlib
from typing import Any, Final, TypeAlias

import msgspec

from gateway.journal.errors import JournalUnreadableError
from rules.decisions import Decision
from rules.events import AnyEvent

FORMAT_VERSION: Final = 1
"""Version of the frames and of what control frames mean; events and decisions grow without it."""

FRAME_HEAD: Final = struct.Struct("<II")
"""Length and CRC-32 of the payload that follows."""
FRAME_HEAD_BYTES: Final = FRAME_HEAD.size
PAYLOAD_BYTES_MAX: Final = (1 << 24) - 1
"""The longest payload, so that damage to a length cannot claim a whole segment."""

# Kinds of control frames; a number never changes its meaning.
KIND_HEADER: Final = 1
KIND_CHECKPOINT: Final = 2
KIND_SYNC_MARK: Final = 3
KIND_SEAL: Final = 4


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event, the core's time and number for it, and what was decided."""

    seq: int
    now_ns: int
    event: AnyEvent
    decision: Decision


class RecordHead(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a record begins with: enough to pass over it."""

    seq: int
    now_ns: int


class Header(msgspec.Struct, frozen=True, array_like=True):
    """First frame of a segment: whose it is and where it goes on from."""

    format_version: int
    run_id: str
    number: int
    first_seq: int
    previous_digest: bytes = b""
    """Digest in the seal of the segment before, empty in the first."""


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """SHA-256 of all bytes of the segment before this frame, whose last record is `seq`."""

    seq: int
    digest: bytes


class SyncMark(msgspec.Struct, frozen=True, array_like=True):
    """The disk has confirmed the segment's first `synced_bytes` bytes, with records to `seq`."""

    seq: int
    synced_bytes: int


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """Last frame of a segment: nothing is added after it."""

    last_seq: int
    """One less than the header's `first_seq` when the segment holds no record."""
    count: int
    digest: bytes
    """SHA-256 of all bytes of the segment before this frame."""


Control: TypeAlias = Header | Checkpoint | SyncMark | Seal

_CONTROL_TYPES: Final[dict[int, type[Control]]] = {
    KIND_HEADER: Header,
    KIND_CHECKPOINT: Checkpoint,
    KIND_SYNC_MARK: SyncMark,
    KIND_SEAL: Seal,
}
_CONTROL_KINDS: Final = {kind_type: kind for kind, kind_type in _CONTROL_TYPES.items()}

_decode_record = msgspec.msgpack.Decoder(Record).decode
_decode_head = msgspec.msgpack.Decoder(RecordHead).decode
_decode_any = msgspec.msgpack.Decoder(list[Any]).decode
_encode = msgspec.msgpack.Encoder().encode
_UNDECODED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError)
_NO_NUMBER: Final = "a record has the number {}; they begin at 1"


def control_payload(control: Control) -> bytes:
    """Return the payload of a control frame."""
    fields = (getattr(control, name) for name in control.__struct_fields__)
    return _encode([0, _CONTROL_KINDS[type(control)], *fields])


def framed(payload: bytes) -> bytes:
    """Return `payload` with its length and checksum before it."""
    return FRAME_HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def is_control(payload: bytes) -> bool:
    """Tell a control frame from a record without decoding either."""
    return payload[1:2] == b"\x00"


def decode_payload(payload: bytes) -> Record | Control:
    """Return what a payload says.

    Raises JournalUnreadableError when it says nothing this version knows.
    """
    try:
        if is_control(payload):
            return _decoded_control(payload)
        record = _decode_record(payload)
    except _UNDECODED as error:
        raise JournalUnreadableError(f"a frame's content is not known here: {error}") from None
    if record.seq < 1:
        raise JournalUnreadableError(_NO_NUMBER.format(record.seq))
    return record


def decode_head(payload: bytes) -> RecordHead | Control:
    """Return what a payload says, of a record only what it begins with; several times as fast.

    Raises JournalUnreadableError when it says nothing this version knows; what a record says
    further on is not looked at.
    """
    try:
        if is_control(payload):
            return _decoded_control(payload)
        head = _decode_head(payload)
    except _UNDECODED as error:
        raise JournalUnreadableError(f"a frame's content is not known here: {error}") from None
    if head.seq < 1:
        raise JournalUnreadableError(_NO_NUMBER.format(head.seq))
    return head


def _decoded_control(payload: bytes) -> Control:
    fields = _decode_any(payload)
    control_type = _CONTROL_TYPES.get(fields[1]) if isinstance(fields[1], int) else None
    if control_type is None:
        raise JournalUnreadableError(f"{fields[1]!r} is not a kind of control frame known here")
    return msgspec.convert(fields[2:], control_type)
