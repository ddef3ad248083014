"""Orders that ended because the engine came back without them are shown, and found by anything."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.clock import wall_ns
from gateway.commands import log
from gateway.config import EngineConfig, InstrumentConfig
from gateway.engine.server import EngineServer
from gateway.engine.venue import Venue
from gateway.journal import Run, read_run, runs
from gateway.journal.manifest import read_manifest, run_directories
from gateway.logview.beginnings import beginning
from gateway.logview.lines import record_line
from gateway.logview.orders import Order, Orders
from gateway.logview.rendering import Names
from gateway.logview.subjects import Subjects
from gateway.replica import Replica
from rules.events import EngineSession
from rules.values import ENGINE_LOST
from tests.gateway.gate_world import Client, config, running
from tests.test_golden import GOLDEN, VERSIONS

INSTRUMENTS = tuple(
    InstrumentConfig(name=name, base=base, quote="USDT", previous_close="60000")
    for name, base in (("BTCUSDT", "BTC"), ("ETHUSDT", "ETH"))
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the record of a gate whose engine process was restarted while it was down."""
    data = tmp_path_factory.mktemp("lost") / "data"

    async def scenario() -> None:
        servers = []

        async def serve() -> Any:
            servers.append(EngineServer(Venue(wall_ns)))
            address = f"127.0.0.1:{await servers[-1].start('127.0.0.1', 0)}"
            return config(data, engine=EngineConfig(address=address), instruments=INSTRUMENTS)

        try:
            async with running(await serve()) as gate:
                alice, bob = Client(gate), Client(gate, "bob")
                await alice.place(newClientOrderId="alice-btc")
                await alice.place(newClientOrderId="alice-eth", symbol="ETHUSDT")
                await bob.place(newClientOrderId="bob-btc")
                await bob.place(newClientOrderId="bob-gone")
                await bob.ask(
                    "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="bob-gone"
                )
            async with running(await serve()) as gate:
                assert gate.core.book.orders == {}
                await bob_again(gate)
        finally:
            for server in servers:
                await server.close()

    async def bob_again(gate: Any) -> None:
        assert (await Client(gate, "bob").place(newClientOrderId="bob-later")).status == 200

    asyncio.run(scenario())
    return data


