"""Fees for cancelling, and taxes on trading, counted as the engine confirms what was asked.

A new order counts when the engine took it, a modification or cancel when the engine carried it out
as its client asked; an execution when it was made, and no more once it is annulled. So nothing is
charged for what was refused, for a cancel that came too late, or for what the venue took off: a
kill, a lost session, a halt, expiry, self-trade prevention, the rest of an IOC or FOK order. The age
of an order is how long it could be executed. What other channels do is not counted.

What a decision charges at once (policy CHARGE of the resting time) is counted when the engine has
carried out what it was charged for, to the very amount that the decision names.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

from rules.book import Book, OpenOrder
from rules.decisions import ACCEPTED, Decision, Posting
from rules.deferred_cancels import NEVER_NS
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    EngineSession,
    Event,
    Fill,
    OrderEnded,
    OrderTrade,
    PostFees,
    Replace,
    RunBegan,
    TradeBust,
)
from rules.fee_postings import entry_of, posting_of
from rules.fees.acts import (
    ANNULLED,
    CANCELLED,
    CHARGED_AT_ONCE,
    ENTERED,
    MODIFIED,
    TRADED,
    Act,
    check_counting,
    distance_e8,
)
from rules.fees.counts import CHARGE_COLUMNS
from rules.fees.former import FormerLedgers
from rules.fees.ledger import FeeLedger, MeterLine
from rules.resting_clauses import charge_tariffs
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import annulled_sides, asked_e8, behind_best_e8
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    CAUSE_CLIENT,
    E8,
    SELL,
)

SLICE_OWNERS: Final = 64
"""Owners whose fees one event posts."""


class Traced(NamedTuple):
    """One act as it was counted."""

    owner: int
    maker: bool
    """Whether the account was a market maker's."""
    symbol: int
    at_ns: int
    """The time it counts at: of an annulled trade, when that was made."""
    act: Act
    tariff: str = ""
    """The tariff it was charged by at once, empty for what every tariff counts."""


class _Pending(NamedTuple):
    """What a decision has charged for and the engine has not carried out yet."""

    order_id: int
    tariff: str
    amount_e8: int


