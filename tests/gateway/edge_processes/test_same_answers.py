"""Behind edge processes a gate answers as one without them, to the byte."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.app import Gate
from gateway.config import OverloadConfig
from gateway.dialects.binance.routes import DECISIONS_PREFIX, ROUTES
from rules.events import ClearBan, RefusedRequest
from rules.values import AUTH_NOT_CHECKED, DEFINE_ADDRESS
from tests.gateway.edge_processes.edge_world import (
    ORDER,
    StillClock,
    edged,
    now_ms,
    placement,
    request,
    signed,
    wire,
)
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import name_of
from tests.gateway.http.test_every_route import MARKET_DATA, PARAMETERS, SYMBOL

NAMED: Final = SYMBOL | {"origClientOrderId": "resting"}
REPLACE: Final = ORDER | {"cancelReplaceMode": "STOP_ON_FAILURE"}
ORDERS: Final = "/api/v3/order"
BANNED_HOST: Final = "127.0.0.9"

Told = tuple[str, bytes]
Made = Callable[[Gate], bytes]


def sent(method: str, path: str, parameters: dict[str, Any], account: str = "alice") -> Made:
    """Return what makes a signed request, stamped when it is sent."""
    return lambda gate: request(
        method, f"{path}?{signed(parameters, account, now_ms(gate))}", account
    )


def _routes() -> dict[str, Made]:
    found = {}
    for path, methods in ROUTES.items():
        for method in methods:
            parameters = PARAMETERS.get((method, path), {})
            if path in MARKET_DATA:
                parameters = SYMBOL
            found[f"{method} {path}"] = sent(method, path, dict(parameters))
    return found


def _order(**changes: Any) -> Made:
    return sent("POST", ORDERS, ORDER | changes)


def _late(gate: Gate) -> bytes:
    return request("POST", f"{ORDERS}?{signed(ORDER, 'alice', now_ms(gate) - 60_000)}")


def _in_body(gate: Gate) -> bytes:
    return request("POST", ORDERS, "alice", signed(ORDER, "alice", now_ms(gate)).encode())


def _bad_signature(gate: Gate) -> bytes:
    return request("POST", f"{ORDERS}?{signed(ORDER, 'bob', now_ms(gate))}", "alice")


def _bad_query_signature(gate: Gate) -> bytes:
    return request("GET", f"/api/v3/account?{signed({}, 'bob', now_ms(gate))}", "alice")


def _without_signature(gate: Gate) -> bytes:
    return request("POST", f"{ORDERS}?timestamp={now_ms(gate)}", "alice")


def _of_nobody(key: str) -> Made:
    def make(gate: Gate) -> bytes:
        target = f"{ORDERS}?{signed(ORDER, 'alice', now_ms(gate))}"
        return request("POST", target, "", b"", *([f"X-MBX-APIKEY: {key}"] if key else []))

    return make


def _agent(name: str) -> Made:
    def make(gate: Gate) -> bytes:
        target = f"{ORDERS}?{signed(ORDER, 'alice', now_ms(gate))}"
        return request("POST", target, "alice", b"", f"User-Agent: {name}")

    return make


def _in_microseconds(gate: Gate) -> bytes:
    target = f"{ORDERS}?{signed(ORDER, 'alice', now_ms(gate))}"
    return request("POST", target, "alice", b"", "X-MBX-TIME-UNIT: MICROSECOND")


TABLE: Final[dict[str, Made]] = _routes() | {
    "a market order that is filled": _order(type="MARKET", timeInForce=None, price=None),
    "acknowledged": _order(newOrderRespType="ACK"),
    "with its result": _order(newOrderRespType="RESULT"),
    "a limit maker": _order(type="LIMIT_MAKER", timeInForce=None),
    "with a strategy": _order(strategyId=7, strategyType=1_000_001),
    "by quote amount": _order(
        type="MARKET", timeInForce=None, price=None, quantity=None, quoteOrderQty="100"
    ),
    "a test with rates": sent("POST", f"{ORDERS}/test", ORDER | {"computeCommissionRates": "true"}),
    "off tick": _order(price="50000.001"),
    "off lot": _order(quantity="0.0000001"),
    "too much": _order(quantity="8999", price="59000"),
    "no quantity": _order(quantity=None),
    "not a number": _order(quantity="much"),
    "no such symbol": _order(symbol="NOTHING"),
    "no such type": _order(type="NOTHING"),
    "not offered": _order(type="STOP_LOSS", stopPrice="1", timeInForce=None, price=None),
    "the same name twice": _order(newClientOrderId="resting"),
    "no such order": sent("DELETE", ORDERS, SYMBOL | {"orderId": 999_999}),
    "an order of another": sent("DELETE", ORDERS, NAMED, "bob"),
    "neither id": sent("DELETE", ORDERS, dict(SYMBOL)),
    "named for the cancel": sent("DELETE", ORDERS, NAMED | {"newClientOrderId": "my-cancel"}),
    "restricted": sent("DELETE", ORDERS, NAMED | {"cancelRestrictions": "ONLY_PARTIALLY_FILLED"}),
    "replaced by name": sent(
        "POST", f"{ORDERS}/cancelReplace", REPLACE | {"cancelOrigClientOrderId": "resting"}
    ),
    "replace what is not there": sent(
        "POST", f"{ORDERS}/cancelReplace", REPLACE | {"cancelOrderId": 999_999}
    ),
    "replace in any case": sent(
        "POST",
        f"{ORDERS}/cancelReplace",
        REPLACE | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": 999_999},
    ),
    "amend to more": sent("PUT", f"{ORDERS}/amend/keepPriority", NAMED | {"newQty": "9"}),
    "too late": _late,
    "parameters in the body": _in_body,
    "signed by another": _bad_signature,
    "a query signed by another": _bad_query_signature,
    "not signed": _without_signature,
    "no key": _of_nobody(""),
    "no such key": _of_nobody("A" * 64),
    "no key at all": _of_nobody("none"),
    "a new client program": _agent("some-bot/1.0"),
    "the same again": _agent("some-bot/1.0"),
    "in microseconds": _in_microseconds,
    "no such path": lambda gate: request("GET", "/nothing"),
    "no such route": lambda gate: request("GET", "/api/v3/nothing"),
    "no such method": lambda gate: request("PATCH", ORDERS),
    "only the head": lambda gate: request("HEAD", "/api/v3/ping"),
    "an old client": lambda gate: b"GET /api/v3/ping HTTP/1.0\r\n\r\n",
    "too large a body": lambda gate: request("POST", ORDERS, "alice", b"a" * 1_048_577),
    "too long a target": lambda gate: request("GET", "/api/v3/ping?" + "a" * 9_000),
    "no host": lambda gate: b"GET /api/v3/ping HTTP/1.1\r\n\r\n",
    "no HTTP": lambda gate: b"nonsense\r\n\r\n",
    "limits": sent("GET", "/ordergate/v1/limits", {}),
}


async def answers(data: Path, edges: int) -> list[Told]:
    """Ask a gate of its own for everything in the table, each time with an order to name."""
    found: list[Told] = []
    async with edged(data, edges, clock=StillClock(), rulebook="binance-spot-2026") as gate:
        async with wire(gate) as bob, wire(gate) as alice:
            await bob.ask(placement(gate, "bob", side="SELL", price="60000", quantity="2"))
            for what, make in TABLE.items():
                await alice.ask(placement(gate, newClientOrderId="resting", quantity="0.002"))
                async with wire(gate) as connection:
                    found.append((what, await connection.ask(make(gate))))
                await alice.ask(sent("DELETE", "/api/v3/openOrders", dict(SYMBOL))(gate))
            placed = await alice.ask(placement(gate))
            decision = re.search(rb"X-OrderGate-Decision: (\w+)", placed)
            assert decision is not None
            target = DECISIONS_PREFIX + decision[1].decode()
            found.append(("a decision", await alice.ask(sent("GET", target, {})(gate))))
        found += await banned(gate)
    return found


async def banned(gate: Gate) -> list[Told]:
    """Ask from an address before, during and after a ban."""
    found = []
    async with wire(gate, BANNED_HOST) as connection:

        async def ask(what: str, make: Made) -> None:
            found.append((what, await connection.ask(make(gate))))

        await ask("before the ban", _order())
        ip = gate.core.directory.known(DEFINE_ADDRESS, BANNED_HOST)
        gate.core.submit(ClearBan(ip, gate.core.now_ns() + 3_600_000_000_000, "a test"))
        for what in ("banned", "still banned"):
            await ask(what, _order())
            await ask(f"{what}, signed by another", _bad_signature)
            await ask(f"{what}, asking", sent("GET", "/api/v3/account", {}))
        await ask("banned, the gate's own", sent("GET", "/ordergate/v1/limits", {}))
        gate.core.submit(ClearBan(ip, 0, "a test"))
        for what in ("after the ban", "again after the ban"):
            await ask(what, _order())
            await ask(f"{what}, signed by another", _bad_signature)
    return found


def timeless(answer: bytes) -> bytes:
    """Return an answer without moments and what is made from the key of one gate's ids."""
    answer = re.sub(
        rb"\b(X-OrderGate-Decision|x-mbx-uuid|Date|Retry-After): [^\r]*", rb"\1", answer
    )
    answer = re.sub(rb'"(clientOrderId|decisionId)":"[a-z2-7]{22,26}"', rb'"\1"', answer)
    answer = re.sub(rb"\b1[0-9]{12,18}\b", b"a moment", answer)
    answer = re.sub(rb'"observed":60[0-9]{3}\b', b"so late", answer)
    return re.sub(rb'"(bid|ask)(Price|Qty)":"[^"]*"', rb'"\1\2"', answer)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Told], list[Told]]:
    """What a gate without edge processes and one with two of them answered."""
    found: list[list[Told]] = []

    async def scenario() -> None:
        data = tmp_path_factory.mktemp("same-answers")
        found.extend(await asyncio.gather(answers(data / "none", 0), answers(data / "two", 2)))

    run(scenario())
    none, two = found
    return none, two


