"""Raw connections to the HTTP edge, and a core whose moments a test chooses."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from gateway.outcome import Reply
from rules.events import Event
from tests.gateway.edges.rest_world import RecordingCore, http_edge, serving_with

serving: Final = serving_with(http_edge)
PATIENCE_SECONDS: Final = 10.0
_LENGTH: Final = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n")


class Answer(NamedTuple):
    """One answer as it came."""

    status: int
    head: bytes
    body: bytes

    @property
    def seq(self) -> int:
        """The number of the event it answers, 0 when it answers none."""
        found = re.search(rb"\r\nX-Seq: ([0-9]+)\r\n", self.head)
        return int(found[1]) if found else 0


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, sent: bytes) -> None:
        """Send bytes."""
        self.writer.write(sent)

    async def answer(self, bodiless: bool = False) -> Answer | None:
        """Return the next answer, None when the connection has ended."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                size = int(length[1]) if length and not bodiless else 0
                return Answer(int(head[9:12]), head, await self.reader.readexactly(size))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise AssertionError(f"an answer broke off: {error.partial!r}") from None
            return None

    async def answers(self) -> list[Answer]:
        """Return all answers until the connection ends."""
        found = []
        while (answer := await self.answer()) is not None:
            found.append(answer)
        return found


@asynccontextmanager
async def client(port: int, limit: int = 2**16) -> AsyncIterator[Client]:
    """Connect; the connection is closed in the end, whatever its state."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class WatchedCore(RecordingCore):
    """Calls `on_request` at every request, before it is decided."""

    def __init__(self, on_request: Callable[[], None]) -> None:
        super().__init__()
        self.on_request = on_request

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Take one event."""
        if reply is not None:
            self.on_request()
        super().submit(event, reply)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)
