"""A7: a burst of orders that take one side and move the price, then trades on the other side."""

from collections import deque
from itertools import pairwise
from typing import Any, ClassVar, Final

from rules.answers import WITH_FILLS
from rules.book import Book
from rules.decisions import Decision
from rules.events import Event
from rules.executions import EXECUTIONS, Side, Take, Tapes, sides_of, take_of
from rules.fading import Fading
from rules.patterns import at_least, indicate, raised, share_e8, share_of
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import BUY, NS_PER_MINUTE, SELL

TAKES_MAX: Final = 1_024
"""Orders of one burst that are looked at together, the latest."""
_Subject = tuple[int, int, int]
"""Interest, symbol and side."""


class MomentumIgnition(Rule):
    """Tell an owner who pushes the price in a burst and then trades the other way.

    A burst is `orders` or more of an owner (with those linked to him) that took one side of a
    symbol within `burst`, if the price went that way, from before the first of them, by `move` of
    it at least, and by so many `sigmas` of a minute's move: the standard deviation of the changes
    from one minute's last price to the next over the last `minutes` in which there was a trade,
    once `minutes_least` of them are known. When `reversed` of the burst's quantity has been
    executed for him on the other side within `reversal` after the burst, resting orders included,
    that is an alert. Trades of other channels count, by the drop copy. Source: Delegated Regulation
    2016/522, Annex II, 1, 4(e); the numbers are ours.
    """

    name: ClassVar[str] = "momentum_ignition"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = EXECUTIONS
    results: ClassVar[int] = WITH_FILLS
    source: ClassVar[str] = "Delegated Regulation (EU) 2016/522 Annex II 1 4(e)"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.momentum_ignition
        self._burst_ns = duration_ns(clause.burst)
        self._move_e8 = share_e8(clause.move)
        self._reversal_ns = duration_ns(clause.reversal)
        self._reversed_e8 = share_e8(clause.reversed)
        self._tapes = Tapes()
        self._minutes: dict[int, deque[list[int]]] = {}
        """[minute, last price] of minutes with a trade, by symbol, oldest first."""
        self._takes: Fading[_Subject, deque[list[int]]] = Fading(self._burst_ns)
        """[time, record, order, quantity, price before] of orders that took."""
        self._bursts: Fading[_Subject, list[int]] = Fading(self._reversal_ns + 1)
        """[end, since, quantity, move, orders, executed on the other side, records...]."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up trades: what they did to the price, and whose they are."""
        take = take_of(event, book)
        for side in sides_of(event, book):
            self._executed(side, book, now_ns)
        if take is not None and take.owner:
            self._took(take, book, now_ns)
        self._tapes.add(event, take, book)
        symbol = take.symbol if take is not None else getattr(event, "symbol", 0)
        last_e8 = self._tapes.of(symbol).last_e8 if symbol else 0
        if last_e8:
            self._close(symbol, last_e8, now_ns // NS_PER_MINUTE)

    def _close(self, symbol: int, last_e8: int, minute: int) -> None:
        """Note a minute's last price."""
        minutes = self._minutes.get(symbol)
        if minutes is None:
            minutes = self._minutes[symbol] = deque()
        if minutes and minutes[-1][0] == minute:
            minutes[-1][1] = last_e8
            return
        minutes.append([minute, last_e8])
        # One price more than moves, and the running minute.
        if len(minutes) > self._clause.minutes + 2:
            minutes.popleft()

    def _took(self, take: Take, book: Book, now_ns: int) -> None:
        """Take up what an order took; a burst that goes on grows."""
        subject = (book.conduct.interest_of(take.owner), take.symbol, take.side)
        takes = self._takes.use(subject, now_ns, deque)
        while takes and (takes[0][0] <= now_ns - self._burst_ns or len(takes) >= TAKES_MAX):
            takes.popleft()
        if takes and takes[-1][2] == take.order_id:
            takes[-1][3] += take.quantity_e8
        else:
            before_e8 = self._tapes.of(take.symbol).last_e8 or take.first_price_e8
            takes.append([now_ns, book.current_seq, take.order_id, take.quantity_e8, before_e8])
        if len(takes) < raised(self._clause.orders, self._clause, take.account, book):
            return
        first_e8 = takes[0][4]
        move_e8 = take.last_price_e8 - first_e8 if take.side == BUY else (
            first_e8 - take.last_price_e8
        )  # fmt: skip
        if not at_least(move_e8, self._move_e8, first_e8) or not self._unusual(
            take.symbol, move_e8, now_ns
        ):
            return
        burst = self._bursts.use(subject, now_ns, list)
        executed_e8 = burst[5] if burst and now_ns - burst[0] <= self._reversal_ns else 0
        burst[:] = [
            now_ns, takes[0][0], sum(one[3] for one in takes), move_e8, len(takes), executed_e8,
            *(one[1] for one in takes),
        ]  # fmt: skip

    def _unusual(self, symbol: int, move_e8: int, now_ns: int) -> bool:
        """Return whether a move is far beyond a usual minute's."""
        minute = now_ns // NS_PER_MINUTE
        closes = [one[1] for one in self._minutes.get(symbol, ()) if one[0] < minute]
        moves = [later - one for one, later in pairwise(closes)]
        count = len(moves)
        if count < self._clause.minutes_least:
            return True
        spread = count * sum(one * one for one in moves) - sum(moves) ** 2
        return (move_e8 * count) ** 2 >= self._clause.sigmas**2 * spread

    def _executed(self, side: Side, book: Book, now_ns: int) -> None:
        """Take up an execution: it may be the way back of a burst."""
        other = SELL if side.side == BUY else BUY
        subject = (book.conduct.interest_of(side.owner), side.symbol, other)
        burst = self._bursts.find(subject)
        if not burst or now_ns - burst[0] > self._reversal_ns:
            return
        burst[5] += side.quantity_e8
        burst.append(book.current_seq)
        if not at_least(burst[5], self._reversed_e8, burst[2]):
            return
        _, since_ns, quantity_e8, move_e8, orders, executed_e8, *seqs = burst
        self._bursts.drop(subject)
        self._takes.drop(subject)
        figures = (
            ("orders", orders),
            ("move_e8", move_e8),
            ("quantity_e8", quantity_e8),
            ("reversed_e8", share_of(executed_e8, quantity_e8)),
        )
        indicate(book, self.name, self._clause, subject[:2], since_ns, seqs, figures, (side.owner,))

    def state(self) -> Any:
        """Return prices, takes and bursts as plain values."""
        return {
            "tapes": self._tapes.state(),
            "minutes": [
                [symbol, [list(one) for one in minutes]]
                for symbol, minutes in self._minutes.items()
            ],
            "takes": self._takes.state(list, lambda takes: [_texts(take) for take in takes]),
            "bursts": self._bursts.state(list, _texts),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._tapes.restore(state["tapes"])
        self._minutes = {
            symbol: deque(list(one) for one in minutes) for symbol, minutes in state["minutes"]
        }
        self._takes.restore(
            state["takes"], tuple, lambda takes: deque(_numbers(one) for one in takes)
        )
        self._bursts.restore(state["bursts"], tuple, _numbers)


def _texts(numbers: list[int]) -> list[str]:
    """Return sums as they are stored; they may pass 63 bits."""
    return [str(number) for number in numbers]


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts]
