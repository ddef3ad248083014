"""Volume-weighted average price."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.averages import MINUTES_MAX, TradeAverage
from rules.values import NS_PER_MINUTE, NS_PER_SECOND

NOW_NS = 1_800_000_000 * NS_PER_SECOND


def average_of(trades: list[tuple[int, int, int]], minutes: int = 5, now_ns: int = NOW_NS) -> int:
    """Return the average of (price, quantity, age in ns) trades, oldest first."""
    average = TradeAverage()
    for price_e8, quantity_e8, age_ns in trades:
        average.add(price_e8, quantity_e8, now_ns - age_ns)
    return average.price_e8(minutes, now_ns)


def test_weighted_by_quantity_and_rounded_down() -> None:
    """A hundredth of a unit is dropped, whichever seconds the trades fell into."""
    assert average_of([(10, 1, 0), (20, 2, 0)]) == 16
    assert average_of([(10, 1, 3 * NS_PER_SECOND), (20, 2, 0)]) == 16
    assert average_of([]) == 0


@pytest.mark.parametrize(
    ("age_ns", "inside"),
    [
        (0, True),
        (5 * NS_PER_MINUTE - NS_PER_SECOND, True),
        (5 * NS_PER_MINUTE - NS_PER_SECOND + 1, False),
        (5 * NS_PER_MINUTE, False),
        (5 * NS_PER_MINUTE + 1, False),
    ],
)
def test_span_ends_at_its_age(age_ns: int, inside: bool) -> None:
    """A span of five minutes is the running second and the 299 before it."""
    assert average_of([(7, 1, age_ns)]) == (7 if inside else 0)


def test_trades_leave_up_to_a_second_early_and_never_late() -> None:
    """As the running second goes by, a trade stays until that second ends, and no longer."""
    traded_ns = 5 * NS_PER_MINUTE - NS_PER_SECOND
    for into_second_ns, inside in ((0, True), (NS_PER_SECOND - 1, True), (NS_PER_SECOND, False)):
        age_ns = traded_ns + into_second_ns
        assert average_of([(7, 1, age_ns)], now_ns=NOW_NS + into_second_ns) == (7 if inside else 0)


def test_old_trade_told_late_is_outside() -> None:
    """A trade older than the span that was just asked for does not enter it."""
    average = TradeAverage()
    assert average.price_e8(5, NOW_NS) == 0
    average.add(10, 1, NOW_NS - 5 * NS_PER_MINUTE)
    assert average.price_e8(5, NOW_NS) == 0


def test_trades_of_a_second_share_a_bucket() -> None:
    """However many trades a second has, it takes the same memory."""
    average = TradeAverage()
    for part_ns in (0, 1, NS_PER_SECOND - 1, NS_PER_SECOND):
        average.add(10, 1, NOW_NS + part_ns)
    assert len(average.state()) == 2


def test_each_span_is_its_own() -> None:
    """Asking for one span does not change the answer for another."""
    average = TradeAverage()
    average.add(10, 1, NOW_NS - 3 * NS_PER_MINUTE)
    average.add(20, 1, NOW_NS)
    for _ in range(2):
        assert average.price_e8(1, NOW_NS) == 20
        assert average.price_e8(5, NOW_NS) == 15
    average.add(40, 2, NOW_NS)
    assert average.price_e8(5, NOW_NS) == 27
    assert average.price_e8(1, NOW_NS) == 33
    assert average.price_e8(1, NOW_NS + NS_PER_MINUTE) == 0
    assert average.price_e8(5, NOW_NS + 3 * NS_PER_MINUTE) == 33


def test_no_more_than_an_hour_is_kept() -> None:
    """A longer span is answered as an hour, and memory is bounded."""
    average = TradeAverage()
    for second in range(2 * 3_600):
        average.add(second, 1, NOW_NS + second * NS_PER_SECOND)
    assert len(average.state()) == MINUTES_MAX * 60
    last_ns = NOW_NS + (2 * 3_600 - 1) * NS_PER_SECOND
    assert average.price_e8(60, last_ns) == (3_600 + 7_199) // 2
    assert average.price_e8(600, last_ns) == (3_600 + 7_199) // 2


def test_time_before_the_latest_trade() -> None:
    """A trade told with an earlier time joins the latest, so the order of seconds holds."""
    average = TradeAverage()
    average.add(10, 1, NOW_NS)
    average.add(20, 1, NOW_NS - 10 * NS_PER_SECOND)
    assert average.price_e8(5, NOW_NS + 5 * NS_PER_MINUTE - NS_PER_SECOND) == 15
    assert average.price_e8(5, NOW_NS + 5 * NS_PER_MINUTE) == 0


def test_sums_beyond_63_bits() -> None:
    """Products and quantities of a second may pass 63 bits and survive being stored."""
    average = TradeAverage()
    largest = 2**63 - 1
    for _ in range(4):
        average.add(largest, largest, NOW_NS)
    copy = TradeAverage()
    copy.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(average.state())))
    assert copy.price_e8(5, NOW_NS) == average.price_e8(5, NOW_NS) == largest


_steps = st.lists(
    st.tuples(
        st.integers(0, 3 * NS_PER_MINUTE),
        st.one_of(
            st.none(),
            st.tuples(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1)),
        ),
        st.sampled_from((1, 2, 5, 60)),
    ),
    max_size=40,
)


@given(_steps)
def test_agrees_with_a_plain_history(
    steps: list[tuple[int, tuple[int, int] | None, int]],
) -> None:
    """Whatever is traded and asked in between, the answer is that of the whole list of trades."""
    average = TradeAverage()
    history: list[tuple[int, int, int]] = []
    now_ns = NOW_NS
    for later_ns, trade, minutes in steps:
        now_ns += later_ns
        if trade is not None:
            average.add(*trade, now_ns)
            history.append((now_ns // NS_PER_SECOND, *trade))
        oldest = now_ns // NS_PER_SECOND - minutes * 60
        inside = [(price, quantity) for second, price, quantity in history if second > oldest]
        weight = sum(quantity for _, quantity in inside)
        expected = sum(price * quantity for price, quantity in inside) // weight if weight else 0
        assert average.price_e8(minutes, now_ns) == expected
        restored = TradeAverage()
        restored.restore(average.state())
        assert restored.price_e8(minutes, now_ns) == expected
