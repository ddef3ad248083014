"""The record: every event and its decision, in segments that can be verified and replayed.

`docs/record.md` states the format. `writer` appends, `reader` reads (also while a run is being
written), `verify` proves a run whole or names the byte at which it is not.
"""

from gateway.journal.errors import (
    JournalCorruptError,
    JournalDeletedError,
    JournalError,
    JournalFullError,
    JournalKeyError,
    JournalManifestError,
    JournalUnreadableError,
)
from gateway.journal.frame import Record
from gateway.journal.manifest import Manifest, Run, find_run, latest_run, runs
from gateway.journal.reader import read_run
from gateway.journal.writer import JournalWriter, start_run

__all__ = [
    "JournalCorruptError",
    "JournalDeletedError",
    "JournalError",
    "JournalFullError",
    "JournalKeyError",
    "JournalManifestError",
    "JournalUnreadableError",
    "JournalWriter",
    "Manifest",
    "Record",
    "Run",
    "find_run",
    "latest_run",
    "read_run",
    "runs",
    "start_run",
]
