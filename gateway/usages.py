"""Which limits somebody has, and how each is shown."""

from collections.abc import Iterator

from rules.book import Book
from rules.decisions import Usage
from rules.units import decimal_text
from rules.values import (
    SCOPE_ACCOUNT,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)


def account_subjects(book: Book, account: int) -> Iterator[tuple[int, int]]:
    """Yield (scope, subject) of everything an account's limits are counted under."""
    facts = book.accounts.get(account)
    if facts is None:
        return
    yield SCOPE_ACCOUNT, account
    yield SCOPE_OWNER, facts.owner
    for symbol in book.symbols:
        yield SCOPE_ACCOUNT_SYMBOL, pair_of(account, symbol)
        yield SCOPE_OWNER_SYMBOL, pair_of(facts.owner, symbol)


def shown(usage: Usage, value: int) -> int | str:
    """Return `used` or `limit` as it is shown: decimal text where it counts 1e-8."""
    return decimal_text(value) if usage.scaled_e8 else value
