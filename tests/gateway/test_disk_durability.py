"""A gate with `disk` durability over real REST: what is answered is on the disk, also when it fails."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gate, StartError
from gateway.config import Config, RecordConfig
from gateway.engine.embedded import EmbeddedEngine
from gateway.journal import find_run, read_run
from gateway.journal.lost_note import note_paths
from gateway.journal.manifest import Durability
from gateway.journal.reserve import begun_seq, find_reserve
from gateway.journal.segment import segment_name
from gateway.journal.verify import verify_run
from gateway.recording import durability_of, reserve_of
from gateway.replay import replay
from rules.events import CommandResult, DefineSymbol, Event, Place, SetState
from rules.values import SCOPE_ACCOUNT, STATE_KILLED

from .gate_world import Client, Told, config, running
from .journal.faulty_disk import FaultyDisk

RESERVE_BYTES = 1 << 20
PATIENCE_SECONDS = 10


def serving(data: Path, **changes: Any) -> Config:
    """Return the configuration of an exchange: the defaults of a file, with a small reserve."""
    record = RecordConfig(data=data, segment_bytes=1 << 20, reserve_bytes=RESERVE_BYTES, **changes)
    return config(data, record=record)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has come about."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def events(data: Path, *kinds: type[Event]) -> list[Event]:
    """Return what the last run recorded, its reserve included."""
    found = [record.event for record in read_run(find_run(data).path)]
    return [event for event in found if isinstance(event, kinds)]


@pytest.mark.parametrize(
    ("chosen", "demo_market", "expected"),
    [
        ("auto", False, "disk"),
        ("auto", True, "process"),
        ("disk", True, "disk"),
        ("process", False, "process"),
    ],
)
def test_what_a_configuration_promises(
    tmp_path: Path, chosen: Any, demo_market: bool, expected: Durability
) -> None:
    """A file that does not say gets the disk; a demo does not; the reserve goes with the disk."""
    data = tmp_path / "data"
    made = config(data, demo_market=demo_market, record=RecordConfig(data=data, durability=chosen))
    assert durability_of(made) == expected
    assert reserve_of(made) == (tmp_path / "data-reserve" if expected == "disk" else None)


def test_trading_on_the_disk(tmp_path: Path) -> None:
    """Orders, cancels and a kill are answered, and everything answered was synced first."""
    data = tmp_path / "data"

    async def scenario() -> None:
        disk = FaultyDisk()
        async with running(serving(data), disk) as gate:
            before = disk.syncs
            alice, bob = Client(gate), Client(gate, "bob")
            placed = await alice.place()
            assert placed.status == 200
            assert disk.syncs >= before + 2
            assert gate.recording.recorded_seq >= gate.core.seq - gate.core.unreleased
            assert (await bob.place(70_000, side="SELL")).status == 200
            (cancelled,) = (await alice.cancel_all()).body
            assert cancelled["orderId"] == placed.body["orderId"]
            account = gate.directory.accounts["bob"].account
            answered: list[object] = []
            kill = SetState(SCOPE_ACCOUNT, account, STATE_KILLED, "test", "tester")
            gate.core.submit(kill, answered.append)
            assert answered == []
            await until(lambda: answered)
            assert gate.core.book.orders == {}

    asyncio.run(scenario())
    run = find_run(data)
    assert (run.manifest.durability, run.manifest.status) == ("disk", "ended")
    result = verify_run(run.path)
    assert result.exit_code == 0
    assert result.sync_marks > 3
    assert replay(run).difference is None
    assert find_reserve(run.path) is None
    assert not begun_seq(tmp_path / "data-reserve" / run.path.name)


def test_nothing_leaves_a_start_before_its_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a start tells the engine is safe first, as everything later is."""
    data = tmp_path / "data"
    gates: list[Gate] = []
    safe: list[int] = []
    define = EmbeddedEngine.define_symbol

    def watched(engine: EmbeddedEngine, symbol: DefineSymbol) -> None:
        safe.append(gates[0].journal.recorded_seq)
        define(engine, symbol)

    async def scenario() -> None:
        monkeypatch.setattr(EmbeddedEngine, "define_symbol", watched)
        gates.append(Gate(serving(data)))
        try:
            await gates[0].start()
            assert gates[0].core.unreleased == 0
        finally:
            await gates[0].stop()

    asyncio.run(scenario())
    defined = [
        record.seq
        for record in read_run(find_run(data).path)
        if isinstance(record.event, DefineSymbol)
    ]
    assert len(safe) == len(defined) > 0
    assert all(through >= seq for through, seq in zip(safe, defined, strict=True))


def test_nothing_is_answered_while_the_disk_is_busy(tmp_path: Path) -> None:
    """No answer and no command before the sync; both at once after it."""

    async def scenario() -> None:
        disk = FaultyDisk()
        async with running(serving(tmp_path / "data", stall="60s"), disk) as gate:
            sent: list[object] = []
            send = gate.engine.send
            gate.engine.send = lambda command: (sent.append(command), send(command))  # type: ignore[method-assign]
            disk.open.clear()
            asking = asyncio.create_task(Client(gate).place())
            await until(lambda: any(isinstance(held.event, Place) for held in waiting(gate)))
            await asyncio.sleep(0)
            assert sent == []
            assert not asking.done()
            disk.open.set()
            assert (await asking).status == 200
            assert len(sent) == 1

    asyncio.run(scenario())


def waiting(gate: Gate) -> list[Any]:
    """Return what waits for its record."""
    return list(gate.core._record.held)


def fail_sync(disk: FaultyDisk) -> None:
    """Let the data directory's disk fail to sync."""
    disk.fail_sync()


def fill_up(disk: FaultyDisk) -> None:
    """Let it take no more bytes."""
    disk.store_error = OSError(28, "No space left on device")


