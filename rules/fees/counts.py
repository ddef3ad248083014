"""What fees are computed from: numbers of one owner in one symbol, by the columns' names."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

from rules.units import duration_ns, duration_text
from rules.values import E8

WHOLE_COLUMNS: Final = {
    "orders": "orders entered",
    "cancels": "cancellations",
    "modifies": "modifications",
    "trades": "executions; each partial one counts",
    "exempt_orders": "entries and modifications so near the last price that they do not count",
}
DECIMAL_COLUMNS: Final = {
    "weighted_orders": "orders, each weighted by its distance from the best price at entry",
    "ordered_volume": "quantity entered",
    "cancelled_volume": "quantity cancelled",
    "modified_volume": "quantity modified",
    "cancelled_fast": "quantity cancelled within the time the law names",
    "modified_fast": "quantity modified within the time the law names",
    "traded_volume": "quantity traded",
    "passive_volume": "quantity traded by resting orders",
    "aggressive_volume": "quantity traded by incoming orders",
    "average_price": "average price of the orders entered, weighted by quantity",
    "sold_value": "price times quantity of what was sold",
}
"""Columns of counts with their meaning; whole numbers and decimals."""
CHARGES: Final = "charges"
CHARGED: Final = "charged"
"""Number and amount of what decisions have charged at once; counted by the gate alone."""
CHARGE_COLUMNS: Final = (CHARGES, CHARGED)
AVERAGE_PRICE: Final = "average_price"
SOLD_VALUE: Final = "sold_value"
AGE_PREFIX: Final = "cancels_under_"
"""Begin of a column of cancellations by age: `cancels_under_500ms`. Each holds the cancels of
orders younger than its age and not younger than the next smaller one's."""


class CountRow(NamedTuple):
    """What one owner did in one symbol on one day, or in a part of a day."""

    owner: str
    symbol: str
    when: date | datetime
    """A day of the tariff's calendar, or a time with its offset from UTC."""
    values_e8: Mapping[str, int]
    """By column, in 1e-8 units, whole numbers too."""


class Counts(NamedTuple):
    """The rows that are charged together."""

    rows: tuple[Mapping[str, int], ...]

    def total_e8(self, column: str) -> int:
        """Return the sum of a column, in 1e-8 units; raises KeyError where it is missing."""
        return sum(row[column] for row in self.rows)

    def weighted_e16(self, weights: Mapping[str, int]) -> int:
        """Return the sum of columns times their weights (1e-8 units), in 1e-16 units."""
        return sum(self.total_e8(column) * weight for column, weight in weights.items())

    def weighted_e8(self, weights: Mapping[str, int]) -> int:
        """Return the sum of columns times their weights (1e-8 units), rounded down to 1e-8."""
        return self.weighted_e16(weights) // E8


def bucket_age_ns(column: str) -> int:
    """Return the age that ends a column of cancellations by age; 0 when it is no such column.

    Only the shortest way to write an age counts, so that no age has two columns.
    """
    text = column.removeprefix(AGE_PREFIX)
    if text == column:
        return 0
    try:
        age_ns = duration_ns(text)
    except ValueError:
        return 0
    return age_ns if duration_text(age_ns) == text else 0


def bucket_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns of cancellations by age, the youngest first."""
    return sorted(filter(bucket_age_ns, columns), key=bucket_age_ns)
