"""What decisions carry, and what of them is booked."""

from typing import Any

import pytest

from rules.booking import SLICE, derived_client_order_id
from rules.decisions import ACCEPTED, DEFERRED, NOTED, REFUSED, Breach, Decision
from rules.events import BulkCancel, CancelAll, DefineKey, Event, Reference
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_KILL,
    FLAG_TEST,
    NS_PER_MS,
    PERMIT_TRADE,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_ORDER,
    SCOPE_OWNER,
    SCOPE_SESSION,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    SELL,
)
from tests.rules.desk import Desk
from tests.rules.order_world import (
    ACCOUNT,
    KEY,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    OWNER,
    QUOTE,
    SYMBOL,
    amend,
    cancel,
    e8,
    place,
    replace,
)

MINIMUM_NS = 500 * NS_PER_MS
RESTING: dict[str, Any] = {"mode": "enforce", "minimum": "500ms", "algo_only": False}


def cancel_all(symbol: int = 0, key: int = KEY) -> CancelAll:
    """Return a client's cancel of all its orders."""
    asked = cancel(key=key)
    fields = {name: getattr(asked, name) for name in CancelAll.__struct_fields__}
    return CancelAll(**{**fields, "symbol": symbol})


def bulk(scope: int, subject: int, symbol: int = 0, origin_seq: int = 0) -> BulkCancel:
    """Return one slice of a kill."""
    return BulkCancel(scope, subject, symbol, CAUSE_KILL, origin_seq)


# --- Placing --------------------------------------------------------------------------------------


def test_an_accepted_order_gets_the_next_number() -> None:
    """The decision names order, account, owner and the best prices of its time."""
    desk = Desk()
    desk.send(Reference(SYMBOL, desk.now_ns, 0, 0, e8(99), e8(1), e8(101), e8(1)))
    number = desk.book.next_order_id
    decision = desk.send(place(client_order_id="mine"))
    assert decision.verdict == ACCEPTED
    assert (decision.order_id, decision.account, decision.owner) == (number, ACCOUNT, OWNER)
    assert (decision.bid_e8, decision.ask_e8) == (e8(99), e8(101))
    assert decision.client_order_id == ""
    order = desk.book.find_order(ACCOUNT, SYMBOL, 0, "mine")
    assert order is desk.book.orders[number]
    assert order.command_id == desk.book.current_seq
    assert desk.book.next_order_id == number + 1


@pytest.mark.parametrize("make", [place, replace])
def test_an_order_without_a_client_order_id_gets_one(make: Any) -> None:
    """It is made from the order id, 22 characters long, and the order is found by it."""
    desk = Desk()
    desk.rest()
    decision = desk.send(make())
    assert decision.client_order_id == derived_client_order_id(decision.order_id)
    assert len(decision.client_order_id) == 22
    found = desk.book.find_order(ACCOUNT, SYMBOL, 0, decision.client_order_id)
    assert found is desk.book.orders[decision.order_id]


def test_derived_client_order_ids_differ_up_to_the_largest_number() -> None:
    """Every order id of 63 bits has its own, of one length, in the order of the numbers."""
    numbers = (1, 9, 10, 2**63 - 1)
    names = [derived_client_order_id(number) for number in numbers]
    assert names == sorted(set(names))
    assert {len(name) for name in names} == {22}


@pytest.mark.parametrize("client_order_id", ["", "mine"])
def test_a_test_order_books_nothing(client_order_id: str) -> None:
    """It is accepted, and no number, order, reservation or expected answer comes of it."""
    desk = Desk()
    number = desk.book.next_order_id
    decision = desk.send(place(flags=FLAG_TEST, client_order_id=client_order_id))
    assert (decision.verdict, decision.order_id) == (ACCEPTED, 0)
    assert decision.client_order_id == ""
    assert desk.book.next_order_id == number
    assert not desk.book.orders
    assert not desk.book.client_ids
    assert desk.reserved_e8() == 0
    assert not desk.pipeline.booking.settlement.pending


def test_a_test_order_is_checked() -> None:
    """What would refuse a real order refuses a test order."""
    desk = Desk({"balance": {"mode": "enforce"}})
    decision = desk.send(place(flags=FLAG_TEST, price_e8=e8(1_000_000)))
    assert decision.verdict == REFUSED


@pytest.mark.parametrize(("key", "named"), [(KEY, True), (OTHER_KEY, False)])
@pytest.mark.parametrize("make", [cancel, amend])
def test_a_cancel_or_amend_names_the_order_it_was_found_to_mean(
    make: Any, key: int, named: bool
) -> None:
    """Another account's order is not found, and nothing is booked for it."""
    desk = Desk()
    order = desk.rest(client_order_id="mine")
    decision = desk.send(make(key=key, order_id=0, orig_client_order_id="mine"))
    assert decision.order_id == (order.order_id if named else 0)
    assert bool(desk.pipeline.booking.settlement.pending) is named


