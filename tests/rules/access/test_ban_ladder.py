"""Bans of addresses."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.access.ban_ladder import BanLadder
from rules.book import Book
from rules.endpoints import Endpoint
from rules.events import ClearBan
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.values import (
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    SCOPE_IP,
    SCOPE_KEY,
)
from tests.rules.request_world import (
    IP,
    NOW_NS,
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
LIMITED = refused(Reason.REQUEST_WEIGHT_LIMIT)
FIRST_BAN_NS = 2 * NS_PER_MINUTE


def ladder(**clause: Any) -> BanLadder:
    """Return the rule with the venue's numbers, or with changes."""
    return BanLadder(make_rulebook("ban_ladder", **clause))


def provoke(rule: BanLadder, now_ns: int, times: int = 10, ip: int = IP) -> None:
    """Let an address be refused so many times at one moment."""
    for _ in range(times):
        rule.apply(query(ip=ip), LIMITED, BOOK, now_ns)


@pytest.mark.parametrize(("times", "until_ns"), [(9, 0), (10, NOW_NS + FIRST_BAN_NS)])
def test_the_last_counted_refusal_starts_the_ban(times: int, until_ns: int) -> None:
    """Nine refusals are none, the tenth bans from that moment on."""
    rule = ladder()
    provoke(rule, NOW_NS, times)
    assert rule.banned_until(IP, NOW_NS) == until_ns
    assert rule.banned_until(OTHER_IP, NOW_NS) == 0


def test_a_ban_ends_at_its_end() -> None:
    """Refused up to the last nanosecond of the ban; the end itself is free."""
    rule = ladder()
    provoke(rule, NOW_NS)
    end_ns = NOW_NS + FIRST_BAN_NS
    found = breach(rule, query(), BOOK, end_ns - 1)
    assert found is not None
    assert (found.reason, found.limit, found.observed) == (Reason.ADDRESS_BANNED, 0, end_ns)
    assert (found.retry_ns, found.scope, found.subject) == (end_ns, SCOPE_IP, IP)
    assert breach(rule, query(), BOOK, end_ns) is None
    assert rule.banned_until(IP, end_ns - 1) == end_ns
    assert rule.banned_until(IP, end_ns) == 0


@pytest.mark.parametrize(
    ("tenth_after_ns", "banned"),
    [(NS_PER_MINUTE - 1, True), (NS_PER_MINUTE, False), (NS_PER_MINUTE + 1, False)],
)
def test_refusals_count_within_the_minute_of_the_first(tenth_after_ns: int, banned: bool) -> None:
    """The span begins with the first refusal and is half-open."""
    rule = ladder()
    provoke(rule, NOW_NS, 9)
    provoke(rule, NOW_NS + tenth_after_ns, 1)
    assert bool(rule.banned_until(IP, NOW_NS + tenth_after_ns)) is banned


def test_a_new_span_begins_with_the_next_refusal() -> None:
    """A refusal after the minute is the first of a new one."""
    rule = ladder()
    provoke(rule, NOW_NS, 9)
    later_ns = NOW_NS + NS_PER_MINUTE
    provoke(rule, later_ns, 9)
    assert rule.banned_until(IP, later_ns) == 0
    provoke(rule, later_ns + NS_PER_MINUTE - 1, 1)
    assert rule.banned_until(IP, later_ns + NS_PER_MINUTE - 1) > 0


@pytest.mark.parametrize("reason", sorted(Reason))
def test_only_rate_limits_lead_to_a_ban(reason: Reason) -> None:
    """Wrong signatures, filters and bans themselves are not counted."""
    rule = ladder(refusals=1)
    rule.apply(malformed(), refused(reason), BOOK, NOW_NS)
    counted = reason in RATE_LIMIT_REASONS and reason != Reason.ADDRESS_BANNED
    assert bool(rule.banned_until(IP, NOW_NS)) is counted


