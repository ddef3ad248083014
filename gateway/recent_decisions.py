"""The newest decisions in memory, and the record behind them, for look-ups by number."""

from collections import deque
from pathlib import Path
from typing import Final, cast

from gateway.journal import JournalError, Record, read_run
from rules.decisions import Decision
from rules.events import AnyEvent, Event

KEPT: Final = 16_384


class RecentDecisions:
    """Finds a recorded decision by its sequence number; `run` is the directory of the record."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._records: deque[Record] = deque(maxlen=KEPT)

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Keep one decision; the oldest kept one goes."""
        self._records.append(Record(seq, now_ns, cast("AnyEvent", event), decision))

    def find(self, seq: int) -> Record | None:
        """Return decision `seq`, None when there is none or the record can't be read."""
        records = self._records
        if seq < 1 or not records or seq > records[-1].seq:
            return None
        if seq >= records[0].seq:
            return records[seq - records[0].seq]
        try:
            found = next(read_run(self._run, seq), None)
        except JournalError:
            return None
        return found if found is not None and found.seq == seq else None
