"""Limits and observed values as people read them: decimal amounts, durations, counts.

The record keeps them as the rule compares them, in units of 1e-8, in nanoseconds or as counts.
"""

from collections import Counter
from typing import Final

from gateway.dialects.native.refusal_table import COUNT, E8, ENTRIES, NS
from gateway.logview.times import time_text
from rules.conduct_facts import STEP_NAMES
from rules.reasons import Reason
from rules.registry import RULES
from rules.units import decimal_text, duration_text
from rules.values import NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, STATE_NAMES

LONGEST_DURATION_NS: Final = 366 * NS_PER_DAY
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
_OWN_UNITS: Final = {"fictitious_bids": E8, "tape_painting": NS, "target_ramp": E8}
"""Of rules that refuse for a reason which does not tell the unit, since clients are told none."""
_STOPPED: Final = frozenset(
    reason.name
    for reason in (Reason.STATE_KILLED, Reason.STATE_CANCEL_ONLY, Reason.STATE_REDUCE_ONLY)
)
"""Reasons that hold the strictest state in which a request passes against the one in force."""


def measured(value: int | str, rule: str, reason: str | None = None) -> str:
    """Return a limit or observed value of a rule as text.

    `reason` is the name of the reason it was refused for, None where the rule passed.
    """
    text = str(value)
    if not text.removeprefix("-").isdecimal():
        return text
    number = int(text)
    names = STEP_NAMES if rule == "conduct_standing" else STATE_NAMES if reason in _STOPPED else ()
    if 0 <= number < len(names):
        return names[number]
    unit = ENTRIES[Reason[reason]].unit if reason else _UNITS.get(rule, COUNT)
    if reason in (None, Reason.CONDUCT_LIMIT.name):
        unit = _OWN_UNITS.get(rule, unit)
    if unit == E8:
        return decimal_text(number)
    if number >= _EARLIEST_NS:
        return time_text(number)
    if unit == NS and abs(number) < LONGEST_DURATION_NS:
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
