"""What becomes of an order, its age and its reservation when it is amended or replaced."""

from typing import Any

import pytest

from rules.events import (
    Deadline,
    Ended,
)
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    FILLED,
    NEW,
    NS_PER_SECOND,
    PARTIALLY_FILLED,
    REJECTED,
)
from tests.rules.desk import Desk, fill
from tests.rules.order_world import (
    BASE,
    QUOTE,
    amend,
    e8,
    market,
    replace,
)

# --- Amend ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "in_flight_e8", "after_e8", "age_s"),
    [
        ({"quantity_e8": e8(10) + 1}, e8(1000) + 100, e8(1000) + 100, 0),
        ({"quantity_e8": e8(10)}, e8(1000), e8(1000), 7),
        ({"quantity_e8": e8(10) - 1}, e8(1000), e8(1000) - 100, 7),
        ({"price_e8": e8(101)}, e8(1010), e8(1010), 0),
        ({"price_e8": e8(99)}, e8(1000), e8(990), 0),
    ],
)
def test_amend(changes: dict[str, Any], in_flight_e8: int, after_e8: int, age_s: int) -> None:
    """In flight the larger of both is held; the age begins anew unless only quantity is lost."""
    desk = Desk()
    order = desk.rest()
    desk.now_ns += 7 * NS_PER_SECOND
    desk.send(amend(order_id=order.order_id, **changes))
    assert desk.reserved_e8() == in_flight_e8
    desk.answer(desk.book.current_seq, order.order_id)
    assert desk.reserved_e8() == order.reserved_e8 == after_e8
    assert desk.book.matchable_age_ns(order, desk.now_ns) == age_s * NS_PER_SECOND
    assert order.quantity_e8 == changes.get("quantity_e8", e8(10))
    assert order.price_e8 == changes.get("price_e8", e8(100))


def test_a_refused_amend_returns_what_it_added() -> None:
    """The order stays as it was, with its age."""
    desk = Desk()
    order = desk.rest()
    desk.now_ns += 7 * NS_PER_SECOND
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(20), price_e8=e8(110)))
    assert desk.reserved_e8() == e8(2200)
    desk.refuse(desk.book.current_seq, Reason.PARAMETER_OUT_OF_RANGE)
    assert (order.quantity_e8, order.price_e8, order.status) == (e8(10), e8(100), NEW)
    assert desk.reserved_e8() == e8(1000)
    assert desk.book.matchable_age_ns(order, desk.now_ns) == 7 * NS_PER_SECOND


def test_an_amend_counts_what_was_filled_meanwhile() -> None:
    """A fill between request and answer is part of the new total quantity."""
    desk = Desk()
    order = desk.rest()
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(20)))
    command_id = desk.book.current_seq
    desk.trade(order, fill(e8(100), e8(4)))
    desk.answer(command_id, order.order_id, PARTIALLY_FILLED)
    assert desk.reserved_e8() == e8(1600)


def test_a_fill_leaves_what_an_amend_in_flight_needs() -> None:
    """What the amend added stays held when the order trades before the amend is answered."""
    desk = Desk()
    order = desk.rest()
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(20)))
    desk.trade(order, fill(e8(100), e8(4)))
    assert desk.reserved_e8() == e8(1600)


@pytest.mark.parametrize("refused", [False, True])
def test_an_answered_amend_leaves_what_another_needs(*, refused: bool) -> None:
    """Of two amends in flight, the answer to one does not give back what the other added."""
    desk = Desk()
    order = desk.rest()
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(20)))
    first = desk.book.current_seq
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(9)))
    second = desk.book.current_seq
    if refused:
        desk.refuse(second, Reason.ENGINE_UNAVAILABLE)
    else:
        desk.answer(second, order.order_id)
    assert desk.reserved_e8() == e8(2000)
    desk.refuse(first, Reason.ENGINE_UNAVAILABLE)
    assert desk.reserved_e8() == e8(1000 if refused else 900)


def test_an_amend_of_an_order_by_quote_amount_holds_nothing_more() -> None:
    """Such an order never rests: the engine refuses the amend, and nothing stays behind."""
    desk = Desk()
    order = desk.place(market(quote_quantity_e8=e8(300)))
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(20)))
    assert desk.reserved_e8() == e8(300)
    desk.refuse(desk.book.current_seq, Reason.ENGINE_UNKNOWN_ORDER)
    assert desk.reserved_e8() == e8(300)


