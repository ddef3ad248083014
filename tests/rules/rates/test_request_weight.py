"""Request weight of an address."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.decisions import DEFERRED, Decision
from rules.endpoints import Endpoint
from rules.events import CancelAll, RefusedAggregate, RefusedShare, Request
from rules.rates.request_weight import RequestWeight
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.values import NS_PER_MINUTE, NS_PER_SECOND, SCOPE_ACCOUNT, SCOPE_IP
from tests.rules.order_world import cancel, place, replace
from tests.rules.request_world import (
    IP,
    MINUTE_NS,
    OTHER_IP,
    accepted,
    breach,
    make_book,
    make_rulebook,
    malformed,
    no,
    query,
    reason_of,
    refused,
    result,
    stored_and_restored,
)

GATE = query(Endpoint.GATE_LIMITS)
END_NS = MINUTE_NS + NS_PER_MINUTE


def make_rule(limit: int = 100, **clause: Any) -> RequestWeight:
    """Return the rule with one window of a minute, and 6 a minute for the gate's own routes."""
    tables = {
        "windows": [{"interval": "1m", "limit": limit}],
        "gate_windows": [{"interval": "1m", "limit": 6}],
    }
    return RequestWeight(make_rulebook("request_weight", **{**tables, **clause}))


class Gate:
    """The rule with a book, giving each event its number as the core does."""

    def __init__(self, rule: RequestWeight | None = None) -> None:
        self.rule = rule or make_rule()
        self.book = make_book()

    def take(self, event: Any, decision: Decision, now_ns: int = MINUTE_NS) -> int:
        """Apply one event and return its number."""
        self.book.current_seq += 1
        self.rule.apply(event, decision, self.book, now_ns)
        return self.book.current_seq

    def used(self, now_ns: int = MINUTE_NS, ip: int = IP) -> int:
        """Return the weight used in the venue's first window."""
        return self.rule.usage(SCOPE_IP, ip, Book(), now_ns)[0].used

    def reason(self, event: Request, now_ns: int = MINUTE_NS) -> Reason | None:
        """Return why the rule refuses, None when it passes."""
        return reason_of(self.rule, event, self.book, now_ns)


@pytest.mark.parametrize(("limit", "passes"), [(39, False), (40, True), (41, True)])
def test_at_the_limit(limit: int, passes: bool) -> None:
    """A request of weight 20 after one of weight 20 needs 40."""
    gate = Gate(make_rule(limit))
    gate.take(query(), accepted())
    found = breach(gate.rule, query(), gate.book, MINUTE_NS)
    assert (found is None) is passes
    if found is not None:
        assert (found.reason, found.limit, found.observed) == (
            Reason.REQUEST_WEIGHT_LIMIT,
            39,
            40,
        )
        assert (found.retry_ns, found.scope, found.subject) == (END_NS, SCOPE_IP, IP)
    assert gate.reason(query(ip=OTHER_IP)) is None
    assert gate.reason(query(), END_NS) is None


@pytest.mark.parametrize(("size", "weight"), [(100, 5), (101, 25), (500, 25), (501, 250)])
def test_weight_depends_on_size(size: int, weight: int) -> None:
    """Deeper books cost more."""
    gate = Gate(make_rule(1_000))
    gate.take(query(Endpoint.DEPTH, size=size), accepted())
    assert gate.used() == weight


def test_orders_that_succeed_cost_nothing() -> None:
    """They pass at the limit too, but not beyond it."""
    gate = Gate(make_rule(1))
    for _ in range(5):
        command = gate.take(place(), accepted(1))
        gate.take(result(command, 1), accepted())
    assert gate.used() == 0
    gate.take(query(Endpoint.PING), accepted())
    assert gate.reason(query(Endpoint.PING)) is Reason.REQUEST_WEIGHT_LIMIT
    assert gate.reason(place()) is None
    gate.take(malformed(), refused(Reason.MISSING_PARAMETER))
    assert gate.used() == 2
    assert gate.reason(place()) is Reason.REQUEST_WEIGHT_LIMIT


