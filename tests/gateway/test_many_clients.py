"""Many clients at once on a running gate: nothing is lost, made up, or counted past its limit."""

import asyncio
import os
import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from gateway.config import KeyConfig
from gateway.demo_keys import DEMO_ACCOUNTS, DEMO_KEYS
from gateway.play import Credentials
from tests.fuzz.gate_process import running_gate

CLIENTS: Final = 50
SECONDS: Final = 60.0 if os.environ.get("ORDERGATE_SOAK") else 2.5
KEPT_OPEN: Final = 4
LOOKS = 8
"""Orders a client leaves open, so that there is something locked at the end."""
ORDERS_IN_10_SECONDS: Final = 400
RULEBOOK: Final = f"""
name = "crowd"
extends = "binance-spot-2026"

[rules.ban_ladder]
refusals = 1000000000

[rules.request_weight]
windows = [{{ interval = "1m", limit = 1000000 }}]

[rules.order_count]
windows = [{{ interval = "10s", limit = {ORDERS_IN_10_SECONDS} }}]
tiers = {{}}
"""
"""An order count that a crowd reaches at once, and no ban for running into it."""
COUNT_HEADER: Final = "X-MBX-ORDER-COUNT-10S"
ENDED: Final = ("FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED")
ORDER_COUNT_REACHED: Final = -1015
EXPECTED: Final = frozenset((ORDER_COUNT_REACHED, -1008, -1013, -2010, -2011))
"""Refusals by filters and order count, for want of funds, of cancels that came too late, and, on a
machine with other work, of orders that waited for too long."""


