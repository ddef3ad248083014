"""Minimum resting time: an order may not be cancelled or changed before it has rested so long.

The age counts from the moment the engine confirmed the order, only while the order could be
matched, and begins anew when an amend changes what the order offers to the market. An order
exactly as old as the minimum may go.
"""

from typing import Any, ClassVar, Final, NamedTuple

from rules.book import Book, OpenOrder
from rules.decisions import Breach, Charge, Defer, Explanation, Usage, Verdict
from rules.events import Amend, Cancel, CancelAll, Event, Replace
from rules.fees.age_curve import price_e8
from rules.kinds import AMEND, CANCEL, CANCEL_ALL
from rules.reasons import Reason
from rules.resting_clauses import RestingCaseClause, RestingTimeClause
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.texts import read_duration
from rules.values import (
    FLAG_ALGO,
    FLAG_MARKET_MAKING,
    FOK,
    IOC,
    MARKET,
    OWNER_CLASS_NAMES,
    OWNER_MARKET_MAKER,
    SCOPE_ORDER,
    SYMBOL_AUCTION,
)

_DEFER: Final = "DEFER"
_CHARGE: Final = "CHARGE"


class _Terms(NamedTuple):
    """What holds for the orders of one case."""

    minimum_ns: int
    policy: str
    tariff: str


class _Case(NamedTuple):
    """One case of the clause: whom it fits, and what holds for them."""

    symbols: tuple[str, ...]
    classes: tuple[int, ...]
    algo: bool | None
    terms: _Terms


