"""What is done to closed segments beside the gate: signing, compressing, encrypting, deleting.

`python -m gateway.journal.upkeep DATA OPTIONS-AS-JSON` does it once, at the lowest priority, in a
process of its own: the gate starts one when it has closed a segment, and never waits for it.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.clock import wall_ns
from gateway.journal.archive import (
    SUFFIXES,
    Form,
    compress_segment,
    encrypt_segment,
    stored_forms,
)
from gateway.journal.compression import COMPRESSION_LEVEL
from gateway.journal.encryption import RecordKey, find_keys
from gateway.journal.errors import JournalError, JournalKeyError
from gateway.journal.locks import UPKEEP_LOCK, locked
from gateway.journal.manifest import Run, SealedSegment, read_manifest, runs
from gateway.journal.reserve import find_reserve
from gateway.journal.retention import apply_retention
from gateway.journal.retention_period import read_retention
from gateway.journal.seal import SealKey, read_seal_key, sign_run
from gateway.low_priority import low_priority_command

ACTOR: Final = "ordergate"
"""Who deletes what the configuration lets go."""
KEEP_PLAIN: Final = 1
"""Newest closed segments that stay plain: the ones that are read most."""
PROBLEMS_SAID: Final = 20
"""Problems the process names; `ordergate record` names them all."""


class Upkeep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done."""

    seal_key: str = ""
    """PEM file of the Ed25519 key segments are signed with; empty: they are not."""
    compress: bool = False
    encrypt: bool = False
    """With the key the environment gives."""
    keep_plain: int = KEEP_PLAIN
    retention: str = ""
    """Duration after which runs are deleted; empty: never."""

    @property
    def anything(self) -> bool:
        """Whether there is something to do at all."""
        return bool(self.seal_key or self.compress or self.encrypt or self.retention)


class Changed(msgspec.Struct, frozen=True):
    """A segment that is kept in another form now."""

    run: str
    file: str
    form: Form
    bytes_before: int
    bytes_after: int


class Archived(msgspec.Struct):
    """What came of archiving closed segments."""

    changed: list[Changed] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)
    """Segments that are not what they were; they stay as they are."""


class Signed(msgspec.Struct):
    """What came of signing closed segments."""

    key_id: str
    signed: list[str] = msgspec.field(default_factory=list)
    """Segments signed now, as `run/file`."""
    problems: list[str] = msgspec.field(default_factory=list)


class Closed(NamedTuple):
    """A closed segment and the run, or reserve, it is of."""

    run: Run
    entry: SealedSegment
    form: Form


def closed_segments(data: Path) -> Iterator[Closed]:
    """Yield every closed segment that is there, oldest first, reserves after their runs."""
    for part in parts(data):
        for entry in part.manifest.segments:
            forms = stored_forms(part.path / entry.file)
            if forms:
                yield Closed(part, entry, forms[0].form)


def parts(data: Path) -> Iterator[Run]:
    """Yield the runs of a data directory, oldest first, each with the reserve that continues it."""
    for run in runs(data):
        yield run
        reserve = find_reserve(run.path)
        if reserve is not None:
            yield Run(reserve, read_manifest(reserve))


def archive(
    data: Path,
    key: RecordKey | None = None,
    keep_plain: int = KEEP_PLAIN,
    before_ns: int = 0,
    level: int = COMPRESSION_LEVEL,
    progress: Callable[[int], None] | None = None,
) -> Archived:
    """Compress closed segments, and encrypt them when a key is given.

    The newest `keep_plain` stay as they are, and with `before_ns` all whose last record is not
    before it. Raises JournalError and OSError.
    """
    done = Archived()
    with locked(data, UPKEEP_LOCK):
        found = list(closed_segments(data))
        for run, entry, _ in found[: max(len(found) - keep_plain, 0)]:
            if before_ns and entry.last_ns >= before_ns:
                continue
            before = sum(s.path.stat().st_size for s in stored_forms(run.path / entry.file))
            try:
                if key is None:
                    changed = compress_segment(run.path, entry, level)
                else:
                    changed = encrypt_segment(run.path, entry, key, level)
            except JournalKeyError:
                raise
            except JournalError as error:
                done.problems.append(str(error))
                continue
            if changed:
                form: Form = "compressed" if key is None else "encrypted"
                after = (run.path / (entry.file + SUFFIXES[form])).stat().st_size
                name = run.manifest.run_id
                done.changed.append(Changed(name, entry.file, form, before, after))
            if progress is not None:
                progress(entry.bytes)
    return done


def sign(data: Path, key: SealKey) -> Signed:
    """Sign every closed segment that is not signed. Raises JournalError and OSError."""
    done = Signed(key.public.key_id)
    with locked(data, UPKEEP_LOCK):
        for part in parts(data):
            try:
                signed = sign_run(part.path, part.manifest, key)
            except JournalKeyError:
                raise
            except JournalError as error:
                done.problems.append(str(error))
                continue
            done.signed += [f"{part.manifest.run_id}/{entry.file}" for entry in signed]
    return done


def encryption_key() -> RecordKey:
    """Return the key that encrypts: the first the environment gives; raises JournalKeyError."""
    keys = find_keys()
    if not keys:
        raise JournalKeyError(
            "encryption needs a key: set ORDERGATE_RECORD_KEY or ORDERGATE_RECORD_KEY_FILE"
        )
    return keys[0]


def keep_up(data: Path, wanted: Upkeep, now_ns: int) -> list[str]:
    """Do everything that is wanted; return what could not be done of it.

    Signing comes first, so that what is archived or deleted has its signature. Raises
    JournalError, OSError, and ValueError when the retention is no period.
    """
    problems: list[str] = []
    if wanted.seal_key:
        problems += sign(data, read_seal_key(Path(wanted.seal_key))).problems
    if wanted.encrypt:
        problems += archive(data, encryption_key(), wanted.keep_plain).problems
    elif wanted.compress:
        problems += archive(data, None, wanted.keep_plain).problems
    if wanted.retention:
        plan = apply_retention(data, wanted.retention, now_ns, ACTOR)
        problems += [f"{kept.run}: {kept.because}" for kept in plan.kept if kept.failed]
    return problems


def upkeep_command(data: Path, wanted: Upkeep) -> list[str]:
    """Return the command line of a process that does what is wanted once."""
    options = msgspec.json.encode(wanted).decode()
    return low_priority_command("gateway.journal.upkeep", str(data), options)


def check_upkeep(wanted: Upkeep) -> None:
    """Find out at the start what would fail later: keys that are not there, a period that is none.

    Raises JournalKeyError and ValueError.
    """
    if wanted.seal_key:
        read_seal_key(Path(wanted.seal_key))
    if wanted.encrypt:
        encryption_key()
    else:
        find_keys()
    if wanted.retention:
        read_retention(wanted.retention)


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns 0, 1 with problems on standard error, or 2."""
    try:
        data, options = arguments
        wanted: Any = msgspec.json.decode(options, type=Upkeep)
    except (ValueError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"upkeep: {error}\n")
        return 2
    try:
        problems = keep_up(Path(data), wanted, wall_ns())
    except (JournalError, OSError, ValueError) as error:
        sys.stderr.write(f"upkeep: {error}\n")
        return 2
    for problem in problems[:PROBLEMS_SAID]:
        sys.stderr.write(f"upkeep: {problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
