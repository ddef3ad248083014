"""Marginal slabs on the ratio of messages to trades.

Sources: Borsa Italiana, order-to-trade fee of 2 April 2012; NSE India, circular NSE/FA/21156 of
2012 ("on incremental basis"); Nasdaq Nordic, fee for excessive order entry of 2011, which is one
slab. Marginal means that each message pays its own slab's fee, so no message makes others dearer.
"""

from collections.abc import Collection, Iterator
from itertools import pairwise

from rules.faults import Fault
from rules.fee_clauses import SlabsClause
from rules.fees.assessment import (
    E16,
    Assessment,
    Headroom,
    Share,
    column_faults,
    setting_e8,
    weights_e8,
)
from rules.fees.counts import Counts
from rules.values import E8


def faults(clause: SlabsClause) -> Iterator[Fault]:
    """Yield what is wrong with the clause's meaning."""
    yield from column_faults(clause.count, ("count",))
    yield from column_faults(clause.base, ("base",))
    if clause.less:
        yield from column_faults(clause.less, ("less",))
    if not clause.slabs:
        yield Fault("there must be a slab", ("slabs",))
    for index, (lower, upper) in enumerate(pairwise(clause.slabs), 1):
        if setting_e8(upper.above) <= setting_e8(lower.above):
            message = f"`{upper.above}` is not above the slab before, `{lower.above}`"
            yield Fault(message, ("slabs", index, "above"))


def columns(clause: SlabsClause) -> Collection[str]:
    """Return the columns that are needed."""
    return [*clause.count, *clause.less, *clause.base]


def assess(clause: SlabsClause, counts: Counts) -> Assessment:
    """Return the fee; each slab's is rounded down to 1e-8."""
    counted_e8 = counts.weighted_e8(weights_e8(clause.count))
    measured_e8 = max(counted_e8 - counts.weighted_e8(weights_e8(clause.less)), 0)
    base_e8 = counts.weighted_e8(weights_e8(clause.base))
    base_e8 = max(base_e8, setting_e8(clause.base_floor))
    chargeable = measured_e8 >= setting_e8(clause.minimum)
    # In 1e-16 units, since a limit times a number of trades may have sixteen places.
    measured_e16 = measured_e8 * E8
    starts_e16 = [setting_e8(slab.above) * base_e8 for slab in clause.slabs]
    ends_e16 = [*starts_e16[1:], max(measured_e16, starts_e16[-1])]
    shares = []
    bounds = [slab.above for slab in clause.slabs]
    labels = [*(f"{low}-{high}" for low, high in pairwise(bounds)), f"above {bounds[-1]}"]
    for index, slab in enumerate(clause.slabs):
        reached_e16 = min(measured_e16, ends_e16[index])
        excess_e16 = max(reached_e16 - starts_e16[index], 0) if chargeable else 0
        fee_e8 = excess_e16 * setting_e8(slab.fee) // E16
        shares.append(Share(labels[index], excess_e16 // E8, fee_e8))
    return Assessment(measured_e8, base_e8, tuple(shares))


def headroom(clause: SlabsClause, counts: Counts) -> Headroom | None:
    """Return what may be added within the slab that the count lies in, None in the last one."""
    found = assess(clause, counts)
    minimum_e8 = setting_e8(clause.minimum)
    for slab in clause.slabs:
        at_e8 = setting_e8(slab.above) * found.base_e8 // E8
        if found.measured_e8 < minimum_e8:
            # Below the minimum nothing is charged, whatever the ratio.
            at_e8 = max(at_e8, minimum_e8 - 1)
        if found.measured_e8 <= at_e8:
            label = f"{slab.fee} each above {slab.above}"
            return Headroom(label, at_e8, at_e8 - found.measured_e8)
    return None
