"""What a snapshot made beside the gate costs those who wait: `python -m tests.bench.beside --help`.

A core with the embedded engine and a real journal gets orders at planned times, at a fixed rate
below what it can do. What is timed is from the planned time to the answer, so a pause delays all
who come during it. Rounds take turns: nothing is at work beside it; a process that only counts, of
the priority of the one that makes snapshots; and that one, started as the gate starts it, on a run
recorded before, again and again. What the second costs is the machine's: processors that are not
independent, or a host that has others to serve. What the third costs more is the snapshot's. Each
round has its p99.9; the rounds' medians are compared, since a pause of the machine spoils one round
and not all, and the interval says what they can tell. Figures of different machines or runs should
not be compared, and a machine has to have nothing else to do. Exits with 1 when fewer than 99 % of
the requests were accepted.
"""

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.clock import SystemClock
from gateway.collection import Collector
from gateway.journal import find_run
from gateway.snapshotter import snapshot_command
from tests.bench.recovery import ACCEPTED_SHARE_MIN, ROOT, record_run
from tests.bench.venue import Venue

DRAWS: Final = 4_000
"""Of rounds, for the interval of the ratio."""
POLL_NS: Final = 20_000_000
"""Time between two turns of the gate's timer."""
NS_PER_SECOND: Final = 1_000_000_000
NOTHING: Final = "nothing"
COUNTING: Final = "a process that counts"
SNAPSHOTS: Final = "snapshots are made"
COUNTS: Final = "from gateway.low_priority import yield_to_all; yield_to_all()\nwhile True: pass"
"""A program that does nothing, as much as it can."""


class Beside:
    """A process at work beside the core, begun anew whenever it has ended."""

    def __init__(self, command: Sequence[str], prepare: Callable[[], None] = lambda: None) -> None:
        """Take what is run, and what is done before each time."""
        self.ended = 0
        self._command = command
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Begin the process if it is not at work."""
        process = self._process
        if process is not None:
            if process.poll() is None:
                return
            assert process.returncode == 0, f"the process beside ended with {process.returncode}"
            self.ended += 1
        self._prepare()
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """End the process at work."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def everything_beside(run: Path) -> dict[str, Beside | None]:
    """Return what is at work beside the core, by name; a snapshot is made of `run` each time."""

    def forget() -> None:
        for path in run.glob("*.snapshot"):
            path.unlink()

    return {
        NOTHING: None,
        COUNTING: Beside([sys.executable, "-c", COUNTS]),
        SNAPSHOTS: Beside(snapshot_command(run), forget),
    }


def capacity(venue: Venue, requests: int) -> float:
    """Return how many requests a second a core decides, carries out and answers one by one."""
    started_ns = perf_counter_ns()
    for _ in range(requests):
        venue.submit(venue.next_request())
    return requests * NS_PER_SECOND / (perf_counter_ns() - started_ns)


def planned(
    venue: Venue, rate: int, seconds: float, collector: Collector, beside: Beside | None
) -> list[int]:
    """Submit requests at planned times; return how long after those each was answered, in ns."""
    taken_ns = []
    step_ns = NS_PER_SECOND // rate
    next_ns = perf_counter_ns() + step_ns
    end_ns = next_ns + int(seconds * NS_PER_SECOND)
    poll_ns = next_ns
    request = venue.next_request()
    while next_ns < end_ns:
        now_ns = perf_counter_ns()
        if now_ns >= poll_ns:
            venue.poll()
            collector.tend()
            if beside is not None:
                beside.look()
            poll_ns = now_ns + POLL_NS
        while perf_counter_ns() < next_ns:
            pass
        venue.submit(request)
        taken_ns.append(perf_counter_ns() - next_ns)
        next_ns += step_ns
        request = venue.next_request()
    return taken_ns


