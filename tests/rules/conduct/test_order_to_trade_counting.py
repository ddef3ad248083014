"""What counts towards the order-to-trade ratio: messages of clients, executions and deletions."""

import pytest

from rules.book import Book
from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Decision
from rules.deferred_cancels import HeldCancel
from rules.endpoints import Endpoint
from rules.events import (
    BulkCancel,
    CancelAll,
    CommandResult,
    Ended,
    EngineSession,
    Replace,
)
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_DISCONNECT,
    CAUSE_EXPIRY,
    CAUSE_HALT,
    CAUSE_KILL,
    CAUSE_REPLACE,
    CAUSE_SELF_TRADE,
    E8,
    EXPIRED,
    FILLED,
    FLAG_TEST,
    FOK,
    GTC,
    IOC,
    LIMIT,
    NEW,
    NS_PER_DAY,
)
from tests.rules.conduct.ratio_desk import (
    ACCOUNT,
    MAKER_ACCOUNT,
    MAKER_OWNER,
    NOW_NS,
    OTHER_SYMBOL,
    OWNER,
    REJECTED_BY,
    SYMBOL,
    AddOrder,
    Desk,
    amend,
    cancel,
    head,
    place,
    rule,
)


@pytest.fixture
def desk(book: Book, add_order: AddOrder) -> Desk:
    """Return a desk whose rule has no maximum."""
    return Desk(rule(), book, add_order)


def test_a_limit_order_and_its_cancel(desk: Desk) -> None:
    """Each counts 1; the volume is what was submitted and what was deleted."""
    order = desk.place()
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)
    desk.trade(order, 3 * E8)
    desk.cancel(order)
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 17 * E8)
    assert (desk.counts.trades, desk.counts.volume_traded_e8) == (1, 3 * E8)
    assert (desk.counts.orders, desk.counts.cancels, desk.counts.amends) == (1, 1, 0)


def test_a_modification_counts_two(desk: Desk) -> None:
    """It is a deletion of what was left and a submission of what is left then."""
    order = desk.place()
    desk.trade(order, 4 * E8)
    desk.amend(order, 12 * E8)
    assert (desk.counts.number, desk.counts.volume_e8) == (3, 10 * E8)
    desk.amended(order, 12 * E8)
    assert desk.counts.volume_e8 == (10 + 6 + 8) * E8
    assert desk.counts.amends == 1


def test_two_modifications_in_flight(desk: Desk) -> None:
    """Each is counted from the quantity the one before left."""
    order = desk.place()
    desk.amend(order, 8 * E8)
    desk.amend(order, 3 * E8)
    desk.amended(order, 8 * E8)
    desk.amended(order, 3 * E8)
    assert (desk.counts.number, desk.counts.volume_e8) == (5, (10 + 10 + 8 + 8 + 3) * E8)


def test_a_refused_modification_between_two(desk: Desk) -> None:
    """It adds no volume, and the next one still starts from the true quantity."""
    order = desk.place()
    desk.amend(order, 8 * E8)
    desk.amend(order, 3 * E8)
    desk.amended(order, 8 * E8, accepted=False)
    desk.amended(order, 3 * E8)
    assert desk.counts.volume_e8 == (10 + 10 + 3) * E8
    assert desk.counts.rejected == 2


@pytest.mark.parametrize("time_in_force", [IOC, FOK])
@pytest.mark.parametrize(
    ("fills_e8", "status", "number", "volume_e8"),
    [
        ((10 * E8,), FILLED, 1, 10 * E8),
        ((4 * E8, 2 * E8), EXPIRED, 2, 14 * E8),
        ((), EXPIRED, 2, 20 * E8),
    ],
)
def test_immediate_orders_count_twice_when_their_rest_is_deleted(
    desk: Desk,
    time_in_force: int,
    fills_e8: tuple[int, ...],
    status: int,
    number: int,
    volume_e8: int,
) -> None:
    """The unexecuted part is a deletion; each partial execution is a transaction."""
    desk.place(time_in_force, fills_e8, status)
    assert (desk.counts.number, desk.counts.volume_e8) == (number, volume_e8)
    assert desk.counts.trades == len(fills_e8)


def test_what_self_trade_prevention_takes_off_does_not_count(desk: Desk) -> None:
    """Neither the message nor the volume of a deletion the client did not ask for."""
    desk.place(IOC, (4 * E8,), EXPIRED, prevented_e8=6 * E8)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


