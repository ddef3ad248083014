"""Where reading a run begins: with its first record, or with a snapshot and the records after it."""

from contextlib import suppress

from gateway.journal import JournalDeletedError, JournalError, Run
from gateway.journal.snapshot_file import snapshot_seqs
from gateway.snapshots import Snapshot, nearest, read_snapshot, start_of
from rules.book import OpenOrder
from rules.book_state import restored_order, restored_pending
from rules.pending import PendingCommand


def beginning(run: Run, from_ns: int = 0) -> Snapshot | None:
    """Return the snapshot to begin with for what happened from `from_ns` on, None for none.

    Everything from that time on that was kept is after the snapshot. Raises JournalError when the
    run's own beginning can't be read.
    """
    before = [
        segment.first_seq for segment in run.manifest.segments if 0 < segment.first_ns < from_ns
    ]
    if before:
        with suppress(JournalDeletedError):
            found = nearest(run, before[-1])
            if found is not None and found.now_ns < from_ns:
                return found
    return start_of(run)


def following(run: Run, seq: int) -> Snapshot | None:
    """Return the first readable snapshot of a run after record `seq`, None when there is none."""
    for at_seq, path in snapshot_seqs(run.path):
        if at_seq > seq:
            with suppress(JournalError):
                return read_snapshot(path)
    return None


def open_orders(snapshot: Snapshot) -> list[OpenOrder]:
    """Return the orders that were open."""
    return [restored_order(values) for values in snapshot.pipeline["settlement"]["book"]["orders"]]


def engine_epoch(snapshot: Snapshot) -> int:
    """Return the epoch of the engine that has the open orders, 0 before its first session."""
    return int(snapshot.pipeline["settlement"]["book"]["counters"].get("engine_epoch", 0))


def pending_commands(snapshot: Snapshot) -> dict[int, PendingCommand]:
    """Return the commands the engine had not answered, by the record that sent them."""
    return restored_pending(snapshot.pipeline["settlement"]["pending"])
