"""Simulating recordings: the published figures, and what each figure counts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gateway.commands.simulate import register
from gateway.flows.participants import Participants
from gateway.flows.reader import Flow, FlowError, read_flow
from gateway.rulebooks import load_rulebook
from gateway.simulate import SINGLE_ACCOUNT_SHADOWS, simulate, single_account_shadows
from rules.rulebook import Rulebook, parse_rulebook

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "tests" / "data" / "independentreserve_2022-04-03.csv.gz"
RECORDINGS = Path(os.environ.get("ORDERGATE_FLOWS", ROOT.parent / "shared" / "flows"))
GOOG = "nasdaq_GOOG_2012-06-21_depth10.csv.gz"
BITSTAMP = "bitstamp_BTCUSD_2015-05-01.csv.gz"
HEADER = "ts_ns,event,order_id,side,price,qty,flag,symbol"
CONDUCT = """
name = "test"
[rules.known_order]
mode = "enforce"
[rules.resting_time]
mode = "enforce"
minimum = "500ms"
[rules.order_to_trade]
mode = "enforce"
[rules.order_count]
mode = "enforce"
windows = [{ interval = "10s", limit = 1 }]
[endpoints.order_place]
orders = 1
"""
SECOND = 1_000_000_000
MS = 1_000_000


def conduct(changes: dict[str, Any] | None = None) -> Rulebook:
    """Return a small rulebook of the conduct rules and an order count of 1."""
    return parse_rulebook("test", {"test": CONDUCT}).with_changes(changes or {})


def recording(name: str) -> Path:
    """Return the path of a recording that may not be shipped, or skip."""
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{path} is not here; set ORDERGATE_FLOWS to the folder of recordings")
    return path


def flow_of(tmp_path: Path, *lines: str, header: str = HEADER) -> Flow:
    path = tmp_path / "flow.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    return read_flow(path)


def figures_of(flow: Flow, owners: str = "one", rulebook: Rulebook | None = None) -> dict[str, Any]:
    return simulate(flow, rulebook or conduct(), Participants(owners))


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command and return exit code, output and errors."""
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


PUBLISHED = {
    GOOG: {
        "events": 147_916,
        "orders": 71_258,
        "cancels": 64_961,
        "reduces": 19,
        "amends": 0,
        "trades": 11_678,
        "cancels_known": 62_131,
        "cancels_refused_resting_time": 22_348,
        "share": 35.97,
        "simple": 5.10,
        "rts9": 10.67,
        "takers": 7_983,
    },
    BITSTAMP: {
        "events": 50_425,
        "orders": 24_894,
        "cancels": 24_338,
        "reduces": 0,
        "amends": 36,
        "trades": 575,
        "cancels_known": 24_174,
        "cancels_refused_resting_time": 3_973,
        "share": 16.43,
        "simple": 42.29,
        "rts9": 84.75,
        "takers": 0,
    },
    SHIPPED.name: {
        "events": 1_663,
        "orders": 831,
        "cancels": 832,
        "reduces": 0,
        "amends": 0,
        "trades": 0,
        "cancels_known": 770,
        "cancels_refused_resting_time": 301,
        "share": 39.09,
        "simple": None,
        "rts9": None,
        "takers": 0,
    },
}


@pytest.mark.parametrize("name", [GOOG, BITSTAMP, SHIPPED.name])
def test_published_figures_with_eu_conduct(name: str) -> None:
    """Counts exactly, shares within 0.05 points, ratios within 0.01, null without trades."""
    path = SHIPPED if name == SHIPPED.name else recording(name)
    code, output, _ = run(str(path), "--rulebook", "eu-conduct", "--json")
    assert code == 0
    figures = json.loads(output)
    expected: dict[str, Any] = dict(PUBLISHED[name])
    assert figures["share_refused_resting_time"] == pytest.approx(expected.pop("share"), abs=0.05)
    for name_, key in (("otr_number_simple", "simple"), ("otr_number_rts9", "rts9")):
        wanted = expected.pop(key)
        assert figures[name_] == (wanted if wanted is None else pytest.approx(wanted, abs=0.01))
    assert figures["takers"]["orders"] == expected.pop("takers")
    assert {key: figures[key] for key in expected} == expected
    verdicts = figures["accepted"] + figures["refused_messages"] + figures["deferred"]
    assert verdicts == figures["messages"]
    unknown = figures["cancels"] - figures["cancels_known"]
    assert figures["refused"]["known_order"] >= unknown
    assert set(figures["refused"]).isdisjoint(figures["shadow_rules"])


