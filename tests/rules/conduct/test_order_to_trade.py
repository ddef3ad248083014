"""The order-to-trade ratio: sessions, limits at the boundary, what is shown and stored."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import AccountFacts, Book, KeyFacts
from rules.conduct.order_to_trade import OrderToTrade
from rules.events import (
    Cancel,
    CancelAll,
)
from rules.ratio_counts import RatioCounts, ratio_e8
from rules.ratio_windows import RatioWindows
from rules.reasons import Reason
from rules.values import (
    E8,
    NS_PER_DAY,
    NS_PER_HOUR,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.conduct.ratio_desk import (
    ACCOUNT,
    KEY,
    MAKER_ACCOUNT,
    MAKER_KEY,
    NOW_NS,
    OWNER,
    SYMBOL,
    AddOrder,
    Desk,
    amend,
    place,
    rule,
)


@pytest.fixture
def desk(book: Book, add_order: AddOrder) -> Desk:
    """Return a desk whose rule has no maximum."""
    return Desk(rule(), book, add_order)


def test_a_session_starts_anew(book: Book, add_order: AddOrder) -> None:
    """At the stated time of day, to the nanosecond; the session before stays readable."""
    desk = Desk(rule('session_starts = "15:30"'), book, add_order)
    starts_ns = NOW_NS // NS_PER_DAY * NS_PER_DAY + 15 * NS_PER_HOUR + NS_PER_HOUR // 2
    desk.now_ns = starts_ns - 1
    desk.place()
    assert desk.counts.number == 1
    subject = pair_of(OWNER, SYMBOL)
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, subject, Book(), starts_ns - 1)[0].used == 0
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, subject, Book(), starts_ns) == ()
    desk.now_ns = starts_ns
    desk.place()
    desk.place()
    assert desk.counts.number == 2
    assert desk.rule.previous_counts(OWNER, SYMBOL).number == 1
    desk.now_ns = starts_ns + 2 * NS_PER_DAY
    desk.place()
    assert desk.rule.previous_counts(OWNER, SYMBOL).number == 0


@pytest.mark.parametrize("text", ["24:00", "7:00", "00:60", "noon", ""])
def test_a_session_start_that_is_no_time_of_day(text: str) -> None:
    """The value is named with what would be accepted."""
    with pytest.raises(ValueError, match="is not a time of day such as 00:00"):
        rule(f'session_starts = "{text}"')


@pytest.mark.parametrize(
    ("ordered", "traded", "floor", "expected"),
    [
        (0, 0, 0, None),
        (5, 0, 0, None),
        (5, 0, 1, 4 * E8),
        (100, 10, 1, 9 * E8),
        (100, 10, 50, E8),
        (1, 3, 0, -66_666_666),
        (4, 3, 0, 33_333_334),
        (10**30, 1, 0, (10**30 - 1) * E8),
    ],
)
def test_ratio(ordered: int, traded: int, floor: int, expected: int | None) -> None:
    """Exact, in 1e-8, rounded up; undefined without a divisor."""
    assert ratio_e8(ordered, traded, floor) == expected


@pytest.mark.parametrize(("orders", "refused"), [(11, False), (12, True)])
def test_the_maximum_by_number(book: Book, add_order: AddOrder, orders: int, refused: bool) -> None:
    """Exactly at the maximum passes; one message more does not, and retry is the next session."""
    desk = Desk(rule('max_number = "10"\nminimum_orders = 0'), book, add_order)
    order = desk.place()
    desk.trade(order, E8)
    for _ in range(orders - 1):
        desk.place()
    verdict = desk.rule.check(place(), book, NOW_NS)
    assert (verdict is not None) == refused
    if verdict is not None:
        assert verdict.reason == Reason.ORDER_TO_TRADE_RATIO
        assert (verdict.limit, verdict.observed) == (10 * E8, 11 * E8)
        assert verdict.retry_ns == (NOW_NS // NS_PER_DAY + 1) * NS_PER_DAY
        assert verdict.subject == pair_of(OWNER, SYMBOL)


@pytest.mark.parametrize(("quantity_e8", "refused"), [(10 * E8, False), (10 * E8 - 1, True)])
def test_the_maximum_by_volume(
    book: Book, add_order: AddOrder, quantity_e8: int, refused: bool
) -> None:
    """Twenty submitted against ten traded is a ratio of exactly 1; against less it is more."""
    desk = Desk(rule('max_volume = "1"\nminimum_orders = 0'), book, add_order)
    desk.trade(desk.place(), quantity_e8)
    desk.place()
    verdict = desk.rule.check(amend(1, E8), book, NOW_NS)
    assert (verdict is not None) == refused


@pytest.mark.parametrize(("minimum", "refused"), [(2, True), (3, True), (4, False)])
def test_no_judgement_before_so_many_messages(
    book: Book, add_order: AddOrder, minimum: int, refused: bool
) -> None:
    """The maximum holds from exactly `minimum_orders` counted messages on."""
    desk = Desk(rule(f'max_number = "1"\nminimum_orders = {minimum}'), book, add_order)
    for _ in range(3):
        desk.place()
    assert (desk.rule.check(place(), book, NOW_NS) is not None) == refused


def test_without_trades_and_floor_there_is_no_ratio(book: Book, add_order: AddOrder) -> None:
    """Nothing is refused and nothing is shown."""
    text = 'max_number = "1"\nmax_volume = "1"\nminimum_orders = 0\nfloor_trades = 0'
    desk = Desk(rule(text), book, add_order)
    desk.place()
    assert desk.rule.check(place(), book, NOW_NS) is None
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), Book(), NOW_NS) == ()


def test_a_market_maker_has_a_multiple_of_the_maximum(book: Book, add_order: AddOrder) -> None:
    """By the clause's factor, exact at the boundary."""
    desk = Desk(
        rule('max_number = "1"\nminimum_orders = 0\nmarket_maker_factor = 3'), book, add_order
    )
    for _ in range(4):
        desk.place(account=MAKER_ACCOUNT)
    assert desk.rule.check(place(key=MAKER_KEY), book, NOW_NS) is None
    desk.place(account=MAKER_ACCOUNT)
    assert desk.rule.check(place(key=MAKER_KEY), book, NOW_NS) is not None


