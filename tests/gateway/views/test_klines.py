"""Candles: history at the start, what trades do to them, and what a query returns."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.views.history import generate_history
from gateway.views.intervals import INTERVALS, open_ns, shift_ns
from gateway.views.kline import Kline
from gateway.views.klines import CANDLES_KEPT, KlinesView
from rules.values import E8, NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from tests.gateway.views.view_world import START_E8, STEP_E8, SYMBOL, TICK_E8, ViewWorld

FINER = (
    *(("1s", "1m"), ("1m", "3m"), ("1m", "5m"), ("5m", "15m"), ("15m", "30m"), ("30m", "1h")),
    *(("1h", "2h"), ("2h", "4h"), ("2h", "6h"), ("4h", "8h"), ("6h", "12h"), ("12h", "1d")),
    *(("1d", "3d"), ("1d", "1w"), ("1d", "1M")),
)


@pytest.fixture(scope="module")
def seeded() -> tuple[ViewWorld, KlinesView]:
    """A view with generated history, shared by tests that only ask."""
    world = ViewWorld()
    klines = KlinesView(world)
    klines.define(world.definition, world.time_ns)
    klines.warm()
    return world, klines


def traded(history: bool = False) -> tuple[ViewWorld, KlinesView]:
    """Return a view of its own, without history unless told."""
    world = ViewWorld()
    klines = KlinesView(world, history)
    klines.define(world.definition, world.time_ns)
    return world, klines


@pytest.mark.parametrize("interval", INTERVALS)
def test_history_has_a_thousand_candles_at_the_start(
    seeded: tuple[ViewWorld, KlinesView], interval: str
) -> None:
    """Each interval answers a query for 1,000 candles: aligned, joined, ending at the price."""
    world, klines = seeded
    candles = klines.get(SYMBOL, interval, limit=1_000)
    assert len(candles) == 1_000
    assert candles[-1].open_ns == open_ns(interval, world.time_ns)
    assert candles[-1].close_e8 == START_E8
    for candle, following in pairwise(candles):
        assert candle.end_ns == following.open_ns == shift_ns(interval, candle.open_ns, 1)
        assert candle.close_e8 == following.open_e8
    for candle in candles:
        assert open_ns(interval, candle.open_ns) == candle.open_ns
        assert candle.low_e8 <= min(candle.open_e8, candle.close_e8)
        assert candle.high_e8 >= max(candle.open_e8, candle.close_e8)
        assert candle.low_e8 > 0
        for price_e8 in (candle.open_e8, candle.high_e8, candle.low_e8, candle.close_e8):
            assert price_e8 % TICK_E8 == 0
        assert candle.volume_e8 % STEP_E8 == 0
        assert 0 <= candle.taker_base_e8 <= candle.volume_e8
        assert 0 <= candle.taker_quote_e8 <= candle.quote_volume_e8


@pytest.mark.parametrize(("finer", "coarser"), FINER)
def test_longer_candles_are_the_sum_of_the_shorter_ones(
    seeded: tuple[ViewWorld, KlinesView], finer: str, coarser: str
) -> None:
    """Where two intervals cover the same time they tell the same story, to the last unit."""
    _, klines = seeded
    parts = klines.stored(SYMBOL, finer)
    whole = [c for c in klines.stored(SYMBOL, coarser) if c.open_ns >= parts[0].open_ns]
    assert whole
    for candle in whole:
        inside = [p for p in parts if candle.open_ns <= p.open_ns < candle.end_ns]
        assert candle.open_e8 == inside[0].open_e8
        assert candle.close_e8 == inside[-1].close_e8
        assert candle.high_e8 == max(p.high_e8 for p in inside)
        assert candle.low_e8 == min(p.low_e8 for p in inside)
        for field in ("volume_e8", "quote_volume_e8", "trades", "taker_base_e8"):
            assert getattr(candle, field) == sum(getattr(p, field) for p in inside)


def test_history_is_the_same_every_time() -> None:
    """Name, price and moment decide the history; another name has another one."""
    first = generate_history("BTCUSDT", START_E8, TICK_E8, STEP_E8, 1_780_000_000 * E8 * 10)
    again = generate_history("BTCUSDT", START_E8, TICK_E8, STEP_E8, 1_780_000_000 * E8 * 10)
    other = generate_history("ETHUSDT", START_E8, TICK_E8, STEP_E8, 1_780_000_000 * E8 * 10)
    assert first == again
    assert first != other


def test_history_of_a_coarse_grid_stays_above_zero() -> None:
    """A price of one tick, and no grid at all, still give candles that can be traded at."""
    for price_e8, tick_e8, step_e8 in ((1, 1, 1), (E8, E8, E8), (START_E8, 0, 0)):
        history = generate_history("X", price_e8, tick_e8, step_e8, NS_PER_DAY * 20_000)
        for candles in history.values():
            assert candles[-1].close_e8 == price_e8
            assert min(candle.low_e8 for candle in candles) > 0
            assert min(candle.volume_e8 for candle in candles) > 0


def test_trade_goes_into_every_interval() -> None:
    """Open, high, low, close, volumes and counts of three trades in one second."""
    world, klines = traded()
    for number, (price, quantity, maker) in enumerate(
        ((100, 2, False), (103, 1, True), (99, 4, False)), 1
    ):
        klines.on_trade(world.public_trade(number, price * E8, quantity * E8, maker))
    for interval in INTERVALS:
        (candle,) = klines.get(SYMBOL, interval, limit=1)
        begin_ns = open_ns(interval, world.time_ns)
        assert candle == Kline(
            begin_ns,
            shift_ns(interval, begin_ns, 1),
            100 * E8,
            103 * E8,
            99 * E8,
            99 * E8,
            7 * E8,
            (200 + 103 + 396) * E8,
            3,
            6 * E8,
            596 * E8,
            1,
            3,
        )


def test_trade_after_the_start_joins_the_generated_candle() -> None:
    """The candle the start falls in holds history and trades together."""
    world, klines = traded(history=True)
    (before,) = klines.get(SYMBOL, "1h", limit=1)
    volume_e8 = before.volume_e8
    klines.on_trade(world.public_trade(7, START_E8 + 50 * E8, E8))
    (after,) = klines.get(SYMBOL, "1h", limit=1)
    assert after.volume_e8 == volume_e8 + E8
    assert after.close_e8 == START_E8 + 50 * E8
    assert after.first_trade_id == after.last_trade_id == 7


def test_trades_before_the_first_query_are_kept_when_history_is_generated() -> None:
    """History that is generated late ends where the first trade began."""
    world, klines = traded(history=True)
    klines.on_trade(world.public_trade(1, START_E8 + E8, E8))
    world.time_ns += 90 * NS_PER_SECOND
    klines.on_trade(world.public_trade(2, START_E8 + 2 * E8, E8))
    seconds = klines.get(SYMBOL, "1s", limit=1_000)
    assert len(seconds) == 1_000
    assert [c.trades for c in seconds if c.last_trade_id] == [1, 1]
    first = next(c for c in seconds if c.last_trade_id == 1)
    assert first.open_e8 == START_E8 + E8
    before = seconds[seconds.index(first) - 1]
    assert before.close_e8 == START_E8


def test_periods_without_trades_are_flat() -> None:
    """Candles without a trade stand at the last close, with no volume, up to now."""
    world, klines = traded()
    klines.on_trade(world.public_trade(1, 100 * E8, E8))
    world.time_ns += 3 * NS_PER_MINUTE
    klines.on_trade(world.public_trade(2, 110 * E8, E8))
    world.time_ns += 2 * NS_PER_MINUTE
    candles = klines.get(SYMBOL, "1m", limit=10)
    assert [candle.close_e8 // E8 for candle in candles] == [100, 100, 100, 110, 110, 110]
    assert [candle.trades for candle in candles] == [1, 0, 0, 1, 0, 0]
    flat = candles[1]
    assert flat.open_e8 == flat.high_e8 == flat.low_e8 == 100 * E8
    assert flat.volume_e8 == flat.quote_volume_e8 == 0


def test_start_end_and_limit() -> None:
    """Both times name beginnings, inclusive to the nanosecond; a start takes the first ones."""
    world, klines = traded()
    world.time_ns = open_ns("1h", world.time_ns)
    begin_ns = world.time_ns
    for number in range(10):
        klines.on_trade(world.public_trade(number + 1, (100 + number) * E8, E8))
        world.time_ns += NS_PER_MINUTE
    world.time_ns -= 1

    def opens(**asked: int) -> list[int]:
        found = klines.get(SYMBOL, "1m", **asked)
        return [(candle.open_ns - begin_ns) // NS_PER_MINUTE for candle in found]

    third_ns = begin_ns + 3 * NS_PER_MINUTE
    assert opens() == list(range(10))
    assert opens(limit=3) == [7, 8, 9]
    assert opens(limit=0) == []
    assert opens(start_ns=third_ns, limit=2) == [3, 4]
    assert opens(start_ns=third_ns + 1, limit=2) == [4, 5]
    assert opens(start_ns=third_ns - 1, limit=2) == [3, 4]
    assert opens(end_ns=third_ns, limit=2) == [2, 3]
    assert opens(end_ns=third_ns - 1, limit=2) == [1, 2]
    assert opens(start_ns=third_ns, end_ns=third_ns) == [3]
    assert opens(start_ns=third_ns + 1, end_ns=third_ns + 1) == []
    assert opens(start_ns=1, limit=2) == [0, 1]
    assert opens(start_ns=begin_ns + NS_PER_DAY) == []
    assert opens(end_ns=begin_ns - 1) == []


def test_nothing_is_known_without_a_price() -> None:
    """A symbol without a starting price has no candles until its first trade."""
    world = ViewWorld(start_e8=0)
    klines = KlinesView(world)
    klines.define(world.definition, world.time_ns)
    assert klines.get(SYMBOL, "1m") == []
    klines.on_trade(world.public_trade(1, 5 * E8, E8))
    candles = klines.get(SYMBOL, "1m", limit=1_000)
    assert len(candles) == 1_000
    assert candles[-1].close_e8 == 5 * E8


def test_unknown_symbol_has_no_candles_and_unknown_interval_is_an_error() -> None:
    """A dialect refuses both before it asks; the view does not invent anything."""
    _, klines = traded()
    assert klines.get(99, "1m") == []
    with pytest.raises(KeyError):
        klines.get(SYMBOL, "2d")


def test_series_are_bounded() -> None:
    """However long it trades, a series keeps between one and one and a half times its bound."""
    world, klines = traded()
    for number in range(CANDLES_KEPT * 2):
        klines.on_trade(world.public_trade(number + 1, 100 * E8, E8))
        world.time_ns += NS_PER_SECOND
    kept = klines.stored(SYMBOL, "1s")
    assert CANDLES_KEPT <= len(kept) <= CANDLES_KEPT + CANDLES_KEPT // 2
    assert kept[-1].last_trade_id == CANDLES_KEPT * 2
    assert len(klines.get(SYMBOL, "1s", limit=1_000)) == 1_000


@settings(max_examples=50, deadline=None)
@given(
    trades=st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=5 * NS_PER_HOUR),
            st.integers(min_value=1, max_value=200),
            st.integers(min_value=1, max_value=9),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_every_interval_holds_every_trade(trades: list[tuple[int, int, int]]) -> None:
    """Whatever is traded and whenever, each interval adds up to the same totals."""
    world, klines = traded()
    for number, (later_ns, price, quantity) in enumerate(trades, 1):
        world.time_ns += later_ns
        klines.on_trade(world.public_trade(number, price * E8, quantity * E8))
    for interval in INTERVALS:
        candles = klines.stored(SYMBOL, interval)
        assert sum(c.volume_e8 for c in candles) == sum(q for _, _, q in trades) * E8
        assert sum(c.trades for c in candles) == len(trades)
        assert max(c.high_e8 for c in candles) == max(p for _, p, _ in trades) * E8
        assert min(c.low_e8 for c in candles) == min(p for _, p, _ in trades) * E8
        assert candles[-1].close_e8 == trades[-1][1] * E8
        opens = [c.open_ns for c in candles]
        assert opens == sorted(set(opens))
