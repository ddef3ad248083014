"""F4: a sell placed well above the market, then buys that pull the price up to it."""

from collections import deque
from typing import Any, ClassVar, Final, NamedTuple

from rules.book import Book, OpenOrder
from rules.decisions import Alert, Breach, Decision, Explanation
from rules.events import (
    Amend,
    CommandResult,
    EngineSession,
    Event,
    MarketOrder,
    MarketTrade,
    OrderEnded,
    OrderTrade,
    Place,
    Replace,
)
from rules.executions import Take, Tapes, take_of
from rules.explanations import look
from rules.fading import Fading
from rules.kinds import AMEND, COMMAND_RESULT, ENGINE_SESSION, MARKET_ORDER
from rules.patterns import (
    at_least,
    barred,
    evidence,
    last_price_e8,
    raised,
    share_e8,
    share_of,
    tell,
    time_of_day_ns,
    whose,
)
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.terms import amended
from rules.units import duration_ns
from rules.values import (
    BUY,
    E8,
    LIVE_STATUSES,
    NS_PER_DAY,
    SCOPE_OWNER_SYMBOL,
    SELL,
    pair_of,
)

GRAVE: Final = 3
BUYS_MAX: Final = 1_024
"""Buys of one owner and symbol that are looked at together, the latest."""
_Subject = tuple[int, int]
"""Interest and symbol."""


