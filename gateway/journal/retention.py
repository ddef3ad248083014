"""Deleting what is older than it has to be kept, and nothing else.

Never deleted: a run under a legal hold, the newest run that got as far as serving and every run
after it (the next start stands on them), what cannot be read, and what a snapshot that may still be
needed goes on from. A run that is deleted leaves its manifest and a tombstone with all digests.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.journal.archive import stored_forms
from gateway.journal.durable import remove_durably
from gateway.journal.errors import JournalDeletedError, JournalError, JournalUnreadableError
from gateway.journal.frame import RecordHead, decode_head
from gateway.journal.holds import HoldEvent, active_holds, read_holds
from gateway.journal.locks import HOLDS_LOCK, UPKEEP_LOCK, locked
from gateway.journal.manifest import (
    MANIFEST_NAME,
    Run,
    SealedSegment,
    read_manifest,
    run_directories,
    runs,
)
from gateway.journal.reader import SegmentReader, read_run, segment_begun
from gateway.journal.repair import close_abandoned
from gateway.journal.reserve import find_reserve
from gateway.journal.retention_period import kept_from_ns
from gateway.journal.seal import read_signature, signature_path
from gateway.journal.segment import segment_name, segment_numbers
from gateway.journal.snapshot_file import START_SNAPSHOT, read_snapshot_file, snapshot_seqs
from gateway.journal.tombstone import Deletion, Tombstone, read_tombstone, write_tombstone
from rules.events import Define, DefineAccount, RunBegan
from rules.values import DEFINE_OWNER, INT63_MAX

SNAPSHOTS_KEPT: Final = 2
"""Newest snapshots of a run whose tails stay whole: a start that can't use one takes the other."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What is deleted of one run."""

    run: str
    whole: bool
    """Whether nothing but manifest and tombstone stays."""
    segments: tuple[str, ...]
    records: int
    bytes: int
    """What it takes on the disk now, in whatever form."""
    last_ns: int
    """Time of the last record that is deleted."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A run of which nothing is deleted, and why."""

    run: str
    because: str
    failed: bool = False
    """Whether it would have been deleted and could not be."""


class RetentionPlan(msgspec.Struct, kw_only=True):
    """What a retention period means for a data directory now."""

    data: str
    retention: str
    before_ns: int
    """What is older than this may go."""
    removals: list[Removal] = msgspec.field(default_factory=list)
    kept: list[Kept] = msgspec.field(default_factory=list)
    applied: bool = False


def plan_retention(data: Path, retention: str, now_ns: int) -> RetentionPlan:
    """Return what may be deleted; nothing is changed.

    Raises ValueError when `retention` is no period, and JournalError when the holds can't be
    read.
    """
    return _Planner(data, retention, now_ns).plan()


def apply_retention(
    data: Path,
    retention: str,
    now_ns: int,
    actor: str,
    progress: Callable[[str], None] | None = None,
) -> RetentionPlan:
    """Delete what may be deleted, and return what that was.

    No hold can be placed meanwhile. A crash at any step leaves what is not deleted readable, and
    the next call goes on. Raises as `plan_retention`, and OSError.
    """
    with locked(data, UPKEEP_LOCK), locked(data, HOLDS_LOCK):
        planner = _Planner(data, retention, now_ns)
        plan = planner.plan()
        done = []
        for removal in plan.removals:
            if progress is not None:
                progress(removal.run)
            try:
                for part in _parts(data / removal.run):
                    _delete(part, removal.whole, planner.before_ns, retention, actor, now_ns)
            except JournalError as error:
                plan.kept.append(
                    Kept(run=removal.run, because=f"can't be closed: {error}", failed=True)
                )
            else:
                done.append(removal)
        plan.removals = done
        plan.applied = True
        return plan


def holds_of(data: Path) -> dict[str, tuple[str, ...]]:
    """Return the ids of the holds each run is under, by run id.

    Raises JournalError when the holds can't be read.
    """
    holds = active_holds(read_holds(data))
    found: dict[str, tuple[str, ...]] = {}
    for run in runs(data) if holds else ():
        try:
            last_ns = _last_ns(run)
        except (JournalError, OSError):
            last_ns = INT63_MAX
        found[run.path.name] = tuple(hold.hold for hold in holds if _holds(hold, run, last_ns))
    return found


