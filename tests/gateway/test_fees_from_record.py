"""Statements from the record: equal to what was posted, and every line from records one can read."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.__main__ import build
from gateway.app import Gate
from gateway.engine.embedded import EmbeddedEngine
from gateway.fees.record_counts import RecordCounts
from gateway.fees.statement import StatementLine
from gateway.journal import Record, find_run, read_run, runs
from gateway.replay import replay
from gateway.tariffs import load_tariff
from rules.events import CommandResult, OrderTrade
from rules.values import E8
from tests.gateway.gate_world import Client, config, running
from tests.gateway.test_conduct_end_to_end import RULEBOOK, next_day

SLABS = """
[tariffs.plain]
description = "messages above 2 to a trade cost EUR 1, above 4 EUR 2"
source = "the test"
currency = "EUR"
slabs.count = { orders = "1", cancels = "1", modifies = "1" }
slabs.base = { trades = "1" }
slabs.slabs = [{ above = "2", fee = "1" }, { above = "4", fee = "2" }]
"""


def settings(tmp_path: Path) -> Any:
    """Return the configuration of a gate that charges by slabs and whose clock is moved by hand."""
    rulebook = tmp_path / "charging.toml"
    rulebook.write_text(RULEBOOK[: RULEBOOK.index("[tariffs.plain]")] + SLABS)
    return config(tmp_path / "data", rulebook=str(rulebook), clock="manual")


async def trade_a_day(gate: Gate) -> None:
    """Alice sends 7 messages for one trade; Bob 3 messages for the same one."""
    alice, bob = Client(gate), Client(gate, "bob")
    await bob.place(60_000, side="SELL")
    taken = await alice.place(60_000)
    assert taken.body.get("status") == "FILLED", taken.body
    for _ in range(3):
        await alice.place()
        await alice.cancel_all()
    await bob.place(61_000, side="SELL")
    await bob.cancel_all()
    refused = await alice.place(60_000, quantity="0.0000001")
    assert refused.status == 400


def lines_of(data: Path, **wanted: str) -> dict[str, StatementLine]:
    """Return the lines of the statement by owner."""
    counts = RecordCounts()
    counts.take(runs(data))
    return {line.owner: line for line in counts.statement(**wanted).lines}


def named(data: Path, text: str) -> list[Record]:
    """Return the records a line names."""
    numbers = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    found = [one for run in runs(data) for one in read_run(run.path) if one.seq in numbers]
    assert len(found) == len(numbers)
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the record of a day that was posted, and of the beginning of the next one."""
    folder = tmp_path_factory.mktemp("fees")

    async def story() -> None:
        async with running(settings(folder)) as gate:
            await trade_a_day(gate)
            next_day(gate)
            for _ in range(3):
                gate.fee_poster.post()
            await trade_a_day(gate)

    asyncio.run(story())
    return folder / "data"


def test_lines_equal_what_was_posted(data: Path) -> None:
    """Alice: 7 messages to 1 trade: 2 above 2 cost 1 each, 3 above 4 cost 2 each: 8.

    Bob: 3 messages to 1 trade: 1 above 2 costs 1.
    """
    counts = RecordCounts()
    counts.take(runs(data))
    lines = counts.statement().lines
    assert [
        (line.owner, line.measured, line.amount, line.posted, line.state) for line in lines
    ] == [
        ("alice", "7", "8.00", "8.00", "posted"),
        ("alice", "7", "8.00", "0.00", "open"),
        ("bob", "3", "1.00", "1.00", "posted"),
        ("bob", "3", "1.00", "0.00", "open"),
    ]


def test_each_line_is_counted_again_from_its_records(data: Path) -> None:
    """The records a line names hold exactly the messages and trades it charges for."""
    for owner, messages in (("alice", 7), ("bob", 3)):
        line = lines_of(data, owner=owner)[owner]
        placed = cancelled = trades = 0
        for record in named(data, line.records):
            event = record.event
            if isinstance(event, OrderTrade):
                trades += 1
            else:
                assert isinstance(event, CommandResult)
                placed += event.order_id != 0 and not event.ended
                cancelled += len(event.ended)
                trades += len(event.fills)
        assert (placed + cancelled, trades) == (messages, 1)
        assert (line.measured, line.base) == (str(messages), "1")
        assert line.acts == messages + trades


