"""How long records are kept, as regulations say it: in years of the calendar, or as a duration.

A year is not 365 days: five years hold one or two leap days, so `1825d` is over before five years
are. MiFIR Article 25(1) asks for five years.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from rules.units import duration_ns
from rules.values import INT63_MAX, NS_PER_SECOND

EXAMPLE: Final = "5y"
_YEARS: Final = re.compile(r"([0-9]{1,12})y")
_YEARS_MAX: Final = 290
"""As long as the longest duration the record can hold, in whole years."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read_retention(text: str) -> None:
    """Raise ValueError when a text is no period above 0 that the record can hold."""
    kept_from_ns(text, 0)


def kept_from_ns(text: str, now_ns: int) -> int:
    """Return the time that lies a period before now; what is older may go.

    `5y` is the same day and time (UTC) five years ago; on 29 February, where that year has none,
    the 28th. Raises ValueError as `read_retention`.
    """
    match = _YEARS.fullmatch(text)
    period = int(match[1]) if match is not None else _duration_ns(text)
    if period == 0:
        raise ValueError(f"a retention of `{text}` would keep nothing; write such as {EXAMPLE}")
    if period > (_YEARS_MAX if match is not None else INT63_MAX):
        raise ValueError(f"a retention of `{text}` is too long; at most {_YEARS_MAX}y")
    return _years_before_ns(period, now_ns) if match is not None else now_ns - period


def _duration_ns(text: str) -> int:
    try:
        return duration_ns(text)
    except ValueError:
        raise ValueError(
            f"`{text}` is no period; write a whole number and y (years of the calendar), d, h, m, "
            f"s, ms, us or ns, such as {EXAMPLE}"
        ) from None


def _years_before_ns(years: int, now_ns: int) -> int:
    seconds, rest_ns = divmod(now_ns, NS_PER_SECOND)
    now = _EPOCH + timedelta(seconds=seconds)
    year = now.year - years
    try:
        before = now.replace(year=year)
    except ValueError:
        before = now.replace(year=year, day=28)
    since = before - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_SECOND + rest_ns
