"""The case file of one owner tells all about them and names nobody else."""

import json
import resource
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import log
from gateway.logview.case import CaseError, CaseFile, case_file
from gateway.logview.case_html import case_html
from gateway.logview.sources import source_of
from rules import values
from rules.decisions import ACCEPTED, Alert, Decision
from rules.events import ActOnCase, ClearBan, Place, SetState, SetSymbolState

from .record_world import (
    ACCOUNT,
    BIG,
    DEFINITIONS,
    NAMES,
    OTHER,
    OTHER_ACCOUNT,
    OWNER,
    STEP_NS,
    World,
    record,
    reference,
)

OTHERS = (OTHER, OTHER_ACCOUNT, NAMES["key"][1], NAMES["address"][1], NAMES["client_order_id"][1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a record that has one of everything."""
    return record(tmp_path_factory.mktemp("record") / "data")


def made(world: World, owner: str = OWNER, **more: int) -> CaseFile:
    """Return an owner's case file."""
    return case_file(source_of(world.data), owner, 1_760_000_000 * 10**9, **more)


def shown(case: CaseFile) -> tuple[str, str]:
    """Return the two forms of a case file."""
    return "".join(case_html(case)), msgspec.json.encode(case).decode()


def invoke(*arguments: object) -> Result:
    """Run `ordergate log case`."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", "case", *map(str, arguments)])


def test_lives_refusals_and_measures(world: World) -> None:
    """Orders with their ends, refusals with limit and observed, who acted, what was traded."""
    case = made(world)
    orders = {order["order_id"]: order for order in case.orders}
    assert set(orders) == {1}
    assert (orders[1]["status"], orders[1]["cause"]) == ("CANCELED", "KILL")
    assert (orders[1]["filled"], orders[1]["amends"]) == ("0.25", 1)
    (trade,) = case.trades
    assert (trade["side"], trade["quantity"], trade["maker"]) == ("BUY", "0.25", True)
    assert case.refusals == {
        "order_size ORDER_SIZE": 1,
        "order_value ORDER_VALUE": 1,
        "request INVALID_PARAMETER": 1,
    }
    entry = next(entry for entry in case.entries if len(entry["refusals"]) == 3)
    first = entry["refusals"][0]
    assert (first["rule"], first["limit"], first["mode"]) == ("order_size", "0.0000001", "enforce")
    assert first["observed"] == f"{BIG // 10**8}"
    kill = next(measure for measure in case.measures if measure["event"] == "set_state")
    assert kill["actor"] == NAMES["actor"][0]
    assert kill["input"]["state"] == "KILLED"
    assert {"set_symbol_state", "clear_ban", "bulk_cancel"} <= {m["event"] for m in case.measures}
    assert case.accounts == [ACCOUNT]
    assert case.keys == [NAMES["key"][0]]
    assert case.addresses == [NAMES["address"][0]]


def test_the_book_at_each_decision(world: World) -> None:
    """A decision shows best bid and offer, and the levels known by then."""
    entries = {entry["seq"]: entry for entry in made(world).entries}
    placed = next(entry for entry in entries.values() if entry["event"] == "place")
    assert placed["book"] == {"bid": "27123.456789", "ask": "27123.45678902"}
    later = next(entry for entry in entries.values() if entry["event"] == "amend")
    assert later["book"]["bids"] == [["27123.456789", "1"], ["27123.45678898", "3"]]
    assert later["book"]["asks"] == [["27123.45678902", "2"]]
    assert later["book"]["known_since"].startswith("2025-10-09T08:53:20.")


@pytest.mark.parametrize("owner", [OWNER, OTHER])
def test_others_are_hidden(world: World, owner: str) -> None:
    """No name of the other owner, nor of what is theirs, is in either form."""
    case = made(world, owner)
    hidden = OTHERS if owner == OWNER else (OWNER, ACCOUNT, NAMES["key"][0], NAMES["address"][0])
    for form in shown(case):
        assert owner in form
        for name in hidden:
            assert name not in form, name
    assert case.erased
    assert case.other_parties


def test_a_venue_wide_measure_hides_whom_else_it_met(tmp_path: Path) -> None:
    """What concerns several shows the owner's part; texts name others by pseudonym."""
    world = World(tmp_path / "data")
    for event in DEFINITIONS:
        world.write(event)
    for whose in (1, 2):
        seq = world.place(whose, whose, f"cid-{whose}")
        world.result(seq, whose)
    note = f"because of {OTHER}, ({OTHER_ACCOUNT}) and {OWNER}."
    world.write(SetState(values.SCOPE_VENUE, 0, values.STATE_CANCEL_ONLY, note, "operator"))
    alert = Alert("layering", 2, 1, 1, 1, (15,), (("orders", 3),), (1, 2), case=20)
    found = Decision(ACCEPTED, order_id=9, account=2, owner=2, alerts=(alert,))
    terms = (1, 1, 1, 1, 5, 5, 0, "cid-secret")
    world.write(Place(*world.head(40, 2), *terms), found)
    world.write(ActOnCase(20, 2, f"{OTHER} confirmed", "compliance"))
    world.write(SetState(values.SCOPE_OWNER, 2, values.STATE_KILLED, "theirs alone", "operator"))
    world.writer.close()
    case = made(world)
    for form in shown(case):
        for name in (*OTHERS[:4], "cid-secret", "cid-2", "theirs alone"):
            assert name not in form, name
    (venue,) = (m for m in case.measures if m["event"] == "set_state")
    assert venue["input"]["note"].endswith(f"and {OWNER}.")
    assert "other-owner-1" in venue["input"]["note"]
    assert [m["actor"] for m in case.measures if m["event"] == "act_on_case"] == ["compliance"]
    (foreign,) = (entry for entry in case.entries if entry["decision"]["alerts"])
    assert foreign["input"] == {}
    assert foreign["decision"]["order_id"] == 0


def test_time_at_its_edges(world: World) -> None:
    """The first time belongs to the file, the end does not; names are known all the same."""
    times = [entry["now_ns"] for entry in made(world).entries]
    at_ns = times[5]
    assert [e["now_ns"] for e in made(world, from_ns=at_ns).entries] == times[5:]
    assert [e["now_ns"] for e in made(world, from_ns=at_ns + 1).entries] == times[6:]
    assert [e["now_ns"] for e in made(world, to_ns=at_ns).entries] == times[:5]
    assert [e["now_ns"] for e in made(world, to_ns=at_ns + 1).entries] == times[:6]
    assert made(world, from_ns=world.now_ns).entries == []
    with pytest.raises(CaseError, match="of that time"):
        made(world, from_ns=world.now_ns + STEP_NS)


def test_bounds(world: World) -> None:
    """As many entries as asked for are made, and not one more."""
    count = len(made(world).entries)
    assert len(made(world, entries_max=count).entries) == count
    with pytest.raises(CaseError, match="more than"):
        made(world, entries_max=count - 1)
    with pytest.raises(CaseError, match="no owner"):
        made(world, "owner-unknown")


def test_texts_cannot_break_the_page(tmp_path: Path) -> None:
    """What clients and operators write is text in the page, never markup."""
    world = World(tmp_path / "data")
    for event in DEFINITIONS:
        world.write(event)
    hostile = "<script>alert(1)</script>\x1b[2J"
    world.place(1, 1, hostile)
    world.write(reference(world))
    world.write(SetSymbolState(1, values.SYMBOL_HALT, hostile, hostile))
    world.write(ClearBan(1, 0, hostile))
    world.writer.close()
    page, _ = shown(made(world))
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page


def test_a_disk_without_room_leaves_no_part_of_a_file(world: World, tmp_path: Path) -> None:
    """What can't be written whole is not there afterwards, and what was there before is."""
    page = tmp_path / "case.html"
    assert invoke(OWNER, "--data", world.data, "-o", page).exit_code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    smallest = min(len(before["case.html"]), len(before["case.json"]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (smallest - 1, hard))
    try:
        done = invoke(OWNER, "--data", world.data, "-o", page, "--force")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.exit_code == 2
    assert "File too large" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_command_writes_both_forms(world: World, tmp_path: Path) -> None:
    """-o writes a page and the same as JSON beside it; without a file or --json it says so."""
    page = tmp_path / "case.html"
    done = invoke(OWNER, "--data", world.data, "-o", page)
    assert done.exit_code == 0, done.output
    assert OWNER in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["owner"] == OWNER
    for file in (page, page.with_suffix(".json")):
        kept = file.read_bytes()
        other = page if file != page else page.with_suffix(".json")
        other.unlink()
        refused = invoke(OWNER, "--data", world.data, "-o", page)
        assert refused.exit_code == 2
        assert f"{file} is there already" in refused.stderr
        assert file.read_bytes() == kept
        assert invoke(OWNER, "--data", world.data, "-o", page, "--force").exit_code == 0
        assert other.exists()
    printed = invoke(OWNER, "--data", world.data, "--json")
    assert json.loads(printed.stdout)["orders"]
    for wrong in ((OWNER,), (OWNER, "-o", tmp_path / "case.txt"), ("nobody", "--json")):
        assert invoke(*wrong, "--data", world.data).exit_code == 2
