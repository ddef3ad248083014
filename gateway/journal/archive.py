"""The forms a closed segment is kept in: plain, compressed, or compressed and encrypted.

A segment is always spoken of by its plain name, `000001.seg`; the file may be `000001.seg.zst` or
`000001.seg.zst.enc`. Digests, seals and offsets are of the plain bytes, whatever the form. Between
two steps of a change more than one form may be there; they hold the same bytes then, and the
plainest is read.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from gateway.journal.compression import COMPRESSION_LEVEL, CompressedSource, compressed
from gateway.journal.durable import put_in_place, remove_durably, write_new
from gateway.journal.encryption import DecryptedSource, RecordKey, encrypted, find_keys
from gateway.journal.errors import JournalCorruptError
from gateway.journal.frame import Seal, control_payload, framed
from gateway.journal.manifest import SealedSegment
from gateway.journal.source import PlainSource, Source, contents

Form: TypeAlias = Literal["plain", "compressed", "encrypted"]

SUFFIXES: Final[dict[Form, str]] = {"plain": "", "compressed": ".zst", "encrypted": ".zst.enc"}
"""What follows the plain name, in the order in which forms are looked for."""


class Stored(NamedTuple):
    """A segment as it is kept."""

    form: Form
    path: Path


def stored_forms(plain: Path) -> list[Stored]:
    """Return every form a segment is kept in, the one that is read first; none when it is gone."""
    forms = (
        Stored(form, plain.with_name(plain.name + suffix)) for form, suffix in SUFFIXES.items()
    )
    return [stored for stored in forms if stored.path.is_file()]


def open_segment(plain: Path, keys: list[RecordKey] | None = None) -> Source:
    """Open a segment by its plain name, whatever form it is kept in.

    `keys` are those of the environment unless given. Raises FileNotFoundError when it is kept in
    no form, OSError, JournalCorruptError when an archive's own structure is damaged,
    JournalKeyError when its key is missing, and JournalUnreadableError.
    """
    for attempt in (1, 2):
        for form, suffix in SUFFIXES.items():
            try:
                source: Source = PlainSource(plain.with_name(plain.name + suffix))
            except FileNotFoundError:
                # A form may be replaced by the next while we look; then a second look finds it.
                if form == "encrypted" and attempt == 2:
                    raise
                continue
            return _opened(source, form, keys)
    raise FileNotFoundError(plain)


def _opened(source: Source, form: Form, keys: list[RecordKey] | None) -> Source:
    try:
        if form == "encrypted":
            source = DecryptedSource(source, find_keys() if keys is None else keys)
        return source if form == "plain" else CompressedSource(source)
    except BaseException:
        source.close()
        raise


def compress_segment(directory: Path, entry: SealedSegment, level: int = COMPRESSION_LEVEL) -> bool:
    """Keep a closed segment compressed instead of plain; False when it was not plain.

    The plain file goes only after the compressed one is on the disk and was read back. Raises
    OSError, JournalCorruptError when the segment is not what its entry says, and JournalError.
    """
    return _change(directory, entry, "compressed", lambda parts: compressed(parts, level), None)


def encrypt_segment(
    directory: Path, entry: SealedSegment, key: RecordKey, level: int = COMPRESSION_LEVEL
) -> bool:
    """Keep a closed segment compressed and encrypted; False when it was already.

    As `compress_segment`. The files before are removed, not overwritten: what they held may stay on
    the disk until the file system uses the place again.
    """
    return _change(
        directory, entry, "encrypted", lambda parts: encrypted(compressed(parts, level), key), [key]
    )


def _change(
    directory: Path,
    entry: SealedSegment,
    form: Form,
    made: Callable[[Iterable[bytes]], Iterable[bytes]],
    keys: list[RecordKey] | None,
) -> bool:
    plain = directory / entry.file
    forms = stored_forms(plain)
    order = list(SUFFIXES)
    if not any(order.index(stored.form) < order.index(form) for stored in forms):
        return False
    target = plain.with_name(plain.name + SUFFIXES[form])
    with open_segment(plain) as source:
        check_content(plain, source, entry)
        new = write_new(target, made(contents(source, entry.bytes)))
    try:
        with _opened(PlainSource(new), form, keys) as source:
            check_content(new, source, entry)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    put_in_place(new, target)
    for stored in forms:
        if stored.path != target:
            remove_durably(stored.path)
    return True


def check_content(path: Path, source: Source, entry: SealedSegment) -> None:
    """Raise JournalCorruptError unless a source holds the bytes a closed segment's entry tells of.

    The digest is of everything before the seal; the seal itself is checked by what it states.
    """
    seal = framed(control_payload(Seal(entry.last_seq, entry.count, bytes.fromhex(entry.digest))))
    seal_offset = entry.bytes - len(seal)
    digest, position, end = hashlib.sha256(), 0, b""
    for part in contents(source, entry.bytes):
        before_seal = max(seal_offset - position, 0)
        digest.update(part[:before_seal])
        end += part[before_seal:]
        position += len(part)
    if position != entry.bytes:
        raise JournalCorruptError(
            path, position, f"the manifest says {entry.bytes} bytes, the segment ends here"
        )
    if digest.hexdigest() != entry.digest or end != seal:
        raise JournalCorruptError(path, 0, "the bytes are not those the manifest has the digest of")
