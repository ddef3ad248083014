"""Thresholds from an operator's own flow: percentiles, whom each would hit, and what is suggested."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import rulebook
from gateway.flows.participants import Participants
from gateway.flows.reader import read_flow
from gateway.flows.thresholds import Suggestion
from gateway.journal import find_run
from gateway.replay import replay
from gateway.simulate import simulate
from gateway.suggest import suggest_from_flow, suggest_from_record
from rules.events import DefineAccount, DefineKey, Place, Query
from rules.rulebook import parse_rulebook
from rules.values import (
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    E8,
    GTC,
    LIMIT,
    PERMIT_READ,
    PERMIT_TRADE,
)
from tests.gateway.test_replay import RULEBOOK, Recorder, head, synthetic_run

SECOND = 1_000_000_000
MS = 1_000_000
HEADER = "ts_ns,event,order_id,side,price,qty,flag,symbol,account,key,ip,channel"
RULES = """
name = "test"
[rules.known_order]
mode = "enforce"
[rules.resting_time]
mode = "shadow"
minimum = "250ms"
[rules.order_size]
mode = "enforce"
[rules.order_to_trade]
mode = "enforce"
minimum_orders = 4
[rules.order_count]
mode = "enforce"
windows = [{ interval = "10s", limit = 3 }]
[endpoints.order_place]
orders = 1
[instruments.default]
max_order_quantity = "9"
"""


def flow_file(tmp_path: Path) -> Path:
    """Write a flow: ten owners, whose n-th cancels a single order after n hundred milliseconds.

    The tenth has entered nine more orders before, of ten units each, and leaves them.
    """
    rows = []
    for number in range(1, 11):
        start_ns = number * 100 * SECOND
        who = f"ABC,owner-{number},key-{number},127.0.0.{number},rest"
        more = 9 if number == 10 else 0
        rows += [f"{start_ns},new,m{n},buy,90,10,,{who}" for n in range(more)]
        rows += [
            f"{start_ns},new,o{number},buy,90,{number},,{who}",
            f"{start_ns + number * 100 * MS},cancel,o{number},buy,90,{number},,{who}",
        ]
    path = tmp_path / "flow.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


def suggestions(tmp_path: Path, permille: int = 100) -> dict[tuple[str, str], Suggestion]:
    """Return what is suggested from that flow, by rule and label."""
    rulebook_ = parse_rulebook("test", {"test": RULES})
    report = suggest_from_flow(flow_file(tmp_path), rulebook_, Participants("flow"), permille)
    return {(one.rule, one.label): one for one in report["suggestions"]}


def candidates(one: Suggestion) -> dict[str, tuple[str, int]]:
    """Return threshold and subjects hit by percentile."""
    return {each.percentile: (each.threshold, each.subjects_hit) for each in one.candidates}


def test_ages_of_cancels_hit_below(tmp_path: Path) -> None:
    """Of ages from 100 ms to 1 s, 250 ms hits two, and a tenth of them at most is hit by 200 ms."""
    found = suggestions(tmp_path)["resting_time", "age"]
    assert (found.hits_when, found.symbol, found.subjects) == ("below", "ABC", 10)
    assert (found.limit, found.hit_by_limit) == ("250ms", 2)
    assert candidates(found) == {
        "p1": ("100ms", 0), "p5": ("100ms", 0), "p10": ("100ms", 0), "p25": ("300ms", 2),
        "p50": ("500ms", 4),
    }  # fmt: skip
    assert (found.suggested, found.suggested_hits) == ("100ms", 0)
    assert [each.messages_hit for each in found.candidates] == [0, 0, 0, 2, 4]


def test_counts_hit_above(tmp_path: Path) -> None:
    """Nine owners used one order of three, the tenth ten: the limit hits him alone."""
    found = suggestions(tmp_path)["order_count", "10S"]
    assert (found.hits_when, found.subjects) == ("above", 10)
    assert (found.limit, found.hit_by_limit) == ("3", 1)
    assert candidates(found)["p90"] == ("1", 1)
    assert candidates(found)["p100"] == ("10", 0)
    assert (found.suggested, found.suggested_hits) == ("1", 1)
    strict = suggestions(tmp_path, 99)["order_count", "10S"]
    assert (strict.suggested, strict.suggested_hits) == ("10", 0)


@pytest.mark.parametrize(("minimum", "judged"), [(11, 1), (12, 0)])
def test_a_ratio_below_its_minimum_is_not_judged(tmp_path: Path, minimum: int, judged: int) -> None:
    """The tenth owner has sent eleven messages; by volume there is no ratio without a trade."""
    text = RULES.replace("minimum_orders = 4", f"minimum_orders = {minimum}")
    report = suggest_from_flow(
        flow_file(tmp_path), parse_rulebook("test", {"test": text}), Participants("flow")
    )
    found = [one for one in report["suggestions"] if one.rule == "order_to_trade"]
    assert {(one.minimum, one.most_counted) for one in found} == {(minimum, 11)}
    assert max(one.subjects for one in found) == judged
    for one in found:
        assert bool(one.candidates) == bool(one.suggested) == bool(one.subjects)


def test_a_simulation_without_a_share_suggests_nothing(tmp_path: Path) -> None:
    """Looking at every limit of every request costs time, so `simulate` does not."""
    flow = read_flow(flow_file(tmp_path))
    figures = simulate(flow, parse_rulebook("test", {"test": RULES}), Participants("flow"))
    assert "suggestions" not in figures


def test_a_record_is_reported_as_it_was_decided(tmp_path: Path) -> None:
    """Hits by rule are those of the recorded decisions, and thresholds come with them."""
    run = synthetic_run(tmp_path, 400)
    report = suggest_from_record(tmp_path, [run])
    assert report["rulebook"] == RULEBOOK.name
    assert report["messages"] == replay(run).requests == 400
    hits = {one["rule"]: one["hits"] for one in report["rules"]}
    assert set(hits) >= {"order_size", "resting_time", "known_order", "duplicate_client_order_id"}
    assert all(one["most_hit"][0]["owner"] == "house" for one in report["rules"])
    ages = next(one for one in report["suggestions"] if one.rule == "resting_time")
    assert (ages.symbol, ages.limit) == ("BTCUSDT", "500ms")
    assert ages.hit_by_limit == 1


def test_requests_about_no_symbol_are_passed_over(tmp_path: Path) -> None:
    """A query of an account names no symbol: it has a weight, and no place in a symbol's limits."""
    changes = {
        "rules": {"max_num_orders": {"mode": "enforce"}},
        "instruments": {"default": {"max_num_orders": 5}},
    }
    recorder = Recorder(tmp_path, RULEBOOK.with_changes(changes))
    recorder.place(1)
    recorder.submit(Query(*head(60, recorder.now_ns)))
    recorder.place(1)
    recorder.writer.close()
    run = find_run(recorder.writer.directory)
    found = suggest_from_record(tmp_path, [run])["suggestions"]
    (orders,) = (one for one in found if one.rule == "max_num_orders")
    assert (orders.limit, orders.subjects) == ("5", 1)
    assert candidates(orders)["p100"] == ("2", 0)


