"""Reading a run, from any record on, also while it is being written.

Every frame's checksum and the unbroken numbering are checked on the way; digests are the work of
`verify`. Files are read, not mapped: the writer cuts a segment when it seals it, and a map of
what is cut off ends the reading process. A segment is named by its plain name and read in whatever
form it is kept; offsets are of the plain bytes.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.journal.archive import open_segment, stored_forms
from gateway.journal.errors import (
    JournalCorruptError,
    JournalError,
    JournalKeyError,
    JournalUnreadableError,
)
from gateway.journal.frame import (
    FORMAT_VERSION,
    FRAME_HEAD,
    FRAME_HEAD_BYTES,
    PAYLOAD_BYTES_MAX,
    Control,
    Header,
    Record,
    RecordHead,
    Seal,
    decode_head,
    decode_payload,
)
from gateway.journal.manifest import Manifest, read_manifest
from gateway.journal.reserve import begun_seq, find_reserve
from gateway.journal.segment import segment_name, segment_numbers
from gateway.journal.source import Source
from gateway.journal.tail import examine_tail
from gateway.journal.tombstone import deleted_error
from rules.values import INT63_MAX

_CHUNK_BYTES: Final = 1 << 20


class SegmentReader:
    """Frames of one segment, in order.

    `offset` is where the next frame is expected; after `frames` has ended it is the first byte
    that was not read as a valid frame. Calling `frames` again goes on from there.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, payload) of each frame up to the first that is missing or not valid.

        Raises JournalUnreadableError when the file can't be read, and JournalCorruptError when an
        archived one is damaged.
        """
        try:
            with open_segment(self.path) as source:
                yield from self._frames(source)
        except OSError as error:
            raise JournalUnreadableError(f"{self.path}: {error.strerror}") from None

    def _frames(self, source: Source) -> Iterator[tuple[int, bytes]]:
        unpack, crc32 = FRAME_HEAD.unpack_from, zlib.crc32
        wanted = _CHUNK_BYTES
        while True:
            base, position = self.offset, 0
            chunk = source.read_at(base, wanted)
            available = len(chunk)
            while position + FRAME_HEAD_BYTES <= available:
                length, checksum = unpack(chunk, position)
                if not 0 < length <= PAYLOAD_BYTES_MAX:
                    return
                begin = position + FRAME_HEAD_BYTES
                end = begin + length
                if end > available:
                    wanted = max(wanted, end - position)
                    break
                payload = chunk[begin:end]
                if crc32(payload) != checksum:
                    return
                self.offset = base + end
                yield base + position, payload
                position = end
            # The chunk ends inside a frame. Reading on from its beginning helps unless the file
            # ends there too, which shows in a chunk shorter than asked for.
            if position == 0 and available < wanted:
                return


class RunReader:
    """Records of a run in order, from `start_seq` on; from its first when that is later.

    Where a reserve continues the run, its records come after those before its first; what else the
    run's own segments hold is passed over. `records` ends where what is written now ends; calling
    it again goes on with what has been added since. `next_seq` is the record that would come next,
    `torn_bytes` the length of a torn end found there. Raises JournalUnreadableError when there is
    no such run.
    """

    def __init__(self, path: Path, start_seq: int = 1) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path)
        self.torn_bytes = 0
        self._start_seq = start_seq
        self._number = self._first_number()
        self._reader = SegmentReader(path / segment_name(self._number))
        self.next_seq = 0
        self._sealed = False
        self._reserve: RunReader | None = None
        self._end_seq = INT63_MAX
        """First record of the reserve."""

    def records(self) -> Iterator[Record]:
        """Yield each record that is there now.

        Raises JournalCorruptError with the place of the first damage met, after everything before it
        was yielded, and JournalUnreadableError, which is JournalDeletedError where retention has
        deleted what would come next.
        """
        if self._reserve is None:
            self._find_reserve()
        if self.next_seq < self._end_seq:
            yield from self._own_records()
        if self._reserve is not None:
            yield from self._reserve_records(self._reserve)

    def _find_reserve(self) -> None:
        """Look whether a reserve continues the run; one may begin while the run is read."""
        place = find_reserve(self.path)
        if place is not None:
            self._end_seq = begun_seq(place)
            self._reserve = RunReader(place, max(self._start_seq, self.next_seq))

    def _reserve_records(self, reserve: "RunReader") -> Iterator[Record]:
        if 0 < self.next_seq < self._end_seq:
            raise self._corrupt(
                f"records {self.next_seq} to {self._end_seq - 1} are missing: {reserve.path} goes "
                f"on with {self._end_seq}"
            )
        for record in reserve.records():
            yield record
            self.next_seq = record.seq + 1
        self.next_seq = max(self.next_seq, reserve.next_seq)
        self.torn_bytes = reserve.torn_bytes

    def _own_records(self) -> Iterator[Record]:
        """Yield the records in the run's own segments, those of a reserve left out."""
        if not stored_forms(self._reader.path):
            if deleted := deleted_error(self.path, self._number):
                raise deleted
            return
        while True:
            yield from self._segment_records()
            if self.next_seq >= self._end_seq:
                return
            if self._sealed:
                if not self._advance():
                    return
            elif self._begun(self._number + 1):
                # The seal comes before the next header, so it is there now if it ever will be.
                yield from self._segment_records()
                if self._is_cut_off():
                    return
            elif self._ends_here():
                return

    def _segment_records(self) -> Iterator[Record]:
        """Yield the records of the present segment from where reading stopped."""
        if self._sealed:
            return
        for offset, payload in self._reader.frames():
            # What nobody asked for is not decoded further than its number.
            wanted = self.next_seq >= self._start_seq
            try:
                content = decode_payload(payload) if wanted else decode_head(payload)
            except JournalUnreadableError as error:
                raise JournalUnreadableError(
                    f"{self._reader.path} at byte {offset}: {error}"
                ) from None
            if isinstance(content, (Record, RecordHead)) and offset:
                if content.seq != self.next_seq:
                    raise self._corrupt(
                        f"record {content.seq} where {self.next_seq} should be", offset
                    )
                if content.seq >= self._end_seq:
                    return
                self.next_seq += 1
                if isinstance(content, Record):
                    yield content
            else:
                self._control(content, offset)
                if self._sealed:
                    return

    def _control(self, content: Record | RecordHead | Control, offset: int) -> None:
        if offset == 0 or isinstance(content, Header):
            if offset or not isinstance(content, Header):
                raise self._corrupt(
                    "a header and the beginning of a segment belong together", offset
                )
            if content.format_version > FORMAT_VERSION:
                raise JournalUnreadableError(
                    f"{self._reader.path}: format version {content.format_version}; this version "
                    f"reads up to {FORMAT_VERSION}"
                )
            if content.number != self._number or content.run_id != self.manifest.run_id:
                raise self._corrupt(
                    f"the header is of segment {content.number} of run {content.run_id}", 0
                )
            if self.next_seq not in (0, content.first_seq):
                raise self._corrupt(
                    f"the segment begins with record {content.first_seq} instead of "
                    f"{self.next_seq}",
                    0,
                )
            self.next_seq = content.first_seq
            if self._number == self._lowest:
                self._check_beginning(content.first_seq)
        elif isinstance(content, Seal):
            if content.last_seq != self.next_seq - 1:
                raise self._corrupt(
                    f"the seal names record {content.last_seq} as the last, not "
                    f"{self.next_seq - 1}",
                    offset,
                )
            self._sealed = True

    def _check_beginning(self, first_seq: int) -> None:
        """Raise unless the first record there is the run's first or not after the one asked for."""
        if self._number == 1:
            # A reserve's manifest is made before it is known where the reserve will begin.
            if self.manifest.first_seq not in (0, first_seq):
                raise self._corrupt(
                    f"the first record is {first_seq}, not {self.manifest.first_seq}", 0
                )
        elif first_seq > self._start_seq:
            if deleted := deleted_error(self.path, self._number - 1):
                raise deleted
            raise self._corrupt(f"records before {first_seq} are missing", 0)

    def _is_cut_off(self) -> bool:
        """Tell whether an unsealed segment ends here although the next one is begun."""
        if self._sealed:
            return False
        if self._confirmed(self._number + 1):
            raise self._corrupt("a frame is damaged, and another segment follows")
        return self._ends_here()

    def _ends_here(self) -> bool:
        """Tell whether what is written ends here; raises JournalCorruptError when damage does."""
        offset = self._reader.offset
        tail = examine_tail(
            self._reader.path, offset, max(self.next_seq, 1), self.manifest.durability
        )
        if tail.proof_offset is None and self.manifest.sealed(self._number) is None:
            self.torn_bytes = tail.torn_bytes
            return True
        # A writer at work may have filled the place while the rest was read.
        if self._grown(offset):
            return False
        if tail.proof_offset is None:
            raise self._corrupt("a frame is damaged; the segment was closed after it", offset)
        raise self._corrupt(
            f"a frame is damaged; valid ones go on at byte {tail.proof_offset}", offset
        )

    def _grown(self, offset: int) -> bool:
        probe = SegmentReader(self._reader.path, offset)
        return next(probe.frames(), None) is not None

    def _advance(self) -> bool:
        """Go on to the next segment; False when there is none yet."""
        if not self._begun(self._number + 1):
            later = [n for n in segment_numbers(self.path) if n > self._number + 1]
            listed = self.manifest.sealed(self._number + 1) is not None
            if listed or (later and self._begun(later[0])):
                if deleted := deleted_error(self.path, self._number + 1):
                    raise deleted
                missing = self.path / segment_name(self._number + 1)
                raise JournalCorruptError(missing, 0, "the segment is missing")
            return False
        self._number += 1
        self._reader = SegmentReader(self.path / segment_name(self._number))
        self._sealed = False
        return True

    def _begun(self, number: int) -> bool:
        """Tell whether a segment exists and its header is written."""
        return segment_begun(self.path / segment_name(number))

    def _confirmed(self, number: int) -> bool:
        """Tell whether a segment that is begun proves that the one before it was safe."""
        path = self.path / segment_name(number)
        return self.manifest.durability == "process" or segment_confirmed(path)

    def _first_number(self) -> int:
        """Return the segment that holds `start_seq`, or the nearest there is."""
        numbers = segment_numbers(self.path)
        self._lowest = numbers[0] if numbers else 1
        for number in reversed(numbers):
            entry = self.manifest.sealed(number)
            first_seq = entry.first_seq if entry is not None else self._header_seq(number)
            if first_seq is not None and first_seq <= self._start_seq:
                return number
        return self._lowest

    def _header_seq(self, number: int) -> int | None:
        """Return the first seq in the header of a segment, None when there is none to be read."""
        try:
            first = next(SegmentReader(self.path / segment_name(number)).frames(), None)
            header = decode_payload(first[1]) if first is not None else None
        except JournalKeyError:
            raise
        except (JournalCorruptError, JournalUnreadableError):
            return None
        return header.first_seq if isinstance(header, Header) else None

    def _corrupt(self, message: str, offset: int | None = None) -> JournalCorruptError:
        at = self._reader.offset if offset is None else offset
        return JournalCorruptError(self._reader.path, at, message)


