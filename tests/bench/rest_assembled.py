"""A gate put together from what PyPI has, as a yardstick: `python -m tests.bench.rest_assembled`.

aiohttp on uvloop, HMAC over the raw query, three windows of `limits`, prices and quantities as
Decimal with a handful of checks, a price-time book on `sortedcontainers`, and a JSON line a request
by the standard library's logging. It has neither the rules nor the promises of the gate: what is
left out would only make it dearer.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import uvloop
from aiohttp import web
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from sortedcontainers import SortedDict

from loadtest.keys import read_keys

FAR: Final = "1000000000"
TICK: Final = Decimal("0.01")
STEP: Final = Decimal("0.00001")
NOTIONAL_MIN: Final = Decimal(5)
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
        self._open: dict[tuple[str, str], tuple[str, Decimal, int, Decimal]] = {}
        self._levels: dict[str, Any] = {"BUY": SortedDict(), "SELL": SortedDict()}
        self._last_id = 0
        self._log = logging.getLogger("assembled")
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        handler = logging.FileHandler(log)
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._log.addHandler(handler)

    async def handle(self, request: web.BaseRequest) -> web.Response:
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
        price, quantity = Decimal(asked["price"]), Decimal(asked["quantity"])
        if price % TICK or quantity % STEP or price * quantity < NOTIONAL_MIN:
            return 400, {"code": -1013}
        side, name = asked["side"], asked["newClientOrderId"]
        other = self._levels["SELL" if side == "BUY" else "BUY"]
        if other and (
            other.peekitem(0)[0] <= price if side == "BUY" else other.peekitem(-1)[0] >= price
        ):
            return 400, {"code": -2010}
        self._last_id += 1
        self._levels[side].setdefault(price, {})[self._last_id] = quantity
        self._open[key, name] = (side, price, self._last_id, quantity)
        return 200, {
            "symbol": asked["symbol"],
            "orderId": self._last_id,
            "clientOrderId": name,
            "transactTime": time.time_ns() // 1_000_000,
        }

    def _cancel(self, key: str, name: str) -> tuple[int, dict[str, Any]]:
        found = self._open.pop((key, name), None)
        if found is None:
            return 400, {"code": -2011}
        side, price, number, quantity = found
        level = self._levels[side][price]
        del level[number]
        if not level:
            del self._levels[side][price]
        return 200, {
            "orderId": number,
            "origClientOrderId": name,
            "price": str(price),
            "origQty": str(quantity),
            "side": side,
            "status": "CANCELED",
        }


async def serve(keys: Path, log: Path) -> None:
    """Serve on a free port, which is printed, until the process is ended."""
    runner = web.ServerRunner(web.Server(Assembled(keys, log).handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
