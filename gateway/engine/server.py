"""The engine as its own process: the stub's matching exchange behind one gRPC stream."""

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import grpc
import msgspec
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.clock import wall_ns
from gateway.engine.venue import Venue
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from gateway.wire.ordergate.v1 import engine_pb2_grpc

SERVICE: Final = "ordergate.v1.Engine"
POLL_SECONDS: Final = 0.05
"""How often references and depths are looked for."""
ITEMS_PER_MESSAGE: Final = 1_000
LINK_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1_048_576),
    ("grpc.max_send_message_length", 64 * 1_048_576),
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
"""Channel options of both ends of a link: a dead peer is noticed within seconds."""
_SERVER_OPTIONS: Final = (
    *LINK_OPTIONS,
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.so_reuseport", 0),
)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class _Link:
    """One gate's stream: what it is to be told, and whether it still is the one that counts."""

    def __init__(self) -> None:
        self._items: list[wire.EngineItem] = []
        self._ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def tell(self, items: list[wire.EngineItem]) -> None:
        """Put items in the row of what is to be told."""
        if items:
            self._items += items
            self._ready.set()

    async def write_to(self, context: Context) -> None:
        """Tell everything as it comes, until cancelled."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._items:
                batch = self._items[:ITEMS_PER_MESSAGE]
                del self._items[:ITEMS_PER_MESSAGE]
                await context.write(wire.EngineMessage(items=batch))


class EngineServer(engine_pb2_grpc.EngineServicer):
    """Serves a venue to one gate at a time; a new link ends the one before."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self._link: _Link | None = None
        self._server: grpc.aio.Server | None = None
        self._poller: asyncio.Task[None] | None = None
        self._health = health.aio.HealthServicer()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (a free one for port 0); raises OSError when it is taken."""
        server = self._server = grpc.aio.server(options=_SERVER_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = server.add_insecure_port(target)
        except RuntimeError as error:
            raise OSError(f"can't listen on {target}: {error}") from None
        await server.start()
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._poller = asyncio.create_task(self._poll())
        return bound

    async def close(self) -> None:
        """Stop listening and end the link."""
        if self._poller is not None:
            self._poller.cancel()
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            # The library prints a traceback for a call that it has to end itself.
            await self._displace()
            await self._server.stop(0)
            self._server = None

    async def Link(self, request_iterator: object, context: Context) -> None:  # noqa: N802
        """Serve one link from its hello to its end."""
        first = await context.read()
        items = [] if first is grpc.aio.EOF else list(first.items)
        if not items or items[0].WhichOneof("item") != "hello":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first item is not a hello")
        await self._displace()
        link = self._link = _Link()
        link.task = asyncio.current_task()
        writer = asyncio.create_task(link.write_to(context))
        try:
            link.tell(self.venue.greet(items[0].hello))
            self._take(link, items[1:])
            while (message := await context.read()) is not grpc.aio.EOF:
                self._take(link, message.items)
        finally:
            writer.cancel()
            if self._link is link:
                self._link = None

    def publish(self, items: list[wire.EngineItem]) -> None:
        """Tell the gate, if one is linked up, of acts that it did not ask for."""
        if self._link is not None:
            self._link.tell(items)

    async def _displace(self) -> None:
        """End the link there is; nothing it sent and was not read will be read."""
        # While this waits another link may come, and it is then the one to end.
        while (link := self._link) is not None:
            self._link = None
            if link.task is not None:
                link.task.cancel()
                await asyncio.wait((link.task,))

    def _take(self, link: _Link, items: Any) -> None:
        for item in items:
            link.tell(self.venue.take(item))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self._link is not None:
                self.publish(self.venue.poll())


async def serve(
    host: str,
    port: int,
    announce: Callable[[str], None],
    now_ns: Callable[[], int] = wall_ns,
) -> None:
    """Run the engine until SIGINT or SIGTERM; `announce` is given the address it listens on.

    Raises OSError when the port is taken.
    """
    server = EngineServer(Venue(now_ns))
    bound = await server.start(host, port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    announce(f"{host}:{bound}")
    try:
        await stop.wait()
    finally:
        await server.close()


def ready_line(address: str) -> None:
    """Print the one line that says where the engine listens."""
    sys.stdout.write(msgspec.json.encode({"engine": address}).decode() + "\n")
    sys.stdout.flush()
