"""What a snapshot made beside the gate costs those who wait: `python -m tests.bench.beside --help`.

A core with the embedded engine and a real journal gets orders at planned times, at a fixed rate
below what it can do. What is timed is from the planned time to the answer, so a pause delays all
who come during it. In every other round the process that makes snapshots is at work beside it,
started as the gate starts it, on a run recorded before, again and again. Figures of different
machines or runs should not be compared; the ratio of one run may be, and only on a machine that
has nothing else to do: whatever else runs delays both. Exits with 1 when fewer than 99 % of the
requests were accepted.
"""

import argparse
import json
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

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
WITHOUT, WITH = "without a snapshot", "while snapshots are made"


class Made(NamedTuple):
    """What the processes beside have done in the rounds that had one."""

    snapshots: int
    cpu_seconds: float


class Snapshots:
    """The process that makes snapshots of a recorded run, begun anew whenever it has ended."""

    def __init__(self, run: Path) -> None:
        self.made = 0
        self._run = run
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Begin a process if none is at work."""
        process = self._process
        if process is not None:
            if process.poll() is None:
                return
            assert process.returncode == 0, f"the snapshotter ended with {process.returncode}"
            self.made += 1
        for path in self._run.glob("*.snapshot"):
            path.unlink()
        command = snapshot_command(self._run)
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """End the process at work."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def capacity(venue: Venue, requests: int) -> float:
    """Return how many requests a second a core decides, carries out and answers one by one."""
    started_ns = perf_counter_ns()
    for _ in range(requests):
        venue.submit(venue.next_request())
    return requests * NS_PER_SECOND / (perf_counter_ns() - started_ns)


def planned(
    venue: Venue, rate: int, seconds: float, collector: Collector, snapshots: Snapshots | None
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
            if snapshots is not None:
                snapshots.look()
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


def ratio_of_medians(without: Sequence[float], with_: Sequence[float]) -> float:
    """Return how the rounds' medians compare: a pause of the machine spoils one round, not all."""
    return statistics.median(with_) / statistics.median(without)


def interval(without: Sequence[float], with_: Sequence[float]) -> tuple[float, float]:
    """Return the bounds between which 95 % of that ratio lie when rounds are drawn anew."""
    drawn = random.Random(1)
    ratios = sorted(
        ratio_of_medians(drawn.choices(without, k=len(without)), drawn.choices(with_, k=len(with_)))
        for _ in range(DRAWS)
    )
    return ratios[DRAWS // 40], ratios[-DRAWS // 40]


def measure(
    records: int, pairs: int, seconds: float, load: float, rulebook: str, folder: Path | None
) -> dict[str, Any]:
    """Return percentiles with and without a snapshot beside, and their ratios."""
    found: dict[str, list[list[int]]] = {WITHOUT: [], WITH: []}
    with tempfile.TemporaryDirectory(dir=folder) as place:
        before, now = Path(place) / "before", Path(place) / "now"
        record_run(before, rulebook, records, records // 10, 1_000)
        snapshots = Snapshots(find_run(before).path)
        venue = Venue(now, SystemClock(), rulebook, 1_000, seed=2)
        rate = int(capacity(venue, max(records // 10, 100)) * load)
        collector = Collector(lambda: venue.core.seq)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            for _ in range(pairs):
                found[WITHOUT].append(planned(venue, rate, seconds, collector, None))
                found[WITH].append(planned(venue, rate, seconds, collector, snapshots))
                snapshots.stop()
        finally:
            snapshots.stop()
            collector.stop()
        venue.journal.close()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime
    return _report(found, Made(snapshots.made, cpu), rate, venue)


def _report(
    found: dict[str, list[list[int]]], made: Made, rate: int, venue: Venue
) -> dict[str, Any]:
    rows = []
    for what, rounds in found.items():
        every = [one for taken in rounds for one in taken]
        percentiles = {name: percentile_us(every, at) for name, at in PERCENTILES.items()}
        rows.append({"what": what, "requests": len(every), **percentiles})
    tails = {
        what: [percentile_us(taken, 999) for taken in rounds] for what, rounds in found.items()
    }
    ratios = [with_ / without for without, with_ in zip(*tails.values(), strict=True)]
    low, high = interval(tails[WITHOUT], tails[WITH])
    return {
        "rate": rate,
        "accepted_share": 1 - venue.refused / venue.submitted,
        "snapshots": made.snapshots,
        "snapshot_cpu_seconds": round(made.cpu_seconds, 1),
        "rows": rows,
        "p999_ratio": round(rows[1]["us_p999"] / rows[0]["us_p999"], 3),
        "p999_ratio_median_of_pairs": round(statistics.median(ratios), 3),
        "p999_ratios": [round(ratio, 2) for ratio in ratios],
        "p999_ratio_of_medians": round(ratio_of_medians(tails[WITHOUT], tails[WITH]), 3),
        "p999_ratio_interval": [round(low, 2), round(high, 2)],
    }


PERCENTILES: Final = {"us_p50": 500, "us_p99": 990, "us_p999": 999}


def show(report: dict[str, Any]) -> None:
    """Print the result as a table."""
    title = (
        f"answer after its planned time, µs, {report['rate']:,} requests/s, "
        f"{report['snapshots']} snapshots ({report['snapshot_cpu_seconds']} CPU s), "
        f"Python {platform.python_version()}"
    )
    table = Table(title=title, title_justify="left")
    for heading in ("what", "requests", "p50", "p99", "p99.9"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for one in report["rows"]:
        percentiles = (f"{one[name]:.1f}" for name in PERCENTILES)
        table.add_row(one["what"], f"{one['requests']:,}", *percentiles)
    console = Console()
    console.print(table)
    console.print(
        f"p99.9 with over without: {report['p999_ratio_of_medians']:.2f} "
        f"({' to '.join(map(str, report['p999_ratio_interval']))} with 95 % confidence) in the "
        f"median round, {report['p999_ratio']:.2f} of all requests, "
        f"{report['p999_ratio_median_of_pairs']:.2f} in the median pair of rounds "
        f"({', '.join(map(str, report['p999_ratios']))})",
        highlight=False,
    )


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.beside", description=__doc__)
    parser.add_argument("--records", type=int, default=450_000, help="of the run snapshotted")
    parser.add_argument("--pairs", type=int, default=4, help="rounds without, and as many with")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a round")
    parser.add_argument("--load", type=float, default=0.4, help="share of the core's capacity")
    parser.add_argument("--rulebook", default="binance-spot-2026")
    parser.add_argument(
        "--folder", type=Path, help="where to write; a temporary folder unless told"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args()
    report = measure(
        given.records, given.pairs, given.seconds, given.load, given.rulebook, given.folder
    )
    if given.json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        show(report)
    return 0 if report["accepted_share"] >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
