"""A5: layers that vanish after an execution on the other side, at the thresholds and not below."""

from typing import Any

import pytest

from rules.values import BUY, CANCELED, SELL
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes."""
    return {"layering": {"mode": "enforce", "episodes": 2, "window": "60s", **changes}}


def market_of(**changes: Any) -> Market:
    """Return a market in which strangers offer 8 units."""
    market = Market(rules(**changes))
    market.rest(5, SELL, 1_010, 8)
    return market


def episode(
    market: Market,
    owner: int = 1,
    prices: tuple[int, ...] = (1_003, 1_004, 1_005),
    cancelled: int = 3,
    after_ns: int = 2_000_000_000,
) -> None:
    """Offer a unit at each price, buy one from a stranger, take some of the offers away."""
    layers = [market.rest(owner, SELL, price) for price in prices]
    market.take(owner, BUY, 1_000)
    market.wait(ns=after_ns)
    for order_id in layers[:cancelled]:
        market.cancel(owner, order_id)
    market.wait(ns=1)
    for order_id in layers[cancelled:]:
        market.cancel(owner, order_id)
    market.wait(1)


def test_the_second_episode_makes_an_alert_with_its_evidence() -> None:
    """Offers at three prices go, all of them, at the last moment."""
    market = market_of()
    episode(market)
    assert not market.alerts
    episode(market)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol, alert.owners) == ("layering", 1, SYMBOL, (1,))
    figures = dict(alert.figures)
    assert figures["episodes"] == 2
    assert figures["levels"] == 3
    assert figures["cancelled_e8"] == 100_000_000
    assert len(alert.evidence) == 2 * (3 + 1 + 1)


@pytest.mark.parametrize(
    ("changes", "course", "told"),
    [
        ({"levels": 4}, {}, False),
        ({}, {"prices": (1_003, 1_004, 1_004)}, False),
        ({"depth_share": "0.27272727"}, {}, True),
        ({"depth_share": "0.27272728"}, {}, False),
        ({}, {"after_ns": 2_000_000_001}, False),
        ({}, {"cancelled": 2}, False),
        ({"cancelled": "0.66666666"}, {"cancelled": 2}, True),
        ({"cancelled": "0.66666667"}, {"cancelled": 2, "after_ns": 2_000_000_000}, False),
    ],
)
def test_each_threshold_by_itself(
    changes: dict[str, Any], course: dict[str, Any], told: bool
) -> None:
    """Prices, share of what is displayed, time and share taken away: at and past each."""
    market = market_of(**changes)
    for _ in range(2):
        episode(market, **course)
    assert bool(market.alerts) == told


def test_episodes_grow_old() -> None:
    """After a whole window the first counts no more."""
    market = market_of()
    episode(market)
    market.wait(57)
    episode(market)
    assert not market.alerts


def test_a_changed_price_takes_away_too() -> None:
    """Offers that are moved further off are as good as cancelled."""
    market = market_of(episodes=1)
    layers = [market.rest(1, SELL, price) for price in (1_003, 1_004, 1_005)]
    market.take(1, BUY, 1_000)
    for order_id in layers:
        market.amend(1, order_id, price=1_100)
    assert len(market.alerts) == 1


def test_offers_made_after_the_execution_do_not_count() -> None:
    """What was not there could not mislead; what was there still stands."""
    market = market_of(episodes=1)
    for price in (1_003, 1_004, 1_005):
        market.rest(1, SELL, price)
    market.take(1, BUY, 1_000)
    for _ in range(3):
        market.cancel(1, market.rest(1, SELL, 1_006))
    assert not market.alerts


def test_other_channels_and_linked_owners_count() -> None:
    """Offers by hand of one, the purchase by a linked other."""
    market = market_of(episodes=1)
    market.link(1, 2)
    for number, price in enumerate((1_003, 1_004, 1_005), start=1):
        market.outside_order(number, 2, SELL, price, 1)
    market.take(1, BUY, 1_000)
    for number, price in enumerate((1_003, 1_004, 1_005), start=1):
        market.outside_order(number, 2, SELL, price, 1, status=CANCELED)
    (alert,) = market.alerts
    assert alert.interest == -1


def test_a_market_maker_who_quotes_anew_needs_more() -> None:
    """An agreement raises the count of episodes, here to six."""
    market = market_of()
    for _ in range(5):
        episode(market, MAKER)
    assert not market.alerts
    episode(market, MAKER)
    assert len(market.alerts) == 1


def test_a_grid_that_stays_is_left_alone() -> None:
    """A grid bot's offers stand at many prices and go only when they are executed."""
    market = market_of(episodes=1)
    for price in (1_003, 1_004, 1_005, 1_006):
        market.rest(1, SELL, price)
    for _ in range(5):
        market.take(1, BUY, 1_000)
        market.wait(1)
    assert not market.alerts


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = market_of()
    for _ in range(3):
        episode(market)
    assert market.alerts
    check_state(market, rules())
