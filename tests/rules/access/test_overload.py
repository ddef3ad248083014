"""What is shed so that trading goes on."""

import pytest

from rules.access.overload import Overload
from rules.book import Book
from rules.decisions import NOTED_DECISION
from rules.events import Event, RecordSpace, Request
from rules.reasons import Reason
from rules.rule import ACCESS
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    NS_PER_SECOND,
    SPACE_AMPLE,
    SPACE_LOW,
    SPACE_SCARCE,
)
from tests.rules.order_world import NOW_NS, amend, cancel, place, replace
from tests.rules.request_world import (
    breach,
    make_rulebook,
    malformed,
    query,
    reason_of,
    stored_and_restored,
)

BOOK = Book()


def make_rule(space: int = SPACE_AMPLE) -> Overload:
    """Return the rule with so much room on the disk of the record."""
    rule = Overload(make_rulebook("overload"))
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
    ],
)
def test_what_is_shed_at_which_room(event: Request, shed_from: int) -> None:
    """Queries go first, then new orders and changes of orders; a cancel never."""
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


def test_stage_and_storing() -> None:
    """It is asked before anything costs work, and a restart keeps what was found."""
    assert Overload.stage == ACCESS
    restored = Overload(make_rulebook("overload"))
    restored.restore(stored_and_restored(make_rule(SPACE_SCARCE)))
    assert restored.space == SPACE_SCARCE
    assert reason_of(restored, place(), BOOK, NOW_NS) is Reason.OVERLOADED
