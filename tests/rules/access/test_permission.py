"""The permissions of an API key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access.permission import Permission
from rules.endpoints import Endpoint
from rules.events import RefusedRequest
from rules.reasons import Reason
from rules.values import PERMIT_FUTURES, PERMIT_MARGIN, PERMIT_READ, PERMIT_TRADE, SCOPE_KEY
from tests.rules.order_world import KEY, cancel, place
from tests.rules.request_world import NOW_NS, breach, make_book, make_rulebook, query, reason_of

RULE = Permission(make_rulebook("permission"))


@pytest.mark.parametrize(
    ("held", "reads", "trades"),
    [
        (0, False, False),
        (PERMIT_READ, True, False),
        (PERMIT_TRADE, False, True),
        (PERMIT_READ | PERMIT_TRADE, True, True),
        (PERMIT_MARGIN | PERMIT_FUTURES, False, False),
        (15, True, True),
    ],
)
def test_each_endpoint_needs_its_own(held: int, reads: bool, trades: bool) -> None:
    """Reading does not allow trading, nor trading reading."""
    book = make_book(held)
    denied = Reason.PERMISSION_DENIED
    assert reason_of(RULE, query(), book, NOW_NS) is (None if reads else denied)
    for event in (place(), cancel()):
        assert reason_of(RULE, event, book, NOW_NS) is (None if trades else denied)


def test_names_needed_and_held() -> None:
    """The breach carries both bit sets and the name of what is missing."""
    found = breach(RULE, place(), make_book(PERMIT_READ), NOW_NS)
    assert found is not None
    assert (found.limit, found.observed, found.detail) == (PERMIT_TRADE, PERMIT_READ, "trade")
    assert (found.scope, found.subject) == (SCOPE_KEY, KEY)


def test_endpoints_without_a_permission_pass() -> None:
    """Market data needs none, not even a key; malformed requests are left alone."""
    assert reason_of(RULE, query(Endpoint.PING, key=0), make_book(0), NOW_NS) is None
    assert RefusedRequest not in RULE.wants


def test_an_unknown_key_holds_nothing() -> None:
    """Without a key there is no permission."""
    assert reason_of(RULE, query(key=99), make_book(), NOW_NS) is Reason.PERMISSION_DENIED


@given(st.integers(0, 15), st.sampled_from((0, KEY)), st.sampled_from(list(Endpoint)))
def test_explanation_holds(held: int, key: int, endpoint: Endpoint) -> None:
    """Explanations say what check says."""
    breach(RULE, query(endpoint, key=key), make_book(held), NOW_NS)
    assert RULE.state() is None