def test_the_same_bytes(both: tuple[list[Told], list[Told]]) -> None:
    """Status line, headers in their order, and body; all but moments and ids."""
    for (what, without), (_, behind) in zip(*both, strict=True):
        assert timeless(without) == timeless(behind), what


async def overloaded(data: Path, edges: int) -> list[bytes]:
    """Send more than is decided in time; return what was told to those who waited too long."""
    overload = OverloadConfig(
        orders="1ms", queries="1ms", market_data="1ms", lasting="0s", turn="1ms"
    )
    async with edged(data, edges, overload=overload) as gate, wire(gate) as connection:
        await connection.ask(placement(gate))
        answers: list[bytes] = []
        while not any(b" 503 " in answer[:20] for answer in answers):
            connection.writer.write(b"".join(placement(gate) for _ in range(200)))
            answers = [await connection.answer() for _ in range(200)]
        shed = [answer for answer in answers if b" 503 " in answer[:20]]
        found = re.search(rb"X-OrderGate-Decision: (\w+)", shed[0])
        assert found is not None
        seq = gate.decision_ids.decode(found[1].decode())
        assert seq is not None
        record = gate.decisions.find(seq)
        assert record is not None
        event = record.event
        assert isinstance(event, RefusedRequest)
        assert event.auth == AUTH_NOT_CHECKED
        assert event.detail.startswith("waited ")
        return shed


def test_overload_is_told_alike(tmp_path: Path) -> None:
    """Who waited too long is told the same, whoever writes the answer."""
    found: list[bytes] = []

    async def scenario() -> None:
        for edges in (0, 1):
            shed = await overloaded(tmp_path / str(edges), edges)
            told = {re.sub(rb"(WEIGHT\S*: )[0-9]+", rb"\1", timeless(one)) for one in shed}
            assert len(told) == 1
            found.extend(told)

    run(scenario())
    assert found[0] == found[1]
    assert b'"code":-1008' in found[0]
    assert b"ORDER-COUNT" not in found[0]


def test_the_table_is_about_something(both: tuple[list[Told], list[Told]]) -> None:
    """Everything was answered, in many ways."""
    answered = [answer for _, answer in both[1]]
    assert all(answer.startswith(b"HTTP/1.1 ") for answer in answered)
    found = {int(answer[9:12]) for answer in answered}
    assert found >= {200, 400, 401, 404, 405, 409, 413, 414, 418}, found
    assert len({timeless(answer) for answer in answered}) > len(TABLE) // 2
    assert name_of("alice").encode() not in b"".join(answered)
