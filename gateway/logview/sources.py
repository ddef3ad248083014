"""Which runs are read: one, or all of a data directory, oldest first.

A path names either a data directory or the directory of one run. What belongs to all runs, the
key of the decision ids and the journal of reads, is in the data directory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.decision_id import DecisionIds
from gateway.journal import JournalError, JournalUnreadableError, Manifest, Run, find_run, read_run
from gateway.journal.manifest import MANIFEST_NAME, read_manifest, run_directories
from gateway.journal.repair import QUARANTINE_NAME
from gateway.journal.segment import segment_numbers
from gateway.journal.tombstone import deleted_text, read_tombstone
from gateway.journal.unserved import unserved

DECISION_KEY_NAME: Final = "decision.key"
"""The key of decision ids, in the data directory."""
COUNTED_SEQ: Final = 0
"""What the decision ids of refusals say that were only counted, where none was recorded before."""
_SEQ_DIGITS_MAX: Final = 18


def data_directory(path: Path) -> Path:
    """Return the data directory that `path` is, or that the run in `path` is or was in."""
    if (path / MANIFEST_NAME).is_file():
        resolved = path.resolve()
        if resolved in run_directories(resolved.parent):
            beside = resolved.parent
            return beside.parent if beside.name == QUARANTINE_NAME else beside
    return path


class Source:
    """The runs that are read, oldest first.

    `problems` gathers what could not be read; an answer from a source with problems is incomplete.
    `deleted` says what of the records asked for was deleted when its retention was over, `unknown`
    which of the names asked for nothing that was read knows. `passed_over` names the runs that
    never served and have nothing that can be read; nothing is missing for them.
    """

    def __init__(self, data: Path, runs: tuple[Run, ...], problems: list[str]) -> None:
        self.data = data
        self.runs = runs
        self.problems = problems
        self.deleted: list[str] = []
        self.unknown: list[str] = []
        self.passed_over: list[str] = []
        self._ids: dict[str, DecisionIds | None] = {}
        self._manifests = {run.manifest.run_id: run.manifest for run in runs}

    def ids(self, run: Run) -> DecisionIds | None:
        """Return the codec of a run's decision ids, None when their key can't be read."""
        return self.ids_of(run.manifest.run_id)

    def ids_of(self, run_id: str) -> DecisionIds | None:
        """Return the codec of the decision ids of a run, None when their key can't be read."""
        if run_id not in self._ids:
            try:
                key = (self.data / DECISION_KEY_NAME).read_bytes()
                self._ids[run_id] = DecisionIds(key, run_id)
            except (OSError, ValueError):
                self._ids[run_id] = None
        return self._ids[run_id]

    def locate(self, text: str) -> tuple[Run, int]:
        """Return the run and the number of the record meant by a decision id or a plain number.

        A plain number is looked for in the newest run first. Raises ValueError when no run has
        such a record.
        """
        wanted = text.strip().lower()
        for run in reversed(self.runs):
            ids = self.ids(run)
            seq = ids.decode(wanted) if ids is not None else None
            if seq == COUNTED_SEQ:
                raise ValueError(
                    f"`{text}` stands for refusals of run {run.path.name} that were counted and not "
                    "recorded one by one; `log query --event refused_aggregate` shows the counts"
                )
            if seq is not None:
                return run, seq
        problems: list[str] = []
        if wanted.isascii() and wanted.isdigit() and len(wanted) <= _SEQ_DIGITS_MAX:
            number = int(wanted)
            for run in reversed(self.runs):
                if number and _holds(run, number, problems):
                    return run, number
        if problems:
            raise ValueError(f"record {wanted} is not in what can be read: {problems[0]}")
        known = any(self.ids(run) is not None for run in self.runs)
        hint = "" if known else f"; {DECISION_KEY_NAME} can't be read"
        raise ValueError(
            f"`{text}` is neither a decision id nor a sequence number of this record{hint}"
        )

    def origin(self, run: Run, seq: int) -> str:
        """Return the run that wrote record `seq`, going back from `run`; empty when not known."""
        manifest: Manifest | None = run.manifest
        while manifest is not None and seq < manifest.first_seq:
            before = self._manifest(manifest.previous)
            # Numbers go on from run to run; a manifest that says otherwise leads nowhere.
            earlier = before is not None and before.first_seq < manifest.first_seq
            manifest = before if earlier else None
        return manifest.run_id if manifest is not None else ""

    def _manifest(self, run_id: str) -> Manifest | None:
        if run_id and run_id not in self._manifests:
            try:
                self._manifests[run_id] = read_manifest(self.data / run_id)
            except JournalError:
                return None
        return self._manifests.get(run_id)

    def note_deleted(self, run: Run, from_ns: int, to_ns: int) -> bool:
        """Take up what was deleted of a run from `from_ns` to before `to_ns` (0: no end).

        Returns whether nothing is left of the run. Raises JournalUnreadableError.
        """
        tombstone = read_tombstone(run.path)
        if tombstone is None:
            return False
        kept = segment_numbers(run.path)
        for deletion in tombstone.deletions:
            gone = [
                entry
                for entry in deletion.segments
                if entry.number not in kept
                and entry.last_ns >= from_ns
                and (not to_ns or entry.first_ns < to_ns)
            ]
            if gone:
                whole = msgspec.structs.replace(gone[0], last_seq=gone[-1].last_seq)
                text = f"run {run.manifest.run_id}: {deleted_text(deletion, whole)}"
                if text not in self.deleted:
                    self.deleted.append(text)
        return not kept

    def narrowed(self, run: Run) -> "Source":
        """Return a source of one of the runs."""
        narrowed = Source(self.data, (run,), self.problems)
        narrowed.deleted, narrowed.unknown = self.deleted, self.unknown
        narrowed.passed_over = self.passed_over
        return narrowed

    def records_expected(self) -> int:
        """Return how many records there are at least, without reading them."""
        return sum(segment.count for run in self.runs for segment in run.manifest.segments)


