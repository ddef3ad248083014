"""What leaves the gate: commands, cancels in slices, kills that end only when nothing is left."""

from collections import deque
from collections.abc import Callable

import pytest

from gateway.engine.commands import command_for
from gateway.engine.faults import Fault, Faults
from gateway.engine.port import AmendCommand, CancelCommand, PlaceCommand, ReplaceCommand
from gateway.outbox import SLICES_UNANSWERED_MAX
from gateway.outcome import Outcome
from rules.booking import SLICE
from rules.decisions import ACCEPTED, REFUSED, Decision
from rules.events import BulkCancel, Cancel, SetState
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_KILL,
    E8,
    FLAG_TEST,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_ORDER,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    STATE_ACTIVE,
    STATE_KILLED,
)
from tests.gateway.core_world import ALICE, BOB, BTCUSDT, DEADLINE_NS, PRICE, CoreWorld


def open_orders(world: CoreWorld, count: int, account: int = ALICE) -> list[int]:
    """Place orders that rest; return their ids."""
    placed = [world.place(account=account).decision.order_id for _ in range(count)]
    world.wait(NS_PER_MS)
    return placed


def ended(outcome: Outcome) -> list[int]:
    """Return the orders a result ended."""
    assert outcome.result is not None
    return [one.order_id for one in outcome.result.ended]


def kill(scope: int, subject: int) -> SetState:
    """Return an operator's kill."""
    return SetState(scope, subject, STATE_KILLED, "test", "tester")


def cancels(world: CoreWorld) -> list[CancelCommand]:
    """Return the cancels that were sent."""
    return [command for command in world.engine.commands if isinstance(command, CancelCommand)]


class Turns:
    """A loop's `call_soon`, run by hand."""

    def __init__(self, world: CoreWorld) -> None:
        self._acts: deque[Callable[[], None]] = deque()
        world.core.outbox.later = self._acts.append

    def take(self) -> bool:
        """Run what is next; False when nothing is."""
        if not self._acts:
            return False
        self._acts.popleft()()
        return True


# --- Commands ---------------------------------------------------------------------------------


def test_a_test_order_and_a_refused_order_send_nothing() -> None:
    """They are answered at once, and the engine hears nothing of them."""
    world = CoreWorld()
    accepted = world.place(flags=FLAG_TEST)
    refused = world.place(quantity_e8=1)
    assert (accepted.decision.verdict, refused.decision.verdict) == (ACCEPTED, REFUSED)
    assert (accepted.result, refused.result) == (None, None)
    assert world.engine.commands == []


def test_a_command_never_names_an_order_the_decision_did_not_find() -> None:
    """A number from the client alone may be another account's order: none is sent on."""
    world = CoreWorld()
    (bobs,) = open_orders(world, 1, BOB)
    found_none = Decision(ACCEPTED, order_id=0, account=ALICE)
    now_ns = world.clock.now_ns()
    replacing = Decision(ACCEPTED, order_id=2, account=ALICE)
    for event, decision, kind in (
        (world.cancel_event(bobs), found_none, CancelCommand),
        (world.amend_event(bobs, E8), found_none, AmendCommand),
        (world.replace_event(bobs, PRICE), replacing, ReplaceCommand),
    ):
        command = command_for(event, decision, 99, now_ns, world.book)
        assert isinstance(command, kind)
        named = (
            command.order_ids
            if isinstance(command, CancelCommand)
            else (getattr(command, "order_id", 0), getattr(command, "cancel_order_id", 0))
        )
        assert bobs not in named


@pytest.mark.parametrize("window_ns", [0, 5 * NS_PER_SECOND])
def test_a_placement_carries_what_is_left_of_its_window(window_ns: int) -> None:
    """The engine refuses an order after the client's own window; without one, never."""
    world = CoreWorld()
    event = world.place_event()
    early = event.received_ns - NS_PER_SECOND
    changed = type(event)(
        *(getattr(event, name) for name in event.__struct_fields__[:5]),
        early,
        window_ns,
        *(getattr(event, name) for name in event.__struct_fields__[7:]),
    )
    world.core.submit(changed)
    (command,) = world.engine.commands
    assert isinstance(command, PlaceCommand)
    expected = world.clock.now_ns() - NS_PER_SECOND + window_ns if window_ns else 0
    assert command.valid_until_ns == expected


# --- A client's cancel of everything ----------------------------------------------------------