def segment_begun(path: Path) -> bool:
    """Tell whether a segment exists and its header is written; an archived one always is."""
    forms = stored_forms(path)
    if not forms or forms[0].form != "plain":
        return bool(forms)
    try:
        with open_segment(path) as source:
            return any(source.read_at(0, FRAME_HEAD_BYTES))
    except (OSError, JournalError):
        return False


def segment_confirmed(path: Path) -> bool:
    """Tell whether a mark in a segment says that the disk has confirmed any of it.

    With `disk` durability only then all segments before it were safe: a disk that loses power may
    keep the beginning of a new segment and lose the end of the one before.
    """
    return examine_tail(path, 0, 1, "disk").proof_offset is not None


def read_run(path: Path, start_seq: int = 1) -> Iterator[Record]:
    """Yield the records of the run in `path` from `start_seq` to the last written now.

    A `start_seq` before the run's first record means that one.

    Raises JournalError as `RunReader` does.
    """
    yield from RunReader(path, start_seq).records()


def last_seq(path: Path) -> int:
    """Return the number of the last record of the run in `path`, 0 when it has none.

    Reads the last segment only. Raises JournalError.
    """
    reader = RunReader(path, INT63_MAX)
    for _ in reader.records():
        pass
    return max(reader.next_seq - 1, 0)
