"""A gate that is killed takes its edges with it, and what it recorded is whole."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

from gateway.journal import find_run
from gateway.journal.verify import verify_run
from gateway.replay import replay
from loadtest.keys import read_keys
from loadtest.prepare import prepare_gate
from tests.bench.edges import edge_pids
from tests.bench.rest_servers import Orders
from tests.gateway.edge_processes.edge_world import status
from tests.gateway.edges.rest_world import run
from tests.kill.processes import GateProcess

PATIENCE_SECONDS: Final = 20.0


def prepared(folder: Path) -> Path:
    """Write the configuration of a gate with two edges."""
    path = prepare_gate(folder, 4, 0, 0)
    text = path.read_text(encoding="utf-8").replace("demo_market = true\n", "")
    text = text.replace("[record]\n", '[record]\ndurability = "process"\nsnapshots = false\n')
    path.write_text(text.replace("[listen]\n", "[listen]\nedges = 2\n"), encoding="utf-8")
    return path


async def until_gone(pids: list[int]) -> None:
    """Wait until processes have ended; whoever is left of them is a child of nobody here."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(alive(pid) for pid in pids):
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state[0] not in ("Z", "X")


def test_a_killed_gate(tmp_path: Path) -> None:
    """Clients see their connections closed, no edge is left, and the record decides the same."""
    gate = GateProcess(prepared(tmp_path))

    async def scenario() -> None:
        port = int(gate.ready["rest"].rpartition(":")[2])
        edges = edge_pids(gate.pid)
        assert len(edges) == 2
        orders = Orders(read_keys(tmp_path / "keys.json"), 1)
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
        for number, (reader, writer) in enumerate(connections):
            writer.write(b"".join(orders.plan(number, 40)))
            assert status(await reader.readuntil(b"\r\n\r\n")) == 200
        os.kill(gate.pid, signal.SIGKILL)
        for reader, writer in connections:
            async with asyncio.timeout(PATIENCE_SECONDS):
                try:
                    while await reader.read(65_536):
                        pass
                except ConnectionError:
                    pass
            writer.close()
        await until_gone(edges)

    try:
        gate.wait_ready()
        run(scenario())
    finally:
        gate.kill()
    assert verify_run(find_run(gate.data).path).exit_code == 0
    assert replay(find_run(gate.data)).difference is None


def test_a_gate_that_is_stopped_by_its_operator(tmp_path: Path) -> None:
    """SIGTERM ends it and its edges, with exit code 0 and a record that is ended."""
    gate = GateProcess(prepared(tmp_path))
    try:
        gate.wait_ready()
        edges = edge_pids(gate.pid)
        assert len(edges) == 2
    finally:
        code = gate.stop()
    assert code == 0, gate.errors()
    assert not any(map(alive, edges))
    assert verify_run(find_run(gate.data).path).exit_code == 0
