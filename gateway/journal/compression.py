"""Compressed segments: the Zstandard seekable format, which every zstd tool decompresses.

A file is independent frames of 1 MiB each, so that reading can begin anywhere and damage has a
place, then a skippable frame with checksums, then the seek table of the format. Zstandard's own
checksums are of what comes out; ours are of what is in the file, so that any changed byte is found
and none reaches the decompressor.
"""

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

import zstandard

from gateway.journal.errors import JournalCorruptError
from gateway.journal.source import CachedBlocks, Source, blocks

COMPRESSION_LEVEL: Final = 9
"""Zstandard's level unless told otherwise: the work is done once, in the background."""
FRAME_BYTES: Final = 1 << 20
"""Plain bytes of a frame, the last one excepted."""
_FRAME_BYTES_MAX: Final = 1 << 24
"""Largest plain frame that is read, so that no table can ask for more memory."""
_FRAMES_MAX: Final = 1 << 20

_SKIPPABLE: Final = struct.Struct("<II")
"""Magic number of a skippable frame and the length of its content."""
_CHECKS_MAGIC: Final = 0x184D2A50
_TABLE_MAGIC: Final = 0x184D2A5E
_CHECKS_NAME: Final = b"OGCK"
_ENTRY: Final = struct.Struct("<II")
"""Compressed and plain length of a frame."""
_CHECKSUM: Final = struct.Struct("<I")
_FOOTER: Final = struct.Struct("<IBI")
"""Number of entries, descriptor (0: no checksums in the table), magic number."""
_FOOTER_MAGIC: Final = 0x8F92EAB1


def compressed(parts: Iterable[bytes], level: int = COMPRESSION_LEVEL) -> Iterator[bytes]:
    """Yield the compressed file that holds the bytes of `parts`."""
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
    entries: list[tuple[int, int]] = []
    checksums: list[int] = []
    for block in blocks(parts, FRAME_BYTES):
        frame = compressor.compress(block)
        entries.append((len(frame), len(block)))
        checksums.append(zlib.crc32(frame))
        yield frame
    checks_bytes = len(_CHECKS_NAME) + _CHECKSUM.size * (len(checksums) + 1)
    entries.append((_SKIPPABLE.size + checks_bytes, 0))
    table = _table(entries)
    listed = _CHECKS_NAME + b"".join(map(_CHECKSUM.pack, checksums))
    head = _SKIPPABLE.pack(_CHECKS_MAGIC, checks_bytes)
    yield head + listed + _CHECKSUM.pack(zlib.crc32(head + listed + table)) + table


def _table(entries: list[tuple[int, int]]) -> bytes:
    """Return the seek table, which is the end of the file."""
    content = b"".join(_ENTRY.pack(*entry) for entry in entries)
    content += _FOOTER.pack(len(entries), 0, _FOOTER_MAGIC)
    return _SKIPPABLE.pack(_TABLE_MAGIC, len(content)) + content


class CompressedSource(CachedBlocks):
    """The plain bytes of a compressed file.

    Raises JournalCorruptError when the tables at its end are not those that were written.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        entries, checks_offset = self._read_table()
        self._checksums = self._read_checksums(entries, checks_offset)
        self._lengths = [plain for _, plain in entries[:-1]]
        self._begins = [0, *accumulate(self._lengths)]
        """Offset of each frame in the plain bytes; the last one is where they end."""
        self._places = [0, *accumulate(length for length, _ in entries)]
        self._decompressor = zstandard.ZstdDecompressor()
        self.size = self._begins[-1]

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` plain bytes from `offset` on, fewer only where they end."""
        end = min(offset + length, self.size)
        found = []
        while offset < end:
            index = bisect_right(self._begins, offset) - 1
            begin = self._begins[index]
            part = self.block(index)[offset - begin : end - begin]
            found.append(part)
            offset += len(part)
        return found[0] if len(found) == 1 else b"".join(found)

    def place(self, offset: int) -> int:
        """Return where in the file the frame begins that holds the plain byte at `offset`."""
        index = min(bisect_right(self._begins, offset) - 1, len(self._lengths) - 1)
        return self.source.place(self._places[max(index, 0)])

    def make_block(self, index: int) -> bytes:
        """Decompress a frame."""
        place, length = self._places[index], self._lengths[index]
        frame = self.source.read_at(place, self._places[index + 1] - place)
        if zlib.crc32(frame) != self._checksums[index]:
            raise self._corrupt(place, "a compressed frame is damaged")
        try:
            if zstandard.frame_content_size(frame) != length:
                raise self._corrupt(place, f"a compressed frame does not hold {length} bytes")
            return self._decompressor.decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise self._corrupt(place, f"a frame can't be decompressed: {error}") from None

    def _read_table(self) -> tuple[list[tuple[int, int]], int]:
        """Return the seek table's entries and where the skippable frame before it begins."""
        size = self.source.size
        end = self.source.read_at(max(size - _FOOTER.size, 0), _FOOTER.size)
        if len(end) < _FOOTER.size:
            raise self._corrupt(0, "too short for a compressed segment")
        count, descriptor, magic = _FOOTER.unpack(end)
        content_bytes = _ENTRY.size * count + _FOOTER.size
        begin = size - _SKIPPABLE.size - content_bytes
        if magic != _FOOTER_MAGIC or descriptor or not 0 < count <= _FRAMES_MAX or begin < 0:
            raise self._corrupt(size - _FOOTER.size, "the end of a compressed segment is damaged")
        table = self.source.read_at(begin, size - begin)
        entries = list(_ENTRY.iter_unpack(table[_SKIPPABLE.size : -_FOOTER.size]))
        if (
            _SKIPPABLE.unpack_from(table) != (_TABLE_MAGIC, content_bytes)
            or sum(length for length, _ in entries) != begin
            or any(not 0 < plain <= _FRAME_BYTES_MAX for _, plain in entries[:-1])
            or entries[-1] != (_SKIPPABLE.size + len(_CHECKS_NAME) + _CHECKSUM.size * count, 0)
        ):
            raise self._corrupt(begin, "the table of a compressed segment is damaged")
        return entries, begin - entries[-1][0]

    def _read_checksums(self, entries: list[tuple[int, int]], offset: int) -> list[int]:
        """Return the checksum of each frame; everything from `offset` on is checked."""
        rest = self.source.read_at(offset, self.source.size - offset)
        begin = _SKIPPABLE.size + len(_CHECKS_NAME)
        end = entries[-1][0] - _CHECKSUM.size
        (checksum,) = _CHECKSUM.unpack_from(rest, end)
        listed, table = rest[:end], rest[end + _CHECKSUM.size :]
        if (
            _SKIPPABLE.unpack_from(rest) != (_CHECKS_MAGIC, entries[-1][0] - _SKIPPABLE.size)
            or rest[_SKIPPABLE.size : begin] != _CHECKS_NAME
            or zlib.crc32(listed + table) != checksum
        ):
            raise self._corrupt(offset, "the tables of a compressed segment are damaged")
        return [found[0] for found in _CHECKSUM.iter_unpack(listed[begin:])]

    def _corrupt(self, offset: int, message: str) -> JournalCorruptError:
        return JournalCorruptError(self.path, self.source.place(max(offset, 0)), message)
