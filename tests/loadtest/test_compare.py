"""Comparisons: what a difference is, what chance is, and runs made in turn."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest
from typer.testing import CliRunner

from loadtest.commands import load
from loadtest.compare import RUNS_MIN, alternated, change_interval, compare, student_quantile
from loadtest.files import load as load_results
from loadtest.recorder import ALL, distribution
from loadtest.results import Run
from loadtest.terminal import print_comparisons
from loadtest.units import NS_PER_MS, NS_PER_SECOND
from tests.loadtest.test_figures import run_of
from tests.loadtest.venue import Venue

ROOT: Final = Path(__file__).parents[2]
EXPERIMENTS: Final = 200
RESAMPLES: Final = 500


def excluded(runs: int, truth: float, claim: float, *, paired: bool, drift: float = 0.0) -> float:
    """Return how often a 95 % interval leaves out a claimed change, where another is true.

    Figures scatter by a tenth; a drift moves both figures of a pair alike.
    """
    generator = random.Random(7)
    misses = 0
    for _ in range(EXPERIMENTS):
        moved = [1 + drift * generator.random() for _ in range(runs)]
        a = [generator.lognormvariate(0, 0.1) * by for by in moved]
        b = [generator.lognormvariate(0, 0.1) * by * (1 + truth) for by in moved]
        low, high = change_interval(a, b, generator, paired=paired, resamples=RESAMPLES)
        misses += not low <= claim <= high
    return misses / EXPERIMENTS


@pytest.mark.parametrize("runs", [RUNS_MIN, 12])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("truth", [0.0, 0.3])
def test_intervals_hold_the_truth_as_often_as_they_say(
    runs: int, paired: bool, truth: float
) -> None:
    """One in twenty misses it, however few the runs; plain percentiles miss one in six of five."""
    assert excluded(runs, truth, truth, paired=paired) <= 0.1


def test_a_known_difference_is_found() -> None:
    """A change by half is seen in nearly every experiment of five runs with a scatter of 10 %."""
    assert excluded(RUNS_MIN, 0.5, 0.0, paired=False) >= 0.95
    assert excluded(RUNS_MIN, 0.5, 0.0, paired=True) >= 0.95


def test_pairs_see_through_a_drift() -> None:
    """Where both sides get three times slower together, only pairs show what one adds."""
    assert excluded(8, 0.3, 0.0, paired=True, drift=2.0) >= 0.8
    assert excluded(8, 0.3, 0.0, paired=False, drift=2.0) <= 0.3


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(4, 2.776), (5, 2.571), (9, 2.262), (14, 2.145), (29, 2.045), (1_000, 1.962)],
)
def test_student_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    """The 97.5 % quantile, as printed."""
    assert student_quantile(degrees) == pytest.approx(quantile, abs=0.001)


def runs_at(times: Sequence[int], values_ms: Sequence[float] = ()) -> list[Run]:
    """Runs that began at some seconds, with some latencies."""
    runs = []
    for number, at in enumerate(times):
        run = run_of(begun_utc_ns=at * NS_PER_SECOND)
        if values_ms:
            taken = distribution([int(values_ms[number] * NS_PER_MS)])
            run = msgspec.structs.replace(run, latency=run.latency | {ALL: taken})
        runs.append(run)
    return runs


def test_runs_made_in_turn_are_told_by_their_times() -> None:
    """Each two that follow are of both sides, whichever came first."""
    a, b = runs_at([10, 41, 50]), runs_at([61, 20, 30])
    pairs = alternated(a, b)
    assert pairs is not None
    assert [(x.begun_utc_ns, y.begun_utc_ns) for x, y in zip(*pairs, strict=True)] == [
        (10 * NS_PER_SECOND, 20 * NS_PER_SECOND),
        (41 * NS_PER_SECOND, 30 * NS_PER_SECOND),
        (50 * NS_PER_SECOND, 61 * NS_PER_SECOND),
    ]
    assert alternated(runs_at([1, 2]), runs_at([3, 4])) is None
    assert alternated(runs_at([1, 3]), runs_at([2])) is None
    assert alternated(runs_at([0, 3]), runs_at([2, 4])) is None


def test_drift_is_shown_by_halves() -> None:
    """The middle pair of an odd number is in neither half."""
    a = runs_at([1, 3, 5, 7, 9], [1, 1, 5, 2, 2])
    b = runs_at([2, 4, 6, 8, 10], [1, 1, 5, 3, 3])
    (p50,) = [each for each in compare(a, b) if each.metric == "p50"]
    shown = (p50.change_early, p50.change_late, p50.drift_a, p50.drift_b)
    assert shown == pytest.approx((0.0, 0.5, 1.0, 2.0), abs=0.002)
    apart = compare(runs_at([1, 2, 3]), runs_at([4, 5, 6]))
    assert all(each.drift_a is None for each in apart)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file with a key."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [{"name": "k", "secret": "s"}]}))
    return path


USUAL: Final = (
    *("--rate", "50", "--duration", "500ms", "--warmup", "0s"),
    *("--late-bound", "p99<5s", "--arrivals", "constant"),
)


def test_two_targets_are_measured_in_turn(keys: Path, tmp_path: Path) -> None:
    """The slower one is found slower; who goes first changes, seeds are those of the pair."""
    directory = tmp_path / "runs"
    with Venue() as quick, Venue(delay_seconds=0.2) as slow:
        done = CliRunner().invoke(
            load,
            [
                *("compare", "--run-a", quick.url, "--run-b", slow.url, "--repeats", "2"),
                *("--keys", str(keys), *USUAL, "-o", str(directory), "--json", "--seed", "7"),
                *("--only-b", "--connections 3"),
            ],
        )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["paired"] is True
    assert found["unlike"] == ["connections"]
    (p50,) = [each for each in found["comparisons"] if each["metric"] == "p50"]
    assert p50["b"] > 200 * NS_PER_MS
    assert p50["differs"] is None
    files = {name: sorted((directory / name).iterdir()) for name in "ab"}
    loaded = {name: [load_results(path) for path in files[name]] for name in "ab"}
    begun = {name: [each.runs[0].begun_utc_ns for each in loaded[name]] for name in "ab"}
    assert begun["a"][0] < begun["b"][0] < begun["b"][1] < begun["a"][1]
    assert [each.load.seed for each in loaded["a"]] == [7, 8]
    assert [each.load.connections for each in loaded["b"]] == [3, 3]


def test_pairs_that_are_not_valid_are_made_again_and_end(keys: Path, tmp_path: Path) -> None:
    """A tester that is always late compares nothing: they are put aside, twice as many at most."""
    directory = tmp_path / "runs"
    options = ("--keys", str(keys), *USUAL, "--late-bound", "p99<=1ns", "--rate", "10")
    with Venue() as venue:
        done = CliRunner().invoke(
            load,
            [
                *("compare", "--run-a", venue.url, "--run-b", venue.url, "--repeats", "1"),
                *("-o", str(directory), *options),
            ],
        )
    assert done.exit_code == 2
    assert "2 of 2 pairs were not valid" in done.stderr.replace("\n", " ")
    assert len(list((directory / "not-valid").iterdir())) == 4
    assert not list((directory / "a").iterdir())


def test_a_comparison_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """However far the figures spread, none is cut, nor a figure's name."""
    a = runs_at((1, 4, 5, 8, 9), (1, 9_000, 2, 30_000, 3))
    b = runs_at((2, 3, 6, 7, 10), (9_000, 1, 8_000, 2, 7_000))
    comparisons = compare(a, b)
    print_comparisons(comparisons, 5, 5, ["connections"], paired=True)
    shown = capsys.readouterr().out
    assert "…" not in shown
    for each in comparisons:
        assert f"│ {each.metric:<10} │" in shown
        assert each.change_low is not None
        assert f"{each.change_low:+.1%} to" in shown
    assert "may be chance" in shown
    assert "NOT ALIKE: the loads differ in connections" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--run-a", "http://127.0.0.1:1"), "go together"),
        (("a",), "two sides are compared, not 1"),
        (("a", "b", "--sede", "3"), "two sides are compared, not 4"),
        (("a", "b"), "a: No such file"),
        (("--run-a", "u", "--run-b", "v", "--target", "x"), "--target can't be given here"),
        (("--run-a", "u", "--run-b", "v", "--only-b", "--repeat=2"), "--repeat=2 can't be given"),
        (("--run-a", "u", "--run-b", "v", "-o", str(ROOT)), "has files already"),
    ],
)
def test_what_can_not_be_compared_is_told(arguments: tuple[str, ...], message: str) -> None:
    """Exit code 2, and nothing is run."""
    done = CliRunner().invoke(load, ["compare", *arguments])
    assert done.exit_code == 2
    assert message in done.stderr.replace("\n", " ")


def test_interrupting_a_comparison_cancels_the_orders_of_its_run(
    keys: Path, tmp_path: Path
) -> None:
    """The run that is being made ends as one made by hand does; what was made is kept."""
    directory = tmp_path / "runs"
    with Venue(reach=20) as venue:
        comparing = subprocess.Popen(
            [
                *(sys.executable, "-m", "loadtest", "compare", "-o", str(directory)),
                *("--run-a", venue.url, "--run-b", venue.url, "--keys", str(keys)),
                *(*USUAL, "--duration", "60s"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert venue.reached.wait(90)
        comparing.send_signal(signal.SIGINT)
        _, errors = comparing.communicate(timeout=100)
        after = len(venue.orders)
        time.sleep(0.1)
        assert len(venue.orders) == after
    assert comparing.returncode == 130
    assert str(directory) in errors.replace("\n", "")
    assert venue.cancelled_all
