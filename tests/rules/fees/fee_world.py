"""Counts of an owner in a symbol and day, and what a tariff makes of them."""

from collections.abc import Iterable
from datetime import date

from gateway.tariffs import load_tariff
from rules.fees.assessment import Assessment
from rules.fees.charging import Charge, charges
from rules.fees.counts import CountRow, Counts
from rules.fees.tariff import Tariff
from rules.units import decimal_e8, decimal_text


def values_e8(**columns: int | str) -> dict[str, int]:
    """Return counts by column in 1e-8 units, from whole numbers or decimal texts."""
    return {column: decimal_e8(str(value)) for column, value in columns.items()}


def row(
    owner: str = "acme", symbol: str = "ENI", day: str = "2012-04-02", **columns: int | str
) -> CountRow:
    """Return one row of counts; columns that aren't given are 0."""
    given = {"orders": 0, "modifies": 0, "cancels": 0, "trades": 0} | columns
    return CountRow(owner, symbol, date.fromisoformat(day), values_e8(**given))


def assess(tariff: Tariff | str, *rows: dict[str, int | str]) -> Assessment:
    """Return what a tariff finds for rows that are charged together."""
    found = load_tariff(tariff) if isinstance(tariff, str) else tariff
    return found.assess(Counts(tuple(values_e8(**columns) for columns in rows)))


def fee(tariff: Tariff | str, **columns: int | str) -> str:
    """Return the fee of one row as decimal text."""
    return decimal_text(assess(tariff, columns).fee_e8)


def amounts(tariff: Tariff | str, rows: Iterable[CountRow]) -> list[str]:
    """Return what each line is charged, as decimal texts."""
    return [decimal_text(line.amount_e8) for line in lines(tariff, rows)]


def lines(tariff: Tariff | str, rows: Iterable[CountRow]) -> list[Charge]:
    """Return the lines a tariff makes of rows."""
    found = load_tariff(tariff) if isinstance(tariff, str) else tariff
    return charges(found, rows)
