"""The core: one drain, the record first, time that never goes back, and what a fault leaves."""

import pytest

from gateway.core import CoreStoppedError
from gateway.engine.faults import Fault, Faults
from gateway.engine.port import CancelCommand, PlaceCommand
from gateway.journal import JournalFullError
from gateway.outcome import Outcome
from rules.decisions import ACCEPTED, NOTED, REFUSED
from rules.events import CommandResult, Deadline, OrderTrade, Place, SetState
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    E8,
    FILLED,
    FLAG_TEST,
    NEW,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SELL,
    STATE_ACTIVE,
    STATE_KILLED,
)
from tests.gateway.core_world import (
    ALICE,
    BOB,
    BTCUSDT,
    DEADLINE_NS,
    PRICE,
    USDT,
    CoreWorld,
)


def test_an_order_is_one_drain() -> None:
    """A resting order is decided, recorded, sent, answered by the engine and told, in one call."""
    world = CoreWorld()
    outcome = world.place()
    assert (outcome.decision.verdict, outcome.result and outcome.result.status) == (ACCEPTED, NEW)
    asked, answered = world.recorder.records[-2:]
    assert isinstance(asked.event, Place)
    assert isinstance(answered.event, CommandResult)
    assert (answered.event.command_id, asked.seq) == (outcome.seq, outcome.seq)
    assert answered.decision.verdict == NOTED
    assert (outcome.now_ns, outcome.result_ns) == (asked.now_ns, answered.now_ns)


def test_engine_reports_are_enqueued() -> None:
    """Nothing the engine says is decided inside the call that caused it."""
    world = CoreWorld()
    world.place(PRICE, SELL, BOB)
    seen: list[tuple[int, int]] = []
    inside = world.engine.send

    def send(command: PlaceCommand) -> None:
        before = world.core.seq
        inside(command)
        seen.append((before, world.core.seq))

    world.engine.send = send  # type: ignore[method-assign, assignment]
    world.core.outbox._engine = world.engine
    outcome = world.place(PRICE)
    assert outcome.result is not None
    assert outcome.result.status == FILLED
    assert seen == [(outcome.seq, outcome.seq)]
    following = [record.event for record in world.recorder.records[outcome.seq :]]
    assert isinstance(following[0], CommandResult)
    assert isinstance(following[1], OrderTrade)


