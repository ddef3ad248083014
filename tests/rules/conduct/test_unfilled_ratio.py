"""UFR: 1 - executed / ordered, by quantity."""

import msgspec
import pytest

from rules.conduct.unfilled_ratio import UnfilledRatio
from rules.events import TradeBust
from rules.values import E8, FILLED, NS_PER_HOUR
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
