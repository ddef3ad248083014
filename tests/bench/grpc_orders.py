"""What an order over gRPC costs: `python -m tests.bench.grpc_orders --help`.

A gate with the rulebook `bench` runs on one processor and a blocking client on another; a client
of grpc.aio would itself be the limit. Orders are signed, 55 % placements and 45 % cancels; they
go as calls of their own, through a session one to a message, and through a session in batches.
Beside the gate, over the same messages and in turn with it, stands a bare grpc.aio server that
sends them back. The figure is the server's processor time per order; figures of different machines
or runs should not be compared, ratios of one run may be. Exits with 1 when fewer than 99 % of the
orders were accepted.
"""

import argparse
import hashlib
import hmac
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import grpc
import msgspec
from rich.console import Console
from rich.table import Table

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1 import values_pb2 as codes
from loadtest.workload import Key
from tests.bench.rest import ACCEPTED_SHARE_MIN, cpu_ns
from tests.bench.rest_servers import OWN_EDGE, PLACE_SHARE, gate, pinned

SERVICE: Final = "/ordergate.v1.OrderEntry/"
BATCH: Final = 50
IN_FLIGHT: Final = 256
"""Orders a client sends before it waits for answers."""
GATE: Final = "gate"
ECHO: Final = "grpc.aio echo"
UNARY: Final = "a call each"
SINGLE: Final = "session, one a message"
BATCHED: Final = f"session, {BATCH} a message"
TARGETS: Final = {
    UNARY: "within 1.15",
    SINGLE: "within 1.15",
    BATCHED: "60,000 orders/s a core; stretch 100,000",
}


class Target(NamedTuple):
    """A server that listens."""

    name: str
    process: "subprocess.Popen[str]"
    port: int
    key: Key


class Mix:
    """Placements and cancels of one account, each cancel of an order placed before."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names: list[str] = []
        self._number = 0

    def next(self) -> wire.PlaceRequest | wire.CancelRequest:
        """Return the next request."""
        if self._names and self._random.random() >= PLACE_SHARE:
            return wire.CancelRequest(symbol="BTCUSDT", orig_client_order_id=self._names.pop())
        self._number += 1
        self._names.append(f"bench-{self._number}")
        buys = self._random.random() < 0.5
        price = 65_000 + (-1 if buys else 1) * self._random.randint(10, 900)
        return wire.PlaceRequest(
            symbol="BTCUSDT",
            side=codes.SIDE_BUY if buys else codes.SIDE_SELL,
            order_type=codes.ORDER_TYPE_LIMIT,
            time_in_force=codes.TIME_IN_FORCE_GTC,
            price_e8=price * 10**8,
            quantity_e8=100_000,
            client_order_id=self._names[-1],
        )


def signature(key: Key, payload: bytes) -> str:
    """Return the key's signature of some bytes."""
    return hmac.new(key.secret.encode(), payload, hashlib.sha256).hexdigest()


