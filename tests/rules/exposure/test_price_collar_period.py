"""Price collar over a period."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import NOTED_DECISION, Breach
from rules.events import Event, Reference
from rules.exposure.price_collar_period import PriceCollarPeriod
from rules.reasons import Reason
from rules.values import BUY, E8, NS_PER_SECOND, SELL
from tests.rules.order_world import (
    NOW_NS,
    SYMBOL,
    World,
    amend,
    breach,
    e8,
    make_rulebook,
    market,
    place,
    replace,
)


class Market:
    """A world whose reference price moves, and the rule with 10 % in 60 seconds."""

    def __init__(self, **clause: Any) -> None:
        tables = {
            "price_collar": {"mode": "enforce"},
            "price_collar_period": {"mode": "enforce", "aggressive": "0.10", **clause},
        }
        self.world = World(make_rulebook(tables))
        self.rule = PriceCollarPeriod(self.world.rulebook)

    def at(self, seconds: int, price_e8: int) -> None:
        """Report a last price so many seconds after the start."""
        self.world.now_ns = NOW_NS + seconds * NS_PER_SECOND
        self.world.trade(price_e8)
        report = Reference(SYMBOL, self.world.now_ns, price_e8, self.world.now_ns, 0, 0, 0, 0)
        self.rule.apply(report, NOTED_DECISION, self.world.book, self.world.now_ns)

    def judge(self, event: Event) -> Breach | None:
        """Return the rule's breach."""
        return breach(self.rule, event, self.world)


@pytest.mark.parametrize(("side", "bound"), [(BUY, 110), (SELL, 108)])
def test_boundaries_from_the_extreme_of_the_period(side: int, bound: int) -> None:
    """A buy is measured from the lowest price (100), a sell from the highest (120)."""
    market_ = Market()
    for seconds, price in ((0, 110), (10, 100), (20, 120), (30, 105)):
        market_.at(seconds, e8(price))
    inside = -1 if side == BUY else 1
    for price_e8, refused in (
        (e8(bound) + inside, False),
        (e8(bound), False),
        (e8(bound) - inside, True),
    ):
        found = market_.judge(place(side=side, price_e8=price_e8))
        assert (found is not None) is refused
        if found is not None:
            assert found.reason == Reason.PRICE_COLLAR_PERIOD
            assert (found.limit, found.observed) == (e8(bound), price_e8)


def test_passive_prices_are_not_judged() -> None:
    """However far below the market a buy lies, it walks nothing."""
    market_ = Market()
    market_.at(0, e8(100))
    assert market_.judge(place(side=BUY, price_e8=1)) is None
    assert market_.judge(place(side=SELL, price_e8=e8(100_000))) is None


def test_an_extreme_leaves_with_the_period() -> None:
    """A price counts for the whole period and is gone when it has passed."""
    market_ = Market(period="60s")
    market_.at(0, e8(100))
    market_.at(30, e8(115))
    order = place(side=BUY, price_e8=e8(120))
    market_.world.now_ns = NOW_NS + 60 * NS_PER_SECOND
    assert market_.judge(order) is not None
    market_.world.now_ns = NOW_NS + 61 * NS_PER_SECOND
    assert market_.judge(order) is None


def test_without_references_nothing_is_measured() -> None:
    """The order-by-order collar refuses where there is no reference at all."""
    assert Market().judge(place(side=BUY, price_e8=e8(500))) is None


def test_market_orders_are_judged_by_their_worst_price() -> None:
    """The bound of a market order is 5 % above 106, which is more than 10 % above 100."""
    market_ = Market()
    market_.at(0, e8(100))
    assert market_.judge(market(side=BUY)) is None
    market_.at(5, e8(106))
    assert market_.judge(market(side=BUY)) is not None


def test_replacements_and_repricing_amends_are_judged() -> None:
    """An amend that keeps the price is not."""
    market_ = Market()
    market_.world.order(11)
    market_.at(0, e8(100))
    assert market_.judge(replace(order_id=11, side=BUY, price_e8=e8(111))) is not None
    assert market_.judge(amend(order_id=11, price_e8=e8(111))) is not None
    assert market_.judge(amend(order_id=11, quantity_e8=e8(1))) is None


@given(
    moves=st.lists(st.tuples(st.integers(0, 30), st.integers(50, 200)), max_size=40),
    prices=st.lists(st.integers(40, 250), min_size=1, max_size=5),
)
def test_extremes_match_a_plain_search(moves: list[tuple[int, int]], prices: list[int]) -> None:
    """The bound is that of the lowest price of all seconds in the period; explain agrees."""
    market_ = Market()
    seconds = 0
    seen: list[tuple[int, int]] = []
    for wait, price in moves:
        seconds += wait
        market_.at(seconds, e8(price))
        seen.append((seconds, price))
    lowest = min((price for at, price in seen if at >= seconds - 60), default=None)
    again = PriceCollarPeriod(market_.world.rulebook)
    again.restore(market_.rule.state())
    for price in prices:
        order = place(side=BUY, price_e8=e8(price))
        found = market_.judge(order)
        refused = lowest is not None and e8(price) * 10 > e8(lowest) * 11
        assert (found is not None) is refused
        looks = market_.rule.explain(order, market_.world.book, market_.world.now_ns)
        assert all(one.passed for one in looks) is not refused
        assert breach(again, order, market_.world) == found


def test_a_period_below_a_second_is_refused() -> None:
    """References are kept by the second."""
    with pytest.raises(ValueError, match="too short"):
        Market(period="999ms")


def test_e8_scale() -> None:
    """The share is exact: one unit of 1e-8 above the bound is refused."""
    market_ = Market(aggressive="0.00000001")
    market_.at(0, E8)
    assert market_.judge(place(side=BUY, price_e8=E8 + 1)) is None
    assert market_.judge(place(side=BUY, price_e8=E8 + 2)) is not None