def test_cancels_are_never_judged() -> None:
    """Whatever the ratio, an order may be taken out of the market."""
    assert Cancel not in OrderToTrade.wants
    assert CancelAll not in OrderToTrade.wants


def test_usage_shows_both_ratios(desk: Desk) -> None:
    """For the owner and symbol asked for, and for no other scope."""
    order = desk.place()
    desk.trade(order, 4 * E8)
    desk.trade(order, E8)
    number, volume = desk.rule.usage(SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), Book(), NOW_NS)
    assert (number.label, number.used, number.limit) == ("number", -E8 // 2, 0)
    assert (volume.label, volume.used) == ("volume", E8)
    assert desk.rule.usage(SCOPE_OWNER, OWNER, Book(), NOW_NS) == ()


def test_state_comes_back_whole(desk: Desk) -> None:
    """Through msgpack, with both sessions and what is in flight."""
    desk.place()
    desk.now_ns += NS_PER_DAY
    order = desk.place()
    desk.amend(order, 7 * E8)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(desk.rule.state()))
    restored = rule()
    restored.restore(stored)
    assert restored.state() == desk.rule.state()
    desk.rule = restored
    desk.amended(order, 7 * E8)
    assert desk.counts.volume_e8 == (10 + 10 + 7) * E8
    assert restored.previous_counts(OWNER, SYMBOL).number == 1


@given(
    number=st.integers(0, 40),
    trades=st.integers(0, 4),
    volume_e8=st.integers(0, 40 * E8),
    traded_e8=st.integers(0, 4 * E8),
    floor=st.integers(0, 2),
    maker=st.booleans(),
    limits=st.sampled_from(
        ["", 'max_number = "7.5"', 'max_volume = "3"', 'max_number = "9"\nmax_volume = "2"']
    ),
)
@settings(deadline=None)
def test_explain_agrees_with_check(
    number: int, trades: int, volume_e8: int, traded_e8: int, floor: int, maker: bool, limits: str
) -> None:
    """`check` breaches exactly when an explanation has not passed, with the same numbers."""
    tested = rule(f"{limits}\nminimum_orders = 10\nfloor_trades = {floor}")
    book = _book_of(maker)
    counts = RatioCounts()
    counts.number, counts.trades = number, trades
    counts.volume_e8, counts.volume_traded_e8 = volume_e8, traded_e8
    windows = RatioWindows(0, 0, 0)
    windows.roll(NOW_NS)
    windows.at(OWNER, SYMBOL, NOW_NS).total = counts
    tested.restore({"windows": windows.state(), "in_flight": [], "bulk": [], "replaced": {}})
    verdict = tested.check(place(), book, NOW_NS)
    failed = [look for look in tested.explain(place(), book, NOW_NS) if not look.passed]
    assert (verdict is not None) == bool(failed)
    if verdict is not None:
        seen = (failed[0].reason, failed[0].limit, failed[0].observed)
        assert (verdict.reason, verdict.limit, verdict.observed) == seen


def _book_of(maker: bool) -> Book:
    book = Book()
    book.accounts[ACCOUNT] = AccountFacts(ACCOUNT, "client", OWNER, "", int(maker), True)
    book.keys[KEY] = KeyFacts(KEY, "k", ACCOUNT, 2, frozenset(), 0, True)
    return book
