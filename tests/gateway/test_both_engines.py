"""A gate behaves the same with the embedded engine and with an engine process, and outlives it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from gateway.app import Gate
from gateway.config import EngineConfig
from gateway.engine.remote import RemoteEngine
from gateway.journal import find_run
from gateway.replay import replay
from rules.book import Book
from rules.units import decimal_e8
from rules.values import DEFINE_ASSET, ENGINE_LOST, NEW
from tests.scenarios.clients import RestClient
from tests.scenarios.table import Account, Scenario, Step
from tests.scenarios.world import World, config_of, started

SECONDS = 20.0
ANSWER_SECONDS = 1.5
"""A client waits no longer than this, whatever has become of the engine: the deadline of 0.9 s and
what a busy machine adds."""
WORLD = Scenario(
    name="both engines",
    accounts={"alice": Account(), "bob": Account(market_maker=True, tier="market_maker")},
    # A new engine has no quotes: the last trade is what the first orders are measured from, however
    # long the engine takes to start.
    changes={"rules": {"price_collar": {"last_max_age": "1h"}}},
    steps=(),
)


def place(**line: Any) -> Step:
    """Return a line that places an order."""
    return Step(do="place", **line)


SESSION = (
    # A trade to begin with: its price is what market orders are measured from.
    place(key="bob", side="SELL", id="ask", price="60000", quantity="1"),
    place(id="taker", price="60000", quantity="0.25"),
    # Partial fills over several resting orders of the other account, and what is left rests.
    place(key="bob", side="SELL", id="ask-2", price="60010", quantity="0.5"),
    place(key="bob", side="SELL", id="ask-3", price="60020", quantity="0.5"),
    place(id="sweep", price="60010", quantity="2"),
    place(key="bob", side="SELL", id="hit", price="60000", quantity="0.125"),
    place(time_in_force="IOC", price="60020", quantity="0.7"),
    place(time_in_force="FOK", price="60020", quantity="9"),
    # Self-trade prevention in every mode.
    place(id="own", price="59000", quantity="1"),
    place(side="SELL", price="59000", quantity="2", stp="EXPIRE_TAKER"),
    place(side="SELL", price="59000", quantity="0.5", stp="DECREMENT"),
    place(side="SELL", price="59000", quantity="0.5", stp="EXPIRE_BOTH"),
    place(id="own-2", price="58000", quantity="0.5"),
    place(side="SELL", id="own-3", price="58000", quantity="0.5", stp="EXPIRE_MAKER"),
    Step(do="cancel", of="own-3"),
    # Market orders by quantity and by an amount of money.
    place(key="bob", side="SELL", id="ask-4", price="60100", quantity="1"),
    place(type="MARKET", quote="1234.56789"),
    place(type="MARKET", quantity="0.3"),
    place(key="bob", side="SELL", type="MARKET", quantity="0.1"),
    place(type="MARKET", quote="100000"),
    # Replacing, cancelling, and being refused by rules and by the engine.
    place(id="old", price="57000", quantity="1"),
    Step(do="replace", of="old", id="new", price="57500", quantity="0.5"),
    place(key="bob", side="SELL", id="ask-5", price="60200", quantity="1"),
    Step(do="replace", of="new", id="crossing", type="LIMIT_MAKER", price="62000", quantity="0.5"),
    Step(do="replace", of="gone", id="anew", price="57600", quantity="0.5", allow_failure=True),
    place(type="LIMIT_MAKER", price="60200", quantity="1"),
    place(price="60000.001"),
    place(id="anew", price="57000"),
    place(price="50000", quantity="19"),
    Step(do="cancel", of="nothing"),
    Step(do="cancel", of="anew"),
    place(id="all-1", price="57000"),
    place(id="all-2", price="57100"),
    Step(do="cancel_all"),
    # A kill cancels what is open and refuses what comes.
    place(id="killed", price="57000", quantity="1"),
    Step(do="stop", scope="account", subject="alice", state="KILLED"),
    place(price="57000"),
    Step(do="cancel", of="killed"),
    Step(do="release", scope="account", subject="alice"),
    place(id="after", price="57000"),
)
ASKED_AFTERWARDS = ("ask", "ask-2", "ask-3", "ask-4", "ask-5", "hit", "taker", "sweep", "own")


def test_one_session_is_the_same_with_either_engine(tmp_path: Path) -> None:
    """The same requests get the same answers and lead to the same balances and orders."""

    async def session(address: str, folder: Path, settled: Any = None) -> Any:
        async with serving(address, folder) as (world, client):
            for step in SESSION:
                if step.do in ("stop", "release"):
                    await world.act(step)
                else:
                    await client.ask(step)
            if settled is not None:
                await until(lambda: holdings(world.gate.core.book) == settled)
            for name in ASKED_AFTERWARDS:
                key = "bob" if name.startswith(("ask", "hit")) else "alice"
                await client.ask(Step(do="status", of=name, key=key))
            book = world.gate.core.book
            return list(map(timeless, client.answers)), holdings(book), open_orders(book)

    here = run(session("", tmp_path / "embedded"))
    with engine_process() as (_, address):
        there = run(session(address, tmp_path / "process", settled=here[1]))
    for one, other in zip(here[0], there[0], strict=True):
        assert other == one
    assert there[1:] == here[1:]
    statuses = [status for status, _ in here[0]]
    assert statuses.count(200) > len(statuses) // 2
    assert {400, 409} <= set(statuses), "the session has refusals and a half-done replacement"
    for folder in ("embedded", "process"):
        report = replay(find_run(tmp_path / folder / "data"))
        assert report.difference is None
        assert report.requests == len(statuses)


def test_killed_engine_is_survived(tmp_path: Path) -> None:
    """Orders are refused while the engine is gone; a new one begins without the old orders."""

    async def session() -> None:
        with engine_process() as (process, address):
            async with serving(address, tmp_path) as (world, client):
                book = world.gate.core.book
                await client.ask(place(id="lost", price="59000", quantity="1"))
                await client.ask(place(key="bob", side="SELL", price="60000", quantity="1"))
                await client.ask(place(id="taker", price="60000", quantity="0.5"))
                before = holdings(book)
                process.kill()
                process.wait(SECONDS)
                unknown_e8 = await gone(world, client)
                buyer = world.gate.directory.accounts["alice"].account
                quote = world.gate.directory.known(DEFINE_ASSET, "USDT")
                total_e8, reserved_e8 = before[buyer, quote]
                before[buyer, quote] = (total_e8, reserved_e8 + unknown_e8)
                assert holdings(book) == before, "what is not known stays reserved"
                with engine_process(int(address.rpartition(":")[2])):
                    await until(lambda: book.engine_connected)
                    await lost(world, client)
                    await trading_goes_on(world, client)

    run(session())
    assert replay(find_run(tmp_path / "data")).difference is None


async def gone(world: World, client: RestClient) -> int:
    """Ask an engine that was killed, before and after the gate has noticed.

    Returns what stays reserved for the order that was asked before, which may have been sent.
    """
    status, body = await timely(client, place(id="unsure", price="59000", quantity="1"))
    assert (status, body["code"]) in ((408, -1007), (503, -1008))
    unknown_e8 = decimal_e8("59000") if status == 408 else 0
    await until(lambda: not world.gate.core.book.engine_connected)
    told = await timely(client, place(id="refused", price="59000", quantity="1"))
    assert (told[0], told[1]["code"]) == (503, -1008), "certainly not sent"
    told = await timely(client, Step(do="cancel", of="lost"))
    assert (told[0], told[1]["code"]) == (408, -1007), "the cancel waits for the engine"
    return unknown_e8


async def lost(world: World, client: RestClient) -> None:
    """Find the orders of the old engine ended and nothing reserved for them."""
    book = world.gate.core.book
    assert not book.orders
    assert all(reserved == 0 for _, reserved in holdings(book).values())
    account = world.gate.directory.accounts["alice"].account
    view = world.gate.views.orders.get(account, 0, 0, "lost")
    assert view is not None
    assert view.status == ENGINE_LOST
    await client.ask(Step(do="status", of="lost"))
    assert client.answers[-1][1]["status"] == "EXPIRED", "as Binance names it"


async def trading_goes_on(world: World, client: RestClient) -> None:
    """Trade with the new engine, on the balances the gate brought it."""
    book, directory = world.gate.core.book, world.gate.directory
    asset = directory.known(DEFINE_ASSET, "BTC")
    alice, bob = (
        book.balances[directory.accounts[name].account, asset] for name in ("alice", "bob")
    )
    bought_e8, sold_e8 = alice.total_e8, bob.total_e8
    told = await client.ask(place(key="bob", side="SELL", price="60000", quantity="0.5"))
    assert told.status == "NEW"
    told = await client.ask(place(id="lost", price="60000", quantity="0.5"))
    assert (told.status, told.executed) == ("FILLED", "0.5")
    await until(lambda: not book.orders)
    assert alice.total_e8 - bought_e8 == decimal_e8("0.4995"), "less a commission of 0.1 %"
    assert sold_e8 - bob.total_e8 == decimal_e8("0.5")


def test_hanging_engine_is_reported_unknown_and_believed_later(tmp_path: Path) -> None:
    """Without an answer in time an order is unknown and reserved; the late answer is taken up."""

    async def session() -> None:
        with engine_process() as (process, address):
            async with serving(address, tmp_path) as (world, client):
                book = world.gate.core.book
                account = world.gate.directory.accounts["alice"].account
                os.kill(process.pid, signal.SIGSTOP)
                try:
                    status, body = await timely(client, place(id="late", price="59000"))
                    assert (status, body["code"]) == (408, -1007)
                    (order,) = book.orders.values()
                    assert order.unknown
                    assert order.reserved_e8 > 0
                finally:
                    os.kill(process.pid, signal.SIGCONT)
                await until(lambda: order.status == NEW)
                assert not order.unknown
                told = await client.ask(Step(do="status", of="late"))
                assert told.status == "NEW"
                told = await client.ask(Step(do="cancel", of="late"))
                assert told.status == "CANCELED"
                assert not book.open_orders(account)

    run(session())
    assert replay(find_run(tmp_path / "data")).difference is None


def test_kill_holds_while_the_engine_hangs(tmp_path: Path) -> None:
    """A killed account's orders are refused at once, and cancelled when the engine is back."""

    async def session() -> None:
        with engine_process() as (process, address):
            async with serving(address, tmp_path) as (world, client):
                book = world.gate.core.book
                account = world.gate.directory.accounts["alice"].account
                await client.ask(place(id="resting", price="59000"))
                os.kill(process.pid, signal.SIGSTOP)
                try:
                    in_flight = asyncio.create_task(client.ask(place(id="late", price="59000")))
                    await until(lambda: len(book.orders) == 2)
                    kill = Step(do="stop", scope="account", subject="alice", state="KILLED")
                    await world.act(kill)
                    assert len(book.open_orders(account)) == 2, "nobody has confirmed a cancel"
                    assert (await in_flight).unknown
                    told = await client.ask(place(price="59000"))
                    assert told.refused == "STATE_KILLED"
                finally:
                    os.kill(process.pid, signal.SIGCONT)
                await until(lambda: not book.open_orders(account))
                for name in ("resting", "late"):
                    told = await client.ask(Step(do="status", of=name))
                    assert told.status == "CANCELED"

    run(session())
    assert replay(find_run(tmp_path / "data")).difference is None


