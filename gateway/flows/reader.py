"""Reading a recorded flow: one CSV schema for every venue, plain or gzipped.

Columns: `ts_ns,event,order_id,side,price,qty,flag,symbol`, sorted by time, and optionally
`account,key,ip,channel`. docs/simulate.md describes them. Nothing is guessed: what can't be read
is a FlowError with file, line and value.
"""

import csv
import gzip
import io
import ipaddress
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from rules.units import decimal_e8
from rules.values import BUY, CHANNEL_INTERNAL, CHANNEL_NAMES, INT63_MAX, SELL

ROW_NEW: Final = "new"
ROW_CANCEL: Final = "cancel"
ROW_REDUCE: Final = "reduce"
ROW_FILL: Final = "fill"
ROW_AMEND: Final = "amend"
ROW_KINDS: Final = (ROW_NEW, ROW_CANCEL, ROW_REDUCE, ROW_FILL, ROW_AMEND)

FLAG_RESTING: Final = "S"
"""The order was resting when the recording started."""
FLAG_MAKER: Final = "M"
FLAG_TAKER: Final = "T"
FLAG_HIDDEN: Final = "H"
"""Execution of a hidden order, which has no id of its own."""
FLAG_SEEN_LATE: Final = "C"
"""The order was older than its row when it was first seen."""
FLAGS: Final = ("", FLAG_RESTING, FLAG_MAKER, FLAG_TAKER, FLAG_HIDDEN, FLAG_SEEN_LATE)

REQUIRED_COLUMNS: Final = ("ts_ns", "event", "order_id", "side", "price", "qty", "flag", "symbol")
OPTIONAL_COLUMNS: Final = ("account", "key", "ip", "channel")

HIDDEN_ORDER_ID: Final = "0"

_SIDES: Final = {"buy": BUY, "sell": SELL}
_CHANNELS: Final = {name.lower(): code for code, name in enumerate(CHANNEL_NAMES) if name}
_GZIP_MAGIC: Final = b"\x1f\x8b"
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,31}")
_NAME = re.compile(r"[!-~]{1,64}")
_TIME = re.compile(r"[0-9]{1,19}")


class FlowError(ValueError):
    """A flow that can't be used; the message names file, line and value."""


class FlowRow(NamedTuple):
    """One line of a flow."""

    line: int
    ts_ns: int
    kind: str
    """One of `ROW_KINDS`."""
    order_id: str
    """The venue's id, unique within the symbol."""
    side: int
    price_e8: int
    """0 when not told."""
    quantity_e8: int
    """Submitted, taken off, filled or newly remaining, by kind; 0 when not told."""
    flag: str
    symbol: str
    account: str
    """Empty unless the flow has the column, as the following."""
    key: str
    ip: str
    channel: int


class Flow(NamedTuple):
    """A whole recording."""

    path: str
    rows: list[FlowRow]
    columns: tuple[str, ...]
    """The optional columns it has."""


def read_flow(path: Path) -> Flow:
    """Return the flow in `path`, a CSV file or a gzipped one; raises FlowError."""
    try:
        with path.open("rb") as file:
            reader = _Reader(str(path), _csv_lines(file))
            return Flow(str(path), list(reader.rows()), reader.optional)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FlowError(f"{path}: can't be read: {reason}") from None


