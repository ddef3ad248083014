"""What a REST request costs: `python -m tests.bench.rest --help`.

A gate with the rulebook `bench` runs on one processor, a bare client on the other, so a row shows
the whole path of a request in one process: socket, HTTP, signature, all rules, record, matching,
answer. Orders are signed, 55 % placements and 45 % cancels; a ping is decided and recorded too.
The gate is measured with the edge made for order entry, spinning and not, and with the one over
aiohttp. Where nginx is installed, it returns a fixed body to the same requests in the same run:
the floor of a request over a socket. Figures of different machines or runs should not be
compared; ratios of one run may be.
"""

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from loadtest.keys import read_keys
from loadtest.prepare import prepare_gate
from loadtest.workload import Key
from tests.bench.rest_client import drive

ROOT: Final = Path(__file__).parents[2]
ACCOUNTS: Final = 64
PLACE_SHARE: Final = 0.55
ACCEPTED_SHARE_MIN: Final = 0.99
START_SECONDS: Final = 60.0
PING: Final = b"GET /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n"
SERVERS: Final = {
    "gate, own edge": 'rest_edge = "httptools"',
    "gate, own edge, spinning": 'rest_edge = "httptools"\nspin = true',
    "gate, aiohttp": 'rest_edge = "aiohttp"',
}
NGINX: Final = "nginx, fixed body"
_NGINX_CONFIG: Final = """
daemon off; master_process off; worker_processes 1; pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{"orderId":1,"fixed":true}}'; }} }}
}}
"""


class Orders:
    """Signed placements and cancels of many accounts, each connection with orders of its own."""

    def __init__(self, keys: tuple[Key, ...], seed: int) -> None:
        self._keys = keys
        self._random = random.Random(seed)
        self._number = 0

    def plan(self, connection: int, requests: int) -> list[bytes]:
        """Return the requests of one connection, stamped now."""
        key = self._keys[connection % len(self._keys)]
        names: list[str] = []
        found = []
        for _ in range(requests):
            if names and self._random.random() >= PLACE_SHARE:
                cancel = {"symbol": "BTCUSDT", "origClientOrderId": names.pop()}
                found.append(_rendered("DELETE", key, cancel))
            else:
                self._number += 1
                names.append(f"bench-{self._number}")
                found.append(_rendered("POST", key, self._placement(names[-1])))
        return found

    def _placement(self, name: str) -> dict[str, str]:
        buys = self._random.random() < 0.5
        price = 65_000 + (-1 if buys else 1) * self._random.randint(10, 900)
        return {
            "symbol": "BTCUSDT",
            "side": "BUY" if buys else "SELL",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.001",
            "price": f"{price}.00",
            "newClientOrderId": name,
            "newOrderRespType": "ACK",
        }


