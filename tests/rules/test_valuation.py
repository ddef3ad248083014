"""Reference prices, price bounds and reservations."""

from typing import Any

import pytest

from rules.valuation import (
    REFERENCE_LAST,
    REFERENCE_MID,
    REFERENCE_NONE,
    REFERENCE_PREVIOUS_CLOSE,
    REFERENCE_STALE_LAST,
    UNBOUNDED,
    Valuation,
)
from rules.values import (
    BUY,
    E8,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    NS_PER_SECOND,
    SELL,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
)
from tests.rules.order_world import BASE, QUOTE, World, e8, make_rulebook

SECOND = NS_PER_SECOND


def reference(world: World) -> tuple[int, int]:
    """Return the reference of the world's first symbol."""
    return world.rulebook.valuation.reference(world.facts, world.now_ns)


@pytest.mark.parametrize(
    ("age_ns", "expected"),
    [(5 * SECOND - 1, True), (5 * SECOND, True), (5 * SECOND + 1, False), (-SECOND, True)],
)
def test_last_price_serves_up_to_its_age(age_ns: int, expected: bool) -> None:
    """The age itself is young enough; a time ahead of the gate's clock is young too."""
    world = World()
    world.trade(e8(100), age_ns=age_ns)
    assert reference(world) == ((e8(100), REFERENCE_LAST) if expected else (0, REFERENCE_NONE))