class _Planner:
    """Judges the runs of a data directory, oldest first."""

    def __init__(self, data: Path, retention: str, now_ns: int) -> None:
        self.data = data
        self.before_ns = kept_from_ns(retention, now_ns)
        self.retention = retention
        self.holds = active_holds(read_holds(data))

    def plan(self) -> RetentionPlan:
        plan = RetentionPlan(
            data=str(self.data), retention=self.retention, before_ns=self.before_ns
        )
        directories = run_directories(self.data)
        serving = _newest_serving(directories)
        for index, directory in enumerate(directories):
            needed = serving is None or index >= serving
            if needed and index != serving:
                because = (
                    "no run before it got as far as serving"
                    if serving is None
                    else ("it is newer than the newest run that served")
                )
                plan.kept.append(Kept(run=directory.name, because=because))
                continue
            try:
                found = self._judge(directory, needed)
            except (JournalError, OSError) as error:
                found = Kept(run=directory.name, because=f"can't be read: {error}", failed=True)
            if isinstance(found, Removal):
                plan.removals.append(found)
            elif found is not None:
                plan.kept.append(found)
        return plan

    def _judge(self, directory: Path, needed: bool) -> Removal | Kept | None:
        """Return what is done with a run, None when there is nothing of it any more."""
        if not (directory / MANIFEST_NAME).exists() and not segment_numbers(directory):
            return None
        run = Run(directory, read_manifest(directory))
        if not any(_files(part) for part in _parts(directory)):
            return None
        last_ns = _last_ns(run)
        whole = not needed and last_ns < self.before_ns
        parts = [run] if not whole else _parts(directory)
        segments = [s for part in parts for s in _deletable(part, whole, self.before_ns)]
        if not segments and not whole:
            because = "the next start needs it" if needed else f"younger than {self.retention}"
            return Kept(run=directory.name, because=because)
        held = next((hold for hold in self.holds if _holds(hold, run, last_ns)), None)
        if held is not None:
            return Kept(run=directory.name, because=f"{held.hold}: {held.reason}")
        unlisted = [found for part in parts for found in _unlisted(part)] if whole else []
        names = (*(entry.file for entry in segments), *(name for name, _ in unlisted))
        files = [file for part in parts for file in _doomed(part, whole, self.before_ns)]
        return Removal(
            run=directory.name,
            whole=whole,
            segments=names,
            records=sum(entry.count for entry in segments) + sum(count for _, count in unlisted),
            bytes=sum(file.stat().st_size for file in files),
            last_ns=last_ns if whole else max(entry.last_ns for entry in segments),
        )


def _parts(directory: Path) -> list[Run]:
    """Return a run and the reserve that continues it, if there is one."""
    run = Run(directory, read_manifest(directory))
    reserve = find_reserve(directory)
    return [run] if reserve is None else [run, Run(reserve, read_manifest(reserve))]


def _newest_serving(directories: list[Path]) -> int | None:
    """Return the index of the newest run that got as far as serving, None when none is known to."""
    for index in reversed(range(len(directories))):
        try:
            if _served(directories[index]):
                return index
        except (JournalError, OSError):
            continue
    return None


def _served(directory: Path) -> bool:
    """Tell whether a run got as far as serving; only of such a run snapshots are made."""
    if segment_numbers(directory) and snapshot_seqs(directory):
        return True
    return any(isinstance(record.event, RunBegan) for record in read_run(directory))


def _last_ns(run: Run) -> int:
    """Return the time of the last record of a run, deleted ones included."""
    listed = run.manifest.segments
    last_ns = max((entry.last_ns for entry in listed), default=run.manifest.started_ns)
    after = listed[-1].last_seq + 1 if listed else 1
    if segment_numbers(run.path):
        with suppress(JournalDeletedError):
            for record in read_run(run.path, after):
                last_ns = max(last_ns, record.now_ns)
    return last_ns


def _files(run: Run) -> list[Path]:
    """Return the files that hold records or state of a run."""
    kept = (".seg", ".zst", ".enc", ".snapshot")
    return [
        path
        for path in sorted(run.path.iterdir())
        if path.is_file() and (path.name.endswith(kept) or ".seg." in path.name)
    ]


def _deletable(run: Run, whole: bool, before_ns: int) -> list[SealedSegment]:
    """Return the closed segments that are there and may go, in order.

    Of a run that stays, those that are old enough and that no snapshot needs go.
    """
    there = [entry for entry in run.manifest.segments if stored_forms(run.path / entry.file)]
    if whole:
        return there
    needed_seq = _needed_seq(run)
    return [entry for entry in there if entry.last_ns < before_ns and entry.last_seq < needed_seq]


