"""Deferred cancels at the core: brought by time, through the one door, each with its own record."""

from gateway.engine.faults import Fault, Faults
from gateway.rulebooks import load_rulebook
from rules.decisions import DEFERRED, NOTED
from rules.events import BulkCancel, Cancel, CommandResult, Deadline, Query, SetState
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_KILL,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_ORDER,
    STATE_KILLED,
)
from tests.gateway.core_world import ALICE, DEADLINE_NS, PRICE, CoreWorld

MINIMUM_NS = 500 * NS_PER_MS


def world_of(faults: Faults | None = None) -> CoreWorld:
    """Return a world whose orders must rest for half a second, with cancels deferred."""
    resting = {"mode": "enforce", "policy": "DEFER", "minimum": "500ms"}
    rulebook = load_rulebook("bench").with_changes({"rules": {"resting_time": resting}})
    return CoreWorld(rulebook, faults)


def test_time_brings_a_deferred_cancel() -> None:
    """It is answered at once; at expiry a tick decides, records and sends it, in this order."""
    world = world_of()
    placed = world.place()
    order_id = placed.decision.order_id
    (asked,) = world.ask(world.cancel_event(order_id))
    assert (asked.decision.verdict, asked.result) == (DEFERRED, None)
    world.wait(MINIMUM_NS - 1)
    assert world.recorder.events(BulkCancel) == []
    recorded = len(world.recorder.records)
    world.wait(1)
    due, result = world.recorder.records[recorded:][:2]
    assert due.event == BulkCancel(SCOPE_ORDER, order_id, 0, CAUSE_CLIENT, asked.seq)
    assert (due.decision.verdict, due.decision.cancels) == (NOTED, (order_id,))
    assert isinstance(result.event, CommandResult)
    assert (result.event.command_id, result.event.status) == (due.seq, CANCELED)
    assert order_id not in world.core.book.orders


def test_what_is_due_comes_before_the_next_request() -> None:
    """A request at the moment of expiry comes after the cancel, without any tick before."""
    world = world_of()
    order_id = world.place().decision.order_id
    world.ask(world.cancel_event(order_id))
    world.clock.time_ns += MINIMUM_NS
    (again,) = world.ask(world.cancel_event(order_id))
    assert again.result is not None
    assert again.result.reason is Reason.ENGINE_UNKNOWN_ORDER
    kinds = [type(record.event) for record in world.recorder.records]
    assert [kind for kind in kinds if kind in (BulkCancel, Cancel)] == [Cancel, BulkCancel, Cancel]


def test_a_kill_takes_a_held_cancel_along() -> None:
    """The order is cancelled by the kill at once, and nothing comes at expiry."""
    world = world_of()
    order_id = world.place().decision.order_id
    world.ask(world.cancel_event(order_id))
    world.ask(SetState(SCOPE_ACCOUNT, ALICE, STATE_KILLED, "", ""))
    assert order_id not in world.core.book.orders
    (kill,) = world.recorder.events(BulkCancel)
    assert isinstance(kill, BulkCancel)
    assert kill.cause == CAUSE_KILL
    world.wait(10 * NS_PER_SECOND)
    assert len(world.recorder.events(BulkCancel)) == 1


def test_a_kill_catches_a_due_cancel_that_failed() -> None:
    """A cancel under way is passed over by the kill; when it has failed, the kill cancels."""
    faults = Faults(1)
    world = world_of(faults)
    order_id = world.place().decision.order_id
    world.ask(world.cancel_event(order_id))
    faults.force(Fault.LOSE_COMMAND)
    world.wait(MINIMUM_NS)
    world.ask(SetState(SCOPE_ACCOUNT, ALICE, STATE_KILLED, "", ""))
    assert order_id in world.core.book.orders
    world.wait(DEADLINE_NS)
    assert order_id not in world.core.book.orders
    last = world.recorder.events(BulkCancel)[-1]
    assert isinstance(last, BulkCancel)
    assert (last.scope, last.subject, last.cause) == (SCOPE_ORDER, order_id, CAUSE_KILL)


def test_a_due_cancel_without_an_answer_is_tried_again() -> None:
    """The deadline passes, a second later the cancel is sent anew."""
    faults = Faults(1)
    world = world_of(faults)
    order_id = world.place().decision.order_id
    world.ask(world.cancel_event(order_id))
    faults.force(Fault.LOSE_COMMAND)
    world.wait(MINIMUM_NS)
    world.wait(DEADLINE_NS)
    assert len(world.recorder.events(Deadline)) == 1
    world.wait(NS_PER_SECOND)
    assert len(world.recorder.events(BulkCancel)) == 2
    assert order_id not in world.core.book.orders


def test_so_much_before_the_next_event() -> None:
    """256 of what is due are decided before an event that waits in the queue; the rest follows."""
    world = world_of()
    for number in range(300):
        world.place(PRICE - 1_000 - number)
    (asked,) = world.ask(world.cancel_all_event())
    assert len(asked.decision.deferred) == 300
    world.clock.time_ns += MINIMUM_NS
    world.ask(world.query_event())
    kinds = [type(record.event) for record in world.recorder.records]
    assert kinds[: kinds.index(Query)].count(BulkCancel) == 256
    assert kinds.count(BulkCancel) == 300
    assert not world.core.book.orders