def invoke(*arguments: object) -> Result:
    """Run `ordergate log` with these arguments."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


def lost(data: Path, *filters: str) -> list[tuple[int, str, str, str]]:
    """Return the orders that ended as lost in the records that a query finds."""
    result = invoke("query", "--data", data, "--json", "--event", "engine_session", *filters)
    assert result.exit_code == 0
    return [
        (one["order_id"], one["client_order_id"], one["account"], one["symbol"])
        for line in result.stdout.splitlines()
        for one in json.loads(line)["lost"]
    ]


ALICE_BTC = (1, "alice-btc", "alice", "BTCUSDT")
ALICE_ETH = (2, "alice-eth", "alice", "ETHUSDT")
BOB_BTC = (3, "bob-btc", "bob", "BTCUSDT")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), [ALICE_BTC, ALICE_ETH, BOB_BTC]),
        (("--order-id", "2"), [ALICE_ETH]),
        (("--order-id", "4"), []),
        (("--client-order-id", "bob-btc"), [BOB_BTC]),
        (("--client-order-id", "bob-gone"), []),
        (("--account", "alice"), [ALICE_BTC, ALICE_ETH]),
        (("--owner", "bob"), [BOB_BTC]),
        (("--key", "alice".ljust(64, "0")), [ALICE_BTC, ALICE_ETH]),
        (("--symbol", "BTCUSDT"), [ALICE_BTC, BOB_BTC]),
        (("--symbol", "ETHUSDT", "--account", "alice"), [ALICE_ETH]),
        (("--symbol", "ETHUSDT", "--account", "bob"), []),
        (("--address", "127.0.0.1"), []),
    ],
)
def test_lost_orders_are_found(
    data: Path, filters: tuple[str, ...], expected: list[tuple[int, str, str, str]]
) -> None:
    """By order, client order id, account, owner, key and symbol; one order must fit them all."""
    assert lost(data, *filters) == expected


def test_the_line_says_which(data: Path) -> None:
    """The life of one order ends with the line that says it was lost."""
    _, placed, answered, last = invoke("query", "--data", data, "--order-id", 3).stdout.splitlines()
    assert " place " in placed
    assert " command_result " in answered
    assert "engine_session" in last
    assert "  bob " in last
    assert last.endswith("1 order ENGINE_LOST: #3 bob-btc bob BTCUSDT")
    everything = invoke("query", "--data", data, "--event", "engine_session").output
    assert "disconnected, epoch " in everything
    assert "; 3 orders ENGINE_LOST: #1 alice-btc alice BTCUSDT, #2 alice-eth alice" in everything


def test_explain_lists_them(data: Path) -> None:
    """The record of the session names every order that ended with it."""
    found = invoke("query", "--data", data, "--order-id", 3, "--json").stdout.splitlines()
    seq = json.loads(found[-1])["seq"]
    shown = invoke("explain", seq, "--data", data)
    assert shown.exit_code == 0, shown.output
    assert "ended as ENGINE_LOST" in shown.stdout
    for order_id, *names in (ALICE_BTC, ALICE_ETH, BOB_BTC):
        (row,) = (line for line in shown.stdout.splitlines() if f" {names[0]} " in line)
        assert row.strip("│ ").split()[0] == str(order_id)
        assert all(name in row for name in names)


def test_the_second_run_alone(data: Path) -> None:
    """A run that begins with a snapshot knows from it what it had, in the table of orders too."""
    run = runs(data)[-1]
    assert lost(run.path, "--order-id", "1") == [ALICE_BTC]
    result = invoke("export", "--data", run.path, "-o", data.parent / "tables", "--format", "jsonl")
    assert result.exit_code == 0
    lines = (data.parent / "tables" / "orders.jsonl").read_text().splitlines()[1:]
    found = {row["client_order_id"]: row["status"] for row in map(json.loads, lines)}
    assert found == {
        "alice-btc": "ENGINE_LOST",
        "alice-eth": "ENGINE_LOST",
        "bob-btc": "ENGINE_LOST",
        "bob-later": "NEW",
    }
    shutil.rmtree(data.parent / "tables")


def test_many_lost_orders_keep_a_line_short(data: Path) -> None:
    """A line names twenty of them and says how many more there are."""
    run = runs(data)[-1]
    subjects = Subjects()
    start = beginning(run)
    assert start is not None
    subjects.prime(start)
    order = next(iter(subjects.orders.values()))
    subjects.orders = dict.fromkeys(range(1, 23), order)
    for record in read_run(run.path, run.manifest.first_seq):
        subject = subjects.observe(record)
        if subject.lost:
            break
    line = record_line(record, subject, Names(subjects.directory))
    assert "22 orders ENGINE_LOST: #1 " in line
    assert line.endswith("and 2 more, which --json lists")
    assert "#21" not in line


def golden_runs() -> list[Path]:
    """Return every recorded run of every version."""
    return [run for version in VERSIONS for run in run_directories(GOLDEN / version / "data")]


def test_what_is_open_is_what_the_book_has(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After each record, readers take for open what the gate does, so what is lost is exact."""
    compared = sessions = 0
    monkeypatch.setenv("ORDERGATE_RECORD_KEY_FILE", str(tmp_path / "keys"))
    keys = (GOLDEN / version / "record.key" for version in VERSIONS)
    (tmp_path / "keys").write_text("".join(key.read_text().strip() + "\n" for key in keys))
    for path in (*golden_runs(), *run_directories(data)):
        run = Run(path, read_manifest(path))
        replica, subjects, start = Replica.at_start(run), Subjects(), beginning(run)
        ended: list[Order] = []
        orders = Orders(ended.append)
        orders.begin(start, lambda _, name=path.name: name)
        if start is not None:
            subjects.prime(start)
        for record in read_run(path):
            before = set(replica.pipeline.book.orders)
            replica.take(record)
            subject = subjects.observe(record)
            orders.follow(record, run.path.name)
            book = replica.pipeline.book
            assert set(subjects.orders) == set(book.orders) == set(orders.open), record
            if isinstance(record.event, EngineSession):
                sessions += 1
                assert {one.order_id for one in subject.lost} == before - set(book.orders)
            compared += 1
        assert any(order.status == ENGINE_LOST for order in ended) is bool(
            path.parent == data and run.manifest.previous
        )
    assert compared > 500
    assert sessions > 4
