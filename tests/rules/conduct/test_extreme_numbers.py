"""Tokens traded by the trillion: sums pass 63 bits, and what is told of them can be recorded."""

from typing import Any

import msgspec

from rules.decisions import Decision
from rules.events import Reference
from rules.values import BUY, CANCELED, E8, INT63_MAX, SELL
from tests.rules.conduct.conduct_world import SYMBOL, Market, check_state

LARGEST = INT63_MAX // E8
"""The largest whole quantity one order can have: some 92 billion."""


def recorded(market: Market) -> None:
    """Hold that every alert goes into a record and comes out of it the same."""
    assert market.alerts
    decision = Decision(1, alerts=tuple(market.alerts))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=Decision) == decision


def test_a_days_quantity_is_told_as_text() -> None:
    """Four trades of the largest quantity there is: the sum is a figure of the alert, as text."""
    clause = {"mode": "enforce", "trades_least": 4, "executions": "0.5", "moves": "1.00000001"}
    rules: dict[str, Any] = {"concentration": clause}
    market = Market(rules)
    for _ in range(4):
        market.outside_trade(1, LARGEST, BUY, 1, 1)
    figures = dict(market.alerts[0].figures)
    assert isinstance(figures["executions_e8"], str)
    assert int(figures["executions_e8"]) > INT63_MAX
    recorded(market)
    check_state(market, rules)


def test_a_sell_a_trillion_times_above_the_market() -> None:
    """How far it is away is as far as can be said."""
    clause = {"mode": "enforce", "lures": 1, "imbalance": "0"}
    rules: dict[str, Any] = {"fictitious_bids": clause}
    market = Market(rules, price=1)
    market.send(Reference(SYMBOL, market.now_ns, 1, market.now_ns, 0, 0, 0, 0))
    market.outside_order(9, 1, SELL, LARGEST, LARGEST)
    market.outside_order(9, 1, SELL, LARGEST, LARGEST, status=CANCELED)
    assert dict(market.alerts[0].figures)["distance_e8"] == INT63_MAX
    recorded(market)
    check_state(market, rules)


def test_a_painter_with_huge_amounts() -> None:
    """Price times quantity of a trade of other channels passes 63 bits; what is stored survives."""
    clause = {"mode": "enforce", "orders": 2, "minutes": 1, "net": "1", "alternation": "0"}
    rules: dict[str, Any] = {
        "tape_painting": {**clause, "small_notional": "92233720368", "small_share": "0"}
    }
    market = Market(rules)
    for _ in range(2):
        market.outside_trade(LARGEST, LARGEST, BUY, 1, 2)
    recorded(market)
    check_state(market, rules)
