"""A7: a burst that moves the price and the way back, at the thresholds and not below."""

from typing import Any

import pytest

from rules.values import BUY, SELL
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes: three orders that move the price by 1 %."""
    return {"momentum_ignition": {"mode": "enforce", "orders": 3, "move": "0.01", **changes}}


def market_of(**changes: Any) -> Market:
    """Return a market whose last price is 1,000."""
    market = Market(rules(**changes))
    market.trade(1_000)
    return market


def burst(market: Market, owner: int = 1, prices: tuple[int, ...] = (1_004, 1_007, 1_010)) -> None:
    """Buy two units at each price, one a second."""
    for price in prices:
        market.take(owner, BUY, price, 2)
        market.wait(1)


def test_a_burst_and_its_way_back_make_an_alert() -> None:
    """Half of six units sold again are enough."""
    market = market_of()
    burst(market)
    market.take(1, SELL, 1_009, 2)
    assert not market.alerts
    market.take(1, SELL, 1_009, 1)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol) == ("momentum_ignition", 1, SYMBOL)
    assert dict(alert.figures) == {
        "orders": 3, "move_e8": 10 * 10**8, "quantity_e8": 6 * 10**8, "reversed_e8": 50_000_000,
    }  # fmt: skip
    assert len(alert.evidence) == 5
    market.take(1, SELL, 1_009, 6)
    assert len(market.alerts) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"orders": 4}, False),
        ({"move": "0.01000001"}, False),
        ({"burst": "2s"}, False),
        ({"burst": "2001ms"}, True),
        ({"reversed": "1"}, True),
        ({"reversed": "1.00000001"}, False),
    ],
)
def test_each_threshold_by_itself(changes: dict[str, Any], told: bool) -> None:
    """Orders, move, time of the burst, share that goes back: at and past each."""
    market = market_of(**changes)
    burst(market)
    market.take(1, SELL, 1_009, 6)
    assert bool(market.alerts) == told


@pytest.mark.parametrize(("wait_ns", "told"), [(0, True), (1, False)])
def test_the_way_back_in_time(wait_ns: int, told: bool) -> None:
    """Half a minute after the burst's last order, and not a moment later."""
    market = market_of()
    burst(market)
    market.wait(29, wait_ns)
    market.take(1, SELL, 1_009, 6)
    assert bool(market.alerts) == told


def test_a_downward_burst_counts_the_same() -> None:
    """Sells that push the price down, then a resting bid that is executed."""
    market = market_of()
    bid = market.rest(1, BUY, 980, 6)
    for price in (996, 993, 990):
        market.take(1, SELL, price, 2)
    market.take(2, SELL, 980, 6, maker=1, maker_order=bid)
    assert [alert.interest for alert in market.alerts] == [1]


@pytest.mark.parametrize(("sigmas", "told"), [(2, True), (3, False)])
def test_a_move_that_is_usual_in_the_market(sigmas: int, told: bool) -> None:
    """Prices that go up and down by 4 a minute have a spread of 4; ten is 2.5 of these."""
    market = market_of(sigmas=sigmas, minutes=12)
    for number in range(1, 15):
        market.wait(60)
        market.trade(1_004 if number % 2 else 1_000)
    market.wait(60)
    burst(market)
    market.take(1, SELL, 1_009, 6)
    assert bool(market.alerts) == told


def test_one_who_only_buys_is_left_alone() -> None:
    """An index rebalance moves the price and keeps what it bought."""
    market = market_of()
    for number in range(20):
        market.take(1, BUY, 1_000 + 4 * number, 2)
    market.take(2, SELL, 1_050, 20)
    assert not market.alerts


def test_linked_owners_other_channels_and_market_makers() -> None:
    """One buys, a linked other sells by hand; a market maker needs three times as many orders."""
    market = market_of()
    market.link(1, 2)
    burst(market)
    market.outside_trade(1_009, 6, SELL, 0, 2)
    assert [alert.interest for alert in market.alerts] == [-1]
    market = market_of()
    burst(market, MAKER)
    market.take(MAKER, SELL, 1_009, 6)
    assert not market.alerts


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = market_of()
    burst(market)
    market.take(1, SELL, 1_009, 3)
    market.wait(60)
    burst(market)
    assert market.alerts
    check_state(market, rules())
