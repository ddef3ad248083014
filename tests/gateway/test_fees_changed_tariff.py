"""Statements over runs between which the tariff, or whether it is charged, was changed."""

import asyncio
from pathlib import Path

import pytest

from gateway.app import Gate
from gateway.clock import ManualClock
from gateway.fees.posting import FeePoster
from gateway.fees.record_counts import RecordCounts
from gateway.journal import runs
from gateway.replay import replay
from gateway.tariffs import load_tariff
from rules.values import NS_PER_DAY
from tests.gateway.gate_world import running
from tests.gateway.test_conduct_end_to_end import next_day
from tests.gateway.test_fees_from_record import settings, trade_a_day

CHARGING = "[rules.cancel_fees]"
DEARER = ('fee = "1" }, { above = "4", fee = "2"', 'fee = "10" }, { above = "4", fee = "20"')


def play(tmp_path: Path, first: tuple[str, str], second: tuple[str, str], ends: bool) -> Path:
    """Run a gate twice, each time with its rulebook changed; return the record.

    The first trades, and if `ends` posts the day and trades again; the second trades and posts.
    """

    async def story() -> None:
        for run, (old, new) in enumerate((first, second)):
            chosen = settings(tmp_path)
            file = tmp_path / "charging.toml"
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
            async with running(chosen) as gate:
                await trade_a_day(gate)
                if ends and not run:
                    next_day(gate)
                    gate.fee_poster.post()
                    await trade_a_day(gate)
                if run:
                    next_day(gate)
                    gate.fee_poster.post()

    asyncio.run(story())
    return tmp_path / "data"


def lines_of(data: Path) -> list[tuple[str, str, str, str]]:
    """Return measured, amount, posted and state of alice's lines."""
    counts = RecordCounts()
    counts.take(runs(data))
    return [
        (line.measured, line.amount, line.posted or "", line.state)
        for line in counts.statement(owner="alice").lines
    ]


@pytest.mark.parametrize(("mode", "state"), [("enforce", "due"), ("shadow", "counted")])
def test_what_is_not_posted_is_due_only_where_it_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, state: str
) -> None:
    """A day that has ended: in shadow, and by a tariff that was never in force, nothing is owed."""
    monkeypatch.setattr(FeePoster, "post", lambda poster: None)
    chosen = settings(tmp_path)
    file = tmp_path / "charging.toml"
    file.write_text(file.read_text().replace(CHARGING, f'{CHARGING}\nmode = "{mode}"'))

    async def story() -> None:
        async with running(chosen) as gate:
            await trade_a_day(gate)
            next_day(gate)
            await trade_a_day(gate)

    asyncio.run(story())
    data = tmp_path / "data"
    assert lines_of(data) == [("7", "8.00", "0.00", state), ("7", "8.00", "0.00", "open")]
    counts = RecordCounts([load_tariff("punitive-cancels")])
    counts.take(runs(data))
    assert {line.state for line in counts.statement(owner="alice").lines} <= {
        "counted",
        "posted",
        "open",
    }


def test_a_tariff_that_becomes_dearer(tmp_path: Path) -> None:
    """The day that had ended stays as it was posted: 7 messages to 1 trade, 8.00. The day that ran
    goes on and ends by the new terms: 14 messages to 2 trades, (8 - 4) x 10 + (14 - 8) x 20."""
    data = play(tmp_path, ("", ""), DEARER, ends=True)
    assert lines_of(data) == [
        ("7", "8.00", "8.00", "posted"),
        ("14", "160.00", "160.00", "posted"),
    ]
    for run in runs(data):
        assert replay(run).difference is None


@pytest.mark.parametrize(
    "out", [('tariffs = ["plain"]', "tariffs = []"), (CHARGING, f'{CHARGING}\nmode = "off"')]
)
def test_a_tariff_that_is_taken_out(tmp_path: Path, out: tuple[str, str]) -> None:
    """The day that had ended stays as it was posted; the day that ran is charged by nobody."""
    data = play(tmp_path, ("", ""), out, ends=True)
    assert lines_of(data) == [("7", "8.00", "8.00", "posted")]


def test_what_was_not_posted_before_a_change(tmp_path: Path) -> None:
    """A day ends before anything is posted, the next one while no gate runs: both are charged by
    the old tariff, 8.00 each; the third is by the new one, (4 - 2) x 10 + (7 - 4) x 20."""

    async def story() -> None:
        chosen = settings(tmp_path)
        async with running(chosen) as gate:
            await trade_a_day(gate)
            next_day(gate)
            await trade_a_day(gate)
        file = tmp_path / "charging.toml"
        file.write_text(file.read_text().replace(*DEARER))
        clock = ManualClock()
        clock.advance(2 * NS_PER_DAY - clock.now_ns() % NS_PER_DAY)
        gate = Gate(chosen, clock)
        await gate.start()
        try:
            await trade_a_day(gate)
            gate.fee_poster.post()
            next_day(gate)
            gate.fee_poster.post()
        finally:
            await gate.stop()

    asyncio.run(story())
    assert lines_of(tmp_path / "data") == [
        ("7", "8.00", "8.00", "posted"),
        ("7", "8.00", "8.00", "posted"),
        ("7", "80.00", "80.00", "posted"),
    ]
    for run in runs(tmp_path / "data"):
        assert replay(run).difference is None


@pytest.mark.parametrize("ends", [False, True])
def test_a_tariff_that_comes_out_of_shadow(tmp_path: Path, ends: bool) -> None:
    """What shadow has counted is in no line that is charged: 7 messages to 1 trade are left."""
    shadow = (CHARGING, f'{CHARGING}\nmode = "shadow"')
    data = play(tmp_path, shadow, ("", ""), ends)
    assert lines_of(data) == [("7", "8.00", "8.00", "posted")]
