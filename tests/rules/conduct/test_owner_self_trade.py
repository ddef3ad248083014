"""Orders that would meet one of the same owner or of a linked one are refused."""

from typing import Any

import pytest

from rules.events import DefineAccount, DefineKey
from rules.reasons import Reason
from rules.values import BUY, CANCELED, IOC, LIMIT_MAKER, MARKET, PERMIT_TRADE, SELL
from tests.rules.conduct.conduct_world import OTHER_SYMBOL, Market, check_state

RULES: dict[str, Any] = {"owner_self_trade": {"mode": "enforce"}}
SECOND = 7
"""A second account, and key, of owner 1."""


def opened(rules: dict[str, Any] | None = None) -> Market:
    """Return a market in which owner 1 has two accounts."""
    market = Market(rules or RULES)
    market.send(DefineAccount(SECOND, "a7", 1, "", 0))
    market.send(DefineKey(SECOND, "k7", SECOND, PERMIT_TRADE, (), 0))
    return market


@pytest.mark.parametrize(
    ("resting", "side", "price", "refused"),
    [
        (SELL, BUY, 1_000, True),
        (SELL, BUY, 999, False),
        (BUY, SELL, 1_000, True),
        (BUY, SELL, 1_001, False),
        (SELL, SELL, 1_000, False),
    ],
)
def test_the_price_at_the_boundary(resting: int, side: int, price: int, refused: bool) -> None:
    """At the resting order's price an order would meet it, a tick away it would not."""
    market = opened()
    market.rest(1, resting, 1_000)
    breach = market.refused(market.order(SECOND, side, price))
    assert (breach is not None) == refused
    if breach is not None:
        assert breach.reason == Reason.OWNER_SELF_TRADE


def test_linked_owners_are_one_from_then_on() -> None:
    """A link refuses, and its end lets pass again."""
    market = opened()
    market.rest(1, SELL, 1_000)
    assert market.refused(market.order(2, BUY, 1_000, time_in_force=IOC)) is None
    market.link(1, 2)
    assert market.refused(market.order(2, BUY, 1_000)) is not None
    market.link(2, group=0)
    assert market.refused(market.order(2, BUY, 1_000)) is None


def test_one_account_is_left_to_the_engine_unless_told_otherwise() -> None:
    """`same_account` makes the rule refuse what self-trade prevention would handle."""
    for same_account in (False, True):
        rules = {"owner_self_trade": {"mode": "enforce", "same_account": same_account}}
        market = opened(rules)
        market.rest(1, SELL, 1_000)
        breach = market.refused(market.order(1, BUY, 1_000))
        assert (breach is not None) == same_account


def test_market_orders_are_refused_where_they_would_meet_it_first() -> None:
    """An own order at the best price, or where no best price is known."""
    market = opened()
    market.rest(1, SELL, 1_001)
    by_market = market.order(SECOND, BUY, 0, order_type=MARKET, time_in_force=0)
    assert market.refused(by_market) is not None
    market.quote(999, 1_001)
    assert market.refused(by_market) is not None
    market.quote(999, 1_000)
    assert market.refused(by_market) is None


def test_orders_in_flight_count_and_ended_ones_do_not() -> None:
    """An order on its way to the engine may rest there by the time the other arrives."""
    market = opened()
    market.send(market.order(1, SELL, 1_000))
    assert market.refused(market.order(SECOND, BUY, 1_000)) is not None
    market = opened()
    market.cancel(1, market.rest(1, SELL, 1_000))
    assert market.refused(market.order(SECOND, BUY, 1_000)) is None


def test_orders_that_never_rest_and_other_symbols_do_not_count() -> None:
    """Only what stands in the same book can be met."""
    market = opened()
    market.send(market.order(1, SELL, 1_000, time_in_force=IOC))
    market.rest(1, SELL, 1_000, symbol=OTHER_SYMBOL)
    assert market.refused(market.order(SECOND, BUY, 1_000, order_type=LIMIT_MAKER)) is None


def test_orders_of_other_channels_count() -> None:
    """An order entered in the app by the same owner, until it ends."""
    market = opened()
    market.outside_order(900, 1, SELL, 1_000, 1)
    assert market.refused(market.order(1, BUY, 1_000)) is not None
    market.outside_order(900, 1, SELL, 1_000, 1, status=CANCELED)
    assert market.refused(market.order(1, BUY, 1_000)) is None


def test_an_amend_into_an_own_order_is_refused() -> None:
    """An amend is judged by the price it leads to."""
    market = opened()
    market.rest(1, SELL, 1_000)
    bid = market.rest(SECOND, BUY, 990)
    assert market.amend(SECOND, bid, price=1_000).breaches
    assert not market.amend(SECOND, bid, price=999).breaches


def test_what_is_stored_is_all_there_is() -> None:
    """After each event the restored rule stores the same."""
    market = opened()
    market.outside_order(900, 1, SELL, 1_000, 1)
    market.outside_order(901, 1, BUY, 900, 1)
    market.refused(market.order(1, BUY, 1_000))
    market.outside_order(900, 1, SELL, 1_000, 1, status=CANCELED)
    check_state(market, RULES)
