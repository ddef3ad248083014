"""A start that takes over from the run before: its last good snapshot, then the rest of its record.

The newest run that got as far as serving counts. A torn end is cut off with a copy kept; damage
keeps the gate from starting. What later decisions depend on is taken over whole: windows, bans,
stops, ages, counters, reservations, commands of unknown fate. Nothing is decided again, and
nothing is sent again that adds risk.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from gateway.engine.redrive import Redrive
from gateway.journal import JournalCorruptError, JournalError, Record, Run, read_run
from gateway.journal.foundation import manifest_digest, start_digest
from gateway.journal.lost_note import note_paths, read_lost_note
from gateway.journal.manifest import EMBEDDED, MANIFEST_NAME, read_manifest, run_directories
from gateway.journal.reader import last_seq
from gateway.journal.repair import cut_torn_tail, highest_quarantined_seq
from gateway.journal.reserve import find_reserve, reserve_root
from gateway.journal.segment import segment_numbers
from gateway.journal.snapshot_file import START_SNAPSHOT, snapshot_seqs
from gateway.journal.tombstone import deleted_beginning
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import nearest
from rules.events import RunBegan
from rules.pipeline import StateError
from rules.rulebook import Rulebook
from rules.values import INT63_MAX

SEQ_GAP: Final = 1 << 24
"""Numbers left out after a run that did not end well: cancels may have passed unrecorded then, and
no command may have the number of one the engine has seen."""

_logger = logging.getLogger(__name__)


class Recovered(NamedTuple):
    """What a new run begins with."""

    previous: str
    """The run before, empty when there is none to continue."""
    replica: Replica | None
    """State at its end, with the engine's when that was embedded; None when there is no such run."""
    first_seq: int
    """The first number the new run may use."""
    last_ns: int
    """Time of the last record."""
    replayed: int
    """Records followed after the snapshot the recovery began with."""
    unrecorded: str = ""
    """Why the gate of the run before went on without any record; empty when it did not."""


OnRecord: TypeAlias = Callable[[Replica, Record], None]
"""Called with each record that is followed, after the replica has."""


def recover(
    data: Path,
    begin: Callable[[Replica], None] | None = None,
    on_record: OnRecord | None = None,
) -> Recovered:
    """Return what the next run in a data directory begins with.

    `begin` is told of the state the following begins with, `on_record` of each record after it.
    Raises JournalError when a record can't be read or is damaged, RulebookError when the rulebook
    of a run can't be read, OSError when a torn end can't be cut.
    """
    highest_seq, last_ns = highest_quarantined_seq(data), 0
    clean = not highest_seq
    for path in reversed(run_directories(data)):
        if not (path / MANIFEST_NAME).exists() and not segment_numbers(path):
            # The start ended before anything was recorded.
            continue
        run = Run(path, read_manifest(path))
        _cut(run)
        clean = clean and run.manifest.status == "ended"
        began = _began(run)
        if began is None and not snapshot_seqs(run.path):
            # It got no further than its own start; numbers it has used stay used.
            highest_seq = max(highest_seq, last_seq(path))
            continue
        _hold_to(run, began)
        _miss_reserve(run, data)
        replica, replayed = follow(run, begin, on_record)
        last_ns = max(last_ns, replica.now_ns)
        highest_seq = max(highest_seq, replica.seq)
        return Recovered(
            path.name,
            replica,
            highest_seq + 1 + (0 if clean else SEQ_GAP),
            last_ns,
            replayed,
            _unrecorded(run, data),
        )
    return Recovered("", None, highest_seq + 1 + (0 if clean else SEQ_GAP), last_ns, 0)


def follow(
    run: Run,
    begin: Callable[[Replica], None] | None = None,
    on_record: OnRecord | None = None,
    until_seq: int = INT63_MAX,
) -> tuple[Replica, int]:
    """Return the state a run has left, or had after `until_seq`, and how many records that took.

    Snapshots that can't be used are passed over, with a warning. Raises JournalError and
    RulebookError.
    """
    rulebook = manifest_rulebook(run.manifest)
    replica = _from_snapshot(run, rulebook, until_seq)
    if begin is not None:
        begin(replica)
    replayed = 0
    for record in read_run(run.path, replica.seq + 1):
        if record.seq > until_seq:
            break
        replica.take(record)
        replayed += 1
        if on_record is not None:
            on_record(replica, record)
    if replica.differences:
        _logger.error(
            "%d decisions of run %s come out differently now, the first is %d; the record counts",
            replica.differences,
            run.path.name,
            replica.first_difference,
        )
    return replica, replayed


