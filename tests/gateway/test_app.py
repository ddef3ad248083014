"""The whole gate in one process: its start, its faults, its end."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app import Gate, StartError
from gateway.config import Config, EngineConfig, KeyConfig, ListenConfig, RecordConfig
from gateway.config_file import config_digest
from gateway.journal import latest_run, read_run
from gateway.journal.manifest import read_manifest
from gateway.journal.verify import verify_run
from gateway.replay import replay
from rules.events import RunBegan
from tests.gateway.gate_world import FUNDS, Client, config, name_of, running
from tests.gateway.journal.faulty_disk import FaultyDisk


def test_an_order_over_rest_and_its_record(tmp_path: Path) -> None:
    """An order is placed, found, cancelled; the run ends sealed and replays identically."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            alice = Client(gate)
            placed = await alice.place()
            assert (placed.status, placed.body["status"]) == (200, "NEW")
            decision = placed.headers["X-OrderGate-Decision"]
            shown = await alice.ask("GET", f"/ordergate/v1/decisions/{decision}")
            assert shown.status == 200
            assert (await alice.balance("USDT")) == ("99999950.00000000", "50.00000000")
            (cancelled,) = (await alice.cancel_all()).body
            assert cancelled["orderId"] == placed.body["orderId"]
            assert (await alice.balance("USDT"))[1] == "0.00000000"
            assert not gate.fault

    asyncio.run(scenario())
    run = latest_run(tmp_path)
    assert run is not None
    assert run.manifest.status == "ended"
    assert run.manifest.config_digest == config_digest(config(tmp_path))
    assert verify_run(run.path).exit_code == 0
    assert replay(run).difference is None


def test_cancel_all_of_600_orders_over_rest(tmp_path: Path) -> None:
    """The client gets all 600, while another client is answered in between."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            alice, bob = Client(gate), Client(gate, "bob")
            await alice.place()
            for event in [gate.decisions.find(gate.core.seq - 1)] * 599:
                assert event is not None
                gate.core.submit(event.event)
            assert len(gate.core.book.orders) == 600
            told, placed = await asyncio.gather(alice.cancel_all(), bob.place())
            assert (told.status, len(told.body)) == (200, 600)
            assert placed.status == 200
            assert len(gate.core.book.orders) == 1

    asyncio.run(scenario())


def test_a_lost_record_over_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """New orders get 503 and -1008, cancels pass, and the gate says it is not healthy."""

    async def scenario() -> None:
        disk = FaultyDisk()
        async with running(config(tmp_path), disk) as gate:
            alice = Client(gate)
            placed = await alice.place()
            disk.store_error = OSError(28, "No space left on device")
            refused = await alice.place()
            assert (refused.status, refused.body["code"]) == (503, -1008)
            (cancelled,) = (await alice.cancel_all()).body
            assert cancelled["orderId"] == placed.body["orderId"]
            assert gate.core.book.orders == {}
            token = (tmp_path / "admin.token").read_text().strip()
            status, body = await admin(gate, "/admin/v1/status", token)
            assert status == 200
            assert "No space left" in body["journal_fault"]
            health, _ = await admin(gate, "/healthz", token)
            assert health == 503

    asyncio.run(scenario())
    assert "the record is lost" in caplog.text


async def admin(gate: Gate, path: str, token: str) -> tuple[int, Any]:
    """Ask the admin port."""
    url = f"http://127.0.0.1:{gate.ports['admin']}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Authorization": f"Bearer {token}"}) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if text.startswith("{") else text


def test_a_bug_in_the_core_ends_the_gate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The request gets a 500, the gate asks to be stopped, and says why."""

    async def scenario() -> str:
        async with running(config(tmp_path)) as gate:

            def broken(*_: object) -> None:
                raise KeyError("a bug")

            gate.core.pipeline.booking.request = broken  # type: ignore[method-assign]
            url = f"http://127.0.0.1:{gate.ports['rest']}/api/v3/ping"
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                assert response.status == 500
            await asyncio.wait_for(gate.wait(), 5)
            return gate.fault

    caplog.set_level(logging.CRITICAL)
    fault = asyncio.run(scenario())
    assert "a bug" in fault


def test_deadlines_fire_while_the_edges_close(tmp_path: Path) -> None:
    """A request the engine never answers is told so before its connection is closed."""

    async def scenario() -> None:
        changed = config(tmp_path, engine=EngineConfig(deadline="200ms"))
        async with running(changed) as gate:
            gate.engine.send = lambda command: None  # type: ignore[method-assign]
            asked = asyncio.create_task(Client(gate).place())
            while not gate.core.outbox.unanswered:
                await asyncio.sleep(0.001)
            await gate.stop()
            told = await asked
            assert (told.status, told.body["code"]) == (408, -1007)

    asyncio.run(scenario())


