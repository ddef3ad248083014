"""Shares of a symbol's day: told at the thresholds, once a day and kind, and shown as usage."""

from typing import Any

import pytest

from rules.conduct.concentration import Concentration
from rules.values import BUY, SCOPE_OWNER_SYMBOL, SELL, pair_of
from tests.rules.conduct.conduct_world import MAKER, SYMBOL, Market, check_state

OFF = "1.00000001"
DAY = 86_400


def rules(**changes: Any) -> dict[str, Any]:
    """Return the rule with changes, all shares out of reach."""
    shares = dict.fromkeys(("orders", "changes", "burst_orders", "executions", "moves"), OFF)
    clause = {"mode": "enforce", "orders_least": 10, "trades_least": 4, **shares, **changes}
    return {"concentration": clause}


def orders(market: Market, owner: int, count: int) -> list[int]:
    """Enter orders a minute apart, so that they fall into several bursts."""
    entered = []
    for _ in range(count):
        entered.append(market.rest(owner, BUY, 900))
        market.wait(60)
    return entered


@pytest.mark.parametrize(("share", "told"), [("0.6", True), ("0.60000001", False)])
def test_a_share_of_the_days_orders(share: str, told: bool) -> None:
    """Six of ten, told with the tenth order of the symbol if it is his."""
    market = Market(rules(orders=share))
    orders(market, 2, 4)
    orders(market, 1, 5)
    assert not market.alerts
    orders(market, 1, 1)
    assert bool(market.alerts) == told
    if told:
        (alert,) = market.alerts
        assert (alert.rule, alert.interest, alert.symbol) == ("concentration", 1, SYMBOL)
        assert dict(alert.figures) == {
            "orders_share_e8": 60_000_000, "orders": 6, "all_orders": 10,
        }  # fmt: skip
        assert len(alert.evidence) == 2


def test_each_kind_once_a_day() -> None:
    """Further orders add nothing; the next day counts anew."""
    market = Market(rules(orders="0.6"))
    orders(market, 1, 12)
    assert len(market.alerts) == 1
    market.wait(DAY)
    orders(market, 1, 9)
    assert len(market.alerts) == 1
    orders(market, 1, 1)
    assert len(market.alerts) == 2


def test_cancels_and_amends_and_a_second_kind() -> None:
    """Changes are judged by their own; the second kind of a day is aggravated."""
    market = Market(rules(orders="0.6", changes="0.7"))
    entered = orders(market, 1, 10)
    for order_id in entered[:5]:
        market.cancel(1, order_id)
    for order_id in entered[5:]:
        market.amend(1, order_id, price=901)
    assert [alert.severity for alert in market.alerts] == [1, 2]
    assert dict(market.alerts[1].figures)["all_changes"] == 10


def test_a_cancel_of_all_counts_each_order() -> None:
    """Seven of ten changes: five cancelled together and two alone, which no single message hides."""
    market = Market(rules(changes="0.7"))
    for order_id in orders(market, 2, 3):
        market.cancel(2, order_id)
    entered = orders(market, 1, 7)
    for order_id in entered[:2]:
        market.cancel(1, order_id)
    assert not market.alerts
    market.cancel_all(1)
    (alert,) = market.alerts
    assert dict(alert.figures) == {
        "changes_share_e8": 70_000_000, "changes": 7, "all_changes": 10,
    }  # fmt: skip


def test_held_cancels_count_when_they_are_asked_for() -> None:
    """One alone and two with all others; what was held before is held no second time."""
    held = {"resting_time": {"mode": "enforce", "policy": "DEFER", "minimum": "1h"}}
    market = Market({**rules(changes="1", orders_least=3), **held})
    first, _, _ = (market.rest(1, BUY, 900) for _ in range(3))
    market.send(market.cancel_request(1, first))
    market.cancel_all(1)
    (alert,) = market.alerts
    assert dict(alert.figures)["changes"] == 3
    market.cancel_all(1)
    market.send(market.cancel_request(2, market.rest(2, BUY, 900)))
    usage = market.pipeline.usage(
        "concentration", SCOPE_OWNER_SYMBOL, pair_of(1, SYMBOL), market.now_ns
    )
    assert [one.used for one in usage if one.label == "changes"] == [75_000_000]


def test_a_burst_of_orders() -> None:
    """In ten minutes of the clock a tenth of the least number is enough: here one."""
    market = Market(rules(burst_orders="0.8", orders_least=50))
    for _ in range(4):
        market.rest(1, BUY, 900)
    assert not market.alerts
    market.rest(2, BUY, 900)
    assert not market.alerts
    market.rest(1, BUY, 900)
    assert len(market.alerts) == 1
    market.rest(1, BUY, 900)
    assert len(market.alerts) == 1
    assert dict(market.alerts[0].figures)["burst_orders"] == 5


