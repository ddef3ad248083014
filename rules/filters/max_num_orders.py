"""MAX_NUM_ORDERS: how many orders an account may have open on a symbol."""

from typing import Any

from rules.book import Book
from rules.decisions import Explanation, Usage, Verdict
from rules.events import Place, Replace
from rules.explanations import first_breach, look
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.values import SCOPE_ACCOUNT_SYMBOL, pair_of, split_pair


class MaxNumOrders(Rule):
    """The account's orders on the symbol, the new one included, must not pass the limit.

    Orders in flight and orders of unknown fate count as open. A replacement is judged before the
    order it replaces is cancelled, so that one still counts. A breach's subject is the pair of
    both.
    """

    name = "max_num_orders"
    stage = LIMIT
    reasons = (Reason.MAX_NUM_ORDERS,)
    wants = (Place, Replace)
    source = "Binance Spot API, Filters: MAX_NUM_ORDERS; cancelReplace"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the order would be one too many."""
        symbol = event.symbol
        limit = book.symbols[symbol].filters.max_num_orders
        if not limit:
            return None
        account = book.account_of(event.key)
        if len(book.open_orders(account, symbol)) < limit:
            return None
        subject = pair_of(account, symbol)
        return first_breach(self.explain(event, book, now_ns), SCOPE_ACCOUNT_SYMBOL, subject)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the limit and the number of orders with this one."""
        symbol = event.symbol
        limit = book.symbols[symbol].filters.max_num_orders
        if not limit:
            return ()
        observed = len(book.open_orders(book.account_of(event.key), symbol)) + 1
        return (look(self.name, observed <= limit, Reason.MAX_NUM_ORDERS, limit, observed),)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return how many orders the account has open on the symbol."""
        if scope != SCOPE_ACCOUNT_SYMBOL:
            return ()
        account, symbol = split_pair(subject)
        limit = book.symbols[symbol].filters.max_num_orders
        if not limit:
            return ()
        used = len(book.open_orders(account, symbol))
        return (Usage(self.name, scope, subject, used, limit, 0, 0),)
