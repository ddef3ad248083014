"""MARKET_LOT_SIZE."""

import pytest
from hypothesis import given

from rules.events import Event
from rules.filters.market_lot_size import MarketLotSize
from rules.reasons import Reason
from rules.values import LIMIT_MAKER, MARKET, SELL, STOP_LOSS
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

FILTERS = {
    "market_min_quantity_e8": e8(2),
    "market_max_quantity_e8": e8(20),
    "market_step_e8": e8(1),
}


def judge(event: Event, **filters: int) -> tuple[Reason, int | str, int | str] | None:
    """Return (reason, limit, observed) of the breach."""
    world = World(**(filters or FILTERS))
    world.order()
    found = breach(MarketLotSize(world.rulebook), event, world)
    return (found.reason, found.limit, found.observed) if found else None


@pytest.mark.parametrize(
    ("quantity_e8", "expected"),
    [
        (e8(2) - 1, (Reason.MARKET_QUANTITY_MIN, e8(2), e8(2) - 1)),
        (e8(2), None),
        (e8(2) + 1, (Reason.MARKET_QUANTITY_STEP, e8(1), e8(2) + 1)),
        (e8(3) - 1, (Reason.MARKET_QUANTITY_STEP, e8(1), e8(3) - 1)),
        (e8(20), None),
        (e8(20) + 1, (Reason.MARKET_QUANTITY_MAX, e8(20), e8(20) + 1)),
    ],
)
def test_boundaries(quantity_e8: int, expected: tuple[Reason, int, int] | None) -> None:
    """Bounds and step are inclusive, for new orders and replacements of either side."""
    assert judge(market(quantity_e8=quantity_e8)) == expected
    assert judge(market(SELL, quantity_e8=quantity_e8)) == expected
    by_replace = replace(order_type=MARKET, price_e8=0, quantity_e8=quantity_e8)
    assert judge(by_replace) == expected


@pytest.mark.parametrize("order_type", [LIMIT_MAKER, STOP_LOSS])
def test_other_orders_are_not_judged(order_type: int) -> None:
    """Only market orders given by quantity are judged."""
    assert judge(place(quantity_e8=1)) is None
    assert judge(place(order_type=order_type, quantity_e8=1)) is None
    assert judge(market(quote_quantity_e8=1)) is None
    assert judge(amend(quantity_e8=1)) is None


@pytest.mark.parametrize("off", list(FILTERS))
def test_zero_turns_one_check_off(off: str) -> None:
    """A field of 0 turns that check off and no other."""
    filters = {**FILTERS, off: 0}
    verdicts = {
        "market_min_quantity_e8": judge(market(quantity_e8=e8(1)), **filters),
        "market_max_quantity_e8": judge(market(quantity_e8=e8(30)), **filters),
        "market_step_e8": judge(market(quantity_e8=e8(3) + 1), **filters),
    }
    assert [field for field, verdict in verdicts.items() if verdict is None] == [off]


def test_amend_of_a_market_order_in_flight() -> None:
    """A market order in flight may not be amended to a quantity outside the market range."""
    world = World(**FILTERS)
    world.order(order_type=MARKET, price_e8=0)
    rule = MarketLotSize(world.rulebook)
    found = breach(rule, amend(quantity_e8=e8(21)), world)
    assert found is not None
    assert found.reason == Reason.MARKET_QUANTITY_MAX
    assert breach(rule, amend(quantity_e8=e8(20)), world) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = MarketLotSize(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