def _from_snapshot(run: Run, rulebook: Rulebook, until_seq: int) -> Replica:
    """Return the state of the latest snapshot that can be read and is understood.

    An older version's snapshot may not be; then an older one, or the run's beginning, serves.
    """
    embedded = run.manifest.engine == EMBEDDED
    seq = min(until_seq, _proven_seq(run))
    while True:
        unreadable: list[str] = []
        snapshot = nearest(run, seq, unreadable)
        for line in unreadable:
            _logger.warning("a snapshot can't be used, an older one is taken: %s", line)
        if snapshot is None:
            return Replica(rulebook, Redrive(rulebook) if embedded else None)
        try:
            engine = None
            if embedded and snapshot.exchange is not None:
                engine = Redrive.restored(rulebook, snapshot.exchange)
            return Replica.restored(snapshot, rulebook, engine)
        except (StateError, ValueError, KeyError, TypeError) as error:
            text = (
                f"the snapshot of run {run.path.name} after record {snapshot.seq} is not "
                f"understood by this version: {error}"
            )
            older = any(at_seq < snapshot.seq for at_seq, _ in snapshot_seqs(run.path))
            begins = snapshot.seq < run.manifest.first_seq or deleted_beginning(run.path)
            if begins and not older:
                raise JournalError(text) from error
            _logger.warning("%s; an older one is taken", text)
            seq = snapshot.seq - 1


def _proven_seq(run: Run) -> int:
    """Return a record up to which snapshots may be taken; the record itself may go on.

    A snapshot can be further than what a loss of power has left of its record. One of a closed
    segment can't, and the open one need not be read for it.
    """
    made, closed = snapshot_seqs(run.path), run.manifest.segments
    if made and closed and made[-1][0] <= closed[-1].last_seq and find_reserve(run.path) is None:
        return closed[-1].last_seq
    return last_seq(run.path)


def _began(run: Run) -> RunBegan | None:
    """Return the record in which a run says that it serves, None when it never did or it is deleted."""
    if deleted_beginning(run.path) is not None:
        return None
    for record in read_run(run.path, run.manifest.first_seq):
        if isinstance(record.event, RunBegan):
            return record.event
    return None


def _hold_to(run: Run, began: RunBegan | None) -> None:
    """Raise JournalCorruptError when manifest or first snapshot are not those a run began with."""
    if began is None:
        return
    if began.manifest_digest not in ("", manifest_digest(run.manifest)):
        message = "it is not the manifest the run began with; its record has another digest of it"
        raise JournalCorruptError(run.path / MANIFEST_NAME, 0, message)
    if began.start_digest not in ("", start_digest(run.path)):
        message = "it is missing, or not the snapshot the run began with"
        raise JournalCorruptError(run.path / START_SNAPSHOT, 0, message)


def _miss_reserve(run: Run, data: Path) -> None:
    """Warn when a run that did not end well had a reserve, and none is to be seen."""
    named = run.manifest.reserve
    if not named or run.manifest.status == "ended":
        return
    if not any(place.exists() for place in (Path(named), reserve_root(data) / run.path.name)):
        _logger.critical(
            "run %s did not end well and its reserve %s is missing: if the record was lost, what "
            "came after it is not taken over; bring the reserve, or compare orders with the engine",
            run.path.name,
            named,
        )


def _unrecorded(run: Run, data: Path) -> str:
    """Return why nothing was recorded at the end of a run, empty when all of it was."""
    roots = {reserve_root(data)}
    if run.manifest.reserve:
        roots.add(Path(run.manifest.reserve).parent)
    for root in sorted(roots):
        note = read_lost_note(note_paths(run.path, root))
        if note is not None:
            return note.fault
    return ""


def _cut(run: Run) -> None:
    """Cut the torn end of a run and of its reserve, where they have one."""
    if run.manifest.status == "ended":
        return
    parts = [run]
    reserve = find_reserve(run.path)
    if reserve is not None:
        parts = [Run(reserve, read_manifest(reserve))]
    for part in parts:
        torn = cut_torn_tail(part)
        if torn is not None:
            _logger.warning(
                "%s ended in the middle of a record: %d bytes with %d whole records were cut off "
                "and kept in %s; nobody was told of them",
                torn.segment,
                torn.torn_bytes,
                torn.records,
                ", ".join(str(path) for path in torn.kept),
            )