def refused_to_start(configured: Config) -> str:
    """Return why a gate does not start; what it had opened must be closed."""

    async def scenario() -> str:
        with pytest.raises(StartError) as error:
            async with running(configured):
                pass
        return str(error.value)

    return asyncio.run(scenario())


@pytest.mark.parametrize("edge", ["rest", "grpc", "admin"])
def test_a_port_in_use(tmp_path: Path, edge: str) -> None:
    """The message names edge and port; the run that was begun is closed."""

    async def scenario() -> None:
        async with running(config(tmp_path / "first")) as gate:
            ports = {"rest_port": 0, "grpc_port": 0, "admin_port": 0}
            ports[f"{edge}_port"] = gate.ports[edge]
            second = config(tmp_path / "second", listen=ListenConfig(**ports))
            with pytest.raises(StartError, match=f"{edge} can't listen on .*{gate.ports[edge]}"):
                async with running(second):
                    pass

    asyncio.run(scenario())
    run = latest_run(tmp_path / "second")
    assert run is not None
    assert run.manifest.status == "ended"


def test_two_gates_on_one_data_directory(tmp_path: Path) -> None:
    """The second is refused and leaves the first alone; afterwards there is room again."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            with pytest.raises(StartError, match="another gate runs on"):
                async with running(config(tmp_path)):
                    pass
            assert (await Client(gate).place()).status == 200
        async with running(config(tmp_path)):
            pass

    asyncio.run(scenario())


def test_a_key_of_no_account(tmp_path: Path) -> None:
    """A key must name an account that is defined."""
    key = KeyConfig(name=name_of("carol"), account="carol", secret="s")
    assert "`carol`, which is not defined" in refused_to_start(config(tmp_path, keys=(key,)))


def test_no_engine_where_one_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the address and the command that starts an engine."""
    monkeypatch.setattr("gateway.app.ENGINE_WAIT_SECONDS", 0.2)
    told = refused_to_start(config(tmp_path, engine=EngineConfig(address="127.0.0.1:1")))
    assert "no engine answers at 127.0.0.1:1" in told


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    """What can't be opened is named."""
    (tmp_path / "data").write_text("")
    told = refused_to_start(config(tmp_path / "data", record=RecordConfig(data=tmp_path / "data")))
    assert "data" in told


def test_edges_that_are_not_wanted(tmp_path: Path) -> None:
    """Port -1 leaves an edge out."""

    async def scenario() -> None:
        listen = ListenConfig(rest_port=0, grpc_port=-1, admin_port=-1)
        async with running(config(tmp_path, listen=listen)) as gate:
            assert list(gate.ports) == ["rest"]

    asyncio.run(scenario())


def test_metrics_have_their_names_once(tmp_path: Path) -> None:
    """Gauges of the core are published under the product's name, without doubling it."""

    async def scenario() -> str:
        async with running(config(tmp_path)) as gate:
            return gate.telemetry.exposition().decode()

    text = asyncio.run(scenario())
    for name in ("open_orders", "record_lag", "contained_faults", "clock_step_ns"):
        assert f"\nordergate_{name} " in text
    assert "ordergate_ordergate" not in text


def test_a_run_says_what_it_comes_from(tmp_path: Path) -> None:
    """The first run has no run before it; each names the one before."""

    async def once() -> str:
        async with running(config(tmp_path)) as gate:
            return gate.journal.directory.name

    first = asyncio.run(once())
    second = asyncio.run(once())
    began = [began_with(tmp_path / run) for run in (first, second)]
    assert [(found.previous, found.next_order_id) for found in began] == [("", 1), (first, 1)]
    assert read_manifest(tmp_path / second).status == "ended"


def began_with(run: Path) -> RunBegan:
    """Return how a run began."""
    (event,) = (record.event for record in read_run(run) if isinstance(record.event, RunBegan))
    assert isinstance(event, RunBegan)
    return event


def test_funds_are_given_once(tmp_path: Path) -> None:
    """Opening balances are for accounts that are new, not for every start."""

    async def once() -> tuple[str, str]:
        async with running(config(tmp_path)) as gate:
            return await Client(gate).balance("BTC")

    for _ in range(3):
        assert asyncio.run(once()) == (f"{FUNDS['BTC']}.00000000", "0.00000000")
