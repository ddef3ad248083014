"""What orders, amends and cancels cost by the age of the order, in a counter that decays.

A client who lets his orders rest can send many; one who takes them off at once soon has to wait. The
counter falls all the time, by the same amount each second, and never below 0.
"""

from typing import Any, ClassVar, Final

from rules.answers import WITH_ENDED
from rules.book import AccountFacts, Book, OpenOrder
from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Breach, Decision, Explanation, Usage
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    EngineSession,
    Event,
    OrderEnded,
    OrderTrade,
    Place,
    Replace,
)
from rules.explanations import first_breach, look
from rules.kinds import AMEND, BULK_CANCEL, CANCEL, CANCEL_ALL, PLACE
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.texts import read_decimal, read_duration
from rules.values import (
    AUTH_OK,
    CAUSE_CLIENT,
    E8,
    FLAG_TEST,
    INT63_MAX,
    NS_PER_SECOND,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_KEY,
    SCOPE_ORDER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
    split_pair,
)

E17: Final = E8 * NS_PER_SECOND
"""One point in the units of a counter: 1e-8 points a second are then one unit a nanosecond."""
_REPORTS: Final = (CommandResult, OrderTrade, OrderEnded, EngineSession)
"""Events that may end orders."""
_SWEEP_FROM: Final = 1024
_FIRST_REASON_OF_A_KNOWN_CALLER: Final = Reason.KEY_DISABLED


class _Rate:
    """How a counter is bounded."""

    __slots__ = ("decay_e8", "limit_e17")

    def __init__(self, limit_e17: int, decay_e8: int) -> None:
        self.limit_e17 = limit_e17
        self.decay_e8 = decay_e8
        """Points a second in 1e-8, which are units a nanosecond."""


class _Step:
    """What is added for orders younger than an age."""

    __slots__ = ("amend", "cancel", "replace", "under_ns")

    def __init__(self, under_ns: int, amend: int, replace: int, cancel: int) -> None:
        self.under_ns = under_ns
        self.amend = amend
        self.replace = replace
        self.cancel = cancel


