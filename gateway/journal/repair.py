"""What is done to a run nobody writes any more: its torn end cut, its last segment closed.

The caller holds the lock of the data directory. A run that is damaged is not repaired but set
aside, whole, with a note of what was found.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.journal.archive import open_segment, stored_forms
from gateway.journal.durable import (
    put_in_place,
    remove_durably,
    replace_durably,
    sync_directory,
    write_new,
)
from gateway.journal.errors import JournalCorruptError, JournalError, JournalUnreadableError
from gateway.journal.frame import (
    Header,
    Record,
    RecordHead,
    Seal,
    control_payload,
    decode_head,
    decode_payload,
    framed,
)
from gateway.journal.manifest import (
    Run,
    SealedSegment,
    read_manifest,
    run_directories,
    write_manifest,
)
from gateway.journal.reader import SegmentReader, segment_begun, segment_confirmed
from gateway.journal.reserve import reserve_root
from gateway.journal.segment import PREPARED_NAME, segment_name, segment_numbers
from gateway.journal.snapshot_file import snapshot_seqs
from gateway.journal.tail import examine_tail, frames_within
from gateway.journal.verification import Verification
from rules.values import INT63_MAX

QUARANTINE_NAME: Final = "quarantine"
"""Directory of the data directory that damaged runs are moved to."""
NOTE_NAME: Final = "quarantine.json"
TORN_MARK: Final = ".torn-"
"""Follows the name of a segment in the name of what was cut from it; then comes the offset."""


class TornTail(NamedTuple):
    """A torn end that was cut."""

    segment: Path
    offset: int
    """Where it began; the segment ends here now."""
    torn_bytes: int
    """Bytes cut, those of later segments included."""
    records: int
    """Whole records in it, of a batch that no sync had confirmed; nobody was told of them."""
    kept: tuple[Path, ...]
    """The files the cut bytes are kept in."""


class _Walk(NamedTuple):
    """A segment read to its end."""

    header: Header | None
    last_seq: int
    first_ns: int
    last_ns: int
    end: int
    """Where the valid frames end."""
    seal: Seal | None
    digest: str
    """SHA-256 in hex of the bytes before the seal, or of all that are valid."""


def cut_torn_tail(run: Run, end_seq: int = INT63_MAX) -> TornTail | None:
    """Cut the torn end of a run, None when it has none; what is cut is kept beside the segment.

    With `disk` durability a torn end may go on in segments that were begun and never confirmed;
    they are set aside whole. `end_seq` is the first record of the reserve that continues the run:
    what the run's own segments hold from there on is not part of it, and is cut like a torn end
    whatever it is. A crash at any step leaves an end that the next call cuts. Raises
    JournalCorruptError when it is damage and not a torn end, JournalUnreadableError, and OSError.
    """
    for number in segment_numbers(run.path):
        if run.manifest.sealed(number) is None:
            path = run.path / segment_name(number)
            walk = _walk(path, end_seq)
            if walk.seal is None:
                return _cut_at(run, path, walk, complete=walk.last_seq >= end_seq - 1)
    return None


def _cut_at(run: Run, path: Path, walk: _Walk, complete: bool) -> TornTail | None:
    """Cut what follows the valid frames of the first segment that has no seal.

    `complete` says that all that counts is before, so that nothing further on proves damage.
    """
    durability = run.manifest.durability
    later = [run.path / segment_name(n) for n in segment_numbers(run.path)]
    later = [file for file in later if file > path and segment_begun(file)]
    confirmed = durability == "process" or any(map(segment_confirmed, later))
    if later and confirmed and not complete:
        raise JournalCorruptError(path, walk.end, "a frame is damaged, and another segment follows")
    tail = examine_tail(path, walk.end, max(walk.last_seq + 1, 1), durability)
    if tail.proof_offset is not None and not complete:
        raise JournalCorruptError(
            path, walk.end, f"a frame is damaged; valid ones go on at byte {tail.proof_offset}"
        )
    torn_bytes, records = tail.torn_bytes, tail.records
    kept = []
    for file in reversed(later):
        found = examine_tail(file, 0, 1, durability)
        torn_bytes, records = torn_bytes + found.torn_bytes, records + found.records
        aside = file.with_name(f"{file.name}{TORN_MARK}0")
        file.rename(aside)
        sync_directory(run.path)
        kept.append(aside)
    if tail.torn_bytes:
        aside = path.with_name(f"{path.name}{TORN_MARK}{walk.end}")
        with open_segment(path) as source:
            put_in_place(write_new(aside, (source.read_at(walk.end, tail.torn_bytes),)), aside)
        _cut(path, walk.end)
        kept.append(aside)
    if not kept:
        return None
    return TornTail(path, walk.end, torn_bytes, records, tuple(reversed(kept)))


def close_abandoned(run: Run, end_seq: int = INT63_MAX) -> list[SealedSegment]:
    """Seal what a killed writer left open and complete the manifest; return the new entries.

    The torn end is cut first, and what is not part of the run from `end_seq` on. The run keeps its
    status, since its writer did not end it. Only for runs that were verified: a seal vouches for
    what is there now. Raises as `cut_torn_tail`.
    """
    cut_torn_tail(run, end_seq)
    added: list[SealedSegment] = []
    digest = b""
    for number in segment_numbers(run.path):
        entry = run.manifest.sealed(number)
        if entry is None:
            path = run.path / segment_name(number)
            walk = _walk(path)
            if walk.header is None:
                # Taken by the writer and never begun.
                remove_durably(path)
                continue
            if walk.header.previous_digest != digest and number > 1:
                raise JournalCorruptError(
                    path, 0, "the header names another digest of the segment before"
                )
            entry = _closed(path, walk)
            added.append(entry)
        digest = bytes.fromhex(entry.digest)
    remove_durably(run.path / PREPARED_NAME)
    if added:
        run.manifest.segments = sorted([*run.manifest.segments, *added], key=lambda s: s.number)
        write_manifest(run.path, run.manifest, synced=True)
    return added


def _closed(path: Path, walk: _Walk) -> SealedSegment:
    """Return the entry of a segment that is not in the manifest, sealing it if it is not."""
    assert walk.header is not None
    count = walk.last_seq - walk.header.first_seq + 1
    end = walk.end
    if walk.seal is None:
        _cut(path, end)
        seal = framed(control_payload(Seal(walk.last_seq, count, bytes.fromhex(walk.digest))))
        with path.open("r+b", buffering=0) as file:
            file.seek(end)
            file.write(seal)
            os.fsync(file.fileno())
        end += len(seal)
    else:
        _cut(path, end)
    return SealedSegment(
        number=walk.header.number,
        file=path.name,
        first_seq=walk.header.first_seq,
        last_seq=walk.last_seq,
        count=count,
        first_ns=walk.first_ns,
        last_ns=walk.last_ns,
        bytes=end,
        digest=walk.digest,
    )


def _walk(path: Path, end_seq: int = INT63_MAX) -> _Walk:
    """Read the frames of a segment to the first that is not valid, to the seal, or to `end_seq`."""
    header: Header | None = None
    seal: Seal | None = None
    last_seq = first_ns = last_ns = end = digested = 0
    reader = SegmentReader(path)
    for offset, payload in reader.frames():
        try:
            content = decode_head(payload)
        except JournalUnreadableError as error:
            raise JournalUnreadableError(f"{path} at byte {offset}: {error}") from None
        if isinstance(content, RecordHead) and content.seq >= end_seq:
            break
        end = digested = reader.offset
        if isinstance(content, RecordHead):
            if header is None or content.seq != last_seq + 1:
                raise JournalCorruptError(
                    path, offset, f"record {content.seq} where {last_seq + 1} should be"
                )
            last_seq, last_ns = content.seq, content.now_ns
            first_ns = first_ns or last_ns
        elif isinstance(content, Header) and not offset:
            header, last_seq = content, content.first_seq - 1
        elif isinstance(content, Seal):
            seal, digested = content, offset
            break
    digest = hashlib.sha256()
    with open_segment(path) as source:
        position = 0
        while part := source.read_at(position, min(1 << 20, digested - position)):
            digest.update(part)
            position += len(part)
    return _Walk(header, last_seq, first_ns, last_ns, end, seal, digest.hexdigest())


def _cut(path: Path, length: int) -> None:
    """Make a segment `length` bytes long, on the disk when this returns."""
    if path.stat().st_size == length:
        return
    os.truncate(path, length)
    with path.open("rb") as file:
        os.fsync(file.fileno())


class QuarantineNote(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run was set aside, and what of it must not be used again."""

    run: str
    at_ns: int
    actor: str
    reason: str
    last_seq: int
    """The highest number found anywhere in the run, damaged parts included."""
    findings: tuple[dict[str, Any], ...]
    """What `log verify` found."""


