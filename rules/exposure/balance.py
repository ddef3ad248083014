"""Balance: an order must be affordable from what the account has free, at its worst case."""

from typing import Any

from rules.book import Book
from rules.decisions import Adjust, Explanation, Verdict
from rules.events import Amend, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND, REPLACE
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import amended, stop_price_e8
from rules.valuation import UNPRICED
from rules.values import BUY


class Balance(Rule):
    """What an order could spend at its worst must be free in the account.

    A replacement may also use what its old order still holds of the same asset, unless it may be
    placed even when the old order can't be cancelled. An amend needs only what it adds to what the
    order holds. Commission is taken from what is received and is not part of it.

    Where nothing else keeps the engine to a market order's price bound, this rule does, since the
    amount held is enough only up to that price.
    """

    name = "balance"
    stage = LIMIT
    reasons = (Reason.INSUFFICIENT_BALANCE, Reason.VALUE_UNBOUNDED)
    wants = (Place, Replace, Amend)
    source = "Binance Spot API, errors -2010; SEC 15c3-5(c)(1)(i)"

    def __init__(self, rulebook: Rulebook) -> None:
        self._valuation = rulebook.valuation
        self._caps = self._valuation.capped_by == self.name

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the free balance is too small or the need has no bound."""
        free_e8, needed_e8 = self._free_and_needed_e8(event, book, now_ns)
        if needed_e8 < 0 or needed_e8 > free_e8:
            return first_breach(self._explain(free_e8, needed_e8))
        if (
            self._caps
            and type(event) is not AMEND
            and event.order_type in UNPRICED
            and (event.side == BUY) == (not event.quote_quantity_e8)
        ):
            return Adjust(
                self.name,
                self._valuation.market_limit_e8(
                    event.side,
                    book.symbols[event.symbol],
                    now_ns,
                    event.order_type,
                    stop_price_e8(event),
                ),
            )
        return None

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return what is free to the order and what it needs, rounded up."""
        free_e8, needed_e8 = self._free_and_needed_e8(event, book, now_ns)
        return self._explain(free_e8, needed_e8)

    def _explain(self, free_e8: int, needed_e8: int) -> tuple[Explanation, ...]:
        if needed_e8 < 0:
            detail = "no reference price"
            return (look(self.name, False, Reason.VALUE_UNBOUNDED, free_e8, 0, detail),)
        passed = needed_e8 <= free_e8
        return (look(self.name, passed, Reason.INSUFFICIENT_BALANCE, free_e8, needed_e8),)

    def _free_and_needed_e8(self, event: Any, book: Book, now_ns: int) -> tuple[int, int]:
        """Return (free, needed); needed is below 0 when it has no bound.

        An order that needs nothing more gets (0, 0): it passes also when a correction has left
        the account with less than it has reserved.
        """
        account = book.account_of(event.key)
        if type(event) is AMEND:
            return self._amend_free_and_needed_e8(event, account, book, now_ns)
        facts = book.symbols[event.symbol]
        asset, needed_e8 = self._valuation.reservation(
            event.side,
            event.order_type,
            event.price_e8,
            event.quantity_e8,
            event.quote_quantity_e8,
            facts,
            now_ns,
            stop_price_e8(event),
        )
        free_e8 = book.free_e8(account, asset)
        if type(event) is REPLACE and not event.allow_failure:
            old = book.find_order(account, event.symbol, event.order_id, event.orig_client_order_id)
            if old is not None and old.reserved_asset == asset:
                free_e8 += old.reserved_e8
        return free_e8, needed_e8

    def _amend_free_and_needed_e8(
        self, event: Amend, account: int, book: Book, now_ns: int
    ) -> tuple[int, int]:
        terms = amended(event, book)
        if terms is None:
            return 0, 0
        order = terms.order
        asset, holds_e8 = self._valuation.reservation(
            terms.side,
            terms.order_type,
            terms.price_e8,
            max(terms.quantity_e8 - order.filled_e8, 0),
            terms.quote_quantity_e8,
            book.symbols[terms.symbol],
            now_ns,
        )
        if holds_e8 < 0:
            return book.free_e8(account, asset), holds_e8
        needed_e8 = holds_e8 - order.reserved_e8
        return (book.free_e8(account, asset), needed_e8) if needed_e8 > 0 else (0, 0)
