"""MAX_NUM_ORDERS."""

import pytest
from hypothesis import given

from rules.events import Event
from rules.filters.max_num_orders import MaxNumOrders
from rules.reasons import Reason
from rules.values import FLAG_TEST, PENDING_NEW, SCOPE_ACCOUNT, SCOPE_ACCOUNT_SYMBOL, pair_of
from tests.rules.order_world import (
    ACCOUNT,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    SYMBOL,
    World,
    breach,
    cases,
    place,
    replace,
)


@pytest.mark.parametrize("open_orders", [0, 1, 2])
def test_up_to_the_limit_passes(open_orders: int) -> None:
    """With this order the account has at most as many as the limit of three."""
    world = World(max_num_orders=3)
    for order_id in range(open_orders):
        world.order(order_id + 1)
    assert breach(MaxNumOrders(world.rulebook), place(), world) is None


def test_one_more_than_the_limit_is_refused() -> None:
    """Live orders, orders in flight and orders of unknown fate all count."""
    world = World(max_num_orders=3)
    world.order(1)
    world.order(2, status=PENDING_NEW)
    world.order(3, unknown=True)
    rule = MaxNumOrders(world.rulebook)
    found = breach(rule, place(), world)
    assert found is not None
    assert (found.reason, found.limit, found.observed) == (Reason.MAX_NUM_ORDERS, 3, 4)
    assert (found.scope, found.subject) == (SCOPE_ACCOUNT_SYMBOL, pair_of(ACCOUNT, SYMBOL))
    assert breach(rule, place(flags=FLAG_TEST), world) is not None


def test_usage_is_per_account_and_symbol() -> None:
    """The use of the limit is what the account has open on the symbol."""
    world = World(max_num_orders=3)
    world.order(1)
    rule = MaxNumOrders(world.rulebook)
    (usage,) = rule.usage(SCOPE_ACCOUNT_SYMBOL, pair_of(ACCOUNT, SYMBOL), world.book, 0)
    assert (usage.used, usage.limit) == (1, 3)
    assert rule.usage(SCOPE_ACCOUNT, ACCOUNT, world.book, 0) == ()


def test_order_to_be_replaced_still_counts() -> None:
    """A replacement is judged before its cancel happens."""
    world = World(max_num_orders=1)
    world.order(11)
    found = breach(MaxNumOrders(world.rulebook), replace(order_id=11), world)
    assert found is not None
    assert found.observed == 2


def test_other_accounts_and_symbols_do_not_count() -> None:
    """The count is the account's own on the symbol."""
    world = World(max_num_orders=1)
    world.order(1, account=OTHER_ACCOUNT)
    world.order(2, symbol=OTHER_SYMBOL)
    rule = MaxNumOrders(world.rulebook)
    assert breach(rule, place(), world) is None
    assert breach(rule, place(key=OTHER_KEY), world) is not None
    assert breach(rule, place(symbol=OTHER_SYMBOL), world) is not None


def test_zero_turns_it_off() -> None:
    """Without a limit any number may be open."""
    world = World(max_num_orders=0)
    for order_id in range(50):
        world.order(order_id + 1)
    assert breach(MaxNumOrders(world.rulebook), place(), world) is None


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = MaxNumOrders(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