def test_accepted_requests_do_not_count() -> None:
    """Only refusals count."""
    rule = ladder(refusals=1)
    rule.apply(query(), accepted(), BOOK, NOW_NS)
    assert rule.state() == []


def test_going_on_during_a_ban_does_not_lengthen_it() -> None:
    """Neither the ban's own refusals nor others, as they happen in shadow, move its end."""
    rule = ladder()
    provoke(rule, NOW_NS)
    for step in range(50):
        now_ns = NOW_NS + step
        rule.apply(query(), refused(Reason.ADDRESS_BANNED), BOOK, now_ns)
        rule.apply(query(), LIMITED, BOOK, now_ns)
    end_ns = NOW_NS + FIRST_BAN_NS
    assert rule.banned_until(IP, NOW_NS + 50) == end_ns
    provoke(rule, end_ns, 9)
    assert rule.banned_until(IP, end_ns) == 0


def test_each_ban_doubles_up_to_the_longest() -> None:
    """2, 4, 8 … minutes, never more than three days."""
    rule = ladder()
    now_ns = NOW_NS
    lengths = []
    for _ in range(14):
        provoke(rule, now_ns)
        end_ns = rule.banned_until(IP, now_ns)
        lengths.append((end_ns - now_ns) // NS_PER_MINUTE)
        now_ns = end_ns
    assert lengths == [2**n for n in range(1, 13)] + [4320, 4320]


@pytest.mark.parametrize(
    ("clean_ns", "minutes"),
    [(24 * NS_PER_HOUR - 1, 4), (24 * NS_PER_HOUR, 2), (24 * NS_PER_HOUR + 1, 2)],
)
def test_history_is_forgiven_after_clean_time(clean_ns: int, minutes: int) -> None:
    """The time runs from the end of the last ban to the beginning of the next."""
    rule = ladder()
    provoke(rule, NOW_NS)
    now_ns = rule.banned_until(IP, NOW_NS) + clean_ns
    provoke(rule, now_ns)
    assert rule.banned_until(IP, now_ns) == now_ns + minutes * NS_PER_MINUTE


def test_the_gates_own_routes_are_never_banned() -> None:
    """They pass during a ban, and their refusals lead to none."""
    rule = ladder(refusals=1)
    gate = query(Endpoint.GATE_LIMITS)
    rule.apply(gate, LIMITED, BOOK, NOW_NS)
    assert rule.banned_until(IP, NOW_NS) == 0
    provoke(rule, NOW_NS, 1)
    assert reason_of(rule, gate, BOOK, NOW_NS) is None
    assert reason_of(rule, query(), BOOK, NOW_NS) is Reason.ADDRESS_BANNED


def test_an_operator_lifts_a_ban_with_its_history() -> None:
    """After the ban was lifted the address begins anew."""
    rule = ladder()
    provoke(rule, NOW_NS)
    rule.apply(ClearBan(IP, 0, "op"), accepted(), BOOK, NOW_NS + 1)
    assert rule.banned_until(IP, NOW_NS + 1) == 0
    assert rule.state() == []
    provoke(rule, NOW_NS + 2)
    assert rule.banned_until(IP, NOW_NS + 2) == NOW_NS + 2 + FIRST_BAN_NS


def test_an_operator_bans_without_moving_the_ladder() -> None:
    """A ban set by hand ends when told; the next one of the ladder is as long as it would be."""
    rule = ladder()
    end_ns = NOW_NS + NS_PER_SECOND
    rule.apply(ClearBan(IP, end_ns, "op"), accepted(), BOOK, NOW_NS)
    assert rule.banned_until(IP, end_ns - 1) == end_ns
    assert rule.banned_until(IP, end_ns) == 0
    provoke(rule, end_ns)
    assert rule.banned_until(IP, end_ns) == end_ns + FIRST_BAN_NS


def test_an_operators_ban_brings_no_forgiven_history_back() -> None:
    """After a clean day the next ban is a first one again, an operator's ban between or not."""
    rule = ladder()
    provoke(rule, NOW_NS)
    forgiven_ns = NOW_NS + FIRST_BAN_NS + NS_PER_DAY
    rule.apply(ClearBan(IP, forgiven_ns + 1, "tester"), accepted(), BOOK, forgiven_ns)
    provoke(rule, forgiven_ns + 1)
    assert rule.banned_until(IP, forgiven_ns + 1) == forgiven_ns + 1 + FIRST_BAN_NS


def test_in_shadow_no_signature_may_be_left_out() -> None:
    """A ban that is only recorded must not keep anybody from verifying signatures."""
    rule = ladder(mode="shadow")
    provoke(rule, NOW_NS)
    assert rule.banned_until(IP, NOW_NS) == 0
    assert reason_of(rule, query(), BOOK, NOW_NS) is Reason.ADDRESS_BANNED


def test_addresses_are_forgotten() -> None:
    """What is held against an address goes once it makes no difference any more."""
    rule = ladder()
    for ip in range(100, 200):
        provoke(rule, NOW_NS, 1, ip)
    provoke(rule, NOW_NS, 10, IP)
    provoke(rule, NOW_NS + NS_PER_MINUTE, 1, OTHER_IP)
    assert [item[0] for item in rule.state()] == [IP, OTHER_IP]
    forgiven_ns = NOW_NS + FIRST_BAN_NS + 24 * NS_PER_HOUR
    provoke(rule, forgiven_ns - 1, 1, 300)
    assert [item[0] for item in rule.state()] == [IP, 300]
    provoke(rule, forgiven_ns, 1, 300)
    assert [item[0] for item in rule.state()] == [300]
    provoke(rule, forgiven_ns + NS_PER_DAY, 1, 300)
    assert len(rule._due) == 1


def test_an_address_that_goes_on_takes_no_more_memory() -> None:
    """One that is refused each minute of the day after its ban is planned once, and then forgotten."""
    rule = ladder()
    provoke(rule, NOW_NS)
    for minute in range(3, 24 * 60):
        provoke(rule, NOW_NS + minute * NS_PER_MINUTE, 1)
        assert len(rule._due) == 1
    for _ in range(3):
        rule.apply(ClearBan(IP, 0, "tester"), accepted(), BOOK, NOW_NS + NS_PER_DAY)
        provoke(rule, NOW_NS + NS_PER_DAY)
    last_ns = NOW_NS + NS_PER_DAY + FIRST_BAN_NS + 24 * NS_PER_HOUR
    provoke(rule, last_ns - 1, 1, OTHER_IP)
    assert [item[0] for item in rule.state()] == [IP, OTHER_IP]
    provoke(rule, last_ns, 1, OTHER_IP)
    assert [item[0] for item in rule.state()] == [OTHER_IP]
    assert len(rule._due) == 1


def test_a_restored_rule_forgets_when_the_other_does() -> None:
    """An operator shortens a ban; its address goes at the same refusal, restored or not."""
    rule, twin = ladder(), ladder()
    provoke(rule, NOW_NS)
    # The first look is when the refusals expire; it plans the next for when the ban is forgiven.
    looked_ns = NOW_NS + NS_PER_MINUTE
    provoke(rule, looked_ns, 1, OTHER_IP)
    end_ns = looked_ns + NS_PER_SECOND
    rule.apply(ClearBan(IP, end_ns, "tester"), accepted(), BOOK, looked_ns)
    twin.restore(stored_and_restored(rule))
    forgettable_ns = end_ns + 24 * NS_PER_HOUR
    planned_ns = NOW_NS + FIRST_BAN_NS + 24 * NS_PER_HOUR
    for now_ns in (forgettable_ns, planned_ns - 1, planned_ns):
        for one in (rule, twin):
            provoke(one, now_ns, 1, OTHER_IP)
        assert twin.state() == rule.state()
        held = [item[0] for item in twin.state()]
        assert held == ([OTHER_IP] if now_ns == planned_ns else [IP, OTHER_IP])


def test_a_state_without_the_time_to_look_is_read() -> None:
    """Earlier versions stored none; the address is forgotten once it makes no difference."""
    rule, twin = ladder(), ladder()
    provoke(rule, NOW_NS)
    twin.restore([item[:5] for item in stored_and_restored(rule)])
    assert twin.banned_until(IP, NOW_NS) == NOW_NS + FIRST_BAN_NS
    forgiven_ns = NOW_NS + FIRST_BAN_NS + 24 * NS_PER_HOUR
    provoke(twin, forgiven_ns - 1, 1, OTHER_IP)
    assert [item[0] for item in twin.state()] == [IP, OTHER_IP]
    provoke(twin, forgiven_ns, 1, OTHER_IP)
    assert [item[0] for item in twin.state()] == [OTHER_IP]


def test_usage_shows_refusals_and_ban() -> None:
    """An address sees how close a ban is and when it ends; other scopes have none."""
    rule = ladder()
    assert rule.usage(SCOPE_IP, IP, Book(), NOW_NS) == ()
    provoke(rule, NOW_NS, 9)
    (used,) = rule.usage(SCOPE_IP, IP, Book(), NOW_NS + NS_PER_MINUTE - 1)
    assert (used.used, used.limit, used.resets_ns) == (9, 10, NOW_NS + NS_PER_MINUTE)
    assert rule.usage(SCOPE_IP, IP, Book(), NOW_NS + NS_PER_MINUTE) == ()
    assert rule.usage(SCOPE_KEY, IP, Book(), NOW_NS) == ()
    provoke(rule, NOW_NS, 1)
    (ban,) = rule.usage(SCOPE_IP, IP, Book(), NOW_NS)
    assert (ban.label, ban.resets_ns) == ("ban", NOW_NS + FIRST_BAN_NS)


@pytest.mark.parametrize("clause", [{"refusals": 0}, {"growth": 0}, {"within": "soon"}])
def test_senseless_parameters_are_refused(clause: dict[str, Any]) -> None:
    """A ladder without steps can't be built."""
    with pytest.raises(ValueError):
        ladder(**clause)


_moves = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from((0, 1, 5, 9, 10, 11, 20, 200)),
        st.sampled_from((Reason.RAW_REQUEST_LIMIT, Reason.KEY_UNKNOWN, None)),
    ),
    max_size=60,
)


