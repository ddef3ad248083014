"""What a record costs: `make bench`, or `python -m tests.bench.record --help`.

The same records, placements with their decisions, go one after the other into the journal, into
SQLite in WAL mode, and as JSON lines through the standard library's logging into a file. Rows that
say `one by one` wait for the disk after every record; `group` rows don't wait in between, so that
records gather while the disk is busy, and wait at the end. SQLite's group is a hundred records a
transaction. The last row is what the disk takes by itself: four KiB written in place, and synced.

What is timed is everything from the Python objects to the last word of the disk; files are made
before, as a gate makes its segments ahead. The bytes are those of the records' files. Figures of
different machines, disks or runs should not be compared; ratios of one run may be.
"""

import argparse
import json
import logging
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.journal.commit import GroupCommit
from gateway.journal.manifest import Durability
from gateway.journal.writer import start_run
from gateway.rulebooks import load_rulebook
from rules.decisions import ACCEPTED, Decision
from rules.events import Event, Place

START_NS: Final = 1_760_000_000_123_456_789
SYNC_SECONDS_MAX: Final = 60.0
JOURNAL: Final = "journal, `process`"
LOGGING: Final = "logging, JSON line"
GROUP: Final = 100
"""Records in one transaction of SQLite's group."""
BLOCKS: Final = 256
"""Places in the file of the bare row."""
sync = getattr(os, "fdatasync", os.fsync)
_encode = msgspec.msgpack.Encoder().encode


class Sample(NamedTuple):
    """One record."""

    seq: int
    now_ns: int
    event: Event
    decision: Decision


def samples(count: int) -> list[Sample]:
    """Return as many placements with their decisions."""
    made = []
    for seq in range(1, count + 1):
        now_ns = START_NS + seq * 10_000
        request = (40, 1 + seq % 50, 1 + seq % 1_000, 2, now_ns, now_ns - 900_000, 5_000_000_000)
        terms = (1, 1 + seq % 2, 1, 1, 6_000_000_000_000 + seq, 100_000, 0)
        event = Place(*request, 0, 1, 0, 0, *terms, client_order_id=f"bench-{seq}")
        decision = Decision(
            ACCEPTED,
            order_id=seq,
            account=1 + seq % 1_000,
            owner=1 + seq % 1_000,
            bid_e8=5_999_900_000_000,
            ask_e8=6_000_100_000_000,
        )
        made.append(Sample(seq, now_ns, event, decision))
    return made


# --- What is measured -----------------------------------------------------------------------------


class Way:
    """One way to keep records: made anew for each round, used, closed."""

    group = 1
    """Records after which the disk is waited for; 0: at the end only."""

    def open(self, folder: Path) -> None:
        """Make the files."""
        raise NotImplementedError

    def put(self, record: Sample) -> None:
        """Keep one record."""
        raise NotImplementedError

    def wait(self) -> None:
        """Return when what was put survives what it is to survive."""

    def close(self) -> int:
        """Close the files; return the bytes of the records."""
        raise NotImplementedError


class Journal(Way):
    """The journal, with either durability."""

    def __init__(self, durability: Durability, group: int) -> None:
        self.group = group
        self._durability: Durability = durability

    def open(self, folder: Path) -> None:
        """Begin a run; the next segment is ready too."""
        book = load_rulebook("bench")
        self.writer = start_run(folder, book, START_NS, durability=self._durability)
        self.writer.prepared()
        self.commit: GroupCommit | None = None
        self.put = self._put_process  # type: ignore[method-assign]
        if self._durability == "disk":
            self.commit = GroupCommit(self.writer, lambda _: None)
            self.put = self._put_disk  # type: ignore[method-assign]

    def _put_process(self, record: Sample) -> None:
        self.writer.append(*record)

    def _put_disk(self, record: Sample) -> None:
        assert self.commit is not None
        self.writer.append(*record)
        self.commit.appended(record.seq)

    def wait(self) -> None:
        """Wait for the sync; with `process` durability there is nothing to wait for."""
        if self.commit is not None:
            assert self.commit.flush(SYNC_SECONDS_MAX)

    def close(self) -> int:
        """End the run."""
        if self.commit is not None:
            self.commit.close()
        self.writer.close()
        return sum(segment.bytes for segment in self.writer.manifest.segments)


class Sqlite(Way):
    """SQLite in WAL mode, one record a row."""

    def __init__(self, synchronous: str, group: int) -> None:
        self.group = group
        self._synchronous = synchronous

    def open(self, folder: Path) -> None:
        """Make the table and begin the first transaction."""
        self.path = folder / "record.sqlite"
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute(f"PRAGMA synchronous={self._synchronous}")
        self.connection.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, content BLOB)")
        self.connection.execute("BEGIN")

    def put(self, record: Sample) -> None:
        """Insert one record."""
        row = (record.seq, _encode(record))
        self.connection.execute("INSERT INTO record VALUES (?, ?)", row)

    def wait(self) -> None:
        """Commit, and begin the next transaction."""
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")

    def close(self) -> int:
        """Bring everything into the one file."""
        self.connection.execute("COMMIT")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()
        return self.path.stat().st_size


