"""Cancels that come too early under DEFER: held, carried out at expiry, and when they end before."""

from typing import Any

import msgspec
import pytest

from rules.book import OpenOrder
from rules.decisions import ACCEPTED, DEFERRED, NOTED, REFUSED, Decision
from rules.events import (
    BulkCancel,
    CancelAll,
    Deadline,
    Ended,
    EngineSession,
    OrderEnded,
    Request,
    SetState,
    SetSymbolState,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_ENGINE,
    CAUSE_KILL,
    IOC,
    MARKET,
    NS_PER_MS,
    NS_PER_SECOND,
    RESTRICT_NONE,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
    SCOPE_ACCOUNT,
    SCOPE_ORDER,
    STATE_KILLED,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.rules.desk import Desk, fill
from tests.rules.order_world import ACCOUNT, SYMBOL, amend, cancel, e8, replace

MINIMUM_NS = 500 * NS_PER_MS


def cancel_all() -> CancelAll:
    """Return a cancel of all the account's orders."""
    one = cancel()
    return CancelAll(*(getattr(one, name) for name in Request.__struct_fields__), symbol=0)


class HoldingDesk(Desk):
    """A desk whose rulebook defers cancels of orders younger than half a second."""

    def __init__(self, **clause: Any) -> None:
        super().__init__(
            {
                "known_order": {"mode": "enforce"},
                "resting_time": {"mode": "enforce", "policy": "DEFER", **clause},
            }
        )
        self.send(EngineSession(True, 1, 0))

    def ask(self, order: OpenOrder, **changes: Any) -> Decision:
        """Ask for the cancel of an order."""
        return self.send(cancel(order_id=order.order_id, **changes))

    def bring(self) -> list[Decision]:
        """Decide everything that is due now."""
        found = []
        while (due := self.pipeline.dues.next(self.now_ns)) is not None:
            assert isinstance(due, BulkCancel)
            found.append(self.send(due))
        return found

    def after(self, length_ns: int) -> list[Decision]:
        """Let time pass, and decide what is due then."""
        self.now_ns += length_ns
        return self.bring()

    def done(self, order: OpenOrder) -> None:
        """Let the engine carry out the cancel just sent."""
        ended = (Ended(order.order_id, CANCELED, order.filled_e8),)
        self.answer(self.book.current_seq, order.order_id, CANCELED, ended=ended)


def test_a_cancel_is_held_until_the_nanosecond() -> None:
    """It is answered as deferred, and becomes one command exactly at the minimum age."""
    desk = HoldingDesk()
    order = desk.rest()
    decision = desk.ask(order)
    assert (decision.verdict, decision.until_ns) == (DEFERRED, desk.now_ns + MINIMUM_NS)
    assert decision.deferred == (order.order_id,)
    assert order.order_id in desk.book.deferred
    asked_seq = desk.book.current_seq
    assert desk.after(MINIMUM_NS - 1) == []
    desk.now_ns += 1
    due = desk.pipeline.dues.next(desk.now_ns)
    assert due == BulkCancel(SCOPE_ORDER, order.order_id, 0, CAUSE_CLIENT, asked_seq)
    assert desk.bring() == [Decision(NOTED, cancels=(order.order_id,))]
    assert order.cancel_cause == CAUSE_CLIENT
    assert desk.bring() == []
    desk.done(order)
    assert order.status == CANCELED
    assert len(desk.book.deferred) == 0


def test_a_ripe_order_goes_at_once() -> None:
    """At the minimum age nothing is held; nor of an order in flight or one that never rests."""
    desk = HoldingDesk()
    ripe = desk.rest()
    desk.now_ns += MINIMUM_NS
    assert desk.ask(ripe).verdict == ACCEPTED
    assert desk.ask(desk.place()).verdict == ACCEPTED
    desk.last(e8(100))
    for terms in ({"time_in_force": IOC}, {"order_type": MARKET, "time_in_force": 0}):
        assert desk.ask(desk.rest(**terms)).verdict == ACCEPTED
    assert len(desk.book.deferred) == 0


def test_a_second_cancel_changes_nothing() -> None:
    """The answer names the same time, and the order is cancelled once."""
    desk = HoldingDesk()
    order = desk.rest()
    first = desk.ask(order)
    desk.now_ns += 1
    assert desk.ask(order).until_ns == first.until_ns
    assert len(desk.after(MINIMUM_NS - 1)) == 1
    desk.done(order)
    assert desk.after(10 * MINIMUM_NS) == []


@pytest.mark.parametrize("event", [amend(order_id=1, quantity_e8=e8(9)), replace(order_id=1)])
def test_amends_and_replaces_can_not_be_held(event: Any) -> None:
    """They are refused, told when they could pass, also while a cancel is held."""
    desk = HoldingDesk()
    order = desk.rest()
    for _ in range(2):
        decision = desk.send(event)
        assert decision.verdict == REFUSED
        breach = decision.breaches[0]
        assert (breach.reason, breach.limit) == (Reason.MINIMUM_RESTING_TIME, MINIMUM_NS)
        assert breach.retry_ns == desk.now_ns + MINIMUM_NS
        desk.ask(order)


# --- What ends it before --------------------------------------------------------------------------


def test_a_fill_ends_it() -> None:
    """What was executed whole is not cancelled; nothing is due any more."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    desk.trade(order, fill(order.price_e8, order.quantity_e8, maker=True))
    assert len(desk.book.deferred) == 0
    assert desk.after(MINIMUM_NS) == []


def test_only_the_rest_is_cancelled_after_a_fill() -> None:
    """A partial fill leaves the cancel standing for what is still open."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    desk.trade(order, fill(order.price_e8, order.quantity_e8 // 2, maker=True))
    assert [one.cancels for one in desk.after(MINIMUM_NS)] == [(order.order_id,)]
    desk.done(order)
    assert (order.status, order.filled_e8) == (CANCELED, order.quantity_e8 // 2)


def test_the_engine_ending_the_order_ends_it() -> None:
    """An order that expired or was taken off by the venue has no cancel left."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_ENGINE, 0))
    assert desk.after(MINIMUM_NS) == []


def test_a_kill_does_not_wait() -> None:
    """It cancels at once, and what was held is gone."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    desk.send(SetState(SCOPE_ACCOUNT, ACCOUNT, STATE_KILLED, "", ""))
    kill = desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_KILL, 0))
    assert kill.cancels == (order.order_id,)
    assert order.cancel_cause == CAUSE_KILL
    assert len(desk.book.deferred) == 0
    assert desk.after(MINIMUM_NS) == []


