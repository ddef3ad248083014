"""Duplicate client order id."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import ACCEPTED, REFUSED, Breach, Decision
from rules.events import Event
from rules.exposure.duplicate_client_order_id import DuplicateClientOrderId
from rules.reasons import Reason
from rules.values import FLAG_TEST, NS_PER_HOUR, PENDING_NEW, SCOPE_ACCOUNT
from tests.rules.order_world import (
    ACCOUNT,
    NOW_NS,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    World,
    breach,
    cases,
    make_rulebook,
    place,
    replace,
)

WINDOW_NS = 24 * NS_PER_HOUR
TAKEN = Decision(verdict=ACCEPTED)


def make_rule(among: str) -> tuple[DuplicateClientOrderId, World]:
    """Return the rule for orders `among` these, and a world without orders."""
    clause = {"mode": "enforce", "among": among}
    world = World(make_rulebook({"duplicate_client_order_id": clause}))
    return DuplicateClientOrderId(world.rulebook), world


def refused(reason: Reason) -> Decision:
    """Return the decision that refused an order for `reason`."""
    return Decision(verdict=REFUSED, breaches=(Breach("some_rule", reason, 0, 0),))


@pytest.mark.parametrize("among", ["open", "window", "forever"])
def test_open_orders_always_count(among: str) -> None:
    """Live orders, orders in flight and orders of unknown fate keep their id."""
    rule, world = make_rule(among)
    world.order(11)
    world.order(12, status=PENDING_NEW)
    world.order(13, unknown=True)
    for name in ("c11", "c12", "c13"):
        for event in (
            place(client_order_id=name),
            place(client_order_id=name, symbol=OTHER_SYMBOL),
            place(client_order_id=name, flags=FLAG_TEST),
            replace(client_order_id=name, order_id=99),
        ):
            found = breach(rule, event, world)
            assert found is not None
            assert found.reason == Reason.DUPLICATE_CLIENT_ORDER_ID
            assert (found.limit, found.observed, found.detail) == (1, 2, name)
            assert (found.scope, found.subject) == (SCOPE_ACCOUNT, ACCOUNT)
            assert found.retry_ns == 0


def test_replacement_may_not_take_the_id_of_its_order() -> None:
    """That order is open until the engine has answered."""
    rule, world = make_rule("open")
    world.order(11)
    assert breach(rule, replace(order_id=11, client_order_id="c11"), world) is not None
    assert breach(rule, replace(order_id=11, client_order_id="c12"), world) is None


@pytest.mark.parametrize("among", ["open", "window", "forever"])
def test_ids_are_the_accounts_own_and_may_be_left_out(among: str) -> None:
    """Two accounts may use the same id, and orders without one never collide."""
    rule, world = make_rule(among)
    world.order(12, account=OTHER_ACCOUNT)
    rule.apply(place(client_order_id="a", key=OTHER_KEY), TAKEN, world.book, world.now_ns)
    for event in (place(), place(client_order_id="c12"), place(client_order_id="a")):
        assert breach(rule, event, world) is None
    assert breach(rule, place(client_order_id="c12", key=OTHER_KEY), world) is not None
    again = breach(rule, place(client_order_id="a", key=OTHER_KEY), world)
    assert (again is None) == (among == "open")


def test_open_forgets_ended_orders() -> None:
    """An id is free again once its order has ended, and nothing is kept."""
    rule, world = make_rule("open")
    event = place(client_order_id="a")
    rule.apply(event, TAKEN, world.book, world.now_ns)
    assert breach(rule, event, world) is None
    assert rule.state() == [[], []]


def test_window_boundary() -> None:
    """An id is in use for less than the window; the breach says when it ends."""
    rule, world = make_rule("window")
    event = place(client_order_id="a")
    rule.apply(event, TAKEN, world.book, NOW_NS)
    for later_ns, taken in ((0, True), (WINDOW_NS - 1, True), (WINDOW_NS, False)):
        world.now_ns = NOW_NS + later_ns
        found = breach(rule, event, world)
        assert (found is not None) == taken
        if found is not None:
            assert found.retry_ns == NOW_NS + WINDOW_NS


def test_window_of_an_order_that_is_still_open() -> None:
    """Waiting for the window does not help while the order is open."""
    rule, world = make_rule("window")
    event = place(client_order_id="c11")
    rule.apply(event, TAKEN, world.book, NOW_NS)
    world.order(11)
    found = breach(rule, event, world)
    assert found is not None
    assert found.retry_ns == 0
    world.now_ns = NOW_NS + WINDOW_NS
    assert breach(rule, event, world) is not None


def test_window_is_bounded_by_time() -> None:
    """Ids that have left the window are dropped as others arrive, whoever's they are."""
    rule, world = make_rule("window")
    for step in range(1_000):
        event = place(client_order_id=f"id{step}", key=OTHER_KEY)
        rule.apply(event, TAKEN, world.book, NOW_NS + step * NS_PER_HOUR)
    _, recent = rule.state()
    assert len(recent) == 24


