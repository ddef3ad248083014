"""A6: bursts of messages far above what is usual, of orders that are gone at once."""

from typing import Any, ClassVar, Final

from rules.answers import WITH_ENDED
from rules.book import Book
from rules.decisions import ACCEPTED, Decision
from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    CommandResult,
    Event,
    OrderEnded,
    Place,
    Replace,
)
from rules.fading import Fading
from rules.kinds import COMMAND_RESULT, ORDER_ENDED, PLACE, REPLACE
from rules.patterns import at_least, indicate, raised, share_e8, share_of
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import (
    CAUSE_CLIENT,
    CAUSE_REPLACE,
    FLAG_TEST,
    NS_PER_DAY,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    PAIR_SHIFT,
    pair_of,
    split_pair,
)

SEQS_MAX: Final = 64
"""Messages of a minute that are named as evidence, the first ones."""
MINUTES_PER_DAY: Final = NS_PER_DAY // NS_PER_MINUTE
_Subject = int
"""Interest and symbol, as one number (`values.pair_of`)."""


class QuoteStuffing(Rule):
    """Tell an owner who floods a symbol with orders that are gone before anybody can answer.

    Looked at are the order messages of an owner (with those linked to him) in a symbol during a
    minute of the clock. It is an alert, once a minute, when all of this holds: `per_second` of them
    in one second of the clock; so many `sigmas` above the mean of the minutes of the last `days`,
    silent ones included, once `history` of them is known; `cancelled` of the minute's new orders
    were taken away by their client; and more than half of the orders that he took away lived
    shorter than `life`, from the engine's confirmation on. Messages that were refused count as
    messages. Source: Delegated Regulation 2016/522, Annex II, 1, 6(e); the minute's count above
    twenty standard deviations is a measure of research, the other numbers are ours.
    """

    name: ClassVar[str] = "quote_stuffing"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        Amend,
        Cancel,
        CancelAll,
        CommandResult,
        OrderEnded,
    )
    results: ClassVar[int] = WITH_ENDED
    source: ClassVar[str] = "Delegated Regulation (EU) 2016/522 Annex II 1 6(e)"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.quote_stuffing
        self._cancelled_e8 = share_e8(clause.cancelled)
        self._life_ns = duration_ns(clause.life)
        self._history_minutes = duration_ns(clause.history) // NS_PER_MINUTE
        self._stuffers: Fading[_Subject, _Stuffer] = Fading(clause.days * NS_PER_DAY)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count a message, or the lives of orders that ended."""
        kind = type(event)
        if kind is COMMAND_RESULT or kind is ORDER_ENDED:
            self.answered(event, book, now_ns)
            return
        holder = book.holder_of(event.key)
        if holder is None or not holder.owner or not event.symbol:
            return
        placed = False
        if kind is PLACE or kind is REPLACE:
            if event.flags & FLAG_TEST:
                return
            placed = decision.verdict == ACCEPTED
        interest = book.conduct.interest_of(holder.owner)
        stuffer = self._stuffers.use(interest << PAIR_SHIFT | event.symbol, now_ns, _Stuffer)
        stuffer.add(placed, book.current_seq, now_ns, self._clause.days)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Take up the lives of the orders that ended."""
        for gone in book.ended.values():
            if gone.cancel_cause in (CAUSE_CLIENT, CAUSE_REPLACE) and gone.live_ns:
                subject = pair_of(book.conduct.interest_of(gone.owner), gone.symbol)
                stuffer = self._stuffers.find(subject)
                if stuffer is None:
                    continue
                stuffer.roll(now_ns, self._clause.days)
                stuffer.cancelled += 1
                stuffer.short += now_ns - gone.live_ns < self._life_ns
                self._judge(subject, stuffer, gone.owner, gone.account, book, now_ns)

    def _judge(
        self,
        subject: _Subject,
        stuffer: "_Stuffer",
        owner: int,
        account: int,
        book: Book,
        now_ns: int,
    ) -> None:
        clause = self._clause
        if (
            stuffer.peak < clause.per_second
            or stuffer.told
            or stuffer.peak < raised(clause.per_second, clause, account, book)
            or not at_least(stuffer.cancelled, self._cancelled_e8, stuffer.placed)
            or 2 * stuffer.short <= stuffer.cancelled
            or not self._unusual(stuffer)
        ):
            return
        stuffer.told = 1
        figures = (
            ("messages_in_second", stuffer.peak),
            ("messages_in_minute", stuffer.count),
            ("usual_in_minute", stuffer.usual(clause.days)),
            ("cancelled_e8", share_of(stuffer.cancelled, stuffer.placed)),
            ("short_lived_e8", share_of(stuffer.short, stuffer.cancelled)),
        )
        indicate(
            book, self.name, clause, split_pair(subject), stuffer.first_ns,
            [*stuffer.seqs, book.current_seq], figures, (owner,),
        )  # fmt: skip

    def _unusual(self, stuffer: "_Stuffer") -> bool:
        """Return whether the minute's count is far above the minutes before it."""
        minutes = stuffer.minutes_known(self._clause.days)
        if minutes < max(self._history_minutes, 1):
            return True
        total, squares = stuffer.sums()
        above = stuffer.count * minutes - total
        spread = minutes * squares - total * total
        return above > 0 and above * above >= self._clause.sigmas**2 * spread

    def state(self) -> Any:
        """Return minutes and histories as plain values."""
        return self._stuffers.state(lambda subject: list(split_pair(subject)), _Stuffer.state)

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._stuffers.restore(state, lambda subject: pair_of(*subject), _Stuffer.restored)


