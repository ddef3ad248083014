"""Fixed windows."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.clauses import WindowClause
from rules.reasons import Reason
from rules.recent import Recent
from rules.values import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, SCOPE_IP
from rules.windows import (
    Window,
    Windows,
    admits,
    breach,
    excess,
    explanations,
    usages,
)

DAY_NS = 20_000 * NS_PER_DAY
"""A midnight, UTC."""


def clauses(*pairs: tuple[str, int]) -> list[WindowClause]:
    """Return window clauses from (interval, limit)."""
    return [WindowClause(interval=interval, limit=limit) for interval, limit in pairs]


def test_windows_are_aligned_to_the_clock() -> None:
    """The last nanosecond of a minute belongs to it, the next one begins a new count."""
    window = Window(NS_PER_MINUTE)
    window.add(7, 3, DAY_NS + 1)
    assert window.used(7, DAY_NS + NS_PER_MINUTE - 1) == 3
    assert window.used(7, DAY_NS + NS_PER_MINUTE) == 0
    assert window.end_ns(DAY_NS) == DAY_NS + NS_PER_MINUTE
    assert window.end_ns(DAY_NS + NS_PER_MINUTE - 1) == DAY_NS + NS_PER_MINUTE
    window.add(7, 1, DAY_NS + NS_PER_MINUTE)
    assert window.used(7, DAY_NS + NS_PER_MINUTE) == 1


def test_a_day_starts_at_midnight_utc() -> None:
    """One day changes at 00:00 UTC."""
    window = Window(NS_PER_DAY)
    window.add(7, 1, DAY_NS - 1)
    assert window.used(7, DAY_NS - 1) == 1
    assert window.used(7, DAY_NS) == 0


@pytest.mark.parametrize(("used", "admitted"), [(9, True), (10, False), (11, False)])
def test_one_more_at_the_limit(used: int, admitted: bool) -> None:
    """The limit itself may be reached, not passed."""
    windows = Windows()
    limits = windows.limits(clauses(("1m", 10)))
    windows.all()[0].add(7, used, DAY_NS)
    assert admits(limits, 7, 1, DAY_NS) is admitted
    assert (excess(limits, 7, 1, DAY_NS) is None) is admitted
    assert admits(limits, 8, 1, DAY_NS)
    assert admits(limits, 7, 1, DAY_NS + NS_PER_MINUTE)


def test_nothing_more_of_nothing_at_the_limit() -> None:
    """An amount of 0 passes at the limit and fails above it."""
    windows = Windows()
    limits = windows.limits(clauses(("1m", 10)))
    windows.all()[0].add(7, 10, DAY_NS)
    assert admits(limits, 7, 0, DAY_NS)
    windows.all()[0].add(7, 1, DAY_NS)
    assert not admits(limits, 7, 0, DAY_NS)


def test_the_longest_wait_is_named() -> None:
    """Of several exceeded windows the one that ends last is named, whatever its length."""
    windows = Windows()
    limits = windows.limits(clauses(("10s", 1), ("7s", 1)))
    ten, seven = windows.all()
    now_ns = 7 * NS_PER_SECOND
    for window in (ten, seven):
        window.add(7, 1, now_ns)
    found = excess(limits, 7, 1, now_ns)
    assert found is not None
    assert (found.window, found.retry_ns) == (seven, 14 * NS_PER_SECOND)
    told = breach("r", Reason.RAW_REQUEST_LIMIT, limits, SCOPE_IP, 7, 1, now_ns)
    assert told is not None
    assert (told.limit, told.observed, told.window_ns) == (1, 2, 7 * NS_PER_SECOND)
    explained = explanations("r", Reason.RAW_REQUEST_LIMIT, limits, 7, 1, now_ns)
    assert [item.detail for item in explained] == ["7S", "10S"]


def test_of_equal_waits_the_first_is_named() -> None:
    """Windows that end at the same moment are named in the rulebook's order."""
    windows = Windows()
    limits = windows.limits(clauses(("10s", 1), ("1m", 1)))
    now_ns = DAY_NS + 55 * NS_PER_SECOND
    for window in windows.all():
        window.add(7, 1, now_ns)
    found = excess(limits, 7, 1, now_ns)
    assert found is not None
    assert found.window.label == "10S"


def test_more_than_the_limit_at_once_never_passes() -> None:
    """Waiting does not help an amount that is above a limit alone."""
    windows = Windows()
    limits = windows.limits(clauses(("1m", 10), ("1d", 5)))
    found = excess(limits, 7, 6, DAY_NS)
    assert found is not None
    assert (found.window.label, found.retry_ns) == ("1D", 0)
    assert excess(limits, 7, 5, DAY_NS) is None


def test_a_window_that_is_over_gets_nothing_and_gives_nothing() -> None:
    """Late amounts count, and are given back, in the window of their arrival only."""
    window = Window(NS_PER_SECOND)
    arrived_ns = DAY_NS + NS_PER_SECOND - 1
    window.add(7, 5, arrived_ns)
    window.add_late(7, 1, arrived_ns, arrived_ns)
    assert window.used(7, arrived_ns) == 6
    window.give_back(7, 2, arrived_ns, arrived_ns)
    assert window.used(7, arrived_ns) == 4
    later_ns = arrived_ns + 1
    window.add(7, 3, later_ns)
    window.add_late(7, 1, arrived_ns, later_ns)
    window.give_back(7, 1, arrived_ns, later_ns)
    assert window.used(7, later_ns) == 3


