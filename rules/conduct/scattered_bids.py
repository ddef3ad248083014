"""Orders far from the market that are taken away again, thinly over many symbols."""

from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import Decision
from rules.events import (
    CommandResult,
    EngineSession,
    Event,
    MarketOrder,
    OrderEnded,
    OrderTrade,
)
from rules.fading import Fading
from rules.kinds import COMMAND_RESULT, ENGINE_SESSION, MARKET_ORDER
from rules.patterns import (
    at_least,
    at_most,
    indicate,
    last_price_e8,
    raised,
    share_e8,
    share_of,
)
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_REPLACE,
    LIVE_STATUSES,
    NS_PER_DAY,
)

SEQS_MAX: Final = 64
"""Orders that are named as evidence, the latest."""


class ScatteredBids(Rule):
    """Tell an owner who takes far orders away unfilled in many symbols, a few in each.

    A far order is one that rests at least `distance` from the last price when it comes. Counted by
    owner (with those linked to him), over all symbols, are the far orders that ended: how many of
    them their client took away with at most `filled` executed. An alert, once a day (UTC), are
    `orders` of them in the day over `symbols` symbols, or `orders_over_days` in the last `days`
    over as many, when they are `cancelled` of those that ended in that time. A member firm that
    trades for clients is one owner with an account for each of them, so it is judged as a whole;
    the figures name the account that did most. Orders of other channels count, by the drop copy.
    Source: the securities and futures supervisors' case of 6,220 fictitious orders over 430 stocks
    by a firm's client; the numbers are ours.
    """

    name: ClassVar[str] = "scattered_bids"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (
        CommandResult,
        OrderTrade,
        OrderEnded,
        MarketOrder,
        EngineSession,
    )
    source: ClassVar[str] = "FSS and KRX practice on fictitious orders; FSS 13 April 2026, case 2"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.scattered_bids
        self._distance_e8 = share_e8(clause.distance)
        self._filled_e8 = share_e8(clause.filled)
        self._cancelled_e8 = share_e8(clause.cancelled)
        self._far: dict[int, list[int]] = {}
        """[owner, account, symbol, since, record] of far orders; of other channels below 0."""
        self._scatters: Fading[int, _Scatter] = Fading((clause.days + 1) * NS_PER_DAY)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up a far order, or its end."""
        kind = type(event)
        if kind is MARKET_ORDER:
            self._outside(event, book, now_ns)
        elif kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
        else:
            self._look_at_ended(book, now_ns)
            if kind is ENGINE_SESSION and book.began_epoch:
                self._far = {number: far for number, far in self._far.items() if number > 0}

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Take up the ends of far orders, and a far order that was confirmed."""
        if book.ended:
            self._look_at_ended(book, now_ns)
        order_id = result.order_id
        if result.accepted and order_id not in self._far:
            order = book.orders.get(order_id)
            if order is not None and order.rests and order.live:
                whose = [order.owner, order.account, order.symbol]
                self._take_up(order_id, whose, order.side, order.price_e8, book, now_ns)

    def _look_at_ended(self, book: Book, now_ns: int) -> None:
        for order_id, gone in book.ended.items():
            far = self._far.pop(order_id, None)
            if far is not None:
                asked = gone.cancel_cause in (CAUSE_CLIENT, CAUSE_REPLACE)
                unfilled = at_most(gone.filled_e8, self._filled_e8, gone.quantity_e8)
                self._ended(far, asked and unfilled, book, now_ns)

    def _outside(self, event: MarketOrder, book: Book, now_ns: int) -> None:
        number = -event.order_id
        if event.status in LIVE_STATUSES:
            if event.owner and event.price_e8 and number not in self._far:
                whose = [event.owner, event.account, event.symbol]
                self._take_up(number, whose, event.side, event.price_e8, book, now_ns)
            return
        far = self._far.pop(number, None)
        if far is not None:
            unfilled = at_most(event.filled_e8, self._filled_e8, event.quantity_e8)
            self._ended(far, event.status == CANCELED and unfilled, book, now_ns)

    def _take_up(
        self, number: int, whose: list[int], side: int, price_e8: int, book: Book, now_ns: int
    ) -> None:
        last_e8 = last_price_e8(book.symbols[whose[2]])
        away_e8 = last_e8 - price_e8 if side == BUY else price_e8 - last_e8
        if last_e8 and away_e8 > 0 and at_least(away_e8, self._distance_e8, last_e8):
            self._far[number] = [*whose, now_ns, book.current_seq]

    def _ended(self, far: list[int], fled: bool, book: Book, now_ns: int) -> None:
        """Count the end of a far order, and tell when there are too many."""
        owner, account, symbol, since_ns, seq = far
        interest = book.conduct.interest_of(owner)
        scatter = self._scatters.use(interest, now_ns, _Scatter)
        today = now_ns // NS_PER_DAY
        oldest = today - self._clause.days
        scatter.forget(oldest)
        scatter.add(today, fled, since_ns)
        if not fled:
            return
        scatter.symbols[symbol] = today
        scatter.accounts[account] = scatter.accounts.get(account, 0) + 1
        scatter.seqs.append(seq)
        del scatter.seqs[:-SEQS_MAX]
        if scatter.told == today:
            return
        clause = self._clause
        for days, least in (
            (scatter.days[-1:], clause.orders),
            (scatter.days, clause.orders_over_days),
        ):
            orders = sum(day[1] for day in days)
            ended = sum(day[2] for day in days)
            if orders < raised(least, clause, account, book):
                continue
            symbols = sum(last >= days[0][0] for last in scatter.symbols.values())
            if symbols < clause.symbols or not at_least(orders, self._cancelled_e8, ended):
                continue
            scatter.told = today
            busiest = max(scatter.accounts, key=lambda one: (scatter.accounts[one], -one))
            figures = (
                ("orders", orders),
                ("symbols", symbols),
                ("days", today - days[0][0] + 1),
                ("cancelled_e8", share_of(orders, ended)),
                ("busiest_account", busiest),
                ("orders_of_busiest_account", scatter.accounts[busiest]),
            )
            indicate(
                book, self.name, clause, (interest, 0), days[0][3],
                [*scatter.seqs, book.current_seq], figures, book.conduct.owners_of(interest),
            )  # fmt: skip
            return

    def state(self) -> Any:
        """Return far orders and counts as plain values."""
        return {
            "far": [[number, *far] for number, far in self._far.items()],
            "scatters": self._scatters.state(int, _Scatter.state),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._far = {number: far for number, *far in state["far"]}
        self._scatters.restore(state["scatters"], int, _Scatter.restored)


class _Scatter:
    """The far orders of one owner that ended."""

    __slots__ = ("accounts", "days", "seqs", "symbols", "told")

    def __init__(self) -> None:
        self.days: list[list[int]] = []
        """[day, taken away, ended, since when the first of them stood], oldest first."""
        self.symbols: dict[int, int] = {}
        """The last day on which one was taken away, by symbol."""
        self.accounts: dict[int, int] = {}
        """How many were taken away, by account."""
        self.seqs: list[int] = []
        self.told = 0
        """The day of the last alert."""

    def add(self, day: int, fled: bool, since_ns: int) -> None:
        """Count one end."""
        if not self.days or self.days[-1][0] != day:
            self.days.append([day, 0, 0, since_ns])
        self.days[-1][1] += fled
        self.days[-1][2] += 1

    def forget(self, until: int) -> None:
        """Forget days up to `until`; accounts are counted anew when all are forgotten."""
        if not self.days or self.days[0][0] > until:
            return
        self.days = [day for day in self.days if day[0] > until]
        self.symbols = {symbol: last for symbol, last in self.symbols.items() if last > until}
        if not self.days:
            self.accounts = {}

    def state(self) -> list[Any]:
        """Return everything as plain values."""
        return [
            [list(day) for day in self.days],
            [[symbol, last] for symbol, last in self.symbols.items()],
            [[account, count] for account, count in self.accounts.items()],
            list(self.seqs),
            self.told,
        ]

    @classmethod
    def restored(cls, state: Any) -> "_Scatter":
        """Return what `state` stored."""
        scatter = cls()
        days, symbols, accounts, seqs, scatter.told = state
        scatter.days = [list(day) for day in days]
        scatter.symbols = {symbol: last for symbol, last in symbols}  # noqa: C416
        scatter.accounts = {account: count for account, count in accounts}  # noqa: C416
        scatter.seqs = list(seqs)
        return scatter