class RestingTime(Rule):
    """Refuse, defer or charge a cancel, amend or replace of an order that is too young.

    Source: European Parliament, ECON report on MiFID II of 26 September 2012 (500 ms); the
    minimum quote life of FX matching venues (DEFER); Directive 2014/65/EU Art. 48(9) (CHARGE).
    Ages in nanoseconds. How long an order must rest depends on its symbol, on the class of its
    owner and on whether an algorithm decided it.

    REJECT refuses. DEFER accepts a cancel, holds it and carries it out when the order is old
    enough; amends and replaces can't be held and are refused. CHARGE lets all pass at a price by
    the order's age. A cancel of all orders is refused or put off as a whole only when every order
    is too young; else those that may go do, and of the others each is held or left as its policy
    says.

    Exempt are orders the engine has not confirmed yet, orders that never rest (MARKET, IOC, FOK),
    what engine or gate end themselves (kill, lost session, halt, expiry, self-trade prevention)
    and, where the clause says so, orders no algorithm decided, quotes of market makers, orders in
    an auction, and amends that only take quantity off.
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
        self._shadow = clause.mode == "shadow"
        self._algo_only = clause.algo_only
        self._exempt_reducing = clause.exempt_reducing
        self._exempt_auction = clause.exempt_auction
        self._exempt_quotes = clause.exempt_quotes
        self._makers_free = rulebook.clauses.cancel_fees.exempt_market_makers
        self._terms = _Terms(read_duration(clause.minimum), clause.policy, clause.tariff)
        self._cases = (*(_case(case, clause) for case in clause.cases), *_symbol_cases(clause))
        self._curves = {
            terms.tariff: _curve(terms.tariff, rulebook)
            for terms in (self._terms, *(case.terms for case in self._cases))
            if terms.policy == _CHARGE
        }

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return the policy's verdict when the order meant is too young, else None.

        In shadow, where nothing is held or charged, it is a breach that says what would have been.
        """
        verdict = self._policy_verdict(event, book, now_ns)
        if self._shadow and isinstance(verdict, Defer | Charge):
            order = self._meant(event, book, now_ns, verdict)
            if order is None:
                return None
            minimum_ns = self.minimum_ns(order, book)
            if isinstance(verdict, Defer):
                return self._breach(order, minimum_ns, book, now_ns, "deferred")
            return self._breach(order, minimum_ns, book, now_ns, "charged")
        return verdict

    def _policy_verdict(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return what the policy says, whether it is enforced or not."""
        key = book.keys.get(event.key)
        if key is None:
            return None
        if type(event) is CANCEL_ALL:
            return self._check_all(book.open_orders(key.account, event.symbol), book, now_ns)
        order = book.find_order(
            key.account, event.symbol, event.order_id, event.orig_client_order_id
        )
        if order is None:
            return None
        if self._exempt_reducing and type(event) is AMEND and _only_reduces(event, order):
            return None
        verdict = self.verdict(order, book, now_ns)
        if type(verdict) is Defer and type(event) is not CANCEL:
            return self._breach(order, self._asked_ns(order, verdict, book, now_ns), book, now_ns)
        return verdict

    def _check_all(
        self, orders: dict[int, OpenOrder], book: Book, now_ns: int
    ) -> Breach | Defer | None:
        """Return what holds the cancel of all orders as a whole, None when any of them may go."""
        until_ns = 0
        first: Breach | None = None
        for order in orders.values():
            verdict = self.verdict(order, book, now_ns)
            if isinstance(verdict, Defer):
                until_ns = max(until_ns, verdict.until_ns)
            elif isinstance(verdict, Breach):
                if first is None or verdict.retry_ns < first.retry_ns:
                    first = verdict
            else:
                return None
        return Defer(self.name, until_ns) if until_ns else first

    def verdict(self, order: OpenOrder, book: Book, now_ns: int) -> Breach | Defer | Charge | None:
        """Return what holds or prices a client's cancel of `order`, None when it may go."""
        held = book.deferred.get(order.order_id)
        if held is not None:
            # What was in force when it was asked for goes on being so for this order.
            terms = _Terms(held.minimum_ns, _DEFER, "")
        elif not self._judged(order, book):
            return None
        else:
            terms = self._terms_of(order, book)
        age_ns = book.matchable_age_ns(order, now_ns)
        if age_ns >= terms.minimum_ns:
            return None
        if terms.policy == _DEFER:
            return Defer(self.name, now_ns + terms.minimum_ns - age_ns)
        if terms.policy == _CHARGE:
            if self._makers_free and book.owner_class(order.account) == OWNER_MARKET_MAKER:
                return None
            amount_e8 = price_e8(self._curves[terms.tariff], age_ns)
            return Charge(self.name, terms.tariff, amount_e8, order.order_id) if amount_e8 else None
        return self._breach(order, terms.minimum_ns, book, now_ns)

    def minimum_ns(self, order: OpenOrder, book: Book) -> int:
        """Return how long an order must rest, by what it is and whose it is."""
        return self._terms_of(order, book).minimum_ns

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the minimum and the age of the order that decides, in nanoseconds."""
        verdict = self.check(event, book, now_ns)
        order = self._meant(event, book, now_ns, verdict)
        if order is None:
            detail = "no open order is meant"
            return (Explanation(self.name, True, None, self._terms.minimum_ns, 0, detail),)
        minimum_ns = self.minimum_ns(order, book)
        age_ns = book.matchable_age_ns(order, now_ns) if order.live_ns else 0
        if isinstance(verdict, Breach):
            reason = Reason.MINIMUM_RESTING_TIME
            shown = verdict.limit, verdict.observed, verdict.detail
            return (Explanation(self.name, False, reason, *shown),)
        if isinstance(verdict, Defer):
            minimum_ns = self._asked_ns(order, verdict, book, now_ns)
            detail = "deferred"
        elif isinstance(verdict, Charge):
            detail = "charged"
        else:
            detail = "the order is exempt" if age_ns < minimum_ns else ""
        return (Explanation(self.name, True, None, minimum_ns, age_ns, detail),)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return nothing: the rule keeps no count, every order has its own age."""
        return ()

    def state(self) -> Any:
        """Return None: ages, classes and held cancels are facts of the book."""
        return None

    def restore(self, state: Any) -> None:
        """Put nothing back."""

    def _asked_ns(self, order: OpenOrder, verdict: Defer, book: Book, now_ns: int) -> int:
        """Return the age that a verdict asks of an order."""
        return verdict.until_ns - now_ns + book.matchable_age_ns(order, now_ns)

    def _breach(
        self, order: OpenOrder, minimum_ns: int, book: Book, now_ns: int, detail: str = ""
    ) -> Breach:
        age_ns = book.matchable_age_ns(order, now_ns)
        return Breach(
            self.name,
            Reason.MINIMUM_RESTING_TIME,
            minimum_ns,
            age_ns,
            now_ns + minimum_ns - age_ns,
            SCOPE_ORDER,
            order.order_id,
            detail=detail,
        )

    def _meant(
        self, event: Any, book: Book, now_ns: int, verdict: Verdict | None
    ) -> OpenOrder | None:
        """Return the order `event` is judged by: the one named, of a CancelAll the one that decides."""
        account = book.account_of(event.key)
        if type(event) is not CANCEL_ALL:
            return book.find_order(
                account, event.symbol, event.order_id, event.orig_client_order_id
            )
        for order in book.open_orders(account, event.symbol).values():
            if type(verdict) is Breach:
                if order.order_id == verdict.subject:
                    return order
            elif type(verdict) is Defer:
                if self.verdict(order, book, now_ns) == verdict:
                    return order
            elif not isinstance(self.verdict(order, book, now_ns), Breach | Defer):
                return order
        return None

    def _judged(self, order: OpenOrder, book: Book) -> bool:
        """Return whether the rule is about orders such as this one at all."""
        if not order.live_ns or order.order_type == MARKET or order.time_in_force in (IOC, FOK):
            return False
        if self._exempt_auction and book.symbols[order.symbol].state == SYMBOL_AUCTION:
            return False
        # The flag is the client's own word; the agreement is not.
        quoting = self._exempt_quotes and order.flags & FLAG_MARKET_MAKING
        if quoting and book.owner_class(order.account) == OWNER_MARKET_MAKER:
            return False
        return not self._algo_only or _by_algorithm(order)

    def _terms_of(self, order: OpenOrder, book: Book) -> _Terms:
        for case in self._cases:
            if case.symbols and book.symbols[order.symbol].name not in case.symbols:
                continue
            if case.classes and book.owner_class(order.account) not in case.classes:
                continue
            if case.algo is None or case.algo is _by_algorithm(order):
                return case.terms
        return self._terms


def _case(case: RestingCaseClause, clause: RestingTimeClause) -> _Case:
    return _Case(
        case.symbols,
        tuple(map(OWNER_CLASS_NAMES.index, case.classes)),
        case.algo,
        _Terms(
            read_duration(case.minimum),
            case.policy or clause.policy,
            case.tariff or clause.tariff,
        ),
    )


def _symbol_cases(clause: RestingTimeClause) -> list[_Case]:
    return [
        _Case((symbol,), (), None, _Terms(read_duration(text), clause.policy, clause.tariff))
        for symbol, text in clause.symbols.items()
    ]


def _curve(name: str, rulebook: Rulebook) -> Any:
    """Return the prices of a tariff; raises ValueError when nothing can be charged by it."""
    tariff = rulebook.tariffs.get(name)
    if tariff is None or tariff.file.age_curve is None:
        raise ValueError(
            f"policy CHARGE needs a tariff with an age_curve, `{name}` is none; "
            "write a table [tariffs.<name>] and name it as `tariff`"
        )
    fees = rulebook.clauses.cancel_fees
    if fees.mode == "off":
        raise ValueError("policy CHARGE is posted by rule cancel_fees, which is off")
    if name in fees.tariffs or name in fees.market_maker_tariffs:
        raise ValueError(f"tariff `{name}` is charged by rule cancel_fees already")
    return tariff.file.age_curve


def _by_algorithm(order: OpenOrder) -> bool:
    return bool(order.algo or order.flags & FLAG_ALGO)


def _only_reduces(amend: Amend, order: OpenOrder) -> bool:
    """Return whether an amend keeps the price and lowers the quantity."""
    return amend.price_e8 in (0, order.price_e8) and 0 < amend.quantity_e8 < order.quantity_e8
