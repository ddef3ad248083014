"""The state of a symbol: open, in auction, restricted to cancels, or not trading."""

from typing import Any, ClassVar

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Event, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.rule import GATE, Rule
from rules.rulebook import Rulebook
from rules.values import (
    LIMIT,
    SCOPE_SYMBOL,
    SYMBOL_AUCTION,
    SYMBOL_CANCEL_ONLY,
    SYMBOL_STATE_NAMES,
    SYMBOL_TRADING,
)


class SymbolState(Rule):
    """Refuse new orders, replacements and amends in a symbol that is not open for them.

    TRADING takes every order, AUCTION takes limit orders, every other state takes none. Cancels
    and queries are never refused. Source: RTS 7 (2017/584) Art. 18 and 19; Binance Spot API,
    symbol status.
    """

    name: ClassVar[str] = "symbol_state"
    stage: ClassVar[int] = GATE
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.UNKNOWN_SYMBOL,
        Reason.SYMBOL_HALTED,
        Reason.SYMBOL_CANCEL_ONLY,
    )
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    source: ClassVar[str] = "RTS 7 (2017/584) Art. 18 and 19; Binance Spot API, enums.md"

    def __init__(self, rulebook: Rulebook) -> None:
        """Take no parameters: what each state allows is not a matter of numbers."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the symbol does not take the order now."""
        facts = book.symbols.get(event.symbol)
        if facts is not None and facts.state == SYMBOL_TRADING:
            return None
        found = self.explain(event, book, now_ns)
        if found[0].passed:
            return None
        return first_breach(found, SCOPE_SYMBOL, _terms(event, book)[0])

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the state the order needs and the state found (`SYMBOL_*`)."""
        symbol, order_type = _terms(event, book)
        if symbol == 0 and type(event) is AMEND:
            detail = "no open order is meant"
            return (Explanation(self.name, True, None, SYMBOL_TRADING, 0, detail),)
        facts = book.symbols.get(symbol)
        if facts is None:
            return (look(self.name, False, Reason.UNKNOWN_SYMBOL, 0, symbol, "symbol"),)
        state = facts.state
        passed = state == SYMBOL_TRADING or (state == SYMBOL_AUCTION and order_type == LIMIT)
        reason = Reason.SYMBOL_CANCEL_ONLY if state == SYMBOL_CANCEL_ONLY else Reason.SYMBOL_HALTED
        detail = SYMBOL_STATE_NAMES[state]
        return (look(self.name, passed, reason, SYMBOL_TRADING, state, detail),)


def _terms(event: Any, book: Book) -> tuple[int, int]:
    """Return symbol and order type of the order asked for, (0, 0) when an amend names none."""
    if type(event) is not AMEND:
        return event.symbol, event.order_type
    order = book.find_order(
        book.account_of(event.key), event.symbol, event.order_id, event.orig_client_order_id
    )
    if order is None:
        return event.symbol, 0
    return order.symbol, order.order_type
