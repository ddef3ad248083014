"""Maximum order volume."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.exposure.order_size import OrderSize
from rules.reasons import Reason
from rules.values import BUY, LIMIT_MAKER, SELL
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

MAXIMUM = {"max_order_quantity_e8": e8(10)}


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(OrderSize(world.rulebook), event, world)


@pytest.mark.parametrize(
    ("quantity_e8", "refused"), [(e8(10) - 1, False), (e8(10), False), (e8(10) + 1, True)]
)
def test_boundary(quantity_e8: int, refused: bool) -> None:
    """The maximum itself passes, whatever the type of order; no reference is needed."""
    world = World(**MAXIMUM)
    world.order(quantity_e8=e8(5))
    for event in (
        place(quantity_e8=quantity_e8),
        place(quantity_e8=quantity_e8, side=SELL, order_type=LIMIT_MAKER),
        place(quantity_e8=quantity_e8, iceberg_quantity_e8=e8(1)),
        market(quantity_e8=quantity_e8),
        replace(quantity_e8=quantity_e8),
        amend(quantity_e8=quantity_e8),
    ):
        found = judge(event, world)
        assert (found is not None) == refused
        if found is not None:
            expected = (Reason.ORDER_SIZE, e8(10), quantity_e8)
            assert (found.reason, found.limit, found.observed) == expected


@pytest.mark.parametrize("side", [BUY, SELL])
def test_quote_quantity_at_the_lowest_price(side: int) -> None:
    """An amount of quote asset is judged by what it buys or sells at 3 % below the reference."""
    world = World(**MAXIMUM)
    world.trade(e8(100))
    for quote_e8, refused in ((e8(970) - 1, False), (e8(970), False), (e8(970) + 1, True)):
        found = judge(market(side, quote_quantity_e8=quote_e8), world)
        assert (found is not None) == refused
        if found is not None:
            expected = (Reason.ORDER_SIZE, e8(10), e8(10) + 1)
            assert (found.reason, found.limit, found.observed) == expected


def test_buy_by_quote_quantity_counts_a_lower_best_offer() -> None:
    """A buy is not held above the lower bound, so a cheaper offer makes it larger."""
    world = World(**MAXIMUM)
    world.trade(e8(100))
    world.quote(e8(49), e8(50))
    assert judge(market(quote_quantity_e8=e8(500)), world) is None
    assert judge(market(quote_quantity_e8=e8(500) + 1), world) is not None
    assert judge(market(SELL, quote_quantity_e8=e8(970)), world) is None


def test_quote_quantity_without_a_reference_is_refused() -> None:
    """Without a reference there is no most it could buy."""
    world = World(**MAXIMUM)
    for side in (BUY, SELL):
        found = judge(market(side, quote_quantity_e8=1), world)
        assert found is not None
        assert found.reason == Reason.VALUE_UNBOUNDED
    assert judge(market(quantity_e8=e8(10)), world) is None


def test_off_when_zero() -> None:
    """Without a maximum nothing is too large."""
    world = World(max_order_quantity_e8=0)
    assert judge(place(quantity_e8=2**63 - 1), world) is None
    assert judge(market(quote_quantity_e8=e8(1)), world) is None


def test_amend_that_takes_quantity_off_is_not_judged() -> None:
    """An order accepted under a wider limit can be made smaller, not larger."""
    world = World(max_order_quantity_e8=e8(5))
    world.order()
    assert judge(amend(quantity_e8=e8(8)), world) is None
    assert judge(amend(price_e8=e8(90)), world) is None
    assert judge(amend(quantity_e8=e8(10) + 1), world) is not None
    assert judge(amend(order_id=99, quantity_e8=e8(50)), world) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = OrderSize(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
