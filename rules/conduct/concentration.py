"""What share of a symbol's day is one owner's: orders, changes, executions, price moves."""

from typing import Any, ClassVar, Final, NamedTuple

from rules.answers import WITH_FILLS
from rules.book import Book
from rules.decisions import ACCEPTED, DEFERRED, Decision, Usage
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    Event,
    MarketOrder,
    MarketTrade,
    OrderTrade,
    Place,
    Replace,
)
from rules.executions import Tapes, sides_of, take_of
from rules.kinds import (
    AMEND,
    BULK_CANCEL,
    CANCEL,
    CANCEL_ALL,
    MARKET_ORDER,
    MARKET_TRADE,
    PLACE,
    REPLACE,
)
from rules.patterns import at_least, indicate, raised, share_e8, share_of
from rules.period_counts import PeriodCounts
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    CANCELED,
    CAUSE_CLIENT,
    E8,
    FLAG_TEST,
    NEW,
    NS_PER_DAY,
    PAIR_SHIFT,
    SCOPE_ORDER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
    split_pair,
)

# Places in the list of counts; what is told of once a day is a bit of `_TOLD`.
_ORDERS: Final = 0
_CHANGES: Final = 1
_EXECUTIONS: Final = 2
_MOVES: Final = 3
_BURST: Final = 4
_KINDS: Final = ("orders", "changes", "executions", "moves", "burst_orders")
_TRADES: Final = 4
_TOLD: Final = 5
_SINCE: Final = 6
_FIRST: Final = 7
_BY_API: Final = 8
_BY_ALL: Final = 9
_WIDTH: Final = 10
_BURST_PART: Final = 10
"""A burst is judged from this part of the day's least number of orders on."""
_MANY_KINDS: Final = 2
"""So many kinds told of in a day aggravate."""
_LEADING_PART: Final = 100
"""Whose turnover is this part of the symbol's today is shown in metrics."""


class Turnover(NamedTuple):
    """What somebody's orders were executed for today in one symbol, both sides of a trade."""

    symbol: int
    interest: int
    """0 for all together."""
    by_api_e8: int
    """In quote asset, of orders that came through the gate."""
    all_e8: int