class TargetRamp(Rule):
    """Tell an owner who buys the price up to a sell he has placed; keep his buys down afterwards.

    A target is a resting sell at least `target` above the last price at its entry. Of an owner
    with targets all buys that took within `window` are judged from the first that raised the price,
    placed after the targets: `raising_buys` of them raised it, by `uptick_share` of all it rose
    step by step, they are `buy_share` of the volume of buyers who took, the price has risen by
    `rise`, and the targets hold `target_share` of what was bought. That is an alert, and counting
    starts anew. A target executed to `target_filled` after an alert completes a cycle; the alert
    that tells of `cycles` within 24 hours is grave. Within `reset_margin` of a reset time the
    severity doubles. After an alert, unless its case is dismissed, buys above the last price and one
    tick, and market buys, are refused for `barred_for`; the target may be cancelled. Buys and
    sells of other channels count, by the drop copy. Source: FSS, notice of 13 April 2026, case 4;
    FSC, 5 November 2025; FSS, 21 May 2025 (reset times). The numbers are ours.
    """

    name: ClassVar[str] = "target_ramp"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.CONDUCT_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = (
        CommandResult,
        OrderTrade,
        OrderEnded,
        MarketTrade,
        MarketOrder,
        EngineSession,
    )
    source: ClassVar[str] = "FSS notice of 13 April 2026, case 4; FSC 5 November 2025"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.target_ramp
        self._target_e8 = share_e8(clause.target)
        self._target_share_e8 = share_e8(clause.target_share)
        self._window_ns = duration_ns(clause.window)
        self._uptick_e8 = share_e8(clause.uptick_share)
        self._buy_share_e8 = share_e8(clause.buy_share)
        self._rise_e8 = share_e8(clause.rise)
        self._filled_e8 = share_e8(clause.target_filled)
        self._reset_margin_ns = duration_ns(clause.reset_margin)
        self._resets_ns = tuple(time_of_day_ns(text) for text in clause.reset_times)
        self._barred_ns = duration_ns(clause.barred_for)
        self._tapes = Tapes()
        self._targets: dict[_Subject, dict[int, _Target]] = {}
        """Sells far above the market by owner and symbol, then by order; outside ones below 0."""
        self._subjects: dict[int, _Subject] = {}
        self._buys: Fading[_Subject, deque[_Buy]] = Fading(self._window_ns)
        self._cycles: Fading[_Subject, _Cycles] = Fading(NS_PER_DAY)
        self._barred: Fading[_Subject, list[int]] = Fading(self._barred_ns)

    # --- Before the engine --------------------------------------------------------------------

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a buy that would raise the price, after an alert."""
        if not len(self._barred):
            return None
        found = self._measured(event, book, now_ns)
        if found is None or 0 < found[0] <= found[1]:
            return None
        price_e8, limit_e8, until_ns, case = found
        return Breach(
            rule=self.name,
            reason=Reason.CONDUCT_LIMIT,
            limit=limit_e8,
            observed=price_e8,
            retry_ns=until_ns,
            scope=SCOPE_OWNER_SYMBOL,
            subject=pair_of(abs(whose(event.key, book)), event.symbol),
            case=case,
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether nobody is held down."""
        return not len(self._barred)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the highest price a barred owner may bid and the price bid; 0 is no price."""
        found = self._measured(event, book, now_ns)
        if found is None:
            return (look(self.name, True, Reason.CONDUCT_LIMIT, 0, 0, "not barred"),)
        price_e8, limit_e8 = found[:2]
        passed = 0 < price_e8 <= limit_e8
        return (look(self.name, passed, Reason.CONDUCT_LIMIT, limit_e8, price_e8, ""),)

    def _measured(self, event: Any, book: Book, now_ns: int) -> tuple[int, int, int, int] | None:
        """Return (price, highest price, end of the bar, case) of a barred owner's buy."""
        terms: Any = event if type(event) is not AMEND else amended(event, book)
        if terms is None or terms.side != BUY:
            return None
        interest = whose(event.key, book)
        found = barred(self._barred.find, (interest, terms.symbol), self.name, book, now_ns)
        facts = book.symbols.get(terms.symbol)
        if found is None or facts is None:
            return None
        bar, case = found
        return terms.price_e8, last_price_e8(facts) + (facts.filters.tick_e8 or 1), bar[0], case

    # --- What happened ------------------------------------------------------------------------

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Follow targets, and the buys of those who have one."""
        kind = type(event)
        if kind is not COMMAND_RESULT or event.fills:
            take = take_of(event, book)
            if take is not None and take.owner and take.side == BUY:
                self._bought(take, book, now_ns)
            self._tapes.add(event, take, book)
        if kind is MARKET_ORDER:
            if event.side == SELL and event.owner:
                self._outside(event, book, now_ns)
            return
        for order_id in book.ended:
            if order_id in self._subjects:
                gone = book.ended[order_id]
                self._target_traded(order_id, gone.filled_e8, gone.quantity_e8, book, now_ns)
                self._forget(order_id)
        if kind is ENGINE_SESSION and book.began_epoch:
            for order_id in [one for one in self._subjects if one < 0]:
                self._forget(order_id)
        order_id = getattr(event, "order_id", 0)
        order = book.orders.get(order_id)
        if order is None or order.side != SELL or not order.rests or not order.live:
            return
        if order_id in self._subjects:
            self._target_traded(order_id, order.filled_e8, order.quantity_e8, book, now_ns)
        if kind is COMMAND_RESULT and event.accepted:
            self._stands(order_id, order, book, now_ns)

    def _stands(self, order_id: int, order: OpenOrder, book: Book, now_ns: int) -> None:
        subject = (book.conduct.interest_of(order.owner), order.symbol)
        self._take_up(order_id, subject, order.price_e8, order.remaining_e8, book, now_ns)

    def _outside(self, event: MarketOrder, book: Book, now_ns: int) -> None:
        """Follow a sell of another channel."""
        number = -event.order_id
        if number in self._subjects:
            self._target_traded(number, event.filled_e8, event.quantity_e8, book, now_ns)
        if event.status not in LIVE_STATUSES:
            self._forget(number)
        elif event.price_e8 and number not in self._subjects:
            subject = (book.conduct.interest_of(event.owner), event.symbol)
            left_e8 = event.quantity_e8 - event.filled_e8
            self._take_up(number, subject, event.price_e8, left_e8, book, now_ns)

    def _take_up(
        self,
        number: int,
        subject: _Subject,
        price_e8: int,
        left_e8: int,
        book: Book,
        now_ns: int,
    ) -> None:
        """Take up a sell as a target if it is one; a change of price makes it another."""
        targets = self._targets.get(subject)
        known = targets.get(number) if targets is not None else None
        if known is not None and known.price_e8 == price_e8:
            return
        self._forget(number)
        last_e8 = last_price_e8(book.symbols[subject[1]])
        if not last_e8 or price_e8 * E8 < last_e8 * (E8 + self._target_e8):
            return
        target = _Target(price_e8, left_e8, book.current_seq, now_ns)
        self._targets.setdefault(subject, {})[number] = target
        self._subjects[number] = subject

    def _forget(self, number: int) -> None:
        subject = self._subjects.pop(number, None)
        if subject is not None:
            targets = self._targets[subject]
            del targets[number]
            if not targets:
                del self._targets[subject]

    def _bought(self, take: Take, book: Book, now_ns: int) -> None:
        """Take up a buy of an owner who has a target."""
        subject = (book.conduct.interest_of(take.owner), take.symbol)
        targets = self._targets.get(subject)
        if not targets:
            return
        tape = self._tapes.of(take.symbol)
        # The book's last price is that of this take already.
        before_e8 = tape.last_e8 or book.symbols[take.symbol].previous_close_e8
        before_e8 = before_e8 or take.first_price_e8
        up_e8 = max(take.last_price_e8 - before_e8, 0)
        buys = self._buys.use(subject, now_ns, deque)
        while buys and (buys[0].now_ns <= now_ns - self._window_ns or len(buys) >= BUYS_MAX):
            buys.popleft()
        if not buys and not up_e8:
            return
        buys.append(
            _Buy(
                now_ns, book.current_seq, up_e8, take.quantity_e8, before_e8,
                tape.up_e8, tape.bought_e8,
            )
        )  # fmt: skip
        while buys and not buys[0].up_e8:
            # What was bought before the price was raised is no part of it.
            buys.popleft()
        self._judge(subject, targets, buys, take, book, now_ns)

    def _judge(
        self,
        subject: _Subject,
        targets: dict[int, "_Target"],
        buys: "deque[_Buy]",
        take: Take,
        book: Book,
        now_ns: int,
    ) -> None:
        raising = [buy for buy in buys if buy.up_e8]
        if len(raising) < raised(self._clause.raising_buys, self._clause, take.account, book):
            return
        first = buys[0]
        tape = self._tapes.of(subject[1])
        own_up_e8 = sum(buy.up_e8 for buy in raising)
        bought_e8 = sum(buy.quantity_e8 for buy in buys)
        placed = [target for target in targets.values() if target.placed_ns <= first.now_ns]
        offered_e8 = sum(target.quantity_e8 for target in placed)
        all_up_e8 = max(tape.up_e8 - first.all_up_e8 + buys[-1].up_e8, own_up_e8)
        all_bought_e8 = max(tape.bought_e8 - first.all_bought_e8 + take.quantity_e8, bought_e8)
        if not (
            placed
            and at_least(own_up_e8, self._uptick_e8, all_up_e8)
            and at_least(bought_e8, self._buy_share_e8, all_bought_e8)
            and at_least(take.last_price_e8 - first.price_e8, self._rise_e8, first.price_e8)
            and at_least(offered_e8, self._target_share_e8, bought_e8)
        ):
            return
        figures = (
            ("raising_buys", len(raising)),
            ("uptick_share_e8", share_of(own_up_e8, all_up_e8)),
            ("buy_share_e8", share_of(bought_e8, all_bought_e8)),
            ("rise_e8", share_of(take.last_price_e8 - first.price_e8, first.price_e8)),
            ("target_price_e8", min(target.price_e8 for target in placed)),
            ("target_quantity_e8", offered_e8),
        )
        seqs = [target.seq for target in placed] + [buy.seq for buy in buys]
        since_ns = min(target.placed_ns for target in placed)
        buys.clear()
        self._tell(subject, take.owner, 1, since_ns, seqs, figures, book, now_ns)
        cycles = self._cycles.use(subject, now_ns, _Cycles)
        cycles.alerted_ns = now_ns
        if not len(self._barred):
            book.stirred = True
        self._barred.use(subject, now_ns, lambda: [0])[0] = now_ns + self._barred_ns

    def _target_traded(
        self, number: int, filled_e8: int, quantity_e8: int, book: Book, now_ns: int
    ) -> None:
        """Take up what was executed of a target: enough after an alert completes a cycle."""
        subject = self._subjects[number]
        target = self._targets[subject][number]
        cycles = self._cycles.find(subject)
        if (
            cycles is None
            or cycles.alerted_ns < target.placed_ns
            or number in cycles.counted
            or not filled_e8
            or not at_least(filled_e8, self._filled_e8, quantity_e8)
        ):
            return
        cycles = self._cycles.use(subject, now_ns, _Cycles)
        cycles.counted = [*cycles.counted, number][-16:]
        cycles.done = [done for done in cycles.done if done[0] > now_ns - NS_PER_DAY]
        cycles.done.append([now_ns, target.seq, book.current_seq])
        if len(cycles.done) < self._clause.cycles:
            return
        seqs = [seq for done in cycles.done for seq in done[1:]]
        figures = (("cycles", len(cycles.done)), ("target_price_e8", target.price_e8))
        owners = book.conduct.owners_of(subject[0])
        since_ns = cycles.done[0][0]
        self._tell(
            subject, owners[0] if owners else 0, GRAVE, since_ns, seqs, figures, book, now_ns
        )

    def _tell(
        self,
        subject: _Subject,
        owner: int,
        severity: int,
        since_ns: int,
        seqs: list[int],
        figures: tuple[tuple[str, int], ...],
        book: Book,
        now_ns: int,
    ) -> None:
        near = self._near_reset(now_ns)
        tell(
            book,
            Alert(
                rule=self.name,
                interest=subject[0],
                symbol=subject[1],
                severity=2 * severity if near else severity,
                since_ns=since_ns,
                evidence=evidence(seqs),
                figures=(*figures, ("near_reset", int(near))),
                owners=(owner,),
                shadow=self._clause.mode == "shadow",
            ),
        )

    def _near_reset(self, now_ns: int) -> bool:
        """Return whether displayed price changes are reset about now."""
        of_day_ns = now_ns % NS_PER_DAY
        for reset_ns in self._resets_ns:
            apart_ns = abs(of_day_ns - reset_ns)
            if min(apart_ns, NS_PER_DAY - apart_ns) <= self._reset_margin_ns:
                return True
        return False

    # --- Stored -------------------------------------------------------------------------------

    def state(self) -> Any:
        """Return targets, buys, cycles and bars as plain values."""
        return {
            "tapes": self._tapes.state(),
            "targets": [
                [*subject, number, list(target)]
                for subject, targets in self._targets.items()
                for number, target in targets.items()
            ],
            "buys": self._buys.state(
                list, lambda buys: [[str(one) for one in buy] for buy in buys]
            ),
            "cycles": self._cycles.state(list, _Cycles.state),
            "barred": self._barred.state(list, list),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._tapes.restore(state["tapes"])
        for interest, symbol, number, target in state["targets"]:
            self._targets.setdefault((interest, symbol), {})[number] = _Target(*target)
            self._subjects[number] = (interest, symbol)
        self._buys.restore(
            state["buys"], tuple, lambda buys: deque(_Buy(*map(int, buy)) for buy in buys)
        )
        self._cycles.restore(state["cycles"], tuple, _Cycles.restored)
        self._barred.restore(state["barred"], tuple, list)


class _Target(NamedTuple):
    """A sell far above the market."""

    price_e8: int
    quantity_e8: int
    seq: int
    placed_ns: int


class _Buy(NamedTuple):
    """A buy that took, and the symbol's running sums before it."""

    now_ns: int
    seq: int
    up_e8: int
    quantity_e8: int
    price_e8: int
    all_up_e8: int
    all_bought_e8: int


class _Cycles:
    """The last alert of an owner and symbol, and what was sold after rises."""

    __slots__ = ("alerted_ns", "counted", "done")

    def __init__(self) -> None:
        self.alerted_ns = 0
        self.counted: list[int] = []
        """Orders that completed a cycle, the latest."""
        self.done: list[list[int]] = []
        """[time, record of the sell, record of its execution]."""

    def state(self) -> Any:
        """Return everything as plain values."""
        return [self.alerted_ns, list(self.counted), [list(done) for done in self.done]]

    @classmethod
    def restored(cls, state: Any) -> "_Cycles":
        """Return what `state` stored."""
        cycles = cls()
        cycles.alerted_ns, counted, done = state
        cycles.counted, cycles.done = list(counted), [list(one) for one in done]
        return cycles
