"""A record that is lost: what goes on in the reserve, what is taken back, what is turned away."""

from collections.abc import Callable

import pytest

from gateway.engine.port import CancelCommand, PlaceCommand
from gateway.journal import JournalFullError
from gateway.outcome import Outcome
from gateway.record import STALL_NS
from rules.decisions import ACCEPTED, REFUSED
from rules.endpoints import Endpoint
from rules.events import (
    CommandResult,
    Event,
    Place,
    Reference,
    RefusedRequest,
    RulebookChanged,
    SetState,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    E8,
    FLAG_TEST,
    NS_PER_MS,
    SCOPE_ACCOUNT,
    SCOPE_VENUE,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    STATE_REDUCE_ONLY,
)

from .core_world import ALICE, BOB, BTCUSDT, PRICE, USDT
from .record_world import RecordWorld

FULL = JournalFullError("no room for a segment")


def lose_by_sync(world: RecordWorld) -> None:
    """Let a sync fail."""
    world.commit.fail("OSError: [Errno 5] Input/output error")


def lose_by_append(world: RecordWorld) -> None:
    """Let the disk be full for a record that has not come yet."""
    world.recorder.lost = FULL
    world.core.submit(RulebookChanged("one", "more", "record", ""))


def lose_by_stall(world: RecordWorld) -> None:
    """Let a record wait for too long."""
    world.core.submit(RulebookChanged("one", "more", "record", ""))
    world.clock.time_ns += STALL_NS + 1
    world.core.tick()
    world.core.tick()


WAYS = (lose_by_sync, lose_by_append, lose_by_stall)


def reason(outcome: Outcome) -> Reason | None:
    """Return why a request was refused, by the gate or afterwards; None when it was not."""
    if outcome.decision.breaches:
        return outcome.decision.breaches[0].reason
    return outcome.result.reason if outcome.result is not None else None


# --- What is done with what waits -----------------------------------------------------------------


@pytest.mark.parametrize("lose", WAYS)
def test_what_waits_is_recorded_again_and_then_leaves(lose: Callable[[RecordWorld], None]) -> None:
    """The reserve begins with the first record that had not left; the rest follows its sync."""
    world = RecordWorld()
    world.send(world.place_event(account=BOB))
    world.sync()
    order_id = world.answers[0].decision.order_id
    world.clock.time_ns += NS_PER_MS
    first = world.send(world.cancel_event(order_id, BOB))
    taken_back = world.send(world.place_event())
    query = world.send(world.query_event())
    lose(world)
    assert world.core.record_fault
    assert world.commit.abandoned
    assert world.reserve.first_seq == first
    before = [record for record in world.recorder.records if record.seq >= first]
    assert before[:3] == world.reserve.records[:3]
    assert [record.seq for record in world.reserve.records] == list(
        range(first, world.core.seq + 1)
    )
    assert world.told() == [first - 2]
    world.sync()
    assert sorted(world.told()) == [first - 2, first, taken_back, query]
    answers = {outcome.seq: outcome for outcome in world.answers}
    assert reason(answers[taken_back]) == Reason.RECORD_LOST
    assert reason(answers[query]) is None
    cancelled = answers[first].result
    assert cancelled is not None
    assert cancelled.status == CANCELED
    assert [type(one) for one in world.engine.commands] == [PlaceCommand, CancelCommand]
    assert world.book.orders == {}


