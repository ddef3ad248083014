"""A statement of fees: its lines, what they add up to, and its forms as JSON and CSV.

Amounts are exact decimal texts in the tariff's currency. A statement depends on the counts and
the tariffs alone, so making it again gives the same bytes.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rules.fees.charging import Charge, charges
from rules.fees.counts import CountRow
from rules.fees.tariff import Tariff
from rules.units import decimal_text
from rules.values import E8


class SlabPart(msgspec.Struct, frozen=True, kw_only=True):
    """One slab of one line."""

    slab: str
    excess: str
    amount: str


class StatementLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one tariff charges one owner for one symbol, or for all, in one day or month."""

    tariff: str
    owner: str
    symbol: str | None
    """None where the tariff charges for everything the owner did."""
    period: str
    measured: str
    base: str | None
    """What `measured` is compared with; None where the tariff compares with nothing."""
    ratio: str | None
    """Measured by base, rounded down to 8 places."""
    excess: str
    slabs: list[SlabPart]
    fee: str
    """Before cap and relief."""
    cap: str | None
    cut_by_cap: str
    waived: str
    relief: str
    amount: str
    """What is charged."""
    currency: str
    posted: str | None = None
    """What stands posted in the record; None in a statement from counts."""
    state: str = ""
    """`posted`, `open` while the period runs, `due` when it has ended and is not posted so, `counted`
    when nothing is posted by the tariff."""
    acts: int = 0
    """How many acts were counted."""
    records: str = ""
    """The records they are in, by number: `17,20-25`."""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What one owner, or with `owner` None everybody, is charged in one currency."""

    owner: str | None
    currency: str
    amount: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The tariff behind a statement."""

    tariff: str
    description: str
    source: str
    currency: str
    utc_offset: str
    period: str
    per: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A whole statement; lines by tariff, owner, symbol and period."""

    tariffs: list[Terms]
    lines: list[StatementLine]
    totals: list[Total]
    """By owner and currency."""
    sums: list[Total]
    """By currency."""


def make_statement(tariffs: Sequence[Tariff], rows: Sequence[CountRow]) -> Statement:
    """Return what the tariffs charge for the counts; an owner who pays nothing has a total too."""
    return statement_of(
        tariffs, [(tariff, charge) for tariff in tariffs for charge in charges(tariff, rows)]
    )


def statement_of(
    tariffs: Sequence[Tariff],
    charged: Iterable[tuple[Tariff, Charge]],
    about: Callable[[Tariff, Charge], Mapping[str, Any]] | None = None,
) -> Statement:
    """Return the statement of charges; `about` gives further fields of a line."""
    lines: list[StatementLine] = []
    totals_e8: dict[tuple[str, str], int] = {}
    sums_e8: dict[str, int] = {}
    places: dict[str, int] = {}
    for tariff in tariffs:
        currency = tariff.file.currency
        sums_e8.setdefault(currency, 0)
        places[currency] = max(places.get(currency, 0), tariff.file.places)
    for tariff, charge in charged:
        currency = tariff.file.currency
        key = (charge.owner, currency)
        totals_e8[key] = totals_e8.get(key, 0) + charge.amount_e8
        sums_e8[currency] += charge.amount_e8
        line = _line(tariff, charge)
        if about is not None:
            line = msgspec.structs.replace(line, **about(tariff, charge))
        lines.append(line)
    return Statement(
        tariffs=[terms(tariff) for tariff in tariffs],
        lines=lines,
        totals=[
            Total(owner=owner, currency=currency, amount=decimal_text(amount_e8, places[currency]))
            for (owner, currency), amount_e8 in sorted(totals_e8.items())
        ],
        sums=[
            Total(owner=None, currency=currency, amount=decimal_text(amount_e8, places[currency]))
            for currency, amount_e8 in sorted(sums_e8.items())
        ],
    )


def terms(tariff: Tariff) -> Terms:
    """Return what a statement says of a tariff."""
    file = tariff.file
    return Terms(
        tariff=tariff.name,
        description=file.description,
        source=file.source,
        currency=file.currency,
        utc_offset=file.utc_offset,
        period=file.period,
        per=file.per,
    )


def _line(tariff: Tariff, charge: Charge) -> StatementLine:
    found = charge.assessment
    places = tariff.file.places
    ratio = decimal_text(found.measured_e8 * E8 // found.base_e8) if found.base_e8 else None
    return StatementLine(
        tariff=tariff.name,
        owner=charge.owner,
        symbol=charge.symbol or None,
        period=charge.period,
        measured=decimal_text(found.measured_e8),
        base=decimal_text(found.base_e8) if found.base_e8 else None,
        ratio=ratio,
        excess=decimal_text(found.excess_e8),
        slabs=[
            SlabPart(
                slab=share.label,
                excess=decimal_text(share.excess_e8),
                amount=decimal_text(share.fee_e8, places),
            )
            for share in found.shares
        ],
        fee=decimal_text(found.fee_e8, places),
        cap=None if tariff.cap_e8 is None else decimal_text(tariff.cap_e8, places),
        cut_by_cap=decimal_text(charge.cut_by_cap_e8, places),
        waived=decimal_text(charge.waived_e8, places),
        relief=charge.relief,
        amount=decimal_text(charge.amount_e8, places),
        currency=tariff.file.currency,
    )


def slabs_text(line: StatementLine) -> str:
    """Return the slabs in which something lies: `100-500: 400 = 4.00; ...`."""
    parts = [part for part in line.slabs if part.excess != "0"]
    return "; ".join(f"{part.slab}: {part.excess} = {part.amount}" for part in parts)


_OF_THE_RECORD: Final = ("posted", "state", "acts", "records")
"""Columns that only a statement from the record has."""


def csv_text(statement: Statement, from_record: bool = False) -> str:
    """Return the lines as CSV with a header; nothing is an empty cell, slabs are one text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [
        column
        for column in StatementLine.__struct_fields__
        if from_record or column not in _OF_THE_RECORD
    ]
    writer.writerow(columns)
    for line in statement.lines:
        cells = {column: getattr(line, column) for column in columns}
        cells["slabs"] = slabs_text(line)
        writer.writerow("" if cell is None else cell for cell in cells.values())
    return text.getvalue()
