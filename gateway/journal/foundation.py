"""What a run rests on beside its records: its manifest, and the snapshot it begins with.

The record in which a run says that it serves (`RunBegan`) states a digest of each. So they are under
the digests and signatures of the segments as everything else is, and a manifest or a snapshot that
was exchanged or edited shows.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from gateway.journal.errors import JournalCorruptError, JournalError
from gateway.journal.manifest import MANIFEST_NAME, Manifest
from gateway.journal.snapshot_file import START_SNAPSHOT, read_snapshot_file, snapshot_seqs
from gateway.journal.verification import Finding, Verification
from rules.events import RunBegan

_CHANGING: Final = frozenset(("status", "ended_ns", "segments"))
"""Fields of a manifest that change while the run goes on and when it ends."""


def manifest_digest(manifest: Manifest) -> str:
    """Return the SHA-256, in hex, of the fields of a manifest that never change.

    A field at its default is left out, so one that a later version appends changes nothing.
    """
    blank = Manifest(
        run_id="",
        started_ns=0,
        segment_bytes=0,
        ordergate_version="",
        code_digest="",
        python="",
        packages={},
        platform="",
        rulebook_name="",
        rulebook_revision="",
        rulebook_text="",
    )
    said = {
        name: getattr(manifest, name)
        for name in sorted(Manifest.__struct_fields__)
        if name not in _CHANGING and getattr(manifest, name) != getattr(blank, name)
    }
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def start_digest(directory: Path) -> str:
    """Return the SHA-256, in hex, of the snapshot file a run begins with; empty when it has none.

    Raises OSError.
    """
    path = directory / START_SNAPSHOT
    if not path.exists():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_foundation(
    directory: Path, manifest: Manifest, began: RunBegan | None, result: Verification
) -> None:
    """Hold manifest and snapshots against what the run said of them when it began.

    `began` is None where that record is deleted or never came; files are then only checked in
    themselves.
    """
    if began is not None and began.manifest_digest not in ("", manifest_digest(manifest)):
        message = "is not the manifest the run began with: its record has another digest of it"
        result.findings.append(Finding("corrupt", str(directory / MANIFEST_NAME), 0, message))
    _check_start(directory, began, result)
    for _, path in snapshot_seqs(directory):
        _check_readable(path, result)


def _check_start(directory: Path, began: RunBegan | None, result: Verification) -> None:
    path = directory / START_SNAPSHOT
    if not path.exists():
        if began is not None and began.start_digest:
            result.findings.append(Finding("corrupt", str(path), 0, "the snapshot is missing"))
        return
    if not _check_readable(path, result):
        return
    if began is not None and began.start_digest not in ("", start_digest(directory)):
        message = "is not the snapshot the run began with: its record has another digest of it"
        result.findings.append(Finding("corrupt", str(path), 0, message))


def _check_readable(path: Path, result: Verification) -> bool:
    """Tell whether a snapshot is whole in itself; takes up what is wrong where it is not."""
    result.snapshots += 1
    try:
        read_snapshot_file(path)
    except JournalCorruptError as error:
        result.findings.append(Finding("corrupt", str(path), error.offset, error.message))
        return False
    except JournalError as error:
        result.findings.append(Finding("unreadable", str(path), 0, str(error)))
        return False
    return True
