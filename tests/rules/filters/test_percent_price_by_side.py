"""PERCENT_PRICE_BY_SIDE."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.filters.percent_price_by_side import PercentPriceBySide
from rules.reasons import Reason
from rules.values import BUY, E8, SELL, STOP_LOSS
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

BANDS = {
    "bid_multiplier_up_e8": E8 * 11 // 10,
    "bid_multiplier_down_e8": E8 * 8 // 10,
    "ask_multiplier_up_e8": E8 * 12 // 10,
    "ask_multiplier_down_e8": E8 * 9 // 10,
}


def make_world(traded_e8: int = 0, **filters: int) -> World:
    """Return a world with bands of 0.8 to 1.1 for buys and 0.9 to 1.2 for sells."""
    world = World(**{**BANDS, "average_price_minutes": 5, **filters})
    if traded_e8:
        world.trade(traded_e8)
    return world


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(PercentPriceBySide(world.rulebook), event, world)


@pytest.mark.parametrize(("side", "low", "high"), [(BUY, 80, 110), (SELL, 90, 120)])
def test_boundaries_by_side(side: int, low: int, high: int) -> None:
    """Each side has its own inclusive band, for new orders, replacements and amends."""
    world = make_world(e8(100))
    world.order(side=side)
    for price_e8, limit_e8 in (
        (e8(low) - 1, e8(low)),
        (e8(low), None),
        (e8(low) + 1, None),
        (e8(high) - 1, None),
        (e8(high), None),
        (e8(high) + 1, e8(high)),
    ):
        for event in (
            place(side=side, price_e8=price_e8),
            replace(side=side, price_e8=price_e8),
            amend(price_e8=price_e8),
        ):
            found = judge(event, world)
            assert (found and (found.reason, found.limit, found.observed)) == (
                limit_e8 and (Reason.PERCENT_PRICE_BY_SIDE, limit_e8, price_e8)
            )


def test_bounds_are_not_rounded_outwards() -> None:
    """Where a bound falls between two prices, only the price inside passes and is named."""
    world = make_world(1_001)
    for side, low, high in ((BUY, 801, 1_101), (SELL, 901, 1_201)):
        for price_e8, limit_e8 in ((low - 1, low), (low, None), (high, None), (high + 1, high)):
            found = judge(place(side=side, price_e8=price_e8), world)
            assert (found and found.limit) == limit_e8


def test_symbol_never_traded() -> None:
    """Market orders are refused, priced ones pass; the previous close serves where there is one."""
    world = make_world()
    assert judge(place(price_e8=e8(10_000)), world) is None
    assert judge(place(order_type=STOP_LOSS, price_e8=0), world) is None
    for side in (BUY, SELL):
        found = judge(market(side), world)
        assert found is not None
        assert found.reason == Reason.REFERENCE_PRICE_MISSING
    world.facts.previous_close_e8 = e8(100)
    assert judge(market(), world) is None
    assert judge(place(price_e8=e8(110) + 1), world) is not None


def test_zero_turns_one_bound_off() -> None:
    """A multiplier of 0 is no bound, and the other side's bounds do not count."""
    world = make_world(e8(100), bid_multiplier_up_e8=0, ask_multiplier_down_e8=0)
    assert judge(place(price_e8=e8(5_000)), world) is None
    assert judge(place(price_e8=e8(80) - 1), world) is not None
    assert judge(place(side=SELL, price_e8=1), world) is None
    assert judge(place(side=SELL, price_e8=e8(120) + 1), world) is not None
    off = make_world(bid_multiplier_up_e8=0, bid_multiplier_down_e8=0)
    assert judge(market(), off) is None
    assert judge(market(SELL), off) is not None


def test_amend_is_judged_only_when_it_changes_the_price() -> None:
    """An order that the market has left behind may still be made smaller."""
    world = make_world(e8(1000))
    world.order()
    assert judge(amend(quantity_e8=e8(5)), world) is None
    assert judge(amend(price_e8=e8(101)), world) is not None
    assert judge(amend(order_id=99, price_e8=e8(101)), world) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = PercentPriceBySide(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
