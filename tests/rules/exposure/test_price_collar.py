"""Price collar."""

from typing import Any

import pytest
from hypothesis import given

from rules.decisions import Adjust, Breach
from rules.events import Event
from rules.exposure.price_collar import PriceCollar
from rules.reasons import Reason
from rules.values import (
    BUY,
    LIMIT_MAKER,
    NS_PER_SECOND,
    SELL,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TAKE_PROFIT_LIMIT,
)
from tests.rules.order_world import (
    World,
    amend,
    breach,
    cases,
    e8,
    make_rulebook,
    market,
    place,
    replace,
)


def make_world(traded_e8: int = 0, **clause: Any) -> World:
    """Return a world with a collar of 5 % and 30 %, and no other rule."""
    return _traded(World(make_rulebook({"price_collar": {"mode": "enforce", **clause}})), traded_e8)


def _traded(world: World, price_e8: int) -> World:
    if price_e8:
        world.trade(price_e8)
    return world


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(PriceCollar(world.rulebook), event, world)


@pytest.mark.parametrize(
    ("side", "low", "high"),
    [(BUY, 70, 105), (SELL, 95, 130)],
)
def test_boundaries_of_both_sides(side: int, low: int, high: int) -> None:
    """A buy may be 5 % above and 30 % below the reference, a sell the other way round."""
    world = make_world(e8(100))
    world.order(side=side)
    for price_e8, limit_e8 in (
        (e8(low) - 1, e8(low)),
        (e8(low), None),
        (e8(low) + 1, None),
        (e8(100) - 1, None),
        (e8(100) + 1, None),
        (e8(high) - 1, None),
        (e8(high), None),
        (e8(high) + 1, e8(high)),
    ):
        for event in (
            place(side=side, price_e8=price_e8),
            place(side=side, price_e8=price_e8, order_type=LIMIT_MAKER),
            replace(side=side, price_e8=price_e8),
            amend(price_e8=price_e8),
        ):
            found = judge(event, world)
            assert (found and (found.reason, found.limit, found.observed)) == (
                limit_e8 and (Reason.PRICE_COLLAR, limit_e8, price_e8)
            )
    assert judge(place(side=side), world) is None


def test_bounds_are_not_rounded_outwards() -> None:
    """Where a bound falls between two prices, only the price inside passes."""
    world = make_world(1_010)
    assert judge(place(price_e8=1_060), world) is None
    found = judge(place(price_e8=1_061), world)
    assert found is not None
    assert found.limit == 1_060
    assert judge(place(side=SELL, price_e8=960), world) is None
    found = judge(place(side=SELL, price_e8=959), world)
    assert found is not None
    assert found.limit == 960


def test_detail_names_the_reference() -> None:
    """A breach says what the price was measured from."""
    found = judge(place(price_e8=e8(106)), make_world(e8(100)))
    assert found is not None
    assert found.detail == "last 100"


def test_waterfall_of_references() -> None:
    """Last price up to 5 s, mid up to 60 s, previous close before the first trade, then none."""
    world = make_world()
    event = place(price_e8=e8(100))
    found = judge(event, world)
    assert found is not None
    assert found.reason == Reason.COLLAR_REFERENCE_MISSING
    world.facts.previous_close_e8 = e8(100)
    assert judge(event, world) is None
    world.quote(e8(199), e8(201), age_ns=60 * NS_PER_SECOND)
    found = judge(place(price_e8=e8(211)), world)
    assert found is not None
    assert found.detail == "mid 200"
    world.trade(e8(100), age_ns=5 * NS_PER_SECOND)
    assert judge(event, world) is None
    world.trade(e8(100), age_ns=5 * NS_PER_SECOND + 1)
    assert judge(place(price_e8=e8(210)), world) is None
    world.quote(e8(199), e8(201), age_ns=60 * NS_PER_SECOND + 1)
    found = judge(event, world)
    assert found is not None
    assert found.reason == Reason.COLLAR_REFERENCE_MISSING