def _csv_lines(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each line's number and fields."""
    magic = file.read(2)
    file.seek(0)
    raw = gzip.GzipFile(fileobj=file) if magic == _GZIP_MAGIC else file
    with io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
        lines = csv.reader(text, strict=True)
        for fields in lines:
            yield lines.line_num, fields


class _Reader:
    """Checks line after line; keeps what a later line is compared with."""

    def __init__(self, path: str, lines: Iterator[tuple[int, list[str]]]) -> None:
        self._path = path
        self._lines = lines
        self._line = 1
        _, header = next(lines, (0, []))
        if not header:
            raise FlowError(f"{path}: is empty; a header and rows are expected")
        for name in REQUIRED_COLUMNS:
            if name not in header:
                raise self._error(f"column `{name}` is missing", f"{','.join(REQUIRED_COLUMNS)}")
        for name in header:
            if name not in REQUIRED_COLUMNS and name not in OPTIONAL_COLUMNS:
                raise self._error(f"column `{name}` is unknown", ",".join(OPTIONAL_COLUMNS))
            if header.count(name) > 1:
                raise self._error(f"column `{name}` stands twice", "each column once")
        self._header = header
        self.optional = tuple(name for name in OPTIONAL_COLUMNS if name in header)
        self._submitted: dict[tuple[str, str], int] = {}
        self._last_ns = 0

    def rows(self) -> Iterator[FlowRow]:
        """Yield every row; raises FlowError at the first that can't be read."""
        width = len(self._header)
        place = {name: index for index, name in enumerate(self._header)}
        order = [place.get(name, width) for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)]
        for line, fields in self._lines:
            self._line = line
            if not fields:
                continue
            if len(fields) != width:
                raise self._error(f"{len(fields)} fields", f"{width}, as the header has")
            fields.append("")
            yield self._row([fields[index] for index in order])

    def _row(self, fields: list[str]) -> FlowRow:
        time, kind, order_id, side, price, quantity, flag, symbol, account, key, ip, channel = (
            fields
        )
        if kind not in ROW_KINDS:
            raise self._error(f"event `{kind}`", ", ".join(ROW_KINDS))
        if side not in _SIDES:
            raise self._error(f"side `{side}`", "buy or sell")
        if flag not in FLAGS:
            raise self._error(f"flag `{flag}`", "S, M, T, H, C or nothing")
        if not _SYMBOL.fullmatch(symbol):
            raise self._error(f"symbol `{symbol}`", "letters, digits and . _ / -, at most 32")
        if not _NAME.fullmatch(order_id):
            raise self._error(f"order_id `{order_id}`", "1 to 64 printable characters")
        if channel and channel not in _CHANNELS:
            raise self._error(f"channel `{channel}`", ", ".join(_CHANNELS))
        for name, value in (("account", account), ("key", key)):
            if value and not _NAME.fullmatch(value):
                raise self._error(f"{name} `{value}`", "at most 64 printable characters")
        row = FlowRow(
            self._line,
            self._time_ns(time),
            kind,
            order_id,
            _SIDES[side],
            self._amount_e8("price", price),
            self._amount_e8("qty", quantity),
            flag,
            symbol,
            account,
            key,
            self._address(ip),
            _CHANNELS[channel] if channel else CHANNEL_INTERNAL,
        )
        self._check_amounts(row, price, quantity)
        self._check_identity(row)
        return row

    def _time_ns(self, text: str) -> int:
        value = int(text) if _TIME.fullmatch(text) else -1
        if not 0 < value <= INT63_MAX:
            raise self._error(f"ts_ns `{text}`", "nanoseconds since 1970 as a whole number")
        if value < self._last_ns:
            raise self._error(f"ts_ns `{text}` is before the line above", "rows sorted by time")
        self._last_ns = value
        return value

    def _amount_e8(self, name: str, text: str) -> int:
        if not text:
            return 0
        try:
            value = decimal_e8(text)
        except ValueError:
            value = -1
        if not 0 <= value <= INT63_MAX:
            raise self._error(
                f"{name} `{text}`", "a decimal number of at most 8 places, below 92233720368"
            )
        return value

    def _address(self, text: str) -> str:
        if not text:
            return ""
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            raise self._error(f"ip `{text}`", "an IPv4 or IPv6 address") from None

    def _check_amounts(self, row: FlowRow, price: str, quantity: str) -> None:
        """Refuse a row without the price or quantity its kind needs."""
        if not row.price_e8 and (price or row.kind in (ROW_NEW, ROW_AMEND, ROW_FILL)):
            raise self._error(f"price `{price}` of a {row.kind}", "a price above 0")
        if not row.quantity_e8 and row.kind in (ROW_NEW, ROW_AMEND, ROW_REDUCE):
            raise self._error(f"qty `{quantity}` of a {row.kind}", "a quantity above 0")
        if not quantity and row.kind == ROW_FILL:
            # 0 is a fill whose size was never seen; nothing at all is a damaged row.
            raise self._error("qty `` of a fill", "a quantity, 0 when it was not seen")

    def _check_identity(self, row: FlowRow) -> None:
        """Refuse an id submitted twice, and a row of a hidden order that is no fill."""
        if row.flag == FLAG_HIDDEN or row.order_id == HIDDEN_ORDER_ID:
            if row.kind != ROW_FILL or row.flag != FLAG_HIDDEN:
                raise self._error(
                    f"order_id `{row.order_id}` with event `{row.kind}` and flag `{row.flag}`",
                    "id 0 and flag H on fills of hidden orders only",
                )
            return
        if row.kind == ROW_NEW:
            first = self._submitted.setdefault((row.symbol, row.order_id), row.line)
            if first != row.line:
                raise self._error(
                    f"order_id `{row.order_id}` was submitted on line {first} already",
                    "each id once for a symbol",
                )

    def _error(self, fault: str, accepted: str) -> FlowError:
        return FlowError(f"{self._path}, line {self._line}: {fault}; accepted: {accepted}")
