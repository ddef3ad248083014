"""Everything somebody without a key can send, at once and for so long.

`python -m tests.attack.strangers REST_PORT GRPC_TARGET SECONDS` floods a gate on this machine from
many addresses of 127.0.0.0/8 and prints how each kind was answered, as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Final

import grpc
import grpc.aio

from gateway.dialects.native.signing import KEY_HEADER, SERVICE, SESSION_PATH, SIGNATURE_HEADER
from tests.fuzz.raw_http import message

PER_ADDRESS: Final = 60
"""Requests from one address before the next one is used."""
DEPTH: Final = 20
"""Requests sent before their answers are read."""
HELD_OPEN: Final = 300
"""Connections over REST, where the gate closes what is too much: more than it is configured for."""
HELD_OPEN_GRPC: Final = 150
"""As HELD_OPEN, over gRPC, where it closes what comes last: fewer."""
KEY: Final = "A" * 64
PING: Final = message("GET", "/api/v3/ping", {})
HEAVY: Final = message("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", {})
UNSIGNED: Final = message("GET", "/api/v3/account?timestamp=1", {})
FORGED: Final = message(
    "POST",
    "/api/v3/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timestamp=1&signature="
    + "0" * 64,
    {"X-MBX-APIKEY": KEY},
)
UNSIGNED_CANCEL: Final = message("DELETE", "/api/v3/openOrders?symbol=BTCUSDT", {})
NO_PATH: Final = message("GET", "/" + "x" * 250, {})
WORDY: Final = message("POST", "/api/v3/order?symbol=" + "%F0%9F%98%80" * 250, {})
NO_HTTP: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"

Wait = Callable[[], bool]


class Strangers:
    """Floods one gate until the time is over."""

    def __init__(self, rest_port: int, grpc_target: str, seconds: float) -> None:
        self.answers: dict[str, Counter[str]] = {}
        self._rest_port = rest_port
        self._grpc_target = grpc_target
        self._ends = time.monotonic() + seconds
        self._numbers = count()

    def over(self) -> bool:
        """Tell whether the time is over."""
        return time.monotonic() >= self._ends

    def address(self) -> str:
        """Return an address that has not been used."""
        number = next(self._numbers)
        return f"127.{66 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"

    async def flood(self) -> None:
        """Do everything at once; one kind of attack that fails does not end the others."""
        attacks: list[tuple[str, Callable[[Counter[str]], Awaitable[None]]]] = [
            ("unsigned", lambda told: self.requests(told, [UNSIGNED, FORGED, UNSIGNED_CANCEL])),
            ("malformed", lambda told: self.requests(told, [NO_PATH, WORDY, NO_PATH, UNSIGNED])),
            ("public", lambda told: self.requests(told, [PING, PING, PING, UNSIGNED])),
            ("one address", lambda told: self.requests(told, [UNSIGNED], "127.65.0.1")),
            ("banned", lambda told: self.requests(told, [HEAVY], "127.65.0.2")),
            ("not HTTP", self.no_http),
            ("held open", self.held_open),
            ("slow head", lambda told: self.slow(told, PING[:-2])),
            ("slow body", lambda told: self.slow(told, _long_body())),
            ("deaf", self.deaf),
            ("gRPC", self.calls),
            ("gRPC sessions", self.sessions),
            ("gRPC connections", self.grpc_connections),
        ]
        await asyncio.gather(*(self._go_on(name, attack) for name, attack in attacks))

    async def _go_on(self, name: str, attack: Callable[[Counter[str]], Awaitable[None]]) -> None:
        told = self.answers[name] = Counter()
        while not self.over():
            try:
                await attack(told)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                told[type(error).__name__] += 1
                await asyncio.sleep(0.01)

    # --- Over HTTP ----------------------------------------------------------------------------

    async def requests(self, told: Counter[str], kinds: list[bytes], local: str = "") -> None:
        """Send requests many at a time over one connection, and read all answers."""
        reader, writer = await self._connect(local or self.address())
        sent = b"".join(kinds[number % len(kinds)] for number in range(DEPTH))
        try:
            for _ in range(PER_ADDRESS // DEPTH):
                writer.write(sent)
                for _ in range(DEPTH):
                    told[await _answer(reader)] += 1
        finally:
            writer.close()

    async def no_http(self, told: Counter[str]) -> None:
        """Send what is no HTTP."""
        reader, writer = await self._connect(self.address())
        writer.write(NO_HTTP)
        told[await _answer(reader)] += 1
        writer.close()

    async def held_open(self, told: Counter[str]) -> None:
        """Open more connections than the gate allows and say nothing, then give way to the others."""
        held = [(await self._connect(self.address()))[1] for _ in range(HELD_OPEN)]
        told["opened"] += len(held)
        for writer in held:
            writer.close()
        await asyncio.sleep(1.0)

    async def slow(self, told: Counter[str], sent: bytes) -> None:
        """Send byte after byte over many connections, never to an end."""
        opened = [await self._connect(self.address()) for _ in range(20)]
        for byte in sent:
            if self.over():
                break
            opened = [one for one in opened if not one[1].is_closing()]
            if not opened:
                break
            for _, writer in opened:
                writer.write(bytes((byte,)))
            told["bytes"] += len(opened)
            await asyncio.sleep(0.05)
        for _, writer in opened:
            writer.close()

    async def deaf(self, told: Counter[str]) -> None:
        """Send without end and read no answer."""
        _, writer = await self._connect(self.address())
        writer.transport.set_write_buffer_limits(1)
        with suppress(TimeoutError):
            while not self.over():
                writer.write(UNSIGNED * 10)
                told["sent"] += 10
                async with asyncio.timeout(1.0):
                    await writer.drain()
        writer.transport.abort()

    async def _connect(self, local: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(10.0):
            return await asyncio.open_connection(
                "127.0.0.1", self._rest_port, local_addr=(local, 0)
            )

    # --- Over gRPC ----------------------------------------------------------------------------

    async def calls(self, told: Counter[str]) -> None:
        """Make calls without a key, with a wrong signature, of no method, and of nonsense."""
        forged = ((KEY_HEADER, KEY), (SIGNATURE_HEADER, "0" * 64))
        async with self._channel() as channel:
            for _ in range(PER_ADDRESS):
                if self.over():
                    break
                for name, metadata in (("Place", ()), ("Cancel", forged), ("Nothing", ())):
                    call = channel.unary_unary(f"/{SERVICE}/{name}")
                    made = call(b"\xff\xff", metadata=metadata, timeout=10.0)
                    told[(await made.code()).name] += 1

    async def sessions(self, told: Counter[str]) -> None:
        """Open sessions and never log on."""
        async with self._channel() as channel:
            opened = [channel.stream_stream(SESSION_PATH)() for _ in range(100)]
            told["opened"] += len(opened)
            while not self.over():
                await asyncio.sleep(0.05)
            for session in opened:
                session.cancel()

    async def grpc_connections(self, told: Counter[str]) -> None:
        """Open connections that never begin to speak HTTP/2, or speak nonsense."""
        host, _, port = self._grpc_target.rpartition(":")
        held = []
        for number in range(HELD_OPEN_GRPC):
            async with asyncio.timeout(10.0):
                local = (self.address(), 0)
                _, writer = await asyncio.open_connection(host, int(port), local_addr=local)
            if number % 2:
                writer.write(NO_HTTP * 100)
            held.append(writer)
            told["opened"] += 1
            if self.over():
                break
            await asyncio.sleep(0.005)
        for writer in held:
            writer.close()

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[grpc.aio.Channel]:
        """Yield a channel that comes from an address of its own, by way of a forwarder."""
        local = self.address()
        server = await asyncio.start_server(
            lambda reader, writer: self._forward(reader, writer, local), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        async with server, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, local: str
    ) -> None:
        host, _, port = self._grpc_target.rpartition(":")
        with suppress(OSError):
            onward = await asyncio.open_connection(host, int(port), local_addr=(local, 0))
            await asyncio.gather(_copy(reader, onward[1]), _copy(onward[0], writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


def _long_body() -> bytes:
    return message("POST", "/api/v3/order", {"Content-Length": "1000000"}) + b"a" * 100_000


async def _answer(reader: asyncio.StreamReader) -> str:
    """Read one answer; return its status."""
    async with asyncio.timeout(20.0):
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    return head[9:12].decode()


if __name__ == "__main__":
    strangers = Strangers(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
    asyncio.run(strangers.flood())
    print(json.dumps(strangers.answers))
