"""What operators change holds behind edge processes at once, whatever the edges know."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.admin import messages
from gateway.admin.client import AdminClient
from gateway.app import Gate
from gateway.config import ListenConfig
from gateway.journal import find_run, read_run
from gateway.journal.verify import verify_run
from gateway.replay import replay
from rules.decisions import ACCEPTED, REFUSED
from rules.events import Place, SetState
from tests.gateway.edge_processes.edge_world import (
    ORDER,
    Wire,
    edged,
    now_ms,
    placement,
    request,
    status,
    wire,
)
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import name_of

LISTEN = ListenConfig(rest_port=0, grpc_port=-1, admin_port=0, edges=2)


class Operator:
    """Somebody who acts over the admin port, as the commands do."""

    def __init__(self, gate: Gate) -> None:
        url = f"http://127.0.0.1:{gate.ports['admin']}"
        self._client = AdminClient(url, gate.admin_token)

    async def act(self, path: str, message: messages.Message, kind: type[Any]) -> Any:
        """Do something and return the answer."""
        return await asyncio.to_thread(self._client.post, path, message, kind)

    async def revoke(self, account: str) -> None:
        """End an account's key."""
        asked = messages.RevokeKeyRequest(name=name_of(account))
        await self.act("/admin/v1/keys/revoke", asked, messages.KeyLine)

    async def create(self, account: str) -> messages.CreatedKeyAnswer:
        """Make a key."""
        asked = messages.CreateKeyRequest(account=account, permissions=("read", "trade"))
        answer: messages.CreatedKeyAnswer = await self.act(
            "/admin/v1/keys", asked, messages.CreatedKeyAnswer
        )
        return answer

    async def kill(self, scope: messages.StopScope, subject: str) -> messages.StopAnswer:
        """Stop a scope."""
        asked = messages.KillRequest(scope=scope, subject=subject, reason="a test", actor="me")
        answer: messages.StopAnswer = await self.act("/admin/v1/kill", asked, messages.StopAnswer)
        return answer


@asynccontextmanager
async def everywhere(gate: Gate) -> AsyncIterator[list[Wire]]:
    """Connect until every edge has connections."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(wire(gate)) for _ in range(8)]


def refusal(answer: bytes) -> str:
    """Return the reason an answer gives, empty when there is none."""
    found = re.search(rb'"reason":"([A-Z_]+)"', answer)
    return found[1].decode() if found else ""


def test_a_revoked_key(tmp_path: Path) -> None:
    """It ends with the answer to its revocation, on connections that have used it too."""

    async def scenario() -> None:
        async with edged(tmp_path / "data", listen=LISTEN) as gate, everywhere(gate) as wires:
            for connection in wires:
                assert status(await connection.ask(placement(gate))) == 200
            await Operator(gate).revoke("alice")
            for connection in wires:
                answer = await connection.ask(placement(gate))
                assert (status(answer), refusal(answer)) == (401, "KEY_UNKNOWN"), answer
                assert status(await connection.ask(placement(gate, "bob"))) == 200

    run(scenario())


def test_a_new_key(tmp_path: Path) -> None:
    """It can be used as soon as its maker has it, over every edge."""

    async def scenario() -> None:
        async with edged(tmp_path / "data", listen=LISTEN) as gate, everywhere(gate) as wires:
            made = await Operator(gate).create("alice")
            for connection in wires:
                query = urlencode(ORDER | {"timestamp": now_ms(gate)})
                digest = hmac.new(made.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
                target = f"/api/v3/order?{query}&signature={digest}"
                key = f"X-MBX-APIKEY: {made.key.name}"
                assert status(await connection.ask(request("POST", target, "", b"", key))) == 200

    run(scenario())


def test_nothing_passes_a_kill(tmp_path: Path) -> None:
    """Once it is acknowledged no order of its scope is accepted, whatever is under way in edges."""
    data = tmp_path / "data"

    async def flood(gate: Gate, connection: Wire, stop: asyncio.Event) -> list[int]:
        told = []
        while not stop.is_set():
            connection.writer.write(b"".join(placement(gate) for _ in range(10)))
            told += [status(await connection.answer()) for _ in range(10)]
        return told

    async def scenario() -> None:
        async with edged(data, listen=LISTEN) as gate, everywhere(gate) as wires:
            stop = asyncio.Event()
            floods = [asyncio.create_task(flood(gate, one, stop)) for one in wires[:6]]
            await asyncio.sleep(0.2)
            await Operator(gate).kill("account", "alice")
            assert not gate.core.book.orders
            for connection in wires[6:]:
                assert refusal(await connection.ask(placement(gate))) != ""
                assert status(await connection.ask(placement(gate, "bob", price="40000"))) == 200
            stop.set()
            told = [one for statuses in await asyncio.gather(*floods) for one in statuses]
            assert set(told) == {200, 400}, set(told)
            assert {order.account for order in gate.core.book.orders.values()} == {2}

    run(scenario())
    records = list(read_run(find_run(data).path))
    killed = next(one.seq for one in records if isinstance(one.event, SetState))
    places = [one for one in records if isinstance(one.event, Place) and one.decision.account < 2]
    assert {one.decision.verdict for one in places if one.seq < killed} == {ACCEPTED}
    assert {one.decision.verdict for one in places if one.seq > killed} == {REFUSED}
    assert verify_run(find_run(data).path).exit_code == 0
    assert replay(find_run(data)).difference is None


def test_new_addresses_and_programs(tmp_path: Path) -> None:
    """Whoever comes first from an address, with a program nobody knows, is served like all."""

    async def scenario() -> None:
        async with edged(tmp_path / "data") as gate:
            for number in range(2, 8):
                host = f"127.0.0.{number}"
                async with wire(gate, host) as connection:
                    for _ in range(3):
                        program = f"User-Agent: program/{number}"
                        order = placement(gate).replace(
                            b"Host: gate", f"Host: g\r\n{program}".encode()
                        )
                        answer = await connection.ask(order)
                        assert status(answer) == 200, answer
        events = [record.event for record in read_run(find_run(tmp_path / "data").path)]
        orders = [event for event in events if isinstance(event, Place)]
        assert len({order.ip for order in orders}) == 6
        assert len({order.agent for order in orders}) == 6
        assert 0 not in {order.ip for order in orders} | {order.agent for order in orders}

    run(scenario())


def test_metrics_of_all_edges(tmp_path: Path) -> None:
    """Answers and latencies of edges are in the gate's metrics, each counted once."""

    async def scenario() -> None:
        async with edged(tmp_path / "data", listen=LISTEN) as gate:
            async with everywhere(gate) as wires:
                for connection in wires:
                    assert status(await connection.ask(placement(gate))) == 200
            await gate.rest.close()
            text = gate.telemetry.exposition().decode()
        assert re.search(r'ordergate_answers_total{endpoint="order_place",status="200"} 8\.0', text)
        assert re.search(
            r'ordergate_request_latency_seconds_count{endpoint="order_place"} 8\.0', text
        )
        assert "ordergate_edge_deaths 0.0" in text

    run(scenario())
