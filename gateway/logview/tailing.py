"""The end of the record, and what is added to it: over segments, and on into the next run."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from gateway.data_lock import LOCK_NAME
from gateway.journal import JournalCorruptError, JournalDeletedError, JournalError, Run
from gateway.journal.life import ENDED, NOT_ENDED_WELL, life_of
from gateway.journal.manifest import read_manifest, run_directories
from gateway.journal.reader import RunReader
from gateway.journal.segment import segment_numbers
from gateway.journal.unserved import unserved
from gateway.logview.query import Found
from gateway.logview.rendering import Names
from gateway.logview.sources import Source
from gateway.logview.subjects import Subjects
from gateway.snapshots import Snapshot, nearest, start_of


class Follower:
    """Shows the last records of the newest run, and then what is added, poll by poll.

    With `onward` it goes on into the next run of the data directory when there is one; else it
    ends with the run it began with. Runs that could not be read to their end are problems of the
    source.
    """

    def __init__(self, source: Source, onward: bool, count: int) -> None:
        """Begin with the last `count` records; raises JournalError when they can't be read."""
        self._source = source
        self._onward = onward
        self._count = count
        run = source.runs[-1]
        self._open(run, _start_before(run, _sealed_seq(run) - count))

    @property
    def run(self) -> Run:
        """The run that is being followed."""
        return self._run

    def last(self) -> list[Found]:
        """Return the last records there are now, of a damaged run the last before the damage.

        Damage is a problem of the source. Raises JournalError for what can't be read at all.
        """
        end_seq = _sealed_seq(self._run)
        while True:
            kept, damage = self._last_of(end_seq)
            if damage is None or self._seq >= end_seq:
                break
            # The records wanted are earlier than the manifest lets expect: read again for them.
            end_seq = self._seq
            self._open(self._run, _start_before(self._run, end_seq - self._count))
        if damage is not None:
            self._problem(damage)
        return kept

    def _last_of(self, end_seq: int) -> tuple[list[Found], JournalCorruptError | None]:
        """Return the last records where `end_seq` at least is expected, and what damage there is."""
        surely_earlier = end_seq - self._count
        kept: deque[Found] = deque(maxlen=self._count)
        try:
            for record in self._reader.records():
                self._seq = record.seq
                # What is surely not among the last is only followed, which is cheaper.
                if record.seq <= surely_earlier:
                    self._subjects.follow(record)
                else:
                    subject = self._subjects.observe(record)
                    kept.append(Found(record, subject, self._names, self._run))
        except JournalCorruptError as error:
            return list(kept), error
        return list(kept), None

    def more(self) -> Iterator[Found]:
        """Yield what was added since; goes on to the next run where there is one.

        Raises JournalError for damage in the last run there is.
        """
        while True:
            following = self._next()
            try:
                for record in self._reader.records():
                    subject = self._subjects.observe(record)
                    yield Found(record, subject, self._names, self._run)
            except JournalError as error:
                if following is None:
                    raise
                self._problem(error)
            if following is None:
                return
            self._open(following, start_of(following))

    def over(self) -> bool:
        """Tell whether nothing can be added any more; what was added before may still be unread."""
        if self._onward:
            return False
        run = Run(self._run.path, read_manifest(self._run.path))
        if run.manifest.status == ENDED:
            return True
        # Where no gate ever held a lock, as beside a copy, nothing says that the writer is gone.
        held_once = (run.path.absolute().parent / LOCK_NAME).exists()
        return held_once and life_of(run) == NOT_ENDED_WELL

    def _next(self) -> Run | None:
        """Return the run that follows, once it has a record to read."""
        if not self._onward:
            return None
        for path in run_directories(self._source.data):
            if _order(path) > _order(self._run.path) and segment_numbers(path):
                if unserved(path):
                    # A start under way, or one that ended there.
                    continue
                try:
                    return Run(path, read_manifest(path))
                except JournalError:
                    continue
        return None

    def _problem(self, error: JournalError) -> None:
        """Tell the source what can't be read, once."""
        if str(error) not in self._source.problems:
            self._source.problems.append(str(error))

    def _open(self, run: Run, start: Snapshot | None) -> None:
        self._run = run
        self._seq = start.seq if start is not None else 0
        self._reader: RunReader = RunReader(run.path, start.seq + 1 if start is not None else 1)
        self._subjects: Subjects = Subjects()
        if start is not None:
            self._subjects.prime(start)
        self._names: Names = Names(self._subjects.directory)


def _start_before(run: Run, seq: int) -> Snapshot | None:
    """Return the state to begin with for the records after `seq`, None for the run's beginning."""
    try:
        return nearest(run, max(0, seq))
    except JournalDeletedError:
        return start_of(run)


def _sealed_seq(run: Run) -> int:
    """Return the last record of the sealed segments, 0 when there is none."""
    return run.manifest.segments[-1].last_seq if run.manifest.segments else 0


def _order(path: Path) -> tuple[str, int]:
    """Return what runs are sorted by: their start, then their number within the instant."""
    start, _, number = path.name.partition("-")
    return start, int(number or 1)
