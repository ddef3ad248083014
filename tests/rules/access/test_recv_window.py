"""Timestamp and recvWindow."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access.recv_window import RecvWindow
from rules.book import Book
from rules.endpoints import Endpoint
from rules.events import RefusedRequest
from rules.reasons import Reason
from rules.values import NS_PER_DAY, NS_PER_MS, NS_PER_SECOND
from tests.rules.order_world import cancel, place
from tests.rules.request_world import NOW_NS, breach, make_rulebook, query, reason_of

BOOK = Book()
YEAR_2017_NS = 1_483_228_800 * NS_PER_SECOND


def rule_of(**clause: Any) -> RecvWindow:
    """Return the rule with the venue's numbers, or with changes."""
    return RecvWindow(make_rulebook("recv_window", **clause))


RULE = rule_of()


def judge(**changes: int) -> tuple[Reason, int | str, int | str] | None:
    """Return (reason, limit, observed) for a signed request with these times."""
    found = breach(RULE, query(**changes), BOOK, NOW_NS)
    return (found.reason, found.limit, found.observed) if found else None


@pytest.mark.parametrize(
    ("age_ns", "passes"),
    [
        (5_000 * NS_PER_MS - 1, True),
        (5_000 * NS_PER_MS, True),
        (5_000 * NS_PER_MS + 1, False),
    ],
)
@pytest.mark.parametrize("recv_window_ns", [0, 5_000 * NS_PER_MS])
def test_age_up_to_the_window(age_ns: int, passes: bool, recv_window_ns: int) -> None:
    """A request exactly as old as its window passes; without one the default holds."""
    found = judge(timestamp_ns=NOW_NS - age_ns, recv_window_ns=recv_window_ns)
    expected = (Reason.TIMESTAMP_EXPIRED, 5_000 * NS_PER_MS, age_ns)
    assert found == (None if passes else expected)


@pytest.mark.parametrize(
    ("ahead_ns", "expected"),
    [
        (1_000 * NS_PER_MS - 1, None),
        (1_000 * NS_PER_MS, Reason.TIMESTAMP_AHEAD),
        (1_000 * NS_PER_MS + 1, Reason.TIMESTAMP_AHEAD),
        (10_000 * NS_PER_MS - 1, Reason.TIMESTAMP_AHEAD),
        (10_000 * NS_PER_MS, Reason.TIMESTAMP_AHEAD),
        (10_000 * NS_PER_MS + 1, Reason.TIMESTAMP_INVALID),
    ],
)
def test_ahead_of_the_server(ahead_ns: int, expected: Reason | None) -> None:
    """Exactly one second ahead is refused; beyond ten seconds it is no timestamp at all."""
    found = judge(timestamp_ns=NOW_NS + ahead_ns)
    assert (found and found[0]) == expected
    if found is not None:
        assert found[2] == ahead_ns


@pytest.mark.parametrize(
    ("timestamp_ns", "expected"),
    [
        (YEAR_2017_NS - 1, Reason.TIMESTAMP_INVALID),
        (YEAR_2017_NS, Reason.TIMESTAMP_EXPIRED),
        (YEAR_2017_NS + 1, Reason.TIMESTAMP_EXPIRED),
        (1, Reason.TIMESTAMP_INVALID),
        (-1, Reason.TIMESTAMP_INVALID),
        (0, Reason.TIMESTAMP_MISSING),
    ],
)
def test_earliest_timestamp(timestamp_ns: int, expected: Reason) -> None:
    """Before 2017 it is no timestamp; none at all is missing, a malformed one is invalid."""
    found = judge(timestamp_ns=timestamp_ns)
    assert found is not None
    assert found[0] is expected


@pytest.mark.parametrize(
    ("recv_window_ns", "passes"),
    [
        (60 * NS_PER_SECOND - 1, True),
        (60 * NS_PER_SECOND, True),
        (60 * NS_PER_SECOND + 1, False),
    ],
)
def test_longest_window(recv_window_ns: int, passes: bool) -> None:
    """The longest window is accepted, one nanosecond more is not."""
    found = judge(recv_window_ns=recv_window_ns)
    expected = (Reason.RECV_WINDOW_TOO_LARGE, 60 * NS_PER_SECOND, recv_window_ns)
    assert found == (None if passes else expected)