_FIELDS: Final = (
    "minute", "since_minute", "count", "second", "in_second", "peak", "placed", "cancelled",
    "short", "first_ns", "told",
)  # fmt: skip


class _Stuffer:
    """Messages of one owner and symbol: this minute's, and those of the days before."""

    __slots__ = (*_FIELDS, "days", "second_ends_ns", "seqs")

    def __init__(self) -> None:
        self.minute = 0
        self.since_minute = 0
        """The minute of the first message ever known."""
        self.count = 0
        self.second = 0
        self.second_ends_ns = 0
        """When the second of the last message ends, 0 before that is known."""
        self.in_second = 0
        self.peak = 0
        """Most messages in one second of this minute."""
        self.placed = 0
        self.cancelled = 0
        self.short = 0
        self.first_ns = 0
        self.told = 0
        self.seqs: list[int] = []
        self.days: list[list[int]] = []
        """[day, sum, sum of squares] of the minutes before this one, oldest day first."""

    def roll(self, now_ns: int, days: int) -> None:
        """Begin a new minute when one has begun."""
        minute = now_ns // NS_PER_MINUTE
        if minute == self.minute:
            return
        if self.count:
            day = self.minute // MINUTES_PER_DAY
            if not self.days or self.days[-1][0] != day:
                self.days.append([day, 0, 0])
            self.days[-1][1] += self.count
            self.days[-1][2] += self.count * self.count
        oldest = minute // MINUTES_PER_DAY - days
        self.days = [one for one in self.days if one[0] > oldest]
        self.minute = minute
        self.since_minute = self.since_minute or minute
        self.count = self.second = self.in_second = self.peak = 0
        self.placed = self.cancelled = self.short = self.first_ns = self.told = 0
        self.seqs = []

    def add(self, placed: bool, seq: int, now_ns: int, days: int) -> None:
        """Count one message."""
        if now_ns >= self.second_ends_ns:
            self.roll(now_ns, days)
            second = now_ns // NS_PER_SECOND
            self.second_ends_ns = (second + 1) * NS_PER_SECOND
            if second != self.second:
                self.second = second
                self.in_second = 0
        self.in_second += 1
        if self.in_second > self.peak:
            self.peak = self.in_second
        if placed:
            self.placed += 1
        if not self.first_ns:
            self.first_ns = now_ns
        if self.count < SEQS_MAX:
            self.seqs.append(seq)
        self.count += 1

    def minutes_known(self, days: int) -> int:
        """Return how many minutes before this one the history covers."""
        oldest = (self.minute // MINUTES_PER_DAY - days + 1) * MINUTES_PER_DAY
        return self.minute - max(self.since_minute, oldest)

    def sums(self) -> tuple[int, int]:
        """Return sum and sum of squares of the minutes known."""
        return sum(day[1] for day in self.days), sum(day[2] for day in self.days)

    def usual(self, days: int) -> int:
        """Return the mean of the minutes known, rounded down."""
        minutes = self.minutes_known(days)
        return self.sums()[0] // minutes if minutes else 0

    def state(self) -> list[Any]:
        """Return everything as plain values."""
        numbers = [getattr(self, name) for name in _FIELDS]
        return [numbers, list(self.seqs), [[day, total, str(sq)] for day, total, sq in self.days]]

    @classmethod
    def restored(cls, state: Any) -> "_Stuffer":
        """Return what `state` stored."""
        stuffer = cls()
        numbers, seqs, days = state
        for name, value in zip(_FIELDS, numbers, strict=False):
            setattr(stuffer, name, value)
        stuffer.seqs = list(seqs)
        stuffer.days = [[day, total, int(squares)] for day, total, squares in days]
        return stuffer