@pytest.mark.parametrize(("share", "told"), [("0.5", True), ("0.50000001", False)])
def test_a_share_of_executions(share: str, told: bool) -> None:
    """Two of four units, one as taker and one as maker."""
    market = Market(rules(executions=share))
    market.trade(1_000, 2)
    market.take(1, BUY, 1_000)
    market.trade(1_000, 0)
    market.take(2, BUY, 1_000, maker=1)
    assert bool([alert for alert in market.alerts if alert.interest == 1]) == told


@pytest.mark.parametrize(("share", "told"), [("0.5", True), ("0.50000001", False)])
def test_a_share_of_all_moves(share: str, told: bool) -> None:
    """Of 40 in all, up and down, 20 by one owner's takes."""
    market = Market(rules(moves=share))
    for price in (1_000, 1_010, 1_000):
        market.trade(price)
    market.take(1, BUY, 1_020)
    assert bool(market.alerts) == told
    if told:
        assert dict(market.alerts[0].figures)["all_moves_e8"] == 40 * 10**8


def test_a_market_maker_is_told_of_from_his_own_share_on() -> None:
    """And from three times as many orders."""
    market = Market(rules(orders="0.6", market_maker_share="0.9"))
    orders(market, 2, 3)
    orders(market, MAKER, 26)
    assert not market.alerts
    orders(market, MAKER, 1)
    assert [alert.interest for alert in market.alerts] == [MAKER]


def test_linked_owners_and_other_channels_count() -> None:
    """Orders by hand of a linked owner add up with those that came through the gate."""
    market = Market(rules(orders="0.6"))
    market.link(1, 2)
    orders(market, 3, 4)
    orders(market, 1, 3)
    for number in range(1, 4):
        market.outside_order(number, 2, BUY, 900, 1)
    assert [alert.interest for alert in market.alerts] == [-1]


def test_the_turnover_through_the_gate_is_shown() -> None:
    """A quarter of an owner's turnover came by the gate; his shares stand beside it."""
    market = Market(rules(orders="0.6"))
    market.take(1, BUY, 1_000)
    market.outside_trade(1_000, 3, BUY, 1, 0)
    usages = market.pipeline.usage(
        "concentration", SCOPE_OWNER_SYMBOL, pair_of(1, SYMBOL), market.now_ns
    )
    shown = {usage.label: (usage.used, usage.limit) for usage in usages}
    assert shown["api_turnover"] == (25_000_000, 100_000_000)
    assert shown["orders"] == (100_000_000, 60_000_000)
    assert shown["executions"][0] == 100_000_000


def test_who_has_a_hundredth_of_the_turnover_is_shown() -> None:
    """Of 200 in all, half by the gate: an owner with two is shown, one with one is not."""
    market = Market(rules())
    rule = market.pipeline.rule("concentration")
    assert isinstance(rule, Concentration)
    market.outside_trade(1_000, 97, BUY, 1, 0)
    market.take(3, BUY, 1_000, 2)
    market.take(1, BUY, 1_000, 100)
    market.take(2, BUY, 1_000)
    found = rule.turnovers(SYMBOL, market.now_ns)
    thousand = 1_000 * 10**8
    assert found == [
        (SYMBOL, 0, 103 * thousand, 200 * thousand),
        (SYMBOL, 1, 100 * thousand, 197 * thousand),
        (SYMBOL, 3, 2 * thousand, 2 * thousand),
    ]
    market.wait(DAY)
    assert rule.turnovers(SYMBOL, market.now_ns) == []


def test_a_day_of_few_is_not_judged() -> None:
    """Below the least number nobody is told of, whatever his share."""
    market = Market(rules(orders="0.1", executions="0.1", moves="0.1"))
    orders(market, 1, 9)
    for price in (1_000, 1_010, 1_020):
        market.take(1, SELL, price)
    assert [dict(alert.figures).get("orders") for alert in market.alerts] == [10]


def test_what_is_stored_is_all_there_is() -> None:
    """State survives msgpack after any event."""
    changes = {"orders": "0.6", "executions": "0.5", "moves": "0.5", "burst_orders": "0.5"}
    market = Market(rules(**changes))
    orders(market, 1, 10)
    for price in (1_000, 1_010, 1_000, 1_010, 1_000):
        market.take(1, BUY, price, maker=2)
    assert len(market.alerts) >= 3
    check_state(market, rules(**changes))
