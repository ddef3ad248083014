"""From verdicts to decisions, and from decisions into the book.

A decision is built here with the numbers it needs (order id, account, best prices), so that the
commit only follows it: the same code commits a decision made elsewhere (what-if, simulation).
"""

from typing import Any, Final, NamedTuple

from rules.book import Book, OpenOrder, SymbolFacts
from rules.conduct.resting_time import RestingTime
from rules.decisions import ACCEPTED, DEFERRED, NOTED, REFUSED, Breach, Charge, Decision, Defer
from rules.deferred_cancels import NEVER_NS, RETRY_NS, HeldCancel
from rules.events import (
    Amend,
    BalanceAdjusted,
    BulkCancel,
    Cancel,
    CancelAll,
    Deadline,
    EngineSession,
    Event,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    Place,
    Reference,
    Replace,
    Report,
    Request,
    TradeBust,
)
from rules.kinds import AMEND, CANCEL, CANCEL_ALL, PLACE, REPLACE
from rules.register import Register
from rules.rulebook import Rulebook
from rules.scopes import Walks, meets, orders_to_cancel
from rules.settlement import Settlement
from rules.values import CAUSE_CLIENT, FLAG_TEST, SCOPE_ACCOUNT, SCOPE_ORDER

SLICE: Final = 256
"""Orders one bulk cancel takes at a time."""
DERIVED_ID_DIGITS: Final = 20


def _is_due_cancel(event: BulkCancel) -> bool:
    """Return whether a bulk cancel is a deferred cancel whose time has come."""
    return event.scope == SCOPE_ORDER and event.cause == CAUSE_CLIENT


def derived_client_order_id(order_id: int) -> str:
    """Return the client order id of an order that came without one: 22 characters."""
    return f"og{order_id:0{DERIVED_ID_DIGITS}d}"


class _Slice(NamedTuple):
    """What one decision does about the orders of a scope."""

    cancels: tuple[int, ...]
    more: bool = False
    """There are more to be cancelled after these."""
    deferred: tuple[int, ...] = ()
    charges: tuple[Charge, ...] = ()