# --- Helpers ----------------------------------------------------------------------------------


def run(session: Any) -> Any:
    """Run one session to its end."""

    async def timed() -> Any:
        async with asyncio.timeout(SECONDS):
            return await session

    return asyncio.run(timed())


@contextlib.asynccontextmanager
async def serving(address: str, folder: Path) -> AsyncIterator[tuple[World, RestClient]]:
    """Run a gate on the engine at `address`, embedded when empty, and a client of it."""
    folder.mkdir(exist_ok=True)
    config = config_of(WORLD, "rest", folder)
    config = msgspec.structs.replace(config, engine=EngineConfig(address=address), clock="system")
    async with started(Gate(config)) as world, aiohttp.ClientSession() as session:
        assert isinstance(world.gate.engine, RemoteEngine) == bool(address)
        book = world.gate.core.book
        await until(lambda: len(book.balances) >= 2 * len(book.accounts))
        yield world, RestClient(world, session)


@contextlib.contextmanager
def engine_process(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `ordergate engine`; yield the process and its address."""
    command = [sys.executable, "-m", "gateway", "engine", "--port", str(port), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["engine"]
    finally:
        process.kill()
        process.communicate()


async def until(condition: Callable[[], object]) -> None:
    """Wait until what another process does has come about."""
    async with asyncio.timeout(SECONDS / 2):
        while not condition():
            await asyncio.sleep(0.01)


async def timely(client: RestClient, step: Step) -> tuple[int, Any]:
    """Return status and body of an answer that must come in time."""
    started_seconds = time.monotonic()
    await client.ask(step)
    assert time.monotonic() - started_seconds < ANSWER_SECONDS
    return client.answers[-1]


def holdings(book: Book) -> dict[tuple[int, int], tuple[int, int]]:
    """Return total and reserved amount by account and asset."""
    return {
        pair: (balance.total_e8, balance.reserved_e8) for pair, balance in book.balances.items()
    }


def open_orders(book: Book) -> dict[int, tuple[str, int, int, int]]:
    """Return the open orders by number."""
    return {
        order_id: (order.client_order_id, order.status, order.quantity_e8, order.filled_e8)
        for order_id, order in book.orders.items()
    }


_TIMES = frozenset(("transactTime", "workingTime", "updateTime", "time", "retryAt"))


def timeless(answer: Any) -> Any:
    """Return an answer without times, and without the names the gate makes for cancels."""
    if isinstance(answer, dict):
        made = {"clientOrderId"} if "origClientOrderId" in answer else set()
        return {
            name: timeless(value)
            for name, value in answer.items()
            if name not in _TIMES and name not in made
        }
    return [timeless(one) for one in answer] if isinstance(answer, list | tuple) else answer
