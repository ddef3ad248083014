"""Refusals that are counted: the same answers and limits as if each had been recorded alone."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.outcome import Outcome
from gateway.refusals import (
    ADDRESSES_MAX,
    ADDRESSES_MAX_LOW,
    RECORDED_ALL_LOW,
    RECORDED_EACH,
    SHARES_MAX,
    Refusals,
)
from rules.decisions import ACCEPTED, REFUSED, Decision
from rules.endpoints import Endpoint
from rules.events import (
    ClearBan,
    Define,
    Event,
    Place,
    Query,
    RecordSpace,
    RefusedAggregate,
    RefusedRequest,
    Request,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.rulebook import Rulebook, convert
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MISSING_KEY,
    AUTH_NOT_CHECKED,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    DEFINE_ADDRESS,
    E8,
    GTC,
    LIMIT,
    NS_PER_SECOND,
    SPACE_AMPLE,
    SPACE_LOW,
)
from tests.gateway.core_world import ALICE, BTCUSDT, CoreWorld
from tests.rules.request_world import ENDPOINTS

STRANGER = 77
"""An address nothing has come from before."""
FAR = 1_000_000_000


def rulebook(
    raw: int = FAR, weight: int = FAR, gate_weight: int = FAR, **rules: dict[str, Any]
) -> Rulebook:
    """Return a rulebook of access rules only, with these limits."""
    tree: dict[str, Any] = {
        "ban_ladder": {"refusals": 3, "within": "4s", "first_ban": "3s", "longest_ban": "6s"},
        "overload": {},
        "raw_requests": {
            "windows": [{"interval": "1s", "limit": raw}, {"interval": "1m", "limit": 4 * raw}]
        },
        "request_weight": {
            "windows": [
                {"interval": "1s", "limit": weight},
                {"interval": "5s", "limit": 3 * weight},
            ],
            "gate_windows": [{"interval": "2s", "limit": gate_weight}],
        },
        "authentication": {},
        **rules,
    }
    enforced = {name: {"mode": "enforce", **clause} for name, clause in tree.items()}
    return Rulebook(convert({"name": "test", "rules": enforced, "endpoints": ENDPOINTS}))


def refusals_of(world: CoreWorld, recorded_all: int) -> Refusals:
    """Return the counts of a world with another quota."""
    core = world.core
    return Refusals(core.pipeline, core._process, core.outbox.answer, recorded_all)


def head(endpoint: int, auth: int, ip: int, now_ns: int, size: int = 0) -> tuple[int, ...]:
    """Return the fields every request begins with."""
    key = 0 if auth in (AUTH_MISSING_KEY, AUTH_NOT_REQUIRED) else ALICE
    return (endpoint, ip, key, auth, now_ns, now_ns, 5 * NS_PER_SECOND, size, CHANNEL_REST, 0, 0)


def unsigned(world: CoreWorld, ip: int = STRANGER) -> Query:
    """Return a query that lacks a key: weight 20, one raw request."""
    return Query(*head(Endpoint.ACCOUNT, AUTH_MISSING_KEY, ip, world.clock.time_ns))


def public(world: CoreWorld, ip: int = STRANGER) -> Query:
    """Return a query anybody may make: weight 1."""
    return Query(*head(Endpoint.PING, AUTH_NOT_REQUIRED, ip, world.clock.time_ns))


def ask(world: CoreWorld, event: Event) -> Outcome:
    """Submit one request and return its outcome, which is there at once."""
    (outcome,) = world.ask(event)
    return outcome


def aggregates(world: CoreWorld) -> list[RefusedAggregate]:
    """Return the records of counts."""
    return world.recorder.events(RefusedAggregate)  # type: ignore[return-value]


def alone(world: CoreWorld) -> list[Event]:
    """Return the requests that were recorded alone."""
    return world.recorder.events(Request)


def test_ten_are_recorded_then_they_are_counted_until_the_second_ends() -> None:
    """The eleventh is answered like the tenth, and one record at the second's end counts it."""
    world = CoreWorld(rulebook())
    outcomes = [ask(world, unsigned(world)) for _ in range(RECORDED_EACH + 5)]
    assert len(alone(world)) == RECORDED_EACH
    assert not aggregates(world)
    assert {outcome.decision.verdict for outcome in outcomes} == {REFUSED}
    assert {outcome.decision.breaches[0].reason for outcome in outcomes} == {Reason.KEY_MISSING}
    assert {outcome.seq for outcome in outcomes[RECORDED_EACH:]} == {outcomes[9].seq}
    world.wait(NS_PER_SECOND - 1)
    assert not aggregates(world)
    world.wait(1)
    (record,) = aggregates(world)
    assert (record.ip, record.reason, record.count) == (STRANGER, Reason.KEY_MISSING, 5)
    (share,) = record.shares
    assert share.reasons == ((Reason.KEY_MISSING, 5),)
    assert (share.weight, share.gate_weight, share.gate_count) == (100, 0, 0)
    assert share.last_seq == outcomes[9].seq
    assert world.core.refusals.counted == 5
    assert ask(world, unsigned(world)).seq == world.recorder.recorded_seq, "a new second"


