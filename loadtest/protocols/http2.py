"""The client's half of an HTTP/2 connection (RFC 9113), as far as gRPC needs it.

`h2` would do all of this, but a call costs it three times as much (`python -m tests.bench.http2`),
and the tester's cost bounds what it can measure. So frames and headers are read by the libraries
beneath it, `hyperframe` and `hpack`; what is kept here is flow control and which streams are open.

What is sent is made beforehand: headers as a block that refers to no dynamic table, so that it
means the same on any connection.
"""

import asyncio
import struct
from abc import abstractmethod
from collections import deque
from typing import Final

from hpack import Decoder, Encoder, HPACKError
from hyperframe import frame as frames
from hyperframe.exceptions import HyperframeError

from loadtest.protocols.senders import Pipeline, Senders
from loadtest.units import LoadTestError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_MAX: Final = 2**31 - 1
STREAM_MAX: Final = 2**31 - 1
FRAME_MAX: Final = 16_384
"""Bytes of a frame's payload that are taken, as long as nothing else was agreed on."""
BLOCK_MAX: Final = 65_536
"""Bytes of a header block, over all its frames."""
_WINDOW_START: Final = 65_535
_HEADER: Final = 9
_TOP_UP: Final = 2**30
"""Bytes after which the target is given new room to send."""
_FRAME: Final = struct.Struct(">HBBBL")
_STREAM: Final = struct.Struct(">L")

_DATA, _HEADERS, _RST_STREAM, _SETTINGS = 0, 1, 3, 4
_END_STREAM, _END_HEADERS = 1, 4


class Http2Error(Exception):
    """The target broke the rules of HTTP/2."""


def headers_frame(headers: list[tuple[str, str]]) -> bytes:
    """Return a HEADERS frame of a request on stream 0; the stream is written in when it is sent."""
    block = Encoder().encode([(name, value, True) for name, value in headers], huffman=False)
    if len(block) > FRAME_MAX:
        raise ValueError(f"headers of {len(block)} bytes; at most {FRAME_MAX} fit a frame")
    return _frame(_HEADERS, _END_HEADERS, 0, len(block)) + block


def _frame(kind: int, flags: int, stream: int, length: int) -> bytes:
    """Return the head of a frame."""
    return _FRAME.pack(length >> 8, length & 0xFF, kind, flags, stream)


