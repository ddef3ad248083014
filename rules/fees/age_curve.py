"""A price of cancelling that falls with the order's age, without a step to sit behind.

Basis: Directive 2014/65/EU Art. 48(9), of which the French transposition (CMF L.420-6) says that
the fee for a cancelled order may depend on how long it could be executed. France's own tax shows
why the curve has no steps: it is avoided by waiting just longer than the half second.
"""

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Final

from rules.faults import Fault
from rules.fee_clauses import AgeCurveClause
from rules.fees.assessment import Assessment, Headroom, Share, setting_e8
from rules.fees.counts import AGE_PREFIX, CHARGED, CHARGES, Counts, bucket_age_ns, bucket_columns
from rules.texts import read_duration
from rules.units import duration_text
from rules.values import E8

_STEPS: Final = 20


def faults(clause: AgeCurveClause) -> Iterator[Fault]:
    """Yield what is wrong with the clause's meaning."""
    points = clause.points
    if len(points) < 2:
        yield Fault("a curve needs two points or more", ("points",))
        return
    if read_duration(points[0].age):
        yield Fault(f"`{points[0].age}` is not the age 0s", ("points", 0, "age"))
    for index, (younger, older) in enumerate(pairwise(points), 1):
        if read_duration(older.age) <= read_duration(younger.age):
            message = f"`{older.age}` is not older than the point before, `{younger.age}`"
            yield Fault(message, ("points", index, "age"))
        if setting_e8(older.fee) > setting_e8(younger.fee):
            message = f"`{older.fee}` is above the fee of the point before, `{younger.fee}`"
            yield Fault(message, ("points", index, "fee"))
    if setting_e8(points[-1].fee):
        message = f"`{points[-1].fee}` is not 0, and the curve ends here"
        yield Fault(message, ("points", len(points) - 1, "fee"))


def columns(clause: AgeCurveClause) -> Collection[str]:
    """Return the column that must be there: the one that ends with the curve, for none younger
    than that may be left out. Finer columns are welcome."""
    return [f"{AGE_PREFIX}{duration_text(read_duration(clause.points[-1].age))}"]


def metered(clause: AgeCurveClause) -> Collection[str]:
    """Return the columns the gate counts itself: every piece of the curve in twenty steps."""
    ages_ns = []
    for younger, older in pairwise(clause.points):
        start_ns = read_duration(younger.age)
        length_ns = read_duration(older.age) - start_ns
        ages_ns += [start_ns + length_ns * step // _STEPS for step in range(1, _STEPS + 1)]
    return [f"{AGE_PREFIX}{duration_text(age_ns)}" for age_ns in dict.fromkeys(ages_ns) if age_ns]


def assess(clause: AgeCurveClause, counts: Counts) -> Assessment:
    """Return the fee: each column's cancels at the mean price of its ages, rounded down to 1e-8.

    Where the gate has charged each at once, by its age to the nanosecond, it is the sum of that.
    """
    if CHARGED in counts.rows[0]:
        number_e8 = counts.total_e8(CHARGES)
        return Assessment(number_e8, 0, (Share("by age", number_e8, counts.total_e8(CHARGED)),))
    shares = []
    measured_e8 = 0
    start_ns = 0
    for column in bucket_columns(counts.rows[0]):
        end_ns = bucket_age_ns(column)
        number_e8 = counts.total_e8(column)
        measured_e8 += number_e8
        numerator, denominator = _area(clause, start_ns, end_ns)
        fee_e8 = number_e8 * numerator // (denominator * (end_ns - start_ns) * E8)
        label = f"{duration_text(start_ns) if start_ns else '0s'}-{duration_text(end_ns)}"
        shares.append(Share(label, number_e8 if fee_e8 else 0, fee_e8))
        start_ns = end_ns
    return Assessment(measured_e8, 0, tuple(shares))


def headroom(_clause: AgeCurveClause, _counts: Counts) -> Headroom | None:
    """Return None: each cancel has its own price."""
    return None


def price_e8(clause: AgeCurveClause, age_ns: int) -> int:
    """Return the price of one cancel at an age, rounded down to 1e-8; 0 where the curve has ended."""
    for younger, older in pairwise(clause.points):
        start_ns, end_ns = read_duration(younger.age), read_duration(older.age)
        if age_ns < end_ns:
            fee_e8 = setting_e8(younger.fee)
            length_ns = end_ns - start_ns
            fall_e8 = fee_e8 - setting_e8(older.fee)
            return (fee_e8 * length_ns - fall_e8 * (age_ns - start_ns)) // length_ns
    return 0


def _area(clause: AgeCurveClause, start_ns: int, end_ns: int) -> tuple[int, int]:
    """Return the area under the curve between two ages, in 1e-8 units x ns, as a fraction."""
    numerator, denominator = 0, 1
    for younger, older in pairwise(clause.points):
        age_ns, length_ns = read_duration(younger.age), read_duration(older.age)
        length_ns -= age_ns
        low_ns = max(start_ns, age_ns) - age_ns
        high_ns = min(end_ns, age_ns + length_ns) - age_ns
        if low_ns >= high_ns:
            continue
        fee_e8, fall_e8 = setting_e8(younger.fee), setting_e8(older.fee)
        fall_e8 -= fee_e8
        # Mean of the prices at both ends times the width: a straight line's area, exactly.
        part = (high_ns - low_ns) * (2 * fee_e8 * length_ns + fall_e8 * (low_ns + high_ns))
        numerator = numerator * 2 * length_ns + part * denominator
        denominator *= 2 * length_ns
    return numerator, denominator