def _unlisted(run: Run) -> list[tuple[str, int]]:
    """Return the segments that a killed writer left out of the manifest, with their records.

    They are closed, and so listed, before they go.
    """
    found = []
    for number in segment_numbers(run.path):
        path = run.path / segment_name(number)
        if run.manifest.sealed(number) is None and segment_begun(path):
            heads = (decode_head(payload) for _, payload in SegmentReader(path).frames())
            found.append((path.name, sum(isinstance(head, RecordHead) for head in heads)))
    return found


def _needed_seq(run: Run) -> int:
    """Return the first record that a snapshot which may be needed goes on from, or 0 for all."""
    seqs = sorted(seq for seq, _ in snapshot_seqs(run.path))
    return seqs[-SNAPSHOTS_KEPT] + 1 if len(seqs) >= SNAPSHOTS_KEPT else 0


def _doomed(run: Run, whole: bool, before_ns: int) -> list[Path]:
    """Return the files that go, in the order in which they go: a crash leaves the end of a run."""
    segments = _deletable(run, whole, before_ns)
    found = [
        path
        for entry in segments
        for path in (
            *(stored.path for stored in stored_forms(run.path / entry.file)),
            signature_path(run.path / entry.file),
        )
        if path.exists()
    ]
    if whole:
        return found + [path for path in _files(run) if path not in found]
    if segments:
        last_seq = segments[-1].last_seq
        found += [path for seq, path in snapshot_seqs(run.path) if seq < last_seq]
        if (run.path / START_SNAPSHOT).exists():
            found.append(run.path / START_SNAPSHOT)
    return found


def _delete(run: Run, whole: bool, before_ns: int, retention: str, actor: str, now_ns: int) -> None:
    """Delete what may go of a run, after a tombstone for it is on the disk."""
    if whole:
        close_abandoned(run)
    tombstone = read_tombstone(run.path) or Tombstone(run_id=run.manifest.run_id)
    new = tuple(
        _with_signature(run.path, entry)
        for entry in _deletable(run, whole, before_ns)
        if tombstone.deletion(entry.number) is None
    )
    if new:
        deletion = Deletion(at_ns=now_ns, actor=actor, retention=retention, segments=new)
        write_tombstone(
            run.path,
            msgspec.structs.replace(tombstone, deletions=(*tombstone.deletions, deletion)),
        )
    for path in _doomed(run, whole, before_ns):
        remove_durably(path)


def _with_signature(directory: Path, entry: SealedSegment) -> SealedSegment:
    stored = read_signature(directory / entry.file)
    if stored is None or entry.signature:
        return entry
    return msgspec.structs.replace(
        entry, signed_by=stored.signed_by, signature=stored.signature_text
    )


def _holds(hold: HoldEvent, run: Run, last_ns: int) -> bool:
    """Tell whether a hold is of a run; of one that can't be read in full, it is."""
    if hold.run and hold.run != run.manifest.run_id:
        return False
    if hold.from_ns and last_ns < hold.from_ns:
        return False
    if hold.to_ns and run.manifest.started_ns >= hold.to_ns:
        return False
    if not hold.owner and not hold.account:
        return True
    try:
        return (not hold.owner or _mentions(run, hold.owner, "")) and (
            not hold.account or _mentions(run, "", hold.account)
        )
    except (JournalError, OSError):
        return True


def _mentions(run: Run, owner: str, account: str) -> bool:
    """Tell whether an owner or an account has a number in a run. Raises JournalError, OSError.

    What a run took over is in the snapshot it begins with, or in the oldest that is left.
    """
    snapshots = [run.path / START_SNAPSHOT, *(path for _, path in snapshot_seqs(run.path))]
    first = next((path for path in snapshots if path.exists()), None)
    if first is not None and _snapshot_has(first, owner or account):
        return True
    numbers = segment_numbers(run.path)
    entry = run.manifest.sealed(numbers[0]) if numbers else None
    for record in read_run(run.path, 1 if entry is None else entry.first_seq):
        match record.event:
            case Define(kind=kind, name=name):
                if owner and kind == DEFINE_OWNER and name == owner:
                    return True
            case DefineAccount(name=name):
                if account and name == account:
                    return True
    return False


def _snapshot_has(path: Path, name: str) -> bool:
    """Tell whether a text stands anywhere in a snapshot, whatever it means there."""
    try:
        waiting: list[Any] = [msgspec.msgpack.decode(read_snapshot_file(path))]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JournalUnreadableError(f"{path}: {error}") from None
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif value == name:
            return True
    return False