@pytest.mark.parametrize("reason", sorted(Reason))
def test_a_refused_request_costs_its_failure_weight(reason: Reason) -> None:
    """In whatever stage it was refused; what a rate limit refused costs nothing here."""
    gate = Gate()
    gate.take(replace(), refused(reason))
    gate.take(query(Endpoint.ORDER_QUERY), refused(reason))
    assert gate.used() == (0 if reason in RATE_LIMIT_REASONS else 3 + 4)


@pytest.mark.parametrize("event", [place(), cancel(), replace()])
def test_an_order_the_engine_refuses_costs_the_difference(event: Request) -> None:
    """In the end it has paid its failure weight, whatever it paid on acceptance."""
    gate = Gate()
    command = gate.take(event, accepted(1))
    paid = 1 if event.endpoint == Endpoint.ORDER_CANCEL_REPLACE else 0
    assert gate.used() == paid
    gate.take(no(command, 1), accepted(), END_NS - 1)
    assert gate.used(END_NS - 1) == (3 if paid else 1)
    gate.take(no(command, 1), accepted(), END_NS - 1)
    assert gate.used(END_NS - 1) == (3 if paid else 1)


def test_a_failure_costs_in_the_window_of_arrival_only() -> None:
    """Once that window is over the failure is free."""
    gate = Gate()
    command = gate.take(place(), accepted(1), END_NS - 1)
    gate.take(no(command, 1), accepted(), END_NS)
    assert (gate.used(END_NS - 1), gate.used(END_NS)) == (0, 0)


def test_each_window_is_charged_while_it_lasts() -> None:
    """The short window of arrival is over, the long one is not."""
    rule = make_rule(windows=[{"interval": "1s", "limit": 9}, {"interval": "1m", "limit": 9}])
    gate = Gate(rule)
    command = gate.take(place(), accepted(1))
    later_ns = MINUTE_NS + NS_PER_SECOND
    gate.take(no(command, 1), accepted(), later_ns)
    assert [item.used for item in rule.usage(SCOPE_IP, IP, Book(), later_ns)][:2] == [0, 1]


def test_a_missing_answer_is_no_outcome() -> None:
    """The answer that comes after the deadline still decides."""
    gate = Gate()
    command = gate.take(place(), accepted(1))
    gate.take(no(command, 1, reason=Reason.ENGINE_TIMEOUT, unknown=True), accepted())
    assert gate.used() == 0
    gate.take(no(command, 1), accepted())
    assert gate.used() == 1


def test_a_replacement_that_was_not_entered_has_failed() -> None:
    """Also where the cancel of the old order worked."""
    gate = Gate()
    command = gate.take(replace(), accepted(1))
    gate.take(result(command, 1, replaced_refusal=Reason.ENGINE_WOULD_TAKE), accepted())
    assert gate.used() == 3


def test_a_cancel_of_everything_can_fail_too() -> None:
    """A bulk cancel is a command like any other."""
    gate = Gate()
    fields = {name: getattr(cancel(), name) for name in Request.__struct_fields__}
    command = gate.take(CancelAll(**fields, symbol=0), accepted())
    gate.take(no(command), accepted())
    assert gate.used() == 1


def test_a_deferred_cancel_costs_its_success_weight() -> None:
    """It was accepted; what becomes of it later costs nothing more."""
    gate = Gate()
    command = gate.take(cancel(), Decision(DEFERRED))
    gate.take(no(command), accepted())
    assert gate.used() == 0


def test_commands_without_an_answer_are_forgotten() -> None:
    """What is awaited is bounded by the requests of two windows."""
    gate = Gate()
    for _ in range(100):
        gate.take(place(), accepted(1))
    assert len(gate.rule._pending) == 100
    gate.take(place(), accepted(1), END_NS)
    gate.take(place(), accepted(1), END_NS + NS_PER_MINUTE)
    assert len(gate.rule._pending) == 2