def test_a_grain_prevented_hides_no_deletion(desk: Desk) -> None:
    """Of 10, one grain met an order of one's own and the rest was deleted: 2 messages."""
    desk.place(IOC, (), EXPIRED, prevented_e8=1)
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 20 * E8 - 1)


def test_a_market_order_counts_one(desk: Desk) -> None:
    """Whatever happens to its rest."""
    desk.place(0, (4 * E8,), EXPIRED)
    assert desk.counts.number == 1


@pytest.mark.parametrize("cause", [CAUSE_KILL, CAUSE_DISCONNECT, CAUSE_HALT])
def test_bulk_cancels_of_the_gate_do_not_count(desk: Desk, cause: int) -> None:
    """Art. 1(a): kill, lost session; and halts."""
    order = desk.place()
    desk.note(BulkCancel(3, OWNER, 0, cause, 1), Decision(ACCEPTED, cancels=(order.order_id,)))
    desk.deleted(order, cause)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


@pytest.mark.parametrize("cause", [CAUSE_SELF_TRADE, CAUSE_EXPIRY, CAUSE_KILL])
def test_ends_nobody_asked_for_do_not_count(desk: Desk, cause: int) -> None:
    """Self-trade prevention, expiry and the like."""
    desk.end(desk.place(), cause)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


def test_a_cancel_on_another_way_in_counts(desk: Desk) -> None:
    """The client cancelled in the web page: one message and the rest's volume."""
    desk.end(desk.place(), CAUSE_CLIENT)
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 20 * E8)


def test_a_bulk_cancel_counts_each_order_it_deletes(desk: Desk) -> None:
    """In all its slices; one that finds nothing is still one message."""
    orders = [desk.place() for _ in range(3)]
    event = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    first, second, third = (order.order_id for order in orders)
    desk.note(event, Decision(ACCEPTED, cancels=(first, second), more=True))
    desk.note(BulkCancel(4, ACCOUNT, SYMBOL, CAUSE_CLIENT, 1), Decision(ACCEPTED, cancels=(third,)))
    assert (desk.counts.number, desk.counts.cancels) == (6, 3)
    desk.note(event, Decision(ACCEPTED))
    assert desk.counts.number == 7


def test_a_replacement_is_a_cancel_and_an_order(desk: Desk) -> None:
    """Number 2; volume of the deleted rest and of the new order."""
    old = desk.place()
    new = desk._add_order(90, 0, command_id=900)
    event = Replace(
        *head(Endpoint.ORDER_CANCEL_REPLACE),
        SYMBOL, old.order_id, "", BUY, LIMIT, GTC, 100 * E8, 10 * E8, 0,
    )  # fmt: skip
    desk.note(event, Decision(ACCEPTED, order_id=new.order_id))
    old.cancel_cause = CAUSE_REPLACE
    desk._end(old)
    ended = (Ended(old.order_id, CANCELED, 0),)
    desk.note(CommandResult(900, 90, True, None, NEW, NOW_NS, (), ended))
    assert (desk.counts.number, desk.counts.volume_e8) == (3, 30 * E8)
    assert (desk.counts.orders, desk.counts.cancels) == (2, 1)


@pytest.mark.parametrize(("option", "counted"), [("true", 1), ("false", 0)])
def test_refused_messages(book: Book, add_order: AddOrder, option: str, counted: int) -> None:
    """They count by number if the clause says so, never by volume, and always beside."""
    desk = Desk(rule(f"count_rejects = {option}"), book, add_order)
    order = desk.place()
    for event in (place(), cancel(order.order_id), amend(order.order_id, E8)):
        desk.note(event, Decision(REFUSED, REJECTED_BY))
    bulk = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    desk.note(bulk, Decision(REFUSED, REJECTED_BY))
    assert (desk.counts.number, desk.counts.rejected) == (1 + 5 * counted, 5)
    assert desk.counts.volume_e8 == 10 * E8
    assert desk.counts.orders == 1


@pytest.mark.parametrize(("option", "number"), [("true", 3), ("false", 1)])
def test_messages_the_engine_refuses(
    book: Book, add_order: AddOrder, option: str, number: int
) -> None:
    """They are refused messages too: taken back unless the clause counts refusals."""
    desk = Desk(rule(f"count_rejects = {option}"), book, add_order)
    order = desk.place()
    desk.answer(desk.send(), accepted=False, status=0)
    desk.cancel(order, accepted=False)
    assert (desk.counts.number, desk.counts.rejected) == (number, 2)
    assert desk.counts.volume_e8 == 10 * E8