def test_each_address_has_ten_of_its_own() -> None:
    """One address that floods takes nothing from another."""
    world = CoreWorld(rulebook())
    for _ in range(30):
        ask(world, unsigned(world, 1))
    for _ in range(RECORDED_EACH):
        ask(world, unsigned(world, 2))
    assert len(alone(world)) == 2 * RECORDED_EACH


def test_what_is_no_such_refusal_comes_after_what_was_counted() -> None:
    """A request that passes finds the weight of all that was refused before it."""
    world = CoreWorld(rulebook(weight=20 * 15))
    for _ in range(14):
        ask(world, unsigned(world))
    assert ask(world, public(world)).decision.verdict == ACCEPTED
    (record,) = aggregates(world)
    assert record.count == 4
    assert alone(world)[-1] == public(world)
    usage = world.core.pipeline.usage("request_weight", 6, STRANGER, world.clock.time_ns)
    assert usage[0].used == 14 * 20 + 1


def test_a_limit_is_reached_with_what_is_counted() -> None:
    """The request that would pass a limit is recorded, and the refusals of it lead to a ban."""
    world = CoreWorld(rulebook(raw=RECORDED_EACH + 4))
    reasons = [ask(world, unsigned(world)).decision.breaches[0].reason for _ in range(24)]
    assert reasons == (
        [Reason.KEY_MISSING] * 14 + [Reason.RAW_REQUEST_LIMIT] * 3 + [Reason.ADDRESS_BANNED] * 7
    )
    assert [record.count for record in aggregates(world)] == [4]
    world.wait(NS_PER_SECOND)
    banned = aggregates(world)[-1]
    assert (banned.reason, banned.count) == (Reason.ADDRESS_BANNED, 7)
    assert banned.shares[0].weight == 0


def test_an_operators_word_comes_after_what_was_counted() -> None:
    """Lifting a ban is recorded after the refusals it had made."""
    world = CoreWorld(rulebook())
    world.core.submit(ClearBan(STRANGER, world.clock.time_ns + 60 * NS_PER_SECOND, "test"))
    for _ in range(RECORDED_EACH + 3):
        ask(world, public(world))
    world.core.submit(ClearBan(STRANGER, 0, "test"))
    before, last = world.recorder.records[-2:]
    assert isinstance(before.event, RefusedAggregate)
    assert before.event.count == 3
    assert isinstance(last.event, ClearBan)
    assert ask(world, public(world)).decision.verdict == ACCEPTED


def test_what_a_known_key_asks_is_recorded_alone() -> None:
    """An address that floods does not hide the refusals of somebody who has proved who they are."""
    world = CoreWorld(rulebook(permission={}))
    for _ in range(RECORDED_EACH + 1):
        ask(world, unsigned(world))
    before = len(alone(world))
    now_ns = world.clock.time_ns
    order = (BTCUSDT, BUY, LIMIT, GTC, 50_000 * E8, E8, 0)
    ask(world, Place(*head(Endpoint.ORDER_CANCEL_REPLACE, AUTH_OK, STRANGER, now_ns), *order))
    malformed = head(Endpoint.ORDER_PLACE, AUTH_OK, STRANGER, now_ns)
    for _ in range(3):
        ask(world, RefusedRequest(*malformed, reason=Reason.MISSING_PARAMETER))
    assert len(alone(world)) == before + 4


def test_all_addresses_together_have_a_quota() -> None:
    """Beyond it each address is counted from its first refusal, without a decision of its own."""
    world = CoreWorld(rulebook())
    world.core.refusals = refusals_of(world, 12)
    outcomes = [ask(world, unsigned(world, ip)) for ip in range(1, 31)]
    assert len(alone(world)) == 12
    assert all(outcome.decision.verdict == REFUSED for outcome in outcomes)
    assert {outcome.seq for outcome in outcomes[12:]} == {0}
    assert ask(world, public(world, 40)).decision.verdict == ACCEPTED
    world.wait(NS_PER_SECOND)
    (record,) = aggregates(world)
    assert (record.ip, record.count) == (0, 18)
    assert [share.ip for share in record.shares] == list(range(13, 31))
    assert ask(world, unsigned(world, 50)).seq == world.recorder.recorded_seq, "a new second"


