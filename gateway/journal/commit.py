"""Group commit: one thread syncs all that is appended, again and again, while anything is unsynced.

There is no timer. A sync that takes long lets much be appended meanwhile, and the next one covers
it all; so batches form by themselves under load, and a lone record waits for one sync only.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, Protocol, TypeAlias

from gateway.journal.writer import JournalWriter, SyncPoint

CallSoon: TypeAlias = Callable[[Callable[[], None]], object]
"""Has a function called on the core's own thread; may be called from any (`call_soon_threadsafe`)."""

_CLOSE_SECONDS: Final = 5.0
"""How long the end of the thread is waited for; a disk that hangs must not hang the gate's end."""


class Commit(Protocol):
    """Has records made safe and says when they are. All of it on the core's thread."""

    def watch(self, on_synced: Callable[[int], None], on_failed: Callable[[str], None]) -> None:
        """Say whom to tell: of the last safe record, and once of a failure, after which is silence."""

    def appended(self, seq: int) -> None:
        """Have everything up to record `seq` made safe; returns at once."""

    def poll(self) -> None:
        """Tell now what is known and not yet told."""

    def flush(self, seconds: float) -> bool:
        """Wait until all that was appended is safe and told; False if it took longer, or failed."""

    def abandon(self) -> None:
        """Tell nothing more: the record is given up."""

    def close(self) -> None:
        """End the thread, if there is one."""


class GroupCommit:
    """Syncs one writer's record in a thread of its own.

    `call_soon` brings the news to the core's thread. A failed sync is never tried again: the
    kernel may have dropped what it could not write, and a second sync would succeed without it.
    `syncs` counts those confirmed.
    """

    def __init__(self, writer: JournalWriter, call_soon: CallSoon) -> None:
        self.syncs = 0
        self._writer = writer
        self._call_soon = call_soon
        self._on_synced: Callable[[int], None] = _nobody
        self._on_failed: Callable[[str], None] = _nobody
        self._wanted = writer.sync_point()
        self._done = self._told = self._wanted
        if writer.recorded_seq < writer.appended_seq:
            # What was appended before is not safe yet, and synced at once.
            self._done = self._told = self._wanted._replace(seq=writer.recorded_seq)
        self._fault = ""
        self._fault_told = False
        self._closing = False
        self._idle = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="ordergate-commit", daemon=True)
        self._thread.start()

    def watch(self, on_synced: Callable[[int], None], on_failed: Callable[[str], None]) -> None:
        """Say whom to tell: of the last safe record, and once of a failure, after which is silence."""
        self._on_synced = on_synced
        self._on_failed = on_failed

    def appended(self, seq: int) -> None:
        """Have everything up to record `seq` synced; returns at once."""
        if seq == self._wanted.seq:
            return
        self._wanted = self._writer.sync_point()
        if self._idle:
            self._idle = False
            self._wake.put(None)

    def poll(self) -> None:
        """Tell now what is known and not yet told."""
        done = self._done
        if done is not self._told:
            self._told = done
            self._writer.synced(done)
            self._on_synced(done.seq)
        if self._fault and not self._fault_told:
            self._fault_told = True
            self._on_failed(self._fault)

    def flush(self, seconds: float) -> bool:
        """Wait until all that was appended is safe and told; False if it took longer, or failed."""
        with self._progress:
            in_time = self._progress.wait_for(self._settled, seconds)
        good = in_time and not self._fault
        self.poll()
        return good

    def abandon(self) -> None:
        """Tell nothing more: the record is given up."""
        self._on_synced = self._on_failed = _nobody
        self._closing = True
        self._wake.put(None)

    def close(self) -> None:
        """End the thread; what was appended is synced first."""
        self._closing = True
        self._wake.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _settled(self) -> bool:
        return bool(self._fault) or self._done is self._wanted

    # --- In the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            # Idle is said before looking once more, and the core looks at it after saying what it
            # wants; so one of the two sees the other, and nothing wanted is left lying.
            self._idle = True
            if self._wanted is self._done:
                if self._closing:
                    return
                self._wake.get()
            self._idle = False
            point = self._wanted
            if point is not self._done and not self._sync(point):
                return

    def _sync(self, point: SyncPoint) -> bool:
        """Sync up to `point` and report; False when that failed."""
        fault = ""
        try:
            self._writer.sync(point)
        except Exception as error:  # whatever it was: it is not known what is on the disk
            fault = f"{type(error).__name__}: {error}"
        with self._progress:
            if fault:
                self._fault = fault
            else:
                self._done = point
                self.syncs += 1
            self._progress.notify_all()
        with suppress(RuntimeError):  # the core's loop is closed; `flush` and `poll` still tell
            self._call_soon(self.poll)
        return not fault


def _nobody(_: object) -> None:
    pass
