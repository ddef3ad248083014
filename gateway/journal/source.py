"""Bytes of a segment wherever they are kept: read at any place, in any form.

`PlainSource` is the file itself. `compression` and `encryption` put theirs over another source.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self


class Source(Protocol):
    """Something bytes are read from."""

    @property
    def path(self) -> Path:
        """The file they come from."""

    @property
    def size(self) -> int:
        """How many there are now."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer only where they end.

        Raises OSError, and JournalCorruptError where what is kept is not what was written.
        """

    def place(self, offset: int) -> int:
        """Return where in the file the byte at `offset` is kept, or the block that holds it."""

    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Self:
        """Close the source at the end of a `with`."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the source."""


class Closing:
    """The `with` of a source."""

    def close(self) -> None:
        """Let go of what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class PlainSource(Closing):
    """A file as it is, also while it grows. Raises OSError when it can't be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)

    @property
    def size(self) -> int:
        """Length of the file now."""
        return self._file.seek(0, 2)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer only where the file ends."""
        self._file.seek(offset)
        return self._file.read(length) or b""

    def place(self, offset: int) -> int:
        """Return `offset`: the file is what is read."""
        return offset

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class CachedBlocks(Closing):
    """Base of sources that are kept in blocks: each block is made when it is first read.

    The last one is kept, so that reading on costs each block once.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.path = source.path
        self._index = -1
        self._block = b""

    def block(self, index: int) -> bytes:
        """Return a block."""
        if index != self._index:
            self._block = self.make_block(index)
            self._index = index
        return self._block

    def make_block(self, index: int) -> bytes:
        """Make a block from what the source holds."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the source."""
        self.source.close()


def blocks(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the bytes of `parts` in blocks of `size`, the last one what is left, never empty."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def contents(source: Source, end: int | None = None, step: int = 1 << 20) -> Iterator[bytes]:
    """Yield what a source holds from its beginning, up to `end` when it is given."""
    offset = 0
    while part := source.read_at(offset, step if end is None else min(step, end - offset)):
        yield part
        offset += len(part)