def test_a_replace_names_both_orders() -> None:
    """The new one by its number, the old one among those to be cancelled; unknown ones are not."""
    desk = Desk()
    old = desk.rest()
    decision = desk.send(replace(order_id=old.order_id))
    assert (decision.cancels, decision.order_id) == ((old.order_id,), old.order_id + 1)
    assert desk.send(replace(order_id=999)).cancels == ()


def test_a_refusal_names_the_order_meant() -> None:
    """A cancel that is refused tells which order it was about, and leaves it alone."""
    desk = Desk({"resting_time": RESTING})
    order = desk.rest()
    decision = desk.send(cancel(order_id=order.order_id))
    assert (decision.verdict, decision.order_id) == (REFUSED, order.order_id)
    assert order.cancel_cause == 0


def test_a_deferred_cancel_books_nothing_yet() -> None:
    """It names its time; the order may still be cancelled by others."""
    desk = Desk({"resting_time": {**RESTING, "policy": "DEFER"}})
    order = desk.rest()
    decision = desk.send(cancel(order_id=order.order_id))
    assert (decision.verdict, decision.until_ns) == (DEFERRED, desk.now_ns + MINIMUM_NS)
    assert order.cancel_cause == 0


# --- Cancelling many ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [SLICE - 1, SLICE, SLICE + 1])
def test_a_cancel_of_all_takes_one_slice(count: int) -> None:
    """256 at a time, oldest first; there is more only when an order is left over."""
    desk = Desk()
    orders = [desk.rest(quantity_e8=e8(1)) for _ in range(count)]
    decision = desk.send(cancel_all())
    assert decision.cancels == tuple(order.order_id for order in orders[:SLICE])
    assert decision.more is (count > SLICE)
    assert {order.cancel_cause for order in orders[:SLICE]} == {CAUSE_CLIENT}
    rest = desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_CLIENT, 0))
    assert rest.cancels == tuple(order.order_id for order in orders[SLICE:])
    assert (rest.verdict, rest.more) == (NOTED, False)


@pytest.mark.parametrize(
    ("symbol", "chosen"), [(0, (0, 1)), (SYMBOL, (0,)), (OTHER_SYMBOL, (1,)), (99, ())]
)
def test_a_cancel_of_all_keeps_to_account_and_symbol(symbol: int, chosen: tuple[int, ...]) -> None:
    """Orders of the owner's other account stay."""
    desk = Desk()
    orders = [desk.rest(), desk.rest(symbol=OTHER_SYMBOL), desk.rest(key=OTHER_KEY)]
    decision = desk.send(cancel_all(symbol))
    assert decision.cancels == tuple(orders[index].order_id for index in chosen)


def test_an_order_being_cancelled_is_not_cancelled_again() -> None:
    """Once the engine refused to cancel it, it is taken again."""
    desk = Desk()
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    command_id = desk.book.current_seq
    assert desk.send(cancel_all()).cancels == ()
    desk.refuse(command_id, Reason.CANCEL_RESTRICTED)
    assert desk.send(cancel_all()).cancels == (order.order_id,)


@pytest.mark.parametrize(
    ("scope", "subject", "chosen"),
    [
        (SCOPE_VENUE, 0, (0, 1, 2, 3)),
        (SCOPE_SYMBOL, SYMBOL, (0, 2, 3)),
        (SCOPE_OWNER, OWNER, (0, 1, 2, 3)),
        (SCOPE_OWNER, OWNER + 1, ()),
        (SCOPE_ACCOUNT, ACCOUNT, (0, 1, 3)),
        (SCOPE_KEY, KEY, (0, 1)),
        (SCOPE_SESSION, 6, (1,)),
        (SCOPE_ORDER, 2, (1,)),
        (SCOPE_ORDER, 99, ()),
    ],
)
def test_a_bulk_cancel_keeps_to_its_scope(
    scope: int, subject: int, chosen: tuple[int, ...]
) -> None:
    """Four orders: the first two of one key, then another account's, then another key's."""
    desk = Desk()
    desk.send(DefineKey(9, "k9", ACCOUNT, PERMIT_TRADE, (), 0))
    orders = [
        desk.rest(),
        desk.rest(symbol=OTHER_SYMBOL, session=6),
        desk.rest(key=OTHER_KEY),
        desk.rest(key=9),
    ]
    assert [order.order_id for order in orders] == [1, 2, 3, 4]
    decision = desk.send(bulk(scope, subject))
    assert decision.cancels == tuple(orders[index].order_id for index in chosen)


