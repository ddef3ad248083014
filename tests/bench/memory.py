"""What a gate remembers, in bytes: `python -m tests.bench.memory --help`.

A core with every rule of `bench` enforced, the embedded engine and the views, each filled with
open orders, addresses or accounts until there are as many as asked for. Each row is a process of
its own: what it holds more (resident memory) after the filling than before, divided by the number.
The last rows go on beyond a bound and show what that takes. The record is not kept in memory and
is left out.
"""

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.core import Core
from gateway.directory import Directory
from gateway.engine.embedded import EmbeddedEngine
from gateway.rulebooks import load_rulebook
from gateway.stub.exchange import MatchingExchange
from gateway.views import Views
from rules.decisions import ACCEPTED, Decision
from rules.endpoints import Endpoint
from rules.events import DefineAccount, DefineKey, DefineSymbol, Event, Place, Query
from rules.values import (
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    GTC,
    LIMIT,
    NS_PER_MS,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SYMBOL_TRADING,
)
from tests.gateway.core_world import HandClock

ROOT: Final = Path(__file__).parents[2]
PAGE_BYTES: Final = 4_096
PRICE: Final = 60_000
OWNERS: Final = 1_000
"""Accounts that hold the open orders."""
SYMBOL, BTC, USDT = 1, 1, 2