class CancelFees(Rule):
    """Count what each owner does by the calendar of each tariff, and post what is due.

    It never refuses. Source: Directive 2014/65/EU (MiFID II) Art. 48(9), RTS 10; each tariff names
    its own. `trace`, unless None, is given everything that is counted.
    """

    name: ClassVar[str] = "cancel_fees"
    stage: ClassVar[int] = LIMIT
    wants: ClassVar[tuple[type[Event], ...]] = ()
    applies: ClassVar[tuple[type[Event], ...]] = (
        Amend,
        BulkCancel,
        Cancel,
        CancelAll,
        CommandResult,
        OrderTrade,
        OrderEnded,
        TradeBust,
        EngineSession,
        PostFees,
        Replace,
        RunBegan,
    )
    source: ClassVar[str] = "Directive 2014/65/EU (MiFID II) Art. 48(9); each tariff names its own"
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.cancel_fees
        for name in (*clause.tariffs, *clause.market_maker_tariffs):
            if name not in rulebook.tariffs:
                raise ValueError(f"there is no tariff `{name}`; write a table [tariffs.{name}]")
            check_counting(rulebook.tariffs[name])
        twice = [name for name in clause.market_maker_tariffs if name in clause.tariffs]
        if twice:
            raise ValueError(f"tariff `{twice[0]}` is for market makers and for others")
        if len(dict.fromkeys(clause.tariffs)) < len(clause.tariffs):
            raise ValueError("a tariff is named twice")
        self._posts = clause.mode == "enforce"
        self._days = clause.correction_days
        self._ledgers = self._ledgers_of(rulebook, clause.tariffs)
        makers = self._ledgers_of(rulebook, clause.market_maker_tariffs)
        self._of_makers = makers or self._ledgers
        if clause.exempt_market_makers:
            self._of_makers = ()
        charging = [
            name
            for name in charge_tariffs(rulebook.clauses.resting_time)
            if name in rulebook.tariffs
        ]
        self._charging = dict(
            zip(charging, self._ledgers_of(rulebook, charging, CHARGE_COLUMNS), strict=True)
        )
        self.ledgers = (*self._ledgers, *makers, *self._charging.values())
        """One for each tariff in force."""
        self._former = FormerLedgers()
        self._by_distance = any(
            column in ledger.columns
            for ledger in self.ledgers
            for column in ("weighted_orders", "exempt_orders")
        )
        """Whether it matters to any tariff how far from the market an order is entered."""
        self._rolls_ns = 0
        """When the first of the ledgers' days ends, 0 before that is known."""
        self._amends: dict[int, int] = {}
        """Age of the order at each amend in flight, by command."""
        self._charged: dict[int, list[_Pending]] = {}
        """What was charged at once for each command in flight."""
        self.trace: list[Traced] | None = None

    def _ledgers_of(
        self, rulebook: Rulebook, names: Sequence[str], columns: tuple[str, ...] = ()
    ) -> tuple[FeeLedger, ...]:
        return tuple(
            FeeLedger(rulebook.tariffs[name], self._days, columns, self._posts) for name in names
        )

    # --- Counting -----------------------------------------------------------------------------

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count what the engine reports, or book the postings of a decision."""
        kind = type(event)
        if kind is CommandResult:
            self.answered(event, book, now_ns)
            return
        if kind is PostFees:
            # Before the calendar moves on: the same owners are meant as were when it was decided.
            self._book(decision, book)
        if now_ns >= self._rolls_ns:
            self._roll(now_ns)
        if decision.charges:
            self._charged[book.current_seq] = [
                _Pending(one.order_id, one.tariff, one.amount_e8) for one in decision.charges
            ]
        if kind is OrderTrade:
            self._fills(book.order_of(event.order_id), (event.fill,), book, now_ns)
        elif kind is Amend:
            order = book.orders.get(decision.order_id)
            if decision.verdict == ACCEPTED and order is not None and order.live_ns:
                self._amends[book.current_seq] = book.matchable_age_ns(order, now_ns)
        elif kind is OrderEnded and event.cause == CAUSE_CLIENT:
            self._carried_out_late(event.order_id, book, now_ns)
            filled_e8 = event.filled_e8 + event.prevented_e8
            self._cancelled(book.order_of(event.order_id), filled_e8, book, now_ns)
        elif kind is TradeBust:
            self._annulled(event, book, now_ns)
        elif kind is EngineSession and not book.orders:
            self._amends.clear()
            self._charged.clear()
        if self._charged and book.ended:
            self._let_go(book)

    def _roll(self, now_ns: int) -> None:
        """Begin the day of a moment in every ledger."""
        self._former.roll(now_ns, {ledger.tariff.name: ledger for ledger in self.ledgers})
        for ledger in self.ledgers:
            ledger.roll(now_ns)
        self._rolls_ns = min((ledger.ends_ns for ledger in self.ledgers), default=NEVER_NS)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count what the engine made of a command."""
        if now_ns >= self._rolls_ns:
            self._roll(now_ns)
        if not result.unknown:
            self._result(result, book, now_ns)
        if self._charged and book.ended:
            self._let_go(book)

    def _result(self, result: CommandResult, book: Book, now_ns: int) -> None:
        order = book.order_of(result.order_id)
        age_ns = self._amends.pop(result.command_id, -1) if self._amends else -1
        if order is not None and result.accepted:
            if order.command_id == result.command_id:
                if result.replaced_refusal is None:
                    self._entered(order, result, book, now_ns)
            elif age_ns >= 0:
                left_e8 = asked_e8(order, result) - order.filled_e8
                left_e8 += sum(fill.quantity_e8 for fill in result.fills)
                self._note(
                    order, book, now_ns,
                    Act(
                        MODIFIED, left_e8, order.price_e8, age_ns,
                        last_distance_e8=distance_e8(
                            order.price_e8, book.symbols[order.symbol].last_e8
                        ),
                    ),
                )  # fmt: skip
        if result.fills:
            self._fills(order, result.fills, book, now_ns)
        if self._charged:
            for charge in self._charged.pop(result.command_id, ()):
                amended = age_ns >= 0 and result.accepted and charge.order_id == result.order_id
                if amended or any(ended.order_id == charge.order_id for ended in result.ended):
                    self._charge(charge, book, now_ns)
        for ended in result.ended:
            gone = book.order_of(ended.order_id)
            # The gate itself cancels in bulk only: a command about one order is its client's.
            if gone is not None and (result.order_id or gone.cancel_cause == CAUSE_CLIENT):
                self._cancelled(gone, ended.filled_e8, book, now_ns)

    def _entered(self, order: OpenOrder, result: CommandResult, book: Book, now_ns: int) -> None:
        price_e8 = order.price_e8
        quantity_e8 = asked_e8(order, result)
        if not price_e8 or not quantity_e8:
            filled_e8 = sum(fill.quantity_e8 for fill in result.fills)
            quantity_e8 = quantity_e8 or filled_e8
            if not price_e8 and filled_e8:
                price_e8 = sum(fill.quote_e8 for fill in result.fills) * E8 // filled_e8
        act = Act(ENTERED, quantity_e8, price_e8)
        if self._by_distance or self.trace is not None:
            facts = book.symbols[order.symbol]
            act.best_distance_e8 = behind_best_e8(order, facts)
            act.last_distance_e8 = distance_e8(order.price_e8, facts.last_e8)
        self._note(order, book, now_ns, act)

    def _fills(
        self, order: OpenOrder | None, fills: tuple[Fill, ...], book: Book, now_ns: int
    ) -> None:
        if order is None:
            return
        for fill in fills:
            act = Act(
                TRADED, fill.quantity_e8, fill.price_e8, maker=fill.maker, sold=order.side == SELL
            )
            self._note(order, book, now_ns, act)

    def _cancelled(self, order: OpenOrder | None, filled_e8: int, book: Book, now_ns: int) -> None:
        if order is None:
            return
        left_e8 = max(order.quantity_e8 - filled_e8, 0)
        age_ns = book.matchable_age_ns(order, now_ns) if order.live_ns else 0
        self._note(order, book, now_ns, Act(CANCELLED, left_e8, order.price_e8, age_ns))

    def _charge(self, charge: _Pending, book: Book, now_ns: int) -> None:
        """Count what was charged for and has been carried out."""
        order = book.order_of(charge.order_id)
        if order is None:
            return
        act = Act(CHARGED_AT_ONCE, 0, charge.amount_e8)
        ledger = self._charging.get(charge.tariff)
        if ledger is not None:
            ledger.add(order.owner, order.symbol, now_ns, act)
        if self.trace is not None:
            self.trace.append(Traced(order.owner, False, order.symbol, now_ns, act, charge.tariff))

    def _carried_out_late(self, order_id: int, book: Book, now_ns: int) -> None:
        """Count the charge for a cancel whose end the engine reports instead of answering it.

        Which of several it has carried out it does not say: the last one is the cheapest.
        """
        asked = [one for charges in self._charged.values() for one in charges]
        found = [charge for charge in asked if charge.order_id == order_id]
        if found:
            self._charge(found[-1], book, now_ns)

    def _let_go(self, book: Book) -> None:
        """Forget what was charged for orders that have ended: an order is cancelled once."""
        for command_id, charges in list(self._charged.items()):
            charges[:] = [charge for charge in charges if charge.order_id not in book.ended]
            if not charges:
                del self._charged[command_id]

    def _annulled(self, event: TradeBust, book: Book, now_ns: int) -> None:
        """Take an annulled trade back from both sides, on the day on which it was made."""
        for account, side in annulled_sides(event):
            facts = book.accounts.get(account)
            if facts is not None:
                act = Act(
                    ANNULLED,
                    event.quantity_e8,
                    event.price_e8,
                    maker=event.maker_side == side,
                    sold=side == SELL,
                )
                at_ns = event.traded_ns or now_ns
                self._count(facts.owner, facts.flags, event.symbol, min(at_ns, now_ns), act)

    def _note(self, order: OpenOrder, book: Book, now_ns: int, act: Act) -> None:
        if self._of_makers is self._ledgers and self.trace is None:
            for ledger in self._ledgers:
                ledger.add(order.owner, order.symbol, now_ns, act)
            return
        account = book.accounts.get(order.account)
        flags = account.flags if account is not None else 0
        self._count(order.owner, flags, order.symbol, now_ns, act)

    def _count(self, owner: int, flags: int, symbol: int, at_ns: int, act: Act) -> None:
        for ledger in self._of_makers if flags & ACCOUNT_MARKET_MAKER else self._ledgers:
            ledger.add(owner, symbol, at_ns, act)
        if self.trace is not None:
            self.trace.append(Traced(owner, bool(flags & ACCOUNT_MARKET_MAKER), symbol, at_ns, act))

    # --- Posting ------------------------------------------------------------------------------

    def due(self, now_ns: int) -> bool:
        """Tell whether fees are to be posted at `now_ns`."""
        return self.backlog(now_ns) > 0

    def backlog(self, now_ns: int) -> int:
        """Return how many owners' fees are to be looked at by `now_ns`."""
        if not self._posts:
            return 0
        return sum(ledger.backlog(now_ns) for ledger in self._posting())

    def postings(self, book: Book, now_ns: int) -> tuple[tuple[Posting, ...], bool]:
        """Return the next slice of postings, and whether there is more to be looked at."""
        if not self._posts:
            return (), False
        names = _names(book)
        numbers = {name: number for number, name in names.items()}
        backlog = self.backlog(now_ns)
        ledger = self._waiting()
        if ledger is None:
            # The calendar has moved on without an event: the next slice finds its owners.
            return (), backlog > 0
        owners = ledger.queued(SLICE_OWNERS)
        found = [
            posting_of(entry, numbers)
            for owner in owners
            for entry in ledger.entries(owner, names, now_ns)
        ]
        return tuple(found), backlog > len(owners)

    def _posting(self) -> tuple[FeeLedger, ...]:
        """Return every ledger by which anything may be posted, in turn: former tariffs' first."""
        return (*self._former, *self.ledgers)

    def _waiting(self) -> FeeLedger | None:
        """Return the ledger whose slice is next, None when no owner waits."""
        for ledger in self._posting():
            if ledger.queued(1):
                return ledger
        return None

    def _book(self, decision: Decision, book: Book) -> None:
        if not self._posts:
            return
        names = _names(book)
        waiting = self._waiting()
        ledgers = {ledger.tariff.name: ledger for ledger in self.ledgers}
        if waiting is not None:
            # A former tariff has the same name as the one that took its place.
            ledgers[waiting.tariff.name] = waiting
        for posting in decision.postings:
            ledger = ledgers.get(posting.tariff)
            if ledger is not None:
                ledger.take(entry_of(posting, names))
        if waiting is not None:
            waiting.done(waiting.queued(SLICE_OWNERS))
            self._former.let_go()

    # --- Looking ------------------------------------------------------------------------------

    def meter(self, owner: int, book: Book, now_ns: int) -> list[MeterLine]:
        """Return how each fee of an owner stands in the running period."""
        names = _names(book)
        return [line for ledger in self.ledgers for line in ledger.meter(owner, names, now_ns)]

    def state(self) -> Any:
        """Return counts and postings of every tariff, and what is in flight."""
        return {
            "ledgers": [[ledger.tariff.name, ledger.state()] for ledger in self.ledgers],
            "former": self._former.state(),
            "amends": dict(self._amends),
            "charged": [
                [command_id, [list(one) for one in charges]]
                for command_id, charges in self._charged.items()
            ],
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned; by tariffs that were changed what had ended is posted."""
        self._rolls_ns = 0
        self._former = FormerLedgers()
        ledgers = {ledger.tariff.name: ledger for ledger in self.ledgers}
        for name, kept in state.get("former", ()):
            if self._posts:
                self._former.keep(name, kept, self._days)
        for name, kept in state["ledgers"]:
            ledger = ledgers.get(name)
            changed = ledger is None or ledger.changed_since(kept)
            if changed and self._posts and kept.get("posts", True) and "terms" in kept:
                self._former.keep(name, kept, self._days)
            elif ledger is not None:
                ledger.restore(kept)
        self._amends = dict(state["amends"])
        self._charged = {
            command_id: [_Pending(*one) for one in charges]
            for command_id, charges in state.get("charged", ())
        }


def _names(book: Book) -> dict[int, str]:
    return {number: facts.name for number, facts in book.symbols.items()}
