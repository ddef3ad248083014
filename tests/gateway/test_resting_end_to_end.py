"""Resting time of a whole gate over REST: cancels that are held over a restart, and charges posted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.app import Gate
from gateway.clock import ManualClock
from gateway.fees.record_counts import RecordCounts
from gateway.journal import find_run, read_run, runs
from gateway.replay import replay
from rules.events import BulkCancel, OwnerClassChanged, SetState
from rules.values import (
    CAUSE_CLIENT,
    NS_PER_MS,
    OWNER_HIGH_FREQUENCY,
    OWNER_ORDINARY,
    SCOPE_ACCOUNT,
    STATE_ACTIVE,
    STATE_KILLED,
)
from tests.gateway.gate_world import Client, Told, config
from tests.gateway.test_conduct_end_to_end import next_day
from tests.scenarios.world import StillClock

DEFER = """
extends = "bench"

[rules.resting_time]
mode = "enforce"
minimum = "500ms"
policy = "DEFER"
"""
CHARGE = """
extends = "bench"

[rules.cancel_fees]
mode = "enforce"
tariffs = []

[rules.resting_time]
mode = "enforce"
minimum = "5s"
policy = "CHARGE"
tariff = "age-priced-cancels"
"""


@asynccontextmanager
async def gate_of(tmp_path: Path, rulebook: str) -> AsyncIterator[Gate]:
    """Run a gate by the rulebook, with a clock that stands still unless it is moved."""
    path = tmp_path / "resting.toml"
    path.write_text(rulebook)
    configured = config(tmp_path / "data", rulebook=str(path), clock="manual")
    gate = Gate(configured, StillClock())
    try:
        await gate.start()
        yield gate
    finally:
        await gate.stop()


def wait(gate: Gate, by_ms: int) -> None:
    """Let time pass, with everything that is due."""
    assert isinstance(gate.clock, ManualClock)
    gate.clock.advance(by_ms * NS_PER_MS)
    gate.core.tick()


async def cancel(client: Client, placed: Told, **more: Any) -> Told:
    """Ask for the cancel of an order."""
    order_id = placed.body["orderId"]
    return await client.ask("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=order_id, **more)


async def status(client: Client, placed: Told) -> str:
    """Return the status of an order as a query shows it."""
    order_id = placed.body["orderId"]
    told = await client.ask("GET", "/api/v3/order", symbol="BTCUSDT", orderId=order_id)
    return str(told.body["status"])


async def open_statuses(client: Client) -> list[str]:
    """Return the status of every open order, oldest first."""
    told = await client.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    return [order["status"] for order in told.body]


def test_a_held_cancel_is_shown_as_pending(tmp_path: Path) -> None:
    """By the answer, the order query and the open orders; the key is told until when."""

    async def story() -> None:
        async with gate_of(tmp_path, DEFER) as gate:
            alice = Client(gate)
            held, other = await alice.place(), await alice.place(50_001)
            wait(gate, 100)
            told = await cancel(alice, held, newClientOrderId="my-cancel")
            assert (told.status, told.body["status"]) == (200, "PENDING_CANCEL")
            assert told.body["clientOrderId"] == "my-cancel"
            assert await status(alice, held) == "PENDING_CANCEL"
            assert await open_statuses(alice) == ["PENDING_CANCEL", "NEW"]
            path = f"/ordergate/v1/decisions/{told.headers['X-OrderGate-Decision']}"
            decision = (await alice.ask("GET", path)).body
            until_ms = gate.core.now_ns() // NS_PER_MS + 400
            assert (decision["verdict"], decision["heldUntil"]) == ("DEFERRED", until_ms)
            wait(gate, 400)
            assert await status(alice, held) == "CANCELED"
            assert await open_statuses(alice) == ["NEW"]
            assert (await cancel(alice, other)).body["status"] == "CANCELED"

    asyncio.run(story())
    assert replay(find_run(tmp_path / "data")).difference is None


def test_a_held_cancel_outlasts_a_restart(tmp_path: Path) -> None:
    """Pending before and after it; carried out in the next run, at the age that was promised."""

    async def story() -> None:
        async with gate_of(tmp_path, DEFER) as gate:
            alice = Client(gate)
            held, other = await alice.place(), await alice.place(50_001)
            await cancel(alice, held)
        async with gate_of(tmp_path, DEFER) as gate:
            alice = Client(gate)
            assert await open_statuses(alice) == ["PENDING_CANCEL", "NEW"]
            wait(gate, 499)
            assert await status(alice, held) == "PENDING_CANCEL"
            wait(gate, 1)
            assert await status(alice, held) == "CANCELED"
            assert await status(alice, other) == "NEW"

    asyncio.run(story())
    assert replay(find_run(tmp_path / "data")).difference is None
    due = [
        record.event
        for run in runs(tmp_path / "data")
        for record in read_run(run.path)
        if isinstance(record.event, BulkCancel)
    ]
    assert [event.cause for event in due] == [CAUSE_CLIENT]


def test_a_kill_takes_held_cancels_along(tmp_path: Path) -> None:
    """The orders end at once, and after the release nothing of them is left to come."""

    async def story() -> None:
        async with gate_of(tmp_path, DEFER) as gate:
            alice = Client(gate)
            orders = [await alice.place(), await alice.place(50_001)]
            told = await alice.cancel_all()
            assert [one["status"] for one in told.body] == ["PENDING_CANCEL"] * 2
            account = gate.core.book.orders[orders[0].body["orderId"]].account
            for state in (STATE_KILLED, STATE_ACTIVE):
                await gate_state(gate, account, state)
            assert [await status(alice, one) for one in orders] == ["CANCELED"] * 2
            after = await alice.place()
            wait(gate, 1_000)
            assert await status(alice, after) == "NEW"

    asyncio.run(story())
    assert replay(find_run(tmp_path / "data")).difference is None


async def gate_state(gate: Gate, account: int, state: int) -> None:
    """Have an operator set the stop state of an account, and wait until it is answered."""
    answered = asyncio.Event()
    event = SetState(SCOPE_ACCOUNT, account, state, "as the test says", "an operator")
    gate.core.submit(event, lambda _outcome: answered.set())
    await answered.wait()


def test_a_charge_is_told_posted_and_stated(tmp_path: Path) -> None:
    """A cancel after 250 ms costs 0.015; the key is told, the day's end posts it, the record says why.

    The shipped curve falls from 0.02 at once to 0.01 at half a second: at half of that 0.015.
    """

    async def story() -> None:
        async with gate_of(tmp_path, CHARGE) as gate:
            next_day(gate)
            alice = Client(gate)
            placed = await alice.place()
            wait(gate, 250)
            told = await cancel(alice, placed)
            assert (told.status, told.body["status"]) == (200, "CANCELED")
            path = f"/ordergate/v1/decisions/{told.headers['X-OrderGate-Decision']}"
            (charge,) = (await alice.ask("GET", path)).body["charges"]
            assert charge["orderId"] == placed.body["orderId"]
            assert (charge["amount"], charge["currency"]) == ("0.01500000", "USDT")
            (fee,) = (await alice.ask("GET", "/ordergate/v1/conduct")).body["fees"]
            assert fee["amount"] == "0.015"
            next_day(gate)
            gate.fee_poster.post()
            assert gate.fee_poster.backlog() == 0

    asyncio.run(story())
    assert replay(find_run(tmp_path / "data")).difference is None
    counts = RecordCounts()
    counts.take(runs(tmp_path / "data"))
    (line,) = counts.statement().lines
    assert (line.owner, line.tariff, line.amount) == ("alice", "age-priced-cancels", "0.015")
    assert line.posted == "0.015"


CLASSES = """
extends = "bench"