class Booking:
    """Builds decisions and commits them; `resting` is the resting-time rule when enforced."""

    def __init__(self, book: Book, rulebook: Rulebook, resting: RestingTime | None) -> None:
        self.book = book
        self.settlement = Settlement(book, rulebook.valuation)
        self._register = Register(book, rulebook)
        self._resting = resting
        self._walks = Walks(book)

    # --- Decisions ----------------------------------------------------------------------------

    def refused(
        self, event: Request, breaches: tuple[Breach, ...], shadows: tuple[Breach, ...]
    ) -> Decision:
        """Return the decision that refuses `event`."""
        account, owner = self._whose(event.key)
        facts = self.book.symbols.get(getattr(event, "symbol", 0))
        return Decision(
            REFUSED,
            breaches,
            shadows,
            self._meant(event, account),
            account,
            owner,
            facts.bid_e8 if facts is not None else 0,
            facts.ask_e8 if facts is not None else 0,
        )

    def accepted(
        self,
        event: Request,
        verdict: int,
        now_ns: int,
        price_limit_e8: int,
        until_ns: int,
        shadows: tuple[Breach, ...],
        charges: tuple[Charge, ...],
    ) -> Decision:
        """Return the decision that lets `event` pass (or defers it)."""
        book = self.book
        account, owner = self._whose(event.key)
        kind = type(event)
        facts: SymbolFacts | None = book.symbols.get(getattr(event, "symbol", 0))
        bid_e8, ask_e8 = (facts.bid_e8, facts.ask_e8) if facts is not None else (0, 0)
        order_id = 0
        cancels: tuple[int, ...] = ()
        more = False
        deferred: tuple[int, ...] = ()
        client_order_id = ""
        if kind is PLACE or kind is REPLACE:
            order: Any = event
            if kind is REPLACE or not order.flags & FLAG_TEST:
                order_id = book.next_order_id
                if not order.client_order_id:
                    client_order_id = derived_client_order_id(order_id)
            if kind is REPLACE:
                old = self._meant(event, account)
                cancels = (old,) if old else ()
        elif kind is CANCEL_ALL:
            symbol: int = getattr(event, "symbol", 0)
            part = self._cancellable(SCOPE_ACCOUNT, account, symbol, now_ns)
            cancels, more, deferred, charges = part
        elif kind is CANCEL or kind is AMEND:
            order_id = self._meant(event, account)
            if verdict == DEFERRED:
                deferred = (order_id,)
        return Decision(
            verdict,
            (),
            shadows,
            order_id,
            account,
            owner,
            bid_e8,
            ask_e8,
            price_limit_e8,
            until_ns,
            cancels,
            charges,
            more,
            client_order_id,
            deferred=deferred,
        )

    def slice_of(self, event: BulkCancel, now_ns: int) -> Decision:
        """Return the decision on the next orders of a bulk cancel."""
        if _is_due_cancel(event):
            return Decision(NOTED, cancels=self._due(event, now_ns))
        origin_seq = event.origin_seq
        if event.cause == CAUSE_CLIENT:
            part = self._cancellable(event.scope, event.subject, event.symbol, now_ns, origin_seq)
        else:
            part = self._all(event)
        return Decision(
            NOTED,
            cancels=part.cancels,
            charges=part.charges,
            more=part.more,
            deferred=part.deferred,
        )

    def _all(self, event: BulkCancel) -> _Slice:
        """Return the next slice of orders that no client asked to be cancelled."""
        return _Slice(*self._walks.slice_of(event, SLICE))

    def _cancellable(
        self, scope: int, subject: int, symbol: int, now_ns: int, origin_seq: int = 0
    ) -> _Slice:
        """Return what a client's cancel of a scope's orders comes to, at most a slice of cancels.

        `origin_seq` asked for the cancel of which this is a further slice. The first one, with 0,
        names every order whose cancel is held; later ones name those that were not held before.
        """
        book, resting = self.book, self._resting
        cancels: list[int] = []
        deferred: list[int] = []
        charges: list[Charge] = []
        more = False
        for order in orders_to_cancel(book, scope, subject, symbol):
            if origin_seq and order.command_id > origin_seq:
                continue
            verdict = resting.verdict(order, book, now_ns) if resting is not None else None
            if isinstance(verdict, Breach):
                continue
            if isinstance(verdict, Defer):
                if not origin_seq or order.order_id not in book.deferred:
                    deferred.append(order.order_id)
            elif len(cancels) == SLICE:
                more = True
                if origin_seq or resting is None:
                    # A further slice names whoever is left.
                    break
            else:
                cancels.append(order.order_id)
                if verdict is not None:
                    charges.append(verdict)
        return _Slice(tuple(cancels), more, tuple(deferred), tuple(charges))

    def _due(self, event: BulkCancel, now_ns: int) -> tuple[int, ...]:
        """Return the order of a deferred cancel if it can be carried out now."""
        book = self.book
        order, held = book.orders.get(event.subject), book.deferred.get(event.subject)
        if order is None or held is None or order.cancel_cause:
            return ()
        ripe = book.matchable_age_ns(order, now_ns) >= held.minimum_ns
        return (order.order_id,) if ripe and meets(order, held.restriction) else ()

    def _whose(self, key: int) -> tuple[int, int]:
        """Return account and owner of a key, 0 where unknown."""
        holder = self.book.holder_of(key)
        if holder is not None:
            return holder.account, holder.owner
        return self.book.account_of(key), 0

    def _meant(self, event: Any, account: int) -> int:
        """Return the open order a cancel, amend or replace names, 0 for none or other requests."""
        kind = type(event)
        if kind is CANCEL or kind is AMEND or kind is REPLACE:
            order = self.book.find_order(
                account, event.symbol, event.order_id, event.orig_client_order_id
            )
            return order.order_id if order is not None else 0
        return 0

    # --- Commit -------------------------------------------------------------------------------

    def request(self, event: Request, decision: Decision, now_ns: int) -> None:
        """Book a request as `decision` says; a refused one changes nothing here."""
        if decision.deferred:
            self._defer(decision, getattr(event, "restriction", 0), now_ns)
        if decision.verdict != ACCEPTED:
            return
        settlement = self.settlement
        if isinstance(event, Place):
            if not event.flags & FLAG_TEST:
                settlement.expect_place(self._book(event, decision, now_ns))
        elif isinstance(event, Cancel):
            if decision.order_id in self.book.orders:
                settlement.expect_cancel((decision.order_id,), CAUSE_CLIENT, bulk=False)
        elif isinstance(event, CancelAll):
            self._bulk(decision, CAUSE_CLIENT)
        elif isinstance(event, Replace):
            old = self.book.orders.get(decision.cancels[0]) if decision.cancels else None
            settlement.expect_replace(old, self._book(event, decision, now_ns))
        elif isinstance(event, Amend):
            order = self.book.orders.get(decision.order_id)
            if order is not None:
                settlement.expect_amend(event, order)

    def bulk_cancel(self, event: BulkCancel, decision: Decision, now_ns: int) -> None:
        """Mark a slice of a bulk cancel as being cancelled."""
        if decision.deferred:
            self._defer(decision, 0, now_ns)
        self._bulk(decision, event.cause)
        if _is_due_cancel(event) and not decision.cancels:
            order, deferred = self.book.orders.get(event.subject), self.book.deferred
            if order is None or not meets(order, event.restriction):
                deferred.drop(event.subject)
            else:
                deferred.put_off(event.subject, now_ns + RETRY_NS)

    def _defer(self, decision: Decision, restriction: int, now_ns: int) -> None:
        """Hold the cancels that a decision puts off."""
        book = self.book
        for order_id in decision.deferred:
            order = book.orders.get(order_id)
            if order is None:
                continue
            age_ns = book.matchable_age_ns(order, now_ns)
            if self._resting is not None:
                minimum_ns = self._resting.minimum_ns(order, book)
            else:
                minimum_ns = decision.until_ns - now_ns + age_ns
            held = HeldCancel(
                order_id,
                order.symbol,
                book.current_seq,
                now_ns,
                minimum_ns,
                restriction,
            )
            halted = book.symbols[order.symbol].halted_since_ns
            book.deferred.hold(held, NEVER_NS if halted else now_ns + minimum_ns - age_ns)

    def _bulk(self, decision: Decision, cause: int) -> None:
        order_ids = tuple(order_id for order_id in decision.cancels if order_id in self.book.orders)
        if order_ids:
            self.settlement.expect_cancel(order_ids, cause, bulk=True)

    def _book(self, event: Place | Replace, decision: Decision, now_ns: int) -> OpenOrder:
        return self.settlement.place(
            event,
            decision.order_id,
            event.client_order_id or decision.client_order_id,
            decision.price_limit_e8,
            now_ns,
        )

    def report(self, event: Event, now_ns: int) -> None:
        """Settle an engine report, or take up a definition or an operator's act."""
        settlement = self.settlement
        if isinstance(event, Report):
            settlement.report_seen(event.engine_seq)
        if isinstance(event, OrderTrade):
            settlement.trade(event, now_ns)
        elif isinstance(event, Reference):
            settlement.reference(event, now_ns)
        elif isinstance(event, OrderEnded):
            settlement.ended(event)
        elif isinstance(event, OrderReduced):
            settlement.reduced(event)
        elif isinstance(event, BalanceAdjusted):
            settlement.adjusted(event)
        elif isinstance(event, MarketTrade):
            settlement.market_trade(event, now_ns)
        elif isinstance(event, TradeBust):
            settlement.bust(event)
        elif isinstance(event, EngineSession):
            settlement.engine_session(event)
        elif isinstance(event, Deadline):
            settlement.deadline(event.command_id, now_ns)
        else:
            self._register.take(event, now_ns)