@pytest.mark.parametrize("count", [1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 600])
def test_the_answer_to_cancel_all_has_every_order(count: int) -> None:
    """However many slices it takes, there is one answer, and it names all orders in order."""
    world = CoreWorld()
    orders = open_orders(world, count)
    outcomes = world.ask(world.cancel_all_event())
    assert len(outcomes) == 1
    assert ended(outcomes[0]) == orders
    assert outcomes[0].result is not None
    assert (outcomes[0].result.accepted, outcomes[0].result.status) == (True, CANCELED)
    assert outcomes[0].result.command_id == outcomes[0].seq
    assert not outcomes[0].decision.more
    assert world.book.orders == {}
    sizes = [len(command.order_ids) for command in cancels(world)]
    assert sum(sizes) == count
    assert max(sizes) <= SLICE
    assert len(sizes) == -(-count // SLICE)
    assert {command.cause for command in cancels(world)} == {CAUSE_CLIENT}


def test_without_open_orders_nothing_is_sent() -> None:
    """A cancel of nothing is answered at once, without a result."""
    world = CoreWorld()
    (outcome,) = world.ask(world.cancel_all_event())
    assert outcome.result is None
    assert cancels(world) == []


def test_others_get_their_turn_between_slices() -> None:
    """Each further slice waits for a turn of the loop; who comes in between is answered first."""
    world = CoreWorld()
    turns = Turns(world)
    open_orders(world, 600)
    cancelled = world.ask(world.cancel_all_event())
    assert cancelled == []
    (bobs,) = world.ask(world.place_event(account=BOB))
    assert bobs.result is not None
    assert turns.take()
    assert cancelled == []
    assert turns.take()
    assert len(ended(cancelled[0])) == 600
    assert not turns.take()


@pytest.mark.parametrize("acts", ["kill", "cancel all"])
def test_an_engine_that_is_slow_has_a_few_slices_at_a_time(acts: str) -> None:
    """The next one is sent when one of them is answered, so that it has little to look past."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    turns = Turns(world)
    count = (SLICES_UNANSWERED_MAX + 3) * SLICE
    open_orders(world, count)
    for _ in range(SLICES_UNANSWERED_MAX + 3):
        faults.force(Fault.DELAY_RESULT)
    event = kill(SCOPE_VENUE, 0) if acts == "kill" else world.cancel_all_event()
    answered = world.ask(event)
    while turns.take():
        pass
    assert len(cancels(world)) == SLICES_UNANSWERED_MAX
    assert answered == []
    for _ in range(20):
        world.wait(50 * NS_PER_MS)
        while turns.take():
            pass
    assert len(answered) == 1
    assert world.book.orders == {}
    assert len(cancels(world)) == SLICES_UNANSWERED_MAX + 3


def test_an_order_placed_between_slices_stays() -> None:
    """A cancel of everything cancels what there was when it was decided."""
    world = CoreWorld()
    turns = Turns(world)
    orders = open_orders(world, 300)
    cancelled = world.ask(world.cancel_all_event())
    later = world.place().decision.order_id
    while turns.take():
        pass
    assert ended(cancelled[0]) == orders
    assert list(world.book.orders) == [later]


def test_two_cancels_of_everything_at_once() -> None:
    """The second takes what the first has not begun to cancel; every order is told once."""
    world = CoreWorld()
    turns = Turns(world)
    orders = open_orders(world, 600)
    first = world.ask(world.cancel_all_event())
    world.wait(NS_PER_MS)
    second = world.ask(world.cancel_all_event())
    while turns.take():
        pass
    assert sorted(ended(first[0]) + ended(second[0])) == orders


def test_a_slice_without_an_answer_makes_the_whole_unknown() -> None:
    """What ended is told with it, and no further slice tries the same orders again."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    orders = open_orders(world, 600)
    faults.force(None)
    faults.force(Fault.LOSE_COMMAND)
    faults.force(None)
    outcomes = world.ask(world.cancel_all_event())
    assert outcomes == []
    world.wait(DEADLINE_NS)
    (outcome,) = outcomes
    assert outcome.result is not None
    assert outcome.result.unknown
    assert outcome.decision.more
    assert ended(outcome) == orders[:SLICE] + orders[2 * SLICE :]
    assert list(world.book.orders) == orders[SLICE : 2 * SLICE]
    again = world.ask(world.cancel_all_event())
    assert ended(again[0]) == orders[SLICE : 2 * SLICE]


def test_an_engine_that_is_down_is_asked_no_more_than_needed() -> None:
    """Every slice would be refused; the client is told so after the ones that were under way."""
    faults = Faults(1, outage_ns=10 * NS_PER_SECOND)
    world = CoreWorld(faults=faults)
    orders = open_orders(world, 600)
    world.engine.disconnect(10 * NS_PER_SECOND)
    (outcome,) = world.ask(world.cancel_all_event())
    assert outcome.result is not None
    assert outcome.result.reason == Reason.ENGINE_UNAVAILABLE
    assert len(cancels(world)) <= 2
    assert list(world.book.orders) == orders
    world.wait(10 * NS_PER_SECOND)
    assert ended(world.ask(world.cancel_all_event())[0]) == orders


# --- Kills ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1, 600])
def test_a_kill_is_answered_when_nothing_is_left(count: int) -> None:
    """At the answer every order of the scope is cancelled, and a new one is refused."""
    world = CoreWorld()
    turns = Turns(world)
    open_orders(world, count)
    (bobs,) = open_orders(world, 1, BOB)
    left: list[list[int]] = []
    world.core.submit(kill(SCOPE_ACCOUNT, ALICE), lambda _: left.append(list(world.book.orders)))
    refused = world.place()
    assert refused.decision.breaches[0].reason == Reason.STATE_KILLED
    while turns.take():
        pass
    assert left == [[bobs]]
    assert not [one for one in world.engine.commands[count + 1 :] if isinstance(one, PlaceCommand)]
    assert {command.cause for command in cancels(world)} <= {CAUSE_KILL}


@pytest.mark.parametrize(
    ("scope", "subject", "survivors"),
    [
        (SCOPE_VENUE, 0, 0),
        (SCOPE_SYMBOL, BTCUSDT, 0),
        (SCOPE_SYMBOL, BTCUSDT + 1, 4),
        (SCOPE_OWNER, ALICE, 2),
        (SCOPE_ACCOUNT, ALICE, 2),
        (SCOPE_KEY, BOB, 2),
    ],
)
def test_a_kill_reaches_its_scope(scope: int, subject: int, survivors: int) -> None:
    """Orders of the scope are cancelled, all others stay."""
    world = CoreWorld()
    open_orders(world, 2)
    open_orders(world, 2, BOB)
    world.ask(kill(scope, subject))
    assert len(world.book.orders) == survivors


def test_a_kill_while_the_engine_is_away() -> None:
    """It is in force at once; its orders are cancelled as soon as the engine is back."""
    world = CoreWorld(faults=Faults(1))
    open_orders(world, 300)
    world.engine.disconnect(5 * NS_PER_SECOND)
    assert len(world.ask(kill(SCOPE_ACCOUNT, ALICE))) == 1
    assert len(world.book.orders) == 300
    assert world.place().decision.breaches[0].reason == Reason.STATE_KILLED
    world.wait(5 * NS_PER_SECOND - 1)
    assert len(world.book.orders) == 300
    world.wait(1)
    assert world.book.orders == {}
    before = world.core.seq
    world.wait(10 * NS_PER_SECOND)
    assert not [
        record
        for record in world.recorder.records[before:]
        if isinstance(record.event, BulkCancel) and record.decision.cancels
    ]


def test_a_kill_whose_cancels_are_lost_is_repeated() -> None:
    """Cancels can be sent as often as need be, and are, until the orders are gone."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    open_orders(world, 3)
    faults.force(Fault.LOSE_COMMAND)
    answered = world.ask(kill(SCOPE_ACCOUNT, ALICE))
    assert answered == []
    world.wait(DEADLINE_NS)
    assert len(answered) == 1
    assert len(world.book.orders) == 3
    world.wait(DEADLINE_NS)
    assert world.book.orders == {}


def test_a_released_scope_is_left_alone() -> None:
    """After a release nothing is cancelled any more, although the kill was not done."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    orders = open_orders(world, 3)
    faults.force(Fault.LOSE_COMMAND)
    world.ask(kill(SCOPE_ACCOUNT, ALICE))
    world.ask(SetState(SCOPE_ACCOUNT, ALICE, STATE_ACTIVE, "test", "tester"))
    world.wait(DEADLINE_NS)
    world.wait(DEADLINE_NS)
    assert list(world.book.orders) == orders


def test_a_kill_catches_what_a_client_was_cancelling() -> None:
    """A cancel in flight that never arrives does not save its order from the kill."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    (order_id,) = open_orders(world, 1)
    faults.force(Fault.LOSE_COMMAND)
    asked = world.ask(world.cancel_event(order_id))
    world.ask(kill(SCOPE_ACCOUNT, ALICE))
    assert list(world.book.orders) == [order_id]
    world.wait(DEADLINE_NS)
    assert asked[0].result is not None
    assert asked[0].result.unknown
    assert world.book.orders == {}
    (caught,) = (one for one in cancels(world) if one.cause == CAUSE_KILL)
    assert caught.order_ids == (order_id,)


def test_a_kill_catches_an_order_of_unknown_fate() -> None:
    """A placement that never arrived is answered as unknown, and its tombstone ends it."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    faults.force(Fault.LOSE_COMMAND)
    placed = world.ask(world.place_event())
    world.ask(kill(SCOPE_ACCOUNT, ALICE))
    world.wait(DEADLINE_NS)
    assert placed[0].result is not None
    assert placed[0].result.unknown
    world.wait(DEADLINE_NS)
    assert world.book.orders == {}
    assert all(balance.reserved_e8 == 0 for balance in world.book.balances.values())


def test_a_client_may_not_cancel_in_a_killed_scope() -> None:
    """The gate is cancelling itself; the refusal says so."""
    world = CoreWorld()
    (order_id,) = open_orders(world, 1)
    world.ask(kill(SCOPE_ACCOUNT, ALICE))
    (outcome,) = world.ask(world.cancel_event(order_id))
    assert outcome.decision.breaches[0].reason == Reason.STATE_KILLED


def test_a_bulk_cancel_from_elsewhere() -> None:
    """One order's cancel asked for by the gate itself is sent with its cause and answered."""
    world = CoreWorld()
    first, second = open_orders(world, 2)
    (outcome,) = world.ask(BulkCancel(SCOPE_ORDER, first, 0, CAUSE_KILL, 0))
    assert outcome.decision.cancels == (first,)
    assert list(world.book.orders) == [second]
    assert not world.recorder.events(Cancel)
