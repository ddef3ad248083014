"""Minimum resting time: an order may not be cancelled or changed before it has rested so long.

The age counts from the moment the engine confirmed the order, only while the order could be
matched, and begins anew when an amend changes what the order offers to the market. An order
exactly as old as the minimum may go.
"""

from typing import Any, ClassVar, Final

from rules.book import Book, OpenOrder
from rules.decisions import Breach, Charge, Defer, Explanation, Usage, Verdict
from rules.events import Amend, Cancel, CancelAll, Event, Replace
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import FLAG_ALGO, FOK, IOC, MARKET, SCOPE_ORDER

_DEFER: Final = "DEFER"
_CHARGE: Final = "CHARGE"


class RestingTime(Rule):
    """Refuse, defer or charge a cancel, amend or replace of an order that is too young.

    Source: European Parliament, ECON report on MiFID II of 26 September 2012 (500 ms); the
    minimum quote life of FX matching venues. Ages in nanoseconds.

    Exempt are orders the engine has not confirmed yet, orders that never rest (MARKET, IOC, FOK),
    cancels that no client asked for (a `BulkCancel` is not a request, so it is never judged) and,
    where the clause says so, orders no algorithm decided and amends that only take quantity off.
    """

    name: ClassVar[str] = "resting_time"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.MINIMUM_RESTING_TIME,)
    wants: ClassVar[tuple[type[Event], ...]] = (Cancel, Amend, Replace, CancelAll)
    applies: ClassVar[tuple[type[Event], ...]] = ()
    source: ClassVar[str] = (
        "European Parliament, ECON report of 26 September 2012 on MiFID II (500 ms)"
    )
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.resting_time
        self._minimum_ns = duration_ns(clause.minimum)
        self._minimum_ns_by_symbol = {
            name: duration_ns(text) for name, text in clause.symbols.items()
        }
        self._policy: str = clause.policy
        self._algo_only = clause.algo_only
        self._exempt_reducing = clause.exempt_reducing

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return the policy's verdict when the order meant is too young, else None.

        REJECT gives a Breach, DEFER a Defer until the order is old enough, CHARGE a Charge whose
        amount is set where tariffs are known (0 here). A CancelAll is held only when every open
        order in its scope is too young; otherwise the caller leaves out those `holds` names.
        """
        order = self._held(event, book, now_ns)
        if order is None:
            return None
        minimum_ns = self._minimum_of(order, book)
        age_ns = book.matchable_age_ns(order, now_ns)
        ready_ns = now_ns + minimum_ns - age_ns
        if self._policy == _DEFER:
            return Defer(self.name, ready_ns)
        if self._policy == _CHARGE:
            return Charge(self.name, self.name, 0)
        return Breach(
            self.name,
            Reason.MINIMUM_RESTING_TIME,
            minimum_ns,
            age_ns,
            ready_ns,
            SCOPE_ORDER,
            order.order_id,
        )

    def holds(self, order: OpenOrder, book: Book, now_ns: int) -> bool:
        """Return whether a client may not cancel `order` yet."""
        return self._remaining_ns(order, book, now_ns) > 0

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the minimum and the age of the order that decides, in nanoseconds."""
        order = self._meant(event, book, now_ns)
        if order is None:
            detail = "no open order is meant"
            return (Explanation(self.name, True, None, self._minimum_ns, 0, detail),)
        minimum_ns = self._minimum_of(order, book)
        age_ns = book.matchable_age_ns(order, now_ns) if order.live_ns else 0
        if self._held(event, book, now_ns) is None:
            detail = "the order is exempt" if age_ns < minimum_ns else ""
        elif self._policy == _DEFER:
            detail = "deferred"
        elif self._policy == _CHARGE:
            detail = "charged"
        else:
            reason = Reason.MINIMUM_RESTING_TIME
            return (Explanation(self.name, False, reason, minimum_ns, age_ns),)
        return (Explanation(self.name, True, None, minimum_ns, age_ns, detail),)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return nothing: the rule keeps no count, every order has its own age."""
        return ()

    def state(self) -> Any:
        """Return None: ages are facts of the book."""
        return None

    def restore(self, state: Any) -> None:
        """Put nothing back."""

    def _held(self, event: Any, book: Book, now_ns: int) -> OpenOrder | None:
        """Return the order that is too young for `event`, None when nothing stands against it."""
        order = self._meant(event, book, now_ns)
        if order is None or self._remaining_ns(order, book, now_ns) <= 0:
            return None
        if self._exempt_reducing and type(event) is Amend and _only_reduces(event, order):
            return None
        return order

    def _meant(self, event: Any, book: Book, now_ns: int) -> OpenOrder | None:
        """Return the order `event` is judged by: the one named, of a CancelAll the ripest."""
        key = book.keys.get(event.key)
        if key is None:
            return None
        if type(event) is not CancelAll:
            return book.find_order(
                key.account, event.symbol, event.order_id, event.orig_client_order_id
            )
        ripest: OpenOrder | None = None
        least_ns = 0
        for order in book.open_orders(key.account, event.symbol).values():
            remaining_ns = self._remaining_ns(order, book, now_ns)
            if ripest is None or remaining_ns < least_ns:
                ripest = order
                least_ns = remaining_ns
            if remaining_ns <= 0:
                break
        return ripest

    def _remaining_ns(self, order: OpenOrder, book: Book, now_ns: int) -> int:
        """Return how much longer `order` must rest, 0 or less when it may go."""
        if not self._judged(order):
            return 0
        return self._minimum_of(order, book) - book.matchable_age_ns(order, now_ns)

    def _judged(self, order: OpenOrder) -> bool:
        """Return whether the rule is about orders such as this one at all."""
        if not order.live_ns or order.order_type == MARKET or order.time_in_force in (IOC, FOK):
            return False
        return not self._algo_only or bool(order.algo or order.flags & FLAG_ALGO)

    def _minimum_of(self, order: OpenOrder, book: Book) -> int:
        by_symbol = self._minimum_ns_by_symbol
        if not by_symbol:
            return self._minimum_ns
        return by_symbol.get(book.symbols[order.symbol].name, self._minimum_ns)


def _only_reduces(amend: Amend, order: OpenOrder) -> bool:
    """Return whether an amend keeps the price and lowers the quantity."""
    return amend.price_e8 in (0, order.price_e8) and 0 < amend.quantity_e8 < order.quantity_e8
