"""How much stands in the book on each side of each symbol, as far as the gate is told.

That is every order that came through the gate, and those of other channels that the engine's drop
copy reports.
"""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.book import Book
from rules.events import (
    CommandResult,
    EngineSession,
    Event,
    MarketOrder,
    OrderEnded,
    OrderReduced,
    OrderTrade,
)
from rules.kinds import COMMAND_RESULT, ENGINE_SESSION, MARKET_ORDER, ORDER_REDUCED, ORDER_TRADE
from rules.rule import Rule
from rules.rulebook import Rulebook
from rules.values import LIVE_STATUSES, pair_of

_SIDE_SHIFT: Final = 2

DISPLAYS: Final[tuple[type[Event], ...]] = (
    CommandResult,
    OrderTrade,
    OrderEnded,
    OrderReduced,
    MarketOrder,
    EngineSession,
)
"""The events that change what is displayed."""


class Displayed:
    """Totals by symbol and side; `follow` is called for each event of `DISPLAYS`, once."""

    __slots__ = ("_accounts_e8", "_nameless", "_orders", "_totals_e8")

    def __init__(self) -> None:
        self._totals_e8: dict[int, int] = {}
        """By symbol and side as one number."""
        self._accounts_e8: dict[int, int] = {}
        """What is left of an account's orders that are shown, by account, symbol and side."""
        self._orders: dict[int, tuple[int, int, int, int]] = {}
        """(symbol, side, what is left, account) of every order shown.

        Outside orders are below 0 and have account 0.
        """
        self._nameless = 0
        """Orders through the gate whose account an older version did not store."""

    def total_e8(self, symbol: int, side: int) -> int:
        """Return what is displayed on one side of a symbol."""
        return self._totals_e8.get(symbol << _SIDE_SHIFT | side, 0)

    def account_most_e8(self, account: int, symbol: int, side: int) -> int:
        """Return how much of it an account's orders through the gate can be, at most."""
        if self._nameless:
            return self.total_e8(symbol, side)
        return self._accounts_e8.get(pair_of(account, symbol) << _SIDE_SHIFT | side, 0)

    def own_e8(self, order_id: int) -> int:
        """Return how much of it is one order's."""
        shown = self._orders.get(order_id)
        return shown[2] if shown is not None else 0

    def follow(self, event: Any, book: Book) -> None:
        """Take up what an event changed."""
        kind = type(event)
        if kind is MARKET_ORDER:
            live = event.status in LIVE_STATUSES
            left_e8 = event.quantity_e8 - event.filled_e8 if live and event.price_e8 else 0
            self._show(-event.order_id, event.symbol, event.side, left_e8, 0)
            return
        for order_id in book.ended:
            shown = self._orders.pop(order_id, None)
            if shown is not None:
                self._hide(order_id, shown)
        if kind is ENGINE_SESSION and book.began_epoch:
            for order_id in [one for one in self._orders if one < 0]:
                self._hide(order_id, self._orders.pop(order_id))
        if kind is COMMAND_RESULT or kind is ORDER_TRADE or kind is ORDER_REDUCED:
            order = book.orders.get(event.order_id)
            if order is not None and order.rests and order.live:
                left_e8 = order.remaining_e8
                self._show(order.order_id, order.symbol, order.side, left_e8, order.account)

    def _show(self, order_id: int, symbol: int, side: int, left_e8: int, account: int) -> None:
        shown = self._orders.get(order_id)
        if shown is not None:
            self._hide(order_id, shown)
        if left_e8 > 0:
            self._orders[order_id] = (symbol, side, left_e8, account)
            totals_e8, where = self._totals_e8, symbol << _SIDE_SHIFT | side
            totals_e8[where] = totals_e8.get(where, 0) + left_e8
            if account:
                accounts_e8 = self._accounts_e8
                key = pair_of(account, symbol) << _SIDE_SHIFT | side
                accounts_e8[key] = accounts_e8.get(key, 0) + left_e8
            elif order_id > 0:
                self._nameless += 1
        elif shown is not None:
            del self._orders[order_id]

    def _hide(self, order_id: int, shown: tuple[int, int, int, int]) -> None:
        symbol, side, left_e8, account = shown
        self._totals_e8[symbol << _SIDE_SHIFT | side] -= left_e8
        if account:
            key = pair_of(account, symbol) << _SIDE_SHIFT | side
            rest_e8 = self._accounts_e8[key] - left_e8
            if rest_e8:
                self._accounts_e8[key] = rest_e8
            else:
                del self._accounts_e8[key]
        elif order_id > 0:
            self._nameless -= 1

    def state(self) -> Any:
        """Return every order shown as plain values; the totals follow from them."""
        return [[order_id, *shown] for order_id, shown in self._orders.items()]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned; what another rule has put back already is left out."""
        for order_id, symbol, side, left_e8, *account in state:
            if order_id not in self._orders:
                self._show(order_id, symbol, side, left_e8, account[0] if account else 0)


@mypyc_attr(allow_interpreted_subclasses=True)
class DisplayedRule(Rule):
    """Base of the rules that judge by what is displayed.

    They all look at one `Displayed`, which the pipeline gives them and has follow each event after
    all rules were told of it: in `apply` it shows what stood before the event. Each stores it, so
    that each can be restored alone.
    """

    def __init__(self, rulebook: Rulebook) -> None:
        self.displayed = Displayed()


def shared(rules: tuple[Rule, ...]) -> Displayed | None:
    """Have all rules that judge by what is displayed look at one; return it, None for no rule."""
    found: Displayed | None = None
    for rule in rules:
        if isinstance(rule, DisplayedRule):
            if found is None:
                found = rule.displayed
            rule.displayed = found
    return found
