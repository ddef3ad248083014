"""The reserve: a second place, on a path of its own, where a run goes on whose record is lost.

It is a directory like a run's, `<reserve>/<run id>/`, made ahead with a manifest and one segment of
zeros. It counts from the moment its first header is written: from the first record in there on,
whatever the run's own journal still holds is not part of the run.
"""

import zlib
from pathlib import Path
from typing import Final

from gateway.journal.errors import JournalUnreadableError
from gateway.journal.frame import FRAME_HEAD, FRAME_HEAD_BYTES, Header, decode_payload
from gateway.journal.manifest import read_manifest
from gateway.journal.segment import segment_name

RESERVE_SUFFIX: Final = "-reserve"
"""Ends the name of the reserve's directory, beside the data directory, unless told otherwise."""
_HEADER_BYTES_MAX: Final = 4_096


def reserve_root(data: Path) -> Path:
    """Return where the reserve of a data directory is kept unless told otherwise."""
    return data.with_name(data.name + RESERVE_SUFFIX) if data.name else data / RESERVE_SUFFIX


def find_reserve(run_directory: Path, root: Path | None = None) -> Path | None:
    """Return the reserve that continues the run in `run_directory`, None when none was begun.

    It is looked for below `root`, where the run's manifest says it is, and beside the data
    directory: a record that was copied to another machine brings its reserve along. Raises
    JournalUnreadableError when there is no such run.
    """
    named = read_manifest(run_directory).reserve
    data = run_directory.absolute().parent
    places = [] if root is None else [root / run_directory.name]
    places += [Path(named)] if named else []
    places.append(reserve_root(data) / run_directory.name)
    for place in places:
        if begun_seq(place):
            return place
    return None


def begun_seq(reserve: Path) -> int:
    """Return the first record of a reserve, 0 when it was not begun or there is none."""
    try:
        with (reserve / segment_name(1)).open("rb", buffering=0) as file:
            start = file.read(_HEADER_BYTES_MAX)
    except OSError:
        return _listed_seq(reserve)
    if len(start) < FRAME_HEAD_BYTES:
        return 0
    length, checksum = FRAME_HEAD.unpack_from(start)
    payload = start[FRAME_HEAD_BYTES : FRAME_HEAD_BYTES + length]
    if not length or zlib.crc32(payload) != checksum:
        return 0
    try:
        header = decode_payload(payload)
    except JournalUnreadableError:
        return 0
    return header.first_seq if isinstance(header, Header) else 0


def _listed_seq(reserve: Path) -> int:
    """Return the first record by the manifest: a closed segment may be compressed meanwhile."""
    try:
        segments = read_manifest(reserve).segments
    except JournalUnreadableError:
        return 0
    return segments[0].first_seq if segments else 0