def test_window_starts_anew_with_a_reuse() -> None:
    """An id used again after its window is in use for another whole window."""
    rule, world = make_rule("window")
    event = place(client_order_id="a")
    rule.apply(event, TAKEN, world.book, NOW_NS)
    rule.apply(event, TAKEN, world.book, NOW_NS + WINDOW_NS)
    world.now_ns = NOW_NS + 2 * WINDOW_NS - 1
    rule.apply(place(client_order_id="b"), TAKEN, world.book, world.now_ns)
    assert breach(rule, event, world) is not None
    world.now_ns += 1
    assert breach(rule, event, world) is None


def test_forever() -> None:
    """An id once accepted is never free again."""
    rule, world = make_rule("forever")
    event = place(client_order_id="a")
    rule.apply(event, TAKEN, world.book, NOW_NS)
    world.now_ns = NOW_NS + 10_000 * WINDOW_NS
    found = breach(rule, event, world)
    assert found is not None
    assert found.retry_ns == 0


@pytest.mark.parametrize("among", ["window", "forever"])
def test_derived_ids_are_remembered_too(among: str) -> None:
    """The id the gate gave to an order that came without one is that order's."""
    rule, world = make_rule(among)
    decision = Decision(verdict=ACCEPTED, client_order_id="derived")
    rule.apply(place(), decision, world.book, world.now_ns)
    assert breach(rule, place(client_order_id="derived"), world) is not None


@pytest.mark.parametrize("among", ["window", "forever"])
def test_test_orders_are_not_remembered(among: str) -> None:
    """They are judged like others, but an order may follow under the same id."""
    rule, world = make_rule(among)
    rule.apply(place(client_order_id="a", flags=FLAG_TEST), TAKEN, world.book, world.now_ns)
    assert breach(rule, place(client_order_id="a"), world) is None


@pytest.mark.parametrize(
    ("reason", "burnt"),
    [
        (Reason.INSUFFICIENT_BALANCE, True),
        (Reason.PRICE_MIN, True),
        (Reason.DUPLICATE_CLIENT_ORDER_ID, True),
        (Reason.ORDER_COUNT_LIMIT, False),
        (Reason.REQUEST_WEIGHT_LIMIT, False),
        (Reason.SIGNATURE_INVALID, False),
        (Reason.PERMISSION_DENIED, False),
        (Reason.STATE_KILLED, False),
        (Reason.RULE_FAULT, False),
    ],
)
def test_forever_counts_orders_that_failed(reason: Reason, burnt: bool) -> None:
    """A refused order's id is used up, unless nobody looked at the order itself."""
    rule, world = make_rule("forever")
    event = place(client_order_id="a")
    rule.apply(event, refused(reason), world.book, world.now_ns)
    assert (breach(rule, event, world) is not None) == burnt
    in_window, world = make_rule("window")
    in_window.apply(event, refused(reason), world.book, world.now_ns)
    assert breach(in_window, event, world) is None


def test_refused_without_a_breach_is_not_remembered() -> None:
    """A refusal that names no rule says nothing about the order."""
    rule, world = make_rule("forever")
    event = place(client_order_id="a")
    rule.apply(event, Decision(verdict=REFUSED), world.book, world.now_ns)
    assert breach(rule, event, world) is None


_steps = st.lists(
    st.tuples(
        st.sampled_from(("", "a", "b", "c")),
        st.integers(0, WINDOW_NS),
        st.sampled_from((TAKEN, refused(Reason.PRICE_TICK), refused(Reason.STATE_KILLED))),
    ),
    max_size=20,
)


@pytest.mark.parametrize("among", ["open", "window", "forever"])
@given(steps=_steps)
def test_state_restores_to_the_same_answers(
    among: str, steps: list[tuple[str, int, Decision]]
) -> None:
    """After a round trip through msgpack the rule says the same, and its state is the same."""
    rule, world = make_rule(among)
    for name, later_ns, decision in steps:
        world.now_ns += later_ns
        rule.apply(place(client_order_id=name), decision, world.book, world.now_ns)
    copy, _ = make_rule(among)
    copy.restore(_stored(rule.state()))
    assert copy.state() == rule.state()
    for later_ns in (0, WINDOW_NS - 1, WINDOW_NS):
        now_ns = world.now_ns + later_ns
        for name in ("a", "b", "c"):
            event = place(client_order_id=name)
            assert copy.check(event, world.book, now_ns) == rule.check(event, world.book, now_ns)


def _stored(state: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state))


@given(steps=_steps)
def test_window_agrees_with_a_plain_history(steps: list[tuple[str, int, Decision]]) -> None:
    """An id is in use exactly when its last acceptance is less than the window ago."""
    rule, world = make_rule("window")
    accepted: dict[str, int] = {}
    for name, later_ns, decision in steps:
        world.now_ns += later_ns
        found = breach(rule, place(client_order_id=name), world)
        last_ns = accepted.get(name)
        assert (found is not None) == (last_ns is not None and world.now_ns - last_ns < WINDOW_NS)
        rule.apply(place(client_order_id=name), decision, world.book, world.now_ns)
        if name and decision is TAKEN:
            accepted[name] = world.now_ns


@given(cases())
def test_explanations_agree_with_the_verdict(case: tuple[World, Event]) -> None:
    """A breach and the first explanation that has not passed are the same, in any world."""
    world, event = case
    rule = DuplicateClientOrderId(world.rulebook)
    if isinstance(event, rule.wants):
        breach(rule, event, world)
