"""The lines of a statement: assessed, capped, then relieved, in that order.

The order of the rows does not matter, and the same rows always give the same lines.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from rules.fees.assessment import Assessment
from rules.fees.counts import CountRow, Counts
from rules.fees.tariff import MONTH_LENGTH, Tariff


class Charge(NamedTuple):
    """One line of a statement; amounts in 1e-8 units of the tariff's currency."""

    owner: str
    symbol: str
    """Empty where the line is of everything the owner did."""
    period: str
    """The day as `2026-01-31`, or the month as `2026-01`."""
    assessment: Assessment
    cut_by_cap_e8: int = 0
    waived_e8: int = 0
    relief: str = ""
    """Why it was waived."""

    @property
    def amount_e8(self) -> int:
        """What is charged."""
        return self.assessment.fee_e8 - self.cut_by_cap_e8 - self.waived_e8


def charges(tariff: Tariff, rows: Iterable[CountRow]) -> list[Charge]:
    """Return the lines, by owner, symbol and period."""
    groups: dict[tuple[str, str, str], list[Mapping[str, int]]] = {}
    for row in rows:
        period = tariff.day(row.when).isoformat()
        if tariff.file.period == "month":
            period = period[:MONTH_LENGTH]
        symbol = row.symbol if tariff.file.per == "symbol" else ""
        groups.setdefault((row.owner, symbol, period), []).append(row.values_e8)
    lines = [
        Charge(*key, tariff.assess(Counts(tuple(values)))) for key, values in sorted(groups.items())
    ]
    return _relieved(tariff, _capped(tariff, lines))


def _capped(tariff: Tariff, lines: list[Charge]) -> list[Charge]:
    """Return the lines with what is above the cap cut off.

    A cap for each owner is used up in the order of symbols, so that the lines add up to it.
    """
    cap_e8 = tariff.cap_e8
    if cap_e8 is None:
        return lines
    left_e8: dict[tuple[str, str], int] = {}
    capped = []
    for line in lines:
        key = (line.owner, line.period)
        room_e8 = cap_e8 if tariff.file.cap_per == "line" else left_e8.get(key, cap_e8)
        cut_e8 = max(line.assessment.fee_e8 - room_e8, 0)
        left_e8[key] = room_e8 - (line.assessment.fee_e8 - cut_e8)
        capped.append(line._replace(cut_by_cap_e8=cut_e8))
    return capped


def _relieved(tariff: Tariff, lines: list[Charge]) -> list[Charge]:
    """Return the lines with each calendar month's relief applied, in the order of days."""
    relief = tariff.file.relief
    relieve: Callable[[Tariff, list[Charge]], list[Charge]]
    if relief.free_exceedances:
        relieve = _without_accidents
    elif relief.waivers:
        relieve = _waived
    else:
        return lines
    months: dict[tuple[str, str, str], list[Charge]] = {}
    for line in lines:
        symbol = line.symbol if relief.per == "symbol" else ""
        months.setdefault((line.owner, symbol, line.period[:MONTH_LENGTH]), []).append(line)
    relieved = []
    for month in months.values():
        month.sort(key=lambda line: (line.period, line.symbol))
        relieved += relieve(tariff, month)
    return sorted(relieved, key=lambda line: (line.owner, line.symbol, line.period))


def _without_accidents(tariff: Tariff, month: list[Charge]) -> list[Charge]:
    """Return a month's lines, none charged when there are few enough exceedances."""
    free = tariff.file.relief.free_exceedances
    exceedances = sum(line.assessment.exceeded for line in month)
    if exceedances > free:
        return month
    text = f"{exceedances} of {free} free exceedances"
    return [_waive(line, text) if line.assessment.exceeded else line for line in month]


def _waived(tariff: Tariff, month: list[Charge]) -> list[Charge]:
    """Return a month's lines with the first charges waived that may be."""
    allowed = tariff.file.relief.waivers
    used = 0
    lines = []
    for line in month:
        barred = tariff.not_from_e8 and line.assessment.reaches(tariff.not_from_e8)
        if line.amount_e8 and used < allowed and not barred:
            used += 1
            lines.append(_waive(line, f"waiver {used} of {allowed}"))
        else:
            lines.append(line)
    return lines


def _waive(line: Charge, text: str) -> Charge:
    return line._replace(waived_e8=line.amount_e8, relief=text)
