"""What the core knows of its record: where it goes, what waits for it, and what is left of it.

A record has two lives. While the run's own journal can be written, everything goes there. When it
is lost, for whatever cause, it stays lost: the reserve journal continues it from the first record
that had not been released, and when that is lost too, nothing is recorded any more.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeAlias

from gateway.engine.port import Command
from gateway.journal.commit import Commit
from gateway.journal.errors import JournalError
from gateway.outcome import Reply
from rules.decisions import Decision
from rules.events import Event
from rules.values import NS_PER_SECOND

STALL_NS: Final = 2 * NS_PER_SECOND
"""How long a record may wait for the disk before the record counts as lost, unless told otherwise."""

_logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """What is needed of a journal."""

    def append(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Record one event and its decision; raises JournalError or OSError."""


class Reserve(Protocol):
    """The journal that goes on when the run's own is lost."""

    @property
    def roomy(self) -> bool:
        """Whether less than half of its room is used."""

    def begin(self, first_seq: int) -> tuple[Recorder, Commit | None]:
        """Give up the run's own journal and begin with record `first_seq`.

        Raises JournalError or OSError.
        """


class Held(NamedTuple):
    """What is decided and appended, and may not leave before its record is safe."""

    seq: int
    now_ns: int
    event: Event
    decision: Decision
    reply: Reply | None
    command: Command | None
    since_ns: int
    """Receive clock, since when it waits."""


Unrecorded: TypeAlias = Callable[[int, str], None]
"""Called with the last record there is, and why nothing is recorded after it."""


class Record:
    """The record of a running core.

    `fault` is empty while the run's own journal can be written; it never becomes empty again.
    `append` records one event. While `waits`, a decision is put into `held` and let out when the
    commit says so. `recorded` is False once nothing is recorded any more.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.fault = ""
        self.recorded = True
        self.waits = False
        self.held: deque[Held] = deque()
        self.append: Callable[[int, int, Event, Decision], None] = recorder.append
        self.commit: Commit | None = None
        self.stall_ns = STALL_NS
        self._reserve: Reserve | None = None
        self._watch: Callable[[Commit], None] = _nobody
        self._unrecorded: Unrecorded = _untold
        self._overdue = False

    def secure(
        self,
        commit: Commit | None,
        reserve: Reserve | None,
        stall_ns: int,
        watch: Callable[[Commit], None],
        unrecorded: Unrecorded,
    ) -> None:
        """Have what comes wait for `commit`; `watch` is called with every commit there will be.

        `unrecorded` is called once when nothing is recorded any more.
        """
        self._reserve = reserve
        self._unrecorded = unrecorded
        self._watch = watch
        self.stall_ns = stall_ns
        self._follow(commit)

    @property
    def roomy(self) -> bool:
        """Whether there is room for more than cancels, stops and engine reports."""
        return self.recorded and self._reserve is not None and self._reserve.roomy

    def stalled(self, receive_ns: int) -> bool:
        """Tell whether the oldest record has waited too long; asked at every tick.

        It must show at two ticks in a row: after a pause of the whole process the commit's thread
        gets its turn in between and says what the disk confirmed long ago.
        """
        before = self._overdue
        self._overdue = bool(self.held) and receive_ns - self.held[0].since_ns > self.stall_ns
        return before and self._overdue

    def fall_back(self, fault: str, next_seq: int) -> None:
        """Go on in the reserve, or without a record when there is none left.

        What was not released is recorded there again, so that the reserve begins with it.
        """
        if self.commit is not None:
            self.commit.abandon()
        first = not self.fault
        self.fault = fault if first else f"{self.fault}; the reserve: {fault}"
        self._overdue = False
        if not first or self._reserve is None:
            _logger.critical(
                "the record is lost (%s): orders are refused, cancels, stops and engine reports "
                "go on unrecorded until a restart",
                self.fault,
            )
            self._end()
            self._unrecorded(next_seq - 1, self.fault)
            return
        _logger.critical(
            "the record is lost (%s): orders are refused, the rest is recorded in the reserve "
            "until a restart",
            fault,
        )
        try:
            recorder, commit = self._reserve.begin(self.held[0].seq if self.held else next_seq)
            self.append = recorder.append
            self._follow(commit)
            for seq, now_ns, event, decision, *_ in self.held:
                recorder.append(seq, now_ns, event, decision)
        except (JournalError, OSError) as error:
            self.fall_back(described(error), next_seq)

    def _follow(self, commit: Commit | None) -> None:
        self.commit = commit
        self.waits = commit is not None
        if commit is not None:
            self._watch(commit)

    def _end(self) -> None:
        self.recorded = False
        self.append = _unrecorded
        self._follow(None)


def described(error: Exception) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {error}"


def _unrecorded(seq: int, now_ns: int, event: Event, decision: Decision) -> None:
    pass


def _untold(after_seq: int, fault: str) -> None:
    pass


def _nobody(commit: Commit) -> None:
    pass
