"""Runs that end early: what was measured until then is told, and no order stays open."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from loadtest import files
from loadtest.compare import read_side, unlike
from loadtest.machines import merged
from loadtest.recorder import ALL
from loadtest.units import NS_PER_SECOND, LoadTestError
from tests.loadtest.test_figures import results_of, run_of
from tests.loadtest.test_honesty import SENDERS, children, started
from tests.loadtest.venue import Venue

LATE = ("--late-bound", "p99<5s")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file of three keys."""
    path = tmp_path / "keys.json"
    made = [{"name": f"key{number}", "secret": "s"} for number in range(3)]
    path.write_text(json.dumps({"keys": made}))
    return path


@pytest.fixture
def venue() -> Iterator[Venue]:
    """A venue that answers at once."""
    with Venue() as one:
        yield one


@pytest.mark.parametrize(
    ("processes", "signum", "code"),
    [(1, signal.SIGINT, 130), (SENDERS, signal.SIGINT, 130), (SENDERS, signal.SIGTERM, 143)],
)
def test_an_interrupted_run_is_measured_until_then(
    venue: Venue, keys: Path, tmp_path: Path, processes: int, signum: signal.Signals, code: int
) -> None:
    """However many processes send: all end, what they found is one run, no order stays open."""
    output = tmp_path / "run.json"
    run = started(
        *(venue, keys, "--duration", "60s", "--processes", str(processes), *LATE),
        *("--output", str(output), "--assert", "errors<=0%"),
    )
    assert venue.reached.wait(90)
    mine = children(run.pid)
    assert len(mine) == (processes if processes > 1 else 0)
    run.send_signal(signum)
    said, errors = run.communicate(timeout=100)
    assert run.returncode == code, errors
    assert "open orders were cancelled, what was measured until then is reported" in errors
    assert "BROKEN OFF: interrupted; the last run was measured for " in said
    assert set(venue.cancelled_all) == {"key0", "key1", "key2"}
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)
    found = files.load(output)
    (measured,) = found.runs
    assert not found.good
    assert "it was interrupted" in "".join(found.audit.not_audited if found.audit else ())
    # 50 orders had come, at 100 a second.
    assert NS_PER_SECOND // 3 < measured.duration_ns < 60 * NS_PER_SECOND
    assert measured.offered == measured.latency[ALL].count >= 45
    assert abs(measured.offered - measured.duration_ns // (NS_PER_SECOND // 100)) <= processes
    assert measured.offered <= len(venue.orders) + processes
    assert measured.processes == processes
    assert found.assertions[0][1], found.assertions


def test_an_interruption_after_a_sender_died(venue: Venue, keys: Path, tmp_path: Path) -> None:
    """What the others have found is told, and that one is missing."""
    output = tmp_path / "run.json"
    run = started(
        *(venue, keys, "--duration", "60s", "--processes", str(SENDERS), *LATE),
        *("--output", str(output)),
    )
    assert venue.reached.wait(90)
    os.kill(children(run.pid)[0], signal.SIGKILL)
    time.sleep(0.3)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 130, errors
    assert "Traceback" not in errors
    (measured,) = files.load(output).runs
    assert measured.processes == SENDERS - 1
    assert "was ended by SIGKILL" in measured.faults[0]
    assert measured.offered >= 20


def test_what_has_no_answer_when_a_run_is_broken_off_is_an_error(
    keys: Path, tmp_path: Path
) -> None:
    """Requests that were due count, also those that waited for a connection, as long as they did."""
    output = tmp_path / "run.json"
    with Venue(stall_after=50, stall_seconds=60, reach=50) as venue:
        run = started(
            *(venue, keys, "--duration", "60s", "--connections", "4", "--keep-orders", *LATE),
            *("--output", str(output)),
        )
        assert venue.reached.wait(90)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=100)
    assert run.returncode == 130
    assert "open orders were left" in errors
    assert not venue.cancelled_all
    (measured,) = files.load(output).runs
    broken = measured.outcomes["error no answer before the run was broken off"]
    assert broken >= 45
    assert measured.offered == measured.outcomes["accepted 200"] + broken
    assert measured.latency["error"].max_ns >= NS_PER_SECOND