class Client:
    """One connection of one account, and what it has been told of its orders."""

    def __init__(self, target: str, key: KeyConfig, number: int) -> None:
        self.account = key.account
        self.statuses: dict[int, str] = {}
        self.refused: Counter[int] = Counter()
        self.refused_client_ids: set[str] = set()
        self.highest_count = 0
        self._target = target
        self._credentials = Credentials(key.name, key.secret)
        self._number = number
        self._sent = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, local_addr=(f"127.88.0.{number + 1}", 0)),
            headers={"X-MBX-APIKEY": key.name},
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def ask(self, method: str, path: str, **parameters: str) -> tuple[int, Any]:
        """Send a signed request; return status and decoded body."""
        parameters["timestamp"] = str(time.time_ns() // 1_000_000)
        parameters["recvWindow"] = "60000"
        url = URL(f"{self._target}{path}?{self._credentials.signed(parameters)}", encoded=True)
        async with self._session.request(method, url) as answer:
            if COUNT_HEADER in answer.headers:
                self.highest_count = max(self.highest_count, int(answer.headers[COUNT_HEADER]))
            assert "X-OrderGate-Decision" in answer.headers
            return answer.status, await answer.json(content_type=None)

    async def place(self, **terms: str) -> None:
        """Place an order and keep what became of it."""
        self._sent += 1
        client_id = f"c{self._number}-{self._sent}"
        status, told = await self.ask(
            "POST", "/api/v3/order", **terms, newClientOrderId=client_id, newOrderRespType="RESULT"
        )
        if status == 200:
            self.statuses[told["orderId"]] = told["status"]
        else:
            self.refused[told["code"]] += 1
            self.refused_client_ids.add(client_id)

    async def cancel(self, order_id: int) -> None:
        """Cancel an order and keep what became of it."""
        status, told = await self.ask(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=str(order_id)
        )
        if status == 200:
            assert told["status"] == "CANCELED"
            self.statuses[order_id] = "CANCELED"
        else:
            self.refused[told["code"]] += 1

    async def trade(self, chance: random.Random, price: Decimal, until: float) -> None:
        """Place and cancel at random, near the market and far from it.

        Goes on until the time has come and the order count has refused something.
        """
        while time.monotonic() < until or not self.refused[ORDER_COUNT_REACHED]:
            known = [number for number, status in self.statuses.items() if status not in ENDED]
            act = chance.random()
            if len(known) > KEPT_OPEN and act < 0.45:
                await self.cancel(chance.choice(known))
                continue
            side = chance.choice(("BUY", "SELL"))
            quantity = str(Decimal(chance.randrange(100, 2_000)) / 100_000)
            if act < 0.9:
                away = Decimal(chance.randrange(1, 1_000)) / 10_000
                level = price * (1 - away if side == "BUY" else 1 + away)
                terms = {"type": "LIMIT", "timeInForce": "GTC"}
            else:
                level = price * (Decimal("1.01") if side == "BUY" else Decimal("0.99"))
                kind = chance.choice(("GTC", "IOC", "FOK"))
                terms = {"type": "LIMIT", "timeInForce": kind}
            await self.place(
                symbol="BTCUSDT",
                side=side,
                quantity=quantity,
                price=str(level.quantize(Decimal("0.01"))),
                **terms,
            )


async def pages(client: Client, path: str, name: str, field: str) -> list[dict[str, Any]]:
    """Return everything of a list that is given out by the thousand."""
    found: list[dict[str, Any]] = []
    start = 1
    while True:
        status, page = await client.ask(
            "GET", path, symbol="BTCUSDT", limit="1000", **{name: str(start)}
        )
        assert status == 200, page
        found += page
        if len(page) < 1_000:
            return found
        start = page[-1][field] + 1


def expected_totals(account: str, trades: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Return an account's totals: its funds, moved by each of its trades."""
    (funds,) = [entry.funds for entry in DEMO_ACCOUNTS if entry.name == account]
    totals = {asset: Decimal(amount) for asset, amount in funds.items()}
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        totals["BTC"] += sign * Decimal(trade["qty"])
        totals["USDT"] -= sign * Decimal(trade["quoteQty"])
        totals[trade["commissionAsset"]] -= Decimal(trade["commission"])
    return totals


async def looked_up(one: Client) -> tuple[dict[int, Any], list[Any], list[Any], Any]:
    """Return orders, trades, open orders and account of one moment.

    The market goes on meanwhile: an answer of before and one of after must say the same.
    """

    async def all_orders() -> dict[int, Any]:
        found = await pages(one, "/api/v3/allOrders", "orderId", "orderId")
        return {order["orderId"]: order for order in found}

    for _ in range(LOOKS):
        before = await all_orders()
        trades = await pages(one, "/api/v3/myTrades", "fromId", "id")
        _, open_orders = await one.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
        _, told = await one.ask("GET", "/api/v3/account")
        if await all_orders() == before:
            return before, trades, open_orders, told
    raise AssertionError(f"the market changed the account's orders during each of {LOOKS} looks")


async def assert_accounts_add_up(clients: list[Client], account: str) -> int:
    """Hold balances, open orders, trades and what clients were told against each other."""
    crowd = [client for client in clients if client.account == account]
    one = crowd[0]
    orders, trades, open_orders, told = await looked_up(one)
    balances = {entry["asset"]: entry for entry in told["balances"]}

    told_orders = {number: status for client in crowd for number, status in client.statuses.items()}
    assert set(told_orders) == set(orders)
    refused_ids = {name for client in crowd for name in client.refused_client_ids}
    assert not refused_ids & {order["clientOrderId"] for order in orders.values()}
    for number, status in told_orders.items():
        if status in ENDED:
            assert orders[number]["status"] == status
        assert (orders[number]["status"] == "CANCELED") == (status == "CANCELED")
    assert len(open_orders) > KEPT_OPEN
    still_open = {number for number, order in orders.items() if order["status"] not in ENDED}
    assert {order["orderId"] for order in open_orders} == still_open

    executed: Counter[int] = Counter()
    for trade in trades:
        executed[trade["orderId"]] += Decimal(trade["qty"])  # type: ignore[assignment]
    for number, order in orders.items():
        assert Decimal(order["executedQty"]) == executed[number]

    locked = {"BTC": Decimal(0), "USDT": Decimal(0)}
    for order in open_orders:
        left = Decimal(order["origQty"]) - Decimal(order["executedQty"])
        if order["side"] == "BUY":
            locked["USDT"] += left * Decimal(order["price"])
        else:
            locked["BTC"] += left
    for asset, total in expected_totals(account, trades).items():
        balance = balances[asset]
        assert Decimal(balance["locked"]) == locked.get(asset, 0), asset
        assert Decimal(balance["free"]) + Decimal(balance["locked"]) == total, asset
    return len(trades)


def test_many_clients_at_once(tmp_path: Path) -> None:
    """Fifty connections of two accounts place and cancel for some seconds; then all adds up."""

    async def scenario(target: str) -> None:
        clients = [
            Client(target, DEMO_KEYS[number % len(DEMO_KEYS)], number) for number in range(CLIENTS)
        ]
        try:
            _, ticker = await clients[0].ask("GET", "/api/v3/ticker/price", symbol="BTCUSDT")
            price = Decimal(ticker["price"])
            until = time.monotonic() + SECONDS
            await asyncio.gather(
                *(
                    client.trade(random.Random(number), price, until)
                    for number, client in enumerate(clients)
                )
            )
            refused = sum((client.refused for client in clients), Counter())
            assert set(refused) <= EXPECTED, refused
            highest = max(client.highest_count for client in clients)
            assert highest == ORDERS_IN_10_SECONDS
            for key in DEMO_KEYS:
                assert await assert_accounts_add_up(clients, key.account) > 0
            for client in clients[: len(DEMO_KEYS)]:
                await client.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
                _, told = await client.ask("GET", "/api/v3/account")
                assert all(not Decimal(entry["locked"]) for entry in told["balances"])
        finally:
            await asyncio.gather(*(client.close() for client in clients))

    rulebook = tmp_path / "crowd.toml"
    rulebook.write_text(RULEBOOK)
    with running_gate(tmp_path, "--rulebook", str(rulebook)) as gate:
        asyncio.run(scenario(gate.ready["rest"]))
        gate.assert_unharmed()
