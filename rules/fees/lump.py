"""A fixed charge where both a number of messages and a ratio to trades are reached.

Source: Korea Exchange, excess-quote charge on derivatives (from 6 April 2015): 100,000 quotes or
more, and 15 or more to a contract, cost KRW 1,000,000.
"""

from collections.abc import Collection, Iterator

from rules.faults import Fault
from rules.fee_clauses import LumpClause
from rules.fees.assessment import Assessment, Headroom, Share, column_faults, setting_e8, weights_e8
from rules.fees.counts import Counts
from rules.values import E8


def faults(clause: LumpClause) -> Iterator[Fault]:
    """Yield what is wrong with the clause's meaning."""
    yield from column_faults(clause.count, ("count",))
    yield from column_faults(clause.base, ("base",))


def columns(clause: LumpClause) -> Collection[str]:
    """Return the columns that are needed."""
    return [*clause.count, *clause.base]


def assess(clause: LumpClause, counts: Counts) -> Assessment:
    """Return the charge; the excess is the whole count once the charge is due."""
    measured_e8 = counts.weighted_e8(weights_e8(clause.count))
    base_e8 = counts.weighted_e8(weights_e8(clause.base))
    base_e8 = max(base_e8, setting_e8(clause.base_floor))
    found = Assessment(measured_e8, base_e8, ())
    label = f"ratio {clause.ratio} or more"
    enough = measured_e8 >= setting_e8(clause.minimum)
    if enough and found.reaches(setting_e8(clause.ratio)):
        share = Share(label, measured_e8, setting_e8(clause.fee))
    else:
        share = Share(label, 0, 0)
    return found._replace(shares=(share,))


def headroom(clause: LumpClause, counts: Counts) -> Headroom | None:
    """Return what may be added without the charge being due, None once it is."""
    found = assess(clause, counts)
    if found.exceeded:
        return None
    # Rounded up: the ratio is reached at the first unit that is not below it.
    at_e8 = -(-setting_e8(clause.ratio) * found.base_e8 // E8)
    at_e8 = max(at_e8, setting_e8(clause.minimum)) - 1
    return Headroom(f"{clause.fee} once due", at_e8, at_e8 - found.measured_e8)
