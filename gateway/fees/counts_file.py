"""Counts from a CSV file with a header, every fault at once with file, line and value."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rules.faults import Fault, nearest
from rules.fees.counts import (
    AGE_PREFIX,
    DECIMAL_COLUMNS,
    WHOLE_COLUMNS,
    CountRow,
    bucket_age_ns,
    bucket_columns,
)
from rules.fees.tariff import EARLIEST_DAY, LATEST_DAY, Tariff, within_calendar
from rules.units import decimal_e8, decimal_text
from rules.values import E8

if TYPE_CHECKING:
    import _csv

KEY_COLUMNS: Final = ("owner", "symbol", "day")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE: Final = re.compile(r"[0-9]{1,20}")


class CountsError(ValueError):
    """Counts that can't be used; `errors` has every fault as one line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.errors = [str(fault) for fault in sorted(faults, key=lambda fault: fault.line)]
        super().__init__("\n".join(self.errors))


def read_counts(path: Path, tariffs: Sequence[Tariff]) -> list[CountRow]:
    """Return the rows of a counts file that has every column the tariffs need.

    Raises CountsError with every fault.
    """
    reading = _Reading(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reading.read(csv.reader(file, strict=True), tariffs)
    except OSError as error:
        reading.fault(error.strerror or str(error))
    except UnicodeDecodeError as error:
        reading.fault(f"not UTF-8 text: {error}")
    if reading.faults:
        raise CountsError(reading.faults)
    return reading.rows


class _Reading:
    """One pass through a file; goes on after a fault."""

    def __init__(self, file: str) -> None:
        self.rows: list[CountRow] = []
        self.faults: list[Fault] = []
        self._file = file
        self._lines: dict[tuple[str, str, date | datetime], int] = {}
        """The line of each owner, symbol and day so far."""

    def fault(self, message: str, column: str = "", line: int = 0) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(message, (column,) if column else (), self._file, line))

    def read(self, lines: "_csv.Reader", tariffs: Sequence[Tariff]) -> None:
        """Read header and rows."""
        try:
            header = [column.strip() for column in next(lines, [])]
            if not self._header_is_good(header, tariffs):
                return
            line = lines.line_num + 1
            for cells in lines:
                if any(cell.strip() for cell in cells):
                    self._row(header, [cell.strip() for cell in cells], line)
                line = lines.line_num + 1
        except csv.Error as error:
            self.fault(str(error), line=lines.line_num)

    def _header_is_good(self, header: Sequence[str], tariffs: Sequence[Tariff]) -> bool:
        before = len(self.faults)
        known = [*KEY_COLUMNS, *WHOLE_COLUMNS, *DECIMAL_COLUMNS]
        for position, column in enumerate(header):
            if column in header[:position]:
                self.fault("the header has the column twice", column, 1)
            elif column not in known and not bucket_age_ns(column):
                hint = nearest(column, known)
                if column.startswith(AGE_PREFIX):
                    hint = f"write the age the shortest way, such as {AGE_PREFIX}500ms"
                self.fault(f"unknown column; {hint}", column, 1)
        for column in KEY_COLUMNS:
            if column not in header:
                self.fault(f"the header has no column `{column}`", line=1)
        for tariff in tariffs:
            for column in tariff.columns:
                if column not in header:
                    message = f"the header has no column `{column}`, needed by {tariff.name}"
                    self.fault(message, line=1)
        return len(self.faults) == before

    def _row(self, header: Sequence[str], cells: Sequence[str], line: int) -> None:
        if len(cells) != len(header):
            self.fault(f"the row has {len(cells)} cells and the header {len(header)}", line=line)
            return
        row = dict(zip(header, cells, strict=True))
        before = len(self.faults)
        for column in ("owner", "symbol"):
            if not row[column]:
                self.fault("is empty", column, line)
        when = self._when(row["day"], line)
        values_e8 = {}
        for column, cell in row.items():
            if column not in KEY_COLUMNS:
                try:
                    values_e8[column] = _number_e8(column, cell)
                except ValueError as error:
                    self.fault(str(error), column, line)
        if len(self.faults) > before or when is None:
            return
        for column, message in _contradictions(values_e8):
            self.fault(message, column, line)
        key = (row["owner"], row["symbol"], when)
        if key in self._lines:
            message = f"`{row['day']}` of this owner and symbol is in line {self._lines[key]} too"
            self.fault(message, "day", line)
        self._lines.setdefault(key, line)
        self.rows.append(CountRow(*key, values_e8))

    def _when(self, text: str, line: int) -> date | datetime | None:
        try:
            when = date.fromisoformat(text) if _DAY.fullmatch(text) else _time(text)
        except ValueError:
            message = f"`{text}` is not a day such as 2026-01-31 or a time such as "
            self.fault(message + "2026-01-31T09:00:00Z", "day", line)
            return None
        if not within_calendar(when):
            message = f"`{text}` is not between {EARLIEST_DAY} and {LATEST_DAY}"
            self.fault(message, "day", line)
            return None
        first = next(iter(self._lines), None)
        if first is not None and isinstance(first[2], datetime) != isinstance(when, datetime):
            kinds = ("a time", "a day") if isinstance(when, datetime) else ("a day", "a time")
            message = f"`{text}` is {kinds[0]} and line {self._lines[first]} has {kinds[1]}"
            self.fault(f"{message}; write one kind throughout", "day", line)
            return None
        return when


def _time(text: str) -> datetime:
    """Return a time with its offset from UTC; raises ValueError where it is none."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(text)
    return when


def _number_e8(column: str, cell: str) -> int:
    """Return a cell in 1e-8 units; raises ValueError with what is wrong."""
    if not cell:
        raise ValueError("is empty; write 0 for none")
    if column in DECIMAL_COLUMNS:
        return decimal_e8(cell)
    if not _WHOLE.fullmatch(cell):
        raise ValueError(f"`{cell}` is not a whole number, 0 or more, of at most 20 digits")
    return int(cell) * E8


def _contradictions(values_e8: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield (column, message) for numbers that can't stand beside each other."""
    if {"exempt_orders", "orders", "modifies"} <= values_e8.keys():
        exempt_e8 = values_e8["exempt_orders"]
        entered_e8 = values_e8["orders"] + values_e8["modifies"]
        if exempt_e8 > entered_e8:
            exempt, entered = decimal_text(exempt_e8), decimal_text(entered_e8)
            yield "exempt_orders", f"`{exempt}` is more than orders and modifies, {entered}"
    buckets = bucket_columns(values_e8)
    if buckets and "cancels" in values_e8:
        aged_e8 = sum(values_e8[column] for column in buckets)
        if aged_e8 > values_e8["cancels"]:
            aged, cancels = decimal_text(aged_e8), decimal_text(values_e8["cancels"])
            yield "cancels", f"`{cancels}` is less than the cancels by age, {aged}"
