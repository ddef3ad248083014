"""Gates with edge processes, and a client that sends and gets bytes."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from gateway.app import Gate
from gateway.clock import Clock, ManualClock
from gateway.config import ListenConfig
from gateway.journal.disk import REAL_DISK, Disk
from tests.gateway.gate_world import config, name_of

PATIENCE_SECONDS: Final = 30.0
ORDER: Final = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "50000",
}
_LENGTH: Final = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n")


class StillClock(ManualClock):
    """Core time that stands still, so that no window ends while a test looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self._still_ns = self.receive_ns()

    def now_ns(self) -> int:
        """Return the core's time."""
        return self._still_ns


@asynccontextmanager
async def edged(
    data: Path,
    edges: int = 2,
    disk: Disk = REAL_DISK,
    clock: Clock | None = None,
    **changes: Any,
) -> AsyncIterator[Gate]:
    """Run a gate with so many edge processes, on a port of its own."""
    listen = ListenConfig(rest_port=0, grpc_port=-1, admin_port=-1, edges=edges)
    gate = Gate(config(data, **{"listen": listen} | changes), clock, disk)
    try:
        await gate.start()
        yield gate
    finally:
        await gate.stop()


def signed(parameters: dict[str, Any], account: str = "alice", at_ms: int = 0) -> str:
    """Return a signed query."""
    query = urlencode(parameters | ({"timestamp": at_ms} if at_ms else {}))
    secret = f"the secret of {account}".encode()
    return f"{query}&signature={hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()}"


def request(
    method: str, target: str, account: str = "alice", body: bytes = b"", *more: str
) -> bytes:
    """Return a request as it goes over the wire, with the key of an account unless it is empty."""
    lines = [f"{method} {target} HTTP/1.1", "Host: gate", *more]
    if account:
        lines.append(f"X-MBX-APIKEY: {name_of(account)}")
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def now_ms(gate: Gate) -> int:
    """Return the time clients stamp their requests with."""
    return gate.clock.receive_ns() // 1_000_000


def placement(gate: Gate, account: str = "alice", **changes: Any) -> bytes:
    """Return a signed order, by default one that rests."""
    return request(
        "POST", f"/api/v3/order?{signed(ORDER | changes, account, now_ms(gate))}", account
    )


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, bodiless: bool = False) -> bytes:
        """Return the next answer whole, nothing when the connection has ended."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                size = int(length[1]) if length and not bodiless else 0
                return head + await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def ask(self, sent: bytes) -> bytes:
        """Send a request and return its answer."""
        self.writer.write(sent)
        return await self.answer(bodiless=sent.startswith(b"HEAD"))


@asynccontextmanager
async def wire(gate: Gate, from_host: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """Connect to a gate's REST port."""
    port = gate.ports["rest"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(from_host, 0))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def ask(gate: Gate, sent: bytes, from_host: str = "127.0.0.1") -> bytes:
    """Send one request over a connection of its own and return its answer."""
    async with wire(gate, from_host) as connection:
        return await connection.ask(sent)


def status(answer: bytes) -> int:
    """Return an answer's status, 0 when there is none."""
    return int(answer[9:12]) if answer else 0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)
