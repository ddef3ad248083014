"""Where candles begin, for all sixteen intervals, against the calendar of the standard library."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.views.intervals import INTERVAL_NS, INTERVALS, open_ns, shift_ns
from rules.values import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND

MOMENTS = st.integers(min_value=-70 * 365 * NS_PER_DAY, max_value=200 * 365 * NS_PER_DAY)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def at(text: str) -> int:
    """Return an ISO time, UTC, in nanoseconds since the epoch."""
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
    passed = moment - EPOCH
    return (passed.days * 86_400 + passed.seconds) * NS_PER_SECOND


def civil(time_ns: int) -> datetime.datetime:
    """Return a time as the standard library has it."""
    return EPOCH + datetime.timedelta(microseconds=time_ns // 1_000)


@pytest.mark.parametrize(
    ("interval", "begins"),
    [
        ("1s", "2026-07-30T13:47:23"),
        ("1m", "2026-07-30T13:47:00"),
        ("3m", "2026-07-30T13:45:00"),
        ("5m", "2026-07-30T13:45:00"),
        ("15m", "2026-07-30T13:45:00"),
        ("30m", "2026-07-30T13:30:00"),
        ("1h", "2026-07-30T13:00:00"),
        ("2h", "2026-07-30T12:00:00"),
        ("4h", "2026-07-30T12:00:00"),
        ("6h", "2026-07-30T12:00:00"),
        ("8h", "2026-07-30T08:00:00"),
        ("12h", "2026-07-30T12:00:00"),
        ("1d", "2026-07-30T00:00:00"),
        ("3d", "2026-07-30T00:00:00"),
        ("1w", "2026-07-27T00:00:00"),
        ("1M", "2026-07-01T00:00:00"),
    ],
)
def test_beginning_of_a_known_moment(interval: str, begins: str) -> None:
    """All sixteen intervals at one moment, a Thursday."""
    moment_ns = at("2026-07-30T13:47:23") + 456_000_000
    assert open_ns(interval, moment_ns) == at(begins)


def test_there_are_sixteen_intervals() -> None:
    """The intervals are those of Binance, from short to long."""
    assert (
        *("1s", "1m", "3m", "5m", "15m", "30m"),
        *("1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"),
    ) == INTERVALS


@given(moment_ns=MOMENTS, interval=st.sampled_from(INTERVALS))
def test_a_moment_lies_in_its_candle(moment_ns: int, interval: str) -> None:
    """A candle holds its first nanosecond and its last, and the next one begins right after."""
    begin_ns = open_ns(interval, moment_ns)
    next_ns = shift_ns(interval, begin_ns, 1)
    assert begin_ns <= moment_ns < next_ns
    assert open_ns(interval, begin_ns) == begin_ns
    assert open_ns(interval, next_ns - 1) == begin_ns
    assert open_ns(interval, next_ns) == next_ns
    assert shift_ns(interval, next_ns, -1) == begin_ns


@given(moment_ns=MOMENTS)
def test_days_weeks_and_months_follow_the_calendar(moment_ns: int) -> None:
    """Days begin at midnight, weeks on Monday, months on the first; 3d counts from the epoch."""
    moment = civil(moment_ns)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    assert civil(open_ns("1d", moment_ns)) == midnight
    monday = midnight - datetime.timedelta(days=midnight.weekday())
    assert civil(open_ns("1w", moment_ns)) == monday
    assert civil(open_ns("1M", moment_ns)) == midnight.replace(day=1)
    assert (open_ns("3d", moment_ns) // NS_PER_DAY) % 3 == 0


@given(moment_ns=MOMENTS, months=st.integers(min_value=-1_200, max_value=1_200))
def test_months_are_shifted_by_the_calendar(moment_ns: int, months: int) -> None:
    """So many months on is the first of that month, over leap years and centuries."""
    begin_ns = open_ns("1M", moment_ns)
    count = civil(begin_ns).year * 12 + civil(begin_ns).month - 1 + months
    if 12 <= count < 9_999 * 12:
        shifted = civil(shift_ns("1M", begin_ns, months))
        assert (shifted.year * 12 + shifted.month - 1, shifted.day) == (count, 1)


def test_fixed_lengths_nest() -> None:
    """Every interval up to a day divides the day; so longer candles are sums of shorter ones."""
    for interval in INTERVALS[:13]:
        assert NS_PER_DAY % INTERVAL_NS[interval] == 0
    assert INTERVAL_NS["12h"] == 12 * NS_PER_HOUR
    assert INTERVAL_NS["30m"] == 30 * NS_PER_MINUTE


def test_unknown_interval() -> None:
    """An interval that does not exist is an error, not a default."""
    with pytest.raises(KeyError):
        open_ns("2d", 0)