class Http2Connection(Pipeline):
    """One connection. What arrives on streams goes to the methods a protocol overrides."""

    def __init__(self, senders: Senders, number: int) -> None:
        super().__init__(senders, number)
        self._reset()

    def _reset(self) -> None:
        """Begin a new connection."""
        self._known = asyncio.Event()
        """Set when it is known whether requests may be sent."""
        self._why_not = ""
        self.windows: dict[int, int] = {}
        """By open stream: how much may still be sent on it."""
        self.settled = False
        """Whether the target has told its settings."""
        self.going = False
        """Whether the target takes no new streams."""
        self.streams_max = STREAM_MAX
        self._next_stream = 1
        self.window = _WINDOW_START
        self._window_start = _WINDOW_START
        self._frame_max = FRAME_MAX
        self._outbox: deque[tuple[int, bytes, bool]] = deque()
        """What waits for room at the target: stream, what is left of a message, is it the last."""
        self._received = 0
        self._received_on: dict[int, int] = {}
        self._buffer = b""
        self._decoder = Decoder(BLOCK_MAX)
        self._block: list[bytes] = []
        self._block_stream = 0
        self._block_ends = False

    # --- For protocols ------------------------------------------------------------------------

    async def ready(self) -> None:
        """Return once requests may be sent; raises LoadTestError when they never may."""
        await self._known.wait()
        if self._why_not:
            raise LoadTestError(self._why_not)

    def usable(self) -> None:
        """From now on requests may be sent."""
        self._known.set()
        self.senders.freed(self, self.senders.now_ns())

    def broken(self, why: str) -> None:
        """Note why a connection is given up; only the first reason counts, and only at first."""
        if not self._known.is_set():
            self._why_not = why
            self._known.set()

    @abstractmethod
    def on_settled(self) -> None:
        """The target has told its settings: streams may be opened."""

    @abstractmethod
    def on_headers(self, stream: int, headers: dict[bytes, bytes], *, ended: bool) -> None:
        """Headers or trailers have come on an open stream; of doubled names the last counts."""

    @abstractmethod
    def on_data(self, stream: int, data: bytes, *, ended: bool) -> None:
        """Data has come on an open stream."""

    @abstractmethod
    def on_reset(self, stream: int, why: str) -> None:
        """The target has ended an open stream, or never took it; it is closed already."""

    def open_stream(self, headers: bytes) -> int:
        """Write the headers that open a stream, and return its number."""
        assert self.transport is not None
        stream = self._next_stream
        self._next_stream += 2
        self.windows[stream] = self._window_start
        self.transport.write(headers[:5] + _STREAM.pack(stream) + headers[_HEADER:])
        return stream

    def write_data(self, stream: int, data: bytes, *, last: bool) -> None:
        """Write data on an open stream as far as the target has room; the rest follows."""
        length = len(data)
        window = self.windows[stream]
        if not self._outbox and length <= min(window, self.window, self._frame_max):
            self._write_frame(stream, data, last=last)
        else:
            self._outbox.append((stream, data, last))
            self._flush()

    def close_stream(self, stream: int, reason: int | None = None) -> None:
        """Forget a stream; `reason` is the error code that the target is told, if any."""
        if self.windows.pop(stream, None) is None:
            return
        self._received_on.pop(stream, None)
        if self._outbox:
            self._outbox = deque(each for each in self._outbox if each[0] != stream)
        if reason is not None and self.transport is not None:
            self.transport.write(_frame(_RST_STREAM, 0, stream, 4) + _STREAM.pack(reason))
        if self.going and not self.windows:
            self.abort()

    @property
    def may_open(self) -> bool:
        """Whether another stream may be opened and written to."""
        return (
            self.settled
            and not self.going
            and not self.blocked
            and self.window > 0
            and len(self.windows) < self.streams_max
            and self._next_stream <= STREAM_MAX
        )

    @property
    def blocked(self) -> bool:
        """Whether something that was written waits for room at the target."""
        return bool(self._outbox) or self.paused

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        super().connection_made(transport)
        assert self.transport is not None
        self._reset()
        settings = frames.SettingsFrame(
            settings={
                frames.SettingsFrame.ENABLE_PUSH: 0,
                frames.SettingsFrame.INITIAL_WINDOW_SIZE: WINDOW_MAX,
                frames.SettingsFrame.MAX_HEADER_LIST_SIZE: BLOCK_MAX,
            }
        )
        room = frames.WindowUpdateFrame(0, window_increment=WINDOW_MAX - _WINDOW_START)
        self.transport.write(PREFACE + settings.serialize() + room.serialize())

    def data_received(self, data: bytes) -> None:
        """Read the frames that are whole."""
        try:
            self._read(data)
        except (HyperframeError, HPACKError, Http2Error) as error:
            self.give_up("malformed answer", f"what it says is no HTTP/2: {error}")

    def give_up(self, label: str, why: str) -> None:
        """Close a connection that is of no use; what is under way ends as an error."""
        self.going = True
        self.broken(why)
        self.fail_all(label)
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """End what was under way, and connect again."""
        self.settled = False
        self.windows.clear()
        self._outbox.clear()
        self.broken("the connection is lost")
        super().connection_lost(error)

    # --- Frames -------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        whole = self._buffer + data if self._buffer else data
        view, at = memoryview(whole), 0
        while len(whole) - at >= _HEADER:
            frame, length = frames.Frame.parse_frame_header(view[at : at + _HEADER])
            if length > FRAME_MAX:
                raise Http2Error(f"a frame of {length} bytes; at most {FRAME_MAX} were agreed on")
            end = at + _HEADER + length
            if len(whole) < end:
                break
            frame.parse_body(view[at + _HEADER : end])
            at = end
            self._take(frame, length)
            if self.transport is None or self.transport.is_closing():
                at = len(whole)
        self._buffer = whole[at:]

    def _take(self, frame: frames.Frame, length: int) -> None:
        if self._block_stream:
            if not isinstance(frame, frames.ContinuationFrame):
                raise Http2Error("a header block is interrupted")
            self._take_block(frame)
        elif isinstance(frame, frames.DataFrame):
            self._take_data(frame, length)
        elif isinstance(frame, frames.HeadersFrame):
            self._take_block(frame)
        elif isinstance(frame, frames.SettingsFrame):
            self._take_settings(frame)
        elif isinstance(frame, frames.WindowUpdateFrame):
            self._take_window(frame)
        elif isinstance(frame, frames.PingFrame):
            self._take_ping(frame)
        elif isinstance(frame, frames.RstStreamFrame):
            self._check_stream(frame.stream_id)
            if frame.stream_id in self.windows:
                self.close_stream(frame.stream_id)
                self.on_reset(frame.stream_id, f"reset by the target, code {frame.error_code}")
        elif isinstance(frame, frames.GoAwayFrame):
            self._take_goaway(frame)
        elif isinstance(frame, (frames.PushPromiseFrame, frames.ContinuationFrame)):
            raise Http2Error(f"a {type(frame).__name__} out of place")

    def _check_stream(self, stream: int) -> None:
        """Raise unless a stream was opened at some time; only the client opens any."""
        if stream % 2 == 0 or stream >= self._next_stream:
            raise Http2Error(f"stream {stream} was never opened")

    def _take_data(self, frame: frames.DataFrame, length: int) -> None:
        stream = frame.stream_id
        self._check_stream(stream)
        self._received += length
        if self._received >= _TOP_UP:
            self._give_room(0, self._received)
            self._received = 0
        if stream not in self.windows:
            return
        ended = "END_STREAM" in frame.flags
        received = self._received_on.get(stream, 0) + length
        if received >= _TOP_UP and not ended:
            self._give_room(stream, received)
            received = 0
        self._received_on[stream] = received
        self.on_data(stream, frame.data, ended=ended)

    def _take_block(self, frame: frames.HeadersFrame | frames.ContinuationFrame) -> None:
        if not self._block_stream:
            self._check_stream(frame.stream_id)
            self._block_stream = frame.stream_id
            self._block_ends = "END_STREAM" in frame.flags
        elif frame.stream_id != self._block_stream:
            raise Http2Error("a header block goes on in another stream")
        self._block.append(frame.data)
        if sum(map(len, self._block)) > BLOCK_MAX or len(self._block) > BLOCK_MAX // FRAME_MAX * 4:
            raise Http2Error(f"a header block of more than {BLOCK_MAX} bytes")
        if "END_HEADERS" not in frame.flags:
            return
        stream, ends, block = self._block_stream, self._block_ends, b"".join(self._block)
        self._block_stream, self._block = 0, []
        # Read even of a stream that has ended: it changes the table that others refer to.
        headers = self._decoder.decode(block, raw=True)
        if stream in self.windows:
            self.on_headers(stream, {bytes(n): bytes(v) for n, v in headers}, ended=ends)

    def _take_settings(self, frame: frames.SettingsFrame) -> None:
        if "ACK" in frame.flags:
            return
        assert self.transport is not None
        told = frame.settings
        if (frame_max := told.get(frame.MAX_FRAME_SIZE)) is not None:
            if not FRAME_MAX <= frame_max < 2**24:
                raise Http2Error(f"frames of {frame_max} bytes are out of range")
            self._frame_max = frame_max
        if (start := told.get(frame.INITIAL_WINDOW_SIZE)) is not None:
            if start > WINDOW_MAX:
                raise Http2Error(f"a window of {start} bytes is out of range")
            for stream in self.windows:
                self._widen(stream, start - self._window_start)
            self._window_start = start
        self.streams_max = told.get(frame.MAX_CONCURRENT_STREAMS, self.streams_max)
        self.transport.write(_frame(_SETTINGS, 1, 0, 0))
        if not self.settled:
            self.settled = True
            self.on_settled()
        self._flush()

    def _take_window(self, frame: frames.WindowUpdateFrame) -> None:
        stream = frame.stream_id
        if stream:
            self._check_stream(stream)
            if stream in self.windows:
                self._widen(stream, frame.window_increment)
        else:
            self.window += frame.window_increment
            if self.window > WINDOW_MAX:
                raise Http2Error("the connection's window passes its bound")
        self._flush()

    def _widen(self, stream: int, by: int) -> None:
        self.windows[stream] += by
        if self.windows[stream] > WINDOW_MAX:
            raise Http2Error(f"the window of stream {stream} passes its bound")

    def _take_ping(self, frame: frames.PingFrame) -> None:
        if "ACK" not in frame.flags:
            assert self.transport is not None
            answer = frames.PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"])
            self.transport.write(answer.serialize())

    def _take_goaway(self, frame: frames.GoAwayFrame) -> None:
        """Open no more streams; those the target will not look at have failed."""
        self.going = True
        why = f"the target goes away, code {frame.error_code}"
        self.broken(why)
        for stream in [each for each in self.windows if each > frame.last_stream_id]:
            self.close_stream(stream)
            self.on_reset(stream, why)
        if not self.windows:
            self.abort()

    # --- Room ---------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Write what has waited, as far as there is room."""
        while self._outbox:
            stream, data, last = self._outbox[0]
            size = min(len(data), self.windows[stream], self.window, self._frame_max)
            if size <= 0 and data:
                return
            self._write_frame(stream, data[:size], last=last and size == len(data))
            if size < len(data):
                self._outbox[0] = (stream, data[size:], last)
            else:
                self._outbox.popleft()
        self.senders.freed(self, self.senders.now_ns())

    def _write_frame(self, stream: int, data: bytes, *, last: bool) -> None:
        assert self.transport is not None
        self.windows[stream] -= len(data)
        self.window -= len(data)
        flags = _END_STREAM if last else 0
        self.transport.write(_frame(_DATA, flags, stream, len(data)) + data)

    def _give_room(self, stream: int, size: int) -> None:
        """Let the target send as much again."""
        assert self.transport is not None
        self.transport.write(frames.WindowUpdateFrame(stream, window_increment=size).serialize())
