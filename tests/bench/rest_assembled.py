"""A gate put together from what PyPI has, as a yardstick: `python -m tests.bench.rest_assembled`.

aiohttp on uvloop, HMAC over the raw query, three windows of `limits`, a RiskEngine of
nautilus_trader for each account, lightmatchingengine, and a JSON line a request by the standard
library's logging. What is not installed a sketch replaces. It has neither the rules nor the
promises of the gate: what is left out would only make it dearer.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import uvloop
from aiohttp import web
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from loadtest.keys import read_keys
from tests.bench.assembled_parts import Resting, book_of_parts, checks_of

FAR: Final = "1000000000"
PATH: Final = "/api/v3/order"
RECV_WINDOW_MAX_MS: Final = 60_000


class Assembled:
    """Takes signed placements and cancels of one symbol."""

    def __init__(self, keys: Path, log: Path) -> None:
        self._secrets = {key.name: key.secret.encode() for key in read_keys(keys)}
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._windows = (
            (parse(f"{FAR}/5 minute"), "raw"),
            (parse(f"{FAR}/minute"), "weight"),
            (parse(f"{FAR}/10 second"), "orders"),
        )
        self._checks = checks_of(self._secrets)
        self._book = book_of_parts()
        self._open: dict[tuple[str, str], tuple[Resting, dict[str, str]]] = {}
        self._log = logging.getLogger("assembled")
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        handler = logging.FileHandler(log)
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._log.addHandler(handler)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        query = request.rel_url.raw_query_string
        key = request.headers.get("X-MBX-APIKEY", "")
        payload, _, signature = query.rpartition("&signature=")
        asked = dict(parse_qsl(payload))
        status, answer = self._decide(request.method, key, payload, signature, asked)
        self._log.info(
            "%s",
            json.dumps(
                {
                    "at": time.time_ns(),
                    "address": request.remote,
                    "key": key,
                    "method": request.method,
                    "status": status,
                    "asked": asked,
                    "answer": answer,
                }
            ),
        )
        return web.json_response(answer, status=status)

    def _decide(
        self, method: str, key: str, payload: str, signature: str, asked: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        secret = self._secrets.get(key)
        if secret is None:
            return 401, {"code": -2015}
        right = hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, signature):
            return 401, {"code": -1022}
        if abs(time.time_ns() // 1_000_000 - int(asked["timestamp"])) > RECV_WINDOW_MAX_MS:
            return 400, {"code": -1021}
        for limit, name in self._windows:
            if not self._limiter.hit(limit, name, key):
                return 429, {"code": -1003}
        if method == "DELETE":
            return self._cancel(key, asked["origClientOrderId"])
        return self._place(key, asked)

    def _place(self, key: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        side, name = asked["side"], asked["newClientOrderId"]
        quantity, price = asked["quantity"], asked["price"]
        if not name or not name.isascii():
            return 400, {"code": -1100}
        if (key, name) in self._open:
            return 400, {"code": -2010}
        if not self._checks.passes(key, side, quantity, price, name):
            return 400, {"code": -1013}
        order = self._book.place(side, quantity, price)
        if order is None:
            return 400, {"code": -2010}
        self._open[key, name] = (order, asked)
        return 200, {
            "symbol": asked["symbol"],
            "orderId": order.order_id,
            "clientOrderId": name,
            "transactTime": time.time_ns() // 1_000_000,
        }

    def _cancel(self, key: str, name: str) -> tuple[int, dict[str, Any]]:
        order, placed = self._open.pop((key, name), (None, {}))
        if order is None or not self._book.cancel(order):
            return 400, {"code": -2011}
        return 200, {
            "orderId": order.order_id,
            "origClientOrderId": name,
            "price": placed["price"],
            "origQty": placed["quantity"],
            "side": placed["side"],
            "status": "CANCELED",
        }


async def serve(keys: Path, log: Path) -> None:
    """Serve on a free port, which is printed, until the process is ended."""
    handle = Assembled(keys, log).handle
    application = web.Application()
    application.add_routes([web.post(PATH, handle), web.delete(PATH, handle)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
