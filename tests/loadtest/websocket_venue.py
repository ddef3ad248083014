"""A small venue with the form of Binance's WebSocket API on a real socket, in a thread of its own."""

import asyncio
import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from aiohttp import WSMsgType, web

PATH: Final = "/ws-api/v3"
SYMBOL: Final = "BTCUSDT"
_INFO: Final = {
    "symbols": [
        {
            "symbol": SYMBOL,
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00001", "minQty": "0.00001"},
                {"filterType": "NOTIONAL", "minNotional": "5"},
            ],
        }
    ]
}


class RefusedError(Exception):
    """A request is answered with a status and a code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Order:
    """An order that rests."""

    def __init__(self, number: int, params: dict[str, Any]) -> None:
        self.number = number
        self.name = params["newClientOrderId"]
        self.buys = params["side"] == "BUY"
        self.price = Decimal(params["price"])
        self.left = Decimal(params["quantity"])


class WebSocketVenue:
    """Matches limit orders by price and time; `orders_max` are placed before a limit refuses."""

    def __init__(self, secrets: dict[str, str], orders_max: int = 10**9) -> None:
        self.secrets = secrets
        self.orders_max = orders_max
        self.book: dict[str, Order] = {}
        self.placed = 0
        self.filled = 0
        self.cancelled = 0
        self.port = 0

    # --- Requests -----------------------------------------------------------------------------

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        head = {"id": asked.get("id")}
        limits = {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": self.orders_max,
            "count": self.placed,
        }
        try:
            result = self._result(str(asked.get("method")), asked.get("params") or {})
        except RefusedError as error:
            told: dict[str, Any] = {"code": error.code, "msg": str(error)}
            if error.status == 429:
                now_ms = time.time_ns() // 10**6
                told["data"] = {"serverTime": now_ms, "retryAfter": now_ms + 10_000}
            return head | {"status": error.status, "error": told, "rateLimits": [limits]}
        return head | {"status": 200, "result": result, "rateLimits": [limits]}

    def _result(self, method: str, params: dict[str, Any]) -> Any:
        if method == "time":
            return {"serverTime": time.time_ns() // 10**6}
        if method == "exchangeInfo":
            return _INFO
        if method == "ticker.book":
            return [{"symbol": SYMBOL, "bidPrice": "64999.99", "askPrice": "65000.01"}]
        self._check(params)
        if method == "order.place":
            return self._place(params)
        if method == "order.cancel":
            return self._cancel(params)
        if method == "openOrders.cancelAll":
            if not self.book:
                raise RefusedError(400, -2011, "Unknown order sent.")
            gone = [{"clientOrderId": name} for name in self.book]
            self.book.clear()
            return gone
        raise RefusedError(400, -1000, f"Unknown method {method}")

    def _check(self, params: dict[str, Any]) -> None:
        """Raise unless a request is signed, over sorted parameters as they stand, and in time."""
        secret = self.secrets.get(params.get("apiKey", ""))
        if secret is None:
            raise RefusedError(401, -2015, "Invalid API-key, IP, or permissions for action.")
        signed = {name: value for name, value in params.items() if name != "signature"}
        payload = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
        right = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if params.get("signature") != right:
            raise RefusedError(401, -1022, "Signature for this request is not valid.")
        age_ms = time.time_ns() // 10**6 - params["timestamp"]
        if not -1_000 <= age_ms <= params["recvWindow"]:
            raise RefusedError(
                400, -1021, "Timestamp for this request is outside of the recvWindow."
            )

    def _place(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.placed >= self.orders_max:
            raise RefusedError(
                429, -1015, f"Too many new orders; current limit is {self.orders_max}."
            )
        if params["newClientOrderId"] in self.book:
            raise RefusedError(400, -2010, "Duplicate order sent.")
        self.placed += 1
        order = Order(self.placed, params)
        self._match(order)
        if order.left and params["timeInForce"] == "GTC":
            self.book[order.name] = order
        return {"symbol": SYMBOL, "orderId": order.number, "clientOrderId": order.name}

    def _match(self, taker: Order) -> None:
        against = [order for order in self.book.values() if order.buys != taker.buys]
        against.sort(key=lambda order: (-order.price if order.buys else order.price, order.number))
        for maker in against:
            crosses = maker.price <= taker.price if taker.buys else maker.price >= taker.price
            if not crosses or not taker.left:
                return
            traded = min(taker.left, maker.left)
            taker.left -= traded
            maker.left -= traded
            self.filled += 1
            if not maker.left:
                del self.book[maker.name]

    def _cancel(self, params: dict[str, Any]) -> dict[str, Any]:
        order = self.book.pop(params["origClientOrderId"], None)
        if order is None:
            raise RefusedError(400, -2011, "Unknown order sent.")
        self.cancelled += 1
        return {"symbol": SYMBOL, "orderId": order.number, "origClientOrderId": order.name}

    # --- Sockets ------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection."""
        peer = web.WebSocketResponse(compress=True)
        await peer.prepare(request)
        async for message in peer:
            if message.type is WSMsgType.TEXT:
                await self.handle(peer, message.json())
        return peer

    async def handle(self, peer: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Answer one request; venues of a test do otherwise."""
        await peer.send_json(self.answer(asked))


@contextmanager
def running(venue: WebSocketVenue) -> Iterator[str]:
    """Run a venue; yields the URL of its API."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    ending = asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_get(PATH, venue.serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        # Little room, so that a venue that does not read is soon full.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        await web.SockSite(runner, listening).start()
        venue.port = runner.addresses[0][1]
        ready.set()
        await ending.wait()
        await runner.cleanup()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        yield f"ws://127.0.0.1:{venue.port}{PATH}"
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(30)
