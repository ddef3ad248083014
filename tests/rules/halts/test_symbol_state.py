"""The state of a symbol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.events import Cancel, CancelAll, Query, Request
from rules.halts.symbol_state import SymbolState
from rules.reasons import Reason
from rules.values import (
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    SCOPE_SYMBOL,
    STOP_LOSS_LIMIT,
    SYMBOL_AUCTION,
    SYMBOL_BREAK,
    SYMBOL_CANCEL_ONLY,
    SYMBOL_END_OF_DAY,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.rules.order_world import SYMBOL, amend, market, place, replace
from tests.rules.request_world import (
    NOW_NS,
    add_order,
    breach,
    make_book,
    make_rulebook,
    reason_of,
)

RULE = SymbolState(make_rulebook("symbol_state"))
ORDERS = [place(), market(), place(order_type=LIMIT_MAKER), replace(), amend()]


def world(state: int) -> Book:
    """Return a book with the symbol in `state`, an open limit order 11 and a stop order 12."""
    book = make_book()
    book.symbols[SYMBOL].state = state
    add_order(book, 11, order_type=LIMIT)
    add_order(book, 12, order_type=STOP_LOSS_LIMIT)
    return book


@pytest.mark.parametrize("event", ORDERS)
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SYMBOL_TRADING, None),
        (SYMBOL_HALT, Reason.SYMBOL_HALTED),
        (SYMBOL_BREAK, Reason.SYMBOL_HALTED),
        (SYMBOL_END_OF_DAY, Reason.SYMBOL_HALTED),
        (SYMBOL_CANCEL_ONLY, Reason.SYMBOL_CANCEL_ONLY),
    ],
)
def test_orders_need_an_open_symbol(event: Request, state: int, expected: Reason | None) -> None:
    """New orders, replacements and amends pass in TRADING only."""
    found = breach(RULE, event, world(state), NOW_NS)
    assert (found and found.reason) == expected
    if found is not None:
        assert (found.limit, found.observed) == (SYMBOL_TRADING, state)
        assert (found.scope, found.subject) == (SCOPE_SYMBOL, SYMBOL)


@pytest.mark.parametrize(
    ("event", "passes"),
    [
        (place(), True),
        (replace(), True),
        (amend(), True),
        (amend(symbol=0), True),
        (market(), False),
        (place(order_type=LIMIT_MAKER), False),
        (replace(order_type=MARKET), False),
        (amend(order_id=12), False),
    ],
)
def test_auctions_take_limit_orders(event: Request, passes: bool) -> None:
    """In an auction an order needs a price and must be able to wait for its end."""
    expected = None if passes else Reason.SYMBOL_HALTED
    assert reason_of(RULE, event, world(SYMBOL_AUCTION), NOW_NS) is expected


def test_cancels_and_queries_are_never_refused() -> None:
    """A halt keeps nobody from taking orders out."""
    assert not {Cancel, CancelAll, Query} & set(RULE.wants)


@pytest.mark.parametrize("event", [place(symbol=99), replace(symbol=99), amend(symbol=99)])
def test_unknown_symbols_are_refused(event: Request) -> None:
    """A number no symbol has is named."""
    found = breach(RULE, event, world(SYMBOL_TRADING), NOW_NS)
    assert found is not None
    assert (found.reason, found.observed) == (Reason.UNKNOWN_SYMBOL, 99)


def test_an_amend_without_a_symbol_has_that_of_its_order() -> None:
    """One that names no order at all is left to the rule that knows open orders."""
    book = world(SYMBOL_HALT)
    found = breach(RULE, amend(symbol=0), book, NOW_NS)
    assert found is not None
    assert (found.reason, found.subject) == (Reason.SYMBOL_HALTED, SYMBOL)
    assert reason_of(RULE, amend(symbol=0, order_id=99), book, NOW_NS) is None


@given(st.sampled_from(ORDERS), st.integers(SYMBOL_TRADING, SYMBOL_AUCTION))
def test_explanation_holds(event: Request, state: int) -> None:
    """Explanations say what check says."""
    breach(RULE, event, world(state), NOW_NS)
    assert RULE.state() is None