def test_an_interruption_before_anything_is_measured_reports_nothing(
    venue: Venue, keys: Path, tmp_path: Path
) -> None:
    """The warm-up is no measurement; its orders are cancelled all the same."""
    output = tmp_path / "run.json"
    run = started(
        venue, keys, "--warmup", "60s", "--duration", "60s", "--output", str(output), *LATE
    )
    assert venue.reached.wait(90)
    run.send_signal(signal.SIGINT)
    said, errors = run.communicate(timeout=100)
    assert (run.returncode, said) == (130, "")
    assert "open orders were cancelled, nothing is reported" in errors
    assert venue.cancelled_all
    assert not output.exists()


def test_a_target_that_dies_takes_no_figures_with_it(keys: Path, tmp_path: Path) -> None:
    """What it had answered is reported, and that orders could not be cancelled."""
    output = tmp_path / "run.json"
    with Venue() as venue:
        run = started(
            *(venue, keys, "--duration", "2s", "--timeout", "300ms", "--output", str(output)),
            *LATE,
        )
        assert venue.reached.wait(90)
    said, errors = run.communicate(timeout=100)
    assert run.returncode == 1, errors
    assert "LEFT OPEN: open orders could not be cancelled: " in said
    found = files.load(output)
    assert found.left_open
    assert not found.good
    (measured,) = found.runs
    assert measured.offered == 200
    assert measured.latency["accepted"].count >= 45
    assert measured.latency["error"].count >= 50


def test_a_target_that_dies_between_runs_leaves_those_that_were_made(
    keys: Path, tmp_path: Path
) -> None:
    """Ten runs were asked for; those before the end of the target are told."""
    output = tmp_path / "run.json"
    with Venue(reach=130) as venue:
        run = started(
            *(venue, keys, "--duration", "500ms", "--timeout", "300ms", "--repeat", "10"),
            *("--output", str(output), *LATE),
        )
        assert venue.reached.wait(90)
    said, errors = run.communicate(timeout=100)
    assert run.returncode == 1, errors
    assert "BROKEN OFF: " in said
    assert 2 <= len(files.load(output).runs) < 10


def test_a_step_that_can_not_be_made_ends_the_search(
    venue: Venue, keys: Path, tmp_path: Path
) -> None:
    """More requests than a run may have: the knee as far as it is known."""
    output = tmp_path / "run.json"
    run = started(
        *(venue, keys, "--rate", "2", "--duration", "1s", "--steps", "3"),
        *("--step-factor", "4000000", "--knee-p99", "400ms", "--output", str(output), *LATE),
    )
    said, errors = run.communicate(timeout=100)
    assert run.returncode == 1, errors
    assert "the step to 8,000,000.0/s is not whole" in said
    found = files.load(output)
    assert (found.knee, len(found.runs)) == (2.0, 1)
    assert "requests are more than" in found.broken_off


def test_places_that_are_not_there_are_told_before_the_run(
    venue: Venue, keys: Path, tmp_path: Path
) -> None:
    """Minutes of measuring for nothing would be too late; what is there already stays."""
    run = started(venue, keys, "--duration", "1s", "--output", str(tmp_path / "none" / "run.json"))
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 2
    assert "No such file or directory" in errors
    run = started(venue, keys, "--duration", "1s", "--data", str(tmp_path / "none"))
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 2
    assert "is no directory" in errors
    assert not venue.orders
    old = tmp_path / "old.json"
    old.touch()
    files.check_writable(old)
    assert old.exists()
    files.check_writable(tmp_path / "new.json")
    assert not (tmp_path / "new.json").exists()


def test_the_beginning_of_a_run_is_not_compared_or_merged(tmp_path: Path) -> None:
    """Its figures are of another length; which length was asked for is compared, too."""
    run = run_of(begun_utc_ns=1)
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    files.save(results_of(run), one)
    files.save(results_of(run, broken_off="interrupted"), two)
    with pytest.raises(LoadTestError, match="not whole: interrupted"):
        read_side(two)
    with pytest.raises(LoadTestError, match="not whole: interrupted"):
        merged([one, two])
    side, _ = read_side(one)
    longer = results_of(msgspec.structs.replace(run, duration_ns=2 * NS_PER_SECOND))
    assert unlike(side, [longer]) == ["duration_ns"]
