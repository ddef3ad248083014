"""A tax on what was cancelled and modified above a share of what was entered.

Sources: Italy, law 228/2012 section 495 and decree of 21 February 2013, articles 12 and 13:
0.02 % x [(C + M) - 0.60 x (E + M)] x average price; France, CGI article 235 ter ZD bis: 0.01 %
of the amount above the share.
"""

from collections.abc import Collection, Iterator

from rules.faults import Fault
from rules.fee_clauses import CancelTaxClause
from rules.fees.assessment import (
    E16,
    Assessment,
    Headroom,
    Share,
    column_faults,
    setting_e8,
    weights_e8,
)
from rules.fees.counts import AVERAGE_PRICE, Counts
from rules.values import E8


def faults(clause: CancelTaxClause) -> Iterator[Fault]:
    """Yield what is wrong with the clause's meaning."""
    yield from column_faults(clause.changed, ("changed",))
    yield from column_faults(clause.entered, ("entered",))


def columns(clause: CancelTaxClause) -> Collection[str]:
    """Return the columns that are needed."""
    return [*clause.changed, *clause.entered, AVERAGE_PRICE]


def assess(clause: CancelTaxClause, counts: Counts) -> Assessment:
    """Return the tax, rounded down to 1e-8; the base is the volume entered."""
    changed_weights, entered_weights = weights_e8(clause.changed), weights_e8(clause.entered)
    changed_e16 = counts.weighted_e16(changed_weights)
    entered_e16 = counts.weighted_e16(entered_weights)
    excess_e24 = max(changed_e16 * E8 - setting_e8(clause.share) * entered_e16, 0)
    tax_e8 = 0
    if excess_e24:
        # Where nothing was entered, what is left to weigh prices by is what was cancelled.
        weights = entered_weights if entered_e16 else changed_weights
        volume_e16 = counts.weighted_e16(weights)
        value_e24 = sum(
            Counts((row,)).weighted_e16(weights) * row[AVERAGE_PRICE] for row in counts.rows
        )
        # The price is value / volume; a single division rounds in a single place.
        product_e56 = setting_e8(clause.rate) * excess_e24 * value_e24
        tax_e8 = product_e56 // (volume_e16 * E16 * E16)
    share = Share(f"above {clause.share}", excess_e24 // E16, tax_e8)
    return Assessment(changed_e16 // E8, entered_e16 // E8, (share,))


def headroom(clause: CancelTaxClause, counts: Counts) -> Headroom | None:
    """Return what may be cancelled at what has been entered, None above the share."""
    found = assess(clause, counts)
    at_e8 = setting_e8(clause.share) * found.base_e8 // E8
    if found.measured_e8 > at_e8:
        return None
    return Headroom(f"{clause.rate} of value", at_e8, at_e8 - found.measured_e8)
