"""The verdict of authentication."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access.authentication import Authentication
from rules.book import Book
from rules.endpoints import Endpoint
from rules.events import RefusedRequest
from rules.reasons import Reason
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MALFORMED_KEY,
    AUTH_MISSING_KEY,
    AUTH_MISSING_SIGNATURE,
    AUTH_NONCE_USED,
    AUTH_NOT_CHECKED,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    AUTH_UNKNOWN_KEY,
    SCOPE_IP,
)
from tests.rules.order_world import amend, cancel, place, replace
from tests.rules.request_world import (
    IP,
    NOW_NS,
    breach,
    make_book,
    make_rulebook,
    query,
    reason_of,
)

RULE = Authentication(make_rulebook("authentication"))
BOOK = make_book()
ALL = range(-1, 12)

NONE, KEYED, SIGNED = Endpoint.PING, Endpoint.HISTORICAL_TRADES, Endpoint.ACCOUNT


@pytest.mark.parametrize("auth", ALL)
def test_public_endpoints_ask_for_nothing(auth: int) -> None:
    """Whatever authentication found, a public endpoint passes."""
    assert reason_of(RULE, query(NONE, auth=auth, key=0), BOOK, NOW_NS) is None


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (AUTH_OK, None),
        (AUTH_NOT_REQUIRED, Reason.SIGNATURE_MISSING),
        (AUTH_MISSING_KEY, Reason.KEY_MISSING),
        (AUTH_MALFORMED_KEY, Reason.KEY_MALFORMED),
        (AUTH_UNKNOWN_KEY, Reason.KEY_UNKNOWN),
        (AUTH_BAD_SIGNATURE, Reason.SIGNATURE_INVALID),
        (AUTH_MISSING_SIGNATURE, Reason.SIGNATURE_MISSING),
        (AUTH_NONCE_USED, Reason.NONCE_USED),
        (AUTH_NOT_CHECKED, Reason.SIGNATURE_NOT_CHECKED),
        (0, Reason.SIGNATURE_NOT_CHECKED),
        (-1, Reason.SIGNATURE_NOT_CHECKED),
        (99, Reason.SIGNATURE_NOT_CHECKED),
    ],
)
def test_signed_endpoints_ask_for_a_verified_signature(auth: int, expected: Reason | None) -> None:
    """Each result has its reason; one that is not known refuses."""
    assert reason_of(RULE, query(SIGNED, auth=auth), BOOK, NOW_NS) is expected


@pytest.mark.parametrize("auth", ALL)
def test_keyed_endpoints_ask_for_a_known_key_only(auth: int) -> None:
    """A wrong signature where none is asked for does no harm; a wrong key does."""
    expected = {
        AUTH_MISSING_KEY: Reason.KEY_MISSING,
        AUTH_MALFORMED_KEY: Reason.KEY_MALFORMED,
        AUTH_UNKNOWN_KEY: Reason.KEY_UNKNOWN,
    }.get(auth)
    assert reason_of(RULE, query(KEYED, auth=auth), BOOK, NOW_NS) is expected


@pytest.mark.parametrize("endpoint", [KEYED, SIGNED])
@pytest.mark.parametrize(("key", "expected"), [(0, Reason.KEY_MISSING), (99, Reason.KEY_UNKNOWN)])
def test_a_verified_request_still_needs_a_key_of_the_book(
    endpoint: Endpoint, key: int, expected: Reason
) -> None:
    """A result without a key that the book knows is worth nothing."""
    assert reason_of(RULE, query(endpoint, key=key, auth=AUTH_OK), BOOK, NOW_NS) is expected


def test_every_order_request_is_looked_at() -> None:
    """Placing, cancelling, replacing and amending need a signature."""
    for event in (place, cancel, replace, amend):
        found = breach(RULE, event(auth=AUTH_BAD_SIGNATURE), BOOK, NOW_NS)
        assert found is not None
        assert (found.limit, found.observed, found.detail) == (
            AUTH_OK,
            AUTH_BAD_SIGNATURE,
            "BAD_SIGNATURE",
        )
        assert (found.scope, found.subject, found.retry_ns) == (SCOPE_IP, IP, 0)


def test_malformed_requests_are_left_alone() -> None:
    """Wrong parameters are reported before a wrong signature."""
    assert RefusedRequest not in RULE.wants


def test_nothing_is_kept() -> None:
    """The rule has neither counts nor usage."""
    assert RULE.state() is None
    assert RULE.usage(SCOPE_IP, IP, Book(), NOW_NS) == ()


@given(
    st.sampled_from((NONE, KEYED, SIGNED, Endpoint.UNKNOWN)),
    st.integers(-2, 12),
    st.sampled_from((0, 3, 4)),
)
def test_explanation_holds(endpoint: Endpoint, auth: int, key: int) -> None:
    """Explanations say what check says."""
    breach(RULE, query(endpoint, auth=auth, key=key), BOOK, NOW_NS)
