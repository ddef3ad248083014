"""What is shed so that trading goes on."""

from typing import Any

import pytest

from rules.access.overload import Overload
from rules.book import Book
from rules.decisions import ACCEPTED, NOTED_DECISION, Decision
from rules.endpoints import Endpoint
from rules.events import Event, RecordSpace, Request
from rules.reasons import Reason
from rules.rule import ACCESS
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_NOT_CHECKED,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    SCOPE_IP,
    SCOPE_VENUE,
    SPACE_AMPLE,
    SPACE_LOW,
    SPACE_SCARCE,
)
from tests.rules.order_world import NOW_NS, amend, cancel, place, replace
from tests.rules.request_world import (
    IP,
    MINUTE_NS,
    OTHER_IP,
    breach,
    make_rulebook,
    malformed,
    query,
    reason_of,
    refused,
    stored_and_restored,
)

BOOK = Book()


def make_rule(space: int = SPACE_AMPLE, **clause: Any) -> Overload:
    """Return the rule with so much room on the disk of the record."""
    rule = Overload(make_rulebook("overload", **clause))
    rule.apply(RecordSpace(space, 1), NOTED_DECISION, BOOK, NOW_NS)
    return rule


@pytest.mark.parametrize(
    ("event", "shed_from"),
    [
        (query(), SPACE_LOW),
        (place(), SPACE_SCARCE),
        (replace(), SPACE_SCARCE),
        (amend(), SPACE_SCARCE),
        (cancel(), SPACE_SCARCE + 1),
        (malformed(), SPACE_SCARCE + 1),
        (malformed(auth=AUTH_NOT_REQUIRED), SPACE_LOW),
        (malformed(auth=AUTH_BAD_SIGNATURE), SPACE_LOW),
        (cancel(auth=AUTH_BAD_SIGNATURE), SPACE_SCARCE + 1),
        (query(Endpoint.SESSION_LOGON), SPACE_SCARCE + 1),
        (query(Endpoint.SESSION_CONNECT, auth=AUTH_NOT_REQUIRED), SPACE_SCARCE + 1),
    ],
)
def test_what_is_shed_at_which_room(event: Request, shed_from: int) -> None:
    """Queries go first, then new orders; a cancel never, nor the logon a cancel may need."""
    assert type(event) in Overload.wants
    for space in (SPACE_AMPLE, SPACE_LOW, SPACE_SCARCE):
        found = breach(make_rule(space), event, BOOK, NOW_NS)
        assert (found is not None) is (space >= shed_from)
        if found is not None:
            assert found.reason is Reason.OVERLOADED
            assert (found.limit, found.observed) == (shed_from - 1, space)


def test_room_that_comes_back_lets_everything_pass() -> None:
    """What was shed passes as soon as the record says that there is room again."""
    rule = make_rule(SPACE_SCARCE)
    rule.apply(RecordSpace(SPACE_LOW, 5), NOTED_DECISION, BOOK, NOW_NS + NS_PER_SECOND)
    assert reason_of(rule, place(), BOOK, NOW_NS) is None
    assert reason_of(rule, query(), BOOK, NOW_NS) is Reason.OVERLOADED
    rule.apply(RecordSpace(SPACE_AMPLE, 9), NOTED_DECISION, BOOK, NOW_NS + NS_PER_SECOND)
    assert reason_of(rule, query(), BOOK, NOW_NS) is None


@pytest.mark.parametrize("event", [query, malformed])
@pytest.mark.parametrize("auth", [AUTH_NOT_REQUIRED, AUTH_BAD_SIGNATURE])
def test_a_stranger_from_an_address_without_a_number_is_refused(event: Event, auth: int) -> None:
    """Nothing it does could be counted; whoever proves a key passes from anywhere."""
    rule = make_rule()
    found = breach(rule, event(ip=0, auth=auth), BOOK, NOW_NS)  # type: ignore[operator]
    assert found is not None
    assert (found.reason, found.limit, found.observed) == (Reason.OVERLOADED, 1, 0)
    assert reason_of(rule, event(ip=0, auth=AUTH_OK), BOOK, NOW_NS) is None  # type: ignore[operator]
    assert reason_of(rule, event(ip=1, auth=auth), BOOK, NOW_NS) is None  # type: ignore[operator]


@pytest.mark.parametrize("auth", [AUTH_NOT_CHECKED, AUTH_NOT_REQUIRED])
@pytest.mark.parametrize("space", [SPACE_AMPLE, SPACE_SCARCE])
def test_what_waited_too_long_is_refused_for_that(auth: int, space: int) -> None:
    """Whatever the room; limit and wait are what the event says, in the explanation too."""
    event = malformed(
        auth=auth, reason=Reason.OVERLOADED, detail="waited 201 ms", expected="at most 200 ms"
    )
    found = breach(make_rule(space), event, BOOK, NOW_NS)
    assert found is not None
    assert (found.rule, found.reason) == ("overload", Reason.OVERLOADED)
    assert (found.limit, found.observed) == ("at most 200 ms", "waited 201 ms")


