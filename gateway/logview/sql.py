"""SQL over the record: the flat tables in DuckDB, which sees nothing else.

The tables are written as Parquet into a directory that only its owner can read and that is removed
at the end: a lasting copy would outlive the record's own retention and masking. The database is in
memory; its access to files, networks and extensions is switched off before the query runs.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from gateway.logview.exporting import about, write_tables
from gateway.logview.masking import Mask
from gateway.logview.parquet import ParquetWriter
from gateway.logview.query import Progress, Query
from gateway.logview.sources import Source
from gateway.logview.tables import TABLES
from gateway.logview.times import time_text

_BATCH_ROWS: Final = 4_096


class SqlError(ValueError):
    """The query is not SQL that can be answered; the message ends with the database's own."""


@contextmanager
def answered(
    source: Source,
    query: Query,
    sql: str,
    mask: Mask | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[list[str], Iterator[tuple[Any, ...]]]]:
    """Give the column names and the rows of a query over the tables of the records that match.

    Times are TIMESTAMP_NS in UTC. Raises SqlError, also while rows are taken.
    """
    mask = mask or Mask()
    with tempfile.TemporaryDirectory(prefix="ordergate-sql-") as name:
        directory = Path(name)
        told = about(source, query, mask)
        writers = {
            table: ParquetWriter(directory / f"{table}.parquet", TABLES[table], told, zone=None)
            for table in TABLES
        }
        try:
            write_tables(
                source,
                query,
                lambda table, rows: writers[table].write(rows),
                tuple(TABLES),
                mask,
                progress,
            )
        finally:
            for writer in writers.values():
                writer.close()
        connection = duckdb.connect()
        try:
            for table in TABLES:
                connection.register(table, ds.dataset(directory / f"{table}.parquet"))
            connection.execute("SET python_enable_replacements = false")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            relation = connection.sql(sql)
            if relation is None:
                raise SqlError("this asks for nothing; write a SELECT")
            yield list(relation.columns), _rows(relation)
        except duckdb.Error as error:
            raise SqlError(f"the query can't be answered: {error}") from None
        finally:
            connection.close()


def _rows(relation: Any) -> Iterator[tuple[Any, ...]]:
    for batch in relation.to_arrow_reader(_BATCH_ROWS):
        columns = [_values(column) for column in batch.columns]
        yield from zip(*columns, strict=True)


def _values(column: Any) -> list[Any]:
    """Return a column's values; times keep their nanoseconds, as text."""
    if not pa.types.is_timestamp(column.type):
        values: list[Any] = column.to_pylist()
        return values
    times = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_pylist()
    return [None if time_ns is None else time_text(time_ns) for time_ns in times]
