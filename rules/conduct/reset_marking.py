"""A8: trades that set the price just before it is captured as a reference."""

from typing import Any, ClassVar, Final

from rules.answers import WITH_FILLS
from rules.book import Book
from rules.decisions import Decision
from rules.events import Event, Reference
from rules.executions import EXECUTIONS, Take, Tapes, take_of
from rules.patterns import at_least, indicate, raised, share_e8, share_of, time_of_day_ns
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import BUY, NS_PER_DAY

SEQS_MAX: Final = 64
"""Orders of one owner that are named as evidence, the latest."""


class ResetMarking(Rule):
    """Tell an owner whose trades moved the price shortly before it was captured.

    At each of `reset_times` the trades of the time `before` are judged, symbol by symbol, with the
    first report of the symbol from then on. If the price moved by `move` either way, from before
    the first of these trades to the last, an owner (with those linked to him) whose orders took
    `share` of all that was traded, in the direction of the move, what they took the other way
    taken off, is told of, when there were so many `orders`. Trades of other channels count, by the
    drop copy. Source: Delegated Regulation 2016/522, Annex II, 1, 5(d) (marking the close); FSS, 21
    May 2025 (reset times). The numbers are ours.
    """

    name: ClassVar[str] = "reset_marking"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (*EXECUTIONS, Reference)
    results: ClassVar[int] = WITH_FILLS
    source: ClassVar[str] = "Delegated Regulation (EU) 2016/522 Annex II 1 5(d); FSS 21 May 2025"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.reset_marking
        self._before_ns = duration_ns(clause.before)
        self._share_e8 = share_e8(clause.share)
        self._move_e8 = share_e8(clause.move)
        self._resets_ns = tuple(time_of_day_ns(text) for text in clause.reset_times)
        self._tapes = Tapes()
        self._marks: dict[int, _Mark] = {}
        """What traded before the reset that comes next, by symbol."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up a trade shortly before a reset, or judge those of one that has passed."""
        take = take_of(event, book)
        symbol = take.symbol if take is not None else getattr(event, "symbol", 0)
        mark = self._marks.get(symbol)
        if mark is not None and now_ns >= mark.reset_ns:
            del self._marks[symbol]
            self._judge(symbol, mark, book)
        tape = self._tapes.of(symbol) if symbol else None
        before_e8 = tape.last_e8 if tape is not None else 0
        before = tape.quantity_e8 if tape is not None else 0
        self._tapes.add(event, take, book)
        if tape is None or tape.quantity_e8 == before:
            return
        reset_ns = self._next_ns(now_ns)
        if not reset_ns:
            return
        mark = self._marks.get(symbol)
        if mark is None:
            first_e8 = before_e8 or book.symbols[symbol].previous_close_e8 or tape.last_e8
            mark = self._marks[symbol] = _Mark(reset_ns, first_e8, before)
        if take is not None and take.owner:
            mark.add(take, book.conduct.interest_of(take.owner), book.current_seq, now_ns)

    def _next_ns(self, now_ns: int) -> int:
        """Return the reset a moment lies shortly before, 0 when there is none."""
        day_ns = now_ns // NS_PER_DAY * NS_PER_DAY
        for of_day_ns in self._resets_ns:
            for start_ns in (day_ns, day_ns + NS_PER_DAY):
                if 0 < start_ns + of_day_ns - now_ns <= self._before_ns:
                    return start_ns + of_day_ns
        return 0

    def _judge(self, symbol: int, mark: "_Mark", book: Book) -> None:
        tape = self._tapes.of(symbol)
        move_e8 = tape.last_e8 - mark.first_e8
        if not at_least(abs(move_e8), self._move_e8, mark.first_e8):
            return
        traded_e8 = tape.quantity_e8 - mark.traded_e8
        for interest, taken in mark.takers.items():
            net_e8, orders, _, account, owner, since_ns, *seqs = taken
            pushed_e8 = net_e8 if move_e8 > 0 else -net_e8
            if not at_least(pushed_e8, self._share_e8, traded_e8):
                continue
            if orders < raised(self._clause.orders, self._clause, account, book):
                continue
            figures = (
                ("share_e8", share_of(pushed_e8, traded_e8)),
                ("move_e8", share_of(abs(move_e8), mark.first_e8)),
                ("orders", orders),
                ("upward", int(move_e8 > 0)),
            )
            indicate(
                book, self.name, self._clause, (interest, symbol), since_ns, seqs, figures,
                (owner,),
            )  # fmt: skip

    def state(self) -> Any:
        """Return what traded before the next reset as plain values."""
        return {
            "tapes": self._tapes.state(),
            "marks": [[symbol, mark.state()] for symbol, mark in self._marks.items()],
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._tapes.restore(state["tapes"])
        self._marks = {symbol: _Mark.restored(mark) for symbol, mark in state["marks"]}


class _Mark:
    """Who took what in one symbol before one reset."""

    __slots__ = ("first_e8", "reset_ns", "takers", "traded_e8")

    def __init__(self, reset_ns: int, first_e8: int, traded_e8: int) -> None:
        self.reset_ns = reset_ns
        self.first_e8 = first_e8
        """The price before the first trade."""
        self.traded_e8 = traded_e8
        """What the symbol's tape had counted before it."""
        self.takers: dict[int, list[int]] = {}
        """[bought less sold, orders, last order, account, owner, since, records...] by interest."""

    def add(self, take: Take, interest: int, seq: int, now_ns: int) -> None:
        """Count what an order took."""
        taken = self.takers.get(interest)
        if taken is None:
            taken = self.takers[interest] = [0, 0, 0, take.account, take.owner, now_ns]
        taken[0] += take.quantity_e8 if take.side == BUY else -take.quantity_e8
        if taken[2] != take.order_id:
            taken[1] += 1
            taken[2] = take.order_id
            taken.append(seq)
            if len(taken) > 6 + SEQS_MAX:
                del taken[6]

    def state(self) -> list[Any]:
        """Return everything as plain values."""
        takers = [
            [interest, [str(one) for one in taken]] for interest, taken in self.takers.items()
        ]
        return [self.reset_ns, self.first_e8, str(self.traded_e8), takers]

    @classmethod
    def restored(cls, state: Any) -> "_Mark":
        """Return what `state` stored."""
        reset_ns, first_e8, traded_e8, takers = state
        mark = cls(reset_ns, first_e8, int(traded_e8))
        mark.takers = {interest: [int(one) for one in taken] for interest, taken in takers}
        return mark
