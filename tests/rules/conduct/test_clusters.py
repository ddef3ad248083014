"""Clusters of unlinked owners who take at the same moments, and those who only seem to."""

from typing import Any

import pytest

from rules.values import BUY, SELL
from tests.rules.conduct.conduct_world import SYMBOL, Market, check_state

MS = 1_000_000


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes: six times together."""
    return {"clusters": {"mode": "enforce", "together": 6, "apart": "100ms", **changes}}


def rounds(market: Market, owners: tuple[int, ...], count: int, apart_ns: int = 50 * MS) -> None:
    """Let owners take one after another, `apart_ns` from the first to the last, each 10 s."""
    step_ns = apart_ns // max(len(owners) - 1, 1)
    for number in range(count):
        for place, owner in enumerate(owners):
            market.take(owner, BUY if number % 2 else SELL, 1_000)
            if place < len(owners) - 1:
                market.wait(ns=step_ns)
        market.wait(10)


def test_three_owners_in_time_are_told_of_with_each_other() -> None:
    """Their first three orders meet nobody, so the ninth round completes it."""
    market = Market(rules())
    rounds(market, (1, 2, 3), 8)
    assert not market.alerts
    rounds(market, (1, 2, 3), 1)
    assert {alert.interest for alert in market.alerts} == {1, 2, 3}
    for alert in market.alerts:
        assert (alert.rule, alert.symbol, sorted(alert.owners)) == ("clusters", SYMBOL, [1, 2, 3])
        assert dict(alert.figures)["owners"] == 3
        assert len(alert.evidence) >= 12
    rounds(market, (1, 2, 3), 3)
    assert len(market.alerts) == 3


def test_two_are_told_of_only_where_two_are_enough() -> None:
    """The number of owners is the rulebook's."""
    for owners, told in ((3, 0), (2, 2)):
        market = Market(rules(owners=owners))
        rounds(market, (1, 2), 9)
        assert len(market.alerts) == told


@pytest.mark.parametrize(("apart_ns", "told"), [(100 * MS, True), (100 * MS + 1, False)])
def test_the_time_apart_at_its_boundary(apart_ns: int, told: bool) -> None:
    """Exactly as far apart as allowed is together."""
    market = Market(rules(owners=2))
    rounds(market, (1, 2), 9, apart_ns)
    assert bool(market.alerts) == told


def test_one_who_takes_all_the_time_meets_everybody() -> None:
    """A share of the busier one's orders is needed, so a busy taker is no accomplice."""
    market = Market(rules(owners=2))
    for number in range(40):
        market.take(1, BUY, 1_000)
        if number % 2:
            market.take(2, BUY, 1_000)
        market.wait(10)
        market.take(1, SELL, 1_000)
        market.wait(1)
    assert not market.alerts


def test_chance_is_taken_off() -> None:
    """In a busy second all meet all; only more than chance would have it is told."""
    for by_chance, told in ((1, True), (1_000, False)):
        market = Market(rules(owners=2, by_chance=by_chance))
        rounds(market, (1, 2), 12)
        assert bool(market.alerts) == told


def test_linked_owners_are_one() -> None:
    """Whose link is known is judged by the other rules as one."""
    market = Market(rules())
    market.link(1, 2)
    rounds(market, (1, 2, 3), 12)
    assert not market.alerts


def test_other_symbols_are_apart() -> None:
    """Owners who take at the same moment in different symbols do not meet."""
    market = Market(rules(owners=2))
    for _ in range(12):
        market.take(1, BUY, 1_000)
        market.take(2, BUY, 1_000, symbol=2)
        market.wait(10)
    assert not market.alerts


def test_orders_of_other_channels_count() -> None:
    """The drop copy names owner and order."""
    market = Market(rules(owners=2))
    for _ in range(9):
        market.take(1, BUY, 1_000)
        market.outside_trade(1_000, 1, BUY, 2, 0)
        market.wait(10)
    assert {alert.interest for alert in market.alerts} == {1, 2}


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = Market(rules())
    rounds(market, (1, 2, 3), 9)
    assert market.alerts
    check_state(market, rules())
