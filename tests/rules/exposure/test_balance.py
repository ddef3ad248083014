"""Balance."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import Adjust, Breach
from rules.events import Event
from rules.exposure.balance import Balance
from rules.reasons import Reason
from rules.values import BUY, LIMIT_MAKER, MARKET, SELL
from tests.rules.order_world import (
    ACCOUNT,
    BASE,
    OTHER_KEY,
    QUOTE,
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


def make_world(base_e8: int = 0, quote_e8: int = 0, rulebook: Any = None) -> World:
    """Return a world with these totals in the account and a last price of 100."""
    world = World(rulebook)
    world.fund(base_e8, quote_e8)
    world.trade(e8(100))
    return world


def judge(event: Event, world: World) -> Breach | None:
    """Return the rule's breach."""
    return breach(Balance(world.rulebook), event, world)


@pytest.mark.parametrize(("short_e8", "refused"), [(-1, False), (0, False), (1, True)])
@pytest.mark.parametrize(
    ("event", "asset", "need_e8"),
    [
        (place(), QUOTE, e8(1000)),
        (place(order_type=LIMIT_MAKER), QUOTE, e8(1000)),
        (place(price_e8=1, quantity_e8=1), QUOTE, 1),
        (place(price_e8=e8(1) + 1, quantity_e8=e8(1) + 1), QUOTE, e8(1) + 3),
        (place(side=SELL), BASE, e8(10)),
        (place(side=SELL, iceberg_quantity_e8=e8(1)), BASE, e8(10)),
        (market(), QUOTE, e8(1030)),
        (market(quote_quantity_e8=e8(50)), QUOTE, e8(50)),
        (market(SELL), BASE, e8(10)),
        (market(SELL, quote_quantity_e8=e8(97)), BASE, e8(1)),
        (market(SELL, quote_quantity_e8=e8(97) + 1), BASE, e8(1) + 1),
        (replace(order_id=99), QUOTE, e8(1000)),
    ],
)
def test_boundary(event: Event, asset: int, need_e8: int, short_e8: int, refused: bool) -> None:
    """Exactly the need passes; one unit of 1e-8 less is refused with both numbers."""
    world = make_world()
    free_e8 = need_e8 - short_e8
    world.fund(**{"base_e8" if asset == BASE else "quote_e8": free_e8})
    found = judge(event, world)
    assert (found and (found.reason, found.limit, found.observed)) == (
        (Reason.INSUFFICIENT_BALANCE, free_e8, need_e8) if refused else None
    )


def test_reserved_amounts_are_not_free() -> None:
    """What other orders hold is not there to be held again."""
    world = make_world(quote_e8=e8(1500))
    world.book.balances[ACCOUNT, QUOTE].reserved_e8 = e8(500)
    assert judge(place(), world) is None
    world.book.balances[ACCOUNT, QUOTE].reserved_e8 = e8(500) + 1
    found = judge(place(), world)
    assert found is not None
    assert found.limit == e8(1000) - 1


def test_balances_are_the_accounts_own() -> None:
    """Another account's holding and an unknown key count for nothing."""
    world = make_world(quote_e8=e8(5000))
    assert judge(place(), world) is None
    for key in (OTHER_KEY, 1234):
        found = judge(place(key=key), world)
        assert found is not None
        assert found.limit == 0


def test_without_a_reference_the_need_has_no_bound() -> None:
    """Only orders whose need follows from a price are concerned."""
    world = World()
    world.fund(e8(10**9), e8(10**9))
    for event in (market(), market(SELL, quote_quantity_e8=1)):
        found = judge(event, world)
        assert found is not None
        assert found.reason == Reason.VALUE_UNBOUNDED
    for event in (market(SELL), market(quote_quantity_e8=1), place()):
        assert judge(event, world) is None


