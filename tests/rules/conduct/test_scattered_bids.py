"""Far orders taken away over many symbols: told by owner, by day and over days."""

from typing import Any

import pytest

from rules.values import BUY, CANCELED, SELL
from tests.rules.conduct.conduct_world import (
    MAKER,
    OTHER_SYMBOL,
    SYMBOL,
    SYMBOLS,
    THIRD_SYMBOL,
    Market,
    check_state,
)

DAY = 86_400


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes: six in a day over three symbols, twelve over three days."""
    clause = {
        "mode": "enforce", "orders": 6, "symbols": 3, "days": 3, "orders_over_days": 12, **changes
    }  # fmt: skip
    return {"scattered_bids": clause}


def scatter(
    market: Market,
    rounds: int,
    owner: int = 1,
    price: int = 970,
    symbols: tuple[int, ...] = SYMBOLS,
) -> None:
    """Enter a bid in each symbol and take it away."""
    for _ in range(rounds):
        for symbol in symbols:
            order_id = market.rest(owner, BUY, price, symbol=symbol)
            market.wait(1)
            market.cancel(owner, order_id)


def test_a_few_in_each_of_many_symbols_make_an_alert() -> None:
    """The sixth completes it; it is about no single symbol, and told once a day."""
    market = Market(rules())
    scatter(market, 1)
    scatter(market, 1, symbols=(SYMBOL, OTHER_SYMBOL))
    assert not market.alerts
    scatter(market, 1, symbols=(THIRD_SYMBOL,))
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol) == ("scattered_bids", 1, 0)
    assert dict(alert.figures) == {
        "orders": 6, "symbols": 3, "days": 1, "cancelled_e8": 100_000_000,
        "busiest_account": 1, "orders_of_busiest_account": 6,
    }  # fmt: skip
    assert len(alert.evidence) == 7
    scatter(market, 2)
    assert len(market.alerts) == 1


@pytest.mark.parametrize(
    ("changes", "course", "told"),
    [
        ({"symbols": 4}, {}, False),
        ({}, {"symbols": (SYMBOL, OTHER_SYMBOL)}, False),
        ({}, {"price": 971}, False),
        ({"distance": "0.02900001"}, {"price": 971}, False),
        ({"distance": "0.029"}, {"price": 971}, True),
    ],
)
def test_each_threshold_by_itself(
    changes: dict[str, Any], course: dict[str, Any], told: bool
) -> None:
    """Symbols and distance: at and past each."""
    market = Market(rules(**changes))
    scatter(market, 3, **course)
    assert bool(market.alerts) == told


def test_thinner_still_is_told_over_days() -> None:
    """Four a day on three days; on a fourth the first is forgotten."""
    for gap, told in ((DAY, True), (2 * DAY, False)):
        market = Market(rules())
        for _ in range(3):
            scatter(market, 1)
            scatter(market, 1, symbols=(SYMBOL,))
            market.wait(gap)
        assert bool(market.alerts) == told
    assert not market.alerts


def test_orders_that_are_executed_were_meant() -> None:
    """One who buys dips: a share of those that ended must have been taken away."""
    for filled, told in ((0, True), (1, False)):
        market = Market(rules())
        for _ in range(filled):
            bid = market.rest(1, BUY, 970)
            market.take(2, SELL, 970, maker=1, maker_order=bid)
        market.trade(1_000)
        scatter(market, 2)
        assert bool(market.alerts) == told


def test_a_member_firm_is_judged_as_a_whole() -> None:
    """Accounts of linked owners add up, orders of other channels too; the busiest is named."""
    market = Market(rules())
    market.link(1, 2)
    scatter(market, 1)
    scatter(market, 1, 2, symbols=(SYMBOL, OTHER_SYMBOL))
    market.outside_order(1, 2, SELL, 1_030, 1)
    market.outside_order(1, 2, SELL, 1_030, 1, status=CANCELED)
    (alert,) = market.alerts
    assert (alert.interest, alert.owners) == (-1, (1, 2))
    assert dict(alert.figures)["busiest_account"] == 1


def test_a_market_maker_needs_more() -> None:
    """Three times as many."""
    market = Market(rules(orders_over_days=1_000))
    scatter(market, 5, MAKER)
    assert not market.alerts
    scatter(market, 1, MAKER)
    assert len(market.alerts) == 1


def test_a_grid_far_from_the_market_that_stays_is_left_alone() -> None:
    """Orders that stand for weeks and go one by one are no lures."""
    market = Market(rules())
    for symbol in SYMBOLS:
        for price in range(900, 970, 10):
            market.rest(1, BUY, price, symbol=symbol)
    market.wait(DAY)
    assert not market.alerts


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = Market(rules())
    for _ in range(3):
        scatter(market, 1)
        market.wait(DAY)
    scatter(market, 3)
    assert market.alerts
    check_state(market, rules())