@pytest.mark.parametrize(("amount", "left"), [(0, 5), (4, 1), (5, 0), (6, 0)])
def test_taking_off_stops_at_zero(amount: int, left: int) -> None:
    """A credit below zero is lost."""
    window = Window(NS_PER_SECOND)
    window.add(7, 5, DAY_NS)
    window.take_off(7, amount, DAY_NS)
    window.take_off(8, amount, DAY_NS)
    assert (window.used(7, DAY_NS), window.used(8, DAY_NS)) == (left, 0)


def test_subjects_of_an_old_window_are_let_go() -> None:
    """Counts of the window before are freed bit by bit, not kept."""
    window = Window(NS_PER_SECOND)
    for subject in range(1000):
        window.add(subject, 1, DAY_NS)
    for subject in range(250):
        window.add(subject, 1, DAY_NS + NS_PER_SECOND)
    assert len(window.counts) == 250
    assert not window._retired


def test_limits_of_one_length_share_a_counter() -> None:
    """A subject keeps its count when other limits begin to hold for it."""
    windows = Windows()
    low = windows.limits(clauses(("10s", 1)))
    high = windows.limits(clauses(("10s", 2), ("1d", 100)))
    assert len(windows.all()) == 2
    windows.all()[0].add(7, 1, DAY_NS)
    assert not admits(low, 7, 1, DAY_NS)
    assert admits(high, 7, 1, DAY_NS)


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        ((("0s", 1),), "0s"),
        ((("1m", -1),), "-1"),
        ((("1m", 1), ("60s", 2)), "60s"),
        ((("minute", 1),), "minute"),
    ],
)
def test_senseless_windows_are_refused(pairs: tuple[tuple[str, int], ...], named: str) -> None:
    """The message names the value at fault."""
    with pytest.raises(ValueError, match=named):
        Windows().limits(clauses(*pairs))


def test_usage_shows_every_window() -> None:
    """Used, limit, length and end of each window, with its label."""
    windows = Windows()
    limits = windows.limits(clauses(("10s", 4), ("1m", 9)))
    windows.all()[1].add(7, 3, DAY_NS)
    shown = usages("r", limits, SCOPE_IP, 7, DAY_NS + 1, "X-")
    assert [(item.label, item.used, item.limit, item.resets_ns) for item in shown] == [
        ("X-10S", 0, 4, DAY_NS + 10 * NS_PER_SECOND),
        ("X-1M", 3, 9, DAY_NS + NS_PER_MINUTE),
    ]


def test_counts_survive_storing() -> None:
    """Counts come back by length of window, also under a rulebook with other lengths."""
    windows = Windows()
    windows.limits(clauses(("10s", 4), ("1m", 9)))
    for window in windows.all():
        window.add(7, 3, DAY_NS)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(windows.state()))
    other = Windows()
    limits = other.limits(clauses(("1m", 2), ("5m", 2)))
    other.restore(state)
    assert [window.used(7, DAY_NS) for window, _ in limits] == [3, 0]
    same = Windows()
    same.limits(clauses(("10s", 4), ("1m", 9)))
    same.restore(state)
    assert same.state() == windows.state()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 4)), max_size=60))
def test_a_window_counts_like_a_list_of_all_amounts(moves: list[tuple[int, int, int]]) -> None:
    """Whatever is added, a window knows the sum of its own span and nothing else."""
    window = Window(5)
    now_ns = 0
    seen: list[tuple[int, int, int]] = []
    for subject, amount, step in moves:
        now_ns += step
        window.add(subject, amount, now_ns)
        seen.append((now_ns // 5, subject, amount))
        for asked in range(4):
            expected = sum(n for index, who, n in seen if index == now_ns // 5 and who == asked)
            assert window.used(asked, now_ns) == expected


def test_recent_values_are_kept_for_their_span() -> None:
    """A value can be read for the whole span, and is let go within twice the span."""
    recent = Recent(10)
    recent.put(1, (1,), 100)
    recent.put(2, (2,), 109)
    recent.put(3, (3,), 110)
    assert recent.get(1) == (1,)
    recent.put(4, (4,), 119)
    assert recent.get(2) == (2,)
    recent.put(5, (5,), 120)
    assert (recent.get(1), recent.get(2), recent.get(3)) == (None, None, (3,))
    recent.put(6, (6,), 1000)
    assert len(recent) == 1


def test_recent_values_are_replaced_and_taken_out() -> None:
    """The newest value of a number is the only one, in whichever generation."""
    recent = Recent(10)
    recent.put(1, (1,), 100)
    recent.put(1, (2,), 110)
    assert (recent.get(1), len(recent)) == ((2,), 1)
    assert (recent.pop(1), recent.get(1), recent.pop(1)) == ((2,), None, None)


def test_recent_values_survive_storing() -> None:
    """Both generations come back."""
    recent = Recent(10)
    recent.put(1, (1, 2), 100)
    recent.put(2, (3, 4), 110)
    again = Recent(10)
    again.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(recent.state())))
    assert (again.get(1), again.get(2), again.state()) == ((1, 2), (3, 4), recent.state())
