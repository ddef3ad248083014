"""Shares of an owner's orders in fixed windows, and what follows when one is reached.

An excess slows the owner in the symbol for a time; from a number of excesses within the memory on
only cancels pass for that time. A share exactly at the maximum is an excess, as the venue words it.
A window has one excess at most, however long the share stays there.
"""

from typing import Any, ClassVar, Final, NamedTuple

from mypy_extensions import mypyc_attr

from rules.book import AccountFacts, Book, OpenOrder
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage
from rules.events import Amend, Event, Place, Replace
from rules.explanations import first_breach, look
from rules.kinds import COMMAND_RESULT
from rules.ratio_clauses import IndicatorClause
from rules.ratio_levels import (
    LEVEL_CANCEL_ONLY,
    LEVEL_NAMES,
    LEVEL_NONE,
    LEVEL_NOTICE,
    LEVEL_SLOW,
    RatioStanding,
)
from rules.reasons import Reason
from rules.recent import Recent
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import decimal_e8, duration_ns, interval_label
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    E8,
    FLAG_TEST,
    NS_PER_SECOND,
    PAIR_SHIFT,
    SCOPE_OWNER_SYMBOL,
    pair_of,
    split_pair,
)

JUDGED: Final[tuple[type[Event], ...]] = (Place, Replace, Amend)
"""What an owner under a measure can't send as he likes; cancels always pass."""


class _Measure(NamedTuple):
    """What follows an excess."""

    level: int
    until_ns: int
    observed_e8: int
    maximum_e8: int
    passed_ns: int
    """When the last message passed, 0 before the first."""


_NO_MEASURE: Final = _Measure(LEVEL_NONE, 0, 0, 0, 0)
_FIXED: Final = len(_NO_MEASURE)
_NO_COUNTS: Final = (0, 0, 0)


