"""Sessions nobody wrote: the same over REST and gRPC, and the gate's book is the engine's."""

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import grpc
import msgspec
import pytest

from gateway.engine.embedded import EmbeddedEngine
from gateway.journal import find_run
from gateway.replay import replay
from tests.scenarios.clients import GrpcClient, RestClient
from tests.scenarios.stored import assert_state_survives
from tests.scenarios.table import Account, Key, Scenario, Step
from tests.scenarios.world import World, running

SEEDS = range(60 if os.environ.get("ORDERGATE_SOAK") else 2)
LINES = 200
SECONDS = 60.0
STP_MODES = ("", "", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")
QUANTITIES = ("0.001", "0.25", "0.33333", "0.5", "1", "3")
STATES = ("KILLED", "CANCEL_ONLY", "REDUCE_ONLY", "SLOW")
WORLD = Scenario(
    name="random session",
    # References that stay young, so that most orders reach the engine.
    changes={
        "rules": {
            "price_collar": {"last_max_age": "48h", "quote_max_age": "48h"},
            "order_count": {"windows": [{"interval": "10s", "limit": 40}]},
        }
    },
    accounts={"bob": Account(tier="market_maker", market_maker=True)},
    keys={"second": Key(account="alice")},
    steps=(),
)


class Lines:
    """Draws lines; orders are often against or about those drawn a little before."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._placed: list[tuple[str, str]] = []
        self._drawn: list[Step] = []

    def draw(self) -> list[Step]:
        """Return a session."""
        kinds = (self._place,) * 9 + (self._market,) * 2 + (self._cancel,) * 3
        kinds += (self._replace,) * 3 + (self._cancel_all, self._wait, self._stop, self._halt)
        while len(self._drawn) < LINES:
            self._random.choice(kinds)()
        return self._drawn

    def _order(self, **line: Any) -> Step:
        choice = self._random.choice
        key, name = choice(("alice", "bob", "second")), f"n{len(self._drawn)}"
        side, stp = choice(("BUY", "SELL")), choice(STP_MODES)
        drawn = {"key": key, "id": name, "side": side, "stp": stp, "quantity": choice(QUANTITIES)}
        order = msgspec.convert({"do": "place", **drawn, **line}, Step)
        self._placed.append((order.id, order.key))
        return order

    def _limit(self) -> dict[str, Any]:
        price = 60_000 + self._random.randint(-5, 5) * self._random.choice((1, 1, 100))
        if self._random.random() < 0.2:
            return {"type": "LIMIT_MAKER", "price": str(price)}
        tif = self._random.choice(("GTC", "GTC", "GTC", "IOC", "FOK"))
        return {"type": "LIMIT", "time_in_force": tif, "price": str(price)}

    def _place(self) -> None:
        self._drawn.append(self._order(**self._limit()))

    def _market(self) -> None:
        amount = {}
        if self._random.random() < 0.5:
            quote = f"{self._random.randint(1, 90_000)}.{self._random.randrange(10**8):08d}"
            amount = {"quantity": None, "quote": quote}
        self._drawn.append(self._order(type="MARKET", **amount))

    def _cancel(self) -> None:
        if self._placed:
            name, key = self._random.choice(self._placed[-12:])
            restricted = self._random.choice(("", "", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"))
            self._drawn.append(
                msgspec.convert(
                    {"do": "cancel", "of": name, "key": key, "restriction": restricted}, Step
                )
            )

    def _replace(self) -> None:
        if self._placed:
            name, key = self._random.choice(self._placed[-12:])
            allowed = self._random.random() < 0.4
            line = {"do": "replace", "of": name, "key": key, "allow_failure": allowed}
            self._drawn.append(self._order(**self._limit(), **line))

    def _cancel_all(self) -> None:
        self._drawn.append(Step(do="cancel_all", key=self._random.choice(("alice", "bob"))))

    def _wait(self) -> None:
        self._drawn.append(Step(do="wait", time=self._random.choice(("1ms", "1s", "70s"))))

    def _stop(self) -> None:
        account, state = self._random.choice(("alice", "bob")), self._random.choice(STATES)
        self._drawn.append(Step(do="stop", scope="account", subject=account, state=state))
        self._place()
        self._drawn.append(Step(do="release", scope="account", subject=account))

    def _halt(self) -> None:
        state = self._random.choice(("HALT", "CANCEL_ONLY", "AUCTION"))
        self._drawn.append(Step(do="symbol_state", state=state))
        self._place()
        self._drawn.append(Step(do="symbol_state", state="TRADING"))


@pytest.mark.parametrize("seed", SEEDS)
def test_session(seed: int, tmp_path: Path) -> None:
    """Both ways in come to the same decisions and results, and each run replays identically."""
    lines = Lines(seed).draw()
    found = []
    for channel in ("rest", "grpc"):
        folder = tmp_path / channel
        folder.mkdir()
        found.append(asyncio.run(_play(lines, channel, folder)))
        assert replay(find_run(folder / "data")).difference is None
        assert_state_survives(find_run(folder / "data"))
    for number, (one, other) in enumerate(zip(*found, strict=True)):
        assert one == other, f"request {number} of seed {seed}"


async def _play(lines: list[Step], channel: str, folder: Path) -> list[Any]:
    async with asyncio.timeout(SECONDS), running(WORLD, channel, folder) as world:
        if channel == "rest":
            async with aiohttp.ClientSession() as session:
                return await _ask(lines, world, RestClient(world, session))
        address = f"127.0.0.1:{world.gate.ports['grpc']}"
        async with grpc.aio.insecure_channel(address) as connection:
            return await _ask(lines, world, GrpcClient(world, connection))


async def _ask(lines: list[Step], world: World, client: RestClient | GrpcClient) -> list[Any]:
    """Return what was decided about each request and what the engine answered."""
    found = []
    for step in lines:
        if step.do in ("wait", "stop", "symbol_state", "release"):
            await world.act(step)
        else:
            told = await client.ask(step)
            seq, _, decision = world.decided(told.decision_id)
            result = world.results.get(seq)
            if result is not None:
                result = msgspec.structs.replace(result, command_id=0)
            found.append((step, decision, result))
        _check_book(world)
    assert world.gate.core.pipeline.faults == 0
    return found


def _check_book(world: World) -> None:
    """Hold the gate's balances and orders against the engine's, and against one another."""
    book, engine = world.gate.core.book, world.gate.engine
    assert isinstance(engine, EmbeddedEngine)
    held: dict[tuple[int, int], int] = {}
    for order in book.orders.values():
        pair = order.account, order.reserved_asset
        held[pair] = held.get(pair, 0) + order.reserved_e8
    for pair, balance in book.balances.items():
        holding = engine.exchange.ledger.holdings[pair]
        assert balance.reserved_e8 == held.get(pair, 0) == holding.locked_e8
        assert balance.free_e8 == holding.free_e8 >= 0
    there = {order.order_id: order for order in engine.exchange.open_orders()}
    assert there.keys() == book.orders.keys()
    for order_id, order in book.orders.items():
        other = there[order_id]
        assert (order.price_e8, order.quantity_e8, order.filled_e8) == (
            other.price_e8,
            other.quantity_e8,
            other.filled_e8,
        )