def test_a_senseless_timestamp_comes_before_the_window() -> None:
    """Of several faults the timestamp that makes no sense is told first."""
    too_large = 61 * NS_PER_SECOND
    for timestamp_ns, expected in (
        (1, Reason.TIMESTAMP_INVALID),
        (NOW_NS + 11 * NS_PER_SECOND, Reason.TIMESTAMP_INVALID),
        (NOW_NS + 5 * NS_PER_SECOND, Reason.RECV_WINDOW_TOO_LARGE),
        (YEAR_2017_NS, Reason.RECV_WINDOW_TOO_LARGE),
    ):
        found = judge(timestamp_ns=timestamp_ns, recv_window_ns=too_large)
        assert found is not None
        assert found[0] is expected


def test_a_dialect_without_timestamps_is_passed_over() -> None:
    """It says so by a window below 0; only then a missing timestamp passes."""
    assert judge(timestamp_ns=0, recv_window_ns=-1) is None
    assert judge(timestamp_ns=0, recv_window_ns=0) == (Reason.TIMESTAMP_MISSING, 0, 0)
    assert judge(timestamp_ns=NOW_NS - 5 * NS_PER_SECOND - 1, recv_window_ns=-1) is not None


@pytest.mark.parametrize("endpoint", [Endpoint.PING, Endpoint.HISTORICAL_TRADES])
def test_only_signed_endpoints_are_looked_at(endpoint: Endpoint) -> None:
    """Where nothing is signed, a timestamp means nothing."""
    for timestamp_ns in (-1, 0, 1, NOW_NS + NS_PER_DAY):
        assert reason_of(RULE, query(endpoint, timestamp_ns=timestamp_ns), BOOK, NOW_NS) is None


def test_the_receive_clock_decides() -> None:
    """The core's time may be moved by hand; it is not what timestamps are compared with."""
    request = query(timestamp_ns=NOW_NS, received_ns=NOW_NS)
    assert reason_of(RULE, request, BOOK, NOW_NS + 10 * NS_PER_DAY) is None
    late = query(timestamp_ns=NOW_NS, received_ns=NOW_NS + 6 * NS_PER_SECOND)
    assert reason_of(RULE, late, BOOK, NOW_NS) is Reason.TIMESTAMP_EXPIRED


def test_order_requests_are_looked_at_and_malformed_ones_are_not() -> None:
    """An old order or cancel is refused; wrong parameters are reported before."""
    for event in (place(timestamp_ns=1), cancel(timestamp_ns=1)):
        assert reason_of(RULE, event, BOOK, NOW_NS) is Reason.TIMESTAMP_INVALID
    assert RefusedRequest not in RULE.wants


@pytest.mark.parametrize(
    "clause", [{"earliest": "2017"}, {"earliest": "2017-01-01T00:00:00"}, {"longest": "60"}]
)
def test_senseless_parameters_are_refused(clause: dict[str, str]) -> None:
    """A time without an offset is ambiguous, a duration needs a unit."""
    with pytest.raises(ValueError):
        rule_of(**clause)


def test_the_earliest_time_is_exact() -> None:
    """Microseconds and offsets of the rulebook's text are kept."""
    rule = rule_of(earliest="2017-01-01T01:00:00.000001+01:00")
    request = query(timestamp_ns=YEAR_2017_NS + 999)
    assert reason_of(rule, request, BOOK, NOW_NS) is Reason.TIMESTAMP_INVALID
    request = query(timestamp_ns=YEAR_2017_NS + 1_000)
    assert reason_of(rule, request, BOOK, NOW_NS) is Reason.TIMESTAMP_EXPIRED


_offsets = st.sampled_from((-10, -5, 0, 1, 5, 10)).flatmap(
    lambda seconds: st.integers(-1, 1).map(lambda by: seconds * NS_PER_SECOND + by)
)


@given(
    st.one_of(_offsets.map(lambda by: NOW_NS + by), st.sampled_from((-1, 0, 1, YEAR_2017_NS))),
    st.sampled_from((-1, 0, 1, 4, 5, 60, 61)),
    st.sampled_from((Endpoint.PING, Endpoint.ACCOUNT)),
)
def test_explanation_holds(timestamp_ns: int, window_s: int, endpoint: Endpoint) -> None:
    """Explanations say what check says."""
    window_ns = window_s * NS_PER_SECOND
    request = query(endpoint, timestamp_ns=timestamp_ns, recv_window_ns=window_ns)
    breach(RULE, request, BOOK, NOW_NS)


def test_nothing_is_kept() -> None:
    """The rule has no counts."""
    assert RULE.state() is None