def test_other_models_of_resting_time(tmp_path: Path) -> None:
    """An early cancel is deferred, or charged by the shipped curve: 0.015 after 250 ms."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,buy,10,2,,ABC",
        f"{SECOND + 250 * MS},cancel,a,buy,10,2,,ABC",
    )
    held = {"rules": {"resting_time": {"policy": "DEFER"}}}
    figures = figures_of(flow, rulebook=conduct(held))
    assert (figures["deferred"], figures["accepted"], figures["charged"]) == (1, 1, {})
    figures = figures_of(flow, rulebook=load_rulebook("priced-cancels"))
    assert (figures["deferred"], figures["accepted"]) == (0, 2)
    assert figures["charged"] == {"age-priced-cancels": "0.015"}


@pytest.mark.parametrize(("age_ns", "refused"), [(500 * MS - 1, 1), (500 * MS, 0)])
def test_resting_time_at_its_boundary(tmp_path: Path, age_ns: int, refused: int) -> None:
    """The recorded time is the clock, to the nanosecond."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,buy,10,2,,ABC",
        f"{SECOND + age_ns},cancel,a,buy,10,2,,ABC",
    )
    figures = figures_of(flow)
    assert figures["cancels_known"] == 1
    assert figures["cancels_refused_resting_time"] == refused


@pytest.mark.parametrize(
    ("change", "refused"),
    [("amend,a,buy,11,2", 1), ("amend,a,buy,10,3", 1), ("reduce,a,buy,10,1", 0)],
)
def test_what_restarts_the_age(tmp_path: Path, change: str, refused: int) -> None:
    """A new price or more quantity does; less quantity alone does not."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,buy,10,2,,ABC",
        f"{2 * SECOND},{change},,ABC",
        f"{2 * SECOND + 100 * MS},cancel,a,buy,10,2,,ABC",
    )
    assert figures_of(flow)["cancels_refused_resting_time"] == refused


def test_a_refused_cancel_still_ends_its_order(tmp_path: Path) -> None:
    """The recorded course is fact: with room for one order, the next one is accepted."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,buy,10,2,,ABC",
        f"{SECOND + MS},cancel,a,buy,10,2,,ABC",
        f"{SECOND + 2 * MS},new,b,buy,10,2,,ABC",
        f"{SECOND + 2 * MS},new,c,buy,10,2,,ABC",
    )
    room = {
        "rules": {"max_num_orders": {"mode": "enforce"}, "order_count": {"mode": "off"}},
        "instruments": {"default": {"max_num_orders": 1}},
    }
    figures = figures_of(flow, "hash:1", conduct(room))
    assert figures["refused"] == {"max_num_orders": 1, "resting_time": 1}


def test_a_cancel_of_an_order_from_before_is_sent_and_not_known(tmp_path: Path) -> None:
    """The gate can't know the order; nothing else follows from it."""
    flow = flow_of(tmp_path, f"{SECOND},new,a,buy,10,2,,ABC", f"{SECOND},cancel,c,buy,,,,ABC")
    figures = figures_of(flow)
    assert (figures["cancels"], figures["cancels_known"]) == (1, 0)
    assert figures["refused"] == {"known_order": 1}
    assert figures["share_refused_resting_time"] is None


def test_fills_end_orders_and_count_as_trades(tmp_path: Path) -> None:
    """Maker, hidden and unseen fills; the rebuilt takers stand apart."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,buy,10,2,,ABC",
        f"{2 * SECOND},fill,a,buy,10,0.5,M,ABC",
        f"{2 * SECOND},fill,0,buy,9,1,H,ABC",
        f"{3 * SECOND},fill,a,buy,10,1.5,M,ABC",
        f"{3 * SECOND},fill,old,buy,10,0,M,ABC",
        f"{4 * SECOND},cancel,a,buy,10,2,,ABC",
    )
    figures = figures_of(flow)
    assert (figures["orders"], figures["trades"]) == (1, 4)
    assert (figures["takers"]["orders"], figures["takers"]["accepted"]) == (2, 2)
    market, takers = figures["accounts"]
    assert (market["account"], market["transactions"]) == ("market", 2)
    assert (takers["account"], takers["transactions"]) == ("takers", 3)


def test_ratios_by_hand(tmp_path: Path) -> None:
    """Number: 1 + 2 + 1 messages over 2 trades. Volume: 4 + (4 + 6) + 5 over 2."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,sell,10,4,,ABC",
        f"{2 * SECOND},amend,a,sell,11,6,,ABC",
        f"{3 * SECOND},fill,a,sell,11,1,,ABC",
        f"{3 * SECOND},fill,old,sell,11,1,,ABC",
        f"{4 * SECOND},cancel,a,sell,11,5,,ABC",
    )
    figures = figures_of(flow)
    assert figures["otr_number_simple"] == -0.5
    assert figures["otr_number_rts9"] == 1
    assert figures["otr_volume_rts9"] == 8.5
    assert figures["accounts"][0]["number"] == 4


