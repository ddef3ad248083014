"""Appending to the record.

With `process` durability `append` puts one record into the mapped segment. The bytes are then with
the kernel: they survive the end of this process however it comes, not the loss of power. With
`disk` durability the segment is in memory, and a record is safe when a later sync has written it
and the disk has confirmed it: `sync_point` says up to where, `sync` does it in a thread of its own,
and `synced` takes the word back to the writer.
"""

import hashlib
import zlib
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.journal.disk import REAL_DISK, Disk, SegmentFile
from gateway.journal.errors import JournalError
from gateway.journal.frame import (
    FORMAT_VERSION,
    FRAME_HEAD,
    FRAME_HEAD_BYTES,
    PAYLOAD_BYTES_MAX,
    Checkpoint,
    Control,
    Header,
    Seal,
    SyncMark,
    control_payload,
)
from gateway.journal.manifest import (
    Durability,
    Manifest,
    SealedSegment,
    make_run_directory,
    new_manifest,
    write_manifest,
)
from gateway.journal.segment import SEGMENT_BYTES, SegmentSupply
from rules.decisions import Decision
from rules.events import Event
from rules.rulebook import Rulebook

CHECKPOINT_EVERY: Final = 1024
"""Records between two checkpoints: one follows every seq that is a multiple of this."""
SEGMENT_BYTES_MIN: Final = 1024
_DIGEST_EVERY: Final = 16
"""Records hashed at once: few enough that no single append pays for many."""
_RESERVE_BYTES: Final = 256
"""Room kept for a checkpoint and the seal after the last record that fits."""
_MARK_BYTES_MAX: Final = 40
"""The longest frame of a sync mark."""


class SyncPoint(NamedTuple):
    """Up to where a sync vouches for the record."""

    seq: int
    segment: SegmentFile
    number: int
    """Of the segment."""
    position: int
    """Bytes written in the segment."""


class _Finished(NamedTuple):
    """A sealed segment that is not synced."""

    segment: SegmentFile
    sealed: SealedSegment


def start_run(
    data: Path,
    rulebook: Rulebook,
    started_ns: int,
    segment_bytes: int = SEGMENT_BYTES,
    durability: Durability = "process",
    config_digest: str = "",
    *,
    first_seq: int = 1,
    disk: Disk = REAL_DISK,
    reserve: Path | None = None,
    previous: str = "",
    engine: str = "",
) -> "JournalWriter":
    """Begin a run in a directory of its own below `data` and return its writer.

    The run's records begin with `first_seq`, and it continues run `previous`. `reserve` is the
    directory of reserves, which readers find in the manifest. Raises JournalError when the
    directory or the first segment can't be made.
    """
    directory = make_run_directory(data, started_ns)
    manifest = new_manifest(
        directory.name, rulebook, started_ns, segment_bytes, durability, config_digest
    )
    manifest.previous, manifest.engine = previous, engine
    if reserve is not None:
        manifest.reserve = str((reserve / directory.name).absolute())
    return JournalWriter(directory, manifest, first_seq=first_seq, disk=disk)


