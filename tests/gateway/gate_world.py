"""A whole gate inside the test's process, on free ports, and a client that signs."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from gateway.app import Gate
from gateway.config import (
    AccountConfig,
    Config,
    InstrumentConfig,
    KeyConfig,
    ListenConfig,
    OverloadConfig,
    RecordConfig,
)
from gateway.journal.disk import REAL_DISK, Disk

NOTHING_SHED: Final = OverloadConfig(orders="0s", queries="0s", market_data="0s")
"""Nothing is shed, however busy the machine is that runs the tests."""
FUNDS = {"BTC": "1000", "USDT": "100000000"}


def name_of(account: str) -> str:
    """Return the API key of an account: 64 letters and digits."""
    return account.ljust(64, "0")


def config(data: Path, **changes: Any) -> Config:
    """Return the configuration of a small venue: one symbol, two funded accounts with keys."""
    settings: dict[str, Any] = {
        "rulebook": "bench",
        "listen": ListenConfig(rest_port=0, grpc_port=0, admin_port=0),
        "overload": NOTHING_SHED,
        "record": RecordConfig(data=data, segment_bytes=1 << 20, durability="process"),
        "instruments": (
            InstrumentConfig(name="BTCUSDT", base="BTC", quote="USDT", previous_close="60000"),
        ),
        "accounts": tuple(AccountConfig(name=name, funds=FUNDS) for name in ("alice", "bob")),
        "keys": tuple(
            KeyConfig(
                name=name_of(name),
                account=name,
                secret=f"the secret of {name}",
                permissions=("read", "trade"),
            )
            for name in ("alice", "bob")
        ),
    }
    return Config(**settings | changes)


@asynccontextmanager
async def running(configured: Config, disk: Disk = REAL_DISK) -> AsyncIterator[Gate]:
    """Run a gate; its record is written to `disk`."""
    gate = Gate(configured, disk=disk)
    try:
        await gate.start()
        yield gate
    finally:
        await gate.stop()


class Told(NamedTuple):
    """One answer."""

    status: int
    body: Any
    headers: Any


class Client:
    """Asks a gate's REST port as one account."""

    def __init__(self, gate: Gate, account: str = "alice") -> None:
        self._gate = gate
        self._url = f"http://127.0.0.1:{gate.ports['rest']}"
        self._account = account

    async def ask(self, method: str, path: str, **parameters: Any) -> Told:
        """Send one signed request."""
        sent_ms = self._gate.clock.receive_ns() // 1_000_000
        query = urlencode(parameters | {"timestamp": sent_ms, "recvWindow": 60_000})
        secret = f"the secret of {self._account}".encode()
        signature = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        url = URL(f"{self._url}{path}?{query}&signature={signature}", encoded=True)
        headers = {"X-MBX-APIKEY": name_of(self._account)}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers) as response,
        ):
            return Told(response.status, await response.json(), response.headers)

    async def place(self, price: int = 50_000, **changes: Any) -> Told:
        """Place an order, by default one that rests."""
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        terms |= {"quantity": "0.001", "price": str(price)}
        return await self.ask("POST", "/api/v3/order", **terms | changes)

    async def cancel_all(self) -> Told:
        """Cancel all orders."""
        return await self.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")

    async def balance(self, asset: str) -> tuple[str, str]:
        """Return what is free and what is locked of an asset."""
        told = await self.ask("GET", "/api/v3/account")
        for line in told.body["balances"]:
            if line["asset"] == asset:
                return line["free"], line["locked"]
        return "0", "0"
