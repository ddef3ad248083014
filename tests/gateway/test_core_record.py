"""Decisions that wait for the disk: what leaves when, and that nothing leaves before its record."""

import pytest

from gateway.engine.faults import Fault, Faults
from gateway.engine.port import AmendCommand, CancelCommand, PlaceCommand
from rules.decisions import ACCEPTED
from rules.events import CommandResult, Deadline, SetState
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    E8,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    STATE_KILLED,
)

from .core_world import ALICE, BOB, DEADLINE_NS, PRICE, CoreWorld
from .record_world import RecordWorld


def test_nothing_leaves_before_its_sync() -> None:
    """No command reaches the engine, nobody is answered or shown anything, until it is safe."""
    world = RecordWorld()
    shown: list[int] = []
    world.core.listeners.add(lambda seq, *_: shown.append(seq))
    world.send(world.place_event())
    seq = world.send(world.query_event())
    assert (world.engine.commands, world.answers, shown) == ([], [], [])
    assert world.core.unreleased == 2
    assert world.commit.wanted == seq
    world.commit.step()
    assert shown == [seq - 1, seq]
    assert [command.command_id for command in world.engine.commands] == [seq - 1]
    assert world.told() == [seq]


def test_an_order_waits_for_two_syncs() -> None:
    """One covers its decision, then it is sent; one covers its result, then it is answered."""
    world = RecordWorld()
    seq = world.send(world.place_event())
    world.commit.step()
    assert len(world.engine.commands) == 1
    assert world.answers == []
    assert world.commit.wanted > seq
    world.commit.step()
    assert world.told() == [seq]
    assert world.answers[0].result is not None
    assert world.answers[0].result.accepted


@pytest.mark.parametrize("safe", range(7))
def test_exactly_what_is_safe_leaves_in_order(safe: int) -> None:
    """Of six requests those up to the confirmed one leave, neither one more nor one fewer."""
    world = RecordWorld()
    first = world.send(world.query_event())
    for number in range(5):
        world.send(world.query_event() if number % 2 else world.place_event(PRICE - 1000 - number))
    seen: list[int] = []
    world.core.listeners.add(lambda seq, *_: seen.append(seq))
    if safe:
        world.commit.step(first + safe - 1)
    assert seen == list(range(first, first + safe))
    world.sync()
    assert seen == list(range(first, world.core.seq + 1))
    assert sorted(world.told()) == list(range(first, first + 6))


