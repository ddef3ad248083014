"""An operator's kill is decided before orders that were read in the same round of the loop."""

import hashlib
import hmac
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.app import Gate
from gateway.journal import read_run
from rules.events import Place, SetState
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import config, name_of, running
from tests.gateway.http.http_world import Client, client

ORDERS = 8


def order(gate: Gate, number: int) -> bytes:
    """Return a signed order that rests."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    terms |= {"quantity": "0.001", "price": f"{50_000 + number}"}
    terms |= {"timestamp": str(gate.clock.receive_ns() // 1_000_000), "recvWindow": "60000"}
    query = urlencode(terms)
    signature = hmac.new(b"the secret of alice", query.encode(), hashlib.sha256).hexdigest()
    target = f"/api/v3/order?{query}&signature={signature}"
    headers = f"Host: gate\r\nX-MBX-APIKEY: {name_of('alice')}\r\nContent-Length: 0\r\n"
    return f"POST {target} HTTP/1.1\r\n{headers}\r\n".encode()


def kill(gate: Gate) -> bytes:
    """Return an operator's kill of the venue."""
    body = json.dumps({"scope": "venue", "reason": "drill", "actor": "tester"})
    headers = f"Host: gate\r\nAuthorization: Bearer {gate.admin_token}\r\n"
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /admin/v1/kill HTTP/1.1\r\n{headers}{length}\r\n{body}".encode()


def send_now(one: Client, sent: bytes) -> None:
    """Send bytes at once, without a turn of the loop."""
    os.write(one.writer.get_extra_info("socket").fileno(), sent)


@pytest.mark.parametrize("operator_first", [False, True])
def test_a_kill_comes_before_orders_of_its_round(tmp_path: Path, operator_first: bool) -> None:
    """Whichever bytes lay ready first; the orders are refused by it."""

    async def scenario() -> None:
        async with running(config(tmp_path / "data")) as gate, AsyncExitStack() as held:
            rest = [
                await held.enter_async_context(client(gate.ports["rest"])) for _ in range(ORDERS)
            ]
            operator = await held.enter_async_context(client(gate.ports["admin"]))
            for number, one in enumerate(rest):
                one.send(order(gate, number))
                answer = await one.answer()
                assert answer is not None
                assert answer.status == 200
            if operator_first:
                send_now(operator, kill(gate))
            for number, one in enumerate(rest):
                send_now(one, order(gate, number))
            if not operator_first:
                send_now(operator, kill(gate))
            answers = [await one.answer() for one in rest]
            assert [answer.status for answer in answers if answer] == [400] * ORDERS
            killed = await operator.answer()
            assert killed is not None
            assert killed.status == 200
            directory = gate.journal.directory
        events = [record.event for record in read_run(directory)]
        stopped = next(at for at, event in enumerate(events) if isinstance(event, SetState))
        placed = [at for at, event in enumerate(events) if isinstance(event, Place)]
        assert len(placed) == 2 * ORDERS
        assert placed[ORDERS - 1] < stopped < placed[ORDERS]

    run(scenario())