def test_limits_of_one_client_run_in_shadow_for_one_account(tmp_path: Path) -> None:
    """They are named and counted, and refuse nothing; spread owners are held to them."""
    flow = flow_of(tmp_path, *(f"{SECOND},new,{name},buy,10,2,,ABC" for name in "abc"))
    one = figures_of(flow)
    assert one["shadow_rules"] == ["order_count"]
    assert (one["accepted"], one["shadowed"]) == (3, {"order_count": 2})
    spread = figures_of(flow, "hash:1")
    assert spread["shadow_rules"] == []
    assert (spread["accepted"], spread["refused"]) == (1, {"order_count": 2})


def test_only_enforced_rules_are_put_into_shadow() -> None:
    """A rule that is off stays off."""
    assert single_account_shadows(conduct({"rules": {"order_count": {"mode": "off"}}})) == ()
    assert set(single_account_shadows(load_rulebook("eu-conduct"))) <= set(SINGLE_ACCOUNT_SHADOWS)


def test_owners_of_the_flow(tmp_path: Path) -> None:
    """Columns give account and key; a key of two accounts is bad input."""
    header = HEADER + ",account,key"
    rows = (f"{SECOND},new,a,buy,10,2,,ABC,x,k1", f"{SECOND},new,b,buy,10,2,,ABC,y,k2")
    figures = figures_of(flow_of(tmp_path, *rows, header=header), "flow")
    assert {account["account"] for account in figures["accounts"]} == {"x", "y"}
    rows = (rows[0], f"{SECOND},new,b,buy,10,2,,ABC,y,k1")
    with pytest.raises(FlowError, match="line 3: key `k1` belongs to another account"):
        figures_of(flow_of(tmp_path, *rows, header=header), "flow")


def test_resting_orders_are_old(tmp_path: Path) -> None:
    """An order with flag S is no submission, and its cancel is never too early."""
    flow = flow_of(
        tmp_path,
        f"{SECOND * 100_000},new,a,buy,10,2,S,ABC",
        f"{SECOND * 100_000},cancel,a,buy,,,,ABC",
    )
    figures = figures_of(flow)
    assert (figures["orders"], figures["cancels_known"]) == (0, 0)
    assert (figures["accepted"], figures["refused"]) == (1, {})


@pytest.mark.parametrize(("price", "refused"), [("10.7", {}), ("10.8", {"price_collar": 1})])
def test_a_quiet_market_keeps_its_best_prices(
    tmp_path: Path, price: str, refused: dict[str, int]
) -> None:
    """Minutes after the last change an order is still measured by the mid, here 10.25."""
    flow = flow_of(
        tmp_path,
        f"{SECOND},new,a,buy,10,2,,ABC",
        f"{2 * SECOND},new,b,sell,10.5,2,,ABC",
        f"{3 * SECOND},fill,a,buy,10,1,M,ABC",
        f"{4 * SECOND},new,c,buy,9,1,,ABC",
        f"{200 * SECOND},new,d,buy,{price},1,,ABC",
    )
    collar = {"price_collar": {"mode": "enforce", "aggressive": "0.05", "passive": "0.5"}}
    off = {"order_count": {"mode": "off"}}
    figures = figures_of(flow, "one", conduct({"rules": {**collar, **off}}))
    assert figures["refused"] == refused


def test_spread_owners_keep_the_market_figures() -> None:
    """What is market-wide does not depend on whose orders they are."""
    flow = read_flow(SHIPPED)
    one, spread = figures_of(flow), figures_of(flow, "hash:7")
    for name in ("orders", "cancels", "cancels_known", "cancels_refused_resting_time"):
        assert one[name] == spread[name]
    assert spread["owners"] == "hash:7"


def test_the_same_flow_gives_the_same_figures() -> None:
    """Twice, to the last figure."""
    flow = read_flow(SHIPPED)
    assert figures_of(flow, "hash:5") == figures_of(flow, "hash:5")


def test_tables(tmp_path: Path) -> None:
    """Without --json the figures are tables."""
    code, output, _ = run(str(SHIPPED), "--rulebook", "eu-conduct")
    assert code == 0
    assert "39.09 %" in output
    assert "undefined (no trade)" in output
    code, output, _ = run(str(SHIPPED), "--rulebook", "priced-cancels")
    assert code == 0
    assert "charged by age-priced-cancels" in output


def test_bad_input_ends_with_2(tmp_path: Path) -> None:
    """File, line and value on standard error; nothing on standard output."""
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\n5,new,a,buy,x,2,,ABC\n")
    empty = tmp_path / "empty.csv"
    empty.write_text(f"{HEADER}\n")
    for arguments, message in (
        ((str(path),), f"{path}, line 2: price `x`"),
        ((str(empty),), f"{empty}: has a header but no rows"),
        ((str(tmp_path / "none.csv"),), "none.csv: can't be read"),
        ((str(SHIPPED), "--owners", "many"), "owners `many`; accepted: one, hash:N, or flow"),
        ((str(SHIPPED), "--rulebook", "no-such"), "no-such"),
    ):
        code, output, errors = run(*arguments)
        assert (code, output) == (2, "")
        assert message in errors
