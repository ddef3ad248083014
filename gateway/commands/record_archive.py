"""`ordergate record status|compress|encrypt`: in what form closed segments are kept."""

import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
import typer
from rich.table import Table

from gateway.clock import wall_ns
from gateway.commands.common import cell, console, counted, fail, print_json
from gateway.commands.progress import bytes_progress
from gateway.commands.record_options import (
    DataOption,
    JsonOption,
    data_directory,
    end_with,
    record_errors,
)
from gateway.journal import Run
from gateway.journal.archive import Form, stored_forms
from gateway.journal.compression import COMPRESSION_LEVEL
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE, RecordKey
from gateway.journal.life import life_of
from gateway.journal.manifest import DATA_DIRECTORY, runs
from gateway.journal.retention import holds_of
from gateway.journal.seal import read_signature
from gateway.journal.segment import segment_name, segment_numbers
from gateway.journal.tombstone import read_tombstone
from gateway.journal.upkeep import (
    KEEP_PLAIN,
    Archived,
    archive,
    closed_segments,
    encryption_key,
    parts,
)
from rules.units import duration_ns

LEVELS: Final = (1, 22)

KeepOption: TypeAlias = Annotated[
    int, typer.Option("--keep-plain", min=0, help="Newest closed segments that stay as they are.")
]
OlderOption: TypeAlias = Annotated[
    str, typer.Option("--older-than", help="Only segments that ended longer ago, such as 30d.")
]
LevelOption: TypeAlias = Annotated[
    int, typer.Option(min=LEVELS[0], max=LEVELS[1], help="Level of Zstandard.")
]


class RunStatus(msgspec.Struct, kw_only=True):
    """How one run, or the reserve of one, is kept."""

    run: str
    path: str
    status: str
    """What the manifest says: `running` for ever where the writer could not say more."""
    life: str
    """What became of the run, as `gateway.journal.life` tells it."""
    segments: dict[Form, int] = msgspec.field(default_factory=dict)
    """Segments by form."""
    bytes: dict[Form, int] = msgspec.field(default_factory=dict)
    """Bytes on the disk by form."""
    plain_bytes: int = 0
    """Bytes of the closed segments' content."""
    closed: int = 0
    signed: int = 0
    deleted: int = 0
    holds: tuple[str, ...] = ()
    """Legal holds it is under."""


def add_to(record: typer.Typer) -> None:
    """Add the commands."""
    record.command("status")(status)
    record.command("compress")(compress)
    record.command("encrypt")(encrypt)


def status(data: DataOption = Path(DATA_DIRECTORY), as_json: JsonOption = False) -> None:
    """Show how much is kept, in what form, signed by whom, held and deleted."""
    with record_errors():
        holds = holds_of(data_directory(data))
        # The reserve of a run, which has its id, is as alive as the run.
        lives = {run.manifest.run_id: life_of(run) for run in runs(data)}
        found = [
            _status(part, holds.get(part.path.name, ()), lives[part.manifest.run_id])
            for part in parts(data)
        ]
    if as_json:
        print_json(found)
        return
    table = Table()
    for heading in ("run", "status", "plain", "compressed", "encrypted", "bytes", "plain bytes"):
        table.add_column(heading, overflow="fold")
    for heading in ("signed", "deleted", "holds"):
        table.add_column(heading, overflow="fold")
    for line in found:
        table.add_row(
            cell(line.path if line.path != str(data / line.run) else line.run),
            line.life,
            *(str(line.segments.get(form, 0)) for form in ("plain", "compressed", "encrypted")),
            f"{sum(line.bytes.values()):,}",
            f"{line.plain_bytes:,}",
            f"{line.signed} of {line.closed}",
            str(line.deleted),
            ", ".join(line.holds),
        )
    console.print(table)


def _status(part: Run, holds: tuple[str, ...], life: str) -> RunStatus:
    forms: Counter[Form] = Counter()
    sizes: Counter[Form] = Counter()
    for number in segment_numbers(part.path):
        for index, stored in enumerate(stored_forms(part.path / segment_name(number))):
            forms[stored.form] += not index
            sizes[stored.form] += stored.path.stat().st_size
    entries = part.manifest.segments
    tombstone = read_tombstone(part.path)
    return RunStatus(
        run=part.manifest.run_id,
        path=str(part.path),
        status=part.manifest.status,
        life=life,
        segments=dict(forms),
        bytes=dict(sizes),
        plain_bytes=sum(entry.bytes for entry in entries if stored_forms(part.path / entry.file)),
        closed=len(entries),
        signed=sum(
            bool(entry.signature or read_signature(part.path / entry.file)) for entry in entries
        ),
        deleted=0 if tombstone is None else sum(len(one.segments) for one in tombstone.deletions),
        holds=holds,
    )


def compress(
    data: DataOption = Path(DATA_DIRECTORY),
    keep_plain: KeepOption = KEEP_PLAIN,
    older_than: OlderOption = "",
    level: LevelOption = COMPRESSION_LEVEL,
    as_json: JsonOption = False,
) -> None:
    """Compress closed segments; each is read back and compared before its plain file goes."""
    _archive(data, None, keep_plain, older_than, level, as_json)


def encrypt(
    data: DataOption = Path(DATA_DIRECTORY),
    key_file: Annotated[
        Path | None,
        typer.Option(help=f"File with the key. Default: {KEY_VARIABLE} or {KEY_FILE_VARIABLE}."),
    ] = None,
    keep_plain: KeepOption = KEEP_PLAIN,
    older_than: OlderOption = "",
    level: LevelOption = COMPRESSION_LEVEL,
    as_json: JsonOption = False,
) -> None:
    """Compress and encrypt closed segments; reading them needs the key from then on."""
    if key_file is not None:
        os.environ.pop(KEY_VARIABLE, None)
        os.environ[KEY_FILE_VARIABLE] = str(key_file)
    with record_errors():
        key = encryption_key()
    _archive(data, key, keep_plain, older_than, level, as_json)


def _archive(
    data: Path,
    key: RecordKey | None,
    keep_plain: int,
    older_than: str,
    level: int,
    as_json: bool,
) -> None:
    done = Archived()
    with record_errors():
        total = sum(entry.bytes for _, entry, _ in closed_segments(data_directory(data)))
        before_ns = wall_ns() - duration_ns(older_than) if older_than else 0
        if before_ns < 0:
            fail(f"nothing is older than {older_than}")
        checked = 0
        with bytes_progress("archiving", total, quiet=as_json) as progress:

            def count(size: int) -> None:
                nonlocal checked
                checked += size
                progress(checked)

            done = archive(data, key, keep_plain, before_ns, level, count)
        forms = Counter(form for _, _, form in closed_segments(data))
    if as_json:
        print_json(done)
    else:
        before = sum(changed.bytes_before for changed in done.changed)
        after = sum(changed.bytes_after for changed in done.changed)
        verb = "compressed" if key is None else f"encrypted with key {key.key_id}"
        told = f"{counted(len(done.changed), 'segment')} {verb}"
        if done.changed:
            told += f": {before:,} bytes are {after:,} now"
        left = forms["plain"] + (forms["compressed"] if key is not None else 0)
        if left:
            told += f"; {counted(left, 'closed segment')} left as before (--keep-plain {keep_plain}"
            told += f", --older-than {older_than})" if older_than else ")"
        console.print(told, markup=False, soft_wrap=True)
    end_with(done.problems)
