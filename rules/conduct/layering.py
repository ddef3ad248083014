"""A5: orders at several prices of one side that go once an order on the other side is executed."""

from collections import deque
from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import Decision
from rules.displayed import DISPLAYS, DisplayedRule
from rules.events import Event, MarketTrade
from rules.executions import Side, sides_of
from rules.fading import Fading
from rules.kinds import COMMAND_RESULT, ENGINE_SESSION, MARKET_ORDER, MARKET_TRADE
from rules.outside_orders import OutsideOrders, Subject
from rules.patterns import at_least, indicate, raised, share_e8, share_of
from rules.rule import LIMIT
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import BUY, CANCELED, CAUSE_CLIENT, CAUSE_REPLACE, LIVE_STATUSES, SELL

SEQS_MAX: Final = 16
"""Orders of one episode that are named as evidence."""


class Layering(DisplayedRule):
    """Tell an owner whose layers of orders vanish when he has traded on the other side.

    An owner (with those linked to him) who is executed on one side of a symbol while his orders on
    the other stand at `levels` prices or more, and are `depth_share` of all that is displayed
    there, is watched for `flight`. When `cancelled` of the quantity that stood then is taken away
    in this time, by cancels or changes of price, that is an episode; further executions meanwhile
    begin none of their own. So many `episodes` in `window` make an alert, and counting starts anew.
    Orders and trades of other channels count, by the drop copy. Source: Delegated Regulation
    2016/522, Annex II, 1, 5(e); FINRA 5210.03. The numbers are ours.
    """

    name: ClassVar[str] = "layering"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (*DISPLAYS, MarketTrade)
    source: ClassVar[str] = "Delegated Regulation (EU) 2016/522 Annex II 1 5(e); FINRA 5210.03"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook)
        clause = self._clause = rulebook.clauses.layering
        self._depth_e8 = share_e8(clause.depth_share)
        self._flight_ns = duration_ns(clause.flight)
        self._cancelled_e8 = share_e8(clause.cancelled)
        self._window_ns = duration_ns(clause.window)
        self._outside = OutsideOrders()
        self._watched: Fading[Subject, _Watch] = Fading(self._flight_ns + 1)
        self._episodes: Fading[Subject, deque[list[int]]] = Fading(self._window_ns)
        """[time, since, share taken away, share displayed, prices, records...]."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Follow what is displayed, what is executed, and what is taken away of layers."""
        kind = type(event)
        if kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
            return
        for side in sides_of(event, book):
            self._executed(side, book, now_ns)
        if kind is MARKET_TRADE:
            return
        if len(self._watched):
            self._look(event, book, now_ns)
        if kind is MARKET_ORDER:
            self._outside.follow(event, book, now_ns)
        elif kind is ENGINE_SESSION and book.began_epoch:
            self._outside.forget()

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Follow what was executed, and what is taken away of layers."""
        if result.fills:
            for side in sides_of(result, book):
                self._executed(side, book, now_ns)
        if len(self._watched):
            self._look(result, book, now_ns)

    def _executed(self, side: Side, book: Book, now_ns: int) -> None:
        """Begin to watch the layers opposite an execution."""
        other = SELL if side.side == BUY else BUY
        subject = (book.conduct.interest_of(side.owner), side.symbol, other)
        watch = self._watched.find(subject)
        if watch is not None and now_ns - watch.executed_ns <= self._flight_ns:
            return
        shown_e8 = self.displayed.total_e8(side.symbol, other)
        if not at_least(self._most_e8(subject, book), self._depth_e8, shown_e8):
            return
        layers = self._layers(subject, book)
        if len(layers) < self._clause.levels:
            return
        prices = len({layer[0] for layer in layers.values()})
        total_e8 = sum(layer[1] for layer in layers.values())
        if prices < self._clause.levels or not at_least(total_e8, self._depth_e8, shown_e8):
            return
        watch = self._watched.use(subject, now_ns, _Watch)
        watch.executed_ns, watch.executed = now_ns, book.current_seq
        watch.total_e8, watch.shown_e8 = total_e8, max(shown_e8, total_e8)
        watch.prices, watch.away_e8 = prices, 0
        watch.layers = layers

    def _most_e8(self, subject: Subject, book: Book) -> int:
        """Return how much can stand at most, without looking at each order.

        What is shown is followed after executions, so it has what the same event took away.
        """
        interest, symbol, side = subject
        most_e8 = sum(order.left_e8 for order in self._outside.of(subject).values())
        for account in book.conduct.accounts_of(interest):
            most_e8 += self.displayed.account_most_e8(account, symbol, side)
        return most_e8

    def _layers(self, subject: Subject, book: Book) -> dict[int, list[int]]:
        """Return [price, quantity, since, record] of all that stands; other channels below 0."""
        interest, symbol, side = subject
        found = {
            number: [order.price_e8, order.left_e8, order.since_ns, order.seq]
            for number, order in self._outside.of(subject).items()
        }
        for account in book.conduct.accounts_of(interest):
            orders = book.open_orders(account, symbol)
            if len(orders) + len(found) < self._clause.levels:
                continue
            for order in orders.values():
                if order.side == side and order.rests and order.live:
                    found[order.order_id] = [
                        order.price_e8,
                        order.remaining_e8,
                        order.accepted_ns,
                        order.command_id,
                    ]
        return found

    def _look(self, event: Any, book: Book, now_ns: int) -> None:
        """Look whether layers that are watched are taken away."""
        if type(event) is MARKET_ORDER:
            if event.owner:
                subject = (book.conduct.interest_of(event.owner), event.symbol, event.side)
                price_e8 = event.price_e8 if event.status in LIVE_STATUSES else 0
                if price_e8 or event.status == CANCELED:
                    whose = (event.owner, 0)
                    self._changed(subject, -event.order_id, price_e8, whose, book, now_ns)
            return
        for gone in book.ended.values():
            if gone.cancel_cause in (CAUSE_CLIENT, CAUSE_REPLACE):
                subject = (book.conduct.interest_of(gone.owner), gone.symbol, gone.side)
                whose = (gone.owner, gone.account)
                self._changed(subject, gone.order_id, 0, whose, book, now_ns)
        if type(event) is COMMAND_RESULT:
            order = book.orders.get(event.order_id)
            if order is not None:
                subject = (book.conduct.interest_of(order.owner), order.symbol, order.side)
                whose = (order.owner, order.account)
                self._changed(subject, order.order_id, order.price_e8, whose, book, now_ns)

    def _changed(
        self,
        subject: Subject,
        number: int,
        price_e8: int,
        whose: tuple[int, int],
        book: Book,
        now_ns: int,
    ) -> None:
        """Count a layer that stands at its price no more; `price_e8` 0: not at all."""
        watch = self._watched.find(subject)
        if watch is None or now_ns - watch.executed_ns > self._flight_ns:
            return
        layer = watch.layers.get(number)
        if layer is None or layer[0] == price_e8:
            return
        watch.away_e8 += layer[1]
        layer[0] = price_e8
        layer[1] = 0
        if at_least(watch.away_e8, self._cancelled_e8, watch.total_e8):
            self._watched.drop(subject)
            self._episode(subject, watch, whose, book, now_ns)

    def _episode(
        self, subject: Subject, watch: "_Watch", whose: tuple[int, int], book: Book, now_ns: int
    ) -> None:
        """Count an episode; tell when there are enough of them."""
        episodes = self._episodes.use(subject, now_ns, deque)
        while episodes and episodes[0][0] <= now_ns - self._window_ns:
            episodes.popleft()
        layers = watch.layers.values()
        episodes.append(
            [
                now_ns,
                min(layer[2] for layer in layers),
                share_of(watch.away_e8, watch.total_e8),
                share_of(watch.total_e8, watch.shown_e8),
                watch.prices,
                *[layer[3] for layer in layers][:SEQS_MAX],
                watch.executed,
                book.current_seq,
            ]
        )
        owner, account = whose
        if len(episodes) < raised(self._clause.episodes, self._clause, account, book):
            return
        figures = (
            ("episodes", len(episodes)),
            ("cancelled_e8", min(episode[2] for episode in episodes)),
            ("depth_share_e8", min(episode[3] for episode in episodes)),
            ("levels", min(episode[4] for episode in episodes)),
        )
        seqs = [seq for episode in episodes for seq in episode[5:]]
        since_ns = min(episode[1] for episode in episodes)
        episodes.clear()
        indicate(book, self.name, self._clause, subject[:2], since_ns, seqs, figures, (owner,))

    def state(self) -> Any:
        """Return what stands, what is watched and the episodes as plain values."""
        return {
            "shown": self.displayed.state(),
            "outside": self._outside.state(),
            "watched": self._watched.state(list, _Watch.state),
            "episodes": self._episodes.state(list, lambda found: [list(one) for one in found]),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.displayed.restore(state["shown"])
        self._outside.restore(state["outside"])
        self._watched.restore(state["watched"], tuple, _Watch.restored)
        self._episodes.restore(
            state["episodes"], tuple, lambda found: deque(list(one) for one in found)
        )


class _Watch:
    """The layers that stood opposite an execution."""

    __slots__ = (
        "away_e8",
        "executed",
        "executed_ns",
        "layers",
        "prices",
        "shown_e8",
        "total_e8",
    )

    def __init__(self) -> None:
        self.executed_ns = 0
        self.executed = 0
        """Record of the execution."""
        self.total_e8 = 0
        self.away_e8 = 0
        """What has been taken away of it."""
        self.shown_e8 = 0
        """What was displayed on that side."""
        self.prices = 0
        self.layers: dict[int, list[int]] = {}
        """[price, quantity, since, record] by order."""

    def state(self) -> list[Any]:
        """Return everything as plain values; sums may pass 63 bits."""
        return [
            self.executed_ns,
            self.executed,
            str(self.total_e8),
            str(self.away_e8),
            str(self.shown_e8),
            self.prices,
            [[number, *layer] for number, layer in self.layers.items()],
        ]

    @classmethod
    def restored(cls, state: Any) -> "_Watch":
        """Return what `state` stored."""
        watch = cls()
        watch.executed_ns, watch.executed, total, away, shown, watch.prices, layers = state
        watch.total_e8, watch.away_e8, watch.shown_e8 = int(total), int(away), int(shown)
        watch.layers = {number: layer for number, *layer in layers}
        return watch
