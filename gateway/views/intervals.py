"""The sixteen candle intervals and where their candles begin.

All candles are aligned to UTC. Up to 12 hours they divide the day; `1d` begins at midnight; `3d`
is counted from the Unix epoch; `1w` begins on Monday; `1M` is the calendar month. Times are
nanoseconds since the Unix epoch and may lie before it.
"""

from typing import Final

from rules.values import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND

MONTH: Final = "1M"
_WEEK_NS: Final = 7 * NS_PER_DAY
_WEEK_OFFSET_NS: Final = 4 * NS_PER_DAY
"""The epoch was a Thursday; the first Monday after it was the fifth day."""

INTERVAL_NS: Final[dict[str, int]] = {
    "1s": NS_PER_SECOND,
    "1m": NS_PER_MINUTE,
    "3m": 3 * NS_PER_MINUTE,
    "5m": 5 * NS_PER_MINUTE,
    "15m": 15 * NS_PER_MINUTE,
    "30m": 30 * NS_PER_MINUTE,
    "1h": NS_PER_HOUR,
    "2h": 2 * NS_PER_HOUR,
    "4h": 4 * NS_PER_HOUR,
    "6h": 6 * NS_PER_HOUR,
    "8h": 8 * NS_PER_HOUR,
    "12h": 12 * NS_PER_HOUR,
    "1d": NS_PER_DAY,
    "3d": 3 * NS_PER_DAY,
    "1w": _WEEK_NS,
    MONTH: 0,
}
"""Length of each interval; 0 for the month, which has no fixed one."""

INTERVALS: Final = tuple(INTERVAL_NS)


def open_ns(interval: str, time_ns: int) -> int:
    """Return the beginning of the candle that `time_ns` falls in.

    Raises KeyError for an unknown interval.
    """
    length_ns = INTERVAL_NS[interval]
    if not length_ns:
        return _month_start_ns(_month_of(time_ns))
    if interval == "1w":
        return time_ns - (time_ns - _WEEK_OFFSET_NS) % length_ns
    return time_ns - time_ns % length_ns


def shift_ns(interval: str, candle_open_ns: int, candles: int) -> int:
    """Return the beginning of the candle that many after (below 0: before) the one given."""
    length_ns = INTERVAL_NS[interval]
    if length_ns:
        return candle_open_ns + candles * length_ns
    return _month_start_ns(_month_of(candle_open_ns) + candles)


def _month_of(time_ns: int) -> int:
    """Return the month's number, counted from January of the year 0.

    Howard Hinnant's `civil_from_days`, in integers, valid for every year; `datetime` would end at
    the year 1 and needs a float on the way.
    """
    days = time_ns // NS_PER_DAY + 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    # Years run from March here, so that the leap day is the last one.
    return (era * 400 + year_of_era) * 12 + (5 * day_of_year + 2) // 153 + 2


def _month_start_ns(month: int) -> int:
    year, march_month = divmod(month - 2, 12)
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * march_month + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return (era * 146_097 + day_of_era - 719_468) * NS_PER_DAY
