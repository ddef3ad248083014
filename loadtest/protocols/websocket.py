"""Order entry over WebSocket, in the form of Binance's WebSocket API (`/ws-api/v3`).

Every request is a text frame of its own with an id; answers name that id and come in any order.
Frames are made beforehand. `websockets` reads what comes and keeps the rules of the protocol,
without any I/O of its own.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from loadtest.control import Control, RestControl
from loadtest.market import Market
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.rest import order_parameters
from loadtest.protocols.senders import Pipeline, Rendered, Senders, Ways
from loadtest.protocols.websocket_control import WebSocketControl, signed_parameters
from loadtest.samples import classify_status
from loadtest.units import LoadTestError
from loadtest.workload import Intent, Placement

PLACE: Final = "order.place"
CANCEL: Final = "order.cancel"
MESSAGE_MAX: Final = 1_048_576
"""Bytes of a message that is taken."""


_NUMBERS: Final = ("timestamp", "recvWindow")
"""Parameters that are numbers; all others are texts."""


class _Error(msgspec.Struct):
    code: int = 0


class _Answer(msgspec.Struct):
    """The part of an answer that is read."""

    id: Any = None
    status: int = 0
    error: _Error | None = None


_ANSWERS: Final = msgspec.json.Decoder(_Answer)


class WebSocketProtocol(Protocol):
    """Order entry over WebSocket."""

    name = "WebSocket"

    def control(self) -> Control:
        """Return what tells market and clock: the target itself, or a REST API that is named."""
        if self.target.control:
            return RestControl(self.target.control)
        return WebSocketControl(self.target.full_url)

    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return each request as a masked text frame; its id is its number in the run."""
        return Rendered([_frame(intent, epoch_ns) for intent in intents])

    def senders(self, ways: Ways, markets: Sequence[Market]) -> Senders:
        """Return connections that are yet to be opened."""
        return WebSocketSenders(self.target, ways)


def _frame(intent: Intent, epoch_ns: int) -> bytes:
    parameters: dict[str, str | int] = dict(order_parameters(intent, epoch_ns))
    for name in _NUMBERS:
        parameters[name] = int(parameters[name])
    request = {
        "id": intent.number,
        "method": PLACE if isinstance(intent, Placement) else CANCEL,
        "params": signed_parameters(intent.key, parameters),
    }
    return Frame(Opcode.TEXT, msgspec.json.encode(request)).serialize(mask=True)


class WebSocketSenders(Senders):
    """Connections that carry any number of requests at a time."""

    def make(self, number: int) -> "WebSocketConnection":
        """Return a connection that is yet to be opened."""
        return WebSocketConnection(self, number)


class WebSocketConnection(Pipeline):
    """One connection."""

    def __init__(self, senders: Senders, number: int) -> None:
        super().__init__(senders, number)
        self._uri = parse_uri(senders.target.full_url)
        self._reset()

    def _reset(self) -> None:
        self._protocol = ClientProtocol(self._uri, max_size=MESSAGE_MAX)
        self._known = asyncio.Event()
        """Set when it is known whether requests may be sent."""
        self._fragments: list[bytes] = []
        self._closed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether another request may be sent."""
        return self._protocol.state is State.OPEN and not self.paused

    def send(self, first: int, count: int, wire: bytes, now_ns: int) -> None:
        """Write a request."""
        assert count == 1
        assert self.transport is not None
        self.sent((first,), now_ns)
        self.transport.write(wire)

    async def ready(self) -> None:
        """Return once the handshake is done; raises LoadTestError when it fails."""
        await self._known.wait()
        if self._protocol.state is not State.OPEN:
            why = self._protocol.handshake_exc or "the connection was closed at once"
            raise LoadTestError(f"no WebSocket: {why}")

    async def leave(self) -> None:
        """Close as the protocol wants it, and wait until the target has."""
        if self.transport is not None and self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._write()
            await self._closed.wait()

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        super().connection_made(transport)
        self._reset()
        self._protocol.send_request(self._protocol.connect())
        self._write()

    def data_received(self, data: bytes) -> None:
        """Take the frames that are whole."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._known.set()
                self.senders.freed(self, self.senders.now_ns())
            elif isinstance(event, Frame):
                self._take(event)
        self._write()
        if self._protocol.parser_exc is not None:
            self.fail_all("malformed answer")
            self.abort()

    def eof_received(self) -> None:
        """The target writes no more; what is cut off by that is no answer."""
        self._protocol.receive_eof()
        self._write()

    def connection_lost(self, error: Exception | None) -> None:
        """End what was under way, and connect again."""
        told = self._protocol.close_rcvd
        if told is not None:
            self.fail_all(f"closed by the target, code {told.code} {told.reason}".rstrip())
        self._protocol.state = State.CLOSED
        self._known.set()
        self._closed.set()
        super().connection_lost(error)

    def _write(self) -> None:
        if self.transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                # The library's word for the end of what is sent.
                self.transport.close()

    # --- Answers ------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        """Take a frame; pings and closes are answered by the library."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return
        message, self._fragments = b"".join(self._fragments), []
        now_ns = self.senders.now_ns()
        try:
            answer = _ANSWERS.decode(message)
        except msgspec.DecodeError:
            # It can't be told which request it answers: those end when their time is up.
            return
        if type(answer.id) is int:
            code = answer.error.code if answer.error is not None else 0
            self.answered(answer.id, now_ns, *classify_status(answer.status, code))
