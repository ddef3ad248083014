"""A well-behaved client with a key: places orders and cancels them, and minds every answer."""

import time
from typing import Any, Final

import grpc

from gateway.play import Credentials
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from tests.attack.venue import KEY, SECRET
from tests.fuzz.gate_process import GateProcess
from tests.fuzz.hostile_calls import ORDER, call
from tests.fuzz.raw_http import Answer, Wire, message

ADDRESS: Final = "127.200.0.1"
"""Where its REST connections come from."""
ADDRESS_GRPC: Final = "127.0.0.1"
PAUSE_SECONDS: Final = 0.12
"""Between orders: the venue takes 100 in ten seconds."""
ORDERS_PER_CONNECTION: Final = 7
WEIGHT_HEADER: Final = "x-mbx-used-weight-1m"


class Trader:
    """Trades over REST and gRPC, one connection after the other: it must also get in anew."""

    def __init__(self, gate: GateProcess) -> None:
        self.sent = 0
        self.answered = 0
        self.latencies_ms: list[float] = []
        self.weight = 0
        """The most request weight of a minute that it was told it has used."""
        self._port = gate.rest_port
        self._target = gate.ready["grpc"]
        self._credentials = Credentials(KEY, SECRET)
        self._wire: Wire | None = None
        self._channel: grpc.Channel | None = None
        self._turns = 0

    def place_and_cancel(self) -> None:
        """Place an order over REST and cancel it over gRPC, or the other way around."""
        if self._turns % ORDERS_PER_CONNECTION == 0:
            self.close()
        self._turns += 1
        if self._turns % 2:
            self.call("Cancel", wire.CancelRequest(symbol="BTCUSDT", order_id=self.place()))
        else:
            self.cancel(wire.PlaceResponse.FromString(self.call("Place", ORDER)).order_id)
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
        if self._wire is None:
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

    def call(self, method: str, sent: Any) -> bytes:
        """Make one signed call, which must succeed."""
        if self._channel is None:
            self._channel = grpc.insecure_channel(self._target)
        signed = call(method, sent.SerializeToString(), key=KEY, secret=SECRET)
        began = time.perf_counter()
        self.sent += 1
        made: bytes = self._channel.unary_unary(signed.path)(
            signed.raw, metadata=signed.metadata, timeout=20.0
        )
        self.answered += 1
        self.latencies_ms.append((time.perf_counter() - began) * 1e3)
        return made

    def close(self) -> None:
        """Close the connections."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
