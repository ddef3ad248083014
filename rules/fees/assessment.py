"""What a model finds for one line of a statement, before caps and waivers."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from rules.faults import Fault, FieldPath, nearest
from rules.fees.counts import AVERAGE_PRICE, DECIMAL_COLUMNS, SOLD_VALUE, WHOLE_COLUMNS
from rules.texts import read_decimal
from rules.values import E8

E16 = E8 * E8


class Share(NamedTuple):
    """One slab's part of a fee."""

    label: str
    excess_e8: int
    """Messages, or units, within the slab; rounded down to 1e-8."""
    fee_e8: int


class Assessment(NamedTuple):
    """What was measured, what it is compared with, and the fee; all in 1e-8 units."""

    measured_e8: int
    base_e8: int
    """The trades, the limit or the volume entered; 0 for a model that compares with nothing."""
    shares: tuple[Share, ...]

    @property
    def fee_e8(self) -> int:
        """The sum of the shares."""
        return sum(share.fee_e8 for share in self.shares)

    @property
    def excess_e8(self) -> int:
        """The sum of what lies in a slab."""
        return sum(share.excess_e8 for share in self.shares)

    @property
    def exceeded(self) -> bool:
        """Whether anything lies above the limit."""
        return any(share.excess_e8 or share.fee_e8 for share in self.shares)

    def reaches(self, ratio_e8: int) -> bool:
        """Whether measured divided by base is `ratio_e8` or more; always so for a base of 0."""
        return self.measured_e8 * E8 >= ratio_e8 * self.base_e8


class Headroom(NamedTuple):
    """How much more may be counted before it costs more; in 1e-8 units."""

    next: str
    """What begins then."""
    at_e8: int
    """The measure up to which nothing changes."""
    left_e8: int
    """What is left until there, if nothing else changes."""


@lru_cache(maxsize=1024)
def setting_e8(text: str) -> int:
    """Return a tariff's decimal in 1e-8 units; it is the same for every line, so it is kept."""
    return read_decimal(text)


def weights_e8(texts: Mapping[str, str]) -> dict[str, int]:
    """Return weights of columns in 1e-8 units."""
    return {column: setting_e8(text) for column, text in texts.items()}


def column_faults(weights: Mapping[str, str], path: FieldPath) -> Iterator[Fault]:
    """Yield what is wrong with the columns a tariff names; at least one must be named."""
    known = [*WHOLE_COLUMNS, *DECIMAL_COLUMNS]
    summable = [column for column in known if column not in (AVERAGE_PRICE, SOLD_VALUE)]
    if not weights:
        yield Fault("names no column", path)
    for column in weights:
        if column not in summable:
            yield Fault(
                f"no column that can be counted; {nearest(column, summable)}", (*path, column)
            )