def _rendered(method: str, key: Key, parameters: dict[str, str]) -> bytes:
    parameters |= {"recvWindow": "60000", "timestamp": str(time.time_ns() // 1_000_000)}
    target = f"/api/v3/order?{key.signed(parameters)}"
    headers = f"Host: gate\r\nX-MBX-APIKEY: {key.name}\r\nUser-Agent: bench\r\nAccept: */*\r\n"
    return f"{method} {target} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n".encode()


@contextmanager
def gate(listen: str) -> Iterator[tuple[subprocess.Popen[str], int, Orders]]:
    """Run a gate on the first processor; yield its process, port and orders for it."""
    with tempfile.TemporaryDirectory(prefix="ordergate-bench-") as name:
        directory = Path(name)
        config = prepare_gate(directory, ACCOUNTS, 0, 0)
        text = config.read_text(encoding="utf-8").replace("demo_market = true\n", "")
        config.write_text(text.replace("[listen]\n", f"[listen]\n{listen}\n"), encoding="utf-8")
        command = [sys.executable, "-m", "gateway", "serve", "-c", str(config)]
        with _pinned(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            port = int(ready["rest"].rpartition(":")[2])
            yield process, port, Orders(read_keys(directory / "keys.json"), 1)


@contextmanager
def nginx() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run nginx on the first processor; yield its process and port."""
    with tempfile.TemporaryDirectory(prefix="ordergate-bench-") as name:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = Path(name) / "nginx.conf"
        config.write_text(_NGINX_CONFIG.format(directory=name, port=port), encoding="ascii")
        with _pinned(["nginx", "-p", name, "-c", str(config)], text=True) as process:
            ending = time.monotonic() + START_SECONDS
            while time.monotonic() < ending:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield process, port


@contextmanager
def _pinned(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, **options)
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0) | {0})})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def cpu_ns(pid: int) -> int:
    """Return the processor time all threads of a process have had."""
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def row(
    server: str, what: str, process: subprocess.Popen[str], port: int, plans: list[list[bytes]]
) -> dict[str, Any]:
    """Drive one server and return a line of the result."""
    before_ns = cpu_ns(process.pid)
    driven = drive(port, plans)
    used_ns = cpu_ns(process.pid) - before_ns
    requests = len(driven.latencies_ns)
    latencies = sorted(driven.latencies_ns)
    return {
        "server": server,
        "what": what,
        "connections": len(plans),
        "requests": requests,
        "cpu_us": round(used_ns / requests / 1_000, 2),
        "requests_per_second": round(requests / driven.seconds),
        "us_p50": round(latencies[requests // 2] / 1_000, 1),
        "us_p99": round(latencies[requests * 99 // 100] / 1_000, 1),
        "accepted_share": round(driven.statuses[200] / requests, 5),
    }


def rows_of(server: str, listen: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the lines of one kind of gate."""
    found = []
    with gate(listen) as (process, port, orders):
        for connections in given.connections:
            each = max(1, given.requests // connections)
            pings = [[PING] * each] * connections
            drive(port, [plan[: each // 10 + 1] for plan in pings])
            found.append(row(server, "ping", process, port, pings))
            drive(port, [orders.plan(number, each // 10 + 1) for number in range(connections)])
            plans = [orders.plan(number, each) for number in range(connections)]
            found.append(row(server, "order", process, port, plans))
    return found


def nginx_rows(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the lines of nginx, which is sent the same bytes."""
    key = Key("k" * 64, "secret")
    found = []
    with nginx() as (process, port):
        for connections in given.connections:
            each = max(1, given.requests // connections)
            drive(port, [[PING] * (each // 10 + 1)] * connections)
            found.append(row(NGINX, "ping", process, port, [[PING] * each] * connections))
            orders = Orders((key,), 1)
            plans = [orders.plan(number, each) for number in range(connections)]
            found.append(row(NGINX, "order", process, port, plans))
    return found


def middle(rounds: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return one line for each kind of the rounds' lines: the median of each figure."""
    found = []
    for lines in zip(*rounds, strict=True):
        line = dict(lines[0])
        for name in ("cpu_us", "requests_per_second", "us_p50", "us_p99", "accepted_share"):
            line[name] = statistics.median(one[name] for one in lines)
        found.append(line)
    return found


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return every line; servers take turns, so that a drift of the machine meets all."""
    client = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {client})
    rounds = []
    for number in range(given.rounds):
        sys.stderr.write(f"bench: round {number + 1} of {given.rounds}\n")
        lines = nginx_rows(given) if shutil.which("nginx") else []
        for server, listen in SERVERS.items():
            lines += rows_of(server, listen, given)
        rounds.append(lines)
    return middle(rounds)


def show(lines: list[dict[str, Any]]) -> None:
    """Print the lines as a table."""
    table = Table()
    headings = ("server", "what", "connections", "CPU µs", "requests/s", "p50 µs", "p99 µs")
    for heading in (*headings, "accepted"):
        table.add_column(heading, justify="left" if heading in headings[:2] else "right")
    for line in lines:
        table.add_row(
            line["server"],
            line["what"],
            f"{line['connections']}",
            f"{line['cpu_us']:.1f}",
            f"{line['requests_per_second']:,.0f}",
            f"{line['us_p50']:.0f}",
            f"{line['us_p99']:.0f}",
            f"{line['accepted_share']:.2%}",
        )
    Console().print(table)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rest", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="requests of a row")
    parser.add_argument("--connections", default="1,64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the lines as JSON")
    given = parser.parse_args()
    given.connections = [int(number) for number in given.connections.split(",")]
    lines = measure(given)
    if given.json:
        sys.stdout.write(json.dumps(lines, indent=2) + "\n")
    else:
        show(lines)
    return 0 if min(one["accepted_share"] for one in lines) >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