def source_of(path: Path, run_id: str = "") -> Source:
    """Return the runs meant by `path`: a run's directory, or a data directory's `run_id` or all.

    A run that never served and has nothing to read is passed over; any other that can't be read is
    a problem of the source. Raises JournalError when there is nothing to read.
    """
    data = data_directory(path)
    if run_id or (path / MANIFEST_NAME).is_file():
        if missing := unserved(path / run_id):
            raise JournalUnreadableError(_never_served(path / run_id, missing))
        return Source(data, (find_run(path, run_id),), [])
    runs: list[Run] = []
    problems: list[str] = []
    passed_over: list[str] = []
    for directory in run_directories(path):
        if missing := unserved(directory):
            passed_over.append(_never_served(directory, missing))
            continue
        try:
            runs.append(Run(directory, read_manifest(directory)))
        except JournalError as error:
            problems.append(f"run {directory.name} can't be read: {error}")
    if not runs:
        if not problems and not passed_over:
            find_run(path)
        raise JournalUnreadableError((problems or passed_over)[-1])
    source = Source(data, tuple(runs), problems)
    source.passed_over = passed_over
    return source


def _never_served(directory: Path, missing: str) -> str:
    return f"run {directory.name} never served and is passed over: {missing}"


def runs_within(source: Source, from_ns: int, to_ns: int) -> Iterator[Run]:
    """Yield the runs that can hold a record from `from_ns` to before `to_ns` (0: no end).

    What was deleted of them is told to the source.
    """
    for run in source.runs:
        segments = [segment for segment in run.manifest.segments if segment.count]
        ended = run.manifest.status == "ended" and segments
        if segments and to_ns and segments[0].first_ns >= to_ns:
            continue
        if ended and segments[-1].last_ns < from_ns:
            continue
        try:
            if source.note_deleted(run, from_ns, to_ns):
                continue
        except JournalError as error:
            source.problems.append(str(error))
            continue
        yield run


def _holds(run: Run, seq: int, problems: list[str]) -> bool:
    """Tell whether a run has a record; `problems` takes why it may have had it and does not."""
    try:
        found = next(read_run(run.path, seq), None)
    except JournalError as error:
        if run.manifest.first_seq <= seq:
            problems.append(str(error))
        return False
    return found is not None and found.seq == seq