def hang(disk: FaultyDisk) -> None:
    """Let it not answer."""
    disk.open.clear()


@pytest.mark.parametrize("fail", [fail_sync, fill_up, hang])
def test_the_disk_of_the_record_fails(
    tmp_path: Path, fail: Callable[[FaultyDisk], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Orders get 503, cancels pass and are in the reserve, and the run is read as one."""
    data = tmp_path / "data"
    answers: list[Told] = []

    async def scenario() -> None:
        disk = FaultyDisk()
        async with running(serving(data, stall="300ms"), disk) as gate:
            alice = Client(gate)
            placed = await alice.place()
            fail(disk)
            answers.append(await alice.place(49_000))
            answers.append(await alice.place(48_000))
            for told in answers:
                assert (told.status, told.body["code"]) == (503, -1008)
            assert gate.core.record_fault
            (cancelled,) = (await alice.cancel_all()).body
            assert cancelled["orderId"] == placed.body["orderId"]
            assert (await alice.balance("USDT"))[1] == "0.00000000"
            assert gate.core.book.orders == {}
            assert gate.recording.fault
            disk.open.set()

    asyncio.run(scenario())
    assert "the record is lost" in caplog.text
    run = find_run(data)
    reserve = find_reserve(run.path)
    assert reserve == tmp_path / "data-reserve" / run.path.name
    assert run.manifest.status == "running"
    assert verify_run(run.path).exit_code == 0
    assert verify_run(reserve).exit_code == 0
    records = list(read_run(run.path))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert begun_seq(reserve) <= len(records)
    assert len(events(data, Place)) == 2
    assert len(events(data, CommandResult)) == 3
    assert replay(run).difference is None
    assert (reserve / segment_name(1)).stat().st_size < RESERVE_BYTES


def test_a_cancel_without_any_record_is_still_one_after_a_restart(tmp_path: Path) -> None:
    """The next start knows that its engine, rebuilt from the record, would have the order again."""
    data = tmp_path / "data"

    async def first() -> None:
        disk = FaultyDisk()
        async with running(serving(data, reserve=""), disk) as gate:
            alice = Client(gate)
            placed = await alice.place()
            disk.fail_sync()
            assert (await alice.place(49_000)).status == 503
            (cancelled,) = (await alice.cancel_all()).body
            assert cancelled["orderId"] == placed.body["orderId"]
            (note,) = note_paths(gate.recording.directory, None)
            await until(note.exists)

    async def second() -> None:
        async with running(serving(data, reserve="")) as gate:
            assert gate.core.book.orders == {}
            asked = await Client(gate).ask("GET", "/api/v3/order", symbol="BTCUSDT", orderId=1)
            assert asked.body["status"] == "EXPIRED"
            assert (await Client(gate).balance("USDT"))[1] == "0.00000000"

    asyncio.run(first())
    asyncio.run(second())
    asyncio.run(second())


def test_a_reserve_behind_process_durability(tmp_path: Path) -> None:
    """Where one is asked for, it goes on there too, without waiting for the disk."""
    data = tmp_path / "data"

    async def scenario() -> None:
        disk = FaultyDisk()
        settings = serving(data, durability="process", reserve=str(tmp_path / "elsewhere"))
        async with running(settings, disk) as gate:
            alice = Client(gate)
            placed = await alice.place()
            fill_up(disk)
            assert (await alice.place(49_000)).status == 503
            (cancelled,) = (await alice.cancel_all()).body
            assert cancelled["orderId"] == placed.body["orderId"]
            assert gate.core.unreleased == 0

    asyncio.run(scenario())
    run = find_run(data)
    assert find_reserve(run.path) == tmp_path / "elsewhere" / run.path.name
    assert replay(run).difference is None
    assert len(events(data, Place)) == 2


def test_the_room_of_a_reserve_is_used_again(tmp_path: Path) -> None:
    """What an earlier run did not need is taken over; what one needed stays."""
    data = tmp_path / "data"

    async def once(disk: FaultyDisk, fail: bool) -> None:
        async with running(serving(data), disk) as gate:
            if fail:
                fill_up(disk)
                await Client(gate).place()

    for fail in (False, False, True, False):
        asyncio.run(once(FaultyDisk(), fail))
    kept = sorted(path for path in (tmp_path / "data-reserve").iterdir() if path.is_dir())
    assert [bool(begun_seq(path)) for path in kept] == [True, False]


def test_a_disk_that_fails_at_the_start_keeps_the_gate_from_serving(tmp_path: Path) -> None:
    """Nothing is served on a record that can't be kept."""

    async def scenario() -> None:
        disk = FaultyDisk()
        disk.fail_sync()
        async with running(serving(tmp_path / "data"), disk):
            raise AssertionError

    with pytest.raises(StartError, match="Input/output error"):
        asyncio.run(scenario())


def test_a_reserve_without_room_keeps_the_gate_from_serving(tmp_path: Path) -> None:
    """It is made ahead, so that is known before anything is served."""
    (tmp_path / "data-reserve").write_text("a file in its place")

    async def scenario() -> None:
        async with running(serving(tmp_path / "data")):
            raise AssertionError

    with pytest.raises(StartError, match="data-reserve"):
        asyncio.run(scenario())


def test_two_gates_do_not_share_a_reserve(tmp_path: Path) -> None:
    """Each would take the other's room."""
    shared = str(tmp_path / "reserve")

    async def scenario() -> None:
        async with running(serving(tmp_path / "one", reserve=shared)):
            other = Gate(serving(tmp_path / "two", reserve=shared))
            try:
                with pytest.raises(StartError, match="another gate"):
                    await other.start()
            finally:
                await other.stop()

    asyncio.run(scenario())
