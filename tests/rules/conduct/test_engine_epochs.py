"""A new epoch of the engine: what other channels had standing is gone, and accuses nobody."""

from typing import Any

import pytest

from rules.conduct.layering import Layering
from rules.conduct.scattered_bids import ScatteredBids
from rules.events import EngineSession, OrderEnded
from rules.values import BUY, CANCELED, CAUSE_CLIENT, SELL
from tests.rules.conduct.conduct_world import Market, check_state

ENFORCED: dict[str, Any] = {"mode": "enforce"}
EPOCHS = pytest.mark.parametrize(("epoch", "gone"), [(1, False), (2, True)])


def opened(rules: dict[str, Any]) -> Market:
    """Return a market whose engine is in its first epoch."""
    market = Market(rules)
    market.send(EngineSession(connected=True, epoch=1, engine_seq=0))
    return market


def reconnect(market: Market, epoch: int) -> None:
    """Let the engine go and come back."""
    for connected in (False, True):
        market.send(EngineSession(connected=connected, epoch=epoch, engine_seq=0))


@EPOCHS
def test_an_outside_order_is_met_no_more(epoch: int, gone: bool) -> None:
    """In the same epoch it stands on, and an order that would meet it is refused."""
    rules = {"owner_self_trade": ENFORCED}
    market = opened(rules)
    market.outside_order(9, 1, SELL, 1_000, 5)
    reconnect(market, epoch)
    assert (market.refused(market.order(1, BUY, 1_000)) is None) == gone
    check_state(market, rules)


@EPOCHS
def test_an_outside_lure_does_not_come_back(epoch: int, gone: bool) -> None:
    """Nor is it displayed; its end in the old epoch is told to nobody."""
    rules = {"fictitious_bids": {**ENFORCED, "lures": 1, "imbalance": "0"}}
    market = opened(rules)
    market.outside_order(9, 1, BUY, 900, 50)
    reconnect(market, epoch)
    market.outside_order(9, 1, BUY, 900, 50, status=CANCELED)
    assert bool(market.alerts) != gone
    check_state(market, rules)


@EPOCHS
def test_an_outside_target_is_none_any_more(epoch: int, gone: bool) -> None:
    """Buys are judged by targets that stand."""
    rules = {"target_ramp": {**ENFORCED, "raising_buys": 1, "rise": "0.01"}}
    market = opened(rules)
    market.trade(1_000)
    market.outside_order(9, 1, SELL, 1_100, 50)
    market.wait(1)
    reconnect(market, epoch)
    market.take(1, BUY, 1_010)
    assert bool(market.alerts) != gone
    check_state(market, rules)


@EPOCHS
def test_outside_orders_are_let_go(epoch: int, gone: bool) -> None:
    """Layers and far orders too; nothing is kept of an epoch that has ended."""
    rules = {"layering": ENFORCED, "scattered_bids": ENFORCED}
    market = opened(rules)
    market.outside_order(9, 1, BUY, 900, 50)
    market.rest(2, BUY, 900)
    reconnect(market, epoch)
    layering, scattered = (market.pipeline.rule(name) for name in rules)
    assert isinstance(layering, Layering)
    assert isinstance(scattered, ScatteredBids)
    assert bool(layering.state()["outside"]) != gone
    assert len(layering.state()["shown"]) == (0 if gone else 2)
    assert len(scattered.state()["far"]) == (0 if gone else 2)
    check_state(market, rules)


def test_a_target_that_ends_elsewhere_is_none_any_more() -> None:
    """Cancelled in the web page, the engine reports its end by itself; buys afterwards are just buys."""
    rules = {"target_ramp": {**ENFORCED, "raising_buys": 1, "rise": "0.01"}}
    market = opened(rules)
    market.trade(1_000)
    target = market.rest(1, SELL, 1_100)
    market.wait(1)
    market.send(OrderEnded(*market.begin(), target, CANCELED, CAUSE_CLIENT, 0))
    market.take(1, BUY, 1_010)
    assert not market.alerts
    check_state(market, rules)