class Indicator:
    """Counts and measures of one indicator; `rule` is the name of the rule it belongs to.

    Raises ValueError when a parameter can't be used.
    """

    __slots__ = (
        "_cancel_only_after",
        "_closes_ns",
        "_counts",
        "_label",
        "_lock_ns",
        "_maker_e8",
        "_maximum_e8",
        "_measures",
        "_memory_ns",
        "_minimum",
        "_notice_e8",
        "_rule",
        "_slow_ns",
        "_tiers_e8",
        "_window_ns",
    )

    def __init__(self, rule: str, clause: IndicatorClause) -> None:
        self._rule = rule
        self._window_ns = duration_ns(clause.window)
        if self._window_ns == 0 or self._window_ns % NS_PER_SECOND:
            raise ValueError(f"window `{clause.window}` is not a number of whole seconds")
        self._label = interval_label(self._window_ns)
        self._minimum = clause.minimum_orders
        self._maximum_e8 = _maximum_e8("maximum", clause.maximum)
        self._tiers_e8 = {
            tier: _maximum_e8(f"tiers.{tier}", text) for tier, text in clause.tiers.items()
        }
        makers = clause.market_maker_maximum
        self._maker_e8 = _maximum_e8("market_maker_maximum", makers) if makers else -1
        self._notice_e8 = decimal_e8(clause.notice)
        self._lock_ns = duration_ns(clause.lock)
        self._slow_ns = duration_ns(clause.slow_interval)
        self._cancel_only_after = clause.cancel_only_after
        self._memory_ns = duration_ns(clause.memory)
        self._closes_ns = 0
        self._counts: dict[int, tuple[int, int, int]] = {}
        """Orders, part and whole of the share, by owner and symbol, in the running window."""
        self._measures = Recent(max(self._memory_ns, self._lock_ns, 1))

    @property
    def idle(self) -> bool:
        """Whether no measure is remembered."""
        return not self._measures

    # --- Counting -----------------------------------------------------------------------------

    def count(
        self,
        order: OpenOrder,
        book: Book,
        now_ns: int,
        number: int = 0,
        part: int = 0,
        whole: int = 0,
    ) -> None:
        """Add to an owner's counts, and take a measure when they reach the maximum."""
        if now_ns >= self._closes_ns:
            self._turn(now_ns)
        pair = order.owner << PAIR_SHIFT | order.symbol
        before = self._counts.get(pair, _NO_COUNTS)
        counts = (before[0] + number, before[1] + part, before[2] + whole)
        self._counts[pair] = counts
        if counts[0] >= self._minimum:
            self._judge(pair, counts, book.accounts.get(order.account), book, now_ns)

    def add(
        self,
        owner: int,
        symbol: int,
        account: AccountFacts | None,
        book: Book,
        now_ns: int,
        number: int,
        part: int,
        whole: int,
    ) -> None:
        """Add to the counts of an owner, whose account says by which maximum he is judged."""
        if now_ns >= self._closes_ns:
            self._turn(now_ns)
        pair = pair_of(owner, symbol)
        before = self._counts.get(pair, _NO_COUNTS)
        counts = (before[0] + number, before[1] + part, before[2] + whole)
        self._counts[pair] = counts
        self._judge(pair, counts, account, book, now_ns)

    def same_window(self, at_ns: int, now_ns: int) -> bool:
        """Tell whether what was counted at a time is in the window of now."""
        return at_ns // self._window_ns == now_ns // self._window_ns

    def _turn(self, now_ns: int) -> None:
        self._counts = {}
        self._closes_ns = (now_ns // self._window_ns + 1) * self._window_ns

    def _judge(
        self,
        pair: int,
        counts: tuple[int, int, int],
        account: AccountFacts | None,
        book: Book,
        now_ns: int,
    ) -> None:
        """Take a measure when counts reach the maximum that an account is judged by."""
        maximum_e8 = self._maximum_of(account)
        if maximum_e8 < 0 or not self._reached(counts, maximum_e8):
            return
        if self.idle:
            book.stirred = True
        self._measure(pair, counts, maximum_e8, now_ns)

    def passed(self, event: Any, book: Book, now_ns: int) -> None:
        """Note that a message passed of an owner who is slowed."""
        if not self._measures:
            return
        if getattr(event, "flags", 0) & FLAG_TEST:
            return
        account = book.holder_of(event.key)
        pair = pair_of(account.owner if account is not None else 0, event.symbol)
        stored = self._measures.get(pair)
        if stored is not None and stored[1] > now_ns:
            kept = _Measure(*stored[:_FIXED])._replace(passed_ns=now_ns)
            self._measures.put(pair, (*kept, *stored[_FIXED:]), now_ns)

    def _measure(
        self, pair: int, counts: tuple[int, int, int], maximum_e8: int, now_ns: int
    ) -> None:
        stored = self._measures.get(pair) or _NO_MEASURE
        if now_ns < stored[1]:
            return
        excesses = [at_ns for at_ns in stored[_FIXED:] if now_ns - at_ns < self._memory_ns]
        if not excesses or not self.same_window(excesses[-1], now_ns):
            # A lock shorter than the window is renewed while the share holds: one excess all the same.
            excesses.append(now_ns)
        level = LEVEL_CANCEL_ONLY if len(excesses) >= self._cancel_only_after else LEVEL_SLOW
        found = _Measure(level, now_ns + self._lock_ns, _share_e8(counts), maximum_e8, 0)
        self._measures.put(pair, (*found, *excesses), now_ns)

    def _reached(self, counts: tuple[int, int, int], maximum_e8: int) -> bool:
        number, part, whole = counts
        return number >= self._minimum and whole > 0 and part * E8 >= maximum_e8 * whole

    def _maximum_of(self, account: AccountFacts | None) -> int:
        """Return the share an account is judged by, -1 when it is not judged."""
        if account is None:
            return -1
        if account.flags & ACCOUNT_MARKET_MAKER:
            return self._maker_e8
        return self._tiers_e8.get(account.tier, self._maximum_e8)

    # --- Judging ------------------------------------------------------------------------------

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Return the breach of a message under a measure, None when it passes."""
        if not self._measures:
            return None
        account = book.holder_of(event.key)
        if account is None:
            return None
        pair = pair_of(account.owner, event.symbol)
        retry_ns = self._retry_ns(self._measure_of(pair, now_ns), now_ns)
        if not retry_ns:
            return None
        shown = self.explain(event, book, now_ns)
        return first_breach(shown, SCOPE_OWNER_SYMBOL, pair, retry_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the maximum and the share: that of the excess while a measure holds."""
        account = book.holder_of(event.key)
        owner = account.owner if account is not None else 0
        pair = pair_of(owner, event.symbol)
        measure = self._measure_of(pair, now_ns)
        reason = Reason.TRADING_INDICATOR
        if measure.level:
            passed = not self._retry_ns(measure, now_ns)
            limit, seen = measure.maximum_e8, measure.observed_e8
            return (look(self._rule, passed, reason, limit, seen, LEVEL_NAMES[measure.level]),)
        counts = self._counts_of(pair, now_ns)
        maximum_e8 = self._maximum_of(account)
        detail = f"{counts[0]} of {self._minimum} orders in {self._label}"
        return (look(self._rule, True, reason, max(maximum_e8, 0), _share_e8(counts), detail),)

    def _measure_of(self, pair: int, now_ns: int) -> _Measure:
        stored = self._measures.get(pair)
        if stored is None or now_ns >= stored[1]:
            return _NO_MEASURE
        return _Measure(*stored[:_FIXED])

    def _retry_ns(self, measure: _Measure, now_ns: int) -> int:
        """Return when a message passes again, 0 when it passes now."""
        if measure.level == LEVEL_CANCEL_ONLY:
            return measure.until_ns
        if measure.level == LEVEL_SLOW and measure.passed_ns:
            next_ns = min(measure.passed_ns + self._slow_ns, measure.until_ns)
            return next_ns if next_ns > now_ns else 0
        return 0

    def _counts_of(self, pair: int, now_ns: int) -> tuple[int, int, int]:
        return self._counts.get(pair, (0, 0, 0)) if now_ns < self._closes_ns else (0, 0, 0)

    # --- Looking ------------------------------------------------------------------------------

    def standing(
        self, owner: int, symbol: int, account: AccountFacts | None, now_ns: int
    ) -> RatioStanding:
        """Return how an owner stands in a symbol."""
        pair = pair_of(owner, symbol)
        counts = self._counts_of(pair, now_ns)
        measure = self._measure_of(pair, now_ns)
        maximum_e8 = self._maximum_of(account)
        judged = maximum_e8 >= 0 and counts[0] >= self._minimum and counts[2] > 0
        level, until_ns = measure.level, measure.until_ns
        if not level and judged and counts[1] * E8 * E8 >= maximum_e8 * self._notice_e8 * counts[2]:
            level, until_ns = LEVEL_NOTICE, self._closes_ns
        ratio = _share_e8(counts) if counts[2] > 0 else None
        return RatioStanding(
            self._rule, self._label, True, ratio, maximum_e8, judged, level, until_ns, counts[0],
            self._minimum,
        )  # fmt: skip

    def usage(self, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return the share of an owner and symbol, nothing before the first order."""
        if scope != SCOPE_OWNER_SYMBOL:
            return ()
        counts = self._counts_of(subject, now_ns)
        if counts[2] <= 0:
            return ()
        return (
            Usage(
                self._rule, scope, subject, _share_e8(counts), self._maximum_e8, self._window_ns,
                (now_ns // self._window_ns + 1) * self._window_ns, self._label, True,
            ),
        )  # fmt: skip

    def pairs(self) -> list[tuple[int, int]]:
        """Return owner and symbol of everybody counted in the running window."""
        return [split_pair(pair) for pair in self._counts]

    def state(self) -> Any:
        """Return counts and measures as plain values; counts as text, they may pass 63 bits."""
        return {
            "closes_ns": self._closes_ns,
            "counts": [[pair, *map(str, counts)] for pair, counts in self._counts.items()],
            "measures": self._measures.state(),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._closes_ns = state["closes_ns"]
        self._counts = {
            pair: (int(number), int(part), int(whole))
            for pair, number, part, whole in state["counts"]
        }
        self._measures.restore(state["measures"])


@mypyc_attr(allow_interpreted_subclasses=True)
class IndicatorRule(Rule):
    """Base of the rules that are one indicator: they judge alike, and differ in what they count.

    A subclass sets `name`, `applies` (what it counts, besides `JUDGED`) and `source`, has an
    `IndicatorClause` for its clause, and counts in `answered` and `count`.
    """

    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.TRADING_INDICATOR,)
    wants: ClassVar[tuple[type[Event], ...]] = JUDGED
    heeds_refused: ClassVar[bool] = False
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        self.indicator = Indicator(self.name, getattr(rulebook.clauses, self.name))

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a new order or modification while a measure holds."""
        return self.indicator.check(event, book, now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the maximum and the share in 1e-8."""
        return self.indicator.explain(event, book, now_ns)

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether no measure is remembered."""
        return self.indicator.idle

    def does_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether a message has nothing to be noted of, since no measure is remembered."""
        return kind in JUDGED and self.indicator.idle

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Note what passed while slowed, and count what the engine reports."""
        kind = type(event)
        if kind is COMMAND_RESULT:
            self.answered(event, book, now_ns)
        elif kind not in JUDGED:
            self.count(event, book, now_ns)
        elif decision.verdict == ACCEPTED:
            self.indicator.passed(event, book, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count what the engine made of a command."""

    def count(self, event: Any, book: Book, now_ns: int) -> None:
        """Count an event of `applies` that is neither a message of a client nor a result."""

    def standings(
        self, owner: int, symbol: int, account: AccountFacts | None, now_ns: int
    ) -> tuple[RatioStanding, ...]:
        """Return how an owner stands in a symbol."""
        return (self.indicator.standing(owner, symbol, account, now_ns),)

    def pairs(self) -> list[tuple[int, int]]:
        """Return owner and symbol of everybody counted in the running window."""
        return self.indicator.pairs()

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the share of an owner and symbol in 1e-8."""
        return self.indicator.usage(scope, subject, now_ns)

    def state(self) -> Any:
        """Return the counts of the running window and the measures."""
        return self.indicator.state()

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.indicator.restore(state)


def _share_e8(counts: tuple[int, int, int]) -> int:
    return min(max(counts[1], 0), counts[2]) * E8 // counts[2] if counts[2] > 0 else 0


def _maximum_e8(name: str, text: str) -> int:
    """Return a share in 1e-8; raises ValueError for one that everybody reaches, or nobody."""
    share_e8 = decimal_e8(text)
    if not 0 < share_e8 <= E8:
        raise ValueError(f"{name} `{text}` is no share above 0 and up to 1, such as 0.99")
    return share_e8
