"""LOT_SIZE."""

import pytest
from hypothesis import given

from rules.events import Event
from rules.filters.lot_size import LotSize
from rules.reasons import Reason
from rules.values import SELL
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

FILTERS = {"min_quantity_e8": e8(2), "max_quantity_e8": e8(20), "step_e8": e8(1)}


def judge(event: Event, **filters: int) -> tuple[Reason, int | str, int | str] | None:
    """Return (reason, limit, observed) of the breach in a world where order 11 is for 10."""
    world = World(**(filters or FILTERS))
    world.order()
    found = breach(LotSize(world.rulebook), event, world)
    return (found.reason, found.limit, found.observed) if found else None


@pytest.mark.parametrize(
    ("quantity_e8", "expected"),
    [
        (e8(2) - 1, Reason.QUANTITY_MIN),
        (e8(2), None),
        (e8(2) + 1, Reason.QUANTITY_STEP),
        (e8(3) - 1, Reason.QUANTITY_STEP),
        (e8(3), None),
        (e8(20) - 1, Reason.QUANTITY_STEP),
        (e8(20), None),
        (e8(20) + 1, Reason.QUANTITY_MAX),
    ],
)
def test_boundaries(quantity_e8: int, expected: Reason | None) -> None:
    """Bounds and step are inclusive for limit and market orders, replacements and amends."""
    for event in (
        place(quantity_e8=quantity_e8),
        market(quantity_e8=quantity_e8),
        replace(quantity_e8=quantity_e8),
        amend(quantity_e8=quantity_e8),
    ):
        found = judge(event)
        assert (found and found[0]) == expected


def test_names_limit_and_observed() -> None:
    """Each check names its own limit."""
    assert judge(place(quantity_e8=e8(1))) == (Reason.QUANTITY_MIN, e8(2), e8(1))
    assert judge(place(quantity_e8=e8(21))) == (Reason.QUANTITY_MAX, e8(20), e8(21))
    assert judge(place(quantity_e8=e8(3) + 5)) == (Reason.QUANTITY_STEP, e8(1), e8(3) + 5)


@pytest.mark.parametrize("off", ["min_quantity_e8", "max_quantity_e8", "step_e8"])
def test_zero_turns_one_check_off(off: str) -> None:
    """A field of 0 turns that check off and no other."""
    filters = {**FILTERS, off: 0}
    verdicts = {
        "min_quantity_e8": judge(place(quantity_e8=e8(1)), **filters),
        "max_quantity_e8": judge(place(quantity_e8=e8(30)), **filters),
        "step_e8": judge(place(quantity_e8=e8(3) + 1), **filters),
    }
    assert [field for field, verdict in verdicts.items() if verdict is None] == [off]


@pytest.mark.parametrize("quantity_e8", [0, -1])
def test_quantity_must_be_above_zero_even_when_off(quantity_e8: int) -> None:
    """An order for nothing is refused also when every check is off."""
    for event in (place(quantity_e8=quantity_e8), market(quantity_e8=quantity_e8)):
        assert judge(event, step_e8=0) == (Reason.QUANTITY_MIN, 1, quantity_e8)
    assert judge(place(quantity_e8=1), step_e8=0) is None


@pytest.mark.parametrize(
    ("iceberg_e8", "expected"),
    [
        (e8(2) - 1, (Reason.QUANTITY_MIN, e8(2), e8(2) - 1)),
        (e8(2), None),
        (e8(2) + 1, (Reason.QUANTITY_STEP, e8(1), e8(2) + 1)),
        (e8(20), None),
        (e8(20) + 1, (Reason.QUANTITY_MAX, e8(20), e8(20) + 1)),
    ],
)
def test_iceberg_quantity(iceberg_e8: int, expected: tuple[Reason, int, int] | None) -> None:
    """The visible quantity obeys the same limits, after the quantity itself."""
    assert judge(place(iceberg_quantity_e8=iceberg_e8)) == expected
    both = place(quantity_e8=e8(1), iceberg_quantity_e8=iceberg_e8)
    assert judge(both) == (Reason.QUANTITY_MIN, e8(2), e8(1))


def test_market_order_by_quote_quantity_is_not_judged() -> None:
    """The engine picks the quantity of such an order, so LOT_SIZE has nothing to judge."""
    assert judge(market(quote_quantity_e8=1)) is None
    assert judge(market(SELL, quote_quantity_e8=e8(10_000))) is None
    odd = place(quantity_e8=0, quote_quantity_e8=e8(5))
    assert judge(odd) == (Reason.QUANTITY_MIN, e8(2), 0)


def test_amend_is_judged_only_when_it_changes_the_quantity() -> None:
    """An old quantity outside a tightened range does not stop an amend of the price."""
    filters = {"max_quantity_e8": e8(5)}
    assert judge(amend(price_e8=e8(99)), **filters) is None
    assert judge(amend(price_e8=e8(99), quantity_e8=e8(10)), **filters) is None
    assert judge(amend(quantity_e8=e8(9)), **filters) == (Reason.QUANTITY_MAX, e8(5), e8(9))
    assert judge(amend(order_id=99, quantity_e8=e8(9)), **filters) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = LotSize(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
