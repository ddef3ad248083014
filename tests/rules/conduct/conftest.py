"""A book with one symbol and two accounts, and short ways to put orders into it."""

from collections.abc import Callable

import pytest

from rules.book import AccountFacts, Book, KeyFacts, OpenOrder, SymbolFacts
from rules.rulebook import parse_rulebook
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    BUY,
    E8,
    GTC,
    LIMIT,
    NEW,
    PERMIT_TRADE,
)

SYMBOL = 7
OTHER_SYMBOL = 8
ACCOUNT = 3
MAKER_ACCOUNT = 4
OWNER = 5
MAKER_OWNER = 6
KEY = 11
MAKER_KEY = 12
NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture
def book() -> Book:
    """Return a book of two symbols, an account and a market maker's account."""
    rulebook = parse_rulebook("test", {"test": 'name = "test"'})
    book = Book()
    for number, name in ((SYMBOL, "ABC"), (OTHER_SYMBOL, "XYZ")):
        book.symbols[number] = SymbolFacts(number, name, 1, 2, rulebook.filters(name))
    book.accounts[ACCOUNT] = AccountFacts(ACCOUNT, "client", OWNER, "", 0, True)
    book.accounts[MAKER_ACCOUNT] = AccountFacts(
        MAKER_ACCOUNT, "maker", MAKER_OWNER, "", ACCOUNT_MARKET_MAKER, True
    )
    book.keys[KEY] = KeyFacts(KEY, "k", ACCOUNT, PERMIT_TRADE, frozenset(), 0, True)
    book.keys[MAKER_KEY] = KeyFacts(
        MAKER_KEY, "m", MAKER_ACCOUNT, PERMIT_TRADE, frozenset(), 0, True
    )
    return book


@pytest.fixture
def add_order(book: Book) -> Callable[..., OpenOrder]:
    """Return a function that puts an order into the book, live since `live_ns`."""

    def add(
        order_id: int,
        live_ns: int = NOW_NS,
        *,
        account: int = ACCOUNT,
        symbol: int = SYMBOL,
        order_type: int = LIMIT,
        time_in_force: int = GTC,
        quantity_e8: int = 10 * E8,
        flags: int = 0,
        algo: int = 0,
        command_id: int = 0,
    ) -> OpenOrder:
        order = OpenOrder(
            order_id,
            command_id or order_id,
            account,
            book.accounts[account].owner,
            KEY,
            0,
            symbol,
            BUY,
            order_type,
            time_in_force,
            100 * E8,
            quantity_e8,
            0,
            0,
            f"client-{order_id}",
            flags,
            algo,
            live_ns or NOW_NS,
        )
        order.live_ns = live_ns
        if live_ns:
            order.status = NEW
            order.halted_at_live_ns = book.symbols[symbol].unmatchable_ns(live_ns)
        book.add_order(order)
        book.client_ids[account, order.client_order_id] = order
        return order

    return add
