"""Runs that never served: what a start leaves that was killed, or found no room, before it did.

A start makes the directory, the manifest, the first segment and the snapshot it goes on from, one
after the other, and records that it serves only when all of it is there. Nobody was told anything
until then. So where one of these is missing nothing is lost; a recovery passes over such a run, and
so does who reads the record.
"""

from pathlib import Path

from gateway.journal.errors import JournalError
from gateway.journal.manifest import MANIFEST_NAME, Manifest, read_manifest, run_directories
from gateway.journal.reader import read_run
from gateway.journal.reserve import begun_seq, find_reserve, reserve_root
from gateway.journal.segment import segment_numbers
from gateway.journal.snapshot_file import START_SNAPSHOT, snapshot_seqs
from gateway.journal.tombstone import TOMBSTONE_NAME
from rules.events import RunBegan


def unserved(directory: Path) -> str:
    """Return what is missing of a run that can't be read and never served, empty for any other.

    A run of which anything shows that it did serve is none of these, whatever is missing of it: a
    snapshot, a reserve, a closed segment, what retention has deleted, or another run that continues
    it. Nor is one whose records can't be read. Never raises JournalError.
    """
    if not directory.is_dir() or (directory / START_SNAPSHOT).exists():
        return ""
    try:
        missing = _missing(directory)
        return "" if missing and _shows_service(directory) else missing
    except JournalError:
        return ""


def _missing(directory: Path) -> str:
    """Return what is missing of a run without the snapshot a run may begin with."""
    present = segment_numbers(directory)
    if not (directory / MANIFEST_NAME).exists():
        return "" if present else "it has neither a manifest nor records"
    manifest = read_manifest(directory)
    if any(segment.number not in present for segment in manifest.segments):
        return ""
    if not present:
        return "it has no records"
    if not manifest.previous:
        # It begins with nothing, so it can be read from its first record on.
        return ""
    if any(isinstance(record.event, RunBegan) for record in read_run(directory)):
        return ""
    return f"it lacks the snapshot of run {manifest.previous}, which it was to continue"


def _shows_service(directory: Path) -> bool:
    """Tell whether anything but the missing files shows that a run served."""
    if snapshot_seqs(directory) or (directory / TOMBSTONE_NAME).exists():
        return True
    data = directory.absolute().parent
    if begun_seq(reserve_root(data) / directory.name):
        return True
    if (directory / MANIFEST_NAME).exists() and find_reserve(directory) is not None:
        return True
    others = run_directories(data)
    return any(_continues(path, directory.name) for path in others)


def _continues(path: Path, run_id: str) -> bool:
    """Tell whether the run in `path` goes on from another."""
    try:
        manifest: Manifest = read_manifest(path)
    except JournalError:
        return False
    return manifest.previous == run_id
