"""PERCENT_PRICE."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.filters.percent_price import PercentPrice
from rules.reasons import Reason
from rules.values import E8, LIMIT_MAKER, NS_PER_MINUTE, NS_PER_SECOND, SELL, STOP_LOSS
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

BAND = {"percent_price_up_e8": 2 * E8, "percent_price_down_e8": E8 // 5}


def make_world(**filters: int) -> World:
    """Return a world with a band of 0.2 to 2 times the average of five minutes, and order 11."""
    world = World(**{**BAND, "average_price_minutes": 5, **filters})
    world.order()
    return world


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(PercentPrice(world.rulebook), event, world)


@pytest.mark.parametrize(
    ("price_e8", "limit"),
    [
        (e8(20) - 1, e8(20)),
        (e8(20), None),
        (e8(20) + 1, None),
        (e8(200) - 1, None),
        (e8(200), None),
        (e8(200) + 1, e8(200)),
    ],
)
def test_boundaries(price_e8: int, limit: int | None) -> None:
    """Both ends of the band are inclusive, for either side."""
    world = make_world()
    world.trade(e8(100))
    for event in (
        place(price_e8=price_e8),
        place(price_e8=price_e8, side=SELL, order_type=LIMIT_MAKER),
        replace(price_e8=price_e8),
        amend(price_e8=price_e8),
    ):
        found = judge(event, world)
        assert (found and (found.reason, found.limit, found.observed)) == (
            limit and (Reason.PERCENT_PRICE, limit, price_e8)
        )


def test_bounds_are_not_rounded_outwards() -> None:
    """Where a bound falls between two prices, only the price inside passes."""
    world = make_world(percent_price_up_e8=E8 + 1, percent_price_down_e8=E8 - 1)
    world.trade(E8 * 3 // 2)
    assert judge(place(price_e8=E8 * 3 // 2 + 1), world) is None
    assert judge(place(price_e8=E8 * 3 // 2 + 2), world) is not None
    assert judge(place(price_e8=E8 * 3 // 2 - 1), world) is None
    assert judge(place(price_e8=E8 * 3 // 2 - 2), world) is not None


def test_average_is_weighted_by_quantity_within_the_minutes() -> None:
    """Trades count by quantity; those before the span not at all."""
    world = make_world()
    world.trade(e8(900), e8(50), age_ns=5 * NS_PER_MINUTE)
    world.trade(e8(50), e8(1), age_ns=4 * NS_PER_MINUTE)
    world.trade(e8(100), e8(4), age_ns=NS_PER_SECOND)
    assert judge(place(price_e8=e8(180)), world) is None
    found = judge(place(price_e8=e8(180) + 1), world)
    assert found is not None
    assert found.limit == e8(180)


def test_last_price_when_minutes_are_zero_or_nothing_was_traded() -> None:
    """The last price stands in for the average in both cases."""
    for minutes, age_ns in ((0, 0), (0, 30 * NS_PER_MINUTE), (5, 30 * NS_PER_MINUTE)):
        world = make_world(average_price_minutes=minutes)
        world.trade(e8(900), e8(5), age_ns=age_ns + NS_PER_SECOND)
        world.trade(e8(100), e8(1), age_ns=age_ns)
        assert judge(place(price_e8=e8(200)), world) is None
        assert judge(place(price_e8=e8(200) + 1), world) is not None


def test_symbol_never_traded() -> None:
    """The previous close serves; without one market orders are refused and priced ones pass."""
    world = make_world()
    assert judge(place(price_e8=e8(10_000)), world) is None
    assert judge(place(order_type=STOP_LOSS, price_e8=0), world) is None
    for event in (market(), market(SELL, quote_quantity_e8=e8(5))):
        found = judge(event, world)
        assert found is not None
        assert found.reason == Reason.REFERENCE_PRICE_MISSING
    world.facts.previous_close_e8 = e8(100)
    assert judge(market(), world) is None
    assert judge(place(price_e8=e8(200)), world) is None
    assert judge(place(price_e8=e8(200) + 1), world) is not None


def test_zero_turns_one_bound_off() -> None:
    """A multiplier of 0 is no bound; with neither the rule has nothing to say."""
    world = make_world(percent_price_up_e8=0)
    world.trade(e8(100))
    assert judge(place(price_e8=e8(100_000)), world) is None
    assert judge(place(price_e8=e8(20) - 1), world) is not None
    world = make_world(percent_price_down_e8=0)
    world.trade(e8(100))
    assert judge(place(price_e8=1), world) is None
    assert judge(place(price_e8=e8(200) + 1), world) is not None
    off = make_world(percent_price_up_e8=0, percent_price_down_e8=0)
    assert judge(market(), off) is None


def test_market_orders_have_no_price_to_judge() -> None:
    """Once there is an average price, a market order passes."""
    world = make_world()
    world.trade(e8(100))
    assert judge(market(), world) is None


def test_amend_is_judged_only_when_it_changes_the_price() -> None:
    """An order that the market has left behind may still be made smaller."""
    world = make_world()
    world.trade(e8(1000))
    assert judge(amend(quantity_e8=e8(5)), world) is None
    assert judge(amend(quantity_e8=e8(5), price_e8=e8(101)), world) is not None
    assert judge(amend(order_id=99, price_e8=e8(101)), world) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = PercentPrice(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
