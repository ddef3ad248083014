"""F2: large orders away from the market that flee, unfilled, when the market comes near."""

from typing import Any, ClassVar

from rules.book import Book, OpenOrder, SymbolFacts
from rules.decisions import Alert, Breach, Decision, Explanation
from rules.displayed import DISPLAYS, DisplayedRule
from rules.events import Amend, Event, MarketOrder, Place, Replace
from rules.executions import take_of
from rules.explanations import look
from rules.fading import Fading
from rules.kinds import (
    AMEND,
    COMMAND_RESULT,
    ENGINE_SESSION,
    MARKET_ORDER,
    MARKET_TRADE,
    ORDER_TRADE,
    REFERENCE,
)
from rules.lures import Baiter, Lure
from rules.market_moves import MarketMoves
from rules.patterns import (
    at_least,
    at_most,
    barred,
    behind_e8,
    evidence,
    raised,
    share_e8,
    share_of,
    tell,
    whose,
)
from rules.reasons import Reason
from rules.rule import LIMIT
from rules.rulebook import Rulebook
from rules.terms import amended
from rules.units import duration_ns
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_REPLACE,
    LIMIT_MAKER,
    LIVE_STATUSES,
    SCOPE_OWNER_SYMBOL,
    SELL,
    pair_of,
)
from rules.values import LIMIT as LIMIT_ORDER

_Subject = tuple[int, int, int]
"""Interest, symbol and side."""


