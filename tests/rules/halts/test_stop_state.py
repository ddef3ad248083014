"""Stop states."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import AccountFacts, Book, KeyFacts
from rules.decisions import Decision
from rules.events import CancelAll, Query, RefusedRequest, Request
from rules.halts.stop_state import StopState
from rules.reasons import Reason
from rules.values import (
    BUY,
    E8,
    FLAG_TEST,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    SELL,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    STATE_REDUCE_ONLY,
    STATE_SLOW,
)
from tests.rules.order_world import (
    ACCOUNT,
    KEY,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    OWNER,
    SYMBOL,
    amend,
    cancel,
    place,
    replace,
)
from tests.rules.request_world import (
    NOW_NS,
    accepted,
    add_order,
    breach,
    make_book,
    make_rulebook,
    reason_of,
    refused,
    stored_and_restored,
)

SCOPES = (
    (SCOPE_VENUE, 0),
    (SCOPE_SYMBOL, SYMBOL),
    (SCOPE_OWNER, OWNER),
    (SCOPE_ACCOUNT, ACCOUNT),
    (SCOPE_KEY, KEY),
)
STATES = (STATE_ACTIVE, STATE_SLOW, STATE_REDUCE_ONLY, STATE_CANCEL_ONLY, STATE_KILLED)


def cancel_all(symbol: int = 0) -> CancelAll:
    """Return a cancel of all open orders."""
    fields = {name: getattr(cancel(), name) for name in Request.__struct_fields__}
    return CancelAll(**fields, symbol=symbol)


def make_rule(**clause: Any) -> StopState:
    """Return the rule with one order a second in SLOW, or with changes."""
    return StopState(make_rulebook("stop_state", **clause))


def world(state: int, scope: int = SCOPE_ACCOUNT, subject: int = ACCOUNT) -> Book:
    """Return a book with an open buy 11 and an open sell 12, and one scope in `state`."""
    book = make_book()
    book.accounts[OTHER_ACCOUNT] = AccountFacts(OTHER_ACCOUNT, "b", OWNER, "", 0, True)
    book.keys[OTHER_KEY] = KeyFacts(OTHER_KEY, "k", OTHER_ACCOUNT, 3, frozenset(), 0, True)
    add_order(book, 11, BUY)
    add_order(book, 12, SELL)
    if state:
        book.states[scope, subject] = state
    return book


# What passes in ACTIVE, SLOW (the first order), REDUCE_ONLY, CANCEL_ONLY, KILLED.
TABLE: list[tuple[str, Request, str]] = [
    ("buy", place(side=BUY), "yynnn"),
    ("sell", place(side=SELL), "yyynn"),
    ("test buy", place(side=BUY, flags=FLAG_TEST), "yynnn"),
    ("replace by a buy", replace(side=BUY), "yynnn"),
    ("replace by a sell", replace(side=SELL), "yyynn"),
    ("buy, less quantity", amend(quantity_e8=10 * E8 - 1), "yyyyn"),
    ("buy, same price, less quantity", amend(quantity_e8=1, price_e8=100 * E8), "yyyyn"),
    ("buy, same quantity", amend(quantity_e8=10 * E8), "yynnn"),
    ("buy, more quantity", amend(quantity_e8=10 * E8 + 1), "yynnn"),
    ("buy, less quantity at another price", amend(quantity_e8=1, price_e8=1), "yynnn"),
    ("buy, another price", amend(price_e8=100 * E8 + 1), "yynnn"),
    ("sell, more quantity", amend(order_id=12, quantity_e8=11 * E8), "yyynn"),
    ("sell, less quantity", amend(order_id=12, quantity_e8=9 * E8), "yyyyn"),
    ("amend of no order", amend(order_id=99, quantity_e8=1), "yynnn"),
    ("cancel", cancel(), "yyyyn"),
    ("cancel of no order", cancel(order_id=99), "yyyyn"),
    ("cancel all of a symbol", cancel_all(SYMBOL), "yyyyn"),
    ("cancel all", cancel_all(), "yyyyn"),
]
REFUSALS = {
    STATE_REDUCE_ONLY: Reason.STATE_REDUCE_ONLY,
    STATE_CANCEL_ONLY: Reason.STATE_CANCEL_ONLY,
    STATE_KILLED: Reason.STATE_KILLED,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("what", "event", "passes"), TABLE)
def test_state_by_request(what: str, event: Request, passes: str, state: int) -> None:
    """Every kind of request in every state, as the rule's table says."""
    found = breach(make_rule(), event, world(state), NOW_NS)
    if passes[state] == "y":
        assert found is None, what
    else:
        assert found is not None, what
        assert found.reason is REFUSALS[state]
        assert (found.observed, found.scope, found.subject) == (state, SCOPE_ACCOUNT, ACCOUNT)
        assert found.retry_ns == 0


