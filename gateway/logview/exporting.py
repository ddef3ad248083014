"""The flat tables as files: Parquet, CSV or JSON lines, written as the record is read.

Rows leave memory in batches, so an export takes no more of it for a year than for a day. A file
has its final name only when it is whole, and `export.json` beside the files, written last, says
what was exported, what was masked, and the digest of each file.
"""

import csv
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self, TextIO, TypeAlias

import msgspec

from gateway.journal.manifest import ordergate_version
from gateway.logview.masking import Mask
from gateway.logview.query import NamesAsked, Progress, Query, scans
from gateway.logview.rows import Rows
from gateway.logview.sources import Source, runs_within
from gateway.logview.tables import TABLES, Row, Table
from gateway.logview.times import time_text
from rules.units import decimal_text

Format: TypeAlias = Literal["parquet", "csv", "jsonl"]
FORMATS: Final = ("parquet", "csv", "jsonl")
SUMMARY_NAME: Final = "export.json"
EXTRA_HINT: Final = "in a checkout of ordergate: pip install --editable '.[export]'"
"""How what Parquet and SQL need is installed: it is large, so it is an extra."""
BATCH_ROWS: Final = 65_536
"""Rows of one table that are kept in memory; a row group of a Parquet file."""

_MASKED_FILTERS: Final = ("key", "account", "owner", "address", "client_order_id")


class ExportError(Exception):
    """The export can't be written; the message says why."""


class ExportedFile(msgspec.Struct, frozen=True):
    """One file of an export."""

    table: str
    file: str
    rows: int
    bytes: int
    sha256: str


class ExportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported: what `export.json` says."""

    about: dict[str, Any]
    files: list[ExportedFile]
    problems: list[str]
    """What of the record could not be read; the export is incomplete when there is any."""
    deleted: list[str] = msgspec.field(default_factory=list)
    """What of the record was deleted when its retention was over."""
    passed_over: list[str] = msgspec.field(default_factory=list)
    """Runs that never served and hold nothing that can be read."""


class Writer(Protocol):
    """Writes the rows of one table."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in order."""

    def close(self) -> None:
        """End the file."""


def about(source: Source, query: Query, mask: Mask) -> dict[str, Any]:
    """Return what an export is of, for its readers: runs, filters, and what was masked."""
    filters = msgspec.to_builtins(query)
    for name in _MASKED_FILTERS:
        if filters.get(name):
            filters[name] = mask.apply(name, filters[name])
    return {
        "ordergate": ordergate_version(),
        "runs": [
            {
                "run": run.manifest.run_id,
                "rulebook": run.manifest.rulebook_name,
                "revision": run.manifest.rulebook_revision,
            }
            for run in runs_within(source, query.from_ns, query.to_ns)
        ],
        "filters": filters,
        "masked": mask.summary(),
    }


def export(
    source: Source,
    query: Query,
    directory: Path,
    form: Format,
    tables: Sequence[str] = tuple(TABLES),
    mask: Mask | None = None,
    progress: Progress | None = None,
) -> ExportSummary:
    """Write the tables of the records that match into a directory, and say what was written.

    Files of an earlier export are replaced, and a directory that was made for nothing is removed.
    Raises ExportError when a file can't be written.
    """
    if form == "parquet":
        _parquet_writer()
    mask = mask or Mask()
    told = about(source, query, mask)
    paths = {name: directory / f"{name}.{form}" for name in tables}
    parts = {name: directory / f".{name}.{form}.part" for name in tables}
    there = directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / SUMMARY_NAME).unlink(missing_ok=True)
        with _Files(parts, form, told) as files:
            write_tables(source, query, files.write, tables, mask, progress)
        exported = []
        for name in tables:
            parts[name].replace(paths[name])
            exported.append(_exported(name, paths[name], files.counts[name]))
        summary = ExportSummary(
            about=told,
            files=exported,
            problems=list(source.problems),
            deleted=list(source.deleted),
            passed_over=list(source.passed_over),
        )
        text = msgspec.json.format(msgspec.json.encode(summary), indent=2)
        (directory / SUMMARY_NAME).write_bytes(text + b"\n")
    except OSError as error:
        raise ExportError(f"{error.filename or directory}: {error.strerror or error}") from None
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        if not there:
            # Only an empty directory can be removed, so what was written stays.
            with suppress(OSError):
                directory.rmdir()
    return summary