def quarantine_run(path: Path, found: Verification, actor: str, reason: str, at_ns: int) -> Path:
    """Move a damaged run out of the way of the next start, with a note; return where it is now.

    Its manifest need not be readable. The next run must begin beyond `highest_quarantined_seq`.
    Raises OSError and JournalError.
    """
    note = QuarantineNote(
        run=path.name,
        at_ns=at_ns,
        actor=actor,
        reason=reason,
        last_seq=_highest_seq(path),
        findings=tuple(msgspec.to_builtins(finding) for finding in found.findings),
    )
    aside = path.parent / QUARANTINE_NAME
    target = aside / path.name
    if target.exists():
        raise JournalError(f"{target} is there already")
    text = msgspec.json.format(msgspec.json.encode(note), indent=2)
    replace_durably(path / NOTE_NAME, text + b"\n")
    aside.mkdir(exist_ok=True)
    path.rename(target)
    sync_directory(aside)
    sync_directory(path.parent)
    return target


def highest_quarantined_seq(data: Path) -> int:
    """Return the highest number of the runs that were set aside, 0 when there are none.

    Raises JournalUnreadableError when a note can't be read.
    """
    highest = 0
    for directory in run_directories(data / QUARANTINE_NAME):
        path = directory / NOTE_NAME
        try:
            note = msgspec.json.decode(path.read_bytes(), type=QuarantineNote)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise JournalUnreadableError(f"{path}: not a note of a quarantine: {error}") from None
        highest = max(highest, note.last_seq)
    return highest


