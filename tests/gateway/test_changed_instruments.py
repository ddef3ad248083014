"""Instruments whose terms the configuration or the rulebook changes between two runs."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gate
from gateway.clock import wall_ns
from gateway.config import Config, EngineConfig, InstrumentConfig
from gateway.engine.server import EngineServer
from gateway.engine.venue import Venue
from gateway.journal import read_run, runs
from gateway.replay import replay
from rules.events import DefineSymbol
from tests.gateway.gate_world import Client, config, running

STEP = """
revision = "{step}"
extends = "bench"

[instruments.BTCUSDT]
step_size = "{step}"

[rules.min_notional]
mode = "off"

[rules.notional]
mode = "off"
"""


def instrument(commission: str) -> tuple[InstrumentConfig, ...]:
    """Return the instruments of a configuration, with one commission for makers and takers."""
    return (
        InstrumentConfig(
            name="BTCUSDT",
            base="BTC",
            quote="USDT",
            previous_close="60000",
            maker_commission=commission,
            taker_commission=commission,
        ),
    )


def configured(data: Path, step: str, commission: str, engine: str) -> Config:
    """Return a configuration with a rulebook of its own step size."""
    rulebook = data.parent / f"step-{step}.toml"
    rulebook.write_text(STEP.format(step=step))
    return config(
        data,
        rulebook=str(rulebook),
        instruments=instrument(commission),
        engine=EngineConfig(address=engine),
    )


def definitions(data: Path) -> list[DefineSymbol]:
    """Return the definitions of instruments in the newest run."""
    newest = runs(data)[-1]
    events = [record.event for record in read_run(newest.path, newest.manifest.first_seq)]
    return [event for event in events if isinstance(event, DefineSymbol)]


async def step_shown(client: Client) -> str:
    """Return the step size clients are told."""
    told = await client.ask("GET", "/api/v3/exchangeInfo", symbol="BTCUSDT")
    filters = {one["filterType"]: one for one in told.body["symbols"][0]["filters"]}
    return str(filters["LOT_SIZE"]["stepSize"])


async def assert_traded(gate: Gate) -> None:
    """Trade on the changed terms: 0.2 % and lots of 0.002, against an order of 0.003 from before."""
    alice, bob = Client(gate), Client(gate, "bob")
    assert await step_shown(alice) == "0.00200000"
    assert await alice.balance("USDT") == ("99999820.00000000", "180.00000000")
    refused = await bob.place(60_000, side="SELL", quantity="0.003")
    assert refused.body["ordergate"]["reason"] == "QUANTITY_STEP"
    sold = await bob.place(60_000, side="SELL", quantity="0.002")
    assert [fill["commission"] for fill in sold.body["fills"]] == ["0.24000000"]
    # What is left of the order from before is its own: reserved, and cancelled whole.
    assert await alice.balance("USDT") == ("99999820.00000000", "60.00000000")
    assert await alice.balance("BTC") == ("1000.00199600", "0.00000000")
    cancelled = await alice.cancel_all()
    assert [(one["origQty"], one["executedQty"]) for one in cancelled.body] == [
        ("0.00300000", "0.00200000")
    ]
    assert await alice.balance("USDT") == ("99999880.00000000", "0.00000000")
    assert (await bob.place(60_000, side="SELL", quantity="0.010")).status == 200
    # 350 buys 0.0058, in whole lots 0.004.
    bought = await alice.ask(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="350"
    )
    assert (bought.body["executedQty"], bought.body["cummulativeQuoteQty"]) == (
        "0.00400000",
        "240.00000000",
    )


async def lives(data: Path, engine: str) -> None:
    """Run a gate, kill it, and start it with other terms; then kill that, and start it again."""
    first, second = data / "first", data / "second"
    async with running(configured(first, "0.001", "0.001", engine)) as gate:
        placed = await Client(gate).place(60_000, quantity="0.003", newClientOrderId="before")
        assert placed.status == 200
        shutil.copytree(first, second)
    third = data / "third"
    changed = configured(second, "0.002", "0.002", engine)
    async with running(changed) as gate:
        epoch = gate.core.book.engine_epoch
        await assert_traded(gate)
        shutil.copytree(second, third)
    assert [(one.maker_commission_ppm, one.lot_step_e8) for one in definitions(third)] == [
        (2_000, 200_000)
    ]
    async with running(configured(third, "0.002", "0.002", engine)) as gate:
        assert gate.core.book.engine_epoch == epoch
        assert [
            order.quantity_e8 - order.filled_e8 for order in gate.core.book.orders.values()
        ] == [600_000]
        sold = await Client(gate).place(60_000, quantity="0.002")
        assert [fill["commission"] for fill in sold.body["fills"]] == ["0.00000400"]
    assert definitions(third) == []
    for run in runs(third):
        assert replay(run).difference is None


def test_changed_terms_hold_from_here_on(tmp_path: Path) -> None:
    """The embedded engine takes them up by the record, and again whenever that is followed."""
    asyncio.run(lives(tmp_path, ""))


def test_an_engine_process_takes_up_changed_terms(tmp_path: Path) -> None:
    """It has the orders of before, and trades them on the new terms."""

    async def scenario() -> None:
        server = EngineServer(Venue(wall_ns))
        address = f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
        try:
            await lives(tmp_path, address)
        finally:
            await server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("named", [True, False])
def test_instruments_that_are_not_named_any_more(tmp_path: Path, named: bool) -> None:
    """A rulebook's step holds for every instrument of the record; commissions stay as they were."""
    data = tmp_path / "data"

    async def start(step: str, instruments: Any) -> None:
        changed = configured(data, step, "0.001", "")
        async with running(config(data, rulebook=changed.rulebook, instruments=instruments)):
            pass

    asyncio.run(start("0.001", instrument("0.001")))
    asyncio.run(start("0.002", instrument("0.001") if named else ()))
    assert [(one.maker_commission_ppm, one.lot_step_e8) for one in definitions(data)] == [
        (1_000, 200_000)
    ]
