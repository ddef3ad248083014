"""How long records are kept: durations to the nanosecond, years by the calendar."""

from datetime import UTC, datetime

import pytest

from gateway.journal.retention_period import kept_from_ns
from rules.values import INT63_MAX, NS_PER_DAY, NS_PER_SECOND


def at_ns(text: str, more_ns: int = 0) -> int:
    """Return a UTC time as nanoseconds since 1970."""
    time = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(time.timestamp()) * NS_PER_SECOND + more_ns


@pytest.mark.parametrize(
    ("now", "period", "before"),
    [
        ("2026-11-21T12:30:00", "5y", "2021-11-21T12:30:00"),
        ("2026-11-21T12:30:00", "1y", "2025-11-21T12:30:00"),
        ("2029-02-28T23:59:59", "5y", "2024-02-28T23:59:59"),
        ("2029-03-01T00:00:00", "5y", "2024-03-01T00:00:00"),
        ("2028-02-29T12:00:00", "5y", "2023-02-28T12:00:00"),
        ("2028-02-29T12:00:00", "4y", "2024-02-29T12:00:00"),
        ("2101-02-28T12:00:00", "1y", "2100-02-28T12:00:00"),
        ("2026-11-21T12:30:00", "290y", "1736-11-21T12:30:00"),
    ],
)
def test_years_go_by_the_calendar(now: str, period: str, before: str) -> None:
    """A year ago is the same day and time; where 29 February is missing, the 28th."""
    assert kept_from_ns(period, at_ns(now, 7)) == at_ns(before, 7)


def test_five_years_are_more_than_1825_days() -> None:
    """Whoever keeps 1825 days has deleted what five years ask for."""
    now_ns = at_ns("2026-11-21T12:30:00")
    assert kept_from_ns("1825d", now_ns) - kept_from_ns("5y", now_ns) == NS_PER_DAY


def test_duration_at_its_bound() -> None:
    """The longest duration is what the record can hold; one more is refused."""
    assert kept_from_ns(f"{10**12 - 1}ns", 10**12) == 1
    longest_d = INT63_MAX // NS_PER_DAY
    assert kept_from_ns(f"{longest_d}d", 0) == -longest_d * NS_PER_DAY
    with pytest.raises(ValueError, match=f"`{longest_d + 1}d` is too long; at most 290y"):
        kept_from_ns(f"{longest_d + 1}d", 0)
    with pytest.raises(ValueError, match="`291y` is too long; at most 290y"):
        kept_from_ns("291y", 0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0y", "`0y` would keep nothing"),
        ("0d", "`0d` would keep nothing"),
        ("-1d", "`-1d` is no period"),
        ("5Y", "`5Y` is no period"),
        ("5 y", "`5 y` is no period"),
        ("1.5y", "`1.5y` is no period"),
        ("5", "`5` is no period"),
        ("", "`` is no period"),
    ],
)
def test_period_that_is_none(text: str, fault: str) -> None:
    """What is no period above 0 is named, with one that is."""
    with pytest.raises(ValueError, match=f"{fault}.*5y"):
        kept_from_ns(text, 0)
