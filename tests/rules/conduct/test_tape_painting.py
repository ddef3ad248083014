"""F1: tape painting fires at its thresholds, not below them, and slows small orders down."""

from typing import Any

import pytest

from rules.conduct_facts import CASE_OPEN
from rules.reasons import Reason
from rules.values import BUY, CASE_CONFIRM, CASE_DISMISS, NS_PER_SECOND, SELL
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state

RULES: dict[str, Any] = {
    "tape_painting": {
        "mode": "enforce",
        "orders": 6,
        "minutes": 2,
        "of_minutes": 3,
        "trade_share": "0.2",
        "throttle": "5s",
        "throttled_for": "10m",
        "small_notional": "1000",
    }
}


def paint(market: Market, owner: int = 1, orders: int = 6, **changes: Any) -> None:
    """Let an owner buy and sell one unit in turn, one order a second."""
    for number in range(orders):
        market.take(owner, BUY if number % 2 == 0 else SELL, 1_000, **changes)
        market.wait(1)


def rules(**changes: Any) -> dict[str, Any]:
    """Return the test's rules with changes."""
    return {"tape_painting": {**RULES["tape_painting"], **changes}}


def test_two_painted_minutes_make_an_alert_with_its_evidence() -> None:
    """The sixth order of the second minute completes it; the orders are the evidence."""
    market = Market(RULES)
    paint(market)
    assert not market.alerts
    market.wait(60)
    paint(market, orders=5)
    assert not market.alerts
    market.take(1, SELL, 1_000)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol, alert.severity) == (
        "tape_painting", 1, SYMBOL, 1,
    )  # fmt: skip
    figures = dict(alert.figures)
    assert figures["orders"] == 6
    assert figures["net_e8"] == 0
    assert figures["painted_minutes"] == 2
    assert market.book.current_seq in alert.evidence
    case = market.book.conduct.cases[alert.case]
    assert (case.state, case.number) == (CASE_OPEN, market.book.current_seq)


def test_counting_starts_anew_after_an_alert() -> None:
    """The minute that completed the alert does not count for the next one."""
    market = Market(RULES)
    for _ in range(2):
        paint(market)
        market.wait(60)
    assert len(market.alerts) == 1
    paint(market, key=10)
    assert len(market.alerts) == 1
    market.wait(60)
    paint(market, key=10)
    assert len(market.alerts) == 2
    assert market.alerts[0].case == market.alerts[1].case


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"alternation": "1"}, True),
        ({"orders": 7}, False),
        ({"small_notional": "999"}, False),
        ({"minutes": 3}, False),
    ],
)
def test_each_threshold_by_itself(changes: dict[str, Any], told: bool) -> None:
    """Six alternating orders of a notional of 1000 in two minutes are just enough, or one short."""
    market = Market(rules(**changes))
    for _ in range(2):
        paint(market)
        market.wait(60)
    assert bool(market.alerts) == told


def test_the_net_position_at_the_boundary() -> None:
    """Eleven bought against nine sold leave a tenth, which is the most; twelve to nine are over."""
    for buys, told in ((11, True), (12, False)):
        market = Market(rules(orders=10, minutes=1, small_notional="20000"))
        sizes = [(BUY, 1), (SELL, 1)] * 4 + [(SELL, 5)]
        for side, quantity in sizes:
            market.take(1, side, 1_000, quantity)
        assert not market.alerts
        market.take(1, BUY, 1_000, buys - 4)
        assert bool(market.alerts) == told


def test_a_large_bid_on_top_hides_no_painting() -> None:
    """Only small orders count for what is left; their share bounds how many large ones there are."""
    market = Market({**rules(minutes=1, of_minutes=1, small_share="0.8")})
    paint(market, orders=4)
    market.take(1, BUY, 1_000, 100)
    paint(market, orders=1)
    assert not market.alerts
    market.take(1, SELL, 1_000)
    (alert,) = market.alerts
    assert dict(alert.figures)["net_e8"] == 0


def test_orders_of_a_minute_ago_are_out_of_the_window() -> None:
    """An order exactly as old as the window is not counted, one nanosecond younger is."""
    for late_ns, told in ((0, False), (-1, True)):
        market = Market(rules(minutes=1))
        market.take(1, BUY, 1_000)
        market.wait(ns=60 * NS_PER_SECOND + late_ns)
        for number in range(5):
            market.take(1, SELL if number % 2 == 0 else BUY, 1_000)
        assert bool(market.alerts) == told


def test_a_share_of_the_symbols_trades() -> None:
    """Six of thirty trades are a fifth and enough; six of thirty-one are not."""
    for strangers, told in ((24, True), (25, False)):
        market = Market(rules(minutes=1))
        paint(market, orders=5)
        for _ in range(strangers):
            market.trade(1_000)
        market.take(1, SELL, 1_000)
        assert bool(market.alerts) == told


