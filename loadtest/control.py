"""Beside the load: the target's market and clock, and the end of what a run has left open."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from loadtest.market import (
    BOOK_TICKER_PATH,
    EXCHANGE_INFO_PATH,
    TIME_PATH,
    Market,
    read_markets,
    read_time_ms,
)
from loadtest.signing import Key
from loadtest.unanswered import reason
from loadtest.units import NS_PER_MS, LoadTestError

OPEN_ORDERS_PATH: Final = "/api/v3/openOrders"
RECV_WINDOW_MS: Final = 60_000
"""The longest the dialect takes: a request that waits for a connection stays valid meanwhile."""
_CONTROL_SECONDS: Final = 10.0


class Control(ABC):
    """What is asked of a target beside the load, while none is sent.

    All of it raises LoadTestError when the target does not answer or can't be understood.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    @abstractmethod
    async def markets(self, wanted: Sequence[str]) -> list[Market]:
        """Return the wanted symbols with their prices, or the first one that trades."""

    @abstractmethod
    async def server_time_ms(self) -> int:
        """Return the target's clock."""

    @abstractmethod
    async def cancel_all(self, keys: Sequence[Key], symbols: Sequence[str]) -> None:
        """Cancel what the runs have left open; a venue without open orders may refuse that."""

    async def server_minus_stopwatch_ns(self) -> int:
        """Return what to add to `time.perf_counter_ns` to get the target's clock."""
        before_ns = time.perf_counter_ns()
        server_ms = await self.server_time_ms()
        return server_ms * NS_PER_MS - (before_ns + time.perf_counter_ns()) // 2


class RestControl(Control):
    """Asks over the Binance dialect's REST."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_CONTROL_SECONDS),
            connector=aiohttp.TCPConnector(limit=4),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def markets(self, wanted: Sequence[str]) -> list[Market]:
        """Return the wanted symbols with their prices, or the first one that trades."""
        info = await self._get(EXCHANGE_INFO_PATH)
        return read_markets(info, await self._get(BOOK_TICKER_PATH), wanted)

    async def server_time_ms(self) -> int:
        """Return the target's clock."""
        answer = await self._get(TIME_PATH)
        try:
            return read_time_ms(answer)
        except (KeyError, TypeError, ValueError):
            raise LoadTestError(f"{self._url}{TIME_PATH} tells no time") from None

    async def cancel_all(self, keys: Sequence[Key], symbols: Sequence[str]) -> None:
        """Cancel what the runs have left open; a venue without open orders may refuse that."""
        offset_ns = await self.server_minus_stopwatch_ns()
        for key in keys:
            for symbol in symbols:
                now_ms = (time.perf_counter_ns() + offset_ns) // NS_PER_MS
                query = signed_query(
                    key,
                    {
                        "symbol": symbol,
                        "recvWindow": str(RECV_WINDOW_MS),
                        "timestamp": str(now_ms),
                    },
                )
                await self._ask("DELETE", f"{OPEN_ORDERS_PATH}?{query}", key.name)

    async def _get(self, path: str) -> Any:
        status, body = await self._ask("GET", path)
        if status != 200:
            raise LoadTestError(f"{self._url}{path} answers {status}")
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise LoadTestError(f"{self._url}{path} is no JSON: {error}") from None

    async def _ask(self, method: str, path: str, key_name: str = "") -> tuple[int, bytes]:
        assert self._http is not None
        headers = {"X-MBX-APIKEY": key_name} if key_name else {}
        url = URL(self._url + path, encoded=True)
        try:
            # A redirect may lead to a host that nobody has stated to be his own.
            async with self._http.request(
                method, url, headers=headers, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LoadTestError(f"{self._url}: {reason(error)}") from None


def signed_query(key: Key, parameters: dict[str, str]) -> str:
    """Return a query string of the Binance dialect with its signature."""
    query = urlencode(parameters)
    return f"{query}&{urlencode({'signature': key.signature(query.encode())})}"
