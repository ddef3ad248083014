"""Raw requests of an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.endpoints import Endpoint
from rules.events import Event, RefusedAggregate, RefusedShare
from rules.rates.raw_requests import RawRequests
from rules.reasons import Reason
from rules.values import NS_PER_MINUTE, NS_PER_SECOND, SCOPE_ACCOUNT, SCOPE_IP
from tests.rules.order_world import amend, cancel, place, replace
from tests.rules.request_world import (
    IP,
    MINUTE_NS,
    OTHER_IP,
    accepted,
    breach,
    make_rulebook,
    malformed,
    query,
    reason_of,
    refused,
    stored_and_restored,
)

BOOK = Book()
GATE = query(Endpoint.GATE_LIMITS)


def make_rule(*windows: tuple[str, int]) -> RawRequests:
    """Return the rule with these windows, by default 3 in a minute."""
    pairs = windows or (("1m", 3),)
    tables = [{"interval": interval, "limit": limit} for interval, limit in pairs]
    return RawRequests(make_rulebook("raw_requests", windows=tables))


def used(rule: RawRequests, now_ns: int = MINUTE_NS, ip: int = IP) -> list[int]:
    """Return the counts of all windows."""
    return [usage.used for usage in rule.usage(SCOPE_IP, ip, Book(), now_ns)]


@pytest.mark.parametrize(("before", "passes"), [(1, True), (2, True), (3, False), (4, False)])
def test_at_the_limit(before: int, passes: bool) -> None:
    """The request that reaches the limit passes, the next one does not."""
    rule = make_rule()
    for _ in range(before):
        rule.apply(query(), accepted(), BOOK, MINUTE_NS)
    found = breach(rule, query(), BOOK, MINUTE_NS)
    assert (found is None) is passes
    if found is not None:
        assert found.reason is Reason.RAW_REQUEST_LIMIT
        assert (found.limit, found.observed) == (3, before + 1)
        assert found.retry_ns == MINUTE_NS + NS_PER_MINUTE
        assert (found.scope, found.subject, found.window_ns) == (SCOPE_IP, IP, NS_PER_MINUTE)
    assert reason_of(rule, query(ip=OTHER_IP), BOOK, MINUTE_NS) is None
    assert reason_of(rule, query(), BOOK, MINUTE_NS + NS_PER_MINUTE) is None


@pytest.mark.parametrize("event", [query(), malformed(), place(), cancel(), replace(), amend()])
def test_every_request_counts_whatever_follows(event: Event) -> None:
    """Accepted, refused by any rule, even banned: one each, and all are held to the limit."""
    rule = make_rule()
    for decision in (
        accepted(),
        refused(Reason.ADDRESS_BANNED),
        refused(Reason.RAW_REQUEST_LIMIT),
        refused(Reason.SIGNATURE_INVALID),
        refused(Reason.PRICE_TICK),
    ):
        rule.apply(event, decision, BOOK, MINUTE_NS)
    assert used(rule) == [5]
    assert type(event) in rule.wants
    assert reason_of(rule, event, BOOK, MINUTE_NS) is Reason.RAW_REQUEST_LIMIT


def test_the_gates_own_routes_neither_count_nor_are_limited() -> None:
    """An address at its limit can still ask how close its limits are."""
    rule = make_rule()
    rule.apply(GATE, accepted(), BOOK, MINUTE_NS)
    assert used(rule) == [0]
    for _ in range(4):
        rule.apply(query(), accepted(), BOOK, MINUTE_NS)
    assert reason_of(rule, GATE, BOOK, MINUTE_NS) is None


def test_an_aggregated_record_counts_all_it_stands_for() -> None:
    """Refusals that share one record are requests like any other, except for the gate's routes."""
    rule = make_rule()
    shares = (
        RefusedShare(IP, ((Reason.KEY_MISSING, 4), (Reason.ADDRESS_BANNED, 3)), gate_count=2),
        RefusedShare(OTHER_IP, ((Reason.KEY_MISSING, 1),), gate_count=1),
    )
    aggregate = RefusedAggregate(0, Reason.KEY_MISSING, 8, MINUTE_NS, MINUTE_NS, shares)
    rule.apply(aggregate, accepted(), BOOK, MINUTE_NS)
    assert used(rule) == [5]
    assert used(rule, ip=OTHER_IP) == [0]


