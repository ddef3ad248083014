"""A5: orders at several prices of one side that go once an order on the other side is executed."""

from collections import deque
from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import Decision
from rules.displayed import DISPLAYS, Displayed
from rules.events import Event, MarketTrade
from rules.executions import Side, sides_of
from rules.fading import Fading
from rules.patterns import at_least, indicate, raised, share_e8, share_of
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.stacks import Stacks, Subject, Withdrawn
from rules.units import duration_ns
from rules.values import BUY, SELL

SEQS_MAX: Final = 16
"""Orders of one episode that are named as evidence."""


class Layering(Rule):
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
        clause = self._clause = rulebook.clauses.layering
        self._depth_e8 = share_e8(clause.depth_share)
        self._flight_ns = duration_ns(clause.flight)
        self._cancelled_e8 = share_e8(clause.cancelled)
        self._window_ns = duration_ns(clause.window)
        self._shown = Displayed()
        self._stacks = Stacks()
        self._watched: Fading[Subject, list[int]] = Fading(self._flight_ns + 1)
        """[time, record, quantity that stood, taken away, displayed, prices, since, records...]."""
        self._episodes: Fading[Subject, deque[list[int]]] = Fading(self._window_ns)
        """[time, since, share taken away, share displayed, prices, records...]."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Follow what stands, what is executed and what is taken away."""
        for side in sides_of(event, book):
            self._executed(side, book, now_ns)
        if type(event) is not MarketTrade:
            for gone in self._stacks.follow(event, book, now_ns):
                self._withdrawn(gone, book, now_ns)
            self._shown.follow(event, book)

    def _executed(self, side: Side, book: Book, now_ns: int) -> None:
        """Begin to watch the layers opposite an execution."""
        other = SELL if side.side == BUY else BUY
        subject = (book.conduct.interest_of(side.owner), side.symbol, other)
        stack = self._stacks.find(subject)
        if stack is None or len(stack.prices) < self._clause.levels:
            return
        shown_e8 = self._shown.total_e8(side.symbol, other)
        if not at_least(stack.total_e8, self._depth_e8, shown_e8):
            return
        watched = self._watched.find(subject)
        if watched and now_ns - watched[0] <= self._flight_ns:
            return
        orders = list(stack.orders.values())
        self._watched.use(subject, now_ns, list)[:] = [
            now_ns,
            book.current_seq,
            stack.total_e8,
            0,
            shown_e8,
            len(stack.prices),
            min(order.since_ns for order in orders),
            *(order.seq for order in orders[:SEQS_MAX]),
        ]

    def _withdrawn(self, gone: Withdrawn, book: Book, now_ns: int) -> None:
        """Count what was taken away of layers that are watched."""
        watched = self._watched.find(gone.subject)
        if not watched or now_ns - watched[0] > self._flight_ns or gone.order.seq > watched[1]:
            return
        watched[3] += gone.order.left_e8
        if not at_least(watched[3], self._cancelled_e8, watched[2]):
            return
        episodes = self._episodes.use(gone.subject, now_ns, deque)
        while episodes and episodes[0][0] <= now_ns - self._window_ns:
            episodes.popleft()
        executed, stood_e8, away_e8, shown_e8, prices, since_ns, *seqs = watched[1:]
        self._watched.drop(gone.subject)
        episodes.append(
            [
                now_ns, since_ns, share_of(away_e8, stood_e8), share_of(stood_e8, shown_e8),
                prices, *seqs, executed, book.current_seq,
            ]
        )  # fmt: skip
        if len(episodes) < raised(self._clause.episodes, self._clause, gone.account, book):
            return
        figures = (
            ("episodes", len(episodes)),
            ("cancelled_e8", min(episode[2] for episode in episodes)),
            ("depth_share_e8", min(episode[3] for episode in episodes)),
            ("levels", min(episode[4] for episode in episodes)),
        )
        indicate(
            book,
            self.name,
            self._clause,
            gone.subject[:2],
            min(episode[1] for episode in episodes),
            [seq for episode in episodes for seq in episode[5:]],
            figures,
            (gone.owner,),
        )
        episodes.clear()

    def state(self) -> Any:
        """Return what stands, what is watched and the episodes as plain values."""
        return {
            "shown": self._shown.state(),
            "stacks": self._stacks.state(),
            "watched": self._watched.state(list, _texts),
            "episodes": self._episodes.state(list, lambda found: [_texts(one) for one in found]),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._shown.restore(state["shown"])
        self._stacks.restore(state["stacks"])
        self._watched.restore(state["watched"], tuple, _numbers)
        self._episodes.restore(
            state["episodes"], tuple, lambda found: deque(_numbers(one) for one in found)
        )


def _texts(numbers: list[int]) -> list[str]:
    """Return sums as they are stored; they may pass 63 bits."""
    return [str(number) for number in numbers]


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts]
