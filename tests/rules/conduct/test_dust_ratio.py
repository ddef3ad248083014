"""DR: orders worth next to nothing, of all orders."""

import pytest

from rules.conduct.dust_ratio import DustRatio
from rules.decisions import ACCEPTED
from rules.values import E8, EXPIRED, FILLED
from tests.rules.desk import Desk, fill
from tests.rules.order_world import OTHER_SYMBOL, OWNER, SYMBOL, amend, e8, market, place


def desk_of(**clause: object) -> Desk:
    """Return a desk with the rule, judged from 2 orders on by 0.9, dust below 50."""
    return Desk({"dust_ratio": {"mode": "enforce", "minimum_orders": 2, **clause}})


def share(desk: Desk, symbol: int = SYMBOL) -> tuple[int, int]:
    """Return orders and share in 1e-8."""
    rule = desk.pipeline.rule("dust_ratio")
    assert isinstance(rule, DustRatio)
    (standing,) = rule.standings(OWNER, symbol, None, desk.now_ns)
    return standing.counted, standing.ratio_e8 or 0


@pytest.mark.parametrize(("price_e8", "share_e8"), [(e8(50), 0), (e8(50) - 1, E8)])
def test_dust_is_below_its_value(price_e8: int, share_e8: int) -> None:
    """One at 50 is worth 50 and no dust; a hundred-millionth less is."""
    desk = desk_of()
    desk.rest(price_e8=price_e8, quantity_e8=e8(1))
    assert share(desk) == (1, share_e8)


def test_an_amend_orders_what_is_left_anew() -> None:
    """Two units at 50, one executed: what is left is worth 50, and dust once a grain is taken off."""
    desk = desk_of(minimum_orders=99)
    order = desk.rest(price_e8=e8(50), quantity_e8=e8(2))
    desk.trade(order, fill(e8(50), e8(1)))
    for quantity_e8, seen in ((e8(2) - 1, (2, E8 // 2)), (e8(1) + 1, (3, E8 * 2 // 3))):
        decision = desk.send(amend(order_id=order.order_id, quantity_e8=quantity_e8))
        assert decision.verdict == ACCEPTED
        desk.answer(desk.book.current_seq, order.order_id)
        assert share(desk) == seen


def test_orders_without_a_price() -> None:
    """By amount: the amount. By quantity: at the last price; without one it is no dust."""
    desk = desk_of(minimum_orders=99)
    for event, status in (
        (market(quantity_e8=e8(1)), EXPIRED),
        (market(quantity_e8=e8(1)), FILLED),
        (market(quote_quantity_e8=e8(49)), FILLED),
        (market(quote_quantity_e8=e8(50)), FILLED),
    ):
        order = desk.place(event)
        fills = (fill(e8(49), e8(1)),) if status == FILLED else ()
        desk.answer(order.command_id, order.order_id, status, fills=fills)
    assert share(desk) == (4, E8 // 2)


def test_a_symbol_may_have_its_own_value() -> None:
    """Amounts are in the symbol's quote asset."""
    desk = desk_of(symbols={"BTCUSDC": "0.001"})
    for symbol in (SYMBOL, OTHER_SYMBOL):
        desk.rest(symbol=symbol, price_e8=e8(1), quantity_e8=e8(1))
    assert (share(desk), share(desk, OTHER_SYMBOL)) == ((1, E8), (1, 0))


def test_it_slows_at_the_maximum() -> None:
    """Two orders of dust are all there is: 1 is above 0.9."""
    desk = desk_of()
    for _ in range(2):
        desk.rest(price_e8=e8(1), quantity_e8=e8(1))
    desk.rest()
    (breach,) = desk.send(place()).breaches
    assert (breach.rule, breach.limit, breach.observed) == ("dust_ratio", 90_000_000, E8)


def test_what_was_prevented_was_ordered_once() -> None:
    """One unit at 49 is dust, though self-trade prevention took half of it off as it ended."""
    desk = desk_of(minimum_orders=99)
    order = desk.place(price_e8=e8(49), quantity_e8=e8(1))
    desk.answer(order.command_id, order.order_id, EXPIRED, prevented_e8=E8 // 2)
    assert share(desk) == (1, E8)