[rules.owner_class]
one_instrument = "4"
all_instruments = "100"
trading_day = "1s"
kept_days = 1

[rules.resting_time]
mode = "enforce"
minimum = "0s"
cases = [{ classes = ["high_frequency"], minimum = "1s" }]
"""


def test_a_class_is_shown_recorded_and_kept(tmp_path: Path) -> None:
    """Four messages make it; the key sees it and its messages, and it outlasts a restart."""

    async def shown(client: Client) -> tuple[str, int]:
        told = (await client.ask("GET", "/ordergate/v1/conduct")).body["ownerClass"]
        limits = (await client.ask("GET", "/ordergate/v1/limits")).body["limits"]
        used = [one["used"] for one in limits if one["rule"] == "owner_class"]
        return told, max(map(int, used))

    async def story() -> None:
        async with gate_of(tmp_path, CLASSES) as gate:
            alice, bob = Client(gate), Client(gate, "bob")
            assert (await cancel(alice, await alice.place())).status == 200
            await alice.place(50_001)
            assert await shown(alice) == ("ordinary", 3)
            last = await alice.place(50_002)
            assert await shown(alice) == ("high_frequency", 4)
            assert (await cancel(alice, last)).body["code"] == -1004
            assert (await cancel(bob, await bob.place())).status == 200
        async with gate_of(tmp_path, CLASSES) as gate:
            alice = Client(gate)
            assert (await shown(alice))[0] == "high_frequency"
            assert (await cancel(alice, await alice.place(50_003))).body["code"] == -1004
            next_day(gate)
            next_day(gate)
            assert (await shown(alice))[0] == "ordinary"

    asyncio.run(story())
    changes = [
        (record.event.owner_class, record.event.messages)
        for run in runs(tmp_path / "data")
        for record in read_run(run.path)
        if isinstance(record.event, OwnerClassChanged)
    ]
    assert changes == [(OWNER_HIGH_FREQUENCY, 4), (OWNER_ORDINARY, 0)]
    assert all(replay(run).difference is None for run in runs(tmp_path / "data"))