def write_tables(
    source: Source,
    query: Query,
    write: Callable[[str, list[Row]], None],
    tables: Sequence[str],
    mask: Mask,
    progress: Progress | None = None,
) -> None:
    """Read the record once and hand the rows of each table on, batch by batch.

    What can't be read is a problem of the source, and the rest is read. Names that no run knows are
    told to the source at the end.
    """
    rows = Rows(tables, mask)
    asked = NamesAsked(query)

    def flush(least: int) -> None:
        for name, batch in rows.tables.items():
            if len(batch) >= least:
                write(name, batch)
                batch.clear()

    done = 0
    for run in runs_within(source, query.from_ns, query.to_ns):
        # Orders are told from their beginning, also those placed before the time asked for.
        for scan in scans(source, run, query, whole=True):
            rows.begin(source, run, scan)
            matched = False
            for record, subject in scan:
                matched = matched or subject is not None
                rows.take(record, subject)
                done += 1
                if not done & 1023:
                    flush(BATCH_ROWS)
                if progress is not None:
                    progress(done)
            asked.learn(scan, matched)
    rows.finish()
    flush(1)
    source.unknown += asked.unknown()


class _Files:
    """The files of an export while it is written."""

    def __init__(self, paths: dict[str, Path], form: Format, told: dict[str, Any]) -> None:
        self.counts = dict.fromkeys(paths, 0)
        self._writers: dict[str, Writer] = {}
        for name, path in paths.items():
            self._writers[name] = open_writer(path, form, TABLES[name], told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def write(self, name: str, rows: list[Row]) -> None:
        """Write a batch of one table."""
        self._writers[name].write(rows)
        self.counts[name] += len(rows)


def open_writer(path: Path, form: Format, table: Table, told: dict[str, Any]) -> Writer:
    """Return a writer of one table; raises OSError, and ExportError without pyarrow."""
    if form == "csv":
        return CsvWriter(path.open("w", encoding="utf-8", newline=""), table)
    if form == "jsonl":
        return JsonLinesWriter(path.open("w", encoding="utf-8"), table, told)
    return _parquet_writer()(path, table, told)


def _parquet_writer() -> Callable[[Path, Table, dict[str, Any]], Writer]:
    """Return the writer of Parquet files; raises ExportError without pyarrow."""
    try:
        # pyarrow is large and optional: only whoever writes Parquet loads it.
        from gateway.logview.parquet import ParquetWriter
    except ImportError:
        raise ExportError(
            f"Parquet needs pyarrow, which is not installed; {EXTRA_HINT}, or write --format csv "
            "or jsonl"
        ) from None
    return ParquetWriter


class CsvWriter:
    """Writes a table as CSV (RFC 4180) with a header line; null is an empty field."""

    def __init__(self, file: TextIO, table: Table) -> None:
        self._file = file
        self._writer = csv.writer(file, lineterminator="\n")
        self._shown = _shown(table)
        self._writer.writerow([column.name for column in table.columns])

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in order."""
        shown = self._shown
        self._writer.writerows(
            [None if value is None else show(value) for show, value in zip(shown, row, strict=True)]
            for row in rows
        )

    def close(self) -> None:
        """End the file."""
        self._file.close()


class JsonLinesWriter:
    """Writes a table as JSON lines; the first line says what the table is and what was masked."""

    def __init__(self, file: TextIO, table: Table, told: dict[str, Any]) -> None:
        self._file = file
        self._names = [column.name for column in table.columns]
        self._shown = _shown(table, flag=bool, integer=int)
        self._encode = msgspec.json.Encoder().encode
        self._line({"table": table.name} | told)

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in order."""
        for row in rows:
            self._line(
                {
                    name: None if value is None else show(value)
                    for name, show, value in zip(self._names, self._shown, row, strict=True)
                }
            )

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(self._encode(value).decode() + "\n")


def _shown(
    table: Table, flag: Callable[[Any], Any] | None = None, integer: Callable[[Any], Any] = str
) -> list[Callable[[Any], Any]]:
    """Return how each column's values are written as text."""
    by_kind: dict[str, Callable[[Any], Any]] = {
        "text": str,
        "integer": integer,
        "amount": decimal_text,
        "time": time_text,
        "flag": flag or (lambda value: "true" if value else "false"),
    }
    return [by_kind[column.kind] for column in table.columns]


def _exported(table: str, path: Path, rows: int) -> ExportedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(table, path.name, rows, path.stat().st_size, digest)
