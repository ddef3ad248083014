"""MIN_NOTIONAL."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.filters.min_notional import MinNotional
from rules.reasons import Reason
from rules.values import E8, SELL, STOP_LOSS
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace


def judge(event: Event, traded_e8: int = 0, **filters: int | bool) -> Breach | None:
    """Return the breach with a least notional of 10, and an average price where one is given."""
    world = World(**{"min_notional_e8": e8(10), "average_price_minutes": 5, **filters})
    world.order()
    if traded_e8:
        world.trade(traded_e8)
    return breach(MinNotional(world.rulebook), event, world)


@pytest.mark.parametrize(
    ("price_e8", "quantity_e8", "observed"),
    [
        (e8(5), e8(2), None),
        (e8(5) - 1, e8(2), e8(10) - 2),
        (e8(5), e8(2) - 1, e8(10) - 5),
        (e8(5) + 1, e8(2), None),
        (1, e8(10) * E8, None),
        (1, e8(10) * E8 - 1, e8(10) - 1),
    ],
)
def test_boundary(price_e8: int, quantity_e8: int, observed: int | None) -> None:
    """Exactly the least notional passes; the smallest amount less is refused."""
    for event in (
        place(price_e8=price_e8, quantity_e8=quantity_e8),
        replace(price_e8=price_e8, quantity_e8=quantity_e8),
        amend(price_e8=price_e8, quantity_e8=quantity_e8),
    ):
        found = judge(event)
        assert (found and (found.reason, found.limit, found.observed)) == (
            observed and (Reason.MIN_NOTIONAL, e8(10), observed)
        )


def test_off_when_zero() -> None:
    """Without a least notional nothing is too small."""
    assert judge(place(price_e8=1, quantity_e8=1), min_notional_e8=0) is None


def test_market_orders_only_where_it_applies() -> None:
    """A market order is judged at the average price, if the filter applies to market orders."""
    small = market(quantity_e8=e8(1))
    applies = {"min_notional_applies_to_market": True}
    assert judge(small, e8(9)) is None
    assert judge(small, e8(10), **applies) is None
    found = judge(small, e8(10) - 1, **applies)
    assert found is not None
    assert (found.reason, found.observed) == (Reason.MIN_NOTIONAL, e8(10) - 1)


def test_quote_quantity_is_the_notional() -> None:
    """An amount of quote asset is compared as it is, without any price."""
    applies = {"min_notional_applies_to_market": True}
    assert judge(market(quote_quantity_e8=e8(10)), **applies) is None
    found = judge(market(SELL, quote_quantity_e8=e8(10) - 1), **applies)
    assert found is not None
    assert (found.limit, found.observed) == (e8(10), e8(10) - 1)
    assert judge(market(quote_quantity_e8=1)) is None


def test_market_order_in_a_symbol_never_traded() -> None:
    """Without any price a market order can't be valued, and it is refused; not so elsewhere."""
    applies = {"min_notional_applies_to_market": True}
    for event in (
        market(quantity_e8=e8(100)),
        place(order_type=STOP_LOSS, price_e8=0, quantity_e8=e8(100)),
    ):
        found = judge(event, **applies)
        assert found is not None
        assert found.reason == Reason.REFERENCE_PRICE_MISSING
        assert judge(event) is None
    assert judge(place(), **applies) is None


def test_amend_is_judged_by_the_new_total() -> None:
    """Lowering the quantity at an unchanged price may fall below the least notional."""
    assert judge(amend(quantity_e8=E8 // 10)) is None
    found = judge(amend(quantity_e8=E8 // 10 - 1))
    assert found is not None
    assert found.observed == e8(10) - 100
    assert judge(amend(order_id=99, quantity_e8=1)) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = MinNotional(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