def test_keys_and_linked_owners_are_one() -> None:
    """Two keys of one owner, or two linked owners, paint together; strangers do not."""
    for link in (True, False):
        market = Market(rules(minutes=1))
        if link:
            market.link(1, 2)
        for number in range(6):
            market.take(1 + number % 2, BUY if number % 2 == 0 else SELL, 1_000)
        assert bool(market.alerts) == link
    market = Market(rules(minutes=1))
    for number in range(6):
        market.take(1, BUY if number % 2 == 0 else SELL, 1_000, key=(1, 10)[number % 2])
    assert market.alerts


def test_orders_of_other_channels_count() -> None:
    """Half of the orders come from the app, as the drop copy tells."""
    market = Market(rules(minutes=1))
    for number in range(6):
        if number % 2:
            market.outside_trade(1_000, 1, SELL, 5, 1)
        else:
            market.take(1, BUY, 1_000)
    assert market.alerts


def test_a_high_bid_by_hand_or_another_key_aggravates() -> None:
    """A bid half a per cent above the last price counts, by another key or channel only."""
    for how, severity in (("app", 2), ("key", 2), ("same key", 1), ("lower", 1)):
        market = Market(rules(minutes=1))
        market.trade(1_000)
        if how == "app":
            market.outside_order(900, 1, BUY, 1_005, 1)
        elif how == "key":
            market.rest(1, BUY, 1_005, key=10)
        elif how == "same key":
            market.rest(1, BUY, 1_005)
        else:
            market.rest(1, BUY, 1_004, key=10)
        paint(market)
        assert [alert.severity for alert in market.alerts] == [severity], how


def test_a_market_maker_needs_more() -> None:
    """An agreement raises the number of orders threefold."""
    for orders, told in ((17, False), (18, True)):
        market = Market(rules(minutes=1))
        paint(market, MAKER, orders)
        assert bool(market.alerts) == told


def test_small_orders_that_take_are_slowed_down_after_an_alert() -> None:
    """One in five seconds passes while the case is open; large and resting ones all do."""
    market = Market(rules(minutes=1))
    market.quote(999, 1_000)
    paint(market)
    small = market.order(1, BUY, 1_000)
    assert market.refused(small) is not None
    market.wait(ns=4 * NS_PER_SECOND - 1)
    breach = market.refused(small)
    assert breach is not None
    assert (breach.reason, breach.case) == (Reason.CONDUCT_LIMIT, market.alerts[0].case)
    assert breach.retry_ns == market.now_ns + 1
    assert market.refused(market.order(1, BUY, 999)) is None
    assert market.refused(market.order(1, BUY, 1_000, 2)) is None
    assert market.refused(market.order(2, BUY, 1_000)) is None
    market.wait(ns=1)
    assert market.refused(small) is None
    assert market.refused(small) is not None
    market.act(market.alerts[0].case, CASE_DISMISS)
    assert market.refused(small) is None


def test_the_throttle_ends_by_itself() -> None:
    """After ten minutes small orders pass again."""
    market = Market(rules(minutes=1, throttle="60m"))
    market.quote(999, 1_000)
    paint(market)
    small = market.order(1, BUY, 1_000)
    market.wait(599 - 1, ns=NS_PER_SECOND - 1)
    assert market.refused(small) is not None
    market.wait(ns=1)
    assert market.refused(small) is None


def test_a_grid_bot_and_a_dca_bot_are_left_alone() -> None:
    """Resting orders that are met take nothing; a buy an hour is no back and forth."""
    market = Market(rules(minutes=1))
    for number in range(30):
        market.take(2, BUY if number % 2 else SELL, 1_000 + number % 3, maker=1)
        market.trade(1_000)
        market.wait(3)
    for _ in range(20):
        market.take(3, BUY, 1_000)
        market.wait(3)
    assert [alert for alert in market.alerts if alert.interest in (1, 3)] == []


def test_what_is_stored_is_all_there_is() -> None:
    """After each event of a painting with its throttle, the restored rule stores the same."""
    market = Market(rules(minutes=1))
    market.quote(999, 1_000)
    market.outside_order(900, 1, BUY, 1_100, 1)
    paint(market)
    market.refused(market.order(1, BUY, 1_000))
    market.wait(61)
    paint(market, 2, 3)
    check_state(market, rules(minutes=1))


def test_a_link_or_a_confirmation_ends_no_throttle() -> None:
    """Linked with others meanwhile, they share it: one small order in five seconds of both."""
    market = Market(rules(minutes=1))
    market.quote(999, 1_000)
    paint(market)
    market.link(1, 2)
    market.act(market.alerts[0].case, CASE_CONFIRM)
    market.wait(5)
    assert market.refused(market.order(2, BUY, 1_000)) is None
    assert market.refused(market.order(1, BUY, 1_000)) is not None
    market.act(market.alerts[0].case, CASE_DISMISS)
    assert market.refused(market.order(1, BUY, 1_000)) is None
