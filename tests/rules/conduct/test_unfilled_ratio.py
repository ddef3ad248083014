"""UFR: 1 - executed / ordered, by quantity."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conduct.unfilled_ratio import UnfilledRatio
from rules.events import TradeBust
from rules.ratio_levels import LEVEL_NAMES
from rules.values import E8, EXPIRED, FILLED, IOC, NEW, NS_PER_HOUR, NS_PER_MINUTE, PARTIALLY_FILLED
from tests.rules.desk import Desk, fill
from tests.rules.order_world import ACCOUNT, OWNER, SYMBOL, amend, e8, market, place


def desk_of(**clause: object) -> Desk:
    """Return a desk with the rule, judged from 4 orders on by 0.9."""
    clause = {"mode": "enforce", "minimum_orders": 4, "maximum": "0.9", **clause}
    return Desk({"unfilled_ratio": clause})


def share(desk: Desk) -> str:
    """Return orders and share in per mille."""
    (standing,) = rule(desk).standings(OWNER, SYMBOL, desk.book.accounts[ACCOUNT], desk.now_ns)
    assert standing.ratio_e8 is not None
    return f"{standing.counted}: {standing.ratio_e8 * 1000 // E8}"


def rule(desk: Desk) -> UnfilledRatio:
    found = desk.pipeline.rule("unfilled_ratio")
    assert isinstance(found, UnfilledRatio)
    return found


def test_the_share_follows_orders_and_executions() -> None:
    """10 ordered, 4 executed: 1 - 4/10 = 0.6. 10 more: 1 - 4/20 = 0.8. An amend of what is left
    to 6 orders 6 - 4 = 2 anew: 1 - 4/22 = 0.818. The trade annulled: 1 - 0/22 = 1."""
    desk = desk_of()
    order = desk.rest()
    desk.trade(order, fill(e8(100), e8(4), maker=True))
    assert share(desk) == "1: 600"
    desk.rest()
    assert share(desk) == "2: 800"
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(6)))
    desk.answer(desk.book.current_seq, order.order_id)
    assert share(desk) == "3: 818"
    desk.send(TradeBust(*desk.begin(), 1, SYMBOL, e8(100), e8(4), 1, 2, ACCOUNT, 0))
    assert share(desk) == "3: 1000"


@pytest.mark.parametrize(("ago_ns", "share_of_one"), [(0, 1000), (1, 600)])
def test_a_trade_of_an_earlier_window_is_not_taken_back(ago_ns: int, share_of_one: int) -> None:
    """10 ordered and 4 executed in this window: a trade from before it began leaves 0.6."""
    desk = desk_of()
    desk.now_ns -= desk.now_ns % NS_PER_HOUR
    order = desk.rest()
    desk.trade(order, fill(e8(100), e8(4), maker=True))
    made_ns = desk.now_ns - ago_ns
    desk.send(TradeBust(*desk.begin(), 1, SYMBOL, e8(100), e8(4), 1, 2, ACCOUNT, 0, made_ns))
    assert share(desk) == f"1: {share_of_one}"


def test_an_order_by_amount_counts_what_it_got() -> None:
    """Nothing of it is left unfilled; a taker's fills count with the placement."""
    desk = desk_of()
    desk.last(e8(100))
    order = desk.place(market(quote_quantity_e8=e8(200)))
    fills = (fill(e8(100), e8(2)),)
    desk.answer(order.command_id, order.order_id, FILLED, fills=fills)
    assert share(desk) == "1: 0"


@given(st.lists(st.integers(1, 10), min_size=1, max_size=8))
def test_who_fills_at_once_is_never_slowed(quantities: list[int]) -> None:
    """Whatever the minimum: an order and what it executes at once count in one step."""
    desk = desk_of(minimum_orders=1, maximum="0.00000001")
    for quantity in quantities:
        order = desk.place(quantity_e8=e8(quantity))
        fills = (fill(e8(100), e8(quantity)),)
        desk.answer(order.command_id, order.order_id, FILLED, fills=fills)
        assert share(desk).endswith(": 0")
    assert desk.send(place()).breaches == ()
    assert desk.send(place()).breaches == ()


