"""The standing of an API key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access.key_standing import KeyStanding
from rules.book import Book, KeyFacts
from rules.endpoints import Endpoint
from rules.events import RefusedRequest
from rules.reasons import Reason
from rules.values import SCOPE_KEY
from tests.rules.order_world import ACCOUNT, KEY, cancel
from tests.rules.request_world import IP, NOW_NS, OTHER_IP, breach, make_rulebook, query, reason_of

RULE = KeyStanding(make_rulebook("key_standing"))


def book_with(addresses: tuple[int, ...] = (), expires_ns: int = 0, enabled: bool = True) -> Book:
    """Return a book with one key."""
    book = Book()
    book.keys[KEY] = KeyFacts(KEY, "k", ACCOUNT, 3, frozenset(addresses), expires_ns, enabled)
    return book


@pytest.mark.parametrize(
    ("expires_ns", "expected"),
    [
        (0, None),
        (NOW_NS + 1, None),
        (NOW_NS, Reason.KEY_EXPIRED),
        (NOW_NS - 1, Reason.KEY_EXPIRED),
    ],
)
def test_a_key_is_good_up_to_its_expiry(expires_ns: int, expected: Reason | None) -> None:
    """The moment of expiry is too late already; 0 never comes."""
    book = book_with(expires_ns=expires_ns)
    found = breach(RULE, query(), book, NOW_NS)
    assert (found and found.reason) == expected
    if found is not None:
        assert (found.limit, found.observed) == (expires_ns, NOW_NS)
        assert (found.scope, found.subject) == (SCOPE_KEY, KEY)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ((), None),
        ((IP,), None),
        ((OTHER_IP, IP), None),
        ((OTHER_IP,), Reason.ADDRESS_NOT_ALLOWED),
    ],
)
def test_addresses(addresses: tuple[int, ...], expected: Reason | None) -> None:
    """A key with addresses may be used from these only."""
    assert reason_of(RULE, query(), book_with(addresses), NOW_NS) is expected


def test_disabled_and_unknown_keys() -> None:
    """A revoked key is refused, and so is one the book does not know."""
    assert reason_of(RULE, query(), book_with(enabled=False), NOW_NS) is Reason.KEY_DISABLED
    assert reason_of(RULE, query(key=99), book_with(), NOW_NS) is Reason.KEY_UNKNOWN
    assert reason_of(RULE, cancel(), book_with(enabled=False), NOW_NS) is Reason.KEY_DISABLED


def test_the_first_fault_is_told() -> None:
    """A key that is everything at once is disabled first, then expired."""
    book = book_with((OTHER_IP,), NOW_NS, enabled=False)
    assert reason_of(RULE, query(), book, NOW_NS) is Reason.KEY_DISABLED
    book.keys[KEY].enabled = True
    assert reason_of(RULE, query(), book, NOW_NS) is Reason.KEY_EXPIRED


def test_only_where_a_key_is_asked_for() -> None:
    """Public endpoints pass; key-only ones do not; malformed requests are left alone."""
    book = book_with(enabled=False)
    assert reason_of(RULE, query(Endpoint.PING), book, NOW_NS) is None
    keyed = query(Endpoint.HISTORICAL_TRADES)
    assert reason_of(RULE, keyed, book, NOW_NS) is Reason.KEY_DISABLED
    assert RefusedRequest not in RULE.wants


@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(-1, 1),
    st.booleans(),
    st.booleans(),
    st.sampled_from((KEY, 99)),
    st.sampled_from((Endpoint.PING, Endpoint.ACCOUNT)),
)
def test_explanation_holds(
    addresses: list[int], by_ns: int, expires: bool, enabled: bool, key: int, endpoint: Endpoint
) -> None:
    """Explanations say what check says."""
    book = book_with(tuple(addresses), NOW_NS + by_ns if expires else 0, enabled)
    breach(RULE, query(endpoint, key=key), book, NOW_NS)
    assert RULE.state() is None
