"""The flat tables as Arrow batches and Parquet files. Needs pyarrow (the extra `export`)."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.logview.tables import Column, Row, Table

METADATA_KEY: Final = b"ordergate"
"""Under it a Parquet file's metadata says in JSON what was exported and what was masked."""
AMOUNT: Final = pa.decimal128(38, 8)
_UNSCALED: Final = pa.decimal128(38, 0)


def schema_of(table: Table, told: dict[str, Any] | None = None, zone: str | None = "UTC") -> Any:
    """Return the Arrow schema of a table, with its notes, and what is told as metadata."""
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "amount": AMOUNT,
        "time": pa.timestamp("ns", tz=zone),
        "flag": pa.bool_(),
    }
    fields = [
        pa.field(column.name, types[column.kind], metadata={b"note": column.note.encode()})
        for column in table.columns
    ]
    metadata = {METADATA_KEY: msgspec.json.encode({"table": table.name} | (told or {}))}
    return pa.schema(fields, metadata=metadata)


def batch_of(table: Table, rows: Sequence[Row], schema: Any) -> Any:
    """Return rows as one Arrow record batch."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    arrays = [
        _array(column, values, field.type)
        for column, values, field in zip(table.columns, columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class ParquetWriter:
    """Writes a table as a Parquet file, one row group for each batch of rows."""

    def __init__(
        self, path: Path, table: Table, told: dict[str, Any], zone: str | None = "UTC"
    ) -> None:
        self._table = table
        self._schema = schema_of(table, told, zone)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in order."""
        self._writer.write_batch(batch_of(self._table, rows, self._schema))

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def _array(column: Column, values: Sequence[Any], kind: Any) -> Any:
    if column.kind == "amount":
        return _amounts(values)
    if column.kind == "time":
        return pa.array(values, pa.int64()).view(kind)
    return pa.array(values, kind)


def _amounts(values: Sequence[int | None]) -> Any:
    """Return integers in units of 1e-8 as exact decimals."""
    try:
        whole = pa.array(values, pa.int64()).cast(_UNSCALED)
    except OverflowError:
        exact = [None if value is None else Decimal(f"{value}E-8") for value in values]
        return pa.array(exact, AMOUNT)
    # The same 128-bit integers, read with eight places.
    return pa.Array.from_buffers(AMOUNT, len(whole), whole.buffers())
