"""A6: bursts of orders that are gone at once, at the thresholds and not below."""

from typing import Any

import pytest

from rules.values import BUY, NS_PER_SECOND
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state

MS = 1_000_000
LATE_NS = 99 * MS


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes: eight messages in a second."""
    return {"quote_stuffing": {"mode": "enforce", "per_second": 8, **changes}}


def stuff(market: Market, orders: int = 4, owner: int = 1, life_ns: int = LATE_NS) -> None:
    """Enter orders and cancel each, all within a second while there are at most ten."""
    for _ in range(orders):
        order_id = market.rest(owner, BUY, 990)
        market.wait(ns=life_ns)
        market.cancel(owner, order_id)


def test_a_burst_of_short_lives_is_told_once_a_minute() -> None:
    """Four orders and four cancels are eight messages."""
    market = Market(rules())
    stuff(market, 3)
    assert not market.alerts
    stuff(market, 1)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol) == ("quote_stuffing", 1, SYMBOL)
    figures = dict(alert.figures)
    assert figures["messages_in_second"] == 8
    assert figures["cancelled_e8"] == figures["short_lived_e8"] == 100_000_000
    assert len(alert.evidence) == 9
    market.wait(1)
    stuff(market)
    assert len(market.alerts) == 1
    market.wait(60, -(market.now_ns % NS_PER_SECOND))
    stuff(market)
    assert len(market.alerts) == 2


def test_a_cancel_of_all_is_a_message() -> None:
    """Seven orders and one message that takes them all are eight, not seven."""
    market = Market(rules())
    for _ in range(7):
        market.rest(1, BUY, 990)
    market.wait(ns=LATE_NS)
    market.cancel_all(1)
    (alert,) = market.alerts
    assert dict(alert.figures)["messages_in_second"] == 8


@pytest.mark.parametrize(("life_ns", "told"), [(100 * MS - 1, True), (100 * MS, False)])
def test_the_life_at_its_boundary(life_ns: int, told: bool) -> None:
    """An order that lived as long as allowed did not live too shortly."""
    market = Market(rules())
    stuff(market, life_ns=life_ns)
    assert bool(market.alerts) == told


def test_half_of_short_lives_is_not_a_short_median() -> None:
    """More than half must be short."""
    market = Market(rules(per_second=6))
    stuff(market, 2, life_ns=150 * MS)
    stuff(market, 2, life_ns=1)
    assert not market.alerts
    stuff(market, 1, life_ns=1)
    assert len(market.alerts) == 1


@pytest.mark.parametrize(("cancelled", "told"), [("0.8", True), ("0.80000001", False)])
def test_the_share_taken_away_at_its_boundary(cancelled: str, told: bool) -> None:
    """One order of five stays."""
    market = Market(rules(cancelled=cancelled))
    market.rest(1, BUY, 990)
    stuff(market)
    assert bool(market.alerts) == told


def test_messages_of_two_seconds_are_not_of_one() -> None:
    """The second is the clock's."""
    market = Market(rules())
    stuff(market, 2)
    market.wait(1)
    stuff(market, 2)
    assert not market.alerts


@pytest.mark.parametrize(("sigmas", "told"), [(7, True), (8, False)])
def test_what_is_usual_for_an_owner_is_no_burst(sigmas: int, told: bool) -> None:
    """A known hour of 2 messages a minute and one of 8: mean 2.1, spread 0.77; 8 is 7.6 above."""
    market = Market(rules(sigmas=sigmas, history="1h"))
    stuff(market, 4, life_ns=200 * MS)
    for _ in range(59):
        market.wait(60 - market.now_ns // 10**9 % 60)
        stuff(market, 1, life_ns=200 * MS)
    market.wait(60 - market.now_ns // 10**9 % 60)
    stuff(market)
    assert bool(market.alerts) == told


def test_keys_count_together_and_a_market_maker_needs_more() -> None:
    """Three times as many messages in a second."""
    market = Market(rules())
    for _ in range(2):
        first = market.rest(1, BUY, 990)
        second = market.rest(1, BUY, 990, key=10)
        market.cancel(1, first)
        market.cancel(1, second, key=10)
    assert len(market.alerts) == 1
    stuff(market, 11, MAKER, 1)
    assert len(market.alerts) == 1
    stuff(market, 1, MAKER, 1)
    assert len(market.alerts) == 2


def test_a_slow_re_quoter_is_left_alone() -> None:
    """One who quotes anew all day long, but lets his orders stand for a second."""
    market = Market(rules(history="1m"))
    for _ in range(200):
        stuff(market, 1, life_ns=10**9)
    assert not market.alerts


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = Market(rules())
    stuff(market)
    market.wait(60)
    stuff(market)
    assert market.alerts
    check_state(market, rules())
