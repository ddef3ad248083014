"""The standing of an account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access.account_standing import AccountStanding
from rules.endpoints import Endpoint
from rules.events import Event, RefusedRequest
from rules.reasons import Reason
from rules.values import SCOPE_ACCOUNT
from tests.rules.order_world import ACCOUNT, amend, cancel, place, replace
from tests.rules.request_world import NOW_NS, breach, make_book, make_rulebook, query, reason_of

RULE = AccountStanding(make_rulebook("account_standing"))


@pytest.mark.parametrize("event", [query(), place(), cancel(), replace(), amend()])
def test_a_disabled_account_gets_nothing(event: Event) -> None:
    """Every request in the account's name is refused, and none while it is enabled."""
    book = make_book()
    assert reason_of(RULE, event, book, NOW_NS) is None
    book.accounts[ACCOUNT].enabled = False
    found = breach(RULE, event, book, NOW_NS)
    assert found is not None
    assert (found.reason, found.limit, found.observed) == (Reason.ACCOUNT_DISABLED, 1, 0)
    assert (found.scope, found.subject) == (SCOPE_ACCOUNT, ACCOUNT)


def test_a_missing_account_is_refused() -> None:
    """Neither an unknown key nor a key without its account gets through."""
    book = make_book()
    assert reason_of(RULE, query(key=99), book, NOW_NS) is Reason.ACCOUNT_DISABLED
    del book.accounts[ACCOUNT]
    found = breach(RULE, query(), book, NOW_NS)
    assert found is not None
    assert found.detail == "unknown account"


def test_public_endpoints_need_no_account() -> None:
    """Where no key is asked for, no account is."""
    book = make_book()
    book.accounts[ACCOUNT].enabled = False
    assert reason_of(RULE, query(Endpoint.PING), book, NOW_NS) is None
    assert RefusedRequest not in RULE.wants


@given(st.booleans(), st.sampled_from((0, 3, 99)), st.sampled_from(list(Endpoint)))
def test_explanation_holds(enabled: bool, key: int, endpoint: Endpoint) -> None:
    """Explanations say what check says."""
    book = make_book()
    book.accounts[ACCOUNT].enabled = enabled
    breach(RULE, query(endpoint, key=key), book, NOW_NS)
    assert RULE.state() is None
