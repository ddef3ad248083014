"""How fast a record is read, decided again and recovered: `python -m tests.bench.recovery --help`.

A core with the embedded engine records orders of a thousand accounts, half of them placements,
half cancels, some that fill each other; then it is gone without an end, as after a `kill -9`. Each
row is a process of its own with one thread, imports not counted; its rate is per second of
processor time, so that other work on the machine tells less. `read` checks every checksum and
number, `verified` every digest too, `decided again` is `ordergate replay`; a recovery is what a
gate does before it serves, the rest of the record after the last snapshot followed by pipeline,
engine and views. Figures of different machines or runs should not be compared; ratios of one run
may be. Exits with 1 when fewer than 99 % of the requests were accepted, and fails when a decision
comes out differently.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.journal import find_run, read_run
from gateway.journal.verify import verify_run
from gateway.journal.writer import SEGMENT_BYTES_MIN
from gateway.recovery import recover
from gateway.replay import replay
from gateway.snapshotter import make_snapshot
from gateway.views.before import ViewsBefore
from tests.bench.venue import SteppingClock, Venue

ROOT: Final = Path(__file__).parents[2]
ACCEPTED_SHARE_MIN: Final = 0.99
POLL_EVERY: Final = 100
"""Requests between two turns of the gate's timer."""
RECORD_BYTES_MAX: Final = 200
"""More than a record of this run takes on average, so that a segment holds more than the tail."""


def record_run(
    folder: Path, rulebook: str, records: int, tail: int, open_orders: int
) -> dict[str, Any]:
    """Write a run that did not end; return what it is made of.

    It has at least as many records, and after its last closed segment at least `tail` of them.
    """
    segment_bytes = tail * RECORD_BYTES_MAX + SEGMENT_BYTES_MIN
    venue = Venue(
        folder, SteppingClock(), rulebook, open_orders, seed=1, segment_bytes=segment_bytes
    )
    while venue.core.seq < max(records, venue.closed_seq + tail) or not venue.closed_seq:
        venue.submit(venue.next_request())
        if not venue.submitted % POLL_EVERY:
            venue.poll()
    venue.journal.abandon()
    return {
        "records": venue.core.seq,
        "closed": venue.closed_seq,
        "requests": venue.submitted,
        "accepted_share": 1 - venue.refused / venue.submitted,
        "open_orders": len(venue.core.book.orders),
    }


# --- What is measured -----------------------------------------------------------------------------


def _read(data: Path, _: int) -> int:
    return sum(1 for _ in read_run(find_run(data).path))


def _verified(data: Path, _: int) -> int:
    found = verify_run(find_run(data).path)
    assert found.exit_code == 0, found.findings
    return found.records


def _replayed(data: Path, _: int) -> int:
    report = replay(find_run(data))
    assert report.difference is None, report.difference
    return report.records


def _snapshot_made(data: Path, seq: int) -> int:
    """Store the state after the last closed segment, as the process beside the gate does."""
    made = make_snapshot(find_run(data).path)
    assert (made.seq, made.differences, made.engine_divergence) == (seq, 0, "")
    return made.replayed


def _recovered(data: Path, seq: int) -> int:
    """Recover, with a look that it was from where it should be."""
    views = ViewsBefore()
    found = recover(data, views.begin, views.on_record)
    replica = found.replica
    assert replica is not None
    assert replica.seq - found.replayed == seq
    assert not replica.differences
    return found.replayed


STEPS: Final[dict[str, Callable[[Path, int], int]]] = {
    "read": _read,
    "verified": _verified,
    "decided again": _replayed,
    "recovered from zero": _recovered,
    "snapshot made": _snapshot_made,
    "recovered from the snapshot": _recovered,
}


def step(what: str, data: Path, seq: int) -> dict[str, Any]:
    """Do one thing in this process; return how long it took."""
    started, started_cpu = perf_counter(), process_time()
    records = STEPS[what](data, seq)
    taken, taken_cpu = perf_counter() - started, process_time() - started_cpu
    return {
        "what": what,
        "records": records,
        "seconds": round(taken, 3),
        "cpu_seconds": round(taken_cpu, 3),
        "records_per_cpu_second": round(records / taken_cpu),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def measure(
    records: int, tail: int, rulebook: str, open_orders: int, folder: Path | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the run is made of and a row for each thing that is done with it."""
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        data = Path(place)
        made = record_run(data, rulebook, records, tail, open_orders)
        for what in STEPS:
            seq = 0 if what == "recovered from zero" else made["closed"]
            command = [sys.executable, "-m", "tests.bench.recovery", "--step", what]
            command += ["--data", str(data), "--seq", str(seq)]
            said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
            rows.append(json.loads(said.stdout))
        run = find_run(data).path
        made["snapshot_bytes"] = sum(path.stat().st_size for path in run.glob("*.snapshot"))
        made["rulebook"] = rulebook
    return made, rows


def show(made: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    title = (
        f"{made['records']:,} records of {made['requests']:,} requests "
        f"({made['accepted_share']:.2%} accepted), {made['open_orders']:,} open orders, "
        f"rulebook {made['rulebook']}, snapshot of {made['snapshot_bytes']:,} bytes, "
        f"Python {platform.python_version()}"
    )
    table = Table(title=title, title_justify="left")
    headings = ("what", "records", "s", "CPU s", "records/CPU s", "memory, MiB")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for one in rows:
        table.add_row(
            one["what"],
            f"{one['records']:,}",
            f"{one['seconds']:.2f}",
            f"{one['cpu_seconds']:.2f}",
            f"{one['records_per_cpu_second']:,}",
            f"{one['memory_mib']:,}",
        )
    Console().print(table)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recovery", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument(
        "--tail", type=int, default=50_000, help="least number of records after the snapshot"
    )
    parser.add_argument("--rulebook", default="binance-spot-2026")
    parser.add_argument("--open-orders", type=int, default=5_000)
    parser.add_argument(
        "--folder", type=Path, help="where to write; a temporary folder unless told"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--step", choices=sorted(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seq", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        sys.stdout.write(json.dumps(step(given.step, given.data, given.seq)))
        return 0
    made, rows = measure(given.records, given.tail, given.rulebook, given.open_orders, given.folder)
    if given.json:
        sys.stdout.write(json.dumps({"run": made, "rows": rows}, indent=2) + "\n")
    else:
        show(made, rows)
    return 0 if made["accepted_share"] >= ACCEPTED_SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