def test_a_cancel_that_comes_after_the_last_fill(desk: Desk) -> None:
    """The engine refuses it; it stays counted and nothing waits for an answer any more."""
    order = desk.place()
    desk.note(cancel(order.order_id), Decision(ACCEPTED, order_id=order.order_id))
    desk.trade(order, 10 * E8)
    desk.deleted(order, CAUSE_CLIENT, accepted=False)
    assert (desk.counts.number, desk.counts.rejected) == (2, 1)
    assert desk.counts.volume_e8 == 10 * E8
    assert desk.rule.state()["in_flight"] == []


def test_a_cancel_confirmed_after_its_deadline(desk: Desk) -> None:
    """The book no longer knows the cause; a command about one order was its client's."""
    order = desk.place()
    desk.note(cancel(order.order_id), Decision(ACCEPTED, order_id=order.order_id))
    desk._end(order)
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.note(CommandResult(9, order.order_id, True, None, CANCELED, NOW_NS, (), ended))
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 20 * E8)


def test_a_deferred_cancel_waits_for_no_answer(desk: Desk) -> None:
    """It counts as a message; no command was sent yet."""
    order = desk.place()
    desk.note(cancel(order.order_id), Decision(DEFERRED, order_id=order.order_id))
    assert desk.counts.number == 2
    assert desk.rule.state()["in_flight"] == []


def test_a_deferred_cancel_of_all_counts_each_order(desk: Desk) -> None:
    """Two are held and one goes: 3 messages; asked again, what is held already is one message."""
    first, second, old = (desk.place() for _ in range(3))
    event = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    held = (first.order_id, second.order_id)
    desk.book.current_seq = 70
    for order_id in held:
        desk.book.deferred.hold(HeldCancel(order_id, SYMBOL, 70, NOW_NS, 1, 0), NOW_NS + 1)
    desk.note(event, Decision(ACCEPTED, cancels=(old.order_id,), deferred=held))
    assert (desk.counts.number, desk.counts.cancels) == (6, 3)
    desk.book.current_seq = 71
    desk.note(event, Decision(DEFERRED, deferred=held))
    assert (desk.counts.number, desk.counts.cancels) == (7, 3)
    later = BulkCancel(4, ACCOUNT, SYMBOL, CAUSE_CLIENT, 70)
    desk.note(later, Decision(ACCEPTED, deferred=(desk.place().order_id,)))
    assert (desk.counts.number, desk.counts.cancels) == (9, 4)


def test_an_answer_that_is_late_is_counted_once(desk: Desk) -> None:
    """A missed deadline says nothing about the order; the answer that settles it does."""
    order = desk.send()
    desk.note(CommandResult(order.command_id, order.order_id, True, None, 0, NOW_NS, unknown=True))
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 0)
    desk.answer(order)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


def test_a_new_epoch_forgets_answers_that_will_not_come(desk: Desk) -> None:
    """Orders the engine lost are answered no more; others still are."""
    lost, kept = desk.place(), desk.place()
    desk.amend(lost, 5 * E8)
    desk.amend(kept, 5 * E8)
    desk._end(lost)
    desk.note(EngineSession(connected=True, epoch=2, engine_seq=0))
    desk.amended(kept, 5 * E8)
    assert desk.rule.state()["in_flight"] == []
    assert desk.counts.volume_e8 == (10 + 10 + 10 + 5) * E8


def test_nothing_is_taken_back_from_a_later_session(book: Book, add_order: AddOrder) -> None:
    """A message counted yesterday and refused today leaves today's count alone."""
    desk = Desk(rule("count_rejects = false"), book, add_order)
    resting = desk.place()
    late = desk.send()
    desk.amend(resting, 5 * E8)
    desk.now_ns += NS_PER_DAY
    desk.place()
    desk.answer(late, accepted=False, status=0)
    desk.amended(resting, 5 * E8, accepted=False)
    assert desk.counts.number == 1


def test_test_orders_and_unknown_keys_do_not_count(desk: Desk) -> None:
    """A test order enters nothing; an unknown key has no owner."""
    desk.note(place(flags=FLAG_TEST), Decision(ACCEPTED))
    desk.note(place(key=77), Decision(REFUSED, REJECTED_BY))
    assert desk.counts.number == 0


def test_owners_and_symbols_are_counted_apart(desk: Desk) -> None:
    """An owner's counts do not touch another's."""
    desk.place()
    desk.place(account=MAKER_ACCOUNT)
    assert desk.rule.counts(MAKER_OWNER, SYMBOL).number == 1
    assert desk.counts.number == 1
    assert desk.rule.counts(OWNER, OTHER_SYMBOL).number == 0
