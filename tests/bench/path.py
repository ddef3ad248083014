"""What an order costs inside the gate, without sockets: `python -m tests.bench.path --help`.

A whole gate with the rulebook `bench`, the embedded engine and the record (`process`) runs in this
process. The bytes of signed requests, 55 % placements and 45 % cancels, are given to the protocol
that serves a connection, over a transport that keeps the last answer: what is measured is the way
from those bytes to the bytes of the answer, and nothing of the kernel. The whole is processor time
without a tracer; the stages are wall time of a further round with the tracer, which
has its own price. Exits with 1 when fewer than 99 % of the orders were accepted.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from gateway.addresses import PeerAddresses
from gateway.app import Gate
from gateway.auth.authenticator import Authenticator
from gateway.commands.serving import run_loop
from gateway.commands.stages import stages_table
from gateway.config_file import load_config
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.edges.http.connection import Connection
from gateway.edges.http.edge import HttpEdge
from gateway.stages import Stages, StagesAnswer
from gateway.turns import PATIENT, Turns
from loadtest.keys import read_keys
from loadtest.prepare import prepare_gate
from tests.bench.rest_servers import Orders, compiled

ACCEPTED_SHARE_MIN: Final = 0.99
CONNECTIONS: Final = 64


class Wire(asyncio.Transport):
    """Where one connection's answers go: they are counted and forgotten."""

    def __init__(self, number: int) -> None:
        super().__init__({"peername": ("127.0.0.1", 4_000 + number)})
        self.accepted = 0

    def write(self, data: Any) -> None:
        """Take an answer."""
        if data[9:12] == b"200":
            self.accepted += 1

    def is_closing(self) -> bool:
        """Tell that it is open."""
        return False

    def pause_reading(self) -> None:
        """Go on: there is nothing that could be read."""

    def resume_reading(self) -> None:
        """Go on."""

    def abort(self) -> None:
        """End: there is nothing that could be closed."""


class Clients:
    """Connections to the gate in this process, and what they send."""

    def __init__(self, edge: HttpEdge, orders: Orders) -> None:
        self._orders = orders
        self._turns = edge.turns
        self._wires = [Wire(number) for number in range(CONNECTIONS)]
        self._connections = [Connection(edge) for _ in self._wires]
        for connection, wire in zip(self._connections, self._wires, strict=True):
            connection.connection_made(wire)

    @property
    def accepted(self) -> int:
        """Number of requests that were answered with 200."""
        return sum(wire.accepted for wire in self._wires)

    async def send(self, requests: int, apart: bool = False) -> list[float]:
        """Send so many requests, one of each connection at a time; `apart` decides each alone.

        Returns the processor time of a request in µs, for each time all connections had theirs.
        """
        each = max(1, requests // CONNECTIONS)
        plans = [self._orders.plan(number, each) for number in range(CONNECTIONS)]
        found = []
        for row in zip(*plans, strict=True):
            await asyncio.sleep(0)
            started_ns = time.process_time_ns()
            for connection, request in zip(self._connections, row, strict=True):
                connection.data_received(request)
                if apart:
                    self._turns.finish()
            self._turns.finish()
            found.append((time.process_time_ns() - started_ns) / CONNECTIONS / 1_000)
        return found

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.connection_lost(None)


class Measured(msgspec.Struct, frozen=True):
    """What was found."""

    compiled: bool
    us: float
    """Processor time of an order, the median."""
    us_quiet: float
    """The same in quiet moments: only a tenth of them were quieter."""
    accepted_share: float
    stages: StagesAnswer


def edge_of(gate: Gate, stages: Stages | None) -> HttpEdge:
    """Return an edge to a gate that has none of its own."""
    core = gate.core
    dialect = BinanceDialect(
        core,
        gate.views,
        Authenticator(gate.keystore.find, core.directory),
        gate.decision_ids,
        gate.decisions.find,
        stages,
    )
    clock = gate.clock
    meter = gate.telemetry
    turns = Turns(PATIENT)
    return HttpEdge(
        core, [dialect], clock.receive_ns, PeerAddresses(), meter, stages=stages, turns=turns
    )


async def measure(requests: int, rounds: int) -> Measured:
    """Run a gate and measure it."""
    with tempfile.TemporaryDirectory(prefix="ordergate-bench-") as name:
        directory = Path(name)
        file = prepare_gate(directory, CONNECTIONS, -1, -1)
        text = file.read_text(encoding="utf-8").replace("demo_market = true\n", "")
        text = text.replace("[record]\n", '[record]\ndurability = "process"\nsnapshots = false\n')
        file.write_text(text, encoding="utf-8")
        orders = Orders(read_keys(directory / "keys.json"), 1)
        gate = Gate(load_config(file))
        try:
            await gate.start()
            whole: list[float] = []
            sent = accepted = 0
            stages = Stages()
            for tracer in (None, stages):
                gate.core.stages = tracer
                edge = edge_of(gate, tracer)
                await edge.start("127.0.0.1", 0)
                clients = Clients(edge, orders)
                await clients.send(requests // 4)
                if tracer is not None:
                    tracer.spreads.clear()
                before = clients.accepted
                for _ in range(rounds if tracer is None else 1):
                    # Each alone, so that waiting for the turn of others is in no stage.
                    found = await clients.send(requests, apart=tracer is not None)
                    sent += len(found) * CONNECTIONS
                    if tracer is None:
                        whole += found
                accepted += clients.accepted - before
                clients.close()
                await edge.close()
            return Measured(
                compiled(),
                statistics.median(whole),
                sorted(whole)[len(whole) // 10],
                accepted / sent,
                stages.answer(),
            )
        finally:
            await gate.stop()


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.path", description=__doc__)
    parser.add_argument("--requests", type=int, default=12_800, help="requests of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    given = parser.parse_args()
    found: list[Measured] = []

    async def run() -> int:
        found.append(await measure(given.requests, given.rounds))
        return 0

    run_loop(run())
    measured = found[0]
    if given.json:
        sys.stdout.write(msgspec.json.encode(measured).decode() + "\n")
    else:
        rules = "compiled" if measured.compiled else "interpreted"
        sys.stdout.write(
            f"an order, {rules} rules: {measured.us:.1f} µs of processor time (in quiet "
            f"moments {measured.us_quiet:.1f}), accepted {measured.accepted_share:.2%}\n"
        )
        Console(width=None if sys.stdout.isatty() else 100).print(stages_table(measured.stages))
    return 0 if measured.accepted_share >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
