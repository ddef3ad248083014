"""A recording under two rulebooks: which verdicts differ, by which rules, and how it is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands.simulate import register
from gateway.flows.participants import Participants
from gateway.flows.reader import read_flow
from gateway.simulate_against import simulate_against
from rules.rulebook import Rulebook, parse_rulebook

SECOND = 1_000_000_000
MS = 1_000_000
HEADER = "ts_ns,event,order_id,side,price,qty,flag,symbol,account,key,ip,channel"
RULES = """
name = "{name}"
[rules.known_order]
mode = "enforce"
[rules.resting_time]
mode = "enforce"
minimum = "{minimum}"
[rules.order_size]
mode = "{size}"
[instruments.default]
max_order_quantity = "9"
"""


def text_of(name: str, minimum: str, size: str) -> str:
    """Return a small rulebook."""
    return RULES.format(name=name, minimum=minimum, size=size)


def rulebook_of(name: str, minimum: str, size: str) -> Rulebook:
    """Return a small rulebook, parsed."""
    return parse_rulebook(name, {name: text_of(name, minimum, size)})


def flow_file(tmp_path: Path) -> Path:
    """Write ann's three orders with cancels after 100, 300 and 500 ms, and bob's large one."""
    rows = []
    for number, age_ms in enumerate((100, 300, 500), start=1):
        start_ns = number * SECOND
        who = "ABC,ann,ann-key,127.0.0.1,rest"
        rows += [
            f"{start_ns},new,a{number},buy,90,2,,{who}",
            f"{start_ns + age_ms * MS},cancel,a{number},buy,90,2,,{who}",
        ]
    rows.append(f"{5 * SECOND},new,b,buy,90,10,,XYZ,bob,bob-key,127.0.0.2,rest")
    path = tmp_path / "flow.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


def compared(tmp_path: Path) -> dict[str, Any]:
    """Compare 200 ms and sizes free with 400 ms and sizes limited."""
    return simulate_against(
        read_flow(flow_file(tmp_path)),
        rulebook_of("one", "200ms", "off"),
        rulebook_of("other", "400ms", "enforce"),
        lambda: Participants("flow"),
    )


def test_what_differs_is_counted_by_rule_account_and_symbol(tmp_path: Path) -> None:
    """The cancel after 300 ms and the large order are refused only by the second."""
    figures = compared(tmp_path)
    assert figures["one"]["refused"] == {"resting_time": 1}
    assert figures["other"]["refused"] == {"order_size": 1, "resting_time": 2}
    differs = figures["differs"]
    assert (differs["messages"], differs["changed"], differs["newly_refused"]) == (7, 2, 2)
    assert (differs["newly_accepted"], differs["refused_otherwise"], differs["other"]) == (0, 0, 0)
    assert differs["rules"] == {
        "order_size": {"only_one": 0, "only_other": 1},
        "resting_time": {"only_one": 0, "only_other": 1},
    }
    assert differs["accounts"] == {"ann": 1, "bob": 1}
    assert differs["symbols"] == {"ABC": 1, "XYZ": 1}


def test_examples_name_the_line_and_both_verdicts(tmp_path: Path) -> None:
    """Enough to look the message up in the recording."""
    first, second = compared(tmp_path)["differs"]["examples"]
    assert (first["line"], first["event"], first["order_id"]) == (5, "cancel", "a2")
    assert (first["one"], first["other"]) == ("ACCEPTED", "REFUSED")
    assert "resting_time" in first["other_because"]
    assert (second["line"], second["account"], second["symbol"]) == (8, "bob", "XYZ")


def test_the_other_way_round_is_newly_accepted(tmp_path: Path) -> None:
    """And a rulebook differs from itself in nothing."""
    flow = read_flow(flow_file(tmp_path))
    strict, loose = rulebook_of("other", "400ms", "enforce"), rulebook_of("one", "200ms", "off")
    differs = simulate_against(flow, strict, loose, lambda: Participants("flow"))["differs"]
    assert (differs["newly_accepted"], differs["newly_refused"]) == (2, 0)
    differs = simulate_against(flow, strict, strict, lambda: Participants("flow"))["differs"]
    assert (differs["changed"], differs["rules"], differs["examples"]) == (0, {}, [])


def test_progress_goes_through_both_passes(tmp_path: Path) -> None:
    """Rows done, of twice the recording."""
    flow = read_flow(flow_file(tmp_path))
    seen: list[int] = []
    book = rulebook_of("one", "200ms", "off")
    simulate_against(flow, book, book, lambda: Participants("flow"), seen.append)
    assert seen == list(range(1, 15))


def run(tmp_path: Path, *more: str) -> Result:
    """Run `ordergate simulate FLOW --rulebook one --against other`."""
    names = []
    for name, minimum, size in (("one", "200ms", "off"), ("other", "400ms", "enforce")):
        path = tmp_path / f"{name}.toml"
        path.write_text(text_of(name, minimum, size))
        names.append(str(path))
    app = typer.Typer()
    register(app)
    arguments = [str(flow_file(tmp_path)), "--rulebook", names[0], "--against", names[1], *more]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def test_the_command_prints_both_side_by_side(tmp_path: Path) -> None:
    """Figures, the count of what differs, rules, accounts, symbols and examples."""
    result = run(tmp_path)
    assert result.exit_code == 0, result.output
    for text in ("refused by resting_time", "2 of 7 verdicts differ", "only under the second",
                 "a2", "bob"):  # fmt: skip
        assert text in result.stdout


def test_the_command_gives_json(tmp_path: Path) -> None:
    """The same figures by their names."""
    result = run(tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["differs"]["newly_refused"] == 2


@pytest.mark.parametrize("other", ["nope", "nowhere.toml"])
def test_a_rulebook_that_is_none_is_told(tmp_path: Path, other: str) -> None:
    """Exit code 2 and its name."""
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, [str(flow_file(tmp_path)), "--against", other])
    assert result.exit_code == 2
    assert other in result.stderr