@pytest.mark.parametrize(
    ("age_ns", "expected"), [(60 * SECOND - 1, True), (60 * SECOND, True), (60 * SECOND + 1, False)]
)
def test_mid_serves_next_up_to_its_age(age_ns: int, expected: bool) -> None:
    """It is rounded down to 1e-8, and stands behind a young last price."""
    world = World()
    world.quote(e8(100), e8(101) + 1, age_ns=age_ns)
    mid = (e8(100) + E8 // 2, REFERENCE_MID)
    assert reference(world) == (mid if expected else (0, REFERENCE_NONE))
    world.trade(e8(90), age_ns=5 * SECOND + 1)
    assert reference(world) == (mid if expected else (0, REFERENCE_NONE))
    world.trade(e8(90))
    assert reference(world) == (e8(90), REFERENCE_LAST)


@pytest.mark.parametrize(("bid_e8", "ask_e8"), [(0, e8(100)), (e8(100), 0), (0, 0)])
def test_one_sided_market_has_no_mid(bid_e8: int, ask_e8: int) -> None:
    """Both best prices are needed."""
    world = World()
    world.quote(bid_e8, ask_e8)
    assert reference(world) == (0, REFERENCE_NONE)


def test_previous_close_serves_only_before_the_first_trade() -> None:
    """After a trade, however old, the previous close says nothing about the market."""
    world = World()
    world.facts.previous_close_e8 = e8(80)
    assert reference(world) == (e8(80), REFERENCE_PREVIOUS_CLOSE)
    world.trade(e8(100), age_ns=3_600 * SECOND)
    assert reference(world) == (0, REFERENCE_NONE)
    without = World(make_rulebook({"price_collar": {"previous_close": False}}))
    without.facts.previous_close_e8 = e8(80)
    assert reference(without) == (0, REFERENCE_NONE)


def test_an_old_last_price_serves_where_nothing_younger_does() -> None:
    """Only where the clause allows it, and behind everything else."""
    world = World(make_rulebook({"price_collar": {"stale_last": True}}))
    assert reference(world) == (0, REFERENCE_NONE)
    world.facts.previous_close_e8 = e8(80)
    assert reference(world) == (e8(80), REFERENCE_PREVIOUS_CLOSE)
    world.trade(e8(100), age_ns=5 * SECOND + 1)
    assert reference(world) == (e8(100), REFERENCE_STALE_LAST)
    world.quote(e8(90), e8(92))
    assert reference(world) == (e8(91), REFERENCE_MID)
    world.trade(e8(100), age_ns=5 * SECOND)
    assert reference(world) == (e8(100), REFERENCE_LAST)


def _modes(protection: str, collar: str, balance: str) -> dict[str, Any]:
    return {
        "market_protection": {"mode": protection, "distance": "0.02"},
        "price_collar": {"mode": collar, "aggressive": "0.04"},
        "balance": {"mode": balance},
    }


@pytest.mark.parametrize(
    ("modes", "capped_by", "share_e8"),
    [
        (("enforce", "enforce", "enforce"), "market_protection", E8 * 2 // 100),
        (("enforce", "off", "off"), "market_protection", E8 * 2 // 100),
        (("shadow", "enforce", "enforce"), "price_collar", E8 * 4 // 100),
        (("off", "enforce", "off"), "price_collar", E8 * 4 // 100),
        (("off", "shadow", "enforce"), "balance", E8 * 4 // 100),
        (("off", "off", "enforce"), "balance", E8 * 4 // 100),
        (("shadow", "shadow", "shadow"), "", E8 * 4 // 100),
        (("off", "off", "off"), "", E8 * 4 // 100),
    ],
)
def test_one_enforced_rule_caps_market_orders(
    modes: tuple[str, str, str], capped_by: str, share_e8: int
) -> None:
    """The bound is that of the rule which makes the engine keep to it; a shadow rule can't."""
    valuation = Valuation(make_rulebook(_modes(*modes)).clauses)
    assert (valuation.capped_by, valuation.protection_e8) == (capped_by, share_e8)


@pytest.mark.parametrize(
    ("side", "order_type", "stop_e8", "expected_e8"),
    [
        (BUY, LIMIT, e8(120), e8(100)),
        (BUY, MARKET, 0, e8(100)),
        (BUY, STOP_LOSS, 0, e8(100)),
        (BUY, STOP_LOSS, e8(120), e8(120)),
        (BUY, STOP_LOSS_LIMIT, e8(80), e8(100)),
        (SELL, STOP_LOSS, 0, e8(100)),
        (SELL, STOP_LOSS, e8(80), e8(80)),
        (SELL, STOP_LOSS_LIMIT, e8(120), e8(100)),
        (BUY, TAKE_PROFIT, e8(80), e8(80)),
        (BUY, TAKE_PROFIT_LIMIT, e8(120), e8(100)),
        (SELL, TAKE_PROFIT, e8(120), e8(120)),
        (SELL, TAKE_PROFIT_LIMIT, e8(80), e8(100)),
    ],
)
def test_basis_of_stop_orders(side: int, order_type: int, stop_e8: int, expected_e8: int) -> None:
    """A trigger counts while it waits; else the market at 100 does."""
    world = World()
    world.trade(e8(100))
    valuation = world.rulebook.valuation
    arguments = (side, order_type, stop_e8, world.facts, world.now_ns)
    assert valuation.basis_e8(*arguments) == expected_e8
    world.facts.last_e8 = 0
    assert valuation.basis_e8(*arguments) == 0


def test_no_bound_without_a_reference() -> None:
    """Every bound of an order without a price is unknown, never 0 as a price."""
    world = World()
    valuation, facts, now_ns = world.rulebook.valuation, world.facts, world.now_ns
    for side in (BUY, SELL):
        assert valuation.market_limit_e8(side, facts, now_ns) == 0
        assert valuation.worst_price_e8(side, MARKET, 0, facts, now_ns) == 0
        assert valuation.lowest_price_e8(side, facts, now_ns) == 0
    by_quantity = valuation.reservation(BUY, MARKET, 0, e8(1), 0, facts, now_ns)
    by_amount = valuation.reservation(SELL, MARKET, 0, 0, e8(1), facts, now_ns)
    assert by_quantity == (QUOTE, UNBOUNDED)
    assert by_amount == (BASE, UNBOUNDED)
    assert valuation.reservation(BUY, STOP_LOSS, 0, e8(1), 0, facts, now_ns) == (QUOTE, UNBOUNDED)


@pytest.mark.parametrize(
    ("side", "order_type", "price_e8", "expected_e8"),
    [
        (BUY, LIMIT, e8(90), e8(90)),
        (BUY, LIMIT, e8(200), e8(200)),
        (BUY, MARKET, 0, e8(103)),
        (SELL, LIMIT, e8(90), e8(99)),
        (SELL, LIMIT, e8(120), e8(120)),
        (SELL, LIMIT_MAKER, e8(90), e8(90)),
        (SELL, STOP_LOSS_LIMIT, e8(90), e8(99)),
        (SELL, MARKET, 0, e8(103)),
    ],
)
def test_worst_price(side: int, order_type: int, price_e8: int, expected_e8: int) -> None:
    """The highest price a unit may trade at, with a last price of 100 and a bid of 99."""
    world = World()
    world.trade(e8(100))
    world.quote(e8(99), e8(101))
    valuation = world.rulebook.valuation
    worst_e8 = valuation.worst_price_e8(side, order_type, price_e8, world.facts, world.now_ns)
    assert worst_e8 == expected_e8


def test_worst_price_of_a_market_sell_is_rounded_up() -> None:
    """What falls between two prices counts as the higher, since it is the worst."""
    world = World()
    world.trade(1_001)
    valuation = world.rulebook.valuation
    assert valuation.worst_price_e8(SELL, MARKET, 0, world.facts, world.now_ns) == 1_032
    assert valuation.worst_price_e8(BUY, MARKET, 0, world.facts, world.now_ns) == 1_031


def test_worst_price_of_a_market_sell_counts_a_higher_bid() -> None:
    """A bid above the upper bound would be hit first."""
    world = World()
    world.trade(e8(100))
    world.quote(e8(150), e8(151))
    valuation = world.rulebook.valuation
    assert valuation.worst_price_e8(SELL, MARKET, 0, world.facts, world.now_ns) == e8(150)
    assert valuation.worst_price_e8(BUY, MARKET, 0, world.facts, world.now_ns) == e8(103)


@pytest.mark.parametrize(
    ("side", "order_type", "price_e8", "quantity_e8", "quote_e8", "expected"),
    [
        (BUY, LIMIT, e8(100), e8(10), 0, (QUOTE, e8(1000))),
        (BUY, LIMIT, 1, 1, 0, (QUOTE, 1)),
        (BUY, MARKET, 0, e8(10), 0, (QUOTE, e8(1030))),
        (BUY, MARKET, 0, 0, e8(50), (QUOTE, e8(50))),
        (BUY, STOP_LOSS, 0, e8(10), 0, (QUOTE, e8(1236))),
        (BUY, STOP_LOSS_LIMIT, e8(130), e8(10), 0, (QUOTE, e8(1300))),
        (SELL, LIMIT, e8(100), e8(10), 0, (BASE, e8(10))),
        (SELL, MARKET, 0, e8(10), 0, (BASE, e8(10))),
        (SELL, MARKET, 0, 0, e8(97), (BASE, e8(1))),
        (SELL, MARKET, 0, 0, 1, (BASE, 1)),
    ],
)
def test_reservation(
    side: int,
    order_type: int,
    price_e8: int,
    quantity_e8: int,
    quote_e8: int,
    expected: tuple[int, int],
) -> None:
    """Buys hold quote asset, sells base asset, rounded up; the stop waits at 120."""
    world = World()
    world.trade(e8(100))
    held = world.rulebook.valuation.reservation(
        side,
        order_type,
        price_e8,
        quantity_e8,
        quote_e8,
        world.facts,
        world.now_ns,
        stop_price_e8=e8(120) if order_type in (STOP_LOSS, STOP_LOSS_LIMIT) else 0,
    )
    assert held == expected