class AgeCost(Rule):
    """Refuse orders, replacements and amends while what was sent has cost too much.

    A message passes iff the counter and its own cost together are within the limit. Cancels are
    never refused; they count, also beyond the limit. A cancel counts once for each order, when it
    is asked for, by the order's age at that time; a second one of the same order is free, as are
    cancels nobody asked for and orders that end by themselves. Fills cost nothing. What the gate
    has let pass counts also when the engine then refuses it. A message another rule refuses costs
    what it costs whatever the age, but never more than the limit leaves.

    Source: Kraken, Spot trading rate limits (points by age, limits and decay of the tiers).
    """

    name: ClassVar[str] = "age_cost"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.AGE_COST_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        Amend,
        Cancel,
        CancelAll,
        BulkCancel,
        CommandResult,
        OrderTrade,
        OrderEnded,
        EngineSession,
    )
    results: ClassVar[int] = WITH_ENDED
    source: ClassVar[str] = "Kraken, Spot trading rate limits: points by the age of the order"
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.age_cost
        self._per = clause.per
        self._per_account = clause.per == "account"
        self._rate = _rate(clause.limit, clause.decay)
        self._tiers = {name: _rate(tier.limit, tier.decay) for name, tier in clause.tiers.items()}
        self._place, self._amend = clause.place, clause.amend
        self._place_e17 = clause.place * E17
        self._replace, self._cancel = clause.replace, clause.cancel
        self._steps = tuple(
            _Step(read_duration(step.under), step.amend, step.replace, step.cancel)
            for step in clause.steps
        )
        ages_ns = [step.under_ns for step in self._steps]
        if ages_ns != sorted(dict.fromkeys(ages_ns)):
            raise ValueError("the ages of steps do not rise from step to step")
        self._counters: dict[int, tuple[int, int]] = {}
        """Counter (in 1e-17 points) and its time, by subject and symbol as one number."""
        self._sweep_at = _SWEEP_FROM
        """With so many counters those that have fallen to 0 are let go."""
        self._asked: dict[int, None] = {}
        """Open orders whose cancel has been counted."""

    # --- Deciding -----------------------------------------------------------------------------

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse when the counter and the message's cost pass the limit."""
        account = book.holder_of(event.key)
        if account is None:
            return None
        rate = self._rate_of(account)
        used_e17 = self._used_e17(self._pair(account, event.key, event.symbol), rate, now_ns)
        if type(event) is PLACE:
            cost_e17 = 0 if event.flags & FLAG_TEST else self._place_e17
        else:
            cost_e17 = self._cost(event, self._meant(event, account, book), book, now_ns) * E17
        over_e17 = used_e17 + cost_e17 - rate.limit_e17
        if over_e17 <= 0:
            return None
        retry_ns = 0
        if cost_e17 <= rate.limit_e17:
            retry_ns = min(now_ns - -over_e17 // rate.decay_e8, INT63_MAX)
        return first_breach(
            self.explain(event, book, now_ns),
            *self._scope(account, event.key, event.symbol),
            retry_ns,
        )

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the limit, and the counter with the message's cost, in 1e-8 points rounded up."""
        account = book.holder_of(event.key)
        if account is None:
            return ()
        rate = self._rate_of(account)
        used_e17 = self._used_e17(self._pair(account, event.key, event.symbol), rate, now_ns)
        cost = self._cost(event, self._meant(event, account, book), book, now_ns)
        total_e17 = used_e17 + cost * E17
        return (
            look(
                self.name,
                total_e17 <= rate.limit_e17,
                Reason.AGE_COST_LIMIT,
                _points_e8(rate.limit_e17),
                _points_e8(total_e17),
                f"{cost} of it for this message",
            ),
        )

    def _cost(self, event: Event, order: OpenOrder | None, book: Book, now_ns: int) -> int:
        """Return what a message costs in points."""
        if isinstance(event, Place):
            return 0 if event.flags & FLAG_TEST else self._place
        fixed = self._fixed(event)
        step = self._step(order, book, now_ns) if order is not None else None
        if step is None:
            return fixed
        if isinstance(event, Amend):
            return fixed + step.amend
        return fixed + (step.replace if isinstance(event, Replace) else step.cancel)

    def _fixed(self, event: Event) -> int:
        """Return what a message costs whatever the age of its order."""
        if isinstance(event, Place):
            return 0 if event.flags & FLAG_TEST else self._place
        if isinstance(event, Amend):
            return self._amend
        return self._replace if isinstance(event, Replace) else self._cancel

    def _step(self, order: OpenOrder, book: Book, now_ns: int) -> _Step | None:
        """Return the step of an order's age; one that is not live yet is as young as can be."""
        age_ns = book.matchable_age_ns(order, now_ns) if order.live_ns else 0
        for step in self._steps:
            if age_ns < step.under_ns:
                return step
        return None

    # --- Counting -----------------------------------------------------------------------------

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count what has passed; forget orders that have ended."""
        kind = type(event)
        if kind is PLACE and decision.verdict == ACCEPTED:
            account = book.holder_of(event.key)
            if account is not None and not event.flags & FLAG_TEST:
                self._add(account, event.key, event.symbol, self._place_e17, now_ns)
        elif kind in _REPORTS:
            self.answered(event, book, now_ns)
        elif kind is BULK_CANCEL:
            # A deferred cancel that is carried out was counted when it was asked for.
            if event.cause == CAUSE_CLIENT and event.scope != SCOPE_ORDER:
                self._cancels(event, (*decision.cancels, *decision.deferred), 0, book, now_ns)
        elif decision.verdict == REFUSED:
            self._refused(event, decision, book, now_ns)
        elif kind is CANCEL_ALL:
            asked = (*decision.cancels, *decision.deferred)
            self._cancels(event, asked, event.key, book, now_ns)
        elif kind is CANCEL:
            if decision.verdict in (ACCEPTED, DEFERRED):
                self._cancels(event, (decision.order_id,), event.key, book, now_ns)
        else:
            account = book.holder_of(event.key)
            if account is not None:
                order = book.orders.get(
                    decision.order_id if kind is AMEND else next(iter(decision.cancels), 0)
                )
                cost = self._cost(event, order, book, now_ns)
                self._add(account, event.key, event.symbol, cost * E17, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Forget the orders that ended."""
        for order_id in book.ended:
            self._asked.pop(order_id, None)

    def _cancels(
        self, event: Event, order_ids: tuple[int, ...], key: int, book: Book, now_ns: int
    ) -> None:
        """Count the cancel of each order, at its own age."""
        for order_id in order_ids:
            order = book.orders.get(order_id)
            account = book.accounts.get(order.account) if order is not None else None
            if order is None or account is None or order_id in self._asked:
                continue
            self._asked[order_id] = None
            step = self._step(order, book, now_ns)
            cost = self._cancel if step is None else self._cancel + step.cancel
            self._add(account, key or order.key, order.symbol, cost * E17, now_ns)

    def _refused(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count the fixed cost of what another rule refused to somebody who is known."""
        breach = decision.breaches[0]
        account = book.holder_of(event.key)
        if account is None or event.auth != AUTH_OK or type(event) not in self.wants:
            return
        own = any(one.rule == self.name for one in decision.breaches)
        if own or breach.reason < _FIRST_REASON_OF_A_KNOWN_CALLER:
            return
        rate = self._rate_of(account)
        used_e17 = self._used_e17(self._pair(account, event.key, event.symbol), rate, now_ns)
        room_e17 = max(rate.limit_e17 - used_e17, 0)
        cost_e17 = min(self._fixed(event) * E17, room_e17)
        self._add(account, event.key, event.symbol, cost_e17, now_ns)

    def _add(
        self, account: AccountFacts, key: int, symbol: int, cost_e17: int, now_ns: int
    ) -> None:
        if not cost_e17:
            return
        pair = self._pair(account, key, symbol)
        used_e17 = self._used_e17(pair, self._rate_of(account), now_ns)
        if len(self._counters) >= self._sweep_at:
            self._sweep(now_ns)
        self._counters[pair] = (used_e17 + cost_e17, now_ns)

    def _pair(self, account: AccountFacts, key: int, symbol: int) -> int:
        """Return whose counter it is in a symbol, as one number."""
        return pair_of(self._subject(account, key), symbol)

    def _used_e17(self, pair: int, rate: _Rate, now_ns: int) -> int:
        """Return a counter as it stands now."""
        counter = self._counters.get(pair)
        if counter is None:
            return 0
        used_e17 = counter[0] - rate.decay_e8 * (now_ns - counter[1])
        return max(0, used_e17)

    def _sweep(self, now_ns: int) -> None:
        """Let go of counters that have fallen to 0 at the slowest decay there is."""
        decay_e8 = min(rate.decay_e8 for rate in (self._rate, *self._tiers.values()))
        self._counters = {
            pair: (used_e17, at_ns)
            for pair, (used_e17, at_ns) in self._counters.items()
            if used_e17 > decay_e8 * (now_ns - at_ns)
        }
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._counters))

    # --- Who ----------------------------------------------------------------------------------

    def _meant(self, event: Any, account: AccountFacts, book: Book) -> OpenOrder | None:
        if isinstance(event, Place):
            return None
        return book.find_order(
            account.account, event.symbol, event.order_id, event.orig_client_order_id
        )

    def _rate_of(self, account: AccountFacts) -> _Rate:
        if not self._tiers:
            return self._rate
        return self._tiers.get(account.tier, self._rate)

    def _subject(self, account: AccountFacts, key: int) -> int:
        if self._per_account:
            return account.account
        return key if self._per == "key" else account.owner

    def _scope(self, account: AccountFacts, key: int, symbol: int) -> tuple[int, int]:
        if self._per == "key":
            return SCOPE_KEY, key
        scope = SCOPE_ACCOUNT_SYMBOL if self._per == "account" else SCOPE_OWNER_SYMBOL
        return scope, self._pair(account, key, symbol)

    # --- Looking ------------------------------------------------------------------------------

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the counter of an account or owner in a symbol, or of a key in each, in 1e-8."""
        if scope == SCOPE_KEY and self._per == "key":
            account = book.holder_of(subject)
            pairs = [(subject, symbol) for symbol in book.symbols]
        elif scope == SCOPE_ACCOUNT_SYMBOL and self._per == "account":
            pairs = [split_pair(subject)]
            account = book.accounts.get(pairs[0][0])
        elif scope == SCOPE_OWNER_SYMBOL and self._per == "owner":
            pairs = [split_pair(subject)]
            accounts = book.conduct.accounts_of(pairs[0][0])
            account = book.accounts.get(accounts[0]) if accounts else None
        else:
            return ()
        rate = self._rate_of(account) if account is not None else self._rate
        found = []
        for one, symbol in pairs:
            used_e17 = self._used_e17(pair_of(one, symbol), rate, now_ns)
            empty_ns = 0
            if used_e17:
                empty_ns = min(now_ns - -used_e17 // rate.decay_e8, INT63_MAX)
            used_e8, limit_e8 = _points_e8(used_e17), _points_e8(rate.limit_e17)
            label = f"points {book.symbols[symbol].name}" if symbol in book.symbols else "points"
            found.append(
                Usage(self.name, scope, subject, used_e8, limit_e8, 0, empty_ns, label, True)
            )
        return tuple(found)

    def state(self) -> Any:
        """Return every counter as text, since it may pass 63 bits, and the cancels counted."""
        return {
            "counters": [
                [*split_pair(pair), str(used_e17), at_ns]
                for pair, (used_e17, at_ns) in self._counters.items()
            ],
            "sweep_at": self._sweep_at,
            "asked": list(self._asked),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._counters = {
            pair_of(subject, symbol): (int(used_e17), at_ns)
            for subject, symbol, used_e17, at_ns in state["counters"]
        }
        self._sweep_at = state["sweep_at"]
        self._asked = dict.fromkeys(state["asked"])


def _rate(limit: str, decay: str) -> _Rate:
    """Return a counter's limit and decay; raises ValueError for one that never falls."""
    decay_e8 = read_decimal(decay)
    if not decay_e8:
        raise ValueError(f"decay `{decay}` would never let the counter fall")
    return _Rate(read_decimal(limit) * NS_PER_SECOND, decay_e8)


def _points_e8(value_e17: int) -> int:
    """Return a counter in 1e-8 points, rounded up."""
    return -(-value_e17 // NS_PER_SECOND)