def test_another_tariff_over_the_same_record(data: Path) -> None:
    """What would have been charged by it: 3 cancels of a limit of 10,000, and no posting."""
    counts = RecordCounts([load_tariff("punitive-cancels")])
    counts.take(runs(data))
    lines = counts.statement(owner="alice").lines
    assert [(line.measured, line.amount, line.state) for line in lines] == [
        ("3", "0.00", "posted"),
        ("3", "0.00", "open"),
    ]


def test_forms_of_the_command(data: Path) -> None:
    """Table, JSON and CSV say the same; days and owners narrow it."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(build(), ["fees", "statement", str(data), *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    lines = json.loads(run("--json"))["lines"]
    table = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert [line["amount"] for line in lines] == [row["amount"] for row in table]
    assert [line["records"] for line in lines] == [row["records"] for row in table]
    first = min(line["period"] for line in lines)
    narrowed = json.loads(run("--json", "--owner", "bob", "--from", first, "--to", first))
    assert [line["amount"] for line in narrowed["lines"]] == ["1.00"]
    assert "acts in records" in run()
    months = json.loads(run("--json", "--tariff", "nasdaq-nordic-2011", "--from", first))["lines"]
    assert {line["period"] for line in months} == {first[:7]}
    for wrong in (
        ["--from", "yesterday"],
        ["--from", "20260131"],
        ["--from", "2026-01-02", "--to", "2026-01-01"],
        ["--owner", "nobody"],
        ["--counts", "x.csv"],
        ["--json", "--csv"],
    ):
        result = CliRunner().invoke(build(), ["fees", "statement", str(data), *wrong])
        assert result.exit_code == 2


def test_a_day_over_two_runs(tmp_path: Path) -> None:
    """A gate that is stopped and started within a day charges the day once and whole."""

    async def story() -> None:
        for _ in range(2):
            async with running(settings(tmp_path)) as gate:
                await trade_a_day(gate)
                if _ == 1:
                    next_day(gate)
                    for _ in range(3):
                        gate.fee_poster.post()

    asyncio.run(story())
    data = tmp_path / "data"
    assert len(runs(data)) == 2
    line = lines_of(data)["alice"]
    assert (line.measured, line.base, line.posted, line.state) == ("14", "2", "16.00", "posted")
    assert line.amount == "16.00"
    assert find_run(data).manifest.previous


def test_a_trade_annulled_after_its_day_was_posted(tmp_path: Path) -> None:
    """Two trades, alice with 8 messages, bob with 4: 4 above 2 x 2 cost alice 4, bob nothing.

    With one trade left: alice 2 x 1 + 4 x 2 = 10, bob 2 x 1 = 2. The posting of 4 is reversed.
    """

    async def story() -> None:
        async with running(settings(tmp_path)) as gate:
            await trade_a_day(gate)
            bob = Client(gate, "bob")
            await bob.place(60_000, side="SELL")
            await Client(gate).place(60_000)
            next_day(gate)
            for _ in range(3):
                gate.fee_poster.post()
            assert isinstance(gate.engine, EmbeddedEngine)
            assert gate.engine.bust(1)
            gate.fee_poster.post()

    asyncio.run(story())
    data = tmp_path / "data"
    postings = [
        (posting.identity.rpartition("BTCUSDT")[2], int(posting.amount_e8) // E8)
        for record in read_run(find_run(data).path)
        for posting in record.decision.postings
    ]
    assert postings == [("", 4), (":reversal", -4), (":2", 10), ("", 2)]
    lines = lines_of(data)
    assert {(line.amount, line.posted, line.state) for line in lines.values()} == {
        ("10.00", "10.00", "posted"),
        ("2.00", "2.00", "posted"),
    }
    assert replay(find_run(data)).difference is None
