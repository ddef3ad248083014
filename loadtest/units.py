"""Durations and rates as people write them, and as the tester keeps them: integers and fractions.

Times are nanoseconds, rates are requests per second.
"""

import datetime
import re
from fractions import Fraction
from typing import Final

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_SECOND: Final = 1_000_000_000
RATE_MAX: Final = 10_000_000
"""Requests per second; more is taken for a slip of the pen."""

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_UNITS_NS: Final = {
    "ns": 1,
    "us": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_SECOND,
    "m": 60 * NS_PER_SECOND,
    "h": 3_600 * NS_PER_SECOND,
}
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DURATION: Final = re.compile(rf"({_NUMBER.pattern})({'|'.join(_UNITS_NS)})")


class LoadTestError(ValueError):
    """Something given to the load tester can't be used; the message names it."""


def parse_duration_ns(text: str) -> int:
    """Return `10s`, `1.5ms` or `2m` in ns, rounded down; raises LoadTestError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise LoadTestError(f"`{text}` is not a duration such as 500us, 1.5ms, 10s or 2m")
    return int(Fraction(match[1]) * _UNITS_NS[match[2]])


def parse_number(what: str, text: str) -> Fraction:
    """Return a decimal number above 0, exactly; raises LoadTestError."""
    value = Fraction(text.strip()) if _NUMBER.fullmatch(text.strip()) else Fraction(0)
    if value <= 0:
        raise LoadTestError(f"{what} `{text}` is not a decimal number above 0")
    return value


def parse_rate(text: str) -> Fraction:
    """Return requests per second, exactly; raises LoadTestError."""
    rate = parse_number("rate", text)
    if rate > RATE_MAX:
        raise LoadTestError(f"rate `{text}` is above {RATE_MAX:,} requests per second")
    return rate


def parse_utc_ns(text: str) -> int:
    """Return `2026-11-21T12:00:00Z` in ns since 1970; without an offset it is taken as UTC.

    Raises LoadTestError.
    """
    try:
        at = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise LoadTestError(f"`{text}` is not a time such as 2026-11-21T12:00:00Z") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    return (at - _EPOCH) // datetime.timedelta(microseconds=1) * NS_PER_US


def duration_text(duration_ns: float) -> str:
    """Return a time with the unit that suits it and three digits or more, as in `1.25 ms`."""
    for unit, size in (("s", NS_PER_SECOND), ("ms", NS_PER_MS), ("us", NS_PER_US)):
        if abs(duration_ns) >= size:
            value = duration_ns / size
            digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
            return f"{value:,.{digits}f} {unit}"
    return f"{duration_ns:.0f} ns"