def test_a_bulk_cancel_leaves_orders_placed_after_it_was_asked_for() -> None:
    """The order of the very event that asked for it is still meant."""
    desk = Desk()
    first, second = desk.rest(), desk.rest()
    origin_seq = first.command_id
    assert desk.send(bulk(SCOPE_VENUE, 0, origin_seq=origin_seq)).cancels == (first.order_id,)
    assert desk.send(bulk(SCOPE_VENUE, 0)).cancels == (second.order_id,)


def test_orders_that_have_not_rested_long_enough_are_left_out() -> None:
    """A client's cancel of all takes the ripe one, to the nanosecond; a kill takes both."""
    desk = Desk({"resting_time": RESTING})
    ripe = desk.rest()
    desk.now_ns += 1
    young = desk.rest()
    desk.now_ns += MINIMUM_NS - 1
    decision = desk.send(cancel_all())
    assert (decision.verdict, decision.cancels) == (ACCEPTED, (ripe.order_id,))
    assert not decision.more
    assert desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_CLIENT, 0)).cancels == ()
    assert desk.send(bulk(SCOPE_ACCOUNT, ACCOUNT)).cancels == (young.order_id,)


def test_a_cancel_of_all_is_refused_when_every_order_is_too_young() -> None:
    """One nanosecond later it is accepted."""
    desk = Desk({"resting_time": RESTING})
    order = desk.rest()
    desk.now_ns += MINIMUM_NS - 1
    assert desk.send(cancel_all()).verdict == REFUSED
    desk.now_ns += 1
    assert desk.send(cancel_all()).cancels == (order.order_id,)


def test_resting_time_in_shadow_leaves_nothing_out() -> None:
    """A rule that does not refuse does not spare orders either."""
    desk = Desk({"resting_time": {**RESTING, "mode": "shadow"}})
    order = desk.rest()
    decision = desk.send(cancel_all())
    assert decision.cancels == (order.order_id,)
    assert len(decision.shadows) == 1


# --- Following another decision -------------------------------------------------------------------


def test_a_course_that_accepts_is_followed() -> None:
    """The order is booked under the given number and id; the decision returned is one's own."""
    desk = Desk({"balance": {"mode": "enforce"}})
    course = Decision(ACCEPTED, order_id=77, account=ACCOUNT, client_order_id="given")
    own = desk.send(place(price_e8=e8(1_000_000)), course)
    assert own.verdict == REFUSED
    order = desk.book.orders[77]
    assert (order.client_order_id, order.price_limit_e8) == ("given", 0)
    assert desk.balance(QUOTE).reserved_e8 == e8(10_000_000)
    assert desk.book.next_order_id == 78
    desk.refuse(order.command_id, Reason.ENGINE_INSUFFICIENT_BALANCE)
    assert desk.reserved_e8() == 0


def test_a_course_that_refuses_is_followed() -> None:
    """Nothing is booked though the pipeline itself would have accepted."""
    desk = Desk()
    breach = Breach("balance", Reason.INSUFFICIENT_BALANCE, 0, 1)
    own = desk.send(place(), Decision(REFUSED, (breach,)))
    assert own.verdict == ACCEPTED
    assert not desk.book.orders
    assert desk.reserved_e8() == 0


@pytest.mark.parametrize("event", [cancel_all(), bulk(SCOPE_ACCOUNT, ACCOUNT)])
def test_a_course_decides_which_orders_are_cancelled(event: Event) -> None:
    """Orders it names that are not open are passed over; those it does not name stay."""
    desk = Desk()
    named, other = desk.rest(), desk.rest(side=SELL)
    own = desk.send(event, Decision(ACCEPTED, cancels=(named.order_id, 999)))
    assert own.cancels == (named.order_id, other.order_id)
    assert named.cancel_cause
    assert other.cancel_cause == 0
    desk.answer(desk.book.current_seq, 0, CANCELED)
    assert named.cancel_cause == 0


def test_a_course_that_cancels_what_is_not_there_changes_nothing() -> None:
    """Neither a single cancel, an amend nor a replace stumbles over an unknown order."""
    desk = Desk()
    desk.send(cancel(order_id=999), Decision(ACCEPTED, order_id=999))
    desk.send(amend(order_id=999), Decision(ACCEPTED, order_id=999))
    assert not desk.pipeline.booking.settlement.pending
    desk.send(replace(order_id=999), Decision(ACCEPTED, order_id=5, cancels=(999,)))
    assert list(desk.book.orders) == [5]
    assert OTHER_ACCOUNT not in desk.book.orders_by_account