def test_an_aggregated_record_counts_in_the_window_of_its_requests() -> None:
    """When it is recorded late, a window that has begun since takes nothing of it."""
    rule = make_rule()
    shares = (RefusedShare(IP, ((Reason.KEY_MISSING, 4),)),)
    end_ns = MINUTE_NS + NS_PER_MINUTE
    for arrived_ns, now_ns, counted in (
        (end_ns - 1, end_ns - 1, 4),
        (end_ns - 1, end_ns, 0),
        (end_ns, end_ns, 4),
    ):
        aggregate = RefusedAggregate(IP, Reason.KEY_MISSING, 4, arrived_ns, arrived_ns, shares)
        rule.apply(aggregate, accepted(), BOOK, now_ns)
        assert used(rule, now_ns=now_ns) == [counted]


@pytest.mark.parametrize(("pending", "passes"), [(1, True), (2, False)])
def test_whether_a_request_would_pass_after_others(pending: int, passes: bool) -> None:
    """What is not counted yet is looked at as if it were; the gate's own routes always pass."""
    rule = make_rule()
    rule.apply(query(), accepted(), BOOK, MINUTE_NS)
    assert rule.admits_after(query(), pending, MINUTE_NS) is passes
    assert rule.admits_after(GATE, pending, MINUTE_NS)


def test_several_windows_at_once() -> None:
    """The short window is free again, the long one still holds."""
    rule = make_rule(("1s", 2), ("1m", 3))
    for _ in range(2):
        rule.apply(query(), accepted(), BOOK, MINUTE_NS)
    found = breach(rule, query(), BOOK, MINUTE_NS)
    assert found is not None
    assert found.window_ns == NS_PER_SECOND
    later_ns = MINUTE_NS + NS_PER_SECOND
    assert reason_of(rule, query(), BOOK, later_ns) is None
    rule.apply(query(), accepted(), BOOK, later_ns)
    found = breach(rule, query(), BOOK, later_ns)
    assert found is not None
    assert (found.window_ns, found.observed) == (NS_PER_MINUTE, 4)


def test_no_windows_no_limit() -> None:
    """A rulebook without windows limits nothing."""
    rule = RawRequests(make_rulebook("raw_requests"))
    rule.apply(query(), accepted(), BOOK, MINUTE_NS)
    assert reason_of(rule, query(), BOOK, MINUTE_NS) is None


def test_usage_is_by_address() -> None:
    """Other scopes have no raw requests."""
    rule = make_rule()
    assert rule.usage(SCOPE_ACCOUNT, IP, Book(), MINUTE_NS) == ()
    (usage,) = rule.usage(SCOPE_IP, IP, Book(), MINUTE_NS)
    assert (usage.label, usage.limit, usage.resets_ns) == ("1M", 3, MINUTE_NS + NS_PER_MINUTE)


@given(
    st.lists(
        st.tuples(st.integers(1, 2), st.sampled_from((0, 1, 2, 7)), st.booleans()), max_size=40
    )
)
def test_explanation_and_storing_hold(moves: list[tuple[int, int, bool]]) -> None:
    """Explanations say what check says, and a restored rule goes on in the same way."""
    rule = make_rule(("3ns", 2), ("10ns", 4))
    now_ns = MINUTE_NS
    for ip, step, gate in moves:
        now_ns += step
        request = query(Endpoint.GATE_LIMITS if gate else Endpoint.PING, ip=ip)
        found = breach(rule, request, BOOK, now_ns)
        rule.apply(request, refused(found.reason) if found else accepted(), BOOK, now_ns)
        again = make_rule(("3ns", 2), ("10ns", 4))
        again.restore(stored_and_restored(rule))
        assert again.state() == rule.state()
        assert used(again, now_ns, ip) == used(rule, now_ns, ip)
        assert breach(again, request, BOOK, now_ns) == breach(rule, request, BOOK, now_ns)
