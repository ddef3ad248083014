"""One stream that carries messages both ways for as long as a connection lasts."""

import asyncio
from abc import abstractmethod

from loadtest.protocols.grpc_wire import MessageReader, call_headers, ended_text, prefixed
from loadtest.protocols.http2 import Http2Connection, headers_frame
from loadtest.protocols.senders import Senders


class StreamConnection(Http2Connection):
    """A connection with a single stream: opened with it, closed when it ends."""

    path = ""
    """Of the method."""

    def __init__(self, senders: Senders, number: int) -> None:
        super().__init__(senders, number)
        self._stream = 0
        self._reader = MessageReader()
        self._trading = False
        self._ended = asyncio.Event()

    @abstractmethod
    def first_message(self) -> bytes:
        """Return the message that opens the stream."""

    @abstractmethod
    def on_message(self, message: bytes) -> None:
        """Take one message; raises ValueError when it can't be understood."""

    def begin_trading(self) -> None:
        """From now on requests may be sent."""
        self._trading = True
        self.usable()

    @property
    def has_room(self) -> bool:
        """Whether another message may be written."""
        return (
            self._trading
            and not self.going
            and not self.blocked
            and self.windows.get(self._stream, 0) > 0
            and self.window > 0
        )

    def send(self, first: int, count: int, wire: bytes, now_ns: int) -> None:
        """Write a message of some requests."""
        self.sent(range(first, first + count), now_ns)
        self.write_data(self._stream, wire, last=False)

    def say(self, message: bytes) -> None:
        """Write a message that is no request."""
        self.write_data(self._stream, prefixed(message), last=False)

    async def leave(self) -> None:
        """End the stream, and wait until the target has."""
        if self._trading and not self.blocked and self._stream in self.windows:
            self.write_data(self._stream, b"", last=True)
            self._trading = False
            await self._ended.wait()

    # --- Http2Connection ----------------------------------------------------------------------

    def on_settled(self) -> None:
        """Open the stream."""
        self._reader = MessageReader()
        self._ended.clear()
        self._stream = self.open_stream(headers_frame(call_headers(self.senders.target, self.path)))
        self.say(self.first_message())

    def on_headers(self, stream: int, headers: dict[bytes, bytes], *, ended: bool) -> None:
        """The stream has begun, or has ended."""
        if ended or headers.get(b":status", b"200") != b"200":
            self._end(ended_text(headers))

    def on_data(self, stream: int, data: bytes, *, ended: bool) -> None:
        """Take the messages that are whole."""
        try:
            for message in self._reader.feed(data):
                self.on_message(message)
        except ValueError as error:
            self.give_up("malformed answer", f"what it says can't be read: {error}")
            return
        if ended:
            self._end("no status")

    def on_reset(self, stream: int, why: str) -> None:
        """The stream was cut."""
        self._end(why)

    def connection_lost(self, error: Exception | None) -> None:
        """The stream is gone with its connection."""
        self._trading = False
        self._ended.set()
        super().connection_lost(error)

    def _end(self, why: str) -> None:
        self._trading = False
        self._ended.set()
        self.give_up(f"stream ended: {why}", why)