@pytest.mark.parametrize("side", [BUY, SELL])
def test_market_order_needs_a_reference(side: int) -> None:
    """It fails closed without one, and else is held to the aggressive bound by this rule alone."""
    world = make_world()
    rule = PriceCollar(world.rulebook)
    for event in (market(side), market(side, quote_quantity_e8=e8(5))):
        found = judge(event, world)
        assert found is not None
        assert found.reason == Reason.COLLAR_REFERENCE_MISSING
    world.trade(e8(100))
    expected = Adjust("price_collar", e8(105) if side == BUY else e8(95))
    assert rule.check(market(side), world.book, world.now_ns) == expected


def test_market_protection_holds_market_orders_when_enforced() -> None:
    """The collar then says nothing of a market order beyond its reference."""
    world = _traded(World(), e8(100))
    rule = PriceCollar(world.rulebook)
    assert rule.check(market(), world.book, world.now_ns) is None


@pytest.mark.parametrize(
    ("side", "order_type", "stop_e8", "low_e8", "high_e8"),
    [
        (BUY, STOP_LOSS_LIMIT, e8(200), e8(140), e8(210)),
        (SELL, STOP_LOSS_LIMIT, e8(60), e8(57), e8(78)),
        (BUY, TAKE_PROFIT_LIMIT, e8(60), e8(42), e8(63)),
        (SELL, TAKE_PROFIT_LIMIT, e8(200), e8(190), e8(260)),
    ],
)
def test_stop_orders_are_measured_from_their_trigger(
    side: int, order_type: int, stop_e8: int, low_e8: int, high_e8: int
) -> None:
    """While the trigger has yet to be reached, it is the price the order will meet."""
    world = make_world(e8(100))
    terms = {"side": side, "order_type": order_type, "stop_price_e8": stop_e8}
    assert judge(place(**terms, price_e8=low_e8), world) is None
    assert judge(place(**terms, price_e8=high_e8), world) is None
    assert judge(place(**terms, price_e8=low_e8 - 1), world) is not None
    found = judge(place(**terms, price_e8=high_e8 + 1), world)
    assert found is not None
    assert found.detail.startswith("stop price ")


def test_stop_order_that_would_trigger_at_once() -> None:
    """A trigger on the wrong side of the market does not move the collar away from it."""
    world = make_world(e8(100))
    wrong = {"side": BUY, "order_type": TAKE_PROFIT_LIMIT, "stop_price_e8": e8(200)}
    assert judge(place(**wrong, price_e8=e8(105)), world) is None
    found = judge(place(**wrong, price_e8=e8(105) + 1), world)
    assert found is not None
    assert found.detail == "last 100"


def test_unpriced_stop_order() -> None:
    """It needs a reference like a market order."""
    event = place(order_type=STOP_LOSS, price_e8=0, stop_price_e8=e8(120))
    assert judge(event, make_world()) is not None
    world = make_world(e8(100))
    verdict = PriceCollar(world.rulebook).check(event, world.book, world.now_ns)
    assert verdict == Adjust("price_collar", e8(126))


def test_amend_is_judged_only_when_it_changes_the_price() -> None:
    """An order the market has left behind may still be made smaller, also without a reference."""
    world = make_world(e8(1000))
    world.order()
    assert judge(amend(quantity_e8=e8(5)), world) is None
    assert judge(amend(price_e8=e8(101)), world) is not None
    assert judge(amend(order_id=99, price_e8=e8(101)), world) is None
    blind = make_world()
    blind.order()
    assert judge(amend(quantity_e8=e8(5)), blind) is None
    assert judge(amend(price_e8=e8(101)), blind) is not None


def test_other_shares() -> None:
    """The shares are the rulebook's; one above the whole price lets any lower price pass."""
    world = make_world(e8(100), aggressive="0", passive="1.5")
    assert judge(place(price_e8=e8(100)), world) is None
    assert judge(place(price_e8=e8(100) + 1), world) is not None
    assert judge(place(price_e8=1), world) is None
    assert judge(place(side=SELL, price_e8=e8(250)), world) is None
    assert judge(place(side=SELL, price_e8=e8(250) + 1), world) is not None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = PriceCollar(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