def test_what_is_sent_is_what_was_decided() -> None:
    """An amend that names no price goes out with the price it was decided with.

    Its order may have another one by the time the record is safe.
    """
    world = RecordWorld()
    world.send(world.place_event())
    world.sync()
    order_id = world.answers[0].decision.order_id
    world.clock.time_ns += NS_PER_MS
    world.send(world.amend_event(order_id, E8 // 2000))
    order = world.book.orders[order_id]
    order.price_e8, before_e8 = 1, order.price_e8
    world.commit.step()
    (amend,) = (one for one in world.engine.commands if isinstance(one, AmendCommand))
    assert amend.price_e8 == before_e8


def test_a_cancel_follows_the_order_it_means() -> None:
    """Both are decided before either has left; the engine gets them in order."""
    world = RecordWorld()
    order_id = world.book.next_order_id
    world.send(world.place_event())
    world.send(world.cancel_event(order_id))
    world.sync()
    assert [type(one) for one in world.engine.commands] == [PlaceCommand, CancelCommand]
    assert [one.decision.verdict for one in world.answers] == [ACCEPTED, ACCEPTED]
    assert world.answers[1].result is not None
    assert world.answers[1].result.status == CANCELED
    assert world.book.orders == {}


def test_an_acknowledged_kill_lets_no_order_follow() -> None:
    """An order decided before the kill leaves before its answer and is cancelled by it."""
    world = RecordWorld()
    world.send(world.place_event())
    kill = world.send(SetState(SCOPE_ACCOUNT, ALICE, STATE_KILLED, "test", "tester"))
    refused = world.send(world.place_event())
    other = world.send(world.place_event(account=BOB))
    world.sync()
    assert kill in world.told()
    sent = [one.command_id for one in world.engine.commands if isinstance(one, PlaceCommand)]
    assert sent == [kill - 1, other]
    assert refused not in sent
    assert [order.account for order in world.book.orders.values()] == [BOB]


def test_the_engines_time_begins_when_the_command_leaves() -> None:
    """Waiting for the disk is not the engine's delay."""
    world = RecordWorld()
    world.engine.faults = Faults(1)
    world.engine.faults.force(Fault.LOSE_RESULT)
    world.send(world.place_event())
    world.clock.time_ns += DEADLINE_NS + 1
    world.commit.step()
    sent_ns = world.clock.time_ns
    for after_ns, expected in ((DEADLINE_NS - 1, 0), (DEADLINE_NS, 1)):
        world.clock.time_ns = sent_ns + after_ns
        world.core.tick()
        world.core.tick()
        assert world.answers == []
        world.sync()
        assert len(world.answers) == expected
    assert world.answers[0].result is not None
    assert world.answers[0].result.unknown
    assert len(world.recorder.events(Deadline)) == 1


def test_a_name_has_its_number_before_its_record_is_safe() -> None:
    """The request that brings a new name needs the number at once; it waits with it."""
    world = RecordWorld()
    number = world.directory.address("127.0.0.9")
    assert world.directory.address("127.0.0.9") == number > 0
    assert world.core.unreleased == 1


def test_flush_lets_everything_out() -> None:
    """What is decided because of what was let out is waited for too."""
    world = RecordWorld()
    world.send(world.place_event())
    world.core.flush()
    assert world.core.unreleased == 0
    assert world.answers[0].result is not None
    world.core.flush()


def test_the_beginning_is_safe_before_anything_waits() -> None:
    """Securing a core makes everything so far safe first, and says so when that fails."""
    world = CoreWorld()
    secured = RecordWorld()
    assert secured.commit.synced == world.core.seq
    assert secured.core.record_fault == ""


def test_process_durability_waits_for_nothing() -> None:
    """Without a commit everything leaves in the call that brought it."""
    world = RecordWorld(waits=False)
    seq = world.send(world.query_event())
    assert world.told() == [seq]
    assert world.core.unreleased == 0


def test_a_bug_in_the_release_stops_the_core() -> None:
    """The engine's port must not raise; when it does, nothing is decided any more."""
    world = RecordWorld()

    def broken(_: object) -> None:
        raise KeyError("a bug")

    world.engine.on_send = broken
    world.send(world.place_event())
    with pytest.raises(KeyError):
        world.commit.step()
    assert world.core.stopped == "KeyError: 'a bug'"
    world.commit.step()
    world.core.tick()
    world.core.flush()
    assert world.answers == []


def test_a_result_is_recorded_before_it_is_told() -> None:
    """The second sync is of the record that holds the engine's result."""
    world = RecordWorld()
    world.send(world.place_event())
    world.commit.step()
    results = world.recorder.events(CommandResult)
    assert len(results) == 1
    assert world.recorder.records[-1].seq <= world.commit.wanted
    world.clock.time_ns += NS_PER_SECOND
    assert world.answers == []


def test_what_a_new_epoch_overtakes_does_not_leave() -> None:
    """An order that waits for its record when the engine loses its orders has ended with them."""
    world = RecordWorld()
    seq = world.send(world.place_event())
    cancelled = world.send(world.cancel_event(order_id=1))
    world.engine.restart(0)
    world.wait(1)
    assert world.book.orders == {}
    world.sync()
    assert world.engine.commands == []
    assert list(world.engine.exchange.open_orders()) == []
    assert world.told() == [seq, cancelled]
    for outcome in world.answers:
        assert outcome.result is not None
        assert outcome.result.reason is Reason.ENGINE_LOST
    assert world.core.outbox.unanswered == 0
    assert all(balance.reserved_e8 == 0 for balance in world.book.balances.values())
