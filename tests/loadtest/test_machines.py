"""Merging the files of several machines: what belongs together, and what is kept of each."""

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from typer.testing import CliRunner

from loadtest.assertions import parse_assertion
from loadtest.commands import load
from loadtest.files import load as load_results
from loadtest.files import save
from loadtest.machines import merged
from loadtest.page import page
from loadtest.recorder import ALL
from loadtest.results import Audit, Results, Run
from loadtest.units import NS_PER_SECOND, LoadTestError
from tests.loadtest.test_figures import results_of, run_of
from tests.loadtest.venue import Venue

ROOT: Final = Path(__file__).parents[2]
BEGUN_NS: Final = 10**18


def file_of(instance: str = "", seed: int = 1, *runs: Run, **changes: Any) -> Results:
    """The results of one machine; without runs a single usual one."""
    made = runs or (run_of(begun_utc_ns=BEGUN_NS),)
    results = results_of(*made)
    fields = {name: changes.pop(name) for name in list(changes) if hasattr(results.load, name)}
    asked = msgspec.structs.replace(results.load, instance=instance, seed=seed, **fields)
    return msgspec.structs.replace(results, load=asked, **changes)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., list[Path]]:
    """Save results as files a.json, b.json and so on."""

    def save_all(*files: Results) -> list[Path]:
        paths = [tmp_path / f"{name}.json" for name in "abc"[: len(files)]]
        for path, results in zip(paths, files, strict=True):
            save(results, path)
        return paths

    return save_all


def test_shares_of_one_schedule_become_one(saved: Callable[..., list[Path]]) -> None:
    """Counts add up, seconds meet, conditions are checked on the whole, facts are kept."""
    checked = (("p50<6ms", True, "5.00 ms"),)
    paths = saved(
        file_of("1/2", assertions=checked, connections=4),
        file_of("2/2", 1, run_of(9, begun_utc_ns=BEGUN_NS), connections=5),
    )
    results = merged(paths, [parse_assertion("max<=9ms")])
    (run,) = results.runs
    assert (run.offered, run.rate, run.throughput) == (20, 20.0, 18.0)
    assert run.latency[ALL].count == 20
    assert [second.offered for second in run.seconds] == [20]
    assert [(text, holds) for text, holds, _ in results.assertions] == [
        ("p50<6ms", True),
        ("max<=9ms", True),
    ]
    assert (results.load.connections, results.load.instance) == (9, "")
    assert [(part.name, part.instance, part.connections) for part in results.parts] == [
        (str(paths[0]), "1/2", 4),
        (str(paths[1]), "2/2", 5),
    ]
    assert results.good
    text = page(results)
    assert text.count(">processor<") == 2
    assert all(str(path) in text for path in paths)


def test_schedules_with_other_seeds_become_one(saved: Callable[..., list[Path]]) -> None:
    """Independent loads add up; a machine's fault is the whole's, under its name."""
    late = run_of(begun_utc_ns=BEGUN_NS, faults=("the tester was late",))
    audit = Audit(answers=3, without_id=0, not_audited=(), faults=("gone",), records=7)
    paths = saved(file_of("", 1), file_of("", 2, late, audit=audit))
    results = merged(paths)
    assert results.runs[0].faults == (f"{paths[1]}: the tester was late",)
    assert results.audit is not None
    assert results.audit.faults == (f"{paths[1]}: gone",)
    assert results.audit.not_audited[0] == f"{paths[0]}: it was not audited"
    assert not results.good


def began(after_ns: int) -> Run:
    """A run of one second that began so long after the usual one."""
    return run_of(begun_utc_ns=BEGUN_NS + after_ns)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([file_of()], "one result file is nothing to merge"),
        ([file_of("", 1), file_of("", 1)], "have the same seed 1"),
        ([file_of("1/2"), file_of("1/2")], "have the same instance 1/2"),
        ([file_of("1/3"), file_of("2/3")], "instance 3/3 is missing"),
        ([file_of("1/2"), file_of("2/3")], "instance 2/3 is no share of 2"),
        ([file_of("1/2"), file_of()], "b.json: is of a whole schedule"),
        ([file_of(), file_of("2/2")], "a.json: is of a whole schedule"),
        ([file_of("1/2", 1), file_of("2/2", 2)], "differ in seed: 2 and 1"),
        ([file_of(), file_of("", 2, target="http://other")], "differ in target: http://other"),
        ([file_of(), file_of("", 2, arrivals="poisson")], "differ in arrivals: poisson and const"),
        ([file_of(), file_of("", 2, run_of(), run_of())], "does not tell when its runs began"),
        ([file_of(), file_of("", 2, began(0), began(0))], "differ in number of runs: 2 and 1"),
        ([file_of(), file_of("", 2, steps=True)], "b.json: is of rising steps"),
        ([file_of(), file_of("", 2, began(NS_PER_SECOND))], "0.0 s after .*a.json had ended"),
        ([file_of("", 2, began(-5 * NS_PER_SECOND)), file_of()], "4.0 s after .*a.json had ended"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    saved: Callable[..., list[Path]], files: list[Results], why: str
) -> None:
    """The reason names the files and what they differ in."""
    with pytest.raises(LoadTestError, match=why):
        merged(saved(*files))


