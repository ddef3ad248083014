"""Limits and observed values as people read them: decimal amounts, durations, counts.

The record keeps them as the rule compares them, in units of 1e-8, in nanoseconds or as counts.
"""

from collections import Counter
from typing import Final

from gateway.dialects.native.refusal_table import COUNT, E8, ENTRIES, NS
from gateway.logview.times import time_text
from rules.reasons import Reason
from rules.registry import RULES
from rules.units import decimal_text, duration_text
from rules.values import NS_PER_DAY, NS_PER_MS, NS_PER_SECOND

_LONGEST_NS: Final = 366 * NS_PER_DAY
"""What is longer is a moment and not a duration."""
_EARLIEST_NS: Final = 10**18
"""September 2001: what is not an amount and as large is a moment; no count gets there."""


def _unit_of_rule(reasons: tuple[Reason, ...]) -> int:
    """Return the unit that most of a rule's reasons are told in; of one that never refuses COUNT."""
    if not reasons:
        return COUNT
    unit, times = Counter(ENTRIES[reason].unit for reason in reasons).most_common(1)[0]
    return unit if 2 * times > len(reasons) else COUNT


_UNITS: Final = {kind.name: _unit_of_rule(kind.reasons) for kind in RULES}


def measured(value: int | str, rule: str, reason: str | None = None) -> str:
    """Return a limit or observed value of a rule as text.

    `reason` is the name of the reason it was refused for, None where the rule passed.
    """
    text = str(value)
    if not text.removeprefix("-").isdecimal():
        return text
    number = int(text)
    unit = ENTRIES[Reason[reason]].unit if reason else _UNITS.get(rule, COUNT)
    if unit == E8:
        return decimal_text(number)
    if number >= _EARLIEST_NS:
        return time_text(number)
    if unit == NS and abs(number) < _LONGEST_NS:
        return _duration(number)
    return text


def _duration(duration: int) -> str:
    """Return a duration as text, exactly, and in no smaller unit than people tell it in."""
    if not duration:
        return "0"
    if abs(duration) < NS_PER_MS or duration % NS_PER_MS == 0:
        return duration_text(duration)
    unit, name = (NS_PER_SECOND, "s") if abs(duration) >= NS_PER_SECOND else (NS_PER_MS, "ms")
    sign = "-" if duration < 0 else ""
    whole, rest = divmod(abs(duration), unit)
    places = str(rest).zfill(len(str(unit)) - 1).rstrip("0")
    return f"{sign}{whole}.{places}{name}"
