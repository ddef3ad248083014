"""A core whose decisions wait for a disk that a test drives by hand, with a reserve behind it."""

from collections.abc import Callable

from gateway.journal import Record
from gateway.journal.commit import Commit
from gateway.outcome import Outcome
from rules.decisions import Decision
from rules.events import Event

from .core_world import CoreWorld


class HandCommit:
    """A commit that says what is safe when a test says so."""

    def __init__(self) -> None:
        self.wanted = 0
        """The last record that was appended."""
        self.synced = 0
        self.abandoned = False
        self.fault = ""
        """What the next flush finds; the disk hangs if it is `hang`."""
        self._on_synced: Callable[[int], None]
        self._on_failed: Callable[[str], None]

    def watch(self, on_synced: Callable[[int], None], on_failed: Callable[[str], None]) -> None:
        """Take whom to tell."""
        self._on_synced, self._on_failed = on_synced, on_failed

    def appended(self, seq: int) -> None:
        """Note what is wanted."""
        assert not self.abandoned
        self.wanted = seq

    def poll(self) -> None:
        """Tell nothing: a test tells everything at once."""

    def flush(self, seconds: float) -> bool:
        """Sync at once."""
        if self.fault and self.fault != "hang":
            self.fail(self.fault)
        if self.fault:
            return False
        self.step()
        return True

    def abandon(self) -> None:
        """Be given up."""
        self.abandoned = True

    def close(self) -> None:
        """End nothing: there is no thread."""

    def step(self, seq: int = 0) -> None:
        """Confirm everything that is wanted, or everything up to `seq`."""
        self.synced = seq or self.wanted
        self._on_synced(self.synced)

    def fail(self, fault: str = "the disk is broken") -> None:
        """Say that a sync has failed."""
        self._on_failed(fault)


class HandReserve:
    """A reserve in memory."""

    def __init__(self, waits: bool = True) -> None:
        self.roomy = True
        self.records: list[Record] = []
        self.first_seq = 0
        self.begin_error: Exception | None = None
        self.append_error: Exception | None = None
        self.commit = HandCommit()
        self._waits = waits

    def begin(self, first_seq: int) -> tuple["HandReserve", Commit | None]:
        """Begin, or fail to."""
        assert not self.first_seq
        if self.begin_error is not None:
            raise self.begin_error
        self.first_seq = first_seq
        return self, self.commit if self._waits else None

    def append(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Keep one record, which must be the next in number."""
        if self.append_error is not None:
            raise self.append_error
        assert seq == self.first_seq + len(self.records)
        self.records.append(Record(seq, now_ns, event, decision))  # type: ignore[arg-type]


class RecordWorld(CoreWorld):
    """A world whose core is secured; `answers` has what each request was told, in order."""

    def __init__(self, *, waits: bool = True, reserve: bool = True) -> None:
        super().__init__()
        self.commit = HandCommit()
        self.reserve = HandReserve(waits)
        self.answers: list[Outcome] = []
        self.unrecorded_allowed = False
        self.engine.recorder = self  # type: ignore[assignment]
        self.core.secure(self.commit if waits else None, self.reserve if reserve else None)

    @property
    def recorded_seq(self) -> int:
        """The last record that is safe: no command of a later one may reach the engine."""
        if self.unrecorded_allowed:
            return self.core.seq
        return max(self.commit.synced, self.reserve.commit.synced)

    def send(self, event: Event) -> int:
        """Submit an event, whose answer comes later; return its number."""
        self.core.submit(event, self.answers.append)
        return self.core.seq

    def sync(self) -> None:
        """Let the disk in use confirm everything, until nothing is left to be confirmed."""
        while self.core.unreleased:
            (self.reserve.commit if self.commit.abandoned else self.commit).step()

    def told(self) -> list[int]:
        """Return the numbers of the requests that were answered, in the order of the answers."""
        return [outcome.seq for outcome in self.answers]
