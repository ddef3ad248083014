"""A venue in a thread: it answers what the load tester asks, and stalls when it is told to."""

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

INFO: Final = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
                {"filterType": "NOTIONAL", "minNotional": "5"},
            ],
        }
    ]
}
TICKERS: Final = [{"symbol": "BTCUSDT", "bidPrice": "100.00", "askPrice": "100.01"}]
ORDER: Final = "/api/v3/order"


class Venue:
    """Accepts every order and cancel.

    `stall_after` orders it answers nothing for `stall_seconds`; what comes meanwhile is answered
    afterwards. `reached` is set once `reach` orders have come. `delay_seconds` is how long each
    answer takes. With `tls` it is encrypted.
    """

    def __init__(
        self,
        stall_after: int = 0,
        stall_seconds: float = 0.0,
        reach: int = 50,
        delay_seconds: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.orders: list[tuple[str, str, dict[str, str]]] = []
        """Method, key and parameters of each order and cancel, as they came."""
        self.cancelled_all: Counter[str] = Counter()
        """Calls that cancel all open orders, by key."""
        self.peers: set[str] = set()
        self.reached = threading.Event()
        self.url = ""
        self._stall = (stall_after, stall_seconds)
        self._reach = reach
        self._delay_seconds = delay_seconds
        self._tls = tls
        self._stalled_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls), self._loop
        ).result()
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._server.close()
            mine = asyncio.current_task()
            others = [task for task in asyncio.all_tasks() if task is not mine]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.add(writer.get_extra_info("peername")[0])
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = head[0].split()
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:])
                }
                parts = urlsplit(target)
                key = headers.get("x-mbx-apikey", "")
                body = json.dumps(self._answer(method, parts.path, parts.query, key)).encode()
                await asyncio.sleep(self._delay_seconds)
                while (rest := self._stalled_until - time.monotonic()) > 0:
                    await asyncio.sleep(rest)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, path: str, query: str, key: str) -> Any:
        if path == "/api/v3/time":
            return {"serverTime": time.time_ns() // 1_000_000}
        if path == "/api/v3/exchangeInfo":
            return INFO
        if path == "/api/v3/ticker/bookTicker":
            return TICKERS
        if path == "/api/v3/openOrders":
            self.cancelled_all[key] += 1
            return []
        assert path == ORDER
        self.orders.append((method, key, dict(parse_qsl(query))))
        after, seconds = self._stall
        if seconds and len(self.orders) == after:
            self._stalled_until = time.monotonic() + seconds
        if len(self.orders) >= self._reach:
            self.reached.set()
        return {}
