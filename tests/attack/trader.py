"""A well-behaved client with a key: places orders and cancels them, and minds every answer."""

import time
from typing import Final

from gateway.play import Credentials
from tests.attack.venue import KEY, SECRET
from tests.fuzz.raw_http import Answer, Wire, message

ADDRESS: Final = "127.200.0.1"
PAUSE_SECONDS: Final = 0.12
"""Between orders: the venue takes 100 in ten seconds."""
ORDERS_PER_CONNECTION: Final = 7
WEIGHT_HEADER: Final = "x-mbx-used-weight-1m"


class Trader:
    """Trades over one connection after the other, so that it must also get in anew."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self.answered = 0
        self.latencies_ms: list[float] = []
        self.weight = 0
        """The most request weight of a minute that it was told it has used."""
        self._port = port
        self._credentials = Credentials(KEY, SECRET)
        self._wire: Wire | None = None

    def place_and_cancel(self) -> None:
        """Place an order, look at nothing else, cancel it; both must be accepted."""
        order_id = self.place()
        self.cancel(order_id)
        time.sleep(PAUSE_SECONDS)

    def place(self) -> int:
        """Place an order far from the market; return its number."""
        placed = self.ask(
            "POST",
            *("symbol=BTCUSDT", "side=BUY", "type=LIMIT", "timeInForce=GTC"),
            *("price=50000", "quantity=0.001"),
        )
        assert placed.status == 200, placed
        assert placed.json()["status"] == "NEW", placed
        return int(placed.json()["orderId"])

    def cancel(self, order_id: int) -> None:
        """Cancel an order."""
        cancelled = self.ask("DELETE", "symbol=BTCUSDT", f"orderId={order_id}")
        assert cancelled.status == 200, cancelled
        assert cancelled.json()["status"] == "CANCELED", cancelled

    def refused(self, method: str, *parameters: str) -> int:
        """Send what will be refused; return the error code."""
        answer = self.ask(method, *parameters)
        assert answer.status == 503, answer
        return int(answer.json()["code"])

    def ask(self, method: str, *parameters: str) -> Answer:
        """Send one signed request and wait for its answer."""
        if self._wire is None or self.sent % (2 * ORDERS_PER_CONNECTION) == 0:
            self.close()
            self._wire = Wire(self._port, ADDRESS)
        named = dict(parameter.split("=", 1) for parameter in parameters)
        named["timestamp"] = str(time.time_ns() // 1_000_000)
        target = f"/api/v3/order?{self._credentials.signed(named)}"
        began = time.perf_counter()
        self.sent += 1
        assert self._wire.send(message(method, target, {"X-MBX-APIKEY": KEY}))
        answer = self._wire.answer()
        assert answer is not None, "the gate has closed the connection of a client with a key"
        self.answered += 1
        self.latencies_ms.append((time.perf_counter() - began) * 1e3)
        self.weight = max(self.weight, int(answer.headers.get(WEIGHT_HEADER, 0)))
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