def test_the_gates_own_routes_have_their_own_budget() -> None:
    """Neither budget touches the other."""
    gate = Gate(make_rule(20))
    gate.take(query(), accepted())
    for _ in range(3):
        assert gate.reason(GATE) is None
        gate.take(GATE, accepted())
    assert gate.reason(GATE) is Reason.REQUEST_WEIGHT_LIMIT
    assert gate.reason(GATE, END_NS) is None
    assert gate.reason(query()) is Reason.REQUEST_WEIGHT_LIMIT
    usages = gate.rule.usage(SCOPE_IP, IP, Book(), MINUTE_NS)
    assert [(item.label, item.used, item.limit) for item in usages] == [
        ("1M", 20, 20),
        ("GATE-1M", 6, 6),
    ]
    assert gate.rule.usage(SCOPE_ACCOUNT, IP, Book(), MINUTE_NS) == ()


def test_an_aggregated_record_costs_what_its_requests_cost() -> None:
    """Each address pays its share, in the window of the requests and from the right budget."""
    desk = Gate()
    shares = (
        RefusedShare(IP, ((Reason.KEY_MISSING, 4),), gate_count=1, weight=60, gate_weight=2),
        RefusedShare(OTHER_IP, ((Reason.ADDRESS_BANNED, 9),)),
    )
    aggregate = RefusedAggregate(0, Reason.KEY_MISSING, 13, END_NS - 1, END_NS - 1, shares)
    desk.rule.apply(aggregate, accepted(), desk.book, END_NS - 1)
    assert [usage.used for usage in desk.rule.usage(SCOPE_IP, IP, desk.book, END_NS - 1)] == [60, 2]
    assert desk.used(END_NS - 1, OTHER_IP) == 0
    desk.rule.apply(aggregate, accepted(), desk.book, END_NS)
    assert desk.used(END_NS) == 0


@pytest.mark.parametrize(("pending", "passes"), [(60, True), (61, False)])
def test_whether_a_request_would_pass_after_others(pending: int, passes: bool) -> None:
    """What is not charged yet is looked at as if it were, in the budget the request uses."""
    desk = Gate()
    desk.rule.apply(query(), accepted(), desk.book, MINUTE_NS)
    assert desk.rule.admits_after(query(), pending, 1000, MINUTE_NS) is passes
    assert desk.rule.admits_after(GATE, pending, 4, MINUTE_NS)
    assert not desk.rule.admits_after(GATE, pending, 5, MINUTE_NS)


def test_more_than_the_limit_at_once_never_passes() -> None:
    """A request heavier than the limit is refused, and waiting does not help."""
    gate = Gate(make_rule(249))
    found = breach(gate.rule, query(Endpoint.DEPTH, size=5_000), gate.book, MINUTE_NS)
    assert found is not None
    assert (found.limit, found.observed, found.retry_ns) == (249, 250, 0)


_requests = st.sampled_from(
    (query(Endpoint.PING), query(), place(), cancel(), replace(), malformed(), GATE)
)
_courses = st.sampled_from((None, Reason.PRICE_TICK, Reason.ORDER_COUNT_LIMIT))
_answers = st.sampled_from((True, False, None))


@given(st.lists(st.tuples(_requests, st.integers(0, 4), _courses, _answers), max_size=40))
def test_explanation_and_storing_hold(
    moves: list[tuple[Request, int, Reason | None, bool | None]],
) -> None:
    """Explanations say what check says, and a restored rule goes on in the same way."""
    windows = [{"interval": "7ns", "limit": 30}, {"interval": "10ns", "limit": 45}]
    gate = Gate(make_rule(windows=windows))
    now_ns = MINUTE_NS
    for request, step, reason, answer in moves:
        now_ns += step
        found = breach(gate.rule, request, gate.book, now_ns)
        refusal = found.reason if found else reason
        command = gate.take(request, refused(refusal) if refusal else accepted(1), now_ns)
        twin = Gate(make_rule(windows=windows))
        twin.rule.restore(stored_and_restored(gate.rule))
        if answer is not None and not refusal:
            told = result(command, 1) if answer else no(command, 1)
            for one in (gate, twin):
                one.take(told, accepted(), now_ns + 1)
        assert twin.rule.state() == gate.rule.state()