class Calls:
    """Sends orders as calls of their own, a number of them at a time."""

    def __init__(self, channel: grpc.Channel, key: Key, mix: Mix) -> None:
        self._calls = {name: channel.unary_unary(SERVICE + name) for name in ("Place", "Cancel")}
        self._key = key
        self._mix = mix
        self.refused = 0

    def send(self, orders: int) -> None:
        """Send orders and wait for their answers."""
        waiting: deque[Any] = deque()
        for _ in range(orders):
            # An account's cancel may not overtake its order: both go through one connection.
            waiting.append(self._start(self._mix.next()))
            if len(waiting) >= IN_FLIGHT // 8:
                self._finish(waiting.popleft())
        while waiting:
            self._finish(waiting.popleft())

    def _start(self, request: wire.PlaceRequest | wire.CancelRequest) -> Any:
        name = "Place" if isinstance(request, wire.PlaceRequest) else "Cancel"
        raw, timestamp = request.SerializeToString(), str(time.time_ns() // 1_000)
        payload = f"{SERVICE}{name}\n{timestamp}\n60000000\n".encode() + raw
        metadata = (
            ("x-ordergate-key", self._key.name),
            ("x-ordergate-timestamp", timestamp),
            ("x-ordergate-recv-window", "60000000"),
            ("x-ordergate-signature", signature(self._key, payload)),
        )
        return self._calls[name].future(raw, metadata=metadata)

    def _finish(self, call: Any) -> None:
        try:
            call.result()
        except grpc.RpcError:
            self.refused += 1


class Stream:
    """Sends orders through one session, `batch` to a message."""

    def __init__(self, channel: grpc.Channel, key: Key, mix: Mix, batch: int) -> None:
        self._mix = mix
        self._batch = batch
        self._sequence = 0
        self._answered = 0
        self._left = 0
        self.refused = 0
        self._changed = threading.Condition()
        self._closing = False
        self._key = key
        self._call = channel.stream_stream(SERVICE + "Session")(self._messages())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, orders: int) -> None:
        """Send orders and wait for their answers."""
        with self._changed:
            self._left += orders
            ending = self._sequence + self._left
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= ending, timeout=600)

    def close(self) -> None:
        """End the session."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._reader.join(10)

    def _messages(self) -> Iterator[bytes]:
        timestamp_us = time.time_ns() // 1_000
        payload = f"{SERVICE}Session\n{timestamp_us}\n60000000\n{self._key.name}".encode()
        logon = wire.Logon(
            api_key=self._key.name,
            timestamp_us=timestamp_us,
            recv_window_us=60_000_000,
            signature=signature(self._key, payload),
        )
        yield wire.SessionRequest(logon=logon).SerializeToString()
        while (entries := self._next_entries()) is not None:
            yield wire.SessionRequest(entries=entries).SerializeToString()

    def _next_entries(self) -> list[wire.SessionEntry] | None:
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closing or (self._left and self._sequence - self._answered < IN_FLIGHT)
                )
            )
            if self._closing:
                return None
            taken = min(self._batch, self._left)
            self._left -= taken
            first = self._sequence + 1
            self._sequence += taken
        return [self._entry(first + place) for place in range(taken)]

    def _entry(self, sequence: int) -> wire.SessionEntry:
        request = self._mix.next()
        if isinstance(request, wire.PlaceRequest):
            return wire.SessionEntry(sequence=sequence, place=request)
        return wire.SessionEntry(sequence=sequence, cancel=request)

    def _read(self) -> None:
        for raw in self._call:
            # An echo's answers are the requests: as many entries as were sent.
            response = wire.SessionResponse.FromString(raw)
            answers = len(response.answers) or len(wire.SessionRequest.FromString(raw).entries)
            refused = sum(one.HasField("refused") for one in response.answers)
            with self._changed:
                self._answered += answers
                self.refused += refused
                self._changed.notify_all()


class Line:
    """One server that orders are sent to in one way."""

    def __init__(self, target: Target, how: str) -> None:
        self.target = target
        self.used_us: list[float] = []
        """Processor time of an order, by round."""
        self._how = how
        self._sent = 0
        self._rates: list[float] = []
        self._channel = grpc.insecure_channel(f"127.0.0.1:{target.port}")
        mix = Mix(1)
        self._sender: Calls | Stream
        if how == UNARY:
            self._sender = Calls(self._channel, target.key, mix)
        else:
            self._sender = Stream(self._channel, target.key, mix, 1 if how == SINGLE else BATCH)

    def send(self, orders: int, counts: bool = True) -> None:
        """Send the orders of one round, or of the warm-up, which counts only for their acceptance."""
        process = self.target.process.pid
        before_ns, started_ns = cpu_ns(process), time.perf_counter_ns()
        self._sender.send(orders)
        self._sent += orders
        if counts:
            self.used_us.append((cpu_ns(process) - before_ns) / orders / 1_000)
            self._rates.append(orders * 10**9 / (time.perf_counter_ns() - started_ns))

    def close(self) -> None:
        """End the session, if there is one, and the connection."""
        if isinstance(self._sender, Stream):
            self._sender.close()
        self._channel.close()

    def row(self, echo: "Line") -> dict[str, Any]:
        """Return what was found, beside what the echo took in the same rounds."""
        ratios = (own / bare for own, bare in zip(self.used_us, echo.used_us, strict=True))
        return {
            "server": self.target.name,
            "how": self._how,
            "cpu_us": round(statistics.median(self.used_us), 2),
            "orders_per_cpu_second": round(1_000_000 / statistics.median(self.used_us)),
            "orders_per_second": round(statistics.median(self._rates)),
            "accepted_share": round(1 - self._sender.refused / self._sent, 5),
            "by_echo": round(statistics.median(ratios), 3),
        }


def measure(
    echo: Target, served: Target, how: str, orders: int, rounds: int
) -> list[dict[str, Any]]:
    """Return the lines of one way of sending; after a warm-up the servers take turns by rounds."""
    lines = [Line(target, how) for target in (echo, served)]
    for line in lines:
        line.send(orders // 5, counts=False)
    for _ in range(rounds):
        for line in lines:
            line.send(orders)
    for line in lines:
        line.close()
    return [line.row(lines[0]) for line in lines]


@contextmanager
def gate_target() -> Iterator[Target]:
    """Run a gate."""
    with gate(OWN_EDGE) as running:
        yield Target(GATE, running.process, running.grpc_port, running.orders.key(0))


@contextmanager
def echo_target() -> Iterator[Target]:
    """Run the bare server."""
    command = [sys.executable, "-m", "tests.bench.grpc_echo"]
    with pinned(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Target(ECHO, process, int(process.stdout.readline()), Key("0" * 64, "0" * 64, "echo"))


def measure_all(orders: int, rounds: int) -> list[dict[str, Any]]:
    """Return every line of the result."""
    found = []
    for how in (UNARY, SINGLE, BATCHED):
        with echo_target() as echo, gate_target() as served:
            sys.stderr.write(f"bench: {how}\n")
            found += measure(echo, served, how, orders, rounds)
    return found


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows, and the gate's figures beside the echo's."""
    table = Table(title="orders over gRPC, processor time of the server", title_justify="left")
    for heading in (
        "how",
        "server",
        "µs an order",
        "orders/s a core",
        "accepted",
        "by the echo",
        "target",
    ):
        table.add_column(heading, justify="left" if heading in ("how", "server") else "right")
    for row in rows:
        gates = row["server"] == GATE
        table.add_row(
            row["how"],
            row["server"],
            f"{row['cpu_us']:.1f}",
            f"{row['orders_per_cpu_second']:,}",
            f"{row['accepted_share']:.2%}" if gates else "",
            f"{row['by_echo']:.2f}" if gates else "",
            TARGETS[row["how"]] if gates else "",
        )
    Console().print(table)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.grpc_orders", description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000, help="orders a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = measure_all(chosen.orders, chosen.rounds)
    if chosen.json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    else:
        show(rows)
    gates = [row for row in rows if row["server"] == GATE]
    return int(any(row["accepted_share"] < ACCEPTED_SHARE_MIN for row in gates))


if __name__ == "__main__":
    sys.exit(main())
