"""Every route of the dialect works on the edge made for it, and as it does over aiohttp."""

import asyncio
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pytest

from gateway.config import ListenConfig
from gateway.dialects.binance.routes import DECISIONS_PREFIX, ROUTES
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import Client, Told, config, running

SYMBOL: Final = {"symbol": "BTCUSDT"}
ORDER: Final = SYMBOL | {
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "50000",
}
NAMED: Final = SYMBOL | {"origClientOrderId": "resting"}
MARKET_DATA: Final = {
    "/api/v3/depth",
    "/api/v3/trades",
    "/api/v3/historicalTrades",
    "/api/v3/aggTrades",
    "/api/v3/avgPrice",
    "/api/v3/ticker/24hr",
    "/api/v3/ticker/price",
    "/api/v3/ticker/bookTicker",
    "/api/v3/allOrders",
    "/api/v3/myTrades",
    "/api/v3/account/commission",
    "/api/v3/myPreventedMatches",
    "/api/v3/myAllocations",
}
"""Asked for with nothing but a symbol."""
PARAMETERS: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("GET", "/api/v3/klines"): SYMBOL | {"interval": "1m"},
    ("GET", "/api/v3/uiKlines"): SYMBOL | {"interval": "1m"},
    ("POST", "/api/v3/order"): ORDER,
    ("GET", "/api/v3/order"): NAMED,
    ("DELETE", "/api/v3/order"): NAMED,
    ("POST", "/api/v3/order/test"): ORDER,
    ("POST", "/api/v3/order/cancelReplace"): ORDER
    | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "resting"},
    ("PUT", "/api/v3/order/amend/keepPriority"): NAMED | {"newQty": "0.001"},
    ("GET", "/api/v3/openOrders"): SYMBOL,
    ("DELETE", "/api/v3/openOrders"): SYMBOL,
}
UNSIGNED: Final = {"/api/v3/ping", "/api/v3/time", "/api/v3/exchangeInfo"}
TIMES: Final = 1_000_000_000_000
"""Whole numbers from here on are moments, which differ between two gates."""


class Asked(NamedTuple):
    """One route and how it was answered."""

    method: str
    path: str
    told: Told


async def ask_all(data: Path, edge: Literal["httptools", "aiohttp"]) -> list[Asked]:
    """Ask a gate of its own for everything there is; each time with an order that can be named."""
    listen = ListenConfig(rest_port=0, grpc_port=-1, admin_port=-1, rest_edge=edge)
    found = []
    async with running(config(data, listen=listen)) as gate:
        alice, bob = Client(gate), Client(gate, "bob")
        assert (await bob.place(60_000, side="SELL", quantity="1")).status == 200
        assert (await alice.place(60_000, quantity="0.5")).status == 200
        for path, methods in ROUTES.items():
            for method in methods:
                placed = await alice.place(quantity="0.002", newClientOrderId="resting")
                assert placed.status == 200
                parameters = PARAMETERS.get((method, path), {})
                if path in MARKET_DATA:
                    parameters = SYMBOL
                found.append(Asked(method, path, await alice.ask(method, path, **parameters)))
                await alice.cancel_all()
        decision = placed.headers["X-OrderGate-Decision"]
        for method, path in (
            ("GET", DECISIONS_PREFIX + decision),
            ("PATCH", "/api/v3/order"),
            ("HEAD", "/api/v3/ping"),
            ("GET", "/api/v3/nothing"),
            ("GET", "/nothing"),
        ):
            shown = path.replace(decision, "...")
            found.append(Asked(method, shown, await alice.ask(method, path)))
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Asked], list[Asked]]:
    """What both edges answered."""
    found: list[list[Asked]] = []

    async def scenario() -> None:
        data = tmp_path_factory.mktemp("every-route")
        found.extend(
            await asyncio.gather(
                ask_all(data / "httptools", "httptools"), ask_all(data / "aiohttp", "aiohttp")
            )
        )

    run(scenario())
    own, general = found
    return own, general


def test_every_route_works(both: tuple[list[Asked], list[Asked]]) -> None:
    """All of the table is answered with 200 by the edge made for it."""
    own, _ = both
    asked = {(one.method, one.path) for one in own}
    assert asked >= {(method, path) for path, methods in ROUTES.items() for method in methods}
    refused = [one for one in own if one.told.status != 200]
    assert [(one.method, one.path, one.told.status) for one in refused] == [
        ("PATCH", "/api/v3/order", 405),
        ("HEAD", "/api/v3/ping", 405),
        ("GET", "/api/v3/nothing", 404),
        ("GET", "/nothing", 404),
    ]


def test_both_edges_answer_alike(both: tuple[list[Asked], list[Asked]]) -> None:
    """Status, names of headers, their values where they do not tell the moment, and the body."""
    for own, general in zip(*both, strict=True):
        what = f"{own.method} {own.path}"
        assert (own.method, own.path) == (general.method, general.path)
        assert own.told.status == general.told.status, what
        names = [sorted(name.lower() for name in one.told.headers) for one in (own, general)]
        assert names[0] == names[1], what
        for name in ("Content-Type", "Cache-Control", "Server", "X-MBX-USED-WEIGHT"):
            assert own.told.headers.get(name) == general.told.headers.get(name), what
        assert timeless(own.told.body) == timeless(general.told.body), what


def timeless(body: Any) -> Any:
    """Return a body without what two gates can't have in common: moments, ids they make."""
    if isinstance(body, dict):
        return {name: timeless(value) for name, value in body.items() if name not in _OWN}
    if isinstance(body, list):
        return [timeless(value) for value in body]
    if isinstance(body, int) and body >= TIMES:
        return "a moment"
    return body


_OWN: Final = frozenset(("bestAsk", "bestBid", "clientOrderId", "decisionId"))
