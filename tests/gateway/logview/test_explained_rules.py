"""What `log explain` shows of a rule that looks at several things."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import build
from gateway.journal import read_run, runs
from rules.events import Cancel, Place, RefusedRequest
from rules.units import decimal_text
from tests.gateway.gate_world import Client, config, running
from tests.gateway.test_conduct_disclosure import flee, venue
from tests.gateway.test_resting_end_to_end import CHARGE, DEFER, cancel, gate_of, wait


def invoke(*arguments: object) -> Result:
    """Run `ordergate` with these arguments."""
    return CliRunner().invoke(build(), [str(argument) for argument in arguments])


def test_each_look_is_told_apart(tmp_path: Path) -> None:
    """A price is held against lowest, highest and tick; each line says which, also if it passes."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            assert (await Client(gate).place(60_000)).status == 200

    asyncio.run(scenario())
    run = runs(tmp_path)[-1]
    (seq,) = (record.seq for record in read_run(run.path) if isinstance(record.event, Place))
    shown = invoke("log", "explain", seq, "--data", tmp_path).stdout
    tree = json.loads(invoke("log", "explain", seq, "--data", tmp_path, "--json").stdout)
    looks = [view for view in tree["rules"] if view["rule"] == "price_filter"]
    assert [view["asked"] for view in looks] == ["PRICE_MIN", "PRICE_MAX", "PRICE_TICK"]
    for view in looks:
        limit = re.escape(decimal_text(view["limit"]))
        row = f"price_filter +│ enforce +│ passed +│ {limit} +│ 60000 +│ {view['asked']}, price "
        assert re.search(row, shown), row
    address = next(view for view in tree["rules"] if view["asked"] == "ADDRESS_NOT_ALLOWED")
    assert (address["observed"], address["passed"]) == ("127.0.0.1", True)
    (count,) = (view for view in tree["rules"] if view["rule"] == "max_num_orders")
    assert count["asked"] is None


@pytest.mark.parametrize(
    ("rulebook", "minimum_ms", "verdict"), [(DEFER, 500, "deferred"), (CHARGE, 5_000, "charged")]
)
def test_a_cancel_that_is_held_or_charged_is_not_called_passed(
    tmp_path: Path, rulebook: str, minimum_ms: int, verdict: str
) -> None:
    """A millisecond too young it is held, or costs; a millisecond later it passes."""

    async def scenario() -> None:
        async with gate_of(tmp_path, rulebook) as gate:
            alice = Client(gate)
            young, old = await alice.place(), await alice.place(50_001)
            wait(gate, minimum_ms - 1)
            await cancel(alice, young)
            wait(gate, 1)
            await cancel(alice, old)

    asyncio.run(scenario())
    data = tmp_path / "data"
    run = runs(data)[-1]
    seqs = [record.seq for record in read_run(run.path) if isinstance(record.event, Cancel)]
    for seq, expected in zip(seqs, (verdict, "passed"), strict=True):
        tree = json.loads(invoke("log", "explain", seq, "--data", data, "--json").stdout)
        (view,) = (view for view in tree["rules"] if view["rule"] == "resting_time")
        assert (view["verdict"], view["passed"]) == (expected, True)
        shown = invoke("log", "explain", seq, "--data", data).stdout
        assert re.search(rf"resting_time +│ enforce +│ {expected} +│ ", shown), shown


def test_what_would_be_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    """The characters that are allowed stand in brackets, as markup of tables does."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            assert (await Client(gate).place(newClientOrderId="[/red]")).status == 400

    asyncio.run(scenario())
    run = runs(tmp_path)[-1]
    (seq,) = (one.seq for one in read_run(run.path) if isinstance(one.event, RefusedRequest))
    done = invoke("log", "explain", seq, "--data", tmp_path)
    assert done.exit_code == 0, done.output
    assert "│ ILLEGAL_CHARACTERS │ ^[a-zA-Z0-9-_]{1,36}$ │ newClientOrderId │" in done.stdout


def test_what_conduct_rules_told_is_shown_apart(tmp_path: Path) -> None:
    """The alert with its figures, then the measure; no rule judges the engine's answer itself."""

    async def scenario() -> None:
        async with venue(tmp_path) as gate:
            await flee(Client(gate))

    asyncio.run(scenario())
    run = runs(tmp_path / "data")[-1]
    (seq,) = (record.seq for record in read_run(run.path) if record.decision.alerts)
    done = invoke("log", "explain", seq, "--data", tmp_path / "data")
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.strip("│").split()) for line in done.stdout.splitlines()]
    for line in (
        "rule │ fictitious_bids",
        "interest │ alice",
        "figure cancelled │ 1",
        "before │ none",
        "step │ notice",
        "no rule judges a record of this kind",
    ):
        assert line in lines, done.stdout
    titles = [line for line in lines if line in ("input", "decision", "alerts", "steps", "order")]
    assert titles == ["input", "decision", "alerts", "steps", "order"]