def test_huge_need_is_stored_as_text() -> None:
    """A need beyond 63 bits is compared exactly and told as decimal text."""
    world = make_world(quote_e8=2**63 - 1)
    found = judge(place(price_e8=2**63 - 1, quantity_e8=2**63 - 1), world)
    assert found is not None
    assert found.observed == str(-(-((2**63 - 1) ** 2) // e8(1)))


def _with_old_order(free_e8: int, asset: int = QUOTE, held_e8: int = e8(400)) -> World:
    world = World()
    world.order(reserved_asset=asset, reserved_e8=held_e8)
    world.fund(quote_e8=free_e8)
    if asset == QUOTE:
        world.book.balances[ACCOUNT, QUOTE].total_e8 += held_e8
        world.book.balances[ACCOUNT, QUOTE].reserved_e8 = held_e8
    return world


def test_replacement_may_use_what_its_order_holds() -> None:
    """The old order's reservation is free to the new one, exactly that much."""
    assert judge(replace(), _with_old_order(e8(600))) is None
    found = judge(replace(), _with_old_order(e8(600) - 1))
    assert found is not None
    assert (found.limit, found.observed) == (e8(1000) - 1, e8(1000))


def test_replacement_that_may_stand_beside_its_order() -> None:
    """If the cancel may fail, the old order keeps what it holds."""
    assert judge(replace(allow_failure=True), _with_old_order(e8(1000) - 1)) is not None
    assert judge(replace(allow_failure=True), _with_old_order(e8(1000))) is None


def test_replacement_of_an_order_in_the_other_asset() -> None:
    """What a sell holds is no help to a buy."""
    assert judge(replace(), _with_old_order(e8(1000) - 1, BASE)) is not None
    assert judge(replace(), _with_old_order(e8(1000), BASE)) is None


@pytest.mark.parametrize(
    ("changes", "need_e8"),
    [
        ({"quantity_e8": e8(12)}, e8(200)),
        ({"price_e8": e8(110)}, e8(60)),
        ({"price_e8": e8(110), "quantity_e8": e8(12)}, e8(280)),
        ({"quantity_e8": e8(8)}, 0),
        ({"price_e8": e8(90)}, 0),
        ({"price_e8": e8(200), "quantity_e8": e8(7)}, 0),
        ({"price_e8": e8(200), "quantity_e8": e8(7) + 1}, 200),
    ],
)
def test_amend_of_a_buy_needs_only_the_increase(changes: dict[str, int], need_e8: int) -> None:
    """Order 11 is for 10 at 100, 4 filled, and holds 600 for the other 6."""
    for free_e8 in (need_e8 - 1, need_e8, need_e8 + 1):
        world = World()
        world.order(filled_e8=e8(4), reserved_asset=QUOTE, reserved_e8=e8(600))
        world.fund(quote_e8=free_e8)
        found = judge(amend(**changes), world)
        assert (found is not None) == (need_e8 > 0 and free_e8 < need_e8)
        if found is not None:
            assert (found.limit, found.observed) == (free_e8, need_e8)


def test_amend_of_a_sell_needs_base_asset() -> None:
    """Raising the price of a sell needs nothing, raising its quantity the difference."""
    world = World()
    world.order(side=SELL, filled_e8=e8(4), reserved_asset=BASE, reserved_e8=e8(6))
    world.fund(base_e8=e8(2))
    assert judge(amend(price_e8=e8(500)), world) is None
    assert judge(amend(quantity_e8=e8(12)), world) is None
    found = judge(amend(quantity_e8=e8(12) + 1), world)
    assert found is not None
    assert (found.limit, found.observed) == (e8(2), e8(2) + 1)
    assert judge(amend(order_id=99, quantity_e8=e8(50)), world) is None


def test_amend_of_a_market_order_in_flight_without_a_reference() -> None:
    """Its new need has no bound."""
    world = World()
    world.order(order_type=MARKET, price_e8=0, reserved_asset=QUOTE)
    found = judge(amend(quantity_e8=e8(11)), world)
    assert found is not None
    assert found.reason == Reason.VALUE_UNBOUNDED


def test_less_than_nothing_free() -> None:
    """After a correction below what is reserved, only orders that need nothing more pass."""
    world = World()
    world.order(reserved_asset=QUOTE, reserved_e8=e8(1000))
    world.fund(quote_e8=-e8(5))
    assert judge(amend(quantity_e8=e8(9)), world) is None
    found = judge(amend(quantity_e8=e8(10) + 1), world)
    assert found is not None
    assert found.limit == -e8(5)


def test_holds_market_orders_to_the_bound_where_nothing_else_does() -> None:
    """The amount held is enough only up to the bound, so the engine must keep to it."""
    alone = make_rulebook({"balance": {"mode": "enforce"}})
    world = make_world(e8(10**6), e8(10**6), alone)
    rule = Balance(world.rulebook)
    bound = {
        market(BUY): Adjust("balance", e8(105)),
        market(SELL, quote_quantity_e8=e8(5)): Adjust("balance", e8(95)),
        replace(order_type=MARKET, price_e8=0): Adjust("balance", e8(105)),
        market(SELL): None,
        market(BUY, quote_quantity_e8=e8(5)): None,
        place(): None,
    }
    for event, expected in bound.items():
        assert rule.check(event, world.book, world.now_ns) == expected
    protected = make_world(e8(10**6), e8(10**6))
    assert Balance(protected.rulebook).check(market(), protected.book, protected.now_ns) is None


@given(
    quantity=st.integers(1, 10**14),
    fills=st.lists(st.tuples(st.integers(1, 10**14), st.integers(1, 10**12)), max_size=8),
    tick=st.integers(0, 10**9),
    traded=st.integers(1, 10**12),
)
def test_reservation_covers_what_a_market_buy_can_spend(
    quantity: int, fills: list[tuple[int, int]], tick: int, traded: int
) -> None:
    """However it is filled at or below its limit, the fills cost no more than is held."""
    world = World(tick_e8=tick)
    world.trade(traded)
    valuation = world.rulebook.valuation
    limit_e8 = valuation.market_limit_e8(BUY, world.facts, world.now_ns)
    _, held_e8 = valuation.reservation(BUY, MARKET, 0, quantity, 0, world.facts, world.now_ns)
    spent = left = 0
    left = quantity
    for fill_quantity, below in fills:
        taken = min(left, fill_quantity)
        left -= taken
        spent += max(limit_e8 - below, 0) * taken // e8(1)
    spent += limit_e8 * left // e8(1)
    assert spent <= held_e8


@given(
    quote=st.integers(1, 10**16),
    above=st.integers(0, 10**12),
    tick=st.integers(0, 10**9),
    traded=st.integers(1, 10**12),
)
def test_reservation_covers_what_a_market_sell_by_amount_can_sell(
    quote: int, above: int, tick: int, traded: int
) -> None:
    """At its limit or better the amount is reached with no more than is held."""
    world = World(tick_e8=tick)
    world.trade(traded)
    valuation = world.rulebook.valuation
    limit_e8 = valuation.market_limit_e8(SELL, world.facts, world.now_ns)
    _, held_e8 = valuation.reservation(SELL, MARKET, 0, 0, quote, world.facts, world.now_ns)
    assert held_e8 * (limit_e8 + above) >= quote * e8(1)


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = Balance(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
