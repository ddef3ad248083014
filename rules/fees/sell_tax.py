"""A tax on the value of what was sold, as levied on securities in several Asian markets."""

from collections.abc import Collection, Iterator

from rules.faults import Fault
from rules.fee_clauses import SellTaxClause
from rules.fees.assessment import Assessment, Headroom, Share, setting_e8
from rules.fees.counts import SOLD_VALUE, Counts
from rules.values import E8


def faults(clause: SellTaxClause) -> Iterator[Fault]:
    """Yield what is wrong with the clause's meaning."""
    if setting_e8(clause.rate) > E8:
        yield Fault(f"`{clause.rate}` is more than all that was sold", ("rate",))


def columns(_clause: SellTaxClause) -> Collection[str]:
    """Return the columns that are needed."""
    return [SOLD_VALUE]


def assess(clause: SellTaxClause, counts: Counts) -> Assessment:
    """Return the tax, rounded down to 1e-8."""
    value_e8 = counts.total_e8(SOLD_VALUE)
    tax_e8 = value_e8 * setting_e8(clause.rate) // E8
    return Assessment(value_e8, 0, (Share("sold", value_e8, tax_e8),))


def headroom(_clause: SellTaxClause, _counts: Counts) -> Headroom | None:
    """Return None: every sale is taxed."""
    return None
