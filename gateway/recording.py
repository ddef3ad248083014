"""The record of one gate: the journal of its run, the commits of it, and the reserve behind it."""

import logging
from pathlib import Path
from typing import Final

from gateway.config import Config
from gateway.config_file import config_digest
from gateway.core import Core
from gateway.data_lock import DataLock
from gateway.journal.commit import CallSoon, GroupCommit
from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.errors import JournalError
from gateway.journal.lost_note import leave_lost_note, note_paths
from gateway.journal.manifest import EMBEDDED, Durability
from gateway.journal.reserve import reserve_root
from gateway.journal.reserve_writer import ReserveJournal
from gateway.journal.writer import start_run
from rules.rulebook import Rulebook
from rules.units import duration_ns

AUTO: Final = "auto"
"""A setting that follows from the others."""

_logger = logging.getLogger(__name__)


def durability_of(config: Config) -> Durability:
    """Return when a record counts as safe: `disk`, except for a demo."""
    chosen = config.record.durability
    if chosen != AUTO:
        return chosen
    return "process" if config.demo_market else "disk"


def reserve_of(config: Config) -> Path | None:
    """Return the directory of reserves, None when the gate has none."""
    chosen = config.record.reserve
    if chosen != AUTO:
        return Path(chosen) if chosen else None
    return reserve_root(config.record.data) if durability_of(config) == "disk" else None


class Recording:
    """The record of a gate, from before anything is recorded until after the last thing is.

    `call_soon` has something done on the gate's own thread and may be called from any. `disk` is
    the one of the run's journal; a test passes one that fails. Raises JournalError, and
    DataLockedError when another gate has the reserve.
    """

    def __init__(
        self,
        config: Config,
        rulebook: Rulebook,
        started_ns: int,
        call_soon: CallSoon,
        *,
        first_seq: int = 1,
        previous: str = "",
        disk: Disk = REAL_DISK,
    ) -> None:
        record = config.record
        root = reserve_of(config)
        self._stall_ns = duration_ns(record.stall)
        self._call_soon = call_soon
        self._core: Core | None = None
        self._commit: GroupCommit | None = None
        self._reserve: ReserveJournal | None = None
        self._root = root
        self._lock = _locked(root, record.data) if root is not None else None
        try:
            self.journal = start_run(
                record.data,
                rulebook,
                started_ns,
                record.segment_bytes,
                durability_of(config),
                config_digest(config),
                first_seq=first_seq,
                disk=disk,
                reserve=root,
                previous=previous,
                engine="" if config.engine.address else EMBEDDED,
            )
            if root is not None:
                self._reserve = ReserveJournal(root, self.journal, record.reserve_bytes, call_soon)
        except BaseException:
            self._release_lock()
            raise

    @property
    def directory(self) -> Path:
        """The directory of the run."""
        return self.journal.directory

    @property
    def recorded_seq(self) -> int:
        """The last record that is safe, in the reserve once that was begun."""
        reserve = self._reserve.writer if self._reserve is not None else None
        return (reserve or self.journal).recorded_seq

    @property
    def fault(self) -> str:
        """Why the record is lost, or will be; empty when all is well."""
        lost = self._core.record_fault if self._core is not None else ""
        return lost or self.journal.fault

    def secure(self, core: Core) -> None:
        """Have everything the core decides from now on wait until it is safe.

        What it decided before is made safe first. Raises JournalError when the disk does not
        confirm that.
        """
        self._core = core
        if self.journal.synced_first:
            self._commit = GroupCommit(self.journal, self._call_soon)
        core.secure(self._commit, self._reserve, self._stall_ns, self._note_loss)
        if core.record_fault:
            raise JournalError(f"the record can't be kept: {core.record_fault}")

    def settle(self) -> None:
        """Return once everything that was decided is safe and has left.

        Raises JournalError when the disk does not confirm it: a gate must not begin to serve then.
        """
        if self._core is None:
            return
        self._core.flush()
        if self._core.record_fault:
            raise JournalError(f"the record can't be kept: {self._core.record_fault}")

    def _note_loss(self, after_seq: int, fault: str) -> None:
        """Leave word for the next start that what follows is not recorded."""
        leave_lost_note(note_paths(self.directory, self._root), after_seq, fault)

    def close(self) -> None:
        """Let out what waits, then close what was written; raises JournalError.

        A record that was lost is left as it is: it did not end well, and its disk must not be
        asked again.
        """
        try:
            if self._core is not None:
                self._core.flush()
            if self._commit is not None:
                self._commit.close()
            if self._core is not None and self._core.record_fault:
                self.journal.abandon()
            self.journal.close()
            if self._reserve is not None:
                self._reserve.close()
        finally:
            self._release_lock()

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _locked(root: Path, data: Path) -> DataLock:
    """Make and lock the directory of reserves."""
    if root.resolve() == data.resolve():
        raise JournalError(
            f"the reserve is kept in {root}, which is the data directory; give it a path of its own"
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        if root.stat().st_dev == data.stat().st_dev:
            _logger.warning(
                "%s and %s are on one file system: when it is full or broken, so is the reserve",
                root,
                data,
            )
        return DataLock(root)
    except OSError as error:
        raise JournalError(f"cannot make the reserve in {root}: {error}") from error
