"""The number of unfilled orders an account has placed, over all its keys and addresses."""

from typing import Any, ClassVar

from rules.answers import WITH_ENDED, WITH_FILLS, WITH_OTHER
from rules.book import Book
from rules.decisions import ACCEPTED, Decision, Explanation, Usage, Verdict
from rules.events import (
    CommandResult,
    EngineSession,
    Event,
    OrderEnded,
    OrderTrade,
    Place,
    Replace,
)
from rules.kinds import COMMAND_RESULT, ORDER_ENDED, ORDER_TRADE, PLACE, REPLACE
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.values import FLAG_TEST, LIVE_STATUSES, SCOPE_ACCOUNT
from rules.windows import Limits, Windows, admits, breach, explanations, lengths_and_uses, usages


class OrderCount(Rule):
    """Admit a new order iff the account's count, this order included, stays within every window.

    An accepted order adds what its endpoint says. A refusal by the engine gives it back to the
    windows it came from, except for a replacement, which counts even when it is not attempted. The
    first fill of an order takes `first_fill_credit` off every current window, never below 0, also
    when the order is older than the window; later fills, cancels and expiry change nothing. Test
    orders do not count. Source: Binance Spot API, "Unfilled Order Count",
    faqs/order_count_decrement.md.
    """

    name: ClassVar[str] = "order_count"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.ORDER_COUNT_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace)
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        CommandResult,
        OrderTrade,
        OrderEnded,
        EngineSession,
    )
    heeds_refused: ClassVar[bool] = False
    results: ClassVar[int] = WITH_FILLS | WITH_ENDED | WITH_OTHER
    source: ClassVar[str] = "Binance Spot API, faqs/order_count_decrement.md"

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.order_count
        self._entries = rulebook.entries
        self._windows = Windows()
        self._limits = self._windows.limits(clause.windows)
        self._limits_by_tier: dict[str, Limits] = {
            tier: self._windows.limits(windows) for tier, windows in clause.tiers.items()
        }
        self._all_windows = self._windows.all()
        self._credit = clause.first_fill_credit
        if self._credit < 0:
            raise ValueError(f"first_fill_credit {self._credit} is below 0; write 0 or more")
        self._unfilled: dict[int, tuple[int, int, int, int]] = {}
        """Orders that have had no fill yet, by order id: account, id of the command that places
        it, time of acceptance, and what is given back when the engine refuses that command."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when a window of the account has no room for the order."""
        orders = self._entries[event.endpoint].orders
        if orders == 0 or event.flags & FLAG_TEST:
            return None
        account = book.account_of(event.key)
        limits = self._limits
        if self._limits_by_tier:
            facts = book.holder_of(event.key)
            tier = facts.tier if facts is not None else ""
            limits = self._limits_by_tier.get(tier, limits)
        if admits(limits, account, orders, now_ns):
            return None
        reason = Reason.ORDER_COUNT_LIMIT
        return breach(self.name, reason, limits, SCOPE_ACCOUNT, account, orders, now_ns)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Follow orders from acceptance to their first fill or their end."""
        kind = type(event)
        if kind is PLACE or kind is REPLACE:
            if decision.verdict == ACCEPTED:
                self._accept(event, decision, book, now_ns)
        elif kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
        elif kind is ORDER_TRADE:
            self._fill(event.order_id, now_ns)
        elif kind is ORDER_ENDED:
            self._unfilled.pop(event.order_id, None)
        elif event.connected:
            # A new epoch of the engine may have ended orders without a word about each.
            self._unfilled = {
                order_id: order
                for order_id, order in self._unfilled.items()
                if order_id in book.orders
            }

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return limit and count, this order included, of each window of the account."""
        orders = self._orders(event)
        if orders == 0:
            return ()
        account = book.account_of(event.key)
        limits = self._limits_of(account, book)
        return explanations(self.name, Reason.ORDER_COUNT_LIMIT, limits, account, orders, now_ns)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return an account's count in each window of its tier."""
        if scope != SCOPE_ACCOUNT:
            return ()
        limits = self._limits_of(subject, book)
        return usages(self.name, limits, scope, subject, now_ns)

    def used(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[int, ...]:
        """Return length of each window of an account's tier, and its count."""
        if scope != SCOPE_ACCOUNT:
            return ()
        limits = self._limits_of(subject, book) if self._limits_by_tier else self._limits
        return lengths_and_uses(limits, subject, now_ns)

    def state(self) -> Any:
        """Return the counts and the orders without a fill."""
        unfilled = [[order_id, *order] for order_id, order in self._unfilled.items()]
        return [self._windows.state(), unfilled]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        windows, unfilled = state
        self._windows.restore(windows)
        self._unfilled = {
            order_id: (account, command_id, accepted_ns, returns)
            for order_id, account, command_id, accepted_ns, returns in unfilled
        }

    def _orders(self, event: Any) -> int:
        """Return what the request adds to the count when accepted."""
        return 0 if event.flags & FLAG_TEST else self._entries[event.endpoint].orders

    def _limits_of(self, account: int, book: Book) -> Limits:
        facts = book.accounts.get(account)
        tier = facts.tier if facts is not None else ""
        return self._limits_by_tier.get(tier, self._limits)

    def _accept(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        orders = self._orders(event)
        if orders == 0:
            return
        account = book.account_of(event.key)
        for window in self._all_windows:
            window.add(account, orders, now_ns)
        returns = orders if type(event) is PLACE else 0
        self._unfilled[decision.order_id] = (account, book.current_seq, now_ns, returns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Take up the engine's answer to a command; a missing one changes nothing."""
        if result.unknown:
            return
        for ended in result.ended:
            self._unfilled.pop(ended.order_id, None)
        order = self._unfilled.get(result.order_id)
        if order is None:
            return
        if result.fills:
            self._fill(result.order_id, now_ns)
        elif result.accepted:
            if result.status not in LIVE_STATUSES or result.replaced_refusal is not None:
                del self._unfilled[result.order_id]
        else:
            account, command_id, accepted_ns, returns = order
            if command_id != result.command_id:
                return
            del self._unfilled[result.order_id]
            for window in self._all_windows:
                window.give_back(account, returns, accepted_ns, now_ns)

    def _fill(self, order_id: int, now_ns: int) -> None:
        order = self._unfilled.pop(order_id, None)
        if order is not None:
            for window in self._all_windows:
                window.take_off(order[0], self._credit, now_ns)