class FictitiousBids(DisplayedRule):
    """Tell an owner whose large, distant orders flee the market; refuse new ones for a while.

    A lure is a resting order at least `distance` from the last price that is, itself included,
    `depth_share` of its side's ten best levels (where the engine reports them) or `displayed_share`
    of all that is displayed on its side. It has fled when its client cancels or changes it with at
    most `filled` of it executed, within `flight` after the middle of the market came at least a
    tick nearer, or when within `again` another lure stands at the same distance, give or take
    `again_offset`. Either counts only while the owner's lures are `imbalance` of their side. So
    many `flights` in `window`, or `lures` that ended with `cancelled` of them cancelled unfilled,
    make an alert, and counting starts anew. It is aggravated when the owner took on the lures' side
    or traded on the other within `window`. After an alert, unless its case is dismissed, lures of that
    owner on that side are refused for `barred_for`. Orders of other channels are followed by the
    drop copy. Source: FSS, notice of 13 April 2026, case 2 (3 %); KOSDAQ 2002 (5 % of all
    displayed); KRX surveillance patent (10 % of ten levels); FINRA 5210.03. The rest is ours.
    """

    name: ClassVar[str] = "fictitious_bids"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.CONDUCT_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = (*DISPLAYS, REFERENCE, MARKET_TRADE)
    source: ClassVar[str] = "FSS notice of 13 April 2026, case 2; KOSDAQ 2002; FINRA 5210.03"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook)
        clause = self._clause = rulebook.clauses.fictitious_bids
        self._distance_e8 = share_e8(clause.distance)
        self._depth_e8 = share_e8(clause.depth_share)
        self._displayed_e8 = share_e8(clause.displayed_share)
        self._filled_e8 = share_e8(clause.filled)
        self._flight_ns = duration_ns(clause.flight)
        self._again_ns = duration_ns(clause.again)
        self._again_offset_e8 = share_e8(clause.again_offset)
        self._imbalance_e8 = share_e8(clause.imbalance)
        self._window_ns = duration_ns(clause.window)
        self._cancelled_e8 = share_e8(clause.cancelled)
        self._barred_ns = duration_ns(clause.barred_for)
        self._moves = MarketMoves()
        self._lures: dict[int, Lure] = {}
        """Lures that stand, by order; those of other channels below 0."""
        self._live_e8: dict[_Subject, int] = {}
        """What an owner's lures on a side were when they were taken up, together."""
        self._baiters: Fading[_Subject, Baiter] = Fading(max(self._window_ns, self._again_ns))
        self._traded: Fading[tuple[int, int, int, int], list[int]] = Fading(self._window_ns)
        """[time, record] of the last execution by interest, symbol, side and whether it took."""
        self._barred: Fading[_Subject, list[int]] = Fading(self._barred_ns)

    # --- Before the engine --------------------------------------------------------------------

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a lure on a side on which lures of its owner have fled."""
        if not len(self._barred):
            return None
        found = self._measured(event, book, now_ns)
        if found is None or found[0] < self._distance_e8:
            return None
        offset_e8, until_ns, case = found
        return Breach(
            rule=self.name,
            reason=Reason.CONDUCT_LIMIT,
            limit=self._distance_e8,
            observed=offset_e8,
            retry_ns=until_ns,
            scope=SCOPE_OWNER_SYMBOL,
            subject=pair_of(abs(whose(event.key, book)), event.symbol),
            case=case,
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether nobody is held down."""
        return not len(self._barred)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return from which distance on a large order is a lure, and the order's distance."""
        found = self._measured(event, book, now_ns)
        offset_e8 = found[0] if found is not None else 0
        passed = found is None or offset_e8 < self._distance_e8
        detail = "" if found is not None else "not barred, or not large"
        return (
            look(self.name, passed, Reason.CONDUCT_LIMIT, self._distance_e8, offset_e8, detail),
        )

    def _measured(self, event: Any, book: Book, now_ns: int) -> tuple[int, int, int] | None:
        """Return (distance, end of the bar, case) of a large order of a barred owner."""
        interest = whose(event.key, book)
        terms: Any = event
        left_e8 = own_e8 = 0
        if type(event) is AMEND:
            terms = amended(event, book)
            if terms is None:
                return None
            own_e8 = self.displayed.own_e8(terms.order.order_id)
            left_e8 = terms.quantity_e8 - terms.order.filled_e8
        if terms.order_type not in (LIMIT_ORDER, LIMIT_MAKER):
            return None
        subject = (interest, terms.symbol, terms.side)
        found = barred(self._barred.find, subject, self.name, book, now_ns)
        facts = book.symbols.get(terms.symbol)
        if found is None or facts is None:
            return None
        bar, case = found
        left_e8 = left_e8 or terms.quantity_e8
        if not self._is_large(facts, terms.side, left_e8, own_e8):
            return None
        return behind_e8(facts, terms.side, terms.price_e8), bar[0], case

    def _is_large(self, facts: SymbolFacts, side: int, left_e8: int, own_e8: int) -> bool:
        """Return whether so much is large beside what others show; `own_e8` is shown already."""
        others_e8 = self.displayed.total_e8(facts.symbol, side) - own_e8
        if at_least(left_e8, self._displayed_e8, others_e8 + left_e8):
            return True
        levels = facts.bids if side == BUY else facts.asks
        depth_e8 = sum(level[1] for level in levels)
        return bool(depth_e8) and at_least(left_e8, self._depth_e8, depth_e8 + left_e8)

    # --- What happened ------------------------------------------------------------------------

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Follow lures, the market and who trades."""
        kind = type(event)
        if kind is REFERENCE:
            facts = book.symbols.get(event.symbol)
            if facts is not None:
                self._moves.refer(facts, book.current_seq, now_ns)
            return
        if kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
            return
        self._took(event, book, now_ns)
        if kind is MARKET_TRADE:
            return
        if kind is ORDER_TRADE and event.fill.maker:
            maker = book.order_of(event.order_id)
            if maker is not None:
                interest = book.conduct.interest_of(maker.owner)
                self._note(interest, maker.symbol, maker.side, 0, book, now_ns)
        if kind is ENGINE_SESSION and book.began_epoch:
            for number in [one for one in self._lures if one < 0]:
                self._let_go(number)
        if kind is MARKET_ORDER:
            self._outside(event, book, now_ns)
        else:
            self._look_at_ended(book, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Follow who took, and lures that end or stand."""
        if result.fills:
            self._took(result, book, now_ns)
        if book.ended:
            self._look_at_ended(book, now_ns)
        if result.accepted:
            order = book.orders.get(result.order_id)
            if order is not None and order.rests and order.live:
                self._stands(order, book, now_ns)

    def _took(self, event: Any, book: Book, now_ns: int) -> None:
        take = take_of(event, book)
        if take is not None and take.owner:
            interest = book.conduct.interest_of(take.owner)
            self._note(interest, take.symbol, take.side, 1, book, now_ns)

    def _look_at_ended(self, book: Book, now_ns: int) -> None:
        for gone in book.ended.values():
            if gone.order_id in self._lures:
                asked = gone.cancel_cause in (CAUSE_CLIENT, CAUSE_REPLACE)
                unfilled = at_most(gone.filled_e8, self._filled_e8, gone.quantity_e8)
                self._gone(gone.order_id, asked and unfilled, book, now_ns)

    def _note(
        self, interest: int, symbol: int, side: int, took: int, book: Book, now_ns: int
    ) -> None:
        entry = self._traded.use((interest, symbol, side, took), now_ns, lambda: [0, 0])
        entry[0], entry[1] = now_ns, book.current_seq

    def _stands(self, order: OpenOrder, book: Book, now_ns: int) -> None:
        """Take up an order the engine confirmed, new or changed."""
        lure = self._lures.get(order.order_id)
        if lure is not None:
            if lure.price_e8 == order.price_e8 and order.quantity_e8 >= lure.quantity_e8:
                return
            # Changed to worse for whom it lured: as good as cancelled.
            unfilled = at_most(order.filled_e8, self._filled_e8, lure.quantity_e8)
            self._gone(order.order_id, unfilled, book, now_ns)
        facts = book.symbols[order.symbol]
        if behind_e8(facts, order.side, order.price_e8) < self._distance_e8:
            return
        interest = book.conduct.interest_of(order.owner)
        values = (interest, order.owner, order.account, order.symbol, order.side)
        self._appears(order.order_id, values, order.price_e8, order.remaining_e8, book, now_ns)

    def _outside(self, event: MarketOrder, book: Book, now_ns: int) -> None:
        """Follow an order of another channel."""
        number = -event.order_id
        if event.status not in LIVE_STATUSES:
            if number in self._lures:
                unfilled = at_most(event.filled_e8, self._filled_e8, event.quantity_e8)
                self._gone(number, event.status == CANCELED and unfilled, book, now_ns)
        elif event.price_e8 and event.owner:
            lure = self._lures.get(number)
            if lure is not None:
                if lure.price_e8 == event.price_e8 and event.quantity_e8 >= lure.quantity_e8:
                    return
                unfilled = at_most(event.filled_e8, self._filled_e8, lure.quantity_e8)
                self._gone(number, unfilled, book, now_ns)
            interest = book.conduct.interest_of(event.owner)
            values = (interest, event.owner, event.account, event.symbol, event.side)
            left_e8 = event.quantity_e8 - event.filled_e8
            self._appears(number, values, event.price_e8, left_e8, book, now_ns)

    def _appears(
        self,
        number: int,
        values: tuple[int, int, int, int, int],
        price_e8: int,
        left_e8: int,
        book: Book,
        now_ns: int,
    ) -> None:
        """Take up an order as a lure if it is one; it may be one that came back."""
        interest, owner, account, symbol, side = values
        facts = book.symbols[symbol]
        offset_e8 = behind_e8(facts, side, price_e8)
        if offset_e8 < self._distance_e8:
            return
        if not self._is_large(facts, side, left_e8, self.displayed.own_e8(number)):
            return
        subject = (interest, symbol, side)
        self._lures[number] = Lure(
            interest, owner, account, symbol, side, price_e8, left_e8, offset_e8,
            now_ns, book.current_seq,
        )  # fmt: skip
        baiter = self._baiters.use(subject, now_ns, Baiter)
        self._live_e8[subject] = self._live_e8.get(subject, 0) + left_e8
        fled = baiter.fled
        if (
            fled
            and now_ns - fled[0] <= self._again_ns
            and abs(offset_e8 - fled[1]) <= self._again_offset_e8
        ):
            baiter.fled = []
            baiter.flights.append((now_ns, fled[3], fled[2], book.current_seq))
            self._judge(subject, baiter, self._lures[number], book, now_ns)

    def _gone(self, number: int, fled: bool, book: Book, now_ns: int) -> None:
        """Take up the end of a lure; `fled` when its client took it away unfilled."""
        lure, live_e8 = self._let_go(number)
        subject = (lure.interest, lure.symbol, lure.side)
        baiter = self._baiters.use(subject, now_ns, Baiter)
        side_e8 = self.displayed.total_e8(lure.symbol, lure.side)
        if not at_least(live_e8, self._imbalance_e8, side_e8):
            return
        baiter.ended.append((now_ns, lure.seq, book.current_seq, int(fled)))
        if fled:
            # A market that falls comes nearer to a bid, one that rises to an offer.
            came_ns, came = self._moves.last(lure.symbol, SELL if lure.side == BUY else BUY)
            if came > lure.seq and now_ns - came_ns <= self._flight_ns:
                baiter.fled = []
                baiter.flights.append((now_ns, lure.since_ns, lure.seq, book.current_seq))
            else:
                baiter.fled = [now_ns, lure.offset_e8, lure.seq, lure.since_ns]
        self._judge(subject, baiter, lure, book, now_ns)

    def _let_go(self, number: int) -> tuple[Lure, int]:
        """Forget a lure; return it, and what its owner's lures on its side were with it."""
        lure = self._lures.pop(number)
        subject = (lure.interest, lure.symbol, lure.side)
        live_e8 = self._live_e8.pop(subject)
        if live_e8 > lure.quantity_e8:
            self._live_e8[subject] = live_e8 - lure.quantity_e8
        return lure, live_e8

    def _judge(
        self, subject: _Subject, baiter: Baiter, lure: Lure, book: Book, now_ns: int
    ) -> None:
        """Tell when enough has fled."""
        baiter.forget(now_ns - self._window_ns)
        clause = self._clause
        flights = raised(clause.flights, clause, lure.account, book)
        lures = raised(clause.lures, clause, lure.account, book)
        cancelled = sum(ended[3] for ended in baiter.ended)
        many = len(baiter.ended) >= lures and at_least(
            cancelled, self._cancelled_e8, len(baiter.ended)
        )
        if len(baiter.flights) < flights and not many:
            return
        aggravating = self._aggravating(subject, now_ns)
        seqs = [seq for flight in baiter.flights for seq in flight[2:]]
        seqs += [seq for ended in baiter.ended for seq in ended[1:3]] if many else []
        figures = (
            ("flights", len(baiter.flights)),
            ("lures_ended", len(baiter.ended)),
            ("cancelled_e8", share_of(cancelled, len(baiter.ended))),
            ("distance_e8", lure.offset_e8),
            ("quantity_e8", lure.quantity_e8),
        )
        first = [flight[1] for flight in baiter.flights] + [ended[0] for ended in baiter.ended]
        tell(
            book,
            Alert(
                rule=self.name,
                interest=lure.interest,
                symbol=lure.symbol,
                severity=2 if aggravating else 1,
                since_ns=min(first),
                evidence=evidence(seqs + aggravating),
                figures=figures,
                owners=(lure.owner,),
                shadow=clause.mode == "shadow",
            ),
        )
        baiter.flights.clear()
        baiter.ended.clear()
        if not len(self._barred):
            book.stirred = True
        self._barred.use(subject, now_ns, lambda: [0])[0] = now_ns + self._barred_ns

    def _aggravating(self, subject: _Subject, now_ns: int) -> list[int]:
        """Return records of the owner's taking on the lures' side, or trading on the other."""
        interest, symbol, side = subject
        other = SELL if side == BUY else BUY
        found = (
            self._traded.find((interest, symbol, side, 1)),
            self._traded.find((interest, symbol, other, 0)),
            self._traded.find((interest, symbol, other, 1)),
        )
        return [one[1] for one in found if one is not None and now_ns - one[0] < self._window_ns]

    # --- Stored -------------------------------------------------------------------------------

    def state(self) -> Any:
        """Return lures, flights, the market and bars as plain values."""
        return {
            "shown": self.displayed.state(),
            "moves": self._moves.state(),
            "lures": [[number, *lure] for number, lure in self._lures.items()],
            "baiters": self._baiters.state(list, Baiter.state),
            "traded": self._traded.state(list, list),
            "barred": self._barred.state(list, list),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.displayed.restore(state["shown"])
        self._moves.restore(state["moves"])
        for number, *values in state["lures"]:
            lure = self._lures[number] = Lure(*values)
            subject = (lure.interest, lure.symbol, lure.side)
            self._live_e8[subject] = self._live_e8.get(subject, 0) + lure.quantity_e8
        self._baiters.restore(state["baiters"], tuple, Baiter.restored)
        self._traded.restore(state["traded"], tuple, list)
        self._barred.restore(state["barred"], tuple, list)
