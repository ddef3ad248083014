"""Maximum order value."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.exposure.order_value import OrderValue
from rules.reasons import Reason
from rules.values import (
    BUY,
    LIMIT_MAKER,
    MARKET,
    NS_PER_SECOND,
    SELL,
    STOP_LOSS,
    TAKE_PROFIT,
)
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace


def make_world(value: int = 1000) -> World:
    """Return a world with a maximum value in whole units."""
    return World(max_order_value_e8=e8(value))


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(OrderValue(world.rulebook), event, world)


@pytest.mark.parametrize(
    ("price_e8", "quantity_e8", "observed"),
    [
        (e8(100), e8(10), None),
        (e8(100) - 1, e8(10), None),
        (e8(100) + 1, e8(10), e8(1000) + 10),
        (e8(100), e8(10) - 1, None),
        (e8(100), e8(10) + 1, e8(1000) + 100),
    ],
)
def test_boundary(price_e8: int, quantity_e8: int, observed: int | None) -> None:
    """The maximum itself passes; price times the total quantity counts."""
    world = make_world()
    world.order(quantity_e8=e8(5), price_e8=e8(50))
    terms = {"price_e8": price_e8, "quantity_e8": quantity_e8}
    for event in (
        place(**terms),
        place(**terms, side=SELL),
        place(**terms, side=SELL, order_type=LIMIT_MAKER),
        place(**terms, iceberg_quantity_e8=e8(1)),
        replace(**terms),
        amend(**terms),
    ):
        found = judge(event, world)
        assert (found and (found.reason, found.limit, found.observed)) == (
            observed and (Reason.ORDER_VALUE, e8(1000), observed)
        )


def test_value_is_rounded_up() -> None:
    """A product of 1e-16 above the maximum is refused and shown above it."""
    world = make_world()
    found = judge(place(price_e8=1, quantity_e8=e8(1000) * e8(1) + 1), world)
    assert found is not None
    assert found.observed == e8(1000) + 1
    assert judge(place(price_e8=1, quantity_e8=e8(1000) * e8(1)), world) is None


def test_huge_value_is_stored_as_text() -> None:
    """A value beyond 63 bits is compared exactly and told as decimal text."""
    found = judge(place(price_e8=2**63 - 1, quantity_e8=2**63 - 1), make_world())
    assert found is not None
    assert found.observed == str(-(-((2**63 - 1) ** 2) // e8(1)))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_market_order_at_its_upper_bound(side: int) -> None:
    """A market order is worth what it would be at 3 % above the reference, never 0."""
    world = make_world(1030)
    world.trade(e8(100))
    assert judge(market(side, quantity_e8=e8(10)), world) is None
    found = judge(market(side, quantity_e8=e8(10) + 1), world)
    assert found is not None
    assert (found.reason, found.observed) == (Reason.ORDER_VALUE, e8(1030) + 103)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_market_order_without_a_reference_is_refused(side: int) -> None:
    """Neither a missing nor a stale reference lets a market order pass at 0."""
    world = make_world()
    event = market(side, quantity_e8=1)
    found = judge(event, world)
    assert found is not None
    assert found.reason == Reason.VALUE_UNBOUNDED
    world.trade(e8(100), age_ns=5 * NS_PER_SECOND + 1)
    assert judge(event, world) is not None
    world.trade(e8(100), age_ns=5 * NS_PER_SECOND)
    assert judge(event, world) is None


@pytest.mark.parametrize("side", [BUY, SELL])
def test_quote_quantity_is_the_value(side: int) -> None:
    """An amount of quote asset needs no price."""
    world = make_world()
    assert judge(market(side, quote_quantity_e8=e8(1000)), world) is None
    found = judge(market(side, quote_quantity_e8=e8(1000) + 1), world)
    assert found is not None
    assert found.observed == e8(1000) + 1


def test_sell_below_the_best_bid_is_worth_the_bid() -> None:
    """A sell far below the market would be executed at the bid."""
    world = make_world()
    world.quote(e8(100), e8(101))
    low = {"side": SELL, "price_e8": e8(1)}
    assert judge(place(**low, quantity_e8=e8(10)), world) is None
    found = judge(place(**low, quantity_e8=e8(10) + 1), world)
    assert found is not None
    assert found.observed == e8(1000) + 100
    maker = place(**low, quantity_e8=e8(500), order_type=LIMIT_MAKER)
    assert judge(maker, world) is None


def test_unpriced_stop_orders_at_their_trigger_price() -> None:
    """A stop order that waits above the market is worth its trigger price and 3 %."""
    world = make_world(1030)
    world.trade(e8(50))
    for side, order_type in ((BUY, STOP_LOSS), (SELL, TAKE_PROFIT)):
        stop = {"side": side, "order_type": order_type, "price_e8": 0}
        event = place(**stop, stop_price_e8=e8(100), quantity_e8=e8(10))
        assert judge(event, world) is None
        event = place(**stop, stop_price_e8=e8(100), quantity_e8=e8(10) + 1)
        assert judge(event, world) is not None


def test_off_when_zero() -> None:
    """Without a maximum nothing is worth too much, and no reference is needed."""
    world = make_world(0)
    assert judge(place(quantity_e8=2**63 - 1), world) is None
    assert judge(market(), world) is None


def test_amend_that_lowers_the_value_is_not_judged() -> None:
    """An order accepted under a wider limit can be made smaller or cheaper, not dearer."""
    world = make_world(500)
    world.order()
    assert judge(amend(quantity_e8=e8(8)), world) is None
    assert judge(amend(price_e8=e8(90)), world) is None
    assert judge(amend(quantity_e8=e8(5), price_e8=e8(200)), world) is None
    assert judge(amend(price_e8=e8(100) + 1), world) is not None
    assert judge(amend(order_id=99, quantity_e8=e8(50)), world) is None


def test_amend_of_a_market_order_in_flight_needs_a_reference() -> None:
    """Without a reference neither the old nor the new value has a bound."""
    world = make_world()
    world.order(order_type=MARKET, price_e8=0)
    found = judge(amend(quantity_e8=e8(11)), world)
    assert found is not None
    assert found.reason == Reason.VALUE_UNBOUNDED


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = OrderValue(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
