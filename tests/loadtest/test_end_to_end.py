"""The command line against a real gate: a run, its audit, its page; and what is refused."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest import files
from loadtest.audit import audit, look_up
from loadtest.commands import load
from loadtest.keys import read_sources
from loadtest.prepare import prepare_gate
from loadtest.recorder import ALL
from loadtest.results import FORMAT
from loadtest.samples import ACCEPTED, ERROR
from tests.loadtest.gates import ROOT, demo, started
from tests.loadtest.venue import Venue


def ordergate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A demo as a process of its own; its ready line, and the file that holds it."""
    with demo(tmp_path_factory.mktemp("gate")) as ready:
        yield ready


def test_a_run_is_measured_audited_and_reported(gate: dict[str, Any], tmp_path: Path) -> None:
    """All requests of two seconds are answered, recorded once and replayed."""
    output, html = tmp_path / "run.json", tmp_path / "run.html"
    done = ordergate(
        *("load", "run", "--target", gate["rest"], "--keys", str(gate["keys_file"])),
        *("--rate", "100", "--duration", "2s", "--warmup", "500ms", "--sources", "2"),
        # The machine of a test may be busy: what is held here is the counting, not the speed.
        *("--late-bound", "p99<5s", "--assert", "errors<0.1%", "--assert", "accepted>90%"),
        *("--data", gate["data"], "--output", str(output), "--json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    measured = files.load(output)
    assert json.loads(done.stdout)["format"] == FORMAT
    (run,) = measured.runs
    assert 120 < run.offered < 280
    assert run.latency[ALL].count == run.offered
    assert run.latency[ERROR].count == 0
    assert run.latency[ACCEPTED].count > 0.9 * run.offered
    assert measured.audit is not None
    assert measured.audit.faults == ()
    assert measured.audit.not_audited == ()
    assert measured.audit.answers > run.offered
    assert measured.audit.records > measured.audit.answers
    assert [holds for _, holds, _ in measured.assertions] == [True, True]
    assert ordergate("load", "report", str(output), "--html", str(html)).returncode == 0
    assert "<svg" in html.read_text()
    table = ordergate("load", "report", str(output)).stdout
    assert "every answer is in the record once" in table


def test_an_assertion_that_fails_is_exit_code_1(gate: dict[str, Any]) -> None:
    """And so is a tester that was late beyond the bound."""
    arguments = ("load", "run", "--target", gate["rest"], "--keys", str(gate["keys_file"]))
    short = ("--rate", "20", "--duration", "500ms", "--warmup", "0s")
    failed = ordergate(*arguments, *short, "--late-bound", "p99<5s", "--assert", "p50<1ns")
    assert failed.returncode == 1, failed.stderr
    assert "FAILS: p50<1ns" in failed.stdout
    assert "not audited: the record" in failed.stdout
    late = ordergate(*arguments, *short, "--late-bound", "p99<=1ns")
    assert late.returncode == 1, late.stderr
    assert "NOT VALID: the tester was late" in late.stdout


def test_steps_end_at_the_knee(gate: dict[str, Any], tmp_path: Path) -> None:
    """A p99 that no target can have makes the first step too much."""
    output = tmp_path / "steps.json"
    done = ordergate(
        *("load", "run", "--target", gate["rest"], "--keys", str(gate["keys_file"])),
        *("--rate", "20", "--duration", "500ms", "--warmup", "0s", "--steps", "3"),
        *("--late-bound", "p99<5s", "--knee-p99", "1ns", "--output", str(output)),
    )
    assert done.returncode == 1, done.stderr
    assert "kept up with no step" in done.stdout
    assert len(files.load(output).runs) == 1


def test_steps_find_the_knee_of_a_foreign_gateway(tmp_path: Path) -> None:
    """Two connections that take 50 ms an answer carry 40 requests a second, and no more."""
    keys, output = tmp_path / "keys.json", tmp_path / "steps.json"
    keys.write_text('{"keys":[{"name":"k","secret":"s"}]}')
    with Venue(delay_seconds=0.05) as venue:
        done = ordergate(
            *("load", "run", "--target", venue.url, "--keys", str(keys), "--connections", "2"),
            *("--rate", "5", "--duration", "1s", "--warmup", "0s", "--arrivals", "constant"),
            *("--steps", "9", "--step-factor", "16", "--knee-p99", "400ms"),
            *("--late-bound", "p99<5s", "--output", str(output)),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "knee: 5.0/s kept up; at 80.0/s" in done.stdout
    assert "not audited: no answer carries a decision id, so none can be looked up" in done.stdout
    assert "not audited: the record and its replay" in done.stdout
    measured = files.load(output)
    assert (measured.knee, [run.rate for run in measured.runs]) == (5.0, [5.0, 80.0])


def test_keys_are_made_on_a_running_gate(gate: dict[str, Any], tmp_path: Path) -> None:
    """Keys of funded accounts, in turn, in a file that only its owner may read, trade."""
    done = ordergate(
        *("load", "prepare", str(tmp_path), "--admin", gate["admin"], "--accounts", "3"),
        *("--token-file", f"{gate['data']}/admin.token"),
        *("--account", "demo-alice", "--account", "demo-bob"),
    )
    assert done.returncode == 0, done.stderr
    path = tmp_path / "keys.json"
    assert path.stat().st_mode & 0o077 == 0
    keys = json.loads(path.read_text())["keys"]
    assert [key["account"] for key in keys] == ["demo-alice", "demo-bob", "demo-alice"]
    run = ordergate(
        *("load", "run", "--target", gate["rest"], "--keys", str(path), "--rate", "20"),
        *("--duration", "500ms", "--warmup", "0s", "--late-bound", "p99<5s"),
        *("--assert", "accepted>90%", "--arrivals", "constant"),
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_audit_finds_what_is_missing_or_doubled(gate: dict[str, Any]) -> None:
    """An id that is not in the record and one that two answers carry are faults."""
    data = Path(gate["data"])
    found = audit(["a" * 26, "b" * 26, "b" * 26, ""], data, 0)
    assert found.answers == 3
    assert found.not_audited == ("1 answers carry no decision id",)
    assert found.faults[0].startswith("3 answers are not in the record")
    assert found.faults[1].startswith("1 answers have the decision id of another answer")
    assert len(found.faults) == 2


def test_refusals_that_are_recorded_as_counts_are_found(gate: dict[str, Any]) -> None:
    """Beyond ten a second their answers share an id, and the counts say how many did: exactly."""
    names = []
    for _ in range(40):
        request = urllib.request.Request(
            f"{gate['rest']}/api/v3/order", method="POST", headers={"X-MBX-APIKEY": "a" * 64}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        names.append(refused.value.headers["X-OrderGate-Decision"])
        refused.value.close()
    shared = len(names) - len(set(names))
    assert shared > 0
    data = Path(gate["data"])
    assert look_up(Counter(names), data, 0)[:2] == (shared, ())
    ((often, _),) = Counter(names).most_common(1)
    (fault,) = look_up(Counter([*names, often]), data, 0).faults
    assert fault.startswith("1 answers have the decision id of another answer")
    unseen = audit(names, None, 0)
    assert unseen.faults == ()
    assert f"whether the {shared} answers" in unseen.not_audited[1]


def test_a_gate_that_was_started_anew_is_audited_whole(tmp_path: Path) -> None:
    """Every run that holds an answer is verified and replayed, not only the last one."""
    config = prepare_gate(tmp_path, 1, 0, 0)
    config.write_text(config.read_text().replace("demo_market = true", ""))
    data, names = tmp_path / "data", []
    for _ in range(2):
        with started("serve", "-c", str(config)) as line:
            ready = json.loads(line)
            for _ in range(3):
                with urllib.request.urlopen(f"{ready['rest']}/api/v3/ping") as answer:
                    names.append(answer.headers["X-OrderGate-Decision"])
    found = audit(names, data, 0)
    assert (found.faults, found.not_audited, found.answers) == ((), (), 6)
    _, second = sorted(path for path in data.iterdir() if (path / "manifest.json").exists())
    alone = audit(names[3:], second, 0)
    assert alone.faults == ()
    assert 0 < alone.records < found.records


def test_a_foreign_gateway_is_not_audited() -> None:
    """Without ids and without a record the audit claims nothing."""
    found = audit(["", ""], None, 0)
    assert found.faults == ()
    assert found.records == found.answers == 0
    assert len(found.not_audited) == 2


def test_a_prepared_gate_is_a_good_configuration(tmp_path: Path) -> None:
    """`prepare` writes what `check` takes, once."""
    arguments = ("load", "prepare", str(tmp_path / "gate"), "--accounts", "3", "--sources", "251")
    made = ordergate(*arguments)
    assert made.returncode == 0
    assert "--target http://127.0.0.1:8080 --rate 100" in made.stdout
    sources = read_sources(tmp_path / "gate" / "keys.json")
    assert len(set(sources)) == 251
    assert (sources[0], sources[249], sources[250]) == ("127.0.0.1", "127.0.0.250", "127.0.1.1")
    checked = ordergate("check", str(tmp_path / "gate" / "gate.toml"))
    assert checked.returncode == 0, checked.stdout
    assert "3 accounts, 3 keys" in checked.stdout
    again = ordergate(*arguments)
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "http://192.0.2.1:80"), "needs --i-own-this-venue"),
        (("--target", "http://localhost.example"), "needs --i-own-this-venue"),
        (("--target", "nowhere"), "not a base URL"),
        (("--rate", "0"), "`0` is not a decimal number above 0"),
        (("--duration", "0s"), "duration `0s` is out of range"),
        (("--timeout", "61s"), "timeout `61s` is out of range"),
        (("--arrivals", "ramp"), "--to-rate"),
        (("--arrivals", "flow"), "--flow"),
        (
            (
                "--arrivals",
                "flow",
                "--flow",
                str(ROOT / "tests/data/independentreserve_2022-04-03.csv.gz"),
            ),
            "--rate does not go with",
        ),
        (("--rate", ""), "--rate is missing"),
        (("--speed", "2"), "--speed goes with --arrivals flow"),
        (("--profile", "none"), "there is no profile `none`"),
        (("--assert", "p99"), "`p99` is not a condition"),
        (("--late-bound", "errors<1%"), "upper bound"),
        (("--steps", "2", "--step-factor", "1"), "not above 1"),
        (("--steps", "2", "--repeat", "2"), "exclude each other"),
        (("--sources", "62501"), "62501 source addresses"),
        (("--keys", "/nowhere/keys.json"), "/nowhere/keys.json: No such file"),
    ],
)
def test_bad_input_is_exit_code_2(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    """The message names what is at fault."""
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys":[{"name":"k","secret":"s"}]}')
    usual = {"--target": "http://127.0.0.1:1", "--rate": "1", "--keys": str(keys)}
    usual |= dict(zip(options[::2], options[1::2], strict=True))
    arguments = [part for pair in usual.items() for part in pair]
    done = CliRunner().invoke(load, ["run", *arguments])
    assert done.exit_code == 2
    assert message in done.stderr.replace("\n", " ")
