"""`ordergate play` against a running gate, from the first order to the replay of its record."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from rules.decisions import ACCEPTED, REFUSED
from rules.events import Cancel, Place
from rules.values import NS_PER_MS
from tests.fuzz.gate_process import ROOT, GateProcess, ordergate, running_gate

SHIPPED: Final = ROOT / "tests" / "data" / "independentreserve_2022-04-03.csv.gz"
RECORDINGS: Final = Path(os.environ.get("ORDERGATE_FLOWS", ROOT.parent / "shared" / "flows"))
ROOMY: Final = """
name = "roomy"
extends = "eu-conduct"

[rules.order_count]
windows = [{ interval = "10s", limit = 100000 }]

[instruments.default]
max_num_orders = 100000
"""
"""European conduct rules with room for a whole recording from one account."""
SOAK: Final = bool(os.environ.get("ORDERGATE_SOAK"))
soak = pytest.mark.skipif(not SOAK, reason="long; `make soak` runs it")


def play(gate: GateProcess, flow: Path, *options: str) -> dict[str, Any]:
    """Play a recording with the demo's own key and return the printed figures."""
    played = ordergate("play", str(flow), "--target", gate.ready["rest"], "--json", *options)
    assert played.returncode == 0, played.stdout + played.stderr
    figures: dict[str, Any] = json.loads(played.stdout)
    assert figures["failed"] == {}
    answered = sum(figures["accepted"].values())
    answered += sum(sum(codes.values()) for codes in figures["refused"].values())
    assert figures["sent"] == answered
    return figures


def assert_recorded_as_told(gate: GateProcess, figures: dict[str, Any]) -> None:
    """Hold what the client was told against the record of the stopped gate, and replay that."""
    verdicts: Counter[tuple[type, int]] = Counter()
    requests = gate.requests_of("127.0.0.1")
    for record in requests.values():
        verdicts[type(record.event), record.decision.verdict] += 1
    accepted, refused = figures["accepted"], figures["refused"]
    assert verdicts[Cancel, ACCEPTED] == accepted["cancel"]
    assert verdicts[Cancel, REFUSED] == sum(refused["cancel"].values())
    placed = verdicts[Place, ACCEPTED] + verdicts[Place, REFUSED]
    assert (
        placed + sum(verdicts[Cancel, verdict] for verdict in (ACCEPTED, REFUSED))
        == (figures["sent"])
    )
    # Beside the orders, the player asks for the time, the filters and the prices.
    assert len(requests) == figures["sent"] + 3
    gate.assert_record_holds()


def assert_other_rulebook_lets_pass(gate: GateProcess, too_young: int) -> None:
    """What if there were no minimum resting time: just the cancels it refused would have passed."""
    replayed = ordergate("replay", str(gate.run), "--rulebook", "binance-spot-2026", "--json")
    assert replayed.returncode == 0, replayed.stderr
    report = json.loads(replayed.stdout)
    assert report["changed"] == report["newly_accepted"] == too_young
    assert report["accounts"] == {"demo-alice": too_young}
    assert report["rules"]["resting_time"]["refused_before"] == too_young
    assert list(report["rules"]) == ["resting_time"]


def test_recorded_flow_is_played_refused_and_replayed(tmp_path: Path) -> None:
    """Orders are accepted, young cancels refused, and replay makes the same decisions."""
    with running_gate(tmp_path, "--rulebook", "eu-conduct") as gate:
        figures = play(gate, SHIPPED, "--limit", "150")
        too_young = figures["refused"]["cancel"]["-1004 resting_time"]
        assert figures["accepted"]["place"] > 50
        assert figures["accepted"]["cancel"] > 10
        assert too_young > 10
        assert gate.stop() == 0
        assert gate.errors() == ""
        assert_recorded_as_told(gate, figures)
        assert_other_rulebook_lets_pass(gate, too_young)


def test_what_if_orders_had_to_rest_for_less(tmp_path: Path) -> None:
    """Of the cancels refused below 500 ms, those of at least 100 ms would pass, and nothing else."""
    rulebook = ROOT / "examples" / "resting-500ms.toml"
    with running_gate(tmp_path, "--rulebook", str(rulebook)) as gate:
        figures = play(gate, SHIPPED, "--limit", "400")
        assert gate.stop() == 0
        observed = [
            breach.observed
            for record in gate.requests_of("127.0.0.1").values()
            for breach in record.decision.breaches
            if breach.rule == "resting_time"
        ]
        assert len(observed) == figures["refused"]["cancel"]["-1004 resting_time"]
        passed = sum(int(age_ns) >= 100 * NS_PER_MS for age_ns in observed)
        assert 0 < passed < len(observed)
        other = ROOT / "examples" / "resting-100ms.toml"
        replayed = ordergate("replay", str(gate.data), "--rulebook", str(other), "--json")
        assert replayed.returncode == 0, replayed.stderr
        report = json.loads(replayed.stdout)
        assert report["changed"] == report["newly_accepted"] == passed
        assert report["recorded_refused"] - report["refused_now"] == passed
        assert report["rules"]["resting_time"]["refused_before"] == passed
        assert report["accounts"] == {"demo-alice": passed}
        assert report["examples"][0]["event"].startswith("cancel #")


def test_demo_key_is_for_this_machine_only() -> None:
    """For a target elsewhere there is no default key, and half of a key is none."""
    elsewhere = ("--target", "http://192.0.2.1:8080", "--i-own-this-venue")
    here = ("--target", "http://127.0.0.1:9", "--key", "someone")
    for options in (elsewhere, here):
        played = ordergate("play", str(SHIPPED), *options)
        assert played.returncode == 2
        assert "--key and --secret are needed" in played.stderr


@pytest.mark.soak
@soak
@pytest.mark.parametrize(
    ("name", "options"),
    [
        (SHIPPED.name, ("--speed", "1")),
        ("nasdaq_GOOG_2012-06-21_depth10.csv.gz", ("--limit", "20000", "--speed", "60")),
        ("bitstamp_BTCUSD_2015-05-01.csv.gz", ("--limit", "20000", "--speed", "120")),
    ],
)
def test_whole_recordings(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    """Long flows of three markets, at speed, with room for them: the record still agrees."""
    flow = SHIPPED if name == SHIPPED.name else RECORDINGS / name
    if not flow.exists():
        pytest.skip(f"{flow} is not here; set ORDERGATE_FLOWS to the folder of recordings")
    rulebook = tmp_path / "roomy.toml"
    rulebook.write_text(ROOMY)
    with running_gate(tmp_path, "--rulebook", str(rulebook)) as gate:
        figures = play(gate, flow, *options)
        assert figures["accepted"]["place"] > 500
        assert figures["refused"]["cancel"]["-1004 resting_time"] > 100
        assert gate.alive()
        assert gate.stop() == 0
        assert gate.errors() == ""
        assert_recorded_as_told(gate, figures)