def test_numbers_have_no_gap_and_time_does_not_go_back() -> None:
    """The recorder itself refuses a gap or an earlier time; every kind of request passes it."""
    world = CoreWorld()
    orders = []
    for step in range(20):
        world.wait(step * NS_PER_MS)
        orders.append(world.place(PRICE - 1000 - step).decision.order_id)
        world.ask(world.query_event())
    world.wait(NS_PER_MS)
    assert world.ask(world.cancel_event(orders[0]))[0].decision.verdict == ACCEPTED
    assert world.ask(world.amend_event(orders[1], E8 // 2000))[0].decision.verdict == ACCEPTED
    assert world.ask(world.replace_event(orders[2], PRICE - 2000))[0].decision.verdict == ACCEPTED
    assert world.recorder.recorded_seq == world.core.seq
    assert [record.seq for record in world.recorder.records] == list(range(1, world.core.seq + 1))


def test_an_answer_leaves_after_its_record() -> None:
    """When a client is told, both the request and the engine's answer are recorded."""
    world = CoreWorld()
    at_reply: list[int] = []
    world.core.submit(world.place_event(), lambda _: at_reply.append(world.recorder.recorded_seq))
    world.core.submit(world.query_event(), lambda _: at_reply.append(world.recorder.recorded_seq))
    order, result, query = (record.event for record in world.recorder.records[-3:])
    assert isinstance(order, Place)
    assert isinstance(result, CommandResult)
    assert at_reply == [world.core.seq - 1, world.core.seq]
    assert query == world.query_event()


def test_what_a_reply_submits_comes_afterwards() -> None:
    """A request made from within an answer is decided after the present drain's event."""
    world = CoreWorld()
    outcomes: list[Outcome] = []

    def again(outcome: Outcome) -> None:
        outcomes.append(outcome)
        before = world.core.seq
        world.core.submit(world.place_event(PRICE - 2000), outcomes.append)
        assert world.core.seq == before

    world.core.submit(world.place_event(), again)
    assert [outcome.decision.order_id for outcome in outcomes] == [1, 2]


def traffic(world: CoreWorld, steps: int) -> None:
    """Let two accounts trade, cancel everything now and then, and be killed once."""
    for step in range(steps):
        side, price = (SELL, PRICE + step % 7) if step % 3 else (BUY, PRICE + 3 - step % 11)
        world.core.submit(world.place_event(price, side, BOB if step % 2 else ALICE))
        if not step % 10:
            world.core.submit(world.cancel_all_event())
        if step == steps // 2:
            world.core.submit(SetState(SCOPE_ACCOUNT, BOB, STATE_KILLED, "test", "tester"))
            world.core.submit(SetState(SCOPE_ACCOUNT, BOB, STATE_ACTIVE, "test", "tester"))
        world.wait(50 * NS_PER_MS)
    for _ in range(5):
        world.wait(NS_PER_SECOND)


@pytest.mark.parametrize("seed", range(6))
def test_replay_of_the_record_gives_the_same_decisions(seed: int) -> None:
    """The pipeline alone, given the record, decides as the core did, whatever the link did."""
    world = CoreWorld(faults=Faults(seed, dict.fromkeys(Fault, 30000)))
    traffic(world, 300)
    pipeline = Pipeline(world.core.rulebook)
    for record in world.recorder.records:
        decision = pipeline.apply(record.event, record.now_ns, seq=record.seq)
        assert decision == record.decision
    book, replayed = world.book, pipeline.book
    assert replayed.orders.keys() == book.orders.keys()
    assert {holding: balance.total_e8 for holding, balance in replayed.balances.items()} == {
        holding: balance.total_e8 for holding, balance in book.balances.items()
    }
    assert world.recorder.events(Deadline)
    assert world.core.outbox.unanswered == 0
    assert world.core.outbox.faults == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_book_agrees_with_the_engine(seed: int) -> None:
    """Results that come late or twice leave the same orders and balances on both sides."""
    faults = Faults(seed, {Fault.DELAY_RESULT: 100_000, Fault.DUPLICATE_RESULT: 100_000})
    world = CoreWorld(faults=faults)
    traffic(world, 300)
    exchange = world.engine.exchange
    assert {order.order_id for order in exchange.open_orders()} == set(world.book.orders)
    for account, asset, free_e8, locked_e8 in exchange.ledger.all_holdings():
        if account in (ALICE, BOB):
            balance = world.book.balances[account, asset]
            assert balance.total_e8 == free_e8 + locked_e8
            assert balance.reserved_e8 == locked_e8


# --- Deadlines --------------------------------------------------------------------------------


def test_a_deadline_at_its_boundary() -> None:
    """One nanosecond before the deadline nothing happens; at the deadline the fate is unknown."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    faults.force(Fault.LOSE_COMMAND)
    outcomes = world.ask(world.place_event())
    world.wait(DEADLINE_NS - 1)
    assert outcomes == []
    assert world.recorder.events(Deadline) == []
    world.wait(1)
    (outcome,) = outcomes
    assert outcome.result is not None
    assert (outcome.result.unknown, outcome.result.reason) == (True, Reason.ENGINE_TIMEOUT)
    assert world.recorder.events(Deadline) == [Deadline(outcome.seq)]
    assert world.book.orders[outcome.decision.order_id].unknown
    assert world.book.balances[ALICE, USDT].reserved_e8 > 0
    assert world.core.outbox.unanswered == 0


def test_a_late_result_settles() -> None:
    """A result after the deadline is recorded and settled; the client is not told twice."""
    faults = Faults(1, delay_ns=DEADLINE_NS + NS_PER_SECOND)
    world = CoreWorld(faults=faults)
    faults.force(Fault.DELAY_RESULT)
    outcomes = world.ask(world.place_event())
    world.wait(DEADLINE_NS)
    assert len(outcomes) == 1
    order = world.book.orders[outcomes[0].decision.order_id]
    assert order.unknown
    world.wait(NS_PER_SECOND)
    assert not order.unknown
    assert order.status == NEW
    assert len(outcomes) == 1


def test_deadlines_fire_in_order_before_the_next_event() -> None:
    """Without any tick, the next event finds all deadlines fired, the oldest command first."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    sent = []
    for _ in range(3):
        faults.force(Fault.LOSE_COMMAND)
        world.ask(world.place_event())
        sent.append(world.core.seq)
        world.clock.time_ns += NS_PER_MS
    world.clock.time_ns += DEADLINE_NS
    world.ask(world.query_event())
    assert world.recorder.events(Deadline) == [Deadline(seq) for seq in sent]
    assert world.recorder.records[-1].event == world.query_event()


def test_a_tick_fires_deadlines_in_order() -> None:
    """Several deadlines due at one tick come in the order of their commands, each once."""
    faults = Faults(1)
    world = CoreWorld(faults=faults)
    sent = []
    for _ in range(3):
        faults.force(Fault.LOSE_COMMAND)
        world.ask(world.place_event())
        sent.append(world.core.seq)
    before = world.core.seq
    world.wait(DEADLINE_NS)
    assert world.recorder.events(Deadline) == [Deadline(seq) for seq in sent]
    world.wait(DEADLINE_NS)
    assert world.core.seq == before + 3


def test_a_tick_that_fires_nothing_is_not_recorded() -> None:
    """Waking the core leaves no trace when nothing is due."""
    world = CoreWorld()
    world.place()
    world.engine.poll(world.clock.now_ns())
    before = world.core.seq
    for _ in range(5):
        world.clock.time_ns += NS_PER_MS
        world.core.tick()
    assert world.core.seq == before


# --- The record is lost -----------------------------------------------------------------------


def lose_record(world: CoreWorld) -> None:
    """Let every further record fail."""
    world.recorder.lost = JournalFullError("no room for a segment")
    world.engine.unrecorded_allowed = True


def test_the_order_whose_record_failed_is_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, never sent, and its reservation and order count are given back."""
    world = CoreWorld()
    before = world.book.balances[ALICE, USDT].reserved_e8
    lose_record(world)
    (outcome,) = world.ask(world.place_event())
    assert outcome.decision.verdict == REFUSED
    assert outcome.decision.breaches[0].reason == Reason.RECORD_LOST
    assert world.engine.commands == []
    assert world.book.orders == {}
    assert world.book.balances[ALICE, USDT].reserved_e8 == before
    assert world.core.record_fault == "JournalFullError: no room for a segment"
    assert "record is lost" in caplog.text


def test_a_replace_whose_record_failed_leaves_the_old_order() -> None:
    """The old order rests as before and can be cancelled."""
    world = CoreWorld()
    order_id = world.place().decision.order_id
    world.wait(NS_PER_MS)
    lose_record(world)
    (outcome,) = world.ask(world.replace_event(order_id, PRICE - 500))
    assert outcome.decision.breaches[0].reason == Reason.RECORD_LOST
    assert list(world.book.orders) == [order_id]
    (cancelled,) = world.ask(world.cancel_event(order_id))
    assert cancelled.result is not None
    assert cancelled.result.status == CANCELED


def test_without_a_record_orders_are_refused_and_cancels_and_kills_pass() -> None:
    """New orders, test orders, replaces and amends are refused; the ways out of the market stay."""
    world = CoreWorld()
    orders = [world.place(PRICE - 1000 - step).decision.order_id for step in range(4)]
    bobs = world.place(account=BOB).decision.order_id
    world.wait(NS_PER_MS)
    lose_record(world)
    for event in (
        world.place_event(),
        world.place_event(flags=FLAG_TEST),
        world.replace_event(orders[0], PRICE - 3),
        world.amend_event(orders[0], E8 // 2000),
        world.place_event(),
    ):
        (outcome,) = world.ask(event)
        assert outcome.decision.breaches[0].reason == Reason.RECORD_LOST
    assert world.ask(world.cancel_event(orders[0]))[0].decision.verdict == ACCEPTED
    (all_of_them,) = world.ask(world.cancel_all_event())
    assert all_of_them.result is not None
    assert [ended.order_id for ended in all_of_them.result.ended] == orders[1:]
    assert list(world.book.orders) == [bobs]
    assert len(world.ask(SetState(SCOPE_ACCOUNT, BOB, STATE_KILLED, "test", "tester"))) == 1
    assert world.book.orders == {}
    (query,) = world.ask(world.query_event())
    assert query.decision.breaches[0].reason == Reason.RECORD_LOST
    assert world.recorder.recorded_seq < world.core.seq


def test_a_lost_record_stays_lost() -> None:
    """Once a record is missing there is a gap for ever: the state latches."""
    world = CoreWorld()
    lose_record(world)
    world.ask(world.query_event())
    world.recorder.lost = None
    (outcome,) = world.ask(world.place_event())
    assert outcome.decision.breaches[0].reason == Reason.RECORD_LOST


# --- Faults -----------------------------------------------------------------------------------


def test_a_bug_in_the_commit_stops_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a commit is followed by no other decision, nothing of it leaves, and the core says so."""
    world = CoreWorld()

    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(world.core.pipeline.booking, "request", broken)
    outcomes: list[Outcome] = []
    before = world.core.seq
    with pytest.raises(KeyError):
        world.core.submit(world.place_event(), outcomes.append)
    assert world.core.stopped == "KeyError: 'a bug'"
    monkeypatch.undo()
    with pytest.raises(CoreStoppedError, match="a bug"):
        world.core.submit(world.query_event())
    world.core.tick()
    assert (outcomes, world.engine.commands, world.core.seq) == ([], [], before)
    assert world.recorder.recorded_seq == before


def test_a_reply_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The fault is logged and counted; the order stands and the next request is decided."""
    world = CoreWorld()

    def broken(outcome: Outcome) -> None:
        raise RuntimeError("the client is gone")

    world.core.submit(world.place_event(), broken)
    world.core.submit(world.query_event(), broken)
    assert world.core.outbox.faults == 2
    assert "the client is gone" in caplog.text
    assert len(world.book.orders) == 1
    assert world.place().decision.verdict == ACCEPTED


def test_a_listener_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The others are still told, and what leaves the gate leaves it."""
    world = CoreWorld()
    seen: list[int] = []

    def broken(*_: object) -> None:
        raise RuntimeError("a view is broken")

    world.core.listeners.add(broken)
    world.core.listeners.add(lambda seq, *_: seen.append(seq))
    outcome = world.place()
    assert outcome.result is not None
    assert seen == [outcome.seq, outcome.seq + 1]
    assert world.core.listener_faults == 2
    assert "a view is broken" in caplog.text


def test_what_is_told_together_is_decided_in_order() -> None:
    """Reports kept back by a broken link come before what the end of the outage sets going."""
    faults = Faults(1, outage_ns=NS_PER_SECOND)
    world = CoreWorld(faults=faults)
    order_id = world.place().decision.order_id
    world.place(account=BOB, price=PRICE - 3000)
    faults.force(Fault.DISCONNECT)
    world.ask(world.place_event(PRICE - 1000, SELL, BOB))
    assert not world.book.engine_connected
    world.ask(SetState(SCOPE_ACCOUNT, ALICE, STATE_KILLED, "test", "tester"))
    world.wait(NS_PER_SECOND + NS_PER_MS)
    assert world.book.engine_connected
    assert order_id not in world.book.orders
    numbers = [event.engine_seq for event in world.recorder.events(OrderTrade)]  # type: ignore[attr-defined]
    assert numbers == sorted(numbers)
    assert world.recorder.events(OrderTrade)
    kill = [one for one in world.engine.commands if isinstance(one, CancelCommand)]
    assert all(order_id in command.order_ids for command in kill)
    assert world.book.symbols[BTCUSDT].last_e8 > 0