@pytest.mark.parametrize("lose", WAYS)
def test_orders_that_wait_are_taken_back(lose: Callable[[RecordWorld], None]) -> None:
    """Placements, replacements, amends, test orders: none is sent, and nothing stays reserved."""
    world = RecordWorld()
    for number in range(2):
        world.send(world.place_event(PRICE - 1000 - number))
    world.sync()
    orders = list(world.book.orders)
    world.clock.time_ns += NS_PER_MS
    reserved_e8 = world.book.balances[ALICE, USDT].reserved_e8
    sent = len(world.engine.commands)
    told = len(world.answers)
    for event in (
        world.place_event(),
        world.place_event(flags=FLAG_TEST),
        world.replace_event(orders[0], PRICE - 500),
        world.amend_event(orders[1], E8 // 2000),
    ):
        world.send(event)
    refused = world.send(world.amend_event(999_999, E8))
    lose(world)
    world.sync()
    answers = {outcome.seq: outcome for outcome in world.answers[told:]}
    assert reason(answers.pop(refused)) == Reason.UNKNOWN_ORDER
    assert [reason(outcome) for outcome in answers.values()] == [Reason.RECORD_LOST] * 4
    assert len(world.engine.commands) == sent
    assert list(world.book.orders) == orders
    assert world.book.balances[ALICE, USDT].reserved_e8 == reserved_e8
    assert all(order.cancel_cause == 0 for order in world.book.orders.values())


def test_the_result_of_an_order_that_was_sent_is_recorded_in_the_reserve() -> None:
    """It had left before the record was lost, so it is answered as the engine answered it."""
    world = RecordWorld()
    seq = world.send(world.place_event())
    world.commit.step()
    assert world.answers == []
    lose_by_sync(world)
    assert world.reserve.first_seq == seq + 1
    world.sync()
    assert world.told() == [seq]
    assert world.answers[0].result is not None
    assert world.answers[0].result.accepted


def test_a_kill_that_waits_is_carried_out() -> None:
    """It is recorded in the reserve, then its scope's orders are cancelled, then it is answered."""
    world = RecordWorld()
    world.send(world.place_event())
    world.sync()
    kill = world.send(SetState(SCOPE_ACCOUNT, ALICE, STATE_KILLED, "test", "tester"))
    lose_by_sync(world)
    assert world.book.orders
    world.sync()
    assert world.told()[-1] == kill
    assert world.book.orders == {}


def test_the_reserve_replays_to_the_same_decisions() -> None:
    """What is left of the record and the reserve together are one run."""
    world = RecordWorld()
    world.send(world.place_event())
    world.sync()
    for number in range(3):
        world.send(world.place_event(PRICE - 2000 - number))
        world.send(world.query_event())
    lose_by_sync(world)
    world.sync()
    world.send(world.cancel_event(next(iter(world.book.orders))))
    world.sync()
    first = world.reserve.first_seq
    records = [one for one in world.recorder.records if one.seq < first] + world.reserve.records
    assert [record.seq for record in records] == list(range(1, world.core.seq + 1))
    again = Pipeline(world.core.rulebook)
    for record in records:
        assert again.apply(record.event, record.now_ns, None, record.seq) == record.decision
    assert again.state() == world.core.pipeline.state()


# --- The stall ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("over_ns", "lost"), [(-1, False), (0, False), (1, True)])
def test_the_threshold_of_a_stall(over_ns: int, lost: bool) -> None:
    """A record may wait for the stated time and not one nanosecond longer."""
    world = RecordWorld()
    world.send(world.query_event())
    world.clock.time_ns += STALL_NS + over_ns
    world.core.tick()
    assert world.core.record_fault == ""
    world.core.tick()
    assert bool(world.core.record_fault) == lost


def test_only_the_oldest_record_counts() -> None:
    """A disk that confirms, however slowly, within the time is not lost."""
    world = RecordWorld()
    for _ in range(5):
        seq = world.send(world.query_event())
        world.send(world.query_event())
        world.clock.time_ns += STALL_NS
        world.core.tick()
        world.core.tick()
        world.commit.step(seq)
        world.commit.step(seq + 1)
    assert world.core.record_fault == ""


def test_news_that_came_late_is_no_stall() -> None:
    """After a pause of the whole process the disk's word comes before the verdict."""
    world = RecordWorld()
    world.send(world.query_event())
    world.clock.time_ns += 10 * STALL_NS
    world.core.tick()
    world.commit.step()
    world.core.tick()
    world.send(world.query_event())
    world.core.tick()
    world.core.tick()
    assert world.core.record_fault == ""


def test_word_of_a_disk_given_up_changes_nothing() -> None:
    """The stalled sync may return later; its record is lost all the same."""
    world = RecordWorld()
    world.send(world.query_event())
    world.clock.time_ns += STALL_NS + 1
    world.core.tick()
    world.core.tick()
    assert world.commit.abandoned
    assert world.answers == []
    world.reserve.commit.step()
    assert len(world.answers) == 1


# --- What is taken in afterwards ------------------------------------------------------------------


def requests(world: RecordWorld, order_id: int) -> dict[str, Event]:
    """Return one request of each kind."""
    head = world.head(Endpoint.ORDER_PLACE)
    return {
        "place": world.place_event(PRICE - 3000),
        "test order": world.place_event(flags=FLAG_TEST),
        "replace": world.replace_event(order_id, PRICE - 700),
        "amend": world.amend_event(order_id, E8 // 4000),
        "query": world.query_event(),
        "broken": RefusedRequest(*head, Reason.MISSING_PARAMETER, "side"),
        "cancel": world.cancel_event(order_id),
        "cancel all": world.cancel_all_event(),
        "kill": SetState(SCOPE_ACCOUNT, BOB, STATE_KILLED, "test", "tester"),
    }


NORMAL = {
    "place": None,
    "test order": None,
    "replace": None,
    "amend": None,
    "query": None,
    "broken": Reason.MISSING_PARAMETER,
    "cancel": None,
    "cancel all": None,
    "kill": None,
}
LOST = dict.fromkeys(("place", "test order", "replace", "amend"), Reason.RECORD_LOST)
RESERVE = NORMAL | LOST
HALF = RESERVE | dict.fromkeys(("query", "broken"), Reason.OVERLOADED)
UNRECORDED = RESERVE | dict.fromkeys(("query", "broken"), Reason.RECORD_LOST)


@pytest.mark.parametrize("stop", [STATE_ACTIVE, STATE_REDUCE_ONLY, STATE_CANCEL_ONLY])
@pytest.mark.parametrize("kind", NORMAL)
@pytest.mark.parametrize(
    ("state", "expected"),
    [("recorded", NORMAL), ("reserve", RESERVE), ("half", HALF), ("unrecorded", UNRECORDED)],
)
def test_each_request_in_each_state_of_the_record(
    state: str, expected: dict[str, Reason | None], kind: str, stop: int
) -> None:
    """Who may do what while the record is there, in the reserve, half full, and gone."""
    world = RecordWorld()
    world.send(world.place_event())
    world.sync()
    order_id = world.answers[0].decision.order_id
    world.core.submit(SetState(SCOPE_VENUE, 0, stop, "test", "tester"))
    world.sync()
    world.clock.time_ns += NS_PER_MS
    event = requests(world, order_id)[kind]
    if state != "recorded":
        lose_by_sync(world)
    if state == "half":
        world.reserve.roomy = False
    if state == "unrecorded":
        world.unrecorded_allowed = True
        world.reserve.commit.fail("it is broken too")
    before = len(world.reserve.records)
    world.answers.clear()
    world.send(event)
    world.sync()
    (outcome,) = world.answers
    wanted = expected[kind]
    if wanted is None and stop != STATE_ACTIVE and kind in LOST:
        assert outcome.decision.verdict in (ACCEPTED, REFUSED)
    else:
        assert reason(outcome) == wanted
    in_reserve = state == "reserve" or (state == "half" and wanted is not Reason.OVERLOADED)
    recorded = in_reserve and wanted is not Reason.RECORD_LOST
    assert (len(world.reserve.records) > before) == recorded
    if kind in ("cancel", "cancel all"):
        assert world.book.orders == {}


def test_references_are_passed_over_when_the_reserve_is_half_full() -> None:
    """They serve orders only, and there are many of them."""
    world = RecordWorld()
    lose_by_sync(world)
    reference = Reference(BTCUSDT, 1, PRICE * E8, 1, 0, 0, 0, 0)
    for roomy, recorded in ((True, 1), (False, 1)):
        world.reserve.roomy = roomy
        world.core.submit(reference)
        world.sync()
        assert len(world.reserve.records) == recorded


# --- The reserve fails too ------------------------------------------------------------------------


def broken_begin(world: RecordWorld) -> None:
    """Let the reserve not even begin."""
    world.reserve.begin_error = OSError(5, "Input/output error")
    lose_by_sync(world)


def broken_append(world: RecordWorld) -> None:
    """Let the reserve take no record."""
    world.reserve.append_error = FULL
    lose_by_sync(world)


def broken_sync(world: RecordWorld) -> None:
    """Let the reserve fail at its first sync."""
    lose_by_sync(world)
    world.reserve.commit.fail("OSError: it is broken too")


def stalled(world: RecordWorld) -> None:
    """Let the reserve never answer."""
    lose_by_sync(world)
    world.clock.time_ns += STALL_NS + 1
    world.core.tick()
    world.core.tick()


@pytest.mark.parametrize("fail", [broken_begin, broken_append, broken_sync, stalled])
def test_when_the_reserve_fails_cancels_pass_unrecorded(
    fail: Callable[[RecordWorld], None], caplog: pytest.LogCaptureFixture
) -> None:
    """What waits leaves in order, orders among it are taken back, and it is said loudly."""
    world = RecordWorld()
    world.send(world.place_event())
    world.sync()
    order_id = world.answers[0].decision.order_id
    world.answers.clear()
    world.clock.time_ns += NS_PER_MS
    cancel = world.send(world.cancel_event(order_id))
    world.send(world.place_event())
    world.unrecorded_allowed = True
    fail(world)
    assert world.core.unreleased == 0
    assert "go on unrecorded" in caplog.text
    assert world.core.record_fault.count("reserve") == 1
    assert cancel in world.told()
    (refused,) = (one for one in world.answers if isinstance(one.event, Place))
    assert reason(refused) == Reason.RECORD_LOST
    assert refused.decision.verdict == REFUSED
    assert world.book.orders == {}
    assert [type(one) for one in world.engine.commands] == [PlaceCommand, CancelCommand]


def test_a_reserve_that_fills_up_is_lost_too() -> None:
    """A record it can't take passes unrecorded when it is a cancel."""
    world = RecordWorld()
    world.send(world.place_event())
    world.sync()
    order_id = world.answers[0].decision.order_id
    lose_by_sync(world)
    world.reserve.append_error = FULL
    world.unrecorded_allowed = True
    world.clock.time_ns += NS_PER_MS
    world.send(world.cancel_event(order_id))
    assert world.book.orders == {}
    assert "no room" in world.core.record_fault


def test_without_a_reserve_what_waits_leaves_unrecorded() -> None:
    """Orders are taken back, and nothing waits any more."""
    world = RecordWorld(reserve=False)
    world.send(world.query_event())
    world.send(world.place_event())
    world.unrecorded_allowed = True
    lose_by_sync(world)
    assert [reason(one) for one in world.answers] == [None, Reason.RECORD_LOST]
    assert world.core.unreleased == 0


def test_process_durability_falls_back_too() -> None:
    """The record that could not be appended is the reserve's first."""
    world = RecordWorld(waits=False)
    world.commit.synced = 1 << 60
    world.send(world.place_event())
    order_id = world.answers[0].decision.order_id
    world.clock.time_ns += NS_PER_MS
    world.recorder.lost = FULL
    seq = world.send(world.place_event())
    assert reason(world.answers[1]) == Reason.RECORD_LOST
    assert world.reserve.first_seq == seq - 1
    assert [type(one.event) for one in world.reserve.records] == [Place, CommandResult]
    world.send(world.cancel_event(order_id))
    assert world.book.orders == {}
    assert [record.seq for record in world.reserve.records][-1] == world.core.seq


def test_flush_gives_up_on_a_disk_that_hangs() -> None:
    """The end of a gate does not wait for ever: what waits goes to the reserve."""
    world = RecordWorld()
    seq = world.send(world.query_event())
    world.commit.fault = "hang"
    world.core.flush()
    assert world.told() == [seq]
    assert world.reserve.records[0].seq == seq


def test_a_beginning_that_is_not_confirmed_is_a_lost_record() -> None:
    """Securing says so before anything is served."""
    world = RecordWorld(reserve=False)
    world.commit.fault = "broken"
    world.core.secure(world.commit, None)
    assert "broken" in world.core.record_fault