def test_each_is_held_against_his_own_limit(tmp_path: Path) -> None:
    """Two orders pass for the one and four for the other, whose tier has five."""
    tiers = {"tiers": {"large": [{"interval": "10s", "limit": 5}]}}
    windows = {"windows": [{"interval": "10s", "limit": 2}], **tiers}
    recorder = Recorder(tmp_path, RULEBOOK.with_changes({"rules": {"order_count": windows}}))
    recorder.submit(DefineAccount(2, "bob", 1, "large", 0))
    recorder.submit(DefineKey(2, "key-bob", 2, PERMIT_READ | PERMIT_TRADE, (), 0))
    for _ in range(4):
        recorder.place(1)
    terms = (1, BUY, LIMIT, GTC, 100 * E8, E8, 0)
    for _ in range(4):
        asked = (40, 1, 2, AUTH_OK, recorder.now_ns, recorder.now_ns, 0, 0, CHANNEL_REST, 0, 0)
        recorder.submit(Place(*asked, *terms))
    recorder.writer.close()
    found = suggest_from_record(tmp_path, [find_run(recorder.writer.directory)])["suggestions"]
    (orders,) = (one for one in found if one.rule == "order_count")
    assert (orders.limit, orders.subjects, orders.hit_by_limit) == ("2 to 5", 2, 0)
    stricter = {"rules": {"order_count": {**windows, "windows": [{"interval": "10s", "limit": 1}]}}}
    report = suggest_from_record(
        tmp_path, [find_run(recorder.writer.directory)], RULEBOOK.with_changes(stricter)
    )
    (orders,) = (one for one in report["suggestions"] if one.rule == "order_count")
    assert (orders.limit, orders.hit_by_limit) == ("1 to 5", 1)


def test_what_nobody_used_gets_no_suggestion(tmp_path: Path) -> None:
    """A limit of nothing would let nobody do anything."""
    recorder = Recorder(tmp_path, RULEBOOK)
    recorder.submit(Query(*head(60, recorder.now_ns)))
    recorder.writer.close()
    found = suggest_from_record(tmp_path, [find_run(recorder.writer.directory)])["suggestions"]
    (orders,) = (one for one in found if one.rule == "order_count")
    assert (orders.subjects, orders.suggested) == (1, None)
    assert candidates(orders)["p100"] == ("0", 0)


def test_another_rulebook_on_a_record_gives_only_its_verdicts(tmp_path: Path) -> None:
    """State follows the record; with no minimum nothing is too young."""
    run = synthetic_run(tmp_path, 400)
    looser = RULEBOOK.with_changes({"rules": {"resting_time": {"minimum": "1ms"}}})
    rules = suggest_from_record(tmp_path, [run], looser)["rules"]
    assert "resting_time" not in {one["rule"] for one in rules if one["hits"] > 5}


def run_command(*words: str) -> Result:
    """Run `ordergate rulebook suggest …`."""
    app = typer.Typer()
    rulebook.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["rulebook", "suggest", *words], env={"COLUMNS": "240"})


def test_the_command_prints_both_tables(tmp_path: Path) -> None:
    """Hits by rule, then thresholds."""
    result = run_command(str(flow_file(tmp_path)), "--owners", "flow", "--rulebook", "eu-conduct")
    assert result.exit_code == 0, result.output
    assert "what each rule hits" in result.stdout
    assert "thresholds" in result.stdout
    assert "500ms (4)" in result.stdout


def test_the_command_gives_json_of_a_record(tmp_path: Path) -> None:
    """A data directory is followed with its own rulebook."""
    synthetic_run(tmp_path, 100)
    result = run_command(str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["messages"] == 100
    assert {one["rule"] for one in report["suggestions"]} >= {"order_count", "resting_time"}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("nowhere.csv",), "nowhere.csv"),
        (("nowhere.csv", "--rulebook", "nope"), "no rulebook `nope`"),
    ],
)
def test_faults_are_told(words: tuple[str, ...], fault: str) -> None:
    """Exit code 2, and what is at fault."""
    result = run_command(*words)
    assert result.exit_code == 2
    assert fault in result.stderr
