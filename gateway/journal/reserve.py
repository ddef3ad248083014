"""The reserve: a second place, on a path of its own, where a run goes on whose record is lost.

It is a directory like a run's, `<reserve>/<run id>/`, made ahead with a manifest and one segment of
zeros. It counts from the moment its first header is written: from the first record in there on,
whatever the run's own journal still holds is not part of the run.
"""

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.journal.archive import open_segment
from gateway.journal.errors import JournalUnreadableError
from gateway.journal.frame import FRAME_HEAD, FRAME_HEAD_BYTES, Header, Record, decode_payload
from gateway.journal.manifest import read_manifest
from gateway.journal.segment import segment_name
from gateway.journal.tail import examine_tail, frames_within

RESERVE_SUFFIX: Final = "-reserve"
"""Ends the name of the reserve's directory, beside the data directory, unless told otherwise."""
_BEGINNING_BYTES: Final = 65_536
"""Read of a reserve to tell whether it was begun; more than a header has."""


def reserve_root(data: Path) -> Path:
    """Return where the reserve of a data directory is kept unless told otherwise."""
    return data.with_name(data.name + RESERVE_SUFFIX) if data.name else data / RESERVE_SUFFIX


def find_reserve(run_directory: Path, root: Path | None = None) -> Path | None:
    """Return the reserve that continues the run in `run_directory`, None when none was begun.

    It is looked for below `root`, where the run's manifest says it is, and beside the data
    directory: a record that was copied to another machine brings its reserve along. Raises
    JournalUnreadableError when there is no such run.
    """
    for place in _places(run_directory, root):
        if begun_seq(place):
            return place
    return None


def _places(run_directory: Path, root: Path | None) -> list[Path]:
    """Return where the reserve of a run may be, each place once."""
    named = read_manifest(run_directory).reserve
    data = run_directory.absolute().parent
    places = [] if root is None else [root / run_directory.name]
    places += [Path(named)] if named else []
    places.append(reserve_root(data) / run_directory.name)
    return list(dict.fromkeys(places))


def begun_seq(reserve: Path) -> int:
    """Return the first record of a reserve, 0 when it was not begun or there is none.

    A reserve whose header is damaged was begun: whoever reads on finds the damage. Raises
    JournalUnreadableError when torn and damaged can't be told apart.
    """
    start = _beginning(reserve)
    if not start.strip(b"\x00"):
        return _listed_seq(reserve)
    header = _header(start)
    return header.first_seq if header else _listed_seq(reserve) or _proven_seq(reserve)


def is_unused(reserve: Path) -> bool:
    """Tell whether nothing was ever written to a reserve."""
    return not _beginning(reserve).strip(b"\x00") and not _listed_seq(reserve)


def torn_reserve(run_directory: Path) -> Path | None:
    """Return the reserve that was torn as it began, so that it continues nothing; None without.

    Raises JournalUnreadableError when there is no such run.
    """
    for place in _places(run_directory, None):
        if not begun_seq(place) and not is_unused(place):
            return place
    return None


def _beginning(reserve: Path) -> bytes:
    """Return the first bytes of a reserve's segment, empty when there is none in plain."""
    try:
        with (reserve / segment_name(1)).open("rb", buffering=0) as file:
            return file.read(_BEGINNING_BYTES)
    except OSError:
        return b""


def _header(start: bytes) -> Header | None:
    """Return the header a segment begins with, None where that is not what it does."""
    if len(start) < FRAME_HEAD_BYTES:
        return None
    length, checksum = FRAME_HEAD.unpack_from(start)
    payload = start[FRAME_HEAD_BYTES : FRAME_HEAD_BYTES + length]
    if not length or zlib.crc32(payload) != checksum:
        return None
    try:
        header = decode_payload(payload)
    except JournalUnreadableError:
        return None
    return header if isinstance(header, Header) else None


def _proven_seq(reserve: Path) -> int:
    """Return the first record after a header that is none, 0 where that is a torn end.

    After a torn header nothing was safe, so nobody was told of it.
    """
    try:
        durability = read_manifest(reserve).durability
    except JournalUnreadableError:
        durability = "process"
    path = reserve / segment_name(1)
    if examine_tail(path, 0, 1, durability).proof_offset is None:
        return 0
    with open_segment(path) as source:
        rest = source.read_at(0, source.size)
    for _, payload in frames_within(rest, str(path)):
        with suppress(JournalUnreadableError):
            content = decode_payload(payload)
            if isinstance(content, Record):
                return content.seq
    return 0


def _listed_seq(reserve: Path) -> int:
    """Return the first record by the manifest: a closed segment may be compressed meanwhile."""
    try:
        segments = read_manifest(reserve).segments
    except JournalUnreadableError:
        return 0
    return segments[0].first_seq if segments else 0