class Concentration(Rule):
    """Tell an owner who is too much of a symbol's day.

    Counted by owner (with those linked to him) and symbol, and for the symbol as a whole, over a
    day: accepted new orders and replacements; accepted cancels, amends and replacements; quantity
    executed; and how far the price went, step by step from trade to trade, by what an owner's
    orders took. Told is a share of `orders`, `changes`, `executions` or `moves`, each once a day,
    from so many orders or trades of the symbol on, and one of the orders of a stretch of the clock
    of the length `burst`. Every trade has two sides and both count, so the shares of executions add
    up to twice the whole. The second kind that is told of in a day is aggravated. Market makers
    are told of from `market_maker_share` on. Orders and trades of other channels count, by the drop
    copy; how much of an owner's turnover came through the gate is shown as his use of
    `api_turnover`. Source: DAXA model rules as applied by Upbit from 3 November 2025 (excess
    amending and cancelling, concentration and share of orders, share of executions, influence on
    the price); no numbers are published, these are ours.
    """

    name: ClassVar[str] = "concentration"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        Amend,
        Cancel,
        CancelAll,
        BulkCancel,
        CommandResult,
        OrderTrade,
        MarketOrder,
        MarketTrade,
    )
    heeds_refused: ClassVar[bool] = False
    results: ClassVar[int] = WITH_FILLS
    source: ClassVar[str] = "DAXA model rules, as Upbit applies them from 3 November 2025"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.concentration
        self._shares_e8 = (
            share_e8(clause.orders),
            share_e8(clause.changes),
            share_e8(clause.executions),
            share_e8(clause.moves),
            share_e8(clause.burst_orders),
        )
        self._maker_e8 = share_e8(clause.market_maker_share)
        self._burst_least = -(-clause.orders_least // _BURST_PART)
        self._tapes = Tapes()
        starts_ns = duration_ns(clause.session_starts)
        self._day: PeriodCounts[int] = PeriodCounts(NS_PER_DAY, starts_ns, _WIDTH)
        """Counts by interest and symbol as one number; that of no interest is the symbol's whole."""
        self._burst: PeriodCounts[int] = PeriodCounts(duration_ns(clause.burst), 0, 3)
        """[orders, since, told] likewise."""
        self._leaders: PeriodCounts[int] = PeriodCounts(NS_PER_DAY, starts_ns, 0)
        """Interests whose turnover was large when they traded last, by symbol."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count a message or a trade."""
        kind = type(event)
        if kind is PLACE or kind is REPLACE or kind is AMEND or kind is CANCEL:
            testing = (kind is PLACE or kind is REPLACE) and event.flags & FLAG_TEST
            if decision.verdict in (ACCEPTED, DEFERRED) and event.symbol and not testing:
                whose = (decision.owner, decision.account)
                if kind is PLACE or kind is REPLACE:
                    self._ordered(whose, event.symbol, book, now_ns)
                if kind is not PLACE:
                    self._count(whose, event.symbol, _CHANGES, 1, book, now_ns)
        elif kind is CANCEL_ALL:
            held = book.deferred.asked_with(book.current_seq, decision.deferred)
            self._cancelled((*decision.cancels, *held), book, now_ns)
        elif kind is BULK_CANCEL:
            # A deferred cancel that is carried out was counted when it was asked for.
            if event.cause == CAUSE_CLIENT and event.scope != SCOPE_ORDER:
                self._cancelled((*decision.cancels, *decision.deferred), book, now_ns)
        elif kind is MARKET_ORDER:
            if event.owner and event.status == NEW and not event.filled_e8:
                self._ordered((event.owner, 0), event.symbol, book, now_ns)
            elif event.owner and event.status == CANCELED:
                self._count((event.owner, 0), event.symbol, _CHANGES, 1, book, now_ns)
        else:
            self._traded(event, book, now_ns)

    def _cancelled(self, order_ids: tuple[int, ...], book: Book, now_ns: int) -> None:
        """Count each order that a client's cancel of many means."""
        for order_id in order_ids:
            order = book.orders.get(order_id)
            if order is not None:
                whose = (order.owner, order.account)
                self._count(whose, order.symbol, _CHANGES, 1, book, now_ns)

    def _ordered(self, whose: tuple[int, int], symbol: int, book: Book, now_ns: int) -> None:
        self._count(whose, symbol, _ORDERS, 1, book, now_ns)
        interest = book.conduct.interest_of(whose[0])
        whole = self._burst.use(symbol, now_ns)
        own = self._burst.use(interest << PAIR_SHIFT | symbol, now_ns)
        whole[0] += 1
        own[0] += 1
        if not own[1]:
            own[1] = now_ns
        if own[2] or whole[0] < self._burst_least:
            return
        limit_e8 = self._limit_e8(_BURST, whose[1], book)
        if whole[0] < raised(self._burst_least, self._clause, whose[1], book):
            return
        if at_least(own[0], limit_e8, whole[0]):
            own[2] = 1
            self._tell(whose[0], symbol, _BURST, (own[0], whole[0]), own[1], book, now_ns)

    def _traded(self, event: Any, book: Book, now_ns: int) -> None:
        """Count what was executed, and how far whose order moved the price."""
        take = take_of(event, book)
        symbol = take.symbol if take is not None else getattr(event, "symbol", 0)
        if symbol:
            tape = self._tapes.of(symbol)
            before_e8, trades, quantity_e8 = tape.last_e8, tape.trades, tape.quantity_e8
            self._tapes.add(event, take, book)
            if tape.trades != trades:
                whole = self._day.use(symbol, now_ns)
                whole[_TRADES] += tape.trades - trades
                whole[_EXECUTIONS] += tape.quantity_e8 - quantity_e8
                if type(event) is MARKET_TRADE:
                    prices = [event.price_e8]
                else:
                    prices = [fill.price_e8 for fill in take.makers] if take is not None else []
                moved_e8 = _way_e8(before_e8, prices)
                whole[_MOVES] += moved_e8
                if take is not None and take.owner and moved_e8:
                    whose = (take.owner, take.account)
                    self._count(whose, symbol, _MOVES, moved_e8, book, now_ns)
        for side in sides_of(event, book):
            whose = (side.owner, side.account)
            interest = book.conduct.interest_of(side.owner)
            whole = self._day.use(side.symbol, now_ns)
            own = self._day.use(pair_of(interest, side.symbol), now_ns)
            for counts in (whole, own):
                counts[_BY_ALL] += side.quote_e8
                counts[_BY_API] += side.quote_e8 if side.account else 0
            if own[_BY_ALL] * _LEADING_PART >= whole[_BY_ALL]:
                self._leads(side.symbol, interest, now_ns)
            self._count(whose, side.symbol, _EXECUTIONS, side.quantity_e8, book, now_ns)

    def _leads(self, symbol: int, interest: int, now_ns: int) -> None:
        """Remember who has a large part of the turnover; those who have it no more are let go."""
        leaders = self._leaders.use(symbol, now_ns)
        if interest in leaders:
            return
        least_e8 = self._day.use(symbol, now_ns)[_BY_ALL]
        leaders[:] = [
            one
            for one in leaders
            if self._day.use(pair_of(one, symbol), now_ns)[_BY_ALL] * _LEADING_PART >= least_e8
        ]
        leaders.append(interest)

    def turnovers(self, symbol: int, now_ns: int) -> list[Turnover]:
        """Return today's turnover of a symbol, and of those who have a hundredth of it or more."""
        found = []
        for interest in (0, *(self._leaders.find(symbol, now_ns) or ())):
            counts = self._day.find(pair_of(interest, symbol), now_ns)
            if counts is not None and counts[_BY_ALL]:
                found.append(Turnover(symbol, interest, counts[_BY_API], counts[_BY_ALL]))
        return found

    def _count(
        self,
        whose: tuple[int, int],
        symbol: int,
        kind: int,
        amount: int,
        book: Book,
        now_ns: int,
    ) -> None:
        """Count something of one kind, and tell when it is too much of the whole."""
        owner, account = whose
        whole = self._day.use(symbol, now_ns)
        own = self._day.use(book.conduct.interest_of(owner) << PAIR_SHIFT | symbol, now_ns)
        own[kind] += amount
        if not own[_SINCE]:
            own[_SINCE], own[_FIRST] = now_ns, book.current_seq
        if kind in (_ORDERS, _CHANGES):
            whole[kind] += amount
            counted, least = whole[kind], self._clause.orders_least
        else:
            counted, least = whole[_TRADES], self._clause.trades_least
        if counted < least or own[_TOLD] >> kind & 1:
            return
        if counted < raised(least, self._clause, account, book):
            return
        if not at_least(own[kind], self._limit_e8(kind, account, book), whole[kind]):
            return
        self._tell(owner, symbol, kind, (own[kind], whole[kind]), own[_SINCE], book, now_ns)

    def _limit_e8(self, kind: int, account: int, book: Book) -> int:
        facts = book.accounts.get(account)
        maker = facts is not None and facts.flags & ACCOUNT_MARKET_MAKER
        return max(self._maker_e8, self._shares_e8[kind]) if maker else self._shares_e8[kind]

    def _tell(
        self,
        owner: int,
        symbol: int,
        kind: int,
        part_of: tuple[int, int],
        since_ns: int,
        book: Book,
        now_ns: int,
    ) -> None:
        interest = book.conduct.interest_of(owner)
        own = self._day.use(pair_of(interest, symbol), now_ns)
        own[_TOLD] |= 1 << kind
        unit = "_e8" if kind in (_EXECUTIONS, _MOVES) else ""
        figures = (
            (f"{_KINDS[kind]}_share_e8", min(share_of(*part_of), E8)),
            (f"{_KINDS[kind]}{unit}", part_of[0]),
            (f"all_{_KINDS[kind]}{unit}", part_of[1]),
        )
        indicate(
            book, self.name, self._clause, (interest, symbol), since_ns,
            (own[_FIRST], book.current_seq), figures, (owner,),
            severity=2 if own[_TOLD].bit_count() >= _MANY_KINDS else 1,
        )  # fmt: skip

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return an owner's shares in a symbol today, and his turnover through the gate."""
        if scope != SCOPE_OWNER_SYMBOL:
            return ()
        owner, symbol = split_pair(subject)
        whole = self._day.find(symbol, now_ns)
        own = self._day.find(pair_of(book.conduct.interest_of(owner), symbol), now_ns)
        if own is None or whole is None:
            return ()
        ends_ns = self._day.since_ns(now_ns) + NS_PER_DAY
        shares = [
            (_KINDS[kind], min(share_of(own[kind], whole[kind]), E8), self._shares_e8[kind])
            for kind in (_ORDERS, _CHANGES, _EXECUTIONS, _MOVES)
        ]
        shares.append(("api_turnover", share_of(own[_BY_API], own[_BY_ALL]), E8))
        return tuple(
            Usage(
                self.name, scope, subject, used_e8, limit_e8, NS_PER_DAY, ends_ns, label,
                scaled_e8=True,
            )
            for label, used_e8, limit_e8 in shares
        )  # fmt: skip

    def state(self) -> Any:
        """Return the counts as plain values."""
        return {
            "tapes": self._tapes.state(),
            "day": self._day.state(_pair_list),
            "burst": self._burst.state(_pair_list),
            "leaders": self._leaders.state(lambda symbol: [symbol]),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._tapes.restore(state["tapes"])
        self._day.restore(state["day"], lambda pair: pair_of(*pair))
        self._burst.restore(state["burst"], lambda pair: pair_of(*pair))
        self._leaders.restore(state["leaders"], lambda key: key[0])


def _pair_list(pair: int) -> list[int]:
    return list(split_pair(pair))


def _way_e8(before_e8: int, prices_e8: list[int]) -> int:
    """Return how far the price went over trades at these prices, either way, step by step."""
    way_e8 = 0
    for price_e8 in prices_e8:
        way_e8 += abs(price_e8 - before_e8) if before_e8 else 0
        before_e8 = price_e8
    return way_e8
