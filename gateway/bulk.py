"""Accounts and keys from further files: TOML as in the configuration, or CSV with a header.

A CSV file has accounts (`account,owner,tier,market_maker,high_frequency,funds`) or keys
(`key,account,kind,secret,permissions,addresses,expires`), in any order of columns; a column or a
cell that is left out takes the default. Cells with several values separate them by spaces or
semicolons, funds as `USDT=1000;BTC=0.5`.
"""

import csv
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.config import AccountConfig, BulkFile, InstrumentConfig, KeyConfig
from gateway.config_checks import check_account, check_instrument, check_key
from rules.faults import Fault, FieldPath, located, nearest, syntax_fault
from rules.strict import StrictReader

_ACCOUNT_COLUMNS: Final = {
    "account": "name",
    "owner": "owner",
    "tier": "tier",
    "market_maker": "market_maker",
    "high_frequency": "high_frequency",
    "funds": "funds",
}
_KEY_COLUMNS: Final = {
    "key": "name",
    "account": "account",
    "kind": "kind",
    "secret": "secret",
    "permissions": "permissions",
    "addresses": "addresses",
    "expires": "expires",
}
"""Fields by their columns."""
_SEPARATOR: Final = re.compile(r"[;\s]+")
_SWITCHES: Final = {"true": True, "false": False}


class Source:
    """What one file says, each thing with its place, and what is wrong with it.

    `faults` are completed by whoever compares several files, and given their lines by `located`.
    """

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.faults: list[Fault] = []
        self.instruments: list[tuple[FieldPath, InstrumentConfig]] = []
        self.accounts: list[tuple[FieldPath, AccountConfig]] = []
        self.keys: list[tuple[FieldPath, KeyConfig]] = []
        self._text = ""

    def located(self) -> list[Fault]:
        """Return the faults with file and line."""
        return located(self.faults, [(self.file, self._text)])

    def read_toml(self, wanted: type, checks: Mapping[type, Any], texts: Mapping[type, Any]) -> Any:
        """Read the file as `wanted`; returns UNUSABLE where that can't be."""
        text = self._read_text()
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.faults.append(syntax_fault(error, self.file, text))
            tree = {}
        else:
            self._text = text
        reader = StrictReader(texts, {**checks, **self._collectors()})
        read = reader.read(tree, wanted)
        self.faults.extend(reader.faults)
        return read

    def _read_text(self) -> str:
        try:
            return Path(self.file).read_text(encoding="utf-8-sig")
        except OSError as error:
            self.faults.append(Fault(error.strerror or str(error), file=self.file))
        except UnicodeDecodeError as error:
            self.faults.append(Fault(f"not UTF-8 text: {error}", file=self.file))
        return ""

    def _collectors(self) -> dict[type, Any]:
        """Return checks that keep each thing with its place."""

        def instrument(one: InstrumentConfig, path: FieldPath) -> list[Fault]:
            self.instruments.append((path, one))
            return check_instrument(one, path)

        def account(one: AccountConfig, path: FieldPath) -> list[Fault]:
            self.accounts.append((path, one))
            return check_account(one, path)

        def key(one: KeyConfig, path: FieldPath) -> list[Fault]:
            self.keys.append((path, one))
            return check_key(one, path)

        return {InstrumentConfig: instrument, AccountConfig: account, KeyConfig: key}


class CsvSource(Source):
    """A CSV file of accounts or of keys; a path in it is (line, field)."""

    def read(self) -> None:
        """Read the whole file."""
        lines = csv.reader(self._read_text().splitlines(keepends=True), strict=True)
        reader = StrictReader(checks=self._collectors())
        try:
            header = [column.strip() for column in next(lines, [])]
            columns = self._columns(header)
            if columns:
                start = lines.line_num + 1
                for cells in lines:
                    self._row(reader, columns, header, cells, start)
                    start = lines.line_num + 1
        except csv.Error as error:
            self.faults.append(Fault(str(error), (lines.line_num,)))
        self.faults.extend(reader.faults)

    def located(self) -> list[Fault]:
        """Return the faults with file and line, under the names of columns."""
        placed = []
        columns = {field: column for column, field in self._fields.items()}
        for fault in self.faults:
            line = fault.path[0] if fault.path else 0
            path: FieldPath = fault.path[1:]
            if path:
                path = (columns.get(str(path[0]), path[0]), *path[1:])
            placed.append(Fault(fault.message, path, self.file, int(line)))
        placed.sort(key=lambda fault: fault.line)
        return placed

    _fields: Mapping[str, str] = {}

    def _columns(self, header: list[str]) -> Mapping[str, str]:
        """Return the fields by column, none when the header can't be used."""
        if self.faults:
            return {}
        keys = "key" in header
        self._fields = _KEY_COLUMNS if keys else _ACCOUNT_COLUMNS
        good = True
        needed = ("key", "account", "secret") if keys else ("account",)
        for column in needed:
            if column not in header:
                good = False
                self.faults.append(Fault(f"the header has no column `{column}`", (1,)))
        for position, column in enumerate(header):
            if column not in self._fields:
                message = f"unknown column; {nearest(column, self._fields)}"
                self.faults.append(Fault(message, (1, column)))
            elif column in header[:position]:
                good = False
                self.faults.append(Fault("the header has the column twice", (1, column)))
        return self._fields if good else {}

    def _row(
        self,
        reader: StrictReader,
        fields: Mapping[str, str],
        header: list[str],
        cells: list[str],
        line: int,
    ) -> None:
        if not any(cell.strip() for cell in cells):
            return
        if len(cells) != len(header):
            message = f"the row has {len(cells)} cells and the header {len(header)}"
            self.faults.append(Fault(message, (line,)))
            return
        row = {
            fields[column]: cell.strip()
            for column, cell in zip(header, cells, strict=True)
            if column in fields and cell.strip()
        }
        tree: dict[str, Any] = dict(row)
        for name, cell in row.items():
            if name in ("permissions", "addresses"):
                tree[name] = _SEPARATOR.split(cell)
            elif name in ("market_maker", "high_frequency"):
                tree[name] = _SWITCHES.get(cell.lower(), cell)
            elif name == "funds":
                tree[name] = self._funds(cell, line)
        reader.read(tree, KeyConfig if fields is _KEY_COLUMNS else AccountConfig, (line,))

    def _funds(self, cell: str, line: int) -> dict[str, str]:
        funds: dict[str, str] = {}
        for part in filter(None, _SEPARATOR.split(cell)):
            asset, equals, amount = part.partition("=")
            if not equals or asset in funds:
                message = f"`{part}` is not one amount of an asset such as USDT=1000"
                self.faults.append(Fault(message, (line, "funds")))
            else:
                funds[asset] = amount
        return funds


def read_bulk(file: Path) -> Source:
    """Return the accounts and keys of a `.toml` or `.csv` file, faults included."""
    if file.suffix.lower() == ".csv":
        source = CsvSource(file)
        source.read()
        return source
    toml = Source(file)
    if file.suffix.lower() == ".toml":
        toml.read_toml(BulkFile, {}, {})
    else:
        toml.faults.append(Fault("not a file of accounts and keys; give .toml or .csv"))
    return toml