def _highest_seq(directory: Path) -> int:
    """Return the highest number of a run's records that can be found by any means.

    Its reserve, which stays where it is, counts too.
    """
    parts = [directory, reserve_root(directory.absolute().parent) / directory.name]
    listed: list[SealedSegment] = []
    with suppress(JournalError):
        manifest = read_manifest(directory)
        listed = manifest.segments
        parts += [Path(manifest.reserve)] if manifest.reserve else []
    highest = max((entry.last_seq for entry in listed), default=0)
    for seq, _ in snapshot_seqs(directory):
        highest = max(highest, seq)
    for part in filter(Path.is_dir, parts):
        for number in segment_numbers(part):
            path = part / segment_name(number)
            if stored_forms(path)[0].form == "plain" or not listed:
                highest = max(highest, _highest_within(path))
            # Else it is closed, so the manifest has it.
    return highest


def _highest_within(path: Path) -> int:
    """Return the highest number in a segment, beyond damage too."""
    highest = 0
    with suppress(JournalError):
        reader = SegmentReader(path)
        for _, payload in reader.frames():
            highest = max(highest, _seq(payload))
        with open_segment(path) as source:
            rest = source.read_at(reader.offset, source.size - reader.offset)
        for _, payload in frames_within(rest, str(path)):
            highest = max(highest, _seq(payload))
    return highest


def _seq(payload: bytes) -> int:
    try:
        content = decode_payload(payload)
    except JournalUnreadableError:
        return 0
    match content:
        case Record():
            return content.seq
        case Header():
            return content.first_seq - 1
        case Seal():
            return content.last_seq
        case _:
            return content.seq
