"""F1: tiny market orders, back and forth, several a second, that make trading look active."""

from collections import deque
from typing import Any, ClassVar, Final

from rules.answers import WITH_FILLS
from rules.book import Book
from rules.decisions import ACCEPTED, Alert, Breach, Decision, Explanation
from rules.events import (
    CommandResult,
    Event,
    MarketOrder,
    MarketTrade,
    OrderTrade,
    Place,
    Replace,
)
from rules.executions import Take, Tapes, take_of
from rules.explanations import look
from rules.fading import Fading
from rules.kinds import MARKET_ORDER, PLACE, REPLACE
from rules.patterns import (
    at_least,
    at_most,
    barred,
    evidence,
    last_price_e8,
    raised,
    share_e8,
    share_of,
    small_notional_e8,
    takes_now,
    tell,
    whose,
    worth_e8,
)
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import decimal_e8, duration_ns
from rules.values import BUY, E8, FLAG_TEST, NEW, NS_PER_MINUTE, SCOPE_OWNER_SYMBOL, pair_of

ENTRIES_MAX: Final = 1_024
"""Orders of one owner and symbol that are looked at together, the latest."""

_Subject = tuple[int, int]
"""Interest and symbol."""


class TapePainting(Rule):
    """Tell an owner who trades tiny amounts back and forth; slow his small orders down afterwards.

    Looked at are the orders of an owner (with those linked to him) in a symbol that took liquidity
    less than `window` ago, whichever key, account or channel they came by. A minute is painted when
    at some moment of it all of this holds: at least `orders` of them, `alternation` of them on the
    other side than the one before, `small_share` of them small, at most `net` of the quantity of
    the small ones left as a position, and `trade_share` of the symbol's trades since the first of
    them. `minutes` painted of the last `of_minutes` make an alert, and counting starts anew. It is
    aggravated when within `window` the same owner bid `high_bid` or more above the last price by
    another key or channel. After an alert, unless its case is dismissed, small orders that would take
    pass once in `throttle`. Source: FSS, notice of 13 April 2026, case 1; Virtual Asset User
    Protection Act Art. 10(3). Binance's dust ratio gives 0.90; the other numbers are ours.
    """

    name: ClassVar[str] = "tape_painting"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.CONDUCT_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace)
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        CommandResult,
        OrderTrade,
        MarketTrade,
        MarketOrder,
    )
    heeds_refused: ClassVar[bool] = False
    results: ClassVar[int] = WITH_FILLS
    source: ClassVar[str] = "FSS notice of 13 April 2026, case 1; VAUPA Art. 10(3)"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.tape_painting
        self._window_ns = duration_ns(clause.window)
        self._alternation_e8 = share_e8(clause.alternation)
        self._net_e8 = share_e8(clause.net)
        self._small_e8 = decimal_e8(clause.small_notional)
        self._small_share_e8 = share_e8(clause.small_share)
        self._trade_share_e8 = share_e8(clause.trade_share)
        self._high_bid_e8 = share_e8(clause.high_bid)
        self._throttle_ns = duration_ns(clause.throttle)
        self._throttled_ns = duration_ns(clause.throttled_for)
        self._tapes = Tapes()
        span_ns = max(self._window_ns, clause.of_minutes * NS_PER_MINUTE)
        self._painters: Fading[_Subject, _Painter] = Fading(span_ns)
        self._bids: Fading[_Subject, list[tuple[int, int, int]]] = Fading(self._window_ns)
        """(time, record, key) of the last two high bids, by different keys; key 0: outside."""
        self._barred: Fading[_Subject, list[int]] = Fading(self._throttled_ns)
        """[throttled until, last small order] after an alert."""

    # --- Before the engine --------------------------------------------------------------------

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a small order that would take too soon after the one before, after an alert."""
        if not len(self._barred):
            return None
        found = self._waits(event, book, now_ns)
        if found is None or found[0] >= self._throttle_ns:
            return None
        waited_ns, case = found
        return Breach(
            rule=self.name,
            reason=Reason.CONDUCT_LIMIT,
            limit=self._throttle_ns,
            observed=waited_ns,
            retry_ns=now_ns + self._throttle_ns - waited_ns,
            scope=SCOPE_OWNER_SYMBOL,
            subject=pair_of(abs(whose(event.key, book)), event.symbol),
            case=case,
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether nobody is held down."""
        return not len(self._barred)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the least time between two small orders that take, and the time since the last."""
        found = self._waits(event, book, now_ns)
        waited_ns = self._throttle_ns if found is None else found[0]
        passed = waited_ns >= self._throttle_ns
        detail = "not throttled" if found is None else ""
        return (
            look(self.name, passed, Reason.CONDUCT_LIMIT, self._throttle_ns, waited_ns, detail),
        )

    def _waits(self, event: Any, book: Book, now_ns: int) -> tuple[int, int] | None:
        """Return (time since the last small order, case) of one that is throttled, else None."""
        found = self._bar_of(event, book, now_ns)
        return (now_ns - found[0][1], found[1]) if found is not None else None

    def _bar_of(self, event: Any, book: Book, now_ns: int) -> tuple[list[int], int] | None:
        """Return the bar and the case that hold for a small order which would take, else None."""
        subject = (whose(event.key, book), event.symbol)
        found = barred(self._barred.find, subject, self.name, book, now_ns)
        facts = book.symbols.get(event.symbol)
        if found is None or facts is None or not takes_now(event, facts):
            return None
        limit_e8 = small_notional_e8(self._clause.small_factor, self._small_e8, facts)
        return None if worth_e8(event, facts) > limit_e8 else found

    # --- What happened ------------------------------------------------------------------------

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up an order that took, a high bid, or a trade of the symbol."""
        kind = type(event)
        if kind is PLACE or kind is REPLACE:
            if decision.verdict == ACCEPTED and not event.flags & FLAG_TEST:
                self._ordered(event, decision, book, now_ns)
            return
        if kind is MARKET_ORDER:
            if event.owner and event.side == BUY and event.status == NEW:
                interest = book.conduct.interest_of(event.owner)
                self._high(interest, event.symbol, event.price_e8, 0, book, now_ns)
            return
        take = take_of(event, book)
        if take is not None and take.owner:
            self._took(take, book, now_ns)
        self._tapes.add(event, take, book)

    def _ordered(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        interest = book.conduct.interest_of(decision.owner)
        found = self._bar_of(event, book, now_ns) if len(self._barred) else None
        if found is not None:
            found[0][1] = now_ns
        if event.side == BUY and event.price_e8:
            self._high(interest, event.symbol, event.price_e8, event.key, book, now_ns)

    def _high(
        self, interest: int, symbol: int, price_e8: int, key: int, book: Book, now_ns: int
    ) -> None:
        """Note a bid far above the last price."""
        last_e8 = last_price_e8(book.symbols[symbol])
        if not last_e8 or price_e8 * E8 < last_e8 * (E8 + self._high_bid_e8):
            return
        bids = self._bids.use((interest, symbol), now_ns, list)
        bids[:] = [bid for bid in bids if bid[2] != key][-1:]
        bids.append((now_ns, book.current_seq, key))

    def _took(self, take: Take, book: Book, now_ns: int) -> None:
        interest = book.conduct.interest_of(take.owner)
        subject = (interest, take.symbol)
        facts = book.symbols[take.symbol]
        tape = self._tapes.of(take.symbol)
        painter = self._painters.use(subject, now_ns, _Painter)
        painter.forget(now_ns - self._window_ns)
        limit_e8 = small_notional_e8(self._clause.small_factor, self._small_e8, facts)
        painter.add(take, now_ns, book.current_seq, tape.trades, limit_e8)
        orders = raised(self._clause.orders, self._clause, take.account, book)
        if not self._paints(painter, orders, tape.trades + take.trades):
            return
        minute = now_ns // NS_PER_MINUTE
        painter.mark(minute, minute - self._clause.of_minutes)
        if len(painter.minutes) >= self._clause.minutes:
            self._tell(subject, painter, take, tape.trades + take.trades, book, now_ns)

    def _paints(self, painter: "_Painter", orders: int, trades_now: int) -> bool:
        count = len(painter.entries)
        quantity_e8 = painter.bought_e8 + painter.sold_e8
        return (
            count >= orders
            and at_least(painter.alternations, self._alternation_e8, count - 1)
            and at_most(abs(painter.bought_e8 - painter.sold_e8), self._net_e8, quantity_e8)
            and at_least(painter.small, self._small_share_e8, count)
            and at_least(painter.trades, self._trade_share_e8, painter.all_trades(trades_now))
        )

    def _tell(
        self,
        subject: _Subject,
        painter: "_Painter",
        take: Take,
        trades_now: int,
        book: Book,
        now_ns: int,
    ) -> None:
        bids = [
            bid
            for bid in self._bids.find(subject) or ()
            if now_ns - bid[0] < self._window_ns and (bid[2] != take.key or not bid[2])
        ]
        count = len(painter.entries)
        figures = (
            ("orders", count),
            ("alternation_e8", share_of(painter.alternations, max(count - 1, 1))),
            (
                "net_e8",
                share_of(
                    abs(painter.bought_e8 - painter.sold_e8), painter.bought_e8 + painter.sold_e8
                ),
            ),
            ("small_share_e8", share_of(painter.small, count)),
            ("trade_share_e8", share_of(painter.trades, painter.all_trades(trades_now))),
            ("painted_minutes", len(painter.minutes)),
        )
        tell(
            book,
            Alert(
                rule=self.name,
                interest=subject[0],
                symbol=subject[1],
                severity=2 if bids else 1,
                since_ns=painter.minutes[0][1],
                evidence=evidence(
                    [minute[2] for minute in painter.minutes]
                    + [bid[1] for bid in bids]
                    + [entry[1] for entry in painter.entries]
                ),
                figures=figures,
                owners=(take.owner,),
                shadow=self._clause.mode == "shadow",
            ),
        )
        painter.minutes.clear()
        if not len(self._barred):
            book.stirred = True
        bar = self._barred.use(subject, now_ns, lambda: [0, 0])
        bar[0], bar[1] = now_ns + self._throttled_ns, now_ns

    # --- Stored -------------------------------------------------------------------------------

    def state(self) -> Any:
        """Return orders, bids and throttles as plain values."""
        return {
            "tapes": self._tapes.state(),
            "painters": self._painters.state(list, _Painter.state),
            "bids": self._bids.state(list, lambda bids: [list(bid) for bid in bids]),
            "barred": self._barred.state(list, list),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._tapes.restore(state["tapes"])
        self._painters.restore(state["painters"], tuple, _Painter.restored)
        self._bids.restore(state["bids"], tuple, lambda bids: [tuple(bid) for bid in bids])
        self._barred.restore(state["barred"], tuple, list)


class _Painter:
    """The orders of one owner and symbol in the window, with running sums."""

    __slots__ = (
        "alternations",
        "bought_e8",
        "entries",
        "minutes",
        "small",
        "sold_e8",
        "trades",
    )

    def __init__(self) -> None:
        self.entries: deque[list[int]] = deque()
        """[time, record, order, side, quantity, notional, small, trades, symbol's trades before]."""
        self.minutes: list[tuple[int, int, int]] = []
        """(minute, time of its first order, that order's record) of painted minutes."""
        self.alternations = 0
        self.small = 0
        self.bought_e8 = 0
        """Of the small orders, as is what was sold: a large bid on top hides no painting."""
        self.sold_e8 = 0
        self.trades = 0

    def add(self, take: Take, now_ns: int, seq: int, trades_before: int, small_e8: int) -> None:
        """Take up what an order took; further executions of the same order go with the first."""
        entries = self.entries
        if entries and entries[-1][2] == take.order_id:
            entry = entries[-1]
            self._count(entry, -1)
            entry[4] += take.quantity_e8
            entry[5] += take.quote_e8
            entry[7] += take.trades
        else:
            if entries and entries[-1][3] != take.side:
                self.alternations += 1
            entry = [
                now_ns, seq, take.order_id, take.side,
                take.quantity_e8, take.quote_e8, 0, take.trades, trades_before,
            ]  # fmt: skip
            entries.append(entry)
            if len(entries) > ENTRIES_MAX:
                self._drop()
        entry[6] = int(entry[5] <= small_e8)
        self._count(entry, 1)
        self.trades += take.trades

    def forget(self, until_ns: int) -> None:
        """Drop orders that took at `until_ns` or before."""
        while self.entries and self.entries[0][0] <= until_ns:
            self._drop()

    def _drop(self) -> None:
        entry = self.entries.popleft()
        if self.entries and self.entries[0][3] != entry[3]:
            self.alternations -= 1
        self._count(entry, -1)
        self.trades -= entry[7]

    def _count(self, entry: list[int], sign: int) -> None:
        """Add an order to the sums of small ones (or, with -1, take it off)."""
        if not entry[6]:
            return
        self.small += sign
        if entry[3] == BUY:
            self.bought_e8 += sign * entry[4]
        else:
            self.sold_e8 += sign * entry[4]

    def all_trades(self, trades_now: int) -> int:
        """Return the symbol's trades since before the first of the orders."""
        return max(trades_now - self.entries[0][8], self.trades)

    def mark(self, minute: int, over: int) -> None:
        """Mark a minute as painted, and forget those up to `over`."""
        if not self.minutes or self.minutes[-1][0] != minute:
            self.minutes.append((minute, self.entries[0][0], self.entries[0][1]))
        self.minutes = [one for one in self.minutes if one[0] > over]

    def state(self) -> Any:
        """Return everything as plain values; amounts may pass 63 bits."""
        entries = [[str(one) for one in entry] for entry in self.entries]
        return [entries, [list(one) for one in self.minutes]]

    @classmethod
    def restored(cls, state: Any) -> "_Painter":
        """Return what `state` stored; the sums follow from the orders."""
        painter = cls()
        entries, minutes = state
        painter.minutes = [(minute, since_ns, seq) for minute, since_ns, seq in minutes]
        for values in entries:
            entry = [int(one) for one in values]
            before = painter.entries[-1] if painter.entries else None
            painter.alternations += before is not None and before[3] != entry[3]
            painter.entries.append(entry)
            painter._count(entry, 1)
            painter.trades += entry[7]
        return painter
