"""What outlasts a restart."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.admin.key_registry import KeyRegistry
from gateway.admin.messages import CreateKeyRequest, RevokeKeyRequest
from gateway.app import Gate
from gateway.clock import wall_ns
from gateway.config import EngineConfig, InstrumentConfig, RecordConfig
from gateway.engine.server import EngineServer
from gateway.engine.venue import Venue
from gateway.journal import read_run, runs
from gateway.journal.snapshot_file import snapshot_seqs
from gateway.recovery import Recovered, recover
from gateway.replica import Replica
from rules.book_state import order_state
from rules.events import ClearBan, SetState, SetSymbolState
from rules.values import (
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_IP,
    SCOPE_SYMBOL,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.gateway.gate_world import Client, config, running


def test_nothing_comes_from_nothing(tmp_path: Path) -> None:
    """A new data directory begins with record 1 and no one."""
    assert recover(tmp_path) == Recovered("", None, 1, 0, 0)


def test_a_restart(tmp_path: Path) -> None:
    """Orders, balances, stops, states and numbers stay, at the gate, the engine and in queries."""

    async def first() -> tuple[dict[str, Any], dict[str, Any], int]:
        async with running(config(tmp_path)) as gate:
            core, alice, bob = gate.core, Client(gate), Client(gate, "bob")
            await alice.place(60_000)
            sold = await bob.place(60_000, side="SELL")
            assert sold.body["status"] == "FILLED"
            resting = await alice.place(50_000, newClientOrderId="stays")
            core.submit(SetState(SCOPE_ACCOUNT, 2, STATE_CANCEL_ONLY, "a note", "an operator"))
            core.submit(SetState(SCOPE_SYMBOL, 1, STATE_KILLED, "all of it", "an operator"))
            core.submit(SetState(SCOPE_SYMBOL, 1, 0, "enough", "an operator"))
            assert resting.body["orderId"] not in core.book.orders
            kept = await alice.place(59_001, newClientOrderId="kept")
            core.submit(SetSymbolState(1, SYMBOL_HALT, "news", "an operator"))
            shown = await alice.ask("GET", "/api/v3/order", symbol="BTCUSDT", orderId=3)
            return facts(gate), shown.body, kept.body["orderId"]

    async def second(last_order: int, shown: dict[str, Any]) -> dict[str, Any]:
        async with running(config(tmp_path)) as gate:
            found, alice = facts(gate), Client(gate)
            asked = await alice.ask("GET", "/api/v3/order", symbol="BTCUSDT", orderId=3)
            assert asked.body == shown
            assert (await alice.balance("USDT"))[1] == "59.00100000"
            assert (await alice.place()).status == 400
            gate.core.submit(SetSymbolState(1, SYMBOL_TRADING, "over", "an operator"))
            assert (await Client(gate, "bob").place()).status == 400
            gate.core.submit(SetState(SCOPE_ACCOUNT, 2, STATE_ACTIVE, "enough", "an operator"))
            # The order of the run before is matched first: it came first.
            behind = await alice.place(59_001)
            assert behind.body["orderId"] == last_order + 1
            sold = await Client(gate, "bob").place(59_001, side="SELL")
            assert sold.body["status"] == "FILLED"
            assert list(gate.core.book.orders) == [behind.body["orderId"]]
            return found

    before, shown, last_order = asyncio.run(first())
    assert asyncio.run(second(last_order, shown)) == before
    assert_decided_again(tmp_path)


def assert_decided_again(data: Path) -> None:
    """Every run of a data directory is decided the same again, from what it began with."""
    found = runs(data)
    for run in found:
        replica = Replica.at_start(run)
        for record in read_run(run.path, run.manifest.first_seq):
            replica.take(record)
            assert replica.differences == 0, record
    for run, later in pairwise(found):
        assert later.manifest.previous == run.path.name
        last = max(record.seq for record in read_run(run.path, run.manifest.first_seq))
        assert later.manifest.first_seq > last


def test_limits_go_on(tmp_path: Path) -> None:
    """What was used of order counts, weights and a ban is used after the restart too."""
    rulebook = tmp_path / "small.toml"
    rulebook.write_text(SMALL)
    configured = config(tmp_path / "data", rulebook=str(rulebook))

    async def used(gate: Gate) -> list[tuple[int, ...]]:
        now_ns = gate.core.now_ns()
        return [
            (usage.limit, usage.used)
            for rule, scope in (("order_count", SCOPE_ACCOUNT), ("request_weight", SCOPE_IP))
            for usage in gate.core.pipeline.usage(rule, scope, 1, now_ns)
        ]

    async def first() -> list[tuple[int, ...]]:
        async with running(configured) as gate:
            for _ in range(2):
                assert (await Client(gate).place()).status == 200
            gate.core.submit(ClearBan(77, gate.core.now_ns() + 60 * NS_PER_SECOND, "an operator"))
            return await used(gate)

    async def second() -> list[tuple[int, ...]]:
        async with running(configured) as gate:
            found = await used(gate)
            assert (await Client(gate).place()).status == 200
            refused = await Client(gate).place()
            assert (refused.status, refused.body["code"]) == (429, -1015)
            ladder = gate.core.pipeline.rule("ban_ladder")
            assert ladder is not None
            assert ladder.usage(SCOPE_IP, 77, gate.core.book, gate.core.now_ns())[0].used
            return found

    assert asyncio.run(first()) == asyncio.run(second())
    assert_decided_again(tmp_path / "data")


SMALL = """
name = "small"
revision = "1"
extends = "bench"

