"""A9: many small orders at one price, at the thresholds and not below."""

from typing import Any

import pytest

from rules.values import BUY, CANCELED, SELL
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes: four orders of at most 2,000."""
    return {"split_orders": {"mode": "enforce", "orders": 4, "small_notional": "2000", **changes}}


def split(market: Market, orders: int, owner: int = 1, **changes: Any) -> None:
    """Enter bids of two units at one price, one a second."""
    for _ in range(orders):
        market.rest(owner, BUY, 1_000, 2, **changes)
        market.wait(1)


def test_the_fourth_small_order_makes_an_alert() -> None:
    """Three do not; counting then starts anew."""
    market = Market(rules())
    split(market, 3)
    assert not market.alerts
    split(market, 1)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.symbol) == ("split_orders", 1, SYMBOL)
    assert dict(alert.figures) == {
        "orders": 4, "price_e8": 1_000 * 10**8, "quantity_e8": 8 * 10**8,
    }  # fmt: skip
    assert len(alert.evidence) == 4
    split(market, 3)
    assert len(market.alerts) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"small_notional": "1999.99999999"}, False),
        ({"window": "4s"}, True),
        ({"window": "3s"}, False),
    ],
)
def test_size_and_time_at_their_boundaries(changes: dict[str, Any], told: bool) -> None:
    """An order as large as the limit is small; one as old as the window is out of it."""
    market = Market(rules(**changes))
    split(market, 4)
    assert bool(market.alerts) == told


def test_other_prices_and_sides_are_other_orders() -> None:
    """A grid bot spreads its orders over prices."""
    market = Market(rules())
    for price in range(1_000, 980, -1):
        market.rest(1, BUY, price, 1)
    for _ in range(3):
        market.rest(1, BUY, 900, 2)
        market.rest(1, SELL, 1_100, 1)
    assert not market.alerts


def test_who_quotes_anew_has_one_order_at_a_time() -> None:
    """Orders taken away unfilled are counted no more."""
    market = Market(rules())
    for _ in range(20):
        market.cancel(1, market.rest(1, BUY, 1_000, 2))
    assert not market.alerts
    split(market, 4)
    assert len(market.alerts) == 1


def test_linked_owners_and_other_channels_count() -> None:
    """Two owners, one of them by hand; his order taken away again counts no more."""
    market = Market(rules())
    market.link(1, 2)
    split(market, 2)
    market.outside_order(1, 2, BUY, 1_000, 2)
    market.outside_order(1, 2, BUY, 1_000, 2, status=CANCELED)
    market.outside_order(2, 2, BUY, 1_000, 2)
    assert not market.alerts
    market.outside_order(3, 2, BUY, 1_000, 2)
    assert market.alerts[0].interest == -1


def test_a_market_maker_needs_more() -> None:
    """Three times as many."""
    market = Market(rules())
    split(market, 11, MAKER)
    assert not market.alerts
    split(market, 1, MAKER)
    assert len(market.alerts) == 1


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    market = Market(rules())
    split(market, 3)
    market.cancel(1, market.rest(1, BUY, 1_000, 2))
    split(market, 2)
    assert market.alerts
    check_state(market, rules())
