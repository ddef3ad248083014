"""A gate whose record has lost something and its engine process come to one view before it serves."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from gateway.app import Gate
from gateway.clock import wall_ns
from gateway.config import Config, EngineConfig
from gateway.engine.server import EngineServer
from gateway.engine.venue import Venue
from gateway.journal import find_run, latest_run, read_run, start_run
from gateway.journal.frame import Record, decode_payload
from gateway.journal.lost_note import note_paths, write_lost_note
from gateway.journal.reader import SegmentReader
from gateway.recovery import recover
from gateway.replay import replay
from gateway.rulebooks import load_rulebook
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.decisions import NOTED_DECISION
from rules.events import BalanceAdjusted, BulkCancel, OrderEnded, Place, RunBegan, SetState
from rules.values import DEFINE_ASSET, ENGINE_LOST, NS_PER_SECOND, SCOPE_VENUE, STATE_KILLED
from tests.gateway.gate_world import Client, config, running

Act = Callable[[Gate], Awaitable[None]]
NOT_ACKNOWLEDGED = 256
"""Reports an engine keeps at least; what these tests do leads to fewer."""


def holdings_of(venue: Venue) -> dict[tuple[str, str], int]:
    """Return what everybody holds at the engine, by names."""
    names = venue.names
    return {
        (names.account_name(account), names.asset_name(asset)): free_e8 + locked_e8
        for account, asset, free_e8, locked_e8 in venue.exchange.ledger.all_holdings()
        if free_e8 + locked_e8
    }


def holdings_at(gate: Gate) -> dict[tuple[str, str], int]:
    """Return what everybody holds in the gate's book, by names."""
    accounts = {facts.account: name for name, facts in gate.directory.accounts.items()}
    return {
        (accounts[account], gate.directory.name(DEFINE_ASSET, asset)): balance.total_e8
        for (account, asset), balance in gate.core.book.balances.items()
        if balance.total_e8
    }


async def restarted_on_a_copy(folder: Path, recorded: Act, forgotten: Act, then: Act) -> Venue:
    """Let a gate do two things, and restart it on the record of the first only."""
    venue = Venue(wall_ns)
    server = EngineServer(venue)
    address = f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
    try:

        def configured(name: str) -> Config:
            return config(folder / name, engine=EngineConfig(address=address))

        async with running(configured("data")) as gate:
            await recorded(gate)
            await until_told(gate, venue)
            shutil.copytree(folder / "data", folder / "copied")
            await forgotten(gate)
            await until_told(gate, venue)
        async with running(configured("copied")) as gate:
            await until_told(gate, venue)
            await then(gate)
            await until_told(gate, venue)
            assert venue.exchange.epoch == gate.core.book.engine_epoch
            at_engine = {order.order_id for order in venue.exchange.parts()[1].values()}
            assert at_engine == gate.core.book.orders.keys()
            assert all(not balance.reserved_e8 for balance in idle_balances(gate))
    finally:
        await server.close()
    report = replay(find_run(folder / "copied"))
    assert report.difference is None
    return venue


def idle_balances(gate: Gate) -> list[object]:
    """Return the balances of a gate without open orders."""
    return [] if gate.core.book.orders else list(gate.core.book.balances.values())


async def until_told(gate: Gate, venue: Venue) -> None:
    """Wait until the gate has taken everything its engine has said."""
    async with asyncio.timeout(10):
        while (
            gate.core.book.engine_seq != venue.exchange.engine_seq or gate.core.pipeline.in_flight
        ):
            await asyncio.sleep(0.01)


def test_orders_the_record_has_lost_are_cancelled(tmp_path: Path) -> None:
    """Nobody can answer for them; their numbers are not given again, their trades are kept."""

    async def recorded(gate: Gate) -> None:
        assert (await Client(gate).place(59_000)).body["orderId"] == 1

    async def forgotten(gate: Gate) -> None:
        assert (await Client(gate).place(59_100)).body["orderId"] == 2
        assert (await Client(gate, "bob").place(59_100, side="SELL")).body["status"] == "FILLED"
        assert (await Client(gate).place(59_200)).body["orderId"] == 4

    async def then(gate: Gate) -> None:
        assert list(gate.core.book.orders) == [1]
        assert (await Client(gate).balance("BTC"))[0] == "1000.00099900", "less commission"
        assert (await Client(gate, "bob").balance("BTC"))[0] == "999.99900000"
        assert (await Client(gate).place(59_300)).body["orderId"] == 5
        assert (await Client(gate).cancel_all()).status == 200

    venue = asyncio.run(restarted_on_a_copy(tmp_path, recorded, forgotten, then))
    assert venue.exchange.engine_seq < NOT_ACKNOWLEDGED
    adjusted = [
        event for event in _events(tmp_path / "copied") if isinstance(event, BalanceAdjusted)
    ]
    assert {event.note for event in adjusted} == {"balance at the engine"}


