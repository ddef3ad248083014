"""The check of one segment, byte by byte."""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from gateway.journal.archive import open_segment
from gateway.journal.errors import JournalCorruptError, JournalUnreadableError
from gateway.journal.frame import (
    FORMAT_VERSION,
    Checkpoint,
    Control,
    Header,
    Record,
    Seal,
    decode_payload,
)
from gateway.journal.manifest import Manifest, SealedSegment
from gateway.journal.reader import SegmentReader, segment_confirmed
from gateway.journal.segment import segment_name
from gateway.journal.source import Source
from gateway.journal.tail import examine_tail
from gateway.journal.verification import Finding, Kind, Progress, Verification
from rules.events import RunBegan
from rules.values import INT63_MAX

_CHUNK_BYTES: Final = 1 << 20


class Link(NamedTuple):
    """What the next segment goes on from."""

    next_seq: int
    digest: bytes
    """In the seal of the segment before, empty when that has none."""


class _Stop(Exception):  # noqa: N818 - ends the walk through one segment, nothing more
    """The rest of the segment can't be judged."""


class SegmentCheck:
    """The walk through one segment."""

    def __init__(
        self,
        path: Path,
        number: int,
        manifest: Manifest,
        previous: Link | None,
        result: Verification,
        followed: bool,
        progress: Progress | None,
    ) -> None:
        self.path = path
        self.number = number
        self.manifest = manifest
        self.previous = previous
        self.result = result
        self.followed = followed
        self.progress = progress
        self.entry: SealedSegment | None = manifest.sealed(number)
        self.end_seq = INT63_MAX
        """First record that does not count any more: a reserve has it."""
        self.first_seq = 0
        self.next_seq = 0
        """Record expected next, 0 before the header."""
        self.count = 0
        self.first_ns = self.last_ns = 0
        """Times of the first and the last record, 0 while there is none."""
        self.sealed_bytes = 0
        """Where the seal ends, 0 before it."""
        self.digest = b""
        """The digest in the seal, empty before it."""
        self.trusted_offset = 0
        """Everything before it is proven by a digest."""
        self.began: RunBegan | None = None
        """The record in which the run says that it serves, once that was found."""
        self._hash = hashlib.sha256()
        self._hashed = 0

    def report(self, kind: Kind, offset: int, message: str) -> None:
        """Add a finding."""
        self.result.findings.append(Finding(kind, str(self.path), offset, message))

    def closed_entry(self) -> SealedSegment:
        """Return what the segment holds, once its seal was found."""
        return SealedSegment(
            number=self.number,
            file=self.path.name,
            first_seq=self.first_seq,
            last_seq=self.next_seq - 1,
            count=self.count,
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            bytes=self.sealed_bytes,
            digest=self.digest.hex(),
        )

    def run(self) -> None:
        """Check the whole segment."""
        try:
            with open_segment(self.path) as source:
                reader = SegmentReader(self.path)
                self.result.segments += 1
                for offset, payload in reader.frames():
                    self._frame(source, offset, payload)
                    if self.digest:
                        break
                self._end(source, reader.offset)
                self.result.bytes += reader.offset
        except _Stop:
            return
        except JournalCorruptError as error:
            self.result.findings.append(
                Finding("corrupt", str(error.path), error.offset, error.message)
            )
        except OSError as error:
            self.report("unreadable", 0, error.strerror or str(error))
        except JournalUnreadableError as error:
            self.report("unreadable", 0, str(error))

    def _frame(self, source: Source, offset: int, payload: bytes) -> None:
        try:
            content = decode_payload(payload)
        except JournalUnreadableError as error:
            self._stop("unreadable", offset, str(error))
        if offset == 0 or isinstance(content, Header):
            self._header(offset, content)
        elif isinstance(content, Record):
            if self.next_seq >= self.end_seq:
                raise _Stop
            if content.seq != self.next_seq:
                self._stop(
                    "corrupt", offset, f"record {content.seq} where {self.next_seq} should be"
                )
            self.next_seq += 1
            self.count += 1
            self.first_ns = self.first_ns or content.now_ns
            self.last_ns = content.now_ns
            self.result.records += 1
            self.result.last_seq = content.seq
            if not self.result.first_seq:
                self.result.first_seq = content.seq
            if isinstance(content.event, RunBegan):
                self.began = content.event
        elif isinstance(content, Checkpoint):
            self.result.checkpoints += 1
            self._digest(source, offset, content.seq, content.digest, "checkpoint")
        elif isinstance(content, Seal):
            self._seal(source, offset, content)
        else:
            self.result.sync_marks += 1

    def _header(self, offset: int, content: Record | Control) -> None:
        if offset or not isinstance(content, Header):
            self._stop("corrupt", offset, "a segment begins with a header and has no other")
        if content.format_version > FORMAT_VERSION:
            self._stop(
                "unreadable",
                0,
                f"format version {content.format_version}; this version reads up to "
                f"{FORMAT_VERSION}",
            )
        if content.run_id != self.manifest.run_id or content.number != self.number:
            self._stop(
                "corrupt", 0, f"the header is of segment {content.number} of run {content.run_id}"
            )
        before = self.previous
        if before is None and self.manifest.first_seq not in (0, content.first_seq):
            self.report(
                "corrupt",
                0,
                f"the first record is {content.first_seq}, not {self.manifest.first_seq}",
            )
        if before is not None and before.digest:
            if content.first_seq != before.next_seq:
                self.report(
                    "corrupt",
                    0,
                    f"the segment begins with record {content.first_seq} instead of "
                    f"{before.next_seq}",
                )
            if content.previous_digest != before.digest:
                self.report("corrupt", 0, "the header names another digest of the segment before")
        self.first_seq = self.next_seq = content.first_seq

    def _digest(self, source: Source, offset: int, seq: int, digest: bytes, what: str) -> None:
        """Hold the digest in a frame at `offset` against the bytes before it."""
        while self._hashed < offset:
            chunk = source.read_at(self._hashed, min(_CHUNK_BYTES, offset - self._hashed))
            if not chunk:
                self._stop("corrupt", self._hashed, "the file became shorter while it was read")
            self._hash.update(chunk)
            self._hashed += len(chunk)
            if self.progress is not None:
                self.progress(self.result.bytes + self._hashed)
        if self._hash.digest() != digest:
            self._stop(
                "corrupt",
                self.trusted_offset,
                f"the bytes from here to {offset} are not those the {what} at {offset} vouches for",
            )
        if seq != self.next_seq - 1:
            self._stop("corrupt", offset, f"the {what} names record {seq}, not {self.next_seq - 1}")
        self.trusted_offset = offset

    def _seal(self, source: Source, offset: int, seal: Seal) -> None:
        self._digest(source, offset, seal.last_seq, seal.digest, "seal")
        if seal.count != self.count:
            self.report(
                "corrupt", offset, f"the seal counts {seal.count} records, not {self.count}"
            )
        if self.entry is not None and (
            self.entry.digest != seal.digest.hex() or self.entry.count != seal.count
        ):
            self.report("corrupt", offset, "the manifest has another digest or count than the seal")
        elif self.entry is not None:
            self._entry(self.entry, offset)
        self.digest = seal.digest
        self.result.sealed += 1

    def _entry(self, entry: SealedSegment, offset: int) -> None:
        """Hold what the manifest says of a closed segment against its records."""
        for field, found in (
            ("file", self.path.name),
            ("first_seq", self.first_seq),
            ("last_seq", self.next_seq - 1),
            ("first_ns", self.first_ns),
            ("last_ns", self.last_ns),
        ):
            said = getattr(entry, field)
            if said != found:
                self.report("corrupt", offset, f"the manifest says {field} {said}, it is {found}")

    def _end(self, source: Source, offset: int) -> None:
        """Judge what stands at `offset`, where the valid frames or the sealed part end."""
        if self.next_seq >= self.end_seq:
            return
        if self.digest:
            self._after_seal(source, offset)
        elif self.entry is not None:
            self.report("corrupt", offset, "a frame of a sealed segment is damaged or missing")
        elif self.followed and self._next_confirmed():
            self.report("corrupt", offset, "a frame is damaged, and another segment follows")
        else:
            durability = self.manifest.durability
            tail = examine_tail(self.path, offset, max(self.next_seq, 1), durability)
            if tail.proof_offset is not None:
                self._damaged(offset, tail.proof_offset)
            elif self.manifest.status == "ended" and (offset or tail.torn_bytes):
                self.report("corrupt", offset, "the run has ended, but this segment has no seal")
            elif tail.torn_bytes and not self._grown(offset):
                self.result.torn_bytes = tail.torn_bytes
                self.result.torn_file = str(self.path)
                self.result.torn_offset = offset

    def _next_confirmed(self) -> bool:
        """Tell whether the segment that follows proves that this one was safe."""
        following = self.path.with_name(segment_name(self.number + 1))
        return self.manifest.durability == "process" or segment_confirmed(following)

    def _damaged(self, offset: int, proof_offset: int) -> None:
        if not self._grown(offset):
            self.report(
                "corrupt", offset, f"a frame is damaged; valid ones go on at byte {proof_offset}"
            )

    def _grown(self, offset: int) -> bool:
        """Tell whether a writer at work has filled the place while the rest was read."""
        return next(SegmentReader(self.path, offset).frames(), None) is not None

    def _after_seal(self, source: Source, offset: int) -> None:
        """Only the zeros that a writer stopped between seal and cut leaves may follow."""
        self.sealed_bytes = offset
        if self.entry is not None and self.entry.bytes != offset:
            self.report(
                "corrupt", offset, f"the manifest says {self.entry.bytes} bytes, the seal ends here"
            )
        while chunk := source.read_at(offset, _CHUNK_BYTES):
            position = len(chunk) - len(chunk.lstrip(b"\x00"))
            if position < len(chunk):
                self.report("corrupt", offset + position, "there are bytes after the seal")
                return
            offset += len(chunk)

    def _stop(self, kind: Kind, offset: int, message: str) -> NoReturn:
        self.report(kind, offset, message)
        raise _Stop
