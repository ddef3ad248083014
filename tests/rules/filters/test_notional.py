"""NOTIONAL."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.filters.notional import Notional
from rules.reasons import Reason
from rules.values import SELL, STOP_LOSS
from tests.rules.order_world import World, amend, breach, cases, e8, market, place, replace

BOTH = {"notional_min_applies_to_market": True, "notional_max_applies_to_market": True}


def judge(event: Event, traded_e8: int = 0, **filters: int | bool) -> Breach | None:
    """Return the breach with notionals from 10 to 1000, and an average price where given."""
    limits = {"notional_min_e8": e8(10), "notional_max_e8": e8(1000)}
    world = World(**{**limits, "average_price_minutes": 5, **filters})
    world.order()
    if traded_e8:
        world.trade(traded_e8)
    return breach(Notional(world.rulebook), event, world)


@pytest.mark.parametrize(
    ("price_e8", "quantity_e8", "expected"),
    [
        (e8(5), e8(2) - 1, (Reason.NOTIONAL_MIN, e8(10), e8(10) - 5)),
        (e8(5), e8(2), None),
        (e8(100), e8(10), None),
        (e8(100) + 1, e8(10), (Reason.NOTIONAL_MAX, e8(1000), e8(1000) + 10)),
        (e8(100), e8(10) + 1, (Reason.NOTIONAL_MAX, e8(1000), e8(1000) + 100)),
    ],
)
def test_boundaries(
    price_e8: int, quantity_e8: int, expected: tuple[Reason, int, int] | None
) -> None:
    """Both bounds are inclusive for new orders, replacements and amends."""
    for event in (
        place(price_e8=price_e8, quantity_e8=quantity_e8),
        replace(price_e8=price_e8, quantity_e8=quantity_e8),
        amend(price_e8=price_e8, quantity_e8=quantity_e8),
    ):
        found = judge(event)
        assert (found and (found.reason, found.limit, found.observed)) == expected


def test_parts_below_a_unit_are_not_lost() -> None:
    """A product of 1e-16 beyond a bound is refused, and what is shown lies beyond it too."""
    over = judge(place(price_e8=e8(1000) * 3 + 1, quantity_e8=33_333_333 + 1))
    assert over is not None
    assert isinstance(over.observed, int)
    assert over.observed > e8(1000)
    sliver = judge(place(price_e8=1, quantity_e8=e8(1000) * e8(1) + 1))
    assert sliver is not None
    assert sliver.observed == e8(1000) + 1
    under = judge(place(price_e8=1, quantity_e8=e8(10) * e8(1) - 1))
    assert under is not None
    assert under.observed == e8(10) - 1


def test_huge_products_are_stored_as_text() -> None:
    """A notional beyond 63 bits is compared exactly and told as decimal text."""
    found = judge(place(price_e8=2**63 - 1, quantity_e8=2**63 - 1))
    assert found is not None
    assert found.observed == str(-(-((2**63 - 1) ** 2) // e8(1)))


def test_zero_turns_one_check_off() -> None:
    """A bound of 0 is no bound."""
    assert judge(place(price_e8=1, quantity_e8=1), notional_min_e8=0) is None
    assert judge(place(quantity_e8=e8(1000)), notional_max_e8=0) is None
    assert judge(market(), notional_min_e8=0, notional_max_e8=0, **BOTH) is None


@pytest.mark.parametrize("side_flag", ["notional_min_applies_to_market", "both", "neither"])
def test_market_orders_by_apply_flags(side_flag: str) -> None:
    """Each bound counts for a market order only with its own flag, at the average price."""
    flags = {"both": BOTH, "neither": {}}.get(side_flag, {side_flag: True})
    small = judge(market(quantity_e8=e8(1)), e8(10) - 1, **flags)
    large = judge(market(quantity_e8=e8(100)), e8(10) + 1, **flags)
    assert (small is not None) == (side_flag != "neither")
    assert (large is not None) == (side_flag == "both")
    assert judge(market(quantity_e8=e8(1)), e8(10), **flags) is None
    assert judge(market(quantity_e8=e8(100)), e8(10), **flags) is None


def test_quote_quantity_is_the_notional() -> None:
    """An amount of quote asset is compared as it is, on both bounds."""
    assert judge(market(quote_quantity_e8=e8(10)), **BOTH) is None
    assert judge(market(SELL, quote_quantity_e8=e8(1000)), **BOTH) is None
    low = judge(market(SELL, quote_quantity_e8=e8(10) - 1), **BOTH)
    high = judge(market(quote_quantity_e8=e8(1000) + 1), **BOTH)
    assert low is not None
    assert high is not None
    assert (low.reason, high.reason) == (Reason.NOTIONAL_MIN, Reason.NOTIONAL_MAX)


def test_market_order_in_a_symbol_never_traded() -> None:
    """Without any price a market order can't be valued, and it is refused where it would be."""
    for event in (market(), place(order_type=STOP_LOSS, price_e8=0)):
        found = judge(event, **BOTH)
        assert found is not None
        assert (found.reason, found.limit) == (Reason.REFERENCE_PRICE_MISSING, e8(10))
        highest_only = judge(event, notional_min_e8=0, **BOTH)
        assert highest_only is not None
        assert highest_only.limit == e8(1000)
        assert judge(event) is None


def test_amend_is_judged_by_the_new_total() -> None:
    """A new quantity counts at the old price, a new price with the old quantity."""
    assert judge(amend(quantity_e8=e8(10))) is None
    assert judge(amend(quantity_e8=e8(10) + 1)) is not None
    assert judge(amend(price_e8=e8(100) + 1)) is not None
    assert judge(amend(order_id=99, quantity_e8=1)) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = Notional(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