@pytest.mark.parametrize(
    ("executed_e8", "slowed"), [(e8(1) - 1, True), (e8(1), True), (e8(1) + 1, False)]
)
def test_the_boundary_of_one_order(executed_e8: int, slowed: bool) -> None:
    """Of 10 ordered, 1 executed at once leaves exactly 0.9, which is an excess; a grain more is
    none, a grain less is one."""
    desk = desk_of(minimum_orders=1)
    order = desk.place()
    fills = (fill(e8(100), executed_e8),)
    desk.answer(order.command_id, order.order_id, PARTIALLY_FILLED, fills=fills)
    assert desk.send(place()).breaches == ()
    assert bool(desk.send(place()).breaches) is slowed


@pytest.mark.parametrize(
    ("time_in_force", "status"), [(IOC, EXPIRED), (0, NEW), (1, PARTIALLY_FILLED)]
)
def test_what_was_prevented_was_ordered_once(time_in_force: int, status: int) -> None:
    """10 ordered, 4 executed, 3 taken off by self-trade prevention: 1 - 4/10 = 0.6, whether the
    order still stands (the book has 7) or has ended (the book has 10)."""
    desk = desk_of()
    order = desk.place(time_in_force=time_in_force or 1)
    fills = (fill(e8(100), e8(4)),)
    desk.answer(order.command_id, order.order_id, status, fills=fills, prevented_e8=e8(3))
    assert share(desk) == "1: 600"


def test_it_slows_from_the_minimum_on() -> None:
    """Three orders that trade nothing pass; the fourth is the last but one a second."""
    desk = desk_of()
    for _ in range(4):
        desk.rest()
    assert desk.send(place()).breaches == ()
    (breach,) = desk.send(place()).breaches
    assert (breach.rule, breach.limit, breach.observed) == ("unfilled_ratio", 90_000_000, E8)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(rule(desk).state()), strict=False)
    other = desk_of()
    rule(other).restore(stored)
    assert rule(other).state() == rule(desk).state()
    assert rule(desk).pairs() == [(OWNER, SYMBOL)]


@pytest.mark.parametrize(
    "clause",
    [
        {"maximum": "0"},
        {"maximum": "99"},
        {"maximum": "1.00000001"},
        {"tiers": {"vip": "0"}},
        {"market_maker_maximum": "99"},
    ],
)
def test_a_maximum_is_a_share(clause: dict[str, object]) -> None:
    """0 would slow everybody, and a per cent written for a share nobody."""
    with pytest.raises(ValueError, match="no share above 0 and up to 1"):
        desk_of(**clause)


@pytest.mark.parametrize("lock", ["30s", "10m"])
def test_a_window_has_one_excess(lock: str) -> None:
    """Where the lock is shorter than the window the owner stays slowed while the share holds, and
    only an excess in another window brings him to cancel only."""
    desk = desk_of(minimum_orders=1, lock=lock)
    desk.now_ns -= desk.now_ns % NS_PER_HOUR
    for minute, level in ((0, "slow"), (1, "slow"), (9, "slow"), (10, "cancel_only")):
        desk.now_ns = desk.now_ns - desk.now_ns % NS_PER_HOUR + minute * NS_PER_MINUTE
        if level == "slow":
            desk.rest()
        else:
            order = next(iter(desk.book.orders.values()))
            desk.send(amend(order_id=order.order_id, quantity_e8=e8(9)))
            desk.answer(desk.book.current_seq, order.order_id)
        (standing,) = rule(desk).standings(OWNER, SYMBOL, None, desk.now_ns)
        assert LEVEL_NAMES[standing.level] == level