@pytest.mark.parametrize(("scope", "subject"), SCOPES)
def test_every_scope_stops(scope: int, subject: int) -> None:
    """A stop of venue, symbol, owner, account or key reaches the request, and is named."""
    found = breach(make_rule(), place(), world(STATE_KILLED, scope, subject), NOW_NS)
    assert found is not None
    assert (found.reason, found.scope, found.subject) == (Reason.STATE_KILLED, scope, subject)


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        (SCOPE_SYMBOL, OTHER_SYMBOL),
        (SCOPE_OWNER, OWNER + 1),
        (SCOPE_ACCOUNT, OTHER_ACCOUNT),
        (SCOPE_KEY, OTHER_KEY),
    ],
)
def test_other_scopes_do_not_stop(scope: int, subject: int) -> None:
    """Nobody is stopped by the stop of somebody else."""
    assert reason_of(make_rule(), place(), world(STATE_KILLED, scope, subject), NOW_NS) is None


def test_the_strictest_scope_wins() -> None:
    """Of several states the strictest holds and is named."""
    book = world(STATE_SLOW, SCOPE_VENUE, 0)
    book.states[SCOPE_KEY, KEY] = STATE_CANCEL_ONLY
    book.states[SCOPE_OWNER, OWNER] = STATE_REDUCE_ONLY
    found = breach(make_rule(), place(side=SELL), book, NOW_NS)
    assert found is not None
    assert (found.reason, found.scope, found.subject) == (
        Reason.STATE_CANCEL_ONLY,
        SCOPE_KEY,
        KEY,
    )


def test_a_request_without_a_symbol_is_judged_by_its_orders() -> None:
    """A cancel by order id alone is in a killed symbol when its order is."""
    book = world(STATE_KILLED, SCOPE_SYMBOL, SYMBOL)
    rule = make_rule()
    assert reason_of(rule, cancel(symbol=0), book, NOW_NS) is Reason.STATE_KILLED
    assert reason_of(rule, amend(symbol=0, quantity_e8=1), book, NOW_NS) is Reason.STATE_KILLED
    assert reason_of(rule, cancel(symbol=0, order_id=99), book, NOW_NS) is None
    assert reason_of(rule, cancel_all(), book, NOW_NS) is None


def test_queries_are_never_refused() -> None:
    """A stopped account can still look at its orders."""
    assert not {Query, RefusedRequest} & set(StopState.wants)


# --- SLOW -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ns", "passes"),
    [(0, False), (NS_PER_SECOND - 1, False), (NS_PER_SECOND, True), (NS_PER_SECOND + 1, True)],
)
@pytest.mark.parametrize("event", [place(), replace()])
def test_slow_keeps_new_orders_apart(event: Request, after_ns: int, passes: bool) -> None:
    """One each interval; exactly one interval later the next may come."""
    rule, book = make_rule(), world(STATE_SLOW)
    rule.apply(event, accepted(1), book, NOW_NS)
    found = breach(rule, place(), book, NOW_NS + after_ns)
    assert (found is None) is passes
    if found is not None:
        assert (found.reason, found.limit) == (Reason.STATE_SLOW, NS_PER_SECOND)
        assert (found.observed, found.retry_ns) == (after_ns, NOW_NS + NS_PER_SECOND)
        assert (found.scope, found.subject) == (SCOPE_OWNER, OWNER)


