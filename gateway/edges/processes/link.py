"""One end of the socket between the core and an edge process."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from gateway.edges.processes.frames import FrameReader, LinkBrokenError, batch_frame
from gateway.edges.processes.messages import Message

_logger: Final = logging.getLogger(__name__)


class Link(asyncio.Protocol):
    """Sends what is said within one turn of the loop as one frame, and takes what comes.

    `kinds` is the union of messages that are understood, `take` gets those of a read, `lost` is
    told once that the other side has gone. `instead` returns what is sent in place of a message
    that can't be encoded. `crowded` is called with whether what was sent waits to be taken.
    """

    def __init__(
        self,
        kinds: Any,
        take: Callable[[list[Any]], None],
        lost: Callable[[], None],
        instead: Callable[[Message], Message | None] = lambda _: None,
        crowded: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._reader = FrameReader(kinds)
        self._take = take
        self._lost = lost
        self._instead = instead
        self._crowded = crowded
        self._outgoing: list[Message] = []
        self._planned = False
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    async def open(self, end: socket.socket) -> None:
        """Begin to use one end of a pair of sockets."""
        await self._loop.create_unix_connection(lambda: self, sock=end)

    # --- What the transport calls -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note that the socket can be used."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that are complete."""
        try:
            messages = self._reader.feed(data)
        except LinkBrokenError:
            _logger.exception("the socket between core and edge process is closed")
            self.abort()
            return
        if messages:
            self._take(messages)

    def pause_writing(self) -> None:
        """Say that the other side does not take what was sent."""
        self._crowded(True)

    def resume_writing(self) -> None:
        """Say that it has."""
        self._crowded(False)

    def connection_lost(self, error: Exception | None) -> None:
        """Say that the other side has gone."""
        self._transport = None
        self._outgoing.clear()
        self._lost()

    # --- What this side calls -----------------------------------------------------------------

    @property
    def open_now(self) -> bool:
        """Whether the other side is there."""
        return self._transport is not None

    def send(self, message: Message) -> None:
        """Send a message with all others of this turn."""
        self._outgoing.append(message)
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self.flush)

    def hold(self) -> None:
        """Send nothing until `flush` is called, within this turn."""
        self._planned = True

    def flush(self) -> None:
        """Send what there is."""
        self._planned = False
        outgoing = self._outgoing
        if not outgoing:
            return
        self._outgoing = []
        if self._transport is None:
            return
        try:
            frame = batch_frame(outgoing)
        except (TypeError, ValueError, OverflowError):
            frame = batch_frame(self._encodable(outgoing))
        self._transport.write(frame)

    def close(self) -> None:
        """Send what there is, then close."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _encodable(self, messages: list[Message]) -> list[Message]:
        """Return messages with something else in place of each that can't be encoded."""
        found: list[Message] = []
        for message in messages:
            try:
                batch_frame([message])
            except (TypeError, ValueError, OverflowError):
                _logger.exception("%s can't be sent", type(message).__name__)
                other = self._instead(message)
                if other is not None:
                    found.append(other)
            else:
                found.append(message)
        return found
