"""Times of the record as text and back, to the nanosecond and in UTC."""

import re
from datetime import UTC, datetime
from typing import Final

from rules.values import NS_PER_SECOND

_NS_PER_US: Final = 1_000
_DIGITS_OF_DATES: Final = (4, 6, 8)
"""Digits of 2026, 202601 and 20260131: less than a tenth of a second, were they nanoseconds."""
_DIGITS_MAX: Final = 19
_TIME: Final = re.compile(r"(.+?)(?:[.,]([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?", re.ASCII)


def time_text(at_ns: int) -> str:
    """Return a time as `2026-01-31T09:00:00.000000001Z`, as plain digits outside years 1 to 9999."""
    seconds, nanoseconds = divmod(at_ns, NS_PER_SECOND)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return str(at_ns)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def clock_text(at_ns: int, timespec: str = "milliseconds") -> str:
    """Return a time as people read it, `2026-01-31 09:00:00.000Z`, cut to a unit of `isoformat`."""
    moment = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC).replace(
        tzinfo=None, microsecond=at_ns % NS_PER_SECOND // _NS_PER_US
    )
    return f"{moment.isoformat(sep=' ', timespec=timespec)}Z"


def time_ns(text: str) -> int:
    """Return the nanoseconds of an ISO 8601 time (UTC unless it says otherwise) or plain digits.

    Digits are nanoseconds since 1970, but eight of them a day such as 20260131. Raises ValueError,
    also for digits that more likely are a year or a month.
    """
    if text.isascii() and text.isdigit() and len(text) not in _DIGITS_OF_DATES:
        if len(text) > _DIGITS_MAX:
            raise ValueError(
                f"`{text[:_DIGITS_MAX]}…` is not a time; at most {_DIGITS_MAX} digits are"
            )
        return int(text)
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        zone = "+00:00" if match[3] in (None, "Z") else match[3]
        moment = datetime.fromisoformat(match[1])
        if moment.tzinfo is not None:
            raise ValueError
        moment = datetime.fromisoformat(moment.isoformat() + zone)
    except ValueError:
        raise ValueError(
            f"`{text}` is not a time; write 2026-01-31, 2026-01-31T09:00:00.5Z or nanoseconds"
        ) from None
    fraction = int((match[2] or "").ljust(9, "0"))
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * NS_PER_SECOND + fraction