class NoRecord:
    """Keeps nothing."""

    def __init__(self) -> None:
        self.recorded_seq = 0

    def append(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take one record."""
        self.recorded_seq = seq


class World:
    """Everything of a gate that remembers, without its edges and its record."""

    def __init__(self, addresses_max: int = 2_000_000) -> None:
        self.clock = HandClock()
        self.engine = EmbeddedEngine(MatchingExchange(), self.clock.now_ns)
        self.directory = Directory(lambda event: self.core.submit(event), addresses_max)
        rulebook = load_rulebook("bench")
        far_ns = 900 * NS_PER_MS
        self.core: Core = Core(
            rulebook, self.clock, NoRecord(), self.engine, far_ns, self.directory, 10**12
        )
        self.views = Views(self.core, self.engine, seed_history=False)
        self.core.listeners.add_each(self.views.listeners)
        self.engine.start(self.core.submit, self.views.market)
        for name in ("BTC", "USDT"):
            self.directory.number(DEFINE_ASSET, name)
        self.core.submit(DefineSymbol(SYMBOL, "BTCUSDT", BTC, USDT, SYMBOL_TRADING, PRICE * E8))

    def account(self, number: int) -> None:
        """Open one account of an owner of its own, with a key and two balances."""
        owner = self.directory.number(DEFINE_OWNER, f"owner-{number:08d}")
        self.core.submit(DefineAccount(number, f"account-{number:08d}", owner, "", 0))
        key = f"{number:064d}"
        self.core.submit(DefineKey(number, key, number, PERMIT_READ | PERMIT_TRADE, (), 0))
        for asset in (BTC, USDT):
            self.engine.deposit(number, asset, 80_000 * E8, "opening balance")

    def order(self, number: int) -> None:
        """Place one order that rests."""
        self.clock.time_ns += NS_PER_MS
        account = number % OWNERS + 1
        price_e8 = (PRICE - 1 - number % 2_000) * E8
        head = self._head(Endpoint.ORDER_PLACE, account, account, AUTH_OK)
        terms = (SYMBOL, BUY, LIMIT, GTC, price_e8, E8 // 1_000, 0, f"client-order-{number:09d}")
        verdicts: list[Decision] = []
        self.core.submit(Place(*head, *terms), lambda outcome: verdicts.append(outcome.decision))
        assert verdicts[0].verdict == ACCEPTED, (number, verdicts)

    def address(self, number: int, stranger: bool = False) -> int:
        """Let an address be known; return its number."""
        text = f"{10 + (number >> 24)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return self.directory.caller(text, proved=not stranger)

    def query(self, number: int, stranger: bool = False) -> None:
        """Let an address ask something, within one minute all of them."""
        ip = self.address(number, stranger)
        self.core.submit(Query(*self._head(Endpoint.PING, 0, ip, AUTH_NOT_REQUIRED)))

    def _head(self, endpoint: int, key: int, ip: int, auth: int) -> tuple[int, ...]:
        now_ns = self.clock.time_ns
        return (endpoint, ip, key, auth, now_ns, now_ns, 5 * NS_PER_SECOND, 0, CHANNEL_REST, 0, 0)


# --- Rows -------------------------------------------------------------------------------------


def resident_bytes() -> int:
    """Return the memory the process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def grown(count: int, act: Callable[[int], Any]) -> tuple[int, float]:
    """Return how much more is held after `act` was called so often, and how long it took."""
    gc.disable()  # as in a gate, where no full collection begins by itself
    try:
        before, started = resident_bytes(), perf_counter()
        for number in range(count):
            act(number)
        taken = perf_counter() - started
        return resident_bytes() - before, taken
    finally:
        gc.enable()


def open_orders(count: int) -> tuple[int, float]:
    """Fill book, rules, engine and views with open orders."""
    world = World()
    for number in range(1, OWNERS + 1):
        world.account(number)
        world.directory.address(f"192.0.2.{number}")
    return grown(count, world.order)


def known_addresses(count: int) -> tuple[int, float]:
    """Fill the directory with addresses."""
    return grown(count, World().address)


def active_addresses(count: int) -> tuple[int, float]:
    """As known_addresses, each with a request in the present windows."""
    return grown(count, World().query)


def accounts(count: int) -> tuple[int, float]:
    """Fill book, directory, engine and views with accounts."""
    world = World()
    return grown(count, lambda number: world.account(number + 1))


def beyond_addresses(count: int) -> tuple[int, float]:
    """Let strangers come from new addresses once there are too many."""
    world = World(addresses_max=1)
    for number in range(10):
        world.query(number, stranger=True)
    return grown(count, lambda number: world.query(number, stranger=True))


def beyond_proved_addresses(count: int) -> tuple[int, float]:
    """Let holders of keys come from new addresses once their reserve is used up too."""
    world = World(addresses_max=1)
    for number in range(10):
        world.query(number)
    return grown(count, world.query)


ROWS: Final[dict[str, tuple[Callable[[int], tuple[int, float]], int]]] = {
    "open order": (open_orders, 1_000_000),
    "address, known": (known_addresses, 1_000_000),
    "address, with a request in the present windows": (active_addresses, 1_000_000),
    "account with owner, key and two balances": (accounts, 100_000),
    "stranger's address beyond the bound": (beyond_addresses, 100_000),
    "proved address beyond bound and reserve": (beyond_proved_addresses, 100_000),
}


def measured(name: str, divisor: int) -> dict[str, Any]:
    """Return one row, measured in a process of its own."""
    count = max(1, ROWS[name][1] // divisor)
    command = [sys.executable, "-m", "tests.bench.memory", "--row", name, "--count", str(count)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(ran.stdout)
    return row


def one_row(name: str, count: int) -> dict[str, Any]:
    """Measure one row in this process."""
    held, seconds = ROWS[name][0](count)
    return {
        "what": name,
        "count": count,
        "bytes_each": round(held / count, 1),
        "mib": round(held / 2**20, 1),
        "us_each": round(seconds / count * 1e6, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.memory",
        description=__doc__.partition("\n")[0] if __doc__ else "",
    )
    parser.add_argument("--divisor", type=int, default=1, help="measure so many times fewer")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--row", choices=ROWS, help="measure this row in this process")
    parser.add_argument("--count", type=int, default=1_000)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(one_row(options.row, options.count)))
        return
    rows = [measured(name, options.divisor) for name in ROWS]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    table = Table("what", "count", "bytes each", "MiB", "µs each")
    for row in rows:
        table.add_row(
            row["what"],
            *(f"{row[name]:,}" for name in ("count", "bytes_each", "mib", "us_each")),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
