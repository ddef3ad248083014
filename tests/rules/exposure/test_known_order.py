"""The order named by a cancel, amend or replace."""

import pytest
from hypothesis import given

from rules.decisions import Breach
from rules.events import Event
from rules.exposure.known_order import KnownOrder
from rules.reasons import Reason
from rules.rule import GATE
from rules.values import (
    PARTIALLY_FILLED,
    PENDING_NEW,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
)
from tests.rules.order_world import (
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    World,
    amend,
    breach,
    cancel,
    cases,
    e8,
    replace,
)

EVERY_KIND = (cancel, replace, lambda **names: amend(price_e8=e8(99), **names))


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(KnownOrder(world.rulebook), event, world)


def reason(event: Event, world: World) -> Reason | None:
    """Return what the rule refuses `event` for."""
    found = judge(event, world)
    return found.reason if found else None


def test_it_is_a_gate() -> None:
    """An unknown order ends the decision before any limit is evaluated."""
    assert KnownOrder.stage == GATE


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_either_id_names_the_order(kind: object) -> None:
    """By order id, by client order id, or by both where they agree."""
    assert callable(kind)
    world = World()
    world.order()
    assert judge(kind(), world) is None
    assert judge(kind(order_id=0, orig_client_order_id="c11"), world) is None
    assert judge(kind(orig_client_order_id="c11"), world) is None
    assert judge(kind(symbol=0), world) is None


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_unknown_orders(kind: object) -> None:
    """An id nobody has, another account's order, another symbol's, and no id at all."""
    assert callable(kind)
    world = World()
    world.order()
    world.order(12, account=OTHER_ACCOUNT)
    for names in (
        {"order_id": 99},
        {"order_id": 99, "orig_client_order_id": "c11"},
        {"order_id": 0, "orig_client_order_id": "c99"},
        {"order_id": 0, "orig_client_order_id": ""},
        {"order_id": 12},
        {"order_id": 0, "orig_client_order_id": "c12"},
        {"symbol": OTHER_SYMBOL},
        {"key": OTHER_KEY},
        {"key": 1234},
    ):
        assert reason(kind(**names), world) == Reason.UNKNOWN_ORDER, names


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_disagreeing_ids(kind: object) -> None:
    """The order id is looked up first, and the client order id must be that order's."""
    assert callable(kind)
    world = World()
    world.order()
    world.order(12)
    found = judge(kind(orig_client_order_id="c12"), world)
    assert found is not None
    assert (found.reason, found.limit, found.observed) == (Reason.ORDER_ID_MISMATCH, "c11", "c12")


def test_replace_that_allows_its_cancel_to_fail() -> None:
    """It passes for an unknown order and a restriction, but not when the two ids disagree."""
    world = World()
    world.order(filled_e8=e8(1), status=PARTIALLY_FILLED)
    assert judge(replace(order_id=99, allow_failure=True), world) is None
    assert judge(replace(restriction=RESTRICT_ONLY_NEW, allow_failure=True), world) is None
    assert reason(replace(restriction=RESTRICT_ONLY_NEW), world) == Reason.CANCEL_RESTRICTED
    mismatch = replace(orig_client_order_id="c99", allow_failure=True)
    assert reason(mismatch, world) == Reason.ORDER_ID_MISMATCH


@pytest.mark.parametrize(
    ("filled_e8", "restriction", "refused"),
    [
        (0, RESTRICT_ONLY_NEW, False),
        (1, RESTRICT_ONLY_NEW, True),
        (0, RESTRICT_ONLY_PARTIALLY_FILLED, True),
        (1, RESTRICT_ONLY_PARTIALLY_FILLED, False),
    ],
)
def test_restriction_of_a_cancel(filled_e8: int, restriction: int, refused: bool) -> None:
    """ONLY_NEW wants nothing filled, ONLY_PARTIALLY_FILLED something."""
    world = World()
    order = world.order(filled_e8=filled_e8)
    if filled_e8:
        order.status = PARTIALLY_FILLED
    for event in (cancel(restriction=restriction), replace(restriction=restriction)):
        assert reason(event, world) == (Reason.CANCEL_RESTRICTED if refused else None)


@pytest.mark.parametrize("state", [{"status": PENDING_NEW}, {"unknown": True}])
def test_restriction_is_the_engines_while_the_order_is_not_confirmed(
    state: dict[str, object],
) -> None:
    """The gate can't know how much of such an order is filled."""
    world = World()
    world.order(**state)
    assert judge(cancel(restriction=RESTRICT_ONLY_PARTIALLY_FILLED), world) is None


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"quantity_e8": e8(4) - 1}, False),
        ({"quantity_e8": e8(4)}, False),
        ({"quantity_e8": e8(4) + 1}, True),
        ({"quantity_e8": e8(10) - 1}, True),
        ({"quantity_e8": e8(10)}, False),
        ({"quantity_e8": e8(10) + 1}, True),
        ({}, False),
        ({"price_e8": e8(100)}, False),
        ({"price_e8": e8(100) + 1}, True),
        ({"price_e8": e8(100), "quantity_e8": e8(10)}, False),
        ({"price_e8": e8(99), "quantity_e8": e8(10)}, True),
        ({"price_e8": e8(99), "quantity_e8": e8(4)}, False),
    ],
)
def test_amend_must_change_something_and_leave_something(
    changes: dict[str, int], passes: bool
) -> None:
    """Order 11 is for 10 at 100, 4 of it filled."""
    world = World()
    world.order(filled_e8=e8(4), status=PARTIALLY_FILLED)
    expected = None if passes else Reason.AMEND_NOT_REDUCING
    assert reason(amend(**changes), world) == expected


def test_amend_names_what_it_would_have_to_exceed() -> None:
    """At or below the filled quantity the limit is that quantity, else the present one."""
    world = World()
    world.order(filled_e8=e8(4), status=PARTIALLY_FILLED)
    below = judge(amend(quantity_e8=e8(3)), world)
    filled = judge(amend(quantity_e8=e8(4)), world)
    same = judge(amend(quantity_e8=e8(10)), world)
    assert below is not None
    assert filled is not None
    assert same is not None
    assert (below.limit, below.observed) == (e8(4), e8(3))
    assert (filled.limit, filled.observed) == (e8(4), e8(4))
    assert (same.limit, same.observed) == (e8(10), e8(10))


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"quantity_e8": e8(4)}, False),
        ({"quantity_e8": e8(4) + 1}, True),
        ({"quantity_e8": e8(10) - 1}, True),
        ({"quantity_e8": e8(10)}, False),
        ({"quantity_e8": e8(10) + 1}, False),
        ({"quantity_e8": e8(1_000)}, False),
        ({}, False),
        ({"quantity_e8": e8(5), "price_e8": e8(100)}, True),
        ({"quantity_e8": e8(5), "price_e8": e8(100) - 1}, False),
        ({"price_e8": e8(99)}, False),
    ],
)
def test_amend_that_keeps_priority_only_takes_quantity_off(
    changes: dict[str, int], passes: bool
) -> None:
    """More quantity or another price would be a new order that no order count sees."""
    world = World()
    world.order(filled_e8=e8(4), status=PARTIALLY_FILLED)
    expected = None if passes else Reason.AMEND_NOT_REDUCING
    assert reason(amend(**changes, keep_priority=True), world) == expected


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = KnownOrder(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