_TWICE_REFUSED = [(IP, 0, Reason.RAW_REQUEST_LIMIT)] * 2


@given(_moves, st.integers(0, 60), st.sampled_from(("1ns", "100ns")))
@example([*_TWICE_REFUSED, (IP, 9, Reason.RAW_REQUEST_LIMIT)], 1, "1ns")
def test_explanation_and_storing_hold(
    moves: list[tuple[int, int, Reason | None]], stored_at: int, forgiven_after: str
) -> None:
    """Explanations say what check says, and a restored rule goes on as if it had never stopped."""
    clause = {
        "refusals": 2,
        "within": "10ns",
        "first_ban": "5ns",
        "longest_ban": "20ns",
        "forgiven_after": forgiven_after,
    }
    rule, twin = ladder(**clause), ladder(**clause)
    now_ns = NOW_NS
    for number, (ip, step, reason) in enumerate(moves):
        now_ns += step
        request = query(ip=ip)
        found = breach(rule, request, BOOK, now_ns)
        assert breach(twin, request, BOOK, now_ns) == found
        assert (found.retry_ns if found else 0) == rule.banned_until(ip, now_ns)
        decision = refused(reason) if reason else accepted()
        for one in (rule, twin):
            one.apply(request, decision, BOOK, now_ns)
        assert twin.state() == rule.state()
        if number == stored_at:
            twin = ladder(**clause)
            twin.restore(stored_and_restored(rule))
