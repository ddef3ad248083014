"""What the tester may not hide: a target's stall, its own, a sender that died, orders left."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from loadtest import files
from loadtest.assertions import parse_bound
from loadtest.recorder import ALL, decoded, distribution
from loadtest.share import START_LEAD_NS, own_faults
from loadtest.units import NS_PER_MS, NS_PER_SECOND
from loadtest.watch import MARGIN_NS, TICK_NS, Watch
from tests.loadtest.test_figures import run_of
from tests.loadtest.venue import Venue

ROOT: Final = Path(__file__).parents[2]
MS: Final = NS_PER_MS
SENDERS: Final = 2


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file of three keys."""
    path = tmp_path / "keys.json"
    made = [{"name": f"key{number}", "secret": "s"} for number in range(3)]
    path.write_text(json.dumps({"keys": made}))
    return path


def started(venue: Venue, keys: Path, *options: str) -> "subprocess.Popen[str]":
    """Begin a run of 100 requests a second."""
    usual = ("--rate", "100", "--arrivals", "constant", "--warmup", "0s")
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "loadtest", "run", "--target", venue.url),
            *("--keys", str(keys), *usual, *options),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(pid: int) -> list[int]:
    """Return the processes a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            match = re.search(r"^PPid:\s+(\d+)$", status.read_text(), re.MULTILINE)
        except OSError:
            continue
        if match and int(match[1]) == pid:
            found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize("connections", [1, 64])
def test_all_who_came_during_a_stall_show_it(keys: Path, tmp_path: Path, connections: int) -> None:
    """Twenty requests are due in 200 ms without answers: ten wait for 100 ms or more.

    With one connection a tester that waits for answers would have seen one slow request.
    """
    output = tmp_path / "run.json"
    with Venue(stall_after=100, stall_seconds=0.2) as venue:
        run = started(
            *(venue, keys, "--duration", "2s", "--connections", str(connections)),
            *("--late-bound", "p99<5s", "--output", str(output)),
        )
        said, _ = run.communicate(timeout=100)
        assert run.returncode == 0, said
    (measured,) = files.load(output).runs
    latency = measured.latency[ALL]
    slow = sum(
        each.count_added_in_this_iter_step
        for each in decoded(latency).get_recorded_iterator()
        if each.value_iterated_to >= 100 * MS
    )
    assert slow >= 9
    assert latency.max_ns >= 190 * MS
    assert latency.percentiles_ns["99"] >= 150 * MS
    assert measured.seconds[1].latency.max_ns >= 190 * MS


@pytest.fixture
def venue() -> Iterator[Venue]:
    """A venue that says when some orders have come."""
    with Venue() as venue:
        yield venue


def test_a_starved_sender_makes_the_run_invalid(venue: Venue, keys: Path) -> None:
    """A sender that is stopped for a while was late, and the run says which one."""
    run = started(
        *(venue, keys, "--duration", "3s", "--processes", str(SENDERS)),
        *("--late-bound", "p99<200ms"),
    )
    assert run.stdout is not None
    assert venue.reached.wait(90)
    stopped = children(run.pid)[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.8)
    finally:
        os.kill(stopped, signal.SIGCONT)
    said, errors = run.communicate(timeout=100)
    assert run.returncode == 1, errors
    assert re.search(
        r"NOT VALID: sender process \d of 2: the tester was late: p99 [0-9.]+ m?s", said
    )


def test_a_sender_that_dies_makes_the_run_invalid(venue: Venue, keys: Path) -> None:
    """The others go on to the end; what is missing is told, and open orders are cancelled."""
    run = started(
        *(venue, keys, "--duration", "2s", "--processes", str(SENDERS)),
        *("--late-bound", "p99<5s"),
    )
    assert venue.reached.wait(90)
    os.kill(children(run.pid)[0], signal.SIGKILL)
    said, errors = run.communicate(timeout=100)
    assert run.returncode == 1, errors
    assert re.search(
        r"NOT VALID: sender process \d of 2 was ended by SIGKILL; "
        r"the figures of its 100 requests are missing",
        said,
    )
    assert "50.0/s offered" in said
    assert set(venue.cancelled_all) == {"key0", "key1", "key2"}


def test_several_processes_send_everything_once(venue: Venue, keys: Path, tmp_path: Path) -> None:
    """Every request comes once, from the addresses given; cancels name orders of their key."""
    output = tmp_path / "run.json"
    run = started(
        *(venue, keys, "--duration", "2s", "--processes", "3", "--sources", "4"),
        *("--connections", "5", "--late-bound", "p99<5s", "--output", str(output)),
    )
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 0, errors
    measured = files.load(output)
    assert measured.load.processes == measured.runs[0].processes == 3
    assert measured.runs[0].offered == len(venue.orders) == 200
    assert measured.runs[0].latency[ALL].count == 200
    placed: dict[str, str] = {}
    for method, key, asked in venue.orders:
        if method == "POST":
            assert asked["newClientOrderId"] not in placed
            placed[asked["newClientOrderId"]] = key
    cancels = [each for each in venue.orders if each[0] == "DELETE"]
    assert cancels
    assert all(placed[asked["origClientOrderId"]] == key for _, key, asked in cancels)
    assert venue.peers >= {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


def test_a_target_that_goes_away_is_told_by_the_first_sender(keys: Path) -> None:
    """Nobody listens: bad input, not a crash of the processes."""
    with Venue() as venue:
        pass
    run = started(venue, keys, "--duration", "1s", "--processes", "2")
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 2
    assert "can't connect: Connection refused" in errors


def test_a_watch_notes_each_look_that_a_pause_swallowed() -> None:
    """On time is no pause; 12 ms late are 12, 7 and 2 ms for the ticks within."""
    watch = Watch()
    assert watch.note(0, 0) == TICK_NS
    assert watch.note(TICK_NS, TICK_NS + 12 * MS) == 4 * TICK_NS
    assert list(watch.pauses_ns) == [0, 12 * MS, 7 * MS, 2 * MS]
    assert list(watch.until(2 * TICK_NS)) == [0, 12 * MS, 7 * MS]
    assert list(watch.until(2 * TICK_NS - 1)) == [0, 12 * MS]
    assert list(watch.until(-1)) == []


def test_the_faults_of_a_tester_are_exact_at_their_bounds() -> None:
    """Lateness, pauses and a late word to start: one nanosecond decides."""
    bound = parse_bound("max<=1ms")

    def faults(late_ns: int = 0, pause_ns: int = 0, spare_ns: int = START_LEAD_NS) -> str:
        run = run_of(lateness=distribution([late_ns]), pauses=distribution([pause_ns, NS_PER_MS]))
        return " ".join(own_faults(run, bound, spare_ns))

    assert faults(MS, MS + MARGIN_NS) == ""
    assert "was late" in faults(MS + 1)
    assert "stood still" in faults(MS, MS + MARGIN_NS + 1)
    assert "not ready for the start" in faults(spare_ns=START_LEAD_NS - 1)
    # A tester that stopped for a fiftieth of the time was not awake in the 99th percentile.
    looks = [0] * 980 + [NS_PER_SECOND] * 20
    run = run_of(lateness=distribution([0]), pauses=distribution(looks))
    assert own_faults(run, parse_bound("p99<1ms"), START_LEAD_NS)