def test_slow_counts_for_the_owner() -> None:
    """All accounts of an owner share the interval while each is in SLOW; cancels do not."""
    rule, book = make_rule(), world(STATE_SLOW, SCOPE_OWNER, OWNER)
    rule.apply(place(key=OTHER_KEY), accepted(1), book, NOW_NS)
    assert reason_of(rule, place(), book, NOW_NS + 1) is Reason.STATE_SLOW
    for event in (cancel(), cancel_all(), amend(price_e8=1)):
        assert reason_of(rule, event, book, NOW_NS + 1) is None


@pytest.mark.parametrize(
    ("event", "decision"),
    [
        (place(flags=FLAG_TEST), accepted(1)),
        (place(), refused(Reason.PRICE_TICK)),
        (place(), refused(Reason.STATE_SLOW)),
    ],
)
def test_slow_counts_accepted_orders_only(event: Request, decision: Decision) -> None:
    """Test orders and refused ones leave no trace."""
    rule, book = make_rule(), world(STATE_SLOW)
    rule.apply(event, decision, book, NOW_NS)
    assert reason_of(rule, place(), book, NOW_NS) is None


def test_a_test_order_is_slowed_too() -> None:
    """It is judged like a real one."""
    rule, book = make_rule(), world(STATE_SLOW)
    rule.apply(place(), accepted(1), book, NOW_NS)
    assert reason_of(rule, place(flags=FLAG_TEST), book, NOW_NS + 1) is Reason.STATE_SLOW


def test_orders_before_slow_are_not_held_against_anybody() -> None:
    """Nothing is noted while no stop state is set."""
    rule, book = make_rule(), world(STATE_ACTIVE)
    rule.apply(place(), accepted(1), book, NOW_NS)
    book.states[SCOPE_VENUE, 0] = STATE_SLOW
    assert reason_of(rule, place(), book, NOW_NS + 1) is None
    del book.states[SCOPE_VENUE, 0]
    book.states[SCOPE_ACCOUNT, OTHER_ACCOUNT] = STATE_KILLED
    rule.apply(place(), accepted(1), book, NOW_NS)
    assert len(rule._slowed) == 0


def test_usage_shows_the_interval() -> None:
    """A slowed owner sees when the next order may come."""
    rule, book = make_rule(slow_interval="2s"), world(STATE_SLOW)
    assert rule.usage(SCOPE_OWNER, OWNER, Book(), NOW_NS) == ()
    rule.apply(place(), accepted(1), book, NOW_NS)
    (usage,) = rule.usage(SCOPE_OWNER, OWNER, Book(), NOW_NS + 2 * NS_PER_SECOND - 1)
    assert (usage.used, usage.limit, usage.resets_ns) == (1, 1, NOW_NS + 2 * NS_PER_SECOND)
    assert rule.usage(SCOPE_OWNER, OWNER, Book(), NOW_NS + 2 * NS_PER_SECOND) == ()
    assert rule.usage(SCOPE_ACCOUNT, OWNER, Book(), NOW_NS) == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([event for _, event, _ in TABLE]),
            st.sampled_from(SCOPES),
            st.sampled_from(STATES),
            st.sampled_from((0, 1, NS_PER_SECOND - 1, NS_PER_SECOND)),
        ),
        max_size=30,
    )
)
def test_explanation_and_storing_hold(
    moves: list[tuple[Request, tuple[int, int], int, int]],
) -> None:
    """Explanations say what check says, and a restored rule goes on in the same way."""
    rule, twin, book = make_rule(), make_rule(), world(STATE_ACTIVE)
    now_ns = NOW_NS
    for event, scope, state, step in moves:
        now_ns += step
        if state:
            book.states[scope] = state
        else:
            book.states.pop(scope, None)
        found = breach(rule, event, book, now_ns)
        assert breach(twin, event, book, now_ns) == found
        if type(event) in rule.applies:
            rule.apply(event, refused(found.reason) if found else accepted(1), book, now_ns)
        twin = make_rule()
        twin.restore(stored_and_restored(rule))