[rules.order_count]
windows = [{ interval = "1d", limit = 3 }]
"""


def facts(gate: Gate) -> dict[str, Any]:
    """Return what must be the same after a restart."""
    book = gate.core.book
    return {
        "accounts": {number: facts.name for number, facts in book.accounts.items()},
        "keys": {number: (facts.name, facts.enabled) for number, facts in book.keys.items()},
        "balances": {
            holding: balance.total_e8
            for holding, balance in sorted(book.balances.items())
            if balance.total_e8
        },
        "states": dict(book.states),
        "notes": {scope: note[:2] for scope, note in book.state_notes.items()},
        "symbols": {number: facts.state for number, facts in book.symbols.items()},
        "addresses": dict(book.addresses),
        "orders": [order_state(order) for order in book.orders.values()],
        "engine": {
            (account, asset): free_e8 + locked_e8
            for account, asset, free_e8, locked_e8 in gate.engine.exchange.ledger.all_holdings()  # type: ignore[union-attr]
            if free_e8 + locked_e8
        },
    }


def test_keys_operators_made(tmp_path: Path) -> None:
    """A key made while the gate ran works after a restart; one that was revoked does not."""
    made: list[tuple[str, str]] = []

    def registry(gate: Gate) -> KeyRegistry:
        return KeyRegistry(gate.core, gate.keystore)

    async def first() -> None:
        async with running(config(tmp_path)) as gate:
            for _ in range(2):
                answer = await registry(gate).create(
                    CreateKeyRequest(account="carol", permissions=("read", "trade"))
                )
                made.append((answer.key.name, answer.secret))
            await registry(gate).revoke(RevokeKeyRequest(name=made[1][0]))

    async def second() -> None:
        async with running(config(tmp_path)) as gate:
            lines = {line.name: line for line in registry(gate).list().keys}
            assert (lines[made[0][0]].enabled, lines[made[0][0]].account) == (True, "carol")
            assert not lines[made[1][0]].enabled
            assert gate.keystore.find(made[0][0]) is not None
            assert gate.keystore.find(made[1][0]) is None

    asyncio.run(first())
    asyncio.run(second())


def test_a_changed_configuration(tmp_path: Path) -> None:
    """What the configuration changes is taken up; the state operators set stays theirs."""

    async def first() -> None:
        async with running(config(tmp_path)) as gate:
            gate.core.submit(SetSymbolState(1, SYMBOL_HALT, "news", "an operator"))

    async def second(**changes: Any) -> tuple[int, int, int]:
        async with running(config(tmp_path, **changes)) as gate:
            facts = gate.core.book.symbols[1]
            return facts.state, facts.maker_commission_ppm, len(gate.core.book.symbols)

    asyncio.run(first())
    cheaper = InstrumentConfig(
        name="BTCUSDT",
        base="BTC",
        quote="USDT",
        previous_close="60000",
        maker_commission="0.0005",
    )
    other = InstrumentConfig(name="ETHUSDT", base="ETH", quote="USDT", previous_close="3000")
    assert asyncio.run(second(instruments=(cheaper, other))) == (SYMBOL_HALT, 500, 2)
    assert asyncio.run(second(instruments=())) == (SYMBOL_HALT, 500, 2)


def test_a_restart_beside_a_running_engine(tmp_path: Path) -> None:
    """The gate takes its engine up again: nothing is lost, and nothing is sent twice."""

    async def scenario() -> None:
        server = EngineServer(Venue(wall_ns))
        address = f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
        configured = config(tmp_path, engine=EngineConfig(address=address))
        try:
            async with running(configured) as gate:
                await Client(gate).place(60_000)
                sold = await Client(gate, "bob").place(60_000, side="SELL")
                assert sold.body["status"] == "FILLED"
                assert (await Client(gate).place()).body["status"] == "NEW"
                before = await until_settled(gate)
                epoch = gate.core.book.engine_epoch
            async with running(configured) as gate:
                assert await until_settled(gate) == before
                assert gate.core.book.engine_epoch == epoch
                assert list(gate.core.book.orders) == [3]
                placed = await Client(gate).place()
                assert (placed.status, placed.body["orderId"]) == (200, 4)
                assert len((await Client(gate).cancel_all()).body) == 2
        finally:
            await server.close()

    asyncio.run(scenario())
    assert_decided_again(tmp_path)


def test_an_engine_that_was_restarted_meanwhile(tmp_path: Path) -> None:
    """A new epoch has none of the old orders: they end as lost, and what they held is free."""

    async def scenario() -> None:
        servers = []

        async def serve() -> Any:
            servers.append(EngineServer(Venue(wall_ns)))
            address = f"127.0.0.1:{await servers[-1].start('127.0.0.1', 0)}"
            return config(tmp_path, engine=EngineConfig(address=address))

        try:
            async with running(await serve()) as gate:
                assert (await Client(gate).place()).body["status"] == "NEW"
            async with running(await serve()) as gate:
                assert gate.core.book.orders == {}
                assert (await Client(gate).balance("USDT"))[1] == "0.00000000"
                asked = await Client(gate).ask("GET", "/api/v3/order", symbol="BTCUSDT", orderId=1)
                assert asked.body["status"] == "EXPIRED"
        finally:
            for server in servers:
                await server.close()

    asyncio.run(scenario())
    assert_decided_again(tmp_path)


async def until_settled(gate: Gate) -> tuple[str, str]:
    """Return Alice's coins once the trade has been reported."""
    for _ in range(200):
        found = await Client(gate).balance("BTC")
        if found[0] != "1000.00000000":
            break
        await asyncio.sleep(0.01)
    return found


def test_snapshots_are_made_beside_the_gate(tmp_path: Path) -> None:
    """A closed segment is followed by a snapshot, from which the next start goes on."""
    small = RecordConfig(data=tmp_path, segment_bytes=1 << 14, durability="process")

    async def first() -> dict[str, Any]:
        async with running(config(tmp_path, record=small)) as gate:
            while not snapshot_seqs(gate.journal.directory):
                await Client(gate).place()
                await Client(gate).cancel_all()
            assert gate.beside.faults == {"snapshot": 0}
            await Client(gate).place()
            return facts(gate)

    async def second() -> dict[str, Any]:
        async with running(config(tmp_path)) as gate:
            return facts(gate)

    before = asyncio.run(first())
    found = recover(tmp_path)
    assert found.replica is not None
    assert 0 < found.replayed < found.replica.seq
    assert asyncio.run(second()) == before
