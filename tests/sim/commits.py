"""The group commit and the reserve, with every sync of theirs a step of the simulation."""

import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from unittest import mock

from gateway.journal import commit as commit_module
from gateway.journal import reserve_writer
from gateway.journal.commit import CallSoon, Commit, GroupCommit
from gateway.journal.reserve_writer import ReserveJournal
from gateway.journal.writer import JournalWriter, SyncPoint
from tests.sim.fuse import CrashError


class _NoThread:
    """Stands where the commit's thread would be."""

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        """Begin nothing: the simulation moves the commit on."""

    def join(self, _: float) -> None:
        """Wait for nothing."""


_NO_THREADS = SimpleNamespace(Thread=_NoThread, Condition=threading.Condition)


class SteppedCommit(GroupCommit):
    """The product's commit without its thread: `begin` and `finish` are one round of it."""

    stalled = False

    def __init__(self, writer: JournalWriter, call_soon: CallSoon) -> None:
        with mock.patch.object(commit_module, "threading", _NO_THREADS):
            super().__init__(writer, call_soon)
        self._point: SyncPoint | None = None

    def begin(self) -> None:
        """Let a sync of everything appended so far begin, if there is anything to sync."""
        if self._point is None and not self._fault and self._wanted is not self._done:
            self._point = self._wanted

    def finish(self) -> None:
        """Let the sync that has begun end, unless the disk hangs."""
        if self._point is None or self.stalled:
            return
        point, self._point = self._point, None
        self._sync(point)

    def die(self) -> None:
        """Let the sync that has begun get on until the process dies."""
        point, self._point = self._point, None
        if point is not None:
            with suppress(CrashError, OSError):
                self._writer.sync(point)

    def sync_all(self) -> None:
        """Sync until nothing is left to."""
        while self._wanted is not self._done and not self._fault and not self.stalled:
            self.begin()
            self.finish()

    def flush(self, seconds: float) -> bool:
        """Sync everything now, where the product waits for its thread."""
        self.sync_all()
        return super().flush(0)


class SimReserve(ReserveJournal):
    """The reserve on a disk of its own. `on_begin` is told its writer and its commit."""

    on_begin: Callable[[JournalWriter, Commit | None], None]

    def begin(self, first_seq: int) -> tuple[JournalWriter, Commit | None]:
        """Begin with record `first_seq`."""
        with mock.patch.object(reserve_writer, "GroupCommit", SteppedCommit):
            writer, commit = super().begin(first_seq)
        self.on_begin(writer, commit)
        return writer, commit