def test_an_amends_fills_count_when_the_order_has_ended_meanwhile() -> None:
    """The answer to an amend comes after the report of the end, with fills of its own."""
    desk = Desk()
    order = desk.rest()
    desk.send(amend(order_id=order.order_id, price_e8=e8(101)))
    command_id = desk.book.current_seq
    desk.trade(order, fill(e8(101), e8(10)))
    assert order.order_id not in desk.book.orders
    desk.answer(command_id, order.order_id, PARTIALLY_FILLED, fills=(fill(e8(100), e8(2)),))
    assert desk.gained_e8(BASE) == e8(12)
    assert desk.reserved_e8() == 0


def test_an_amend_that_trades_to_the_end_ends_the_order() -> None:
    """Its fills are settled at their own prices and nothing stays held."""
    desk = Desk()
    order = desk.rest()
    desk.send(amend(order_id=order.order_id, price_e8=e8(110)))
    fills = (fill(e8(105), e8(10)),)
    desk.answer(desk.book.current_seq, order.order_id, FILLED, fills=fills)
    assert (order.status, desk.reserved_e8()) == (FILLED, 0)
    assert (desk.gained_e8(BASE), desk.gained_e8(QUOTE)) == (e8(10), -e8(1050))
    assert not desk.book.orders


def test_an_amend_gives_up_what_self_trade_prevention_took() -> None:
    """Quantity prevented while the amended order traded is off its total, and not held."""
    desk = Desk()
    order = desk.rest()
    desk.send(amend(order_id=order.order_id, price_e8=e8(110)))
    fills = (fill(e8(105), e8(2)),)
    answered = {"fills": fills, "prevented_e8": e8(3)}
    desk.answer(desk.book.current_seq, order.order_id, PARTIALLY_FILLED, **answered)
    assert order.quantity_e8 == e8(7)
    assert desk.reserved_e8() == e8(5 * 110)


# --- Replace --------------------------------------------------------------------------------------


def replacing(desk: Desk) -> tuple[Any, Any, int]:
    """Return an order of 1,000, the one of 500 to replace it, and the command sent."""
    old = desk.rest()
    new = desk.place(replace(order_id=old.order_id, quantity_e8=e8(5)))
    assert old.cancel_cause
    assert desk.reserved_e8() == e8(1500)
    return old, new, desk.book.current_seq


def test_an_accepted_replace_leaves_only_the_new_order() -> None:
    """The old one's reservation is given back."""
    desk = Desk()
    old, new, command_id = replacing(desk)
    desk.answer(command_id, new.order_id, NEW, ended=(Ended(old.order_id, CANCELED, 0),))
    assert (old.status, new.status) == (CANCELED, NEW)
    assert desk.book.orders == {new.order_id: new}
    assert desk.reserved_e8() == e8(500)


def test_a_replace_whose_new_order_is_refused_leaves_none() -> None:
    """The cancel worked, so both reservations are given back."""
    desk = Desk()
    old, new, command_id = replacing(desk)
    reason = Reason.ENGINE_WOULD_TAKE
    ended = (Ended(old.order_id, CANCELED, 0),)
    desk.refuse(command_id, reason, ended=ended, replaced_refusal=reason)
    assert (old.status, new.status) == (CANCELED, REJECTED)
    assert not desk.book.orders
    assert desk.reserved_e8() == 0


def test_a_replace_whose_cancel_fails_may_leave_both() -> None:
    """Where failure is allowed the new order is entered; the old one may be cancelled again."""
    desk = Desk()
    old, new, command_id = replacing(desk)
    desk.answer(command_id, new.order_id, NEW)
    assert list(desk.book.orders) == [old.order_id, new.order_id]
    assert old.cancel_cause == 0
    assert desk.reserved_e8() == e8(1500)


def test_a_failed_replace_leaves_the_old_order() -> None:
    """Nothing of the new one stays; the old one may be cancelled again."""
    desk = Desk()
    old, new, command_id = replacing(desk)
    desk.refuse(command_id, Reason.CANCEL_RESTRICTED)
    assert (old.status, old.cancel_cause, new.status) == (NEW, 0, REJECTED)
    assert desk.book.orders == {old.order_id: old}
    assert desk.reserved_e8() == e8(1000)


def test_a_replace_without_an_answer_keeps_both() -> None:
    """The new order's fate is unknown, and the old one's cancel may be asked for again."""
    desk = Desk()
    old, new, command_id = replacing(desk)
    desk.send(Deadline(command_id))
    assert (new.unknown, old.unknown, old.cancel_cause) == (True, False, 0)
    assert desk.reserved_e8() == e8(1500)