def test_orders_that_ended_unrecorded_end(tmp_path: Path) -> None:
    """A cancel that passed unrecorded stays a cancel, and what the order held is free again."""

    async def recorded(gate: Gate) -> None:
        for price in (59_000, 59_100, 59_200):
            await Client(gate).place(price)

    async def forgotten(gate: Gate) -> None:
        await Client(gate).ask("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=2)

    async def then(gate: Gate) -> None:
        assert list(gate.core.book.orders) == [1, 3]
        asked = await Client(gate).ask("GET", "/api/v3/order", symbol="BTCUSDT", orderId=2)
        assert asked.body["status"] == "EXPIRED"
        assert (await Client(gate).balance("USDT"))[1] == "118.20000000"

    asyncio.run(restarted_on_a_copy(tmp_path, recorded, forgotten, then))
    ended = [event for event in _events(tmp_path / "copied") if isinstance(event, OrderEnded)]
    assert [(event.order_id, event.status) for event in ended] == [(2, ENGINE_LOST)]


def test_an_order_with_other_terms_ends_at_both(tmp_path: Path) -> None:
    """An amend that was lost leaves an order whose terms the gate can't know."""

    async def recorded(gate: Gate) -> None:
        await Client(gate).place(59_000, quantity="0.002")
        await Client(gate).place(59_001)

    async def forgotten(gate: Gate) -> None:
        path = "/api/v3/order/amend/keepPriority"
        told = await Client(gate).ask("PUT", path, symbol="BTCUSDT", orderId=1, newQty="0.001")
        assert told.status == 200

    async def then(gate: Gate) -> None:
        assert list(gate.core.book.orders) == [2]

    asyncio.run(restarted_on_a_copy(tmp_path, recorded, forgotten, then))


def test_nothing_changes_where_nothing_was_lost(tmp_path: Path) -> None:
    """After a kill with a whole record the comparison finds nothing, and orders stay."""

    async def recorded(gate: Gate) -> None:
        for price in (59_000, 59_100):
            await Client(gate).place(price)
        assert (
            await Client(gate, "bob").place(59_100, side="SELL", quantity="0.0004")
        ).status == 200

    async def nothing(gate: Gate) -> None:
        pass

    async def then(gate: Gate) -> None:
        assert list(gate.core.book.orders) == [1, 2]
        assert [order.filled_e8 for order in gate.core.book.orders.values()] == [0, 40_000]

    asyncio.run(restarted_on_a_copy(tmp_path, recorded, nothing, then))
    events = _events(tmp_path / "copied")
    assert not [event for event in events if isinstance(event, OrderEnded | BalanceAdjusted)]


def test_balances_agree_afterwards(tmp_path: Path) -> None:
    """Whatever was forgotten, both sides hold the same, with orders resting and trades between."""

    async def recorded(gate: Gate) -> None:
        for step in range(12):
            await Client(gate).place(59_000 + step)

    async def forgotten(gate: Gate) -> None:
        await Client(gate, "bob").place(59_006, side="SELL", quantity="0.0075")
        await Client(gate, "bob").place(60_000, side="SELL", quantity="0.5")
        await Client(gate).place(60_000, quantity="0.2")
        await Client(gate).ask("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=1)

    seen: list[dict[tuple[str, str], int]] = []

    async def then(gate: Gate) -> None:
        seen.append(holdings_at(gate))

    venue = asyncio.run(restarted_on_a_copy(tmp_path, recorded, forgotten, then))
    assert seen == [holdings_of(venue)]


def test_an_answer_that_comes_too_late_is_asked_for_again() -> None:
    """A gate that has not heard everything yet must not be compared."""
    venue = Venue(wall_ns)
    venue.greet(wire.GateHello(gate="one"))
    deposit = wire.Deposit(account="alice", asset="BTC", amount_e8=5, deposit_id=1)
    venue.take(wire.GateItem(deposit=deposit))
    early = venue.take(wire.GateItem(reconcile=wire.Reconcile(last_seq=0)))
    assert [item.reconciled.again for item in early] == [True]
    balances = [wire.AccountBalance(account="alice", asset="BTC", total_e8=5)]
    stated = wire.Reconcile(last_seq=1, balances=balances)
    (answer,) = venue.take(wire.GateItem(reconcile=stated))
    assert not answer.reconciled.again
    assert answer.reconciled.adjusted == 0


# --- The embedded engine ----------------------------------------------------------------------


@pytest.mark.parametrize("unrecorded", [False, True])
def test_embedded_orders_after_an_unrecorded_time(tmp_path: Path, unrecorded: bool) -> None:
    """The engine is rebuilt from the record; where that is known to lack cancels, orders end."""

    async def first() -> None:
        async with running(config(tmp_path / "data")) as gate:
            await Client(gate).place()
            shutil.copytree(tmp_path / "data", tmp_path / "copied")

    async def second() -> list[int]:
        async with running(config(tmp_path / "copied")) as gate:
            return list(gate.core.book.orders)

    asyncio.run(first())
    run = latest_run(tmp_path / "copied")
    assert run is not None
    if unrecorded:
        write_lost_note(note_paths(run.path, None)[0], 7, "the disk and the reserve failed")
    assert asyncio.run(second()) == ([] if unrecorded else [1])
    assert asyncio.run(second()) == ([] if unrecorded else [1])


@pytest.mark.parametrize("place", [0, 1])
def test_word_of_a_time_without_a_record(tmp_path: Path, place: int) -> None:
    """It is found beside the run, and where the configuration has the reserves."""
    reserves = tmp_path / "elsewhere"
    reserves.mkdir()
    data = tmp_path / "data"
    journal = start_run(data, load_rulebook("bench"), NS_PER_SECOND, 1 << 20, reserve=reserves)
    journal.append(1, NS_PER_SECOND, RunBegan("", 1), NOTED_DECISION)
    assert recover(data).unrecorded == ""
    write_lost_note(note_paths(journal.directory, reserves)[place], 1, "both disks are broken")
    assert recover(data).unrecorded == "both disks are broken"
    journal.close()


def test_a_kill_that_died_in_the_middle(tmp_path: Path) -> None:
    """A cancel that was recorded and never carried out is found by the kill that is taken up."""
    copied = tmp_path / "copied"

    async def first() -> None:
        async with running(config(tmp_path / "data")) as gate:
            await Client(gate).place()
            gate.core.submit(SetState(SCOPE_VENUE, 0, STATE_KILLED, "news", "an operator"))
            assert gate.core.book.orders == {}
            shutil.copytree(tmp_path / "data", copied)

    async def second() -> None:
        async with running(config(copied)) as gate:
            assert gate.core.book.orders == {}
            assert list(gate.engine.exchange.open_orders()) == []  # type: ignore[union-attr]

    asyncio.run(first())
    segment = next(copied.glob("*/000001.seg"))
    reader = SegmentReader(segment)
    for _, payload in reader.frames():
        content = decode_payload(payload)
        if isinstance(content, Record) and isinstance(content.event, BulkCancel):
            break
    written = segment.read_bytes()
    segment.write_bytes(written[: reader.offset] + bytes(len(written) - reader.offset))
    asyncio.run(second())


def _events(data: Path) -> list[object]:
    """Return the events of the newest run after its start."""
    run = latest_run(data)
    assert run is not None
    records = list(read_run(run.path, run.manifest.first_seq))
    assert not [record for record in records[:1] if isinstance(record.event, Place)]
    return [msgspec.structs.replace(record.event) for record in records]


# --- Starts that died -------------------------------------------------------------------------


def test_an_opening_balance_is_booked_once(tmp_path: Path) -> None:
    """However many starts die after the engine has booked it and before they serve."""

    async def scenario() -> None:
        venue = Venue(wall_ns)
        server = EngineServer(venue)
        address = f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
        configured = config(tmp_path / "data", engine=EngineConfig(address=address))
        try:
            for _ in range(2):
                gate = Gate(configured)
                died = DyingGate(gate)
                with pytest.raises(DyingGate.Died):
                    await died.start()
                await gate.stop()
            async with running(configured) as gate:
                await until_told(gate, venue)
                assert (await Client(gate).balance("BTC"))[0] == "1000.00000000"
                assert holdings_at(gate) == holdings_of(venue)
        finally:
            await server.close()

    asyncio.run(scenario())


class DyingGate:
    """A gate whose start ends when engine and gate agree, before anything says that it serves."""

    class Died(BaseException):
        """What ends it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def start(self) -> None:
        """Start as far as that."""
        wait = self._gate._wait_for_engine

        async def die() -> int:
            await wait()
            raise DyingGate.Died

        self._gate._wait_for_engine = die  # type: ignore[method-assign]
        await self._gate.start()


def test_an_engine_that_begins_anew_does_so_once(tmp_path: Path) -> None:
    """Orders of the run in which the embedded engine began anew are there after the next starts."""

    async def life(address: str, place: int) -> list[int]:
        configured = config(tmp_path / "data", engine=EngineConfig(address=address))
        async with running(configured) as gate:
            found = list(gate.core.book.orders)
            if place:
                assert (await Client(gate).place(place)).status == 200
            return found

    async def scenario() -> None:
        server = EngineServer(Venue(wall_ns))
        address = f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
        try:
            assert await life(address, 59_000) == []
        finally:
            await server.close()
        assert await life("", 59_100) == [], "the embedded engine has none of the process's orders"
        assert await life("", 59_200) == [2]
        assert await life("", 0) == [2, 3]

    asyncio.run(scenario())
