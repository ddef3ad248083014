"""Owners of whom no link is known, who take at the same moments again and again."""

from collections import deque
from typing import Any, ClassVar, Final

from rules.answers import WITH_FILLS
from rules.book import Book
from rules.decisions import Decision
from rules.events import Event
from rules.executions import EXECUTIONS, Take, take_of
from rules.patterns import at_least, indicate, raised, share_e8, share_of
from rules.period_counts import PeriodCounts
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns

RECENT_MAX: Final = 16
"""Orders of one symbol that a new one is compared with, the latest."""
ORDERS_BEFORE: Final = 3
"""An owner's first orders in a stretch are compared with none: most owners take once or twice."""
SEQS_MAX: Final = 16
"""Orders of one pair that are named as evidence, the latest."""
_ENTRY_FIXED: Final = 4
"""Values before the interests in an order's or an owner's entry."""
_PAIR_FIXED: Final = 2
"""Counts of a pair before its records, two for each time the owners came together."""
_PAIR_MAX: Final = _PAIR_FIXED + 2 * SEQS_MAX


class Clusters(Rule):
    """Tell of owners who act in time with each other though no link between them is known.

    Looked at are orders that took liquidity in one symbol. Two of different owners that took within
    `apart` of each other came together; each order meets another owner once, and an owner's first
    three in a stretch meet nobody. In a stretch of the clock of the length `window` two owners act
    in time when they came together `together` times, which is `share` of the orders of the one of
    them who took more often, and `by_chance` times what independent orders would meet: with m and n
    orders in a time t, 2 m n `apart` / t. An owner who acts in time with others, so that they are
    `owners` with him, is told of with all of them, each once in the stretch. Linked owners are one
    here: what they do together is for the other rules. Trades of other channels count, by the drop
    copy. Source: FSC, 5 November 2025 (several persons trading by API several times a second); FSS,
    notice of 13 April 2026, cases 1 and 3. The numbers are ours.
    """

    name: ClassVar[str] = "clusters"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = EXECUTIONS
    results: ClassVar[int] = WITH_FILLS
    source: ClassVar[str] = "FSC 5 November 2025; FSS notice of 13 April 2026, cases 1 and 3"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.clusters
        self._apart_ns = duration_ns(clause.apart)
        self._share_e8 = share_e8(clause.share)
        window_ns = duration_ns(clause.window)
        self._recent: dict[int, deque[list[int]]] = {}
        """[time, interest, order, record, interests met...] of orders that took, by symbol."""
        self._takes: PeriodCounts[tuple[int, ...]] = PeriodCounts(window_ns, 0, 4)
        """[orders, told, account, owner, interests in time with...] by symbol and interest."""
        self._pairs: PeriodCounts[tuple[int, ...]] = PeriodCounts(window_ns, 0, 2)
        """[together, since, records...] by symbol and two interests, the smaller first."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up an order that took."""
        take = take_of(event, book)
        if take is not None and take.owner:
            self._took(take, book, now_ns)

    def _took(self, take: Take, book: Book, now_ns: int) -> None:
        interest = book.conduct.interest_of(take.owner)
        recent = self._recent.get(take.symbol)
        if recent is None:
            recent = self._recent[take.symbol] = deque(maxlen=RECENT_MAX)
        while recent and recent[0][0] < now_ns - self._apart_ns:
            recent.popleft()
        if any(one[2] == take.order_id for one in recent):
            # A further execution of an order that was counted.
            return
        own = self._takes.use((take.symbol, interest), now_ns)
        own[0] += 1
        own[2], own[3] = take.account, take.owner
        if own[0] <= ORDERS_BEFORE:
            return
        entry = [now_ns, interest, take.order_id, book.current_seq]
        for one in recent:
            other = one[1]
            if other != interest and not _met(one, interest) and not _met(entry, other):
                one.append(interest)
                entry.append(other)
                self._count(take.symbol, interest, own, one, book, now_ns)
        recent.append(entry)
        if len(own) - _ENTRY_FIXED + 1 >= self._clause.owners:
            self._tell(take.symbol, interest, own, book, now_ns)

    def _count(
        self, symbol: int, interest: int, own: list[int], one: list[int], book: Book, now_ns: int
    ) -> None:
        """Count that two owners came together; note when it is far too often."""
        other = one[1]
        pair = self._pairs.use(_pair(symbol, interest, other), now_ns)
        pair[0] += 1
        pair[1] = pair[1] or one[0]
        pair.append(one[3])
        pair.append(book.current_seq)
        if len(pair) > _PAIR_MAX:
            del pair[_PAIR_FIXED : -2 * SEQS_MAX]
        clause = self._clause
        if pair[0] < clause.together or _met(own, other):
            return
        others = self._takes.use((symbol, other), now_ns)
        needed = min(
            raised(clause.together, clause, account, book) for account in (own[2], others[2])
        )
        if pair[0] < needed or not at_least(pair[0], self._share_e8, max(own[0], others[0])):
            return
        elapsed_ns = now_ns - self._takes.since_ns(now_ns)
        if pair[0] * elapsed_ns < clause.by_chance * 2 * own[0] * others[0] * self._apart_ns:
            return
        own.append(other)
        others.append(interest)

    def _tell(self, symbol: int, interest: int, own: list[int], book: Book, now_ns: int) -> None:
        """Tell of an owner and those who act in time with him, each once."""
        members = (interest, *own[_ENTRY_FIXED:])
        seqs: list[int] = []
        since_ns, together, share = now_ns, 0, 0
        for other in own[_ENTRY_FIXED:]:
            pair = self._pairs.use(_pair(symbol, interest, other), now_ns)
            others = self._takes.use((symbol, other), now_ns)
            since_ns = min(since_ns, pair[1])
            part = share_of(pair[0], max(own[0], others[0]))
            if not together or pair[0] < together:
                together = pair[0]
            share = part if not share else min(share, part)
            seqs.extend(pair[2:])
        figures = (("owners", len(members)), ("together", together), ("share_e8", share))
        owners = tuple(
            dict.fromkeys(owner for member in members for owner in book.conduct.owners_of(member))
        )
        for member in members:
            entry = self._takes.use((symbol, member), now_ns)
            if not entry[1]:
                entry[1] = 1
                indicate(
                    book, self.name, self._clause, (member, symbol), since_ns, sorted(seqs),
                    figures, owners,
                )  # fmt: skip

    def state(self) -> Any:
        """Return orders and counts as plain values."""
        return {
            "recent": [
                [symbol, [list(one) for one in recent]] for symbol, recent in self._recent.items()
            ],
            "takes": self._takes.state(list),
            "pairs": self._pairs.state(list),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._recent = {
            symbol: deque((list(one) for one in recent), maxlen=RECENT_MAX)
            for symbol, recent in state["recent"]
        }
        self._takes.restore(state["takes"], tuple)
        self._pairs.restore(state["pairs"], tuple)


def _met(entry: list[int], interest: int) -> bool:
    """Return whether an interest is among those in an order's or an owner's entry."""
    return len(entry) > _ENTRY_FIXED and interest in entry[_ENTRY_FIXED:]


def _pair(symbol: int, one: int, other: int) -> tuple[int, ...]:
    return (symbol, one, other) if one < other else (symbol, other, one)