class JournalWriter:
    """The one writer of a run, or of the reserve that continues it.

    `appended_seq` is the last record that was appended, `recorded_seq` the last that is safe in the
    sense of the run's durability. `fault` is empty while all is well; else it says why the record
    will end when the present segment is full, or why the manifest could not be renewed.
    """

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        supply: SegmentSupply | None = None,
        *,
        first_seq: int = 1,
        disk: Disk = REAL_DISK,
        made_ahead: bool = False,
    ) -> None:
        """Begin a run; what is `made_ahead` has its manifest and waits for nothing of the disk."""
        if manifest.segment_bytes < SEGMENT_BYTES_MIN:
            raise JournalError(
                f"segment_bytes is {manifest.segment_bytes}; at least {SEGMENT_BYTES_MIN} is needed"
            )
        self.directory = directory
        self.manifest = manifest
        manifest.first_seq = first_seq
        self.synced_first = manifest.durability == "disk"
        """Whether a record is safe only when it is synced."""
        self.appended_seq = first_seq - 1
        self.closed = False
        self._disk = disk
        self._synced_seq = first_seq - 1
        self._finished: deque[_Finished] = deque()
        self._finished_number = 0
        """Of the last sealed segment that is synced."""
        self._manifest_fault = ""
        self._encode = msgspec.msgpack.Encoder().encode
        self._supply = supply or SegmentSupply(
            directory, manifest.segment_bytes, disk, synced=self.synced_first
        )
        self._number = 0
        self._position = 0
        self._capacity = 0
        self._first_seq = first_seq
        self._first_ns = 0
        self._last_ns = 0
        self._digest = hashlib.sha256()
        self._digested = 0
        if not made_ahead:
            try:
                self._write_manifest()
            except OSError as error:
                raise JournalError(f"cannot write the manifest of {directory}: {error}") from error
        self._begin(self._open(self._supply.take(1, manifest.segment_bytes)), b"")
        if self.synced_first and not made_ahead:
            try:
                self._segment.sync(self._position)
                disk.sync_directory(directory)
                disk.sync_directory(directory.parent)
            except OSError as error:
                raise JournalError(f"cannot sync {directory}: {error}") from error

    @property
    def recorded_seq(self) -> int:
        """The last record that is safe in the sense of the run's durability."""
        return self._synced_seq if self.synced_first else self.appended_seq

    @property
    def fault(self) -> str:
        """Why the record is in trouble, empty when it is not."""
        return self._supply.fault or self._manifest_fault

    def prepared(self) -> bool:
        """Wait until the next segment is made, and tell whether it could be."""
        return self._supply.wait()

    @property
    def place(self) -> tuple[Path, int]:
        """Segment and offset at which the next record goes, if it fits there."""
        return self._segment.path, self._position

    def append(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Record an event and its decision; with `process` durability it is safe on return.

        `seq` must be `appended_seq + 1`. Raises JournalError, JournalFullError among them, OSError,
        or what the encoder raises; the records before are untouched then, and the same record may
        be tried again.
        """
        if seq != self.appended_seq + 1 or self.closed:
            raise self._refusal(seq)
        payload = self._encode((seq, now_ns, event, decision))
        length = len(payload)
        begin = self._position + FRAME_HEAD_BYTES
        if begin + length > self._capacity:
            self._roll(length)
            begin = self._position + FRAME_HEAD_BYTES
        end = begin + length
        # The head goes in last, and in one store: a process killed in between leaves a length of
        # zero, which no reader takes for a frame.
        self._map[begin:end] = payload
        self._map[begin - FRAME_HEAD_BYTES : begin] = FRAME_HEAD.pack(length, zlib.crc32(payload))
        self._position = end
        self.appended_seq = seq
        self._last_ns = now_ns
        if not self._first_ns:
            self._first_ns = now_ns
        if not seq % _DIGEST_EVERY:
            self._take_digest()
            if not seq % CHECKPOINT_EVERY:
                self._put(Checkpoint(seq, self._digest.digest()))

    # --- Syncing ------------------------------------------------------------------------------

    def sync_point(self) -> SyncPoint:
        """Return up to where a sync that begins now would vouch."""
        return SyncPoint(self.appended_seq, self._segment, self._number, self._position)

    def sync(self, point: SyncPoint) -> None:
        """Bring everything up to `point` to the disk; raises OSError, and must not be retried then.

        Called in a thread of its own. A sealed segment, and the names in the directory, come before
        anything of the next segment counts.
        """
        if self._finished:
            self._sync_finished()
        if point.number > self._finished_number:
            point.segment.sync(point.position)

    def synced(self, point: SyncPoint) -> None:
        """Take the word that `sync` has returned: the records up to `point` are safe.

        The mark that says so is written now and synced with what comes next.
        """
        self._synced_seq = point.seq
        room = self._capacity - self._position - _MARK_BYTES_MAX
        if point.number == self._number and room >= 0 and not self.closed:
            self._put(SyncMark(point.seq, point.position))

    def _sync_finished(self) -> None:
        while self._finished:
            segment, sealed = self._finished[0]
            segment.sync(sealed.bytes)
            self._finished_number = sealed.number
            segment.close(sealed.bytes)
            self._disk.sync_directory(self.directory)
            self._list(sealed)
            self._finished.popleft()

    # --- The end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Seal the segment and mark the run as ended; a second call does nothing.

        Raises JournalError when the disk or the manifest can't be written; the records are whole
        even so.
        """
        if self.closed:
            return
        self.closed = True
        try:
            sealed = self._seal()
            if self.synced_first:
                self._sync_finished()
                self._segment.sync(sealed.bytes)
            self._segment.close(sealed.bytes)
            self._supply.discard()
            self.manifest.segments.append(sealed)
            self.manifest.status = "ended"
            self.manifest.ended_ns = self._last_ns
            self._write_manifest()
        except OSError as error:
            raise JournalError(f"cannot close the record in {self.directory}: {error}") from error

    def abandon(self) -> None:
        """Write nothing more to this record, whose disk has failed; its files stay as they are.

        They are not even closed: a sync may be stuck in one of them.
        """
        self.closed = True

    # --- Segments -----------------------------------------------------------------------------

    def _refusal(self, seq: int) -> JournalError:
        if self.closed:
            return JournalError(f"record {seq} came after the journal was closed")
        return JournalError(
            f"record {seq} came after record {self.appended_seq}; numbers have no gap"
        )

    def _roll(self, length: int) -> None:
        """Seal the present segment and go on in a new one with room for `length` bytes."""
        if length > PAYLOAD_BYTES_MAX:
            raise JournalError(f"a record has {length} bytes; at most {PAYLOAD_BYTES_MAX} fit")
        # Whatever can fail comes before the seal, so that the same record can be tried again.
        path = self._supply.take(self._number + 1, length + 2 * _RESERVE_BYTES)
        segment, finished = self._open(path), self._segment
        sealed = self._seal()
        if self.synced_first:
            # Before anything of the next segment is there, so that no sync can pass it over.
            self._finished.append(_Finished(finished, sealed))
        self._begin(segment, bytes.fromhex(sealed.digest))
        if not self.synced_first:
            finished.close(sealed.bytes)
            self._list(sealed)

    def _list(self, sealed: SealedSegment) -> None:
        """Enter a sealed segment into the manifest; the record itself does not depend on it."""
        self.manifest.segments.append(sealed)
        try:
            self._write_manifest()
            self._manifest_fault = ""
        except OSError as error:
            self._manifest_fault = f"cannot write the manifest of {self.directory}: {error}"

    def _write_manifest(self) -> None:
        write_manifest(self.directory, self.manifest, self._disk, self.synced_first)

    def _open(self, path: Path) -> SegmentFile:
        try:
            return self._disk.open_segment(path, self.synced_first)
        except OSError as error:
            raise JournalError(f"cannot open {path}: {error}") from error

    def _begin(self, segment: SegmentFile, previous_digest: bytes) -> None:
        """Go on in `segment`: write its header and have the one after it prepared."""
        self._segment = segment
        self._map = segment.map
        self._number += 1
        self._position = 0
        self._capacity = segment.size - _RESERVE_BYTES
        self._first_seq = self.appended_seq + 1
        self._first_ns = 0
        self._digest = hashlib.sha256()
        self._digested = 0
        self._put(
            Header(
                FORMAT_VERSION,
                self.manifest.run_id,
                self._number,
                self._first_seq,
                previous_digest,
            )
        )
        self._supply.prepare()

    def _put(self, control: Control) -> None:
        payload = control_payload(control)
        begin = self._position + FRAME_HEAD_BYTES
        end = begin + len(payload)
        self._map[begin:end] = payload
        self._map[self._position : begin] = FRAME_HEAD.pack(len(payload), zlib.crc32(payload))
        self._position = end

    def _take_digest(self) -> None:
        self._digest.update(self._map[self._digested : self._position])
        self._digested = self._position

    def _seal(self) -> SealedSegment:
        """Write the seal and return the segment's entry for the manifest."""
        self._take_digest()
        count = self.appended_seq - self._first_seq + 1
        self._put(Seal(self.appended_seq, count, self._digest.digest()))
        return SealedSegment(
            number=self._number,
            file=self._segment.path.name,
            first_seq=self._first_seq,
            last_seq=self.appended_seq,
            count=count,
            first_ns=self._first_ns,
            last_ns=self._last_ns if count else 0,
            bytes=self._position,
            digest=self._digest.hexdigest(),
        )
