"""A8: trades that set the price before it is captured, at the thresholds and not below."""

from typing import Any

import pytest

from rules.values import BUY, SELL
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes: prices are captured at a quarter past noon."""
    return {"reset_marking": {"mode": "enforce", "reset_times": ("12:15",), **changes}}


def market_of(**changes: Any) -> Market:
    """Return a market five minutes before the time, its last price 1,000."""
    market = Market(rules(**changes))
    market.trade(1_000)
    market.wait(10 * 60)
    return market


def mark(market: Market, owner: int = 1, orders: int = 3, last: int = 1_020) -> None:
    """Buy a unit with each order, the last one at `last`; strangers trade seven."""
    market.trade(1_000, 7)
    for _ in range(orders - 1):
        market.take(owner, BUY, 1_010)
    market.take(owner, BUY, last)


def capture(market: Market) -> None:
    """Let the time come, and the symbol's next report."""
    market.wait(5 * 60)
    market.quote(1_000, 1_020)


def test_a_move_before_the_time_is_told_after_it() -> None:
    """Three of ten units, two per cent up: told with the symbol's first report."""
    market = market_of()
    mark(market)
    market.wait(ns=5 * 60 * 10**9 - 1)
    market.quote(1_000, 1_020)
    assert not market.alerts
    market.wait(ns=1)
    market.quote(1_000, 1_021)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol) == ("reset_marking", 1, SYMBOL)
    assert dict(alert.figures) == {
        "share_e8": 30_000_000, "move_e8": 2_000_000, "orders": 3, "upward": 1,
    }  # fmt: skip
    assert len(alert.evidence) == 3
    market.quote(1_000, 1_022)
    assert len(market.alerts) == 1


@pytest.mark.parametrize(
    ("changes", "course", "told"),
    [
        ({"share": "0.30000001"}, {}, False),
        ({}, {"last": 1_019}, False),
        ({"orders": 4}, {}, False),
        ({"before": "299s"}, {}, False),
        ({"reset_times": ("00:00",)}, {}, False),
    ],
)
def test_each_threshold_by_itself(
    changes: dict[str, Any], course: dict[str, Any], told: bool
) -> None:
    """Share, move, orders and time: just past each."""
    market = market_of(**changes)
    mark(market, **course)
    capture(market)
    assert bool(market.alerts) == told


def test_what_is_sold_again_is_taken_off() -> None:
    """Only what is left in the direction of the move counts."""
    market = market_of()
    mark(market)
    market.take(1, SELL, 1_020)
    capture(market)
    assert not market.alerts


def test_a_price_pushed_down_counts_the_same() -> None:
    """Sells before the time, down by two per cent, by a linked owner on another channel too."""
    market = market_of()
    market.link(1, 2)
    market.trade(1_000, 7)
    market.take(1, SELL, 990)
    market.outside_trade(985, 1, SELL, 0, 2)
    market.take(1, SELL, 980)
    capture(market)
    (alert,) = market.alerts
    assert alert.interest == -1
    assert dict(alert.figures)["upward"] == 0


def test_buyers_into_a_falling_price_are_left_alone() -> None:
    """Who bought while others pushed the price down did not mark it."""
    market = market_of()
    for price in (1_000, 995, 990, 985, 980):
        market.take(1, BUY, price)
        market.trade(price - 5, 1, SELL)
    capture(market)
    assert not market.alerts


def test_midnight_belongs_to_the_day_that_begins() -> None:
    """The stretch before 00:00 lies in the day before."""
    market = Market(rules(reset_times=("00:00",)))
    market.wait(12 * 3_600 - 60)
    market.trade(1_000, 7)
    for _ in range(3):
        market.take(1, BUY, 1_020)
    market.wait(60)
    market.trade(1_020)
    assert len(market.alerts) == 1


def test_a_market_maker_needs_more_orders() -> None:
    """Three times as many."""
    for orders, told in ((8, False), (9, True)):
        market = market_of()
        mark(market, MAKER, orders)
        capture(market)
        assert bool(market.alerts) == told


def test_a_time_that_is_none_is_refused() -> None:
    """Hours and minutes, two digits each."""
    with pytest.raises(Exception, match="`24:00` is not a time of day"):
        Market(rules(reset_times=("24:00",)))


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = market_of()
    mark(market)
    capture(market)
    assert market.alerts
    check_state(market, rules())