def test_the_window_is_exact(saved: Callable[..., list[Path]]) -> None:
    """A nanosecond in common is enough, and it is the target's clock that tells."""
    merged(saved(file_of(), file_of("", 2, began(NS_PER_SECOND - 1))))
    # A clock that is 5 s behind the target's shows the same moment.
    behind = run_of(
        begun_utc_ns=BEGUN_NS - 5 * NS_PER_SECOND, target_minus_utc_ns=5 * NS_PER_SECOND
    )
    (run,) = merged(saved(file_of(), file_of("", 2, behind))).runs
    assert run.duration_ns == NS_PER_SECOND


def test_merged_files_are_not_merged_again(
    saved: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """A file named twice is one, and what is merged already would count twice."""
    paths = saved(file_of("1/2"), file_of("2/2"))
    with pytest.raises(LoadTestError, match="named twice"):
        merged([paths[0], paths[0]])
    save(merged(paths), tmp_path / "c.json")
    with pytest.raises(LoadTestError, match="is merged already"):
        merged([tmp_path / "c.json", paths[0]])


def test_two_machines_begin_together_and_are_merged(tmp_path: Path) -> None:
    """Each sends its share from the same moment on; together they sent the schedule once."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": f"k{n}", "secret": "s"} for n in range(2)]}))
    outputs = [tmp_path / f"{number}.json" for number in (1, 2)]
    before = time.monotonic()
    subprocess.run([sys.executable, "-m", "loadtest", "--help"], cwd=ROOT, check=True)
    # Two start at once, and a busy machine takes its time.
    ahead = 5 + 5 * (time.monotonic() - before)
    start = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead)
    at = start.isoformat(timespec="seconds")
    with Venue() as venue:
        runs = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "loadtest", "run", "--target", venue.url),
                    *("--keys", str(keys), "--rate", "51", "--arrivals", "constant"),
                    *("--duration", "2s", "--warmup", "0s", "--late-bound", "p99<5s"),
                    *("--instance", f"{number}/2", "--start-at", at, "-o", str(output)),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                env={**os.environ, "COLUMNS": "200"},
            )
            for number, output in enumerate(outputs, 1)
        ]
        try:
            for run in runs:
                run.communicate(timeout=100)
        finally:
            for run in runs:
                run.send_signal(signal.SIGKILL)
    assert [run.returncode for run in runs] == [0, 0]
    assert len(venue.orders) == 102
    assert {key for _, key, _ in venue.orders} == {"k0", "k1"}
    # None cancels what the other one has open.
    assert venue.cancelled_all == {"k0": 1, "k1": 1}
    assert [load_results(output).load.keys for output in outputs] == [1, 1]
    together = tmp_path / "both.json"
    done = CliRunner().invoke(
        load, ["merge", *map(str, outputs), "-o", str(together), "--assert", "errors<1%"]
    )
    assert done.exit_code == 0, done.output
    assert "instance 1/2, 51 requests" in done.output
    (run,) = load_results(together).runs
    assert run.offered == 102
    assert run.rate == 51.0
    failed = CliRunner().invoke(load, ["merge", *map(str, outputs), "--assert", "max<1ns"])
    assert failed.exit_code == 1
    refused = CliRunner().invoke(load, ["merge", str(outputs[0]), str(outputs[0])])
    assert refused.exit_code == 2


def test_a_start_that_is_too_near_is_refused(tmp_path: Path) -> None:
    """A run can't begin in the past, nor before its requests are rendered."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "k", "secret": "s"}]}))
    usual = ["run", "--keys", str(keys), "--rate", "10", "--start-at", "2020-01-01T00:00:00Z"]
    with Venue() as venue:
        done = CliRunner().invoke(load, [*usual, "--target", venue.url])
    assert done.exit_code == 2
    assert "at least" in done.stderr
    for options, why in (
        (("--repeat", "2"), "no --repeat"),
        (("--steps", "2"), "no --steps"),
        (("--steps", "2", "--instance", "1/2"), "no --instance"),
        (("--start-at", "noon"), "`noon` is not a time"),
        (("--instance", "2/1"), "`2/1` is not such as 2/3"),
    ):
        done = CliRunner().invoke(load, [*usual, "--target", "http://127.0.0.1:1", *options])
        assert done.exit_code == 2
        assert why in done.stderr.replace("\n", " ")