def test_addresses_beyond_the_bound_share_one_count() -> None:
    """Memory is bounded: more addresses than that in a second are counted as address 0."""
    world = CoreWorld(rulebook())
    recorded_max, beyond = 10, 500
    world.core.refusals = refusals_of(world, recorded_max)
    for ip in range(1, recorded_max + ADDRESSES_MAX + beyond + 1):
        ask(world, unsigned(world, ip))
    world.wait(NS_PER_SECOND)
    shares = [share for record in aggregates(world) for share in record.shares]
    assert len(aggregates(world)) == -(-len(shares) // SHARES_MAX)
    assert sum(record.count for record in aggregates(world)) == ADDRESSES_MAX + beyond
    assert len(shares) == ADDRESSES_MAX + 1
    assert [share.reasons[0][1] for share in shares if share.ip == 0] == [beyond]
    assert len(alone(world)) == recorded_max


def test_with_little_room_strangers_get_far_fewer_records() -> None:
    """A flood takes ten records a second and one of counts, whatever it sends from where."""
    world = CoreWorld(rulebook())
    world.core.submit(RecordSpace(SPACE_LOW, 1))
    before = len(world.recorder.records)
    for ip in range(1, 1_001):
        for event in (unsigned(world, ip), public(world, ip)):
            assert ask(world, event).decision.verdict == REFUSED
    assert not world.core.refusals.may_define(world.clock.time_ns)
    world.wait(NS_PER_SECOND)
    assert len(alone(world)) == RECORDED_ALL_LOW
    (record,) = aggregates(world)
    assert len(world.recorder.records) == before + RECORDED_ALL_LOW + 1
    assert record.count == 2_000 - RECORDED_ALL_LOW
    assert len(record.shares) <= RECORDED_ALL_LOW + ADDRESSES_MAX_LOW + 1
    world.core.submit(RecordSpace(SPACE_AMPLE, 9))
    for ip in range(1, 101):
        ask(world, unsigned(world, ip))
    assert len(alone(world)) == RECORDED_ALL_LOW + 100


def test_room_that_goes_within_a_second_ends_what_is_recorded_alone() -> None:
    """What was recorded before counts; nothing more of strangers is recorded in that second."""
    world = CoreWorld(rulebook())
    for ip in range(1, 101):
        ask(world, unsigned(world, ip))
    world.core.submit(RecordSpace(SPACE_LOW, 1))
    for ip in range(101, 201):
        ask(world, unsigned(world, ip))
    assert len(alone(world)) == 101, "the first one finds out"


@pytest.mark.parametrize("reason", [Reason.RAW_REQUEST_LIMIT, Reason.REQUEST_WEIGHT_LIMIT])
def test_without_a_ladder_refusals_of_a_rate_limit_are_counted_too(reason: Reason) -> None:
    """They lead to no ban there, so there could be any number of them."""
    limits = {"raw": 12} if reason is Reason.RAW_REQUEST_LIMIT else {"weight": 240}
    world = CoreWorld(rulebook(**limits, ban_ladder={"mode": "off"}))  # type: ignore[arg-type]
    reasons = [ask(world, unsigned(world)).decision.breaches[0].reason for _ in range(40)]
    assert reasons == [Reason.KEY_MISSING] * 12 + [reason] * 28
    assert len(alone(world)) <= RECORDED_EACH + 1
    world.core.close()
    assert len(alone(world)) + sum(record.count for record in aggregates(world)) == 40


def test_queries_shed_for_want_of_space_are_counted_whoever_asks() -> None:
    """Refusing a query must not take more of the record than answering it."""
    world = CoreWorld(rulebook())
    world.core.submit(RecordSpace(SPACE_LOW, 1))
    query = Query(*head(Endpoint.ACCOUNT, AUTH_OK, STRANGER, world.clock.time_ns))
    for _ in range(RECORDED_EACH + 6):
        assert ask(world, query).decision.breaches[0].reason is Reason.OVERLOADED
    assert len(alone(world)) == RECORDED_EACH
    world.core.submit(RecordSpace(SPACE_AMPLE, 9))
    assert ask(world, query).decision.verdict == ACCEPTED
    assert [record.count for record in aggregates(world)] == [6]


def test_a_gate_that_ends_records_what_it_has_counted() -> None:
    """Nothing that was answered is left out of the record."""
    world = CoreWorld(rulebook())
    for _ in range(RECORDED_EACH + 2):
        ask(world, unsigned(world))
    world.core.close()
    world.core.close()
    assert [record.count for record in aggregates(world)] == [2]


# --- Whatever is sent -------------------------------------------------------------------------

KINDS = ("unsigned", "public", "signed", "bad signature", "malformed", "gate", "gate malformed")
MOVES = st.tuples(
    st.sampled_from((*KINDS, "unsigned", "malformed", "clear")),
    st.integers(1, 3),
    st.integers(1, 14),
    st.sampled_from(("stay", "one", "before", "boundary", "after", "half")),
)


def request_of(kind: str, ip: int, now_ns: int) -> Event:
    """Return a request of one kind."""
    fault: dict[str, Any] = {"reason": Reason.MISSING_PARAMETER}
    if kind == "unsigned":
        return Query(*head(Endpoint.ACCOUNT, AUTH_MISSING_KEY, ip, now_ns))
    if kind == "public":
        return Query(*head(Endpoint.DEPTH, AUTH_NOT_REQUIRED, ip, now_ns, 500))
    if kind == "signed":
        return Query(*head(Endpoint.ORDER_QUERY, AUTH_OK, ip, now_ns))
    if kind == "bad signature":
        order = (BTCUSDT, BUY, LIMIT, GTC, 50_000 * E8, E8, 0)
        return Place(*head(Endpoint.ORDER_PLACE, AUTH_BAD_SIGNATURE, ip, now_ns), *order)
    if kind == "malformed":
        return RefusedRequest(*head(Endpoint.DEPTH, AUTH_NOT_REQUIRED, ip, now_ns, 100), **fault)
    if kind == "gate":
        return Query(*head(Endpoint.GATE_LIMITS, AUTH_NOT_REQUIRED, ip, now_ns))
    if kind == "gate malformed":
        return RefusedRequest(*head(Endpoint.GATE_LIMITS, AUTH_NOT_CHECKED, ip, now_ns), **fault)
    return ClearBan(ip, 0, "test")


def moved(now_ns: int, how: str) -> int:
    """Return the next time: the same, a little later, or about the end of the second."""
    boundary = (now_ns // NS_PER_SECOND + 1) * NS_PER_SECOND
    times = {"stay": now_ns, "one": now_ns + 1, "before": boundary - 1, "boundary": boundary}
    return times.get(how) or (boundary + 1 if how == "after" else now_ns + NS_PER_SECOND // 2)


@settings(max_examples=150, deadline=None)
@given(
    moves=st.lists(MOVES, min_size=5, max_size=60),
    limits=st.tuples(
        st.sampled_from((11, 20, FAR)),
        st.sampled_from((60, 250, FAR)),
        st.sampled_from((4, 20, FAR)),
    ),
    quota=st.sampled_from((1, 4, 1000)),
)
def test_counting_changes_no_decision(
    moves: list[tuple[str, int, int, str]], limits: tuple[int, int, int], quota: int
) -> None:
    """Whatever is sent when, each request is decided as if all before it had been recorded alone.

    Decisions are compared whole, so limits and observed values, which tell every count, are the
    same too. And the record replays to the decisions it holds.
    """
    world = CoreWorld(rulebook(*limits))
    world.core.refusals = refusals_of(world, quota)
    singly = Pipeline(world.core.rulebook)
    for record in world.recorder.records:
        singly.apply(record.event, record.now_ns)
    for kind, ip, times, how in moves:
        for _ in range(times):
            event = request_of(kind, ip, world.clock.time_ns)
            (outcome,) = world.ask(event)
            assert outcome.decision == singly.apply(event, world.clock.time_ns)
        world.clock.time_ns = moved(world.clock.time_ns, how)
        if how == "half":
            world.core.tick()
    world.core.close()
    assert _used(world.core.pipeline, world.clock.time_ns) == _used(singly, world.clock.time_ns)
    again = Pipeline(world.core.rulebook)
    for record in world.recorder.records:
        decision: Decision = again.apply(record.event, record.now_ns, seq=record.seq)
        assert decision == record.decision


def _used(pipeline: Pipeline, now_ns: int) -> list[Any]:
    return [
        pipeline.usage(rule.name, 6, ip, now_ns) for rule in pipeline.rules for ip in range(1, 4)
    ]


def test_definitions_of_strangers_use_the_quota() -> None:
    """An address that is given a number takes one of the records of that second."""
    world = CoreWorld(rulebook())
    refusals, now_ns = world.core.refusals, world.clock.time_ns
    granted = [refusals.may_define(now_ns) for _ in range(1_002)]
    assert granted == [True] * 1_000 + [False] * 2
    world.core.submit(Define(DEFINE_ADDRESS, STRANGER, "192.0.2.77"))
    assert ask(world, unsigned(world)).seq == 0, "counted, since nothing is left to record it alone"
    assert refusals.may_define(now_ns + NS_PER_SECOND)
