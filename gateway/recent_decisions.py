"""The newest decisions in memory, and the record behind them, for look-ups by number."""

from bisect import bisect_right
from collections import deque
from pathlib import Path
from typing import Final, Protocol, cast

from gateway.journal import JournalError, Record, read_run
from gateway.journal.frame import decode_payload
from gateway.journal.reader import SegmentReader
from gateway.listeners import Listeners
from rules.decisions import Decision
from rules.events import AnyEvent, Event

KEPT: Final = 64
"""Decisions in memory. Of a thousand each would be freed long after it has left the processor's
caches, which costs more of an order than the record's encoding does."""
MARK_EVERY: Final = 256
"""Records between two places that are remembered."""
PLACES_MAX: Final = 32_768
"""Places that are remembered; of more, every second one is forgotten, so a look-up reads further."""
PLACES_TRIED: Final = 12
"""Places from which a record is looked for before its whole segment is read."""


class RecordedRun(Protocol):
    """What is needed of the journal that is being written."""

    @property
    def directory(self) -> Path:
        """The directory of the run."""

    @property
    def place(self) -> tuple[Path, int]:
        """Segment and offset at which the next record goes."""


class RecentDecisions:
    """Finds a recorded decision by its sequence number.

    A look-up is done on the gate's own thread, so an old decision is read from a place near it.
    """

    def __init__(self, journal: RecordedRun) -> None:
        self._journal = journal
        self._records: deque[tuple[int, int, Event, Decision]] = deque(maxlen=KEPT)
        self._marks: list[int] = []
        """Sequence numbers of the records whose places are known."""
        self._places: list[tuple[Path, int]] = []

    def listen_to(self, listeners: Listeners) -> None:
        """Have every decision told."""
        listeners.add(self.on_record)

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Keep one decision; the oldest kept one goes."""
        self._records.append((seq, now_ns, event, decision))
        if not seq % MARK_EVERY:
            self._marks.append(seq + 1)
            self._places.append(self._journal.place)
            if len(self._places) > PLACES_MAX:
                del self._marks[1::2], self._places[1::2]

    def find(self, seq: int) -> Record | None:
        """Return decision `seq`, None when there is none or the record can't be read."""
        records = self._records
        if seq < 1 or not records or seq > records[-1][0]:
            return None
        first_seq = records[0][0]
        if seq >= first_seq:
            _, now_ns, event, decision = records[seq - first_seq]
            return Record(seq, now_ns, cast("AnyEvent", event), decision)
        try:
            found = self._near(seq) or next(read_run(self._journal.directory, seq), None)
        except JournalError:
            return None
        return found if found is not None and found.seq == seq else None

    def _near(self, seq: int) -> Record | None:
        """Return the record when it is in the segment of a known place before it.

        With `disk` durability a decision is shown when it is safe, and the place noted then lies
        behind what was appended meanwhile; so a place before the nearest is tried too.
        """
        mark = bisect_right(self._marks, seq) - 1
        for place in self._places[max(mark - PLACES_TRIED + 1, 0) : mark + 1][::-1]:
            found = _first_from(seq, place)
            if found is not None and found.seq == seq:
                return found
        return None


def _first_from(seq: int, place: tuple[Path, int]) -> Record | None:
    """Return the first record from a place on whose number is not below `seq`."""
    for _, payload in SegmentReader(*place).frames():
        content = decode_payload(payload)
        if isinstance(content, Record) and content.seq >= seq:
            return content
    return None
