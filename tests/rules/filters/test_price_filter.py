"""PRICE_FILTER."""

import pytest
from hypothesis import given

from rules.events import Event
from rules.filters.price_filter import PriceFilter
from rules.reasons import Reason
from rules.values import LIMIT_MAKER, STOP_LOSS, STOP_LOSS_LIMIT
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

FILTERS = {"min_price_e8": e8(10), "max_price_e8": e8(1000), "tick_e8": e8(5)}


def judge(event: Event, **filters: int) -> tuple[Reason, int | str, int | str] | None:
    """Return (reason, limit, observed) of the breach in a world where order 11 is at 100."""
    world = World(**(filters or FILTERS))
    world.order()
    found = breach(PriceFilter(world.rulebook), event, world)
    return (found.reason, found.limit, found.observed) if found else None


@pytest.mark.parametrize(
    ("price_e8", "expected"),
    [
        (e8(10) - 1, Reason.PRICE_MIN),
        (e8(10), None),
        (e8(10) + 1, Reason.PRICE_TICK),
        (e8(15) - 1, Reason.PRICE_TICK),
        (e8(15), None),
        (e8(1000) - 1, Reason.PRICE_TICK),
        (e8(1000), None),
        (e8(1000) + 1, Reason.PRICE_MAX),
    ],
)
def test_boundaries_of_price(price_e8: int, expected: Reason | None) -> None:
    """Both bounds and the tick are inclusive, for a new order, a replacement and an amend."""
    for event in (
        place(price_e8=price_e8),
        place(price_e8=price_e8, order_type=LIMIT_MAKER),
        replace(price_e8=price_e8),
        amend(price_e8=price_e8),
    ):
        found = judge(event)
        assert (found and found[0]) == expected


@pytest.mark.parametrize(
    ("price_e8", "expected"),
    [
        (e8(5), (Reason.PRICE_MIN, e8(10), e8(5))),
        (e8(1005), (Reason.PRICE_MAX, e8(1000), e8(1005))),
        (e8(12), (Reason.PRICE_TICK, e8(5), e8(12))),
        (e8(3), (Reason.PRICE_MIN, e8(10), e8(3))),
    ],
)
def test_names_limit_and_observed(price_e8: int, expected: tuple[Reason, int, int]) -> None:
    """The first failing check in the order minimum, maximum, tick is named with its numbers."""
    assert judge(place(price_e8=price_e8)) == expected


def test_tick_is_counted_from_zero() -> None:
    """The remainder is the price's own, not that of its distance from the minimum."""
    filters = {"min_price_e8": e8(3), "tick_e8": e8(5)}
    assert judge(place(price_e8=e8(5)), **filters) is None
    assert judge(place(price_e8=e8(8)), **filters) == (Reason.PRICE_TICK, e8(5), e8(8))


@pytest.mark.parametrize("off", ["min_price_e8", "max_price_e8", "tick_e8"])
def test_zero_turns_one_check_off(off: str) -> None:
    """A field of 0 turns that check off and no other."""
    filters = {**FILTERS, off: 0}
    verdicts = {
        "min_price_e8": judge(place(price_e8=e8(5)), **filters),
        "max_price_e8": judge(place(price_e8=e8(2000)), **filters),
        "tick_e8": judge(place(price_e8=e8(11)), **filters),
    }
    assert [field for field, verdict in verdicts.items() if verdict is None] == [off]


@pytest.mark.parametrize("price_e8", [0, -1, -e8(100)])
def test_price_must_be_above_zero_even_when_off(price_e8: int) -> None:
    """A priced order without a positive price is refused also when every check is off."""
    assert judge(place(price_e8=price_e8), tick_e8=0) == (Reason.PRICE_MIN, 1, price_e8)
    assert judge(place(price_e8=1), tick_e8=0) is None


def test_stop_price_is_judged_after_the_price() -> None:
    """The stop price obeys the same range and tick; the price is named first."""
    stop = {"order_type": STOP_LOSS_LIMIT}
    assert judge(place(**stop, stop_price_e8=e8(105))) is None
    assert judge(place(**stop, stop_price_e8=e8(5))) == (Reason.PRICE_MIN, e8(10), e8(5))
    assert judge(place(**stop, stop_price_e8=e8(1005))) == (Reason.PRICE_MAX, e8(1000), e8(1005))
    assert judge(place(**stop, stop_price_e8=e8(101))) == (Reason.PRICE_TICK, e8(5), e8(101))
    both = place(**stop, price_e8=e8(2000), stop_price_e8=e8(1))
    assert judge(both) == (Reason.PRICE_MAX, e8(1000), e8(2000))


def test_orders_without_a_price() -> None:
    """A market order is not judged; an unpriced stop order by its stop price only."""
    assert judge(market()) is None
    stop = {"order_type": STOP_LOSS, "price_e8": 0}
    assert judge(place(**stop, stop_price_e8=e8(100))) is None
    assert judge(place(**stop, stop_price_e8=e8(101))) == (Reason.PRICE_TICK, e8(5), e8(101))


def test_amend_is_judged_only_when_it_changes_the_price() -> None:
    """An old price outside a tightened range does not stop an amend of the quantity."""
    filters = {"min_price_e8": e8(200)}
    assert judge(amend(quantity_e8=e8(5)), **filters) is None
    assert judge(amend(quantity_e8=e8(5), price_e8=e8(100)), **filters) is None
    assert judge(amend(price_e8=e8(150)), **filters) == (Reason.PRICE_MIN, e8(200), e8(150))


def test_amend_of_an_unknown_order_is_left_to_known_order() -> None:
    """Nothing is said of an order the account does not have."""
    assert judge(amend(order_id=99, price_e8=e8(1))) is None


def test_large_numbers_are_told_exactly() -> None:
    """Prices up to 63 bits are compared exactly."""
    largest = 2**63 - 1
    assert judge(place(price_e8=largest), max_price_e8=largest) is None
    found = judge(place(price_e8=largest), max_price_e8=largest - 1)
    assert found == (Reason.PRICE_MAX, largest - 1, largest)


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = PriceFilter(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
