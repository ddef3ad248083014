"""A fee on each message above a limit that may grow with what was traded.

Sources: Eurex, Excessive System Usage Fee of 1 December 2013, (transactions - limit) x fee with
limit = floor + volume x factor, since 15 December 2025 with a factor each for passive and
aggressive volume. Without growth it is a plain fee on cancels above a number.
"""

from collections.abc import Collection, Iterator

from rules.faults import Fault
from rules.fee_clauses import AllowanceClause
from rules.fees.assessment import Assessment, Headroom, Share, column_faults, setting_e8, weights_e8
from rules.fees.counts import Counts
from rules.values import E8


def faults(clause: AllowanceClause) -> Iterator[Fault]:
    """Yield what is wrong with the clause's meaning."""
    yield from column_faults(clause.count, ("count",))
    if clause.limit_per:
        yield from column_faults(clause.limit_per, ("limit_per",))


def columns(clause: AllowanceClause) -> Collection[str]:
    """Return the columns that are needed."""
    return [*clause.count, *clause.limit_per]


def assess(clause: AllowanceClause, counts: Counts) -> Assessment:
    """Return the fee, rounded down to 1e-8; the base is the limit."""
    measured_e8 = counts.weighted_e8(weights_e8(clause.count))
    grown_e8 = counts.weighted_e8(weights_e8(clause.limit_per))
    limit_e8 = setting_e8(clause.limit) + grown_e8
    excess_e8 = max(measured_e8 - limit_e8, 0)
    share = Share("above the limit", excess_e8, excess_e8 * setting_e8(clause.fee) // E8)
    return Assessment(measured_e8, limit_e8, (share,))


def headroom(clause: AllowanceClause, counts: Counts) -> Headroom | None:
    """Return what may be added up to the limit, None above it."""
    found = assess(clause, counts)
    if found.measured_e8 > found.base_e8:
        return None
    label = f"{clause.fee} each above the limit"
    return Headroom(label, found.base_e8, found.base_e8 - found.measured_e8)