def test_stage_and_storing() -> None:
    """It is asked before anything costs work, and a restart keeps what was found."""
    assert Overload.stage == ACCESS
    restored = Overload(make_rulebook("overload"))
    restored.restore(stored_and_restored(make_rule(SPACE_SCARCE)))
    assert restored.space == SPACE_SCARCE
    assert reason_of(restored, place(), BOOK, NOW_NS) is Reason.OVERLOADED


# --- Queries without a signature --------------------------------------------------------------

WINDOWS = [{"interval": "1s", "limit": 3}, {"interval": "1m", "limit": 5}]


def unsigned(ip: int = IP, auth: int = AUTH_NOT_REQUIRED) -> Request:
    """Return a query anybody may make."""
    return query(Endpoint.PING, ip=ip, auth=auth)


def answer(rule: Overload, event: Request, now_ns: int) -> bool:
    """Have a request decided by the rule alone; return whether it passes."""
    passes = reason_of(rule, event, BOOK, now_ns) is None
    rule.apply(event, Decision(ACCEPTED) if passes else refused(Reason.OVERLOADED), BOOK, now_ns)
    return passes


def test_strangers_together_are_answered_so_many_queries() -> None:
    """The first beyond a window is refused, whoever asks; the next window begins anew."""
    rule = make_rule(unsigned_windows=WINDOWS)
    passed = [answer(rule, unsigned(ip), MINUTE_NS) for ip in (1, 2, 3, 4, 1)]
    assert passed == [True] * 3 + [False] * 2
    found = breach(rule, unsigned(9), BOOK, MINUTE_NS)
    assert found is not None
    assert (found.reason, found.limit, found.observed) == (Reason.OVERLOADED, 3, 4)
    assert (found.scope, found.subject) == (SCOPE_VENUE, 0)
    assert found.retry_ns == MINUTE_NS + NS_PER_SECOND
    end_ns = MINUTE_NS + NS_PER_SECOND
    assert not answer(rule, unsigned(), end_ns - 1)
    assert [answer(rule, unsigned(), end_ns) for _ in range(3)] == [True, True, False]
    assert [usage.used for usage in rule.usage(SCOPE_VENUE, 0, BOOK, end_ns)] == [2, 5]
    assert rule.usage(SCOPE_IP, IP, BOOK, end_ns) == ()


def test_only_what_is_answered_counts() -> None:
    """A query that another rule refuses takes nothing, and neither do requests with a key."""
    rule = make_rule(unsigned_windows=WINDOWS)
    for event in (unsigned(auth=AUTH_BAD_SIGNATURE), query(ip=OTHER_IP), place(), cancel()):
        rule.apply(event, refused(Reason.KEY_MISSING), BOOK, MINUTE_NS)
    assert [usage.used for usage in rule.usage(SCOPE_VENUE, 0, BOOK, MINUTE_NS)] == [0, 0]


def test_whoever_has_a_key_is_not_kept_out_by_strangers() -> None:
    """Signed requests are not counted, nor is what comes from an address a key was proved from."""
    rule = make_rule(unsigned_windows=WINDOWS, known_for="1m")
    assert answer(rule, query(ip=OTHER_IP), MINUTE_NS)
    assert [answer(rule, unsigned(), MINUTE_NS) for _ in range(4)] == [True] * 3 + [False]
    assert [answer(rule, unsigned(OTHER_IP), MINUTE_NS) for _ in range(9)] == [True] * 9
    assert answer(rule, query(), MINUTE_NS), "this one proves that it is no stranger"
    assert answer(rule, unsigned(), MINUTE_NS)


@pytest.mark.parametrize("busy", [False, True])
def test_known_addresses_are_forgotten(busy: bool) -> None:
    """An address is known to the end of the next period, whether others come meanwhile or not."""
    clause: dict[str, Any] = {
        "unsigned_windows": [{"interval": "1s", "limit": 0}],
        "known_for": "1m",
    }
    rule = make_rule(**clause)
    answer(rule, query(), MINUTE_NS + 5)
    last_ns = MINUTE_NS + 2 * NS_PER_MINUTE - 1
    for now_ns, known in ((MINUTE_NS + 5, True), (last_ns, True), (last_ns + 1, False)):
        if busy:
            answer(rule, query(ip=OTHER_IP), now_ns)
        restored = Overload(make_rulebook("overload", **clause))
        restored.restore(stored_and_restored(rule))
        for one in (rule, restored):
            assert (reason_of(one, unsigned(), BOOK, now_ns) is None) is known


def test_what_an_older_version_stored_is_read() -> None:
    """It was the room alone."""
    rule = make_rule()
    rule.restore(SPACE_LOW)
    assert rule.space == SPACE_LOW
