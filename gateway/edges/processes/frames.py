"""What goes over the socket between core and edge: batches of messages, each in one frame.

A frame is that of the journal, length and checksum before a payload of msgpack. Its payload is an
array of messages, in the order in which they are to be taken.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.journal.frame import FRAME_HEAD, FRAME_HEAD_BYTES, framed

_encode: Final = msgspec.msgpack.Encoder().encode


class LinkBrokenError(Exception):
    """The other side sent what is no frame."""


def batch_frame(messages: Sequence[msgspec.Struct]) -> bytes:
    """Return the frame of some messages."""
    return framed(_encode(messages))


class FrameReader:
    """Turns bytes, in whatever pieces they come, into messages of one kind of sender."""

    def __init__(self, kinds: Any) -> None:
        """Take the union of the messages that are understood."""
        self._decode = msgspec.msgpack.Decoder(list[kinds]).decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Return the messages that are complete now.

        Raises LinkBrokenError when a frame is damaged or says what is not known here.
        """
        buffer = self._buffer
        buffer += data
        found: list[Any] = []
        at, size = 0, len(buffer)
        while size - at >= FRAME_HEAD_BYTES:
            length, checksum = FRAME_HEAD.unpack_from(buffer, at)
            begin = at + FRAME_HEAD_BYTES
            end = begin + length
            if end > size:
                break
            payload = bytes(buffer[begin:end])
            if zlib.crc32(payload) != checksum:
                raise LinkBrokenError(f"a frame of {length} bytes has another checksum")
            try:
                found += self._decode(payload)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise LinkBrokenError(f"a frame's content is not known here: {error}") from None
            at = end
        if at:
            del buffer[:at]
        return found
