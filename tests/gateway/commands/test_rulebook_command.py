"""`ordergate rulebook`: what is in force, and where two rulebooks differ."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import rulebook
from gateway.rulebook_view import parameter_text
from gateway.rulebooks import load_rulebook, shipped_rulebooks
from rules.endpoints import Endpoint
from rules.registry import RULES


def run(*words: str) -> Result:
    """Run `ordergate rulebook …`."""
    app = typer.Typer()
    rulebook.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["rulebook", *words], env={"COLUMNS": "200"})


def shown(name: str) -> dict[str, Any]:
    """Return `rulebook show NAME --json`."""
    result = run("show", name, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_list_names_every_shipped_rulebook() -> None:
    """With how many rules it enforces."""
    lines = json.loads(run("list", "--json").stdout)
    assert [line["name"] for line in lines] == list(shipped_rulebooks())
    for line in lines:
        assert line["enforced"] + line["shadow"] + line["off"] == len(RULES)
        assert line["revision"] == load_rulebook(line["name"]).revision
    assert "eu-conduct" in run("list").output


@pytest.mark.parametrize("name", sorted(shipped_rulebooks()))
def test_every_clause_is_explained(name: str) -> None:
    """Rules in order of precedence, each with what it does, its source and its reasons."""
    view = shown(name)
    assert [rule["name"] for rule in view["rules"]] == [kind.name for kind in RULES]
    for rule in view["rules"]:
        assert rule["about"].endswith(".")
        assert rule["source"]
        assert rule["stage"] in ("access", "gate", "limit")
    assert [endpoint["name"] for endpoint in view["endpoints"]] == [
        endpoint.name.lower() for endpoint in Endpoint
    ]


def test_show_has_what_is_in_force() -> None:
    """Parameters, notes, weights and filters are the rulebook's, inherited ones included."""
    view = shown("eu-conduct")
    rules = {rule["name"]: rule for rule in view["rules"]}
    assert rules["resting_time"]["mode"] == "enforce"
    assert rules["resting_time"]["parameters"]["minimum"] == "500ms"
    assert rules["resting_time"]["reasons"] == ["MINIMUM_RESTING_TIME"]
    assert rules["order_count"]["parameters"]["windows"][0] == {"interval": "10s", "limit": 100}
    endpoints = {endpoint["name"]: endpoint for endpoint in view["endpoints"]}
    assert (endpoints["order_place"]["weight"], endpoints["order_place"]["weight_success"]) == (
        "1",
        "0",
    )
    assert endpoints["depth"]["weight"] == "5 to 100, 25 to 500, 50 to 1,000, 250 to 5,000"
    assert view["instruments"]["BTCUSDT"]["tick_size"] == "0.01"
    assert view["instruments"]["BTCUSDT"]["max_num_orders"] == 200


def test_show_for_people() -> None:
    """Each rule in force with its numbers in words; those that are off in one line."""
    output = run("show", "binance-spot-2026").output
    assert "  order_count: enforce" in output
    assert "    windows = 100 in 10s, 200,000 in 1d" in output
    assert "    source: Binance Spot API, faqs/order_count_decrement.md" in output
    assert "    reasons: ORDER_COUNT_LIMIT" in output
    assert (
        "off: conduct_standing, percent_price, min_notional, price_collar_period, resting_time"
        in output
    )
    assert "instrument BTCUSDT" in output


def test_equal_rulebooks_have_no_difference(tmp_path: Path) -> None:
    """A file that only extends puts the same in force, whatever its name and notes."""
    path = tmp_path / "same.toml"
    path.write_text('extends = "bench"\ndescription = "mine"\n[rules.balance]\nnote = "mine"\n')
    result = run("diff", "bench", str(path))
    assert result.exit_code == 0
    assert "bench and same put the same in force" in result.output


def test_diff_names_each_difference(tmp_path: Path) -> None:
    """Rules, endpoints and instruments, with what is absent on one side."""
    path = tmp_path / "mine.toml"
    path.write_text(
        """
extends = "binance-spot-2026"
[rules.order_count]
windows = [{ interval = "10s", limit = 101 }]
[rules.order_count.tiers]
vip = [{ interval = "1s", limit = 9 }]
[endpoints.ping]
weight = 2
[instruments.default]
tick_size = "0.1"
[instruments.XYZ]
max_num_orders = 1
"""
    )
    result = run("diff", "binance-spot-2026", str(path), "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["first"], answer["second"]) == ("binance-spot-2026", "mine")
    found = {one["path"]: (one["first"], one["second"]) for one in answer["differences"]}
    assert found == {
        "rules.order_count.windows": (
            [{"interval": "10s", "limit": 100}, {"interval": "1d", "limit": 200000}],
            [{"interval": "10s", "limit": 101}],
        ),
        "rules.order_count.tiers.vip": (None, [{"interval": "1s", "limit": 9}]),
        "endpoints.ping.weight": ("1", "2"),
        "endpoints.ping.weight_success": ("1", "2"),
        "instruments.default.tick_size": ("0.00000001", "0.1"),
        "instruments.XYZ.tick_size": ("0.00000001", "0.1"),
        "instruments.XYZ.max_num_orders": (200, 1),
    }
    table = run("diff", "binance-spot-2026", str(path)).output
    assert "absent" in table
    assert "9 in 1s" in table


@pytest.mark.parametrize("words", [("show", "nope"), ("diff", "bench", "nope")])
def test_an_unknown_rulebook_is_told(words: tuple[str, ...]) -> None:
    """Exit code 2 and the names there are."""
    result = run(*words)
    assert result.exit_code == 2
    assert "no rulebook `nope`; there are age-cost, bench" in result.stderr


def test_parameters_in_words() -> None:
    """Numbers are grouped, switches are words, and nothing is none."""
    assert parameter_text(200_000) == "200,000"
    assert parameter_text(True) == "yes"
    assert parameter_text("") == "none"
    assert parameter_text({}) == "none"
    assert parameter_text({"a": "1s", "b": []}) == "a: 1s; b: none"
    assert parameter_text([{"interval": "1d", "limit": 1000}]) == "1,000 in 1d"