@pytest.mark.parametrize(
    ("restriction", "filled", "cancelled"),
    [
        (RESTRICT_ONLY_NEW, False, True),
        (RESTRICT_ONLY_NEW, True, False),
        (RESTRICT_ONLY_PARTIALLY_FILLED, True, True),
    ],
)
def test_a_restriction_holds_at_expiry(restriction: int, filled: bool, cancelled: bool) -> None:
    """A cancel of a new order is given up when the order was partially filled meanwhile."""
    desk = HoldingDesk()
    order = desk.rest()
    part = fill(order.price_e8, order.quantity_e8 // 2, maker=True)
    if restriction == RESTRICT_ONLY_PARTIALLY_FILLED:
        desk.trade(order, part)
    assert desk.ask(order, restriction=restriction).verdict == DEFERRED
    if filled and restriction == RESTRICT_ONLY_NEW:
        desk.trade(order, part)
    (decision,) = desk.after(MINIMUM_NS)
    assert decision.cancels == ((order.order_id,) if cancelled else ())
    if not cancelled:
        assert len(desk.book.deferred) == 0
        assert desk.after(10 * NS_PER_SECOND) == []


@pytest.mark.parametrize("later", [RESTRICT_NONE, RESTRICT_ONLY_PARTIALLY_FILLED])
@pytest.mark.parametrize("filled", [False, True])
def test_a_later_cancel_widens_the_one_that_is_held(later: int, filled: bool) -> None:
    """Whatever status the order is in by then, one of the two cancels means it."""
    desk = HoldingDesk()
    order = desk.rest()
    assert desk.ask(order, restriction=RESTRICT_ONLY_NEW).verdict == DEFERRED
    if filled or later:
        desk.trade(order, fill(order.price_e8, order.quantity_e8 // 2, maker=True))
    assert desk.ask(order, restriction=later).verdict == DEFERRED
    if filled and not later:
        desk.trade(order, fill(order.price_e8, order.quantity_e8 // 4, maker=True))
    (decision,) = desk.after(MINIMUM_NS)
    assert decision.cancels == (order.order_id,)


def test_the_engine_may_see_the_fill_first() -> None:
    """A cancel the engine refuses for its restriction is given up."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order, restriction=RESTRICT_ONLY_NEW)
    desk.after(MINIMUM_NS)
    desk.refuse(desk.book.current_seq, Reason.CANCEL_RESTRICTED)
    assert order.order_id in desk.book.orders
    assert len(desk.book.deferred) == 0


# --- Time and the engine --------------------------------------------------------------------------


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_halt_stops_the_age(asked_before: bool) -> None:
    """Only the time in which the order could be matched counts, whenever the cancel was asked."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.now_ns += 100 * NS_PER_MS
    if asked_before:
        desk.ask(order)
    desk.send(SetSymbolState(SYMBOL, SYMBOL_HALT, "", ""))
    if not asked_before:
        desk.ask(order)
    assert desk.after(3_600 * NS_PER_SECOND) == []
    desk.send(SetSymbolState(SYMBOL, SYMBOL_TRADING, "", ""))
    assert desk.after(MINIMUM_NS - 100 * NS_PER_MS - 1) == []
    assert len(desk.after(1)) == 1


def test_a_halt_does_not_hold_what_is_old_enough() -> None:
    """A cancel that is due in the very moment of the halt is carried out."""
    desk = HoldingDesk()
    desk.ask(desk.rest())
    desk.now_ns += MINIMUM_NS
    desk.send(SetSymbolState(SYMBOL, SYMBOL_HALT, "", ""))
    assert len(desk.bring()) == 1


@pytest.mark.parametrize("lost", [True, False])
def test_a_cancel_that_failed_is_tried_again(lost: bool) -> None:
    """After a second, whether the engine refused it or did not answer in time."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    assert len(desk.after(MINIMUM_NS)) == 1
    if lost:
        desk.send(Deadline(desk.book.current_seq))
    else:
        desk.refuse(desk.book.current_seq, Reason.ENGINE_UNAVAILABLE)
    assert desk.after(NS_PER_SECOND - 1) == []
    assert len(desk.after(1)) == 1
    desk.done(order)
    assert desk.after(NS_PER_SECOND) == []


def test_nothing_is_sent_to_an_engine_that_is_not_there() -> None:
    """It is due as soon as the engine is back."""
    desk = HoldingDesk()
    desk.ask(desk.rest())
    desk.send(EngineSession(False, 1, 0))
    assert desk.after(MINIMUM_NS) == []
    assert desk.after(MINIMUM_NS) == []
    desk.send(EngineSession(True, 1, 0))
    assert len(desk.bring()) == 1


def test_an_engine_that_lost_its_orders_ends_it() -> None:
    """A new epoch ends the order and what is held for it."""
    desk = HoldingDesk()
    desk.ask(desk.rest())
    desk.send(EngineSession(True, 2, 0))
    assert len(desk.book.deferred) == 0
    assert desk.after(MINIMUM_NS) == []


def test_they_come_in_the_order_of_their_times() -> None:
    """The order asked for first is second when it is younger."""
    desk = HoldingDesk()
    older = desk.rest()
    desk.now_ns += 1
    younger = desk.rest()
    desk.ask(younger)
    desk.ask(older)
    cancelled = [one.cancels for one in desk.after(MINIMUM_NS)]
    assert cancelled == [(older.order_id,), (younger.order_id,)]


# --- All orders -----------------------------------------------------------------------------------


def test_a_cancel_of_all_holds_the_young_ones() -> None:
    """The ripe go at once; the others are named as held and go at their own time."""
    desk = HoldingDesk()
    ripe = desk.rest()
    desk.now_ns += MINIMUM_NS
    young = desk.rest()
    desk.now_ns += 1
    decision = desk.send(cancel_all())
    assert decision.verdict == ACCEPTED
    assert (decision.cancels, decision.deferred) == ((ripe.order_id,), (young.order_id,))
    assert [one.cancels for one in desk.after(MINIMUM_NS - 1)] == [(young.order_id,)]


def test_a_cancel_of_all_is_deferred_when_all_are_young() -> None:
    """Until the youngest may go; asked again it names them again."""
    desk = HoldingDesk()
    first = desk.rest()
    desk.now_ns += 5
    second = desk.rest()
    until_ns = desk.now_ns + MINIMUM_NS
    for _ in range(2):
        decision = desk.send(cancel_all())
        assert (decision.verdict, decision.until_ns) == (DEFERRED, until_ns)
        assert decision.deferred == (first.order_id, second.order_id)
        assert decision.cancels == ()
    assert len(desk.after(MINIMUM_NS)) == 2


def test_a_later_slice_holds_what_has_become_young() -> None:
    """An order that an amend has made young since the first slice is held, and not lost."""
    desk = HoldingDesk()
    order = desk.rest()
    asked_seq = desk.book.current_seq
    more = BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_CLIENT, asked_seq)
    assert desk.send(more).deferred == (order.order_id,)
    assert desk.send(more).deferred == ()
    assert len(desk.after(MINIMUM_NS)) == 1


# --- Stored and replayed --------------------------------------------------------------------------


def restored(desk: Desk) -> Pipeline:
    """Return a pipeline of the desk's state, as a snapshot would carry it."""
    stored = msgspec.msgpack.encode(desk.pipeline.state())
    pipeline = Pipeline(desk.pipeline.rulebook)
    pipeline.restore(msgspec.msgpack.decode(stored))
    assert msgspec.msgpack.encode(pipeline.state()) == stored
    return pipeline


def test_a_restart_keeps_what_is_held() -> None:
    """It is carried out when its time has come and the engine is there, and not before."""
    desk = HoldingDesk()
    first, second = desk.rest(), desk.rest()
    desk.ask(first)
    desk.now_ns += 1
    desk.ask(second, restriction=RESTRICT_ONLY_NEW)
    desk.pipeline = restored(desk)
    assert desk.after(MINIMUM_NS) == []
    desk.send(EngineSession(True, 1, 0))
    assert [one.cancels for one in desk.bring()] == [(first.order_id,), (second.order_id,)]


def test_a_restart_while_the_cancel_is_on_its_way() -> None:
    """The engine's word settles it; without one it is tried again."""
    desk = HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    desk.after(MINIMUM_NS)
    command_id = desk.book.current_seq
    desk.pipeline = restored(desk)
    desk.send(EngineSession(True, 1, 0))
    assert desk.after(10 * NS_PER_SECOND) == []
    desk.refuse(command_id, Reason.ENGINE_UNAVAILABLE)
    assert len(desk.after(NS_PER_SECOND)) == 1


def test_a_replay_does_not_ask_what_is_due() -> None:
    """State follows the recorded events, and comes out the same."""
    desk, replayed = HoldingDesk(), HoldingDesk()
    order = desk.rest()
    desk.ask(order)
    desk.after(MINIMUM_NS)
    desk.done(order)
    same = replayed.rest()
    replayed.ask(same)
    asked_seq = replayed.book.current_seq
    replayed.now_ns += MINIMUM_NS
    replayed.send(BulkCancel(SCOPE_ORDER, same.order_id, 0, CAUSE_CLIENT, asked_seq))
    replayed.done(same)
    assert replayed.pipeline.state() == desk.pipeline.state()
