"""Self-trade prevention over all accounts of an owner and of those linked to him."""

from typing import Any, ClassVar

from rules.book import Book
from rules.decisions import Breach, Decision, Explanation
from rules.events import Amend, EngineSession, Event, MarketOrder, Place, Replace
from rules.explanations import look
from rules.kinds import AMEND, ENGINE_SESSION
from rules.patterns import rests
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import amended
from rules.values import (
    BUY,
    LIVE_STATUSES,
    MARKET,
    SCOPE_OWNER_SYMBOL,
    SELL,
    pair_of,
)


class OwnerSelfTrade(Rule):
    """Refuse an order that would meet a resting one of the same owner or of a linked one.

    The newest order goes, the resting one stays. Orders in flight count as resting. A market order
    is refused where such an order stands at the best opposite price or better; what it would meet
    deeper in the book is left to the engine. Orders of the same account are left to the engine's
    self-trade prevention unless `same_account` says otherwise. Resting orders of other channels are
    known by the drop copy. Source: Bithumb, pre-trade wash prevention of 26 November 2024; Virtual
    Asset User Protection Act Art. 10(2); CME and Eurex self-match prevention over groups.
    """

    name: ClassVar[str] = "owner_self_trade"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.OWNER_SELF_TRADE,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = (MarketOrder, EngineSession)
    source: ClassVar[str] = "Bithumb, 26 November 2024; VAUPA Art. 10(2)"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        self._same_account = rulebook.clauses.owner_self_trade.same_account
        self._outside: dict[tuple[int, int, int], dict[int, int]] = {}
        """Prices of orders of other channels, by owner, symbol and side, then by order."""

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Return a breach when the order would meet one it must not."""
        found = self._measured(event, book)
        if found is None or not found[0]:
            return None
        own_e8, price_e8, side, owner = found
        if not _meets(side, price_e8, own_e8):
            return None
        return Breach(
            rule=self.name,
            reason=Reason.OWNER_SELF_TRADE,
            limit=own_e8,
            observed=price_e8,
            scope=SCOPE_OWNER_SYMBOL,
            subject=pair_of(owner, event.symbol),
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether nobody has orders that his new one could meet."""
        return not self._outside and not self._same_account and not book.conduct.joined

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the best price of an order that must not be met, and the price it is met from."""
        found = self._measured(event, book)
        if found is None or not found[0]:
            return (look(self.name, True, Reason.OWNER_SELF_TRADE, 0, 0, "no such order"),)
        own_e8, price_e8, side, _ = found
        passed = not _meets(side, price_e8, own_e8)
        return (look(self.name, passed, Reason.OWNER_SELF_TRADE, own_e8, price_e8, ""),)

    def _measured(self, event: Any, book: Book) -> tuple[int, int, int, int] | None:
        """Return (best price not to be met or 0, price of the order, side, owner)."""
        account = book.holder_of(event.key)
        terms: Any = event if type(event) is not AMEND else amended(event, book)
        if account is None or terms is None:
            return None
        conduct = book.conduct
        interest = conduct.interest_of(account.owner)
        accounts = conduct.accounts_of(interest)
        if not self._outside and not self._same_account and len(accounts) < 2:
            return None
        symbol, side = terms.symbol, terms.side
        opposite = SELL if side == BUY else BUY
        prices = [
            order.price_e8
            for number in accounts
            if self._same_account or number != account.account
            for order in book.open_orders(number, symbol).values()
            if order.side == opposite and order.price_e8 and rests(order)
        ]
        for owner in conduct.owners_of(interest):
            prices.extend(self._outside.get((owner, symbol, opposite), {}).values())
        if not prices:
            return None
        own_e8 = min(prices) if opposite == SELL else max(prices)
        price_e8 = terms.price_e8
        if terms.order_type == MARKET:
            facts = book.symbols[symbol]
            price_e8 = (facts.ask_e8 if side == BUY else facts.bid_e8) or own_e8
        return own_e8, price_e8, side, account.owner

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Follow the resting orders of other channels; a new epoch of the engine has none yet."""
        if type(event) is ENGINE_SESSION:
            if book.began_epoch:
                self._outside.clear()
            return
        if not event.owner or not event.price_e8:
            return
        key = (event.owner, event.symbol, event.side)
        if event.status in LIVE_STATUSES:
            if not self._outside:
                book.stirred = True
            self._outside.setdefault(key, {})[event.order_id] = event.price_e8
        elif key in self._outside:
            self._outside[key].pop(event.order_id, None)
            if not self._outside[key]:
                del self._outside[key]

    def state(self) -> Any:
        """Return the orders of other channels as plain values."""
        return [
            [*key, order_id, price_e8]
            for key, orders in self._outside.items()
            for order_id, price_e8 in orders.items()
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        for owner, symbol, side, order_id, price_e8 in state:
            self._outside.setdefault((owner, symbol, side), {})[order_id] = price_e8


def _meets(side: int, price_e8: int, own_e8: int) -> bool:
    """Return whether an order at a price would execute against one at `own_e8`."""
    return price_e8 >= own_e8 if side == BUY else price_e8 <= own_e8
