"""A server of HTTP/2 built on `h2`, which checks every rule that the tester's own half must keep."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from loadtest.protocols.grpc_calls import CallsSenders
from loadtest.protocols.grpc_wire import call_headers, prefixed
from loadtest.protocols.http2 import headers_frame
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.samples import Samples
from loadtest.target import Target, parse_target
from loadtest.units import NS_PER_MS

Handler = Callable[["Peer", int], Awaitable[None] | None]
OK = (("grpc-status", "0"), ("x-ordergate-decision", "d"))


class Peer:
    """One connection; `on_call` is called with each stream that the client has ended."""

    def __init__(self, venue: "Venue", reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.venue = venue
        self.reader = reader
        self.writer = writer
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.settings: dict[int, int] = dict(venue.settings)

    async def serve(self) -> None:
        """Serve until the client goes."""
        self.h2.initiate_connection()
        if self.settings:
            self.h2.update_settings(self.settings)
        self.flush()
        while data := await self.reader.read(65_536):
            try:
                events = self.h2.receive_data(data)
            except ProtocolError as error:
                self.venue.faults.append(repr(error))
                return
            for event in events:
                self.take(event)
            self.flush()

    def take(self, event: Any) -> None:
        """Keep what was asked; answer what is whole."""
        venue = self.venue
        if isinstance(event, RequestReceived):
            assert event.stream_id is not None
            venue.asked.append((dict(event.headers), bytearray()))
            venue.by_stream[self, event.stream_id] = len(venue.asked) - 1
        elif isinstance(event, DataReceived):
            venue.asked[venue.by_stream[self, event.stream_id]][1].extend(event.data)
            venue.pieces.append(len(event.data))
            if venue.gives_room:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamReset):
            venue.resets.append(int(event.error_code))
        elif isinstance(event, StreamEnded):
            done = venue.handler(self, event.stream_id)
            if done is not None:
                venue.tasks.append(asyncio.ensure_future(done))

    def answer(
        self, stream: int, trailers: Sequence[tuple[str, str]] = OK, message: bytes | None = b"x"
    ) -> None:
        """Answer a call."""
        self.h2.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        if message is not None:
            self.h2.send_data(stream, prefixed(message))
        self.h2.send_headers(stream, trailers, end_stream=True)
        self.flush()

    def flush(self) -> None:
        """Write what there is to say."""
        self.writer.write(self.h2.data_to_send())


class Venue:
    """Does with each call what its handler says."""

    def __init__(self, handler: Handler, settings: dict[int, int], *, gives_room: bool) -> None:
        self.handler = handler
        self.settings = settings
        self.gives_room = gives_room
        self.asked: list[tuple[dict[bytes, bytes], bytearray]] = []
        self.by_stream: dict[tuple[Peer, int], int] = {}
        self.pieces: list[int] = []
        self.resets: list[int] = []
        self.faults: list[str] = []
        self.peers: list[Peer] = []
        self.tasks: list[asyncio.Future[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        peer = Peer(self, reader, writer)
        self.peers.append(peer)
        try:
            await peer.serve()
        except ConnectionError:
            pass
        finally:
            writer.close()


def call(target: Target, message: bytes = b"m") -> bytes:
    """A call as it is rendered."""
    return headers_frame(call_headers(target, "/s/Place")) + prefixed(message)


def sent_to(
    handler: Handler,
    times_ms: Sequence[int],
    *,
    connections: int = 1,
    timeout_ms: int = 2_000,
    settings: dict[int, int] | None = None,
    message: bytes = b"m",
    gives_room: bool = True,
) -> tuple[Samples, Venue, Senders]:
    """Make a call at each time to a server of this process."""

    async def session() -> tuple[Samples, Venue, Senders]:
        venue = Venue(handler, settings or {}, gives_room=gives_room)
        server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = parse_target(
            f"grpc://127.0.0.1:{port}", grpc="unary", control="http://127.0.0.1:1"
        )
        senders = CallsSenders(target, Ways(connections, timeout_ms * NS_PER_MS))
        samples = Samples(array("q", [at * NS_PER_MS for at in times_ms]))
        await senders.connect()
        try:
            await senders.run(samples, Rendered([call(target, message)] * len(times_ms)), 0)
        finally:
            await senders.close()
            for task in venue.tasks:
                task.cancel()
            server.close()
            await server.wait_closed()
        return samples, venue, senders

    return asyncio.run(session())


def labels(samples: Samples) -> list[tuple[str, str]]:
    """Return how each request ended."""
    return [samples.label_names[number] for number in samples.labels]
