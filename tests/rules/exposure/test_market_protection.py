"""Market protection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import Adjust, Breach
from rules.events import Event
from rules.exposure.market_protection import MarketProtection
from rules.reasons import Reason
from rules.values import BUY, E8, LIMIT_MAKER, MARKET, NS_PER_SECOND, SELL, STOP_LOSS, TAKE_PROFIT
from tests.rules.order_world import (
    World,
    breach,
    cases,
    e8,
    make_rulebook,
    market,
    place,
    replace,
)


def limit_e8(event: Event, world: World) -> int:
    """Return the worst price the rule gives to an order that passes."""
    assert breach(MarketProtection(world.rulebook), event, world) is None
    verdict = MarketProtection(world.rulebook).check(event, world.book, world.now_ns)
    assert isinstance(verdict, Adjust)
    assert verdict.rule == "market_protection"
    return verdict.price_limit_e8


def make_world(traded_e8: int, tick_e8: int = 0, distance: str = "0.03") -> World:
    """Return a world with a fresh last price."""
    clause = {"mode": "enforce", "distance": distance}
    world = World(make_rulebook({"market_protection": clause}), tick_e8=tick_e8)
    world.trade(traded_e8)
    return world


def test_three_per_cent_from_the_reference() -> None:
    """A buy may rise and a sell fall that far, given by quantity or by amount, new or replacing."""
    world = make_world(e8(100))
    for side, expected in ((BUY, e8(103)), (SELL, e8(97))):
        assert limit_e8(market(side), world) == expected
        assert limit_e8(market(side, quote_quantity_e8=e8(5)), world) == expected
        again = replace(order_type=MARKET, price_e8=0, side=side)
        assert limit_e8(again, world) == expected


@pytest.mark.parametrize(
    ("traded", "tick", "buy", "sell"),
    [
        (e8(100), e8(1), e8(103), e8(97)),
        (e8(100), e8(2), e8(102), e8(98)),
        (e8(100), E8 // 2, e8(103), e8(97)),
        (e8(101), E8 // 2, e8(104), e8(98)),
        (1_001, 0, 1_031, 971),
        (1, 0, 1, 1),
    ],
)
def test_rounded_to_the_tick_inwards(traded: int, tick: int, buy: int, sell: int) -> None:
    """The limit is a price that can be traded at, never further away than the bound."""
    world = make_world(traded, tick)
    assert limit_e8(market(BUY), world) == buy
    assert limit_e8(market(SELL), world) == sell


@pytest.mark.parametrize("distance", ["1", "2.5"])
def test_never_zero(distance: str) -> None:
    """A limit of 0 would mean no limit; the lowest price stands for any distance of a sell."""
    world = make_world(e8(100), distance=distance)
    assert limit_e8(market(SELL), world) == 1
    coarse = make_world(e8(1), tick_e8=e8(50))
    assert limit_e8(market(BUY), coarse) == e8(1) + e8(3) // 100
    assert limit_e8(market(SELL), coarse) == e8(50)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_no_reference_no_market_order(side: int) -> None:
    """A missing or stale reference fails closed."""
    world = World()
    rule = MarketProtection(world.rulebook)
    world.trade(e8(100), age_ns=5 * NS_PER_SECOND + 1)
    found = breach(rule, market(side), world)
    assert found is not None
    assert found.reason == Reason.COLLAR_REFERENCE_MISSING
    world.trade(e8(100), age_ns=5 * NS_PER_SECOND)
    assert breach(rule, market(side), world) is None


def test_orders_with_a_price_are_left_alone() -> None:
    """They have a worst price of their own."""
    world = World()
    rule = MarketProtection(world.rulebook)
    for event in (place(), place(order_type=LIMIT_MAKER), replace()):
        assert rule.check(event, world.book, world.now_ns) is None
        assert rule.explain(event, world.book, world.now_ns) == ()


def test_unpriced_stop_orders_from_their_trigger() -> None:
    """Where the trigger has yet to be reached, the distance is measured from it."""
    world = make_world(e8(100))
    stop = {"price_e8": 0, "order_type": STOP_LOSS}
    assert limit_e8(place(**stop, stop_price_e8=e8(200)), world) == e8(206)
    assert limit_e8(place(**stop, stop_price_e8=e8(50)), world) == e8(103)
    assert limit_e8(place(**stop, side=SELL, stop_price_e8=e8(50)), world) == e8(97) // 2
    profit = {"price_e8": 0, "order_type": TAKE_PROFIT}
    assert limit_e8(place(**profit, stop_price_e8=e8(50)), world) == e8(103) // 2
    assert limit_e8(place(**profit, side=SELL, stop_price_e8=e8(200)), world) == e8(194)


@given(
    traded=st.integers(1, 2**63 - 1),
    tick=st.integers(0, 2**40),
    side=st.sampled_from((BUY, SELL)),
)
def test_limit_stays_within_the_bound(traded: int, tick: int, side: int) -> None:
    """For any price and tick the limit is above 0 and not beyond the share."""
    limit = limit_e8(market(side), make_world(traded, tick))
    assert limit > 0
    if side == BUY:
        assert limit * 100 <= traded * 103
    else:
        assert limit * 100 >= traded * 97
    if tick and limit >= tick:
        assert limit % tick == 0


@given(cases())
def test_refuses_exactly_without_a_reference(case: tuple[World, Event]) -> None:
    """An order without a price is refused if and only if there is no reference."""
    world, event = case
    rule = MarketProtection(world.rulebook)
    if isinstance(event, rule.wants):
        verdict = rule.check(event, world.book, world.now_ns)
        reference_e8, _ = world.rulebook.valuation.reference(world.facts, world.now_ns)
        if verdict is not None:
            assert isinstance(verdict, Breach) == (reference_e8 == 0)


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = MarketProtection(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