def percentile_us(taken_ns: Sequence[int], per_mille: int) -> float:
    """Return a percentile in µs; 999 per mille is p99.9."""
    every = sorted(taken_ns)
    return round(every[min(len(every) * per_mille // 1_000, len(every) - 1)] / 1_000, 1)


class Ratio(msgspec.Struct, frozen=True):
    """How the p99.9 of one kind of rounds compares to that of another."""

    of: str
    over: str
    medians: float
    """The rounds' median of the one over that of the other."""
    low: float
    """95 % of these ratios lie between the two when rounds are drawn anew."""
    high: float


def compare(tails: dict[str, list[float]], of: str, over: str) -> Ratio:
    """Compare the rounds of two kinds by their p99.9."""
    drawn = random.Random(1)

    def again(rounds: list[float]) -> float:
        return statistics.median(drawn.choices(rounds, k=len(rounds)))

    ratios = sorted(again(tails[of]) / again(tails[over]) for _ in range(DRAWS))
    medians = statistics.median(tails[of]) / statistics.median(tails[over])
    return Ratio(of, over, medians, ratios[DRAWS // 40], ratios[-DRAWS // 40])


def measure(
    records: int, rounds: int, seconds: float, load: float, rulebook: str, folder: Path | None
) -> dict[str, Any]:
    """Return percentiles with each kind of work beside the core, and how they compare."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        before, now = Path(place) / "before", Path(place) / "now"
        record_run(before, rulebook, records, records // 10, 1_000)
        kinds = everything_beside(find_run(before).path)
        found: dict[str, list[list[int]]] = {kind: [] for kind in kinds}
        venue = Venue(now, SystemClock(), rulebook, 1_000, seed=2)
        rate = int(capacity(venue, max(records // 10, 100)) * load)
        collector = Collector(lambda: venue.core.seq)
        try:
            for _ in range(rounds):
                for kind, beside in kinds.items():
                    found[kind].append(planned(venue, rate, seconds, collector, beside))
                    if beside is not None:
                        beside.stop()
        finally:
            for beside in kinds.values():
                if beside is not None:
                    beside.stop()
            collector.stop()
        venue.journal.close()
    made = kinds[SNAPSHOTS]
    assert made is not None
    return _report(found, made.ended, rate, venue)


def _report(
    found: dict[str, list[list[int]]], snapshots: int, rate: int, venue: Venue
) -> dict[str, Any]:
    tails = {
        kind: [percentile_us(taken, 999) for taken in rounds] for kind, rounds in found.items()
    }
    rows = []
    for kind, rounds in found.items():
        every = [one for taken in rounds for one in taken]
        percentiles = {name: percentile_us(every, at) for name, at in PERCENTILES.items()}
        median = statistics.median(tails[kind])
        rows.append(
            {"beside": kind, "requests": len(every), **percentiles, "us_p999_of_rounds": median}
        )
    pairs = ((COUNTING, NOTHING), (SNAPSHOTS, NOTHING), (SNAPSHOTS, COUNTING))
    return {
        "rate": rate,
        "accepted_share": 1 - venue.refused / venue.submitted,
        "snapshots": snapshots,
        "rows": rows,
        "ratios": [msgspec.to_builtins(compare(tails, of, over)) for of, over in pairs],
        "us_p999_by_round": tails,
    }


PERCENTILES: Final = {"us_p50": 500, "us_p99": 990, "us_p999": 999}


def show(report: dict[str, Any]) -> None:
    """Print the result as a table."""
    title = (
        f"answer after its planned time, µs, {report['rate']:,} requests/s, "
        f"{report['accepted_share']:.2%} accepted, {report['snapshots']} snapshots, Python {platform.python_version()}"
    )
    table = Table(title=title, title_justify="left")
    for heading in ("beside", "requests", "p50", "p99", "p99.9", "p99.9 of the median round"):
        table.add_column(heading, justify="left" if heading == "beside" else "right")
    for one in report["rows"]:
        figures = (f"{one[name]:.1f}" for name in (*PERCENTILES, "us_p999_of_rounds"))
        table.add_row(one["beside"], f"{one['requests']:,}", *figures)
    console = Console()
    console.print(table)
    for one in report["ratios"]:
        console.print(
            f"p99.9, {one['of']} over {one['over']}: {one['medians']:.2f} "
            f"({one['low']:.2f} to {one['high']:.2f} with 95 % confidence)",
            highlight=False,
        )


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.beside", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="of the run snapshotted")
    parser.add_argument("--rounds", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round")
    parser.add_argument("--load", type=float, default=0.4, help="share of the core's capacity")
    parser.add_argument("--rulebook", default="binance-spot-2026")
    parser.add_argument(
        "--folder", type=Path, help="where to write; a temporary folder unless told"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args()
    report = measure(
        given.records, given.rounds, given.seconds, given.load, given.rulebook, given.folder
    )
    if given.json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        show(report)
    return 0 if report["accepted_share"] >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