class JsonLines(Way):
    """The standard library's logging, one JSON line a record, flushed and not synced."""

    def open(self, folder: Path) -> None:
        """Open the log."""
        self.path = folder / "record.log"
        self.logger = logging.getLogger("tests.bench.record.lines")
        self.logger.propagate = False
        self.logger.setLevel(logging.INFO)
        self.handler = logging.FileHandler(self.path)
        self.logger.addHandler(self.handler)

    def put(self, record: Sample) -> None:
        """Log one record."""
        tree = {
            "seq": record.seq,
            "now_ns": record.now_ns,
            "event": msgspec.structs.asdict(record.event),
            "decision": msgspec.structs.asdict(record.decision),
        }
        self.logger.info(json.dumps(tree))

    def close(self) -> int:
        """Close the log."""
        self.logger.removeHandler(self.handler)
        self.handler.close()
        return self.path.stat().st_size


class BareSync(Way):
    """One block written in place and synced, with nothing in it."""

    BLOCK: Final = bytes(4_096)

    def open(self, folder: Path) -> None:
        """Make the file with all its blocks, on the disk."""
        self.file = (folder / "bare").open("wb", buffering=0)
        self.file.write(bytes(BLOCKS * len(self.BLOCK)))
        os.fsync(self.file.fileno())
        self.written = 0

    def put(self, record: Sample) -> None:
        """Write the block; a record's bytes don't matter."""
        os.pwrite(self.file.fileno(), self.BLOCK, record.seq % BLOCKS * len(self.BLOCK))
        self.written += len(self.BLOCK)

    def wait(self) -> None:
        """Sync."""
        sync(self.file.fileno())

    def close(self) -> int:
        """Close the file."""
        self.file.close()
        return self.written


def ways(records: int, synced: int) -> Iterator[tuple[str, str, int, Way]]:
    """Yield (what, what it survives, number of records, how) of each row."""
    kill, power = "kill -9", "power cut"
    yield JOURNAL, kill, records, Journal("process", 1)
    yield "SQLite WAL, NORMAL, one by one", kill, records, Sqlite("NORMAL", 1)
    yield "SQLite WAL, NORMAL, group", kill, records, Sqlite("NORMAL", GROUP)
    yield LOGGING, kill, records, JsonLines()
    yield "journal, `disk`, one by one", power, synced, Journal("disk", 1)
    yield "journal, `disk`, group", power, records, Journal("disk", 0)
    yield "SQLite WAL, FULL, one by one", power, synced, Sqlite("FULL", 1)
    yield "SQLite WAL, FULL, group", power, records, Sqlite("FULL", GROUP)
    yield "bare write and sync of 4 KiB", power, synced, BareSync()


def kept(way: Way, records: list[Sample], folder: Path) -> tuple[int, int]:
    """Keep the records; return how long it took in ns, and their bytes."""
    way.open(folder)
    put, wait, group = way.put, way.wait, way.group
    started_ns = perf_counter_ns()
    for record in records:
        put(record)
        if group and not record.seq % group:
            wait()
    wait()
    taken_ns = perf_counter_ns() - started_ns
    return taken_ns, way.close()


def measure(records: int, synced: int, rounds: int, folder: Path | None) -> list[dict[str, Any]]:
    """Return a row for each way: median over the rounds of µs per record, and bytes per record."""
    every = samples(max(records, synced))
    taken: dict[str, list[float]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for what, survives, count, way in ways(records, synced):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                taken_ns, size = kept(way, every[:count], Path(place))
            taken.setdefault(what, []).append(taken_ns / count / 1_000)
            rows[what] = {
                "what": what,
                "survives": survives,
                "us_mean": round(statistics.median(taken[what]), 3),
                "bytes": round(size / count, 1),
                "records": count,
            }
    return list(rows.values())


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a record in the journal takes against a line of logging, with the targets."""
    found = {one["what"]: one for one in rows}
    journal, logging = found[JOURNAL], found[LOGGING]
    against = f"{JOURNAL} against {LOGGING}"
    return [
        {
            "what": f"records a second: {against}",
            "ratio": round(logging["us_mean"] / journal["us_mean"], 2),
            "target": "at least 7; stretch 12",
        },
        {
            "what": f"bytes: {against}",
            "ratio": round(journal["bytes"] / logging["bytes"], 2),
            "target": "at most 0.4",
        },
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print rows and ratios as tables."""
    title = f"one record, µs and bytes, Python {platform.python_version()}"
    table = Table(title=title, title_justify="left")
    for heading in ("what", "survives", "µs", "bytes", "records"):
        table.add_column(heading, justify="left" if heading in ("what", "survives") else "right")
    for one in rows:
        table.add_row(
            one["what"],
            one["survives"],
            f"{one['us_mean']:.2f}",
            f"{one['bytes']:.0f}",
            f"{one['records']:,}",
        )
    Console().print(table)
    compared = Table("against", "ratio", "target")
    for one in ratios(rows):
        compared.add_row(one["what"], f"{one['ratio']:.2f}", one["target"])
    Console().print(compared)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.record", description=__doc__)
    parser.add_argument("--records", type=int, default=50_000, help="records a round")
    parser.add_argument("--synced", type=int, default=500, help="records waited for one by one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, help="where to write; a temporary folder unless told"
    )
    parser.add_argument("--json", action="store_true", help="print rows and ratios as JSON")
    given = parser.parse_args()
    rows = measure(given.records, given.synced, given.rounds, given.folder)
    if given.json:
        sys.stdout.write(json.dumps({"rows": rows, "ratios": ratios(rows)}, indent=2) + "\n")
    else:
        show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
