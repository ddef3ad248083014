"""Counts of each owner and symbol over the session and over a rolling window, from one set of sums.

Each pair keeps sums that only grow, and remembers what they were when the session began and at the
first count in each step of the rolling window. What was counted in a time is a difference of two of
these. So what is taken back later (a refusal, a busted trade) is taken back in the time in which it
was counted, and in no other.
"""

from typing import Any

from rules.ratio_counts import RatioCounts
from rules.values import INT63_MAX, NS_PER_DAY, PAIR_SHIFT, pair_of, split_pair


class PairCounts:
    """The sums of one owner and symbol; `total` is what is counted up."""

    __slots__ = (
        "base",
        "before",
        "marked_until_ns",
        "marks",
        "passed_ns",
        "quiet_below",
        "session",
        "total",
    )

    def __init__(self, session: int) -> None:
        self.session = session
        """The session of the last count."""
        self.total = RatioCounts()
        self.base = RatioCounts()
        """The sums when that session began."""
        self.before = RatioCounts()
        """Counts of the session before it."""
        self.marks: list[tuple[int, RatioCounts]] = []
        """The sums at the first count of each step, by the step's number, oldest first."""
        self.marked_until_ns = 0
        """When the step of the last of them ends."""
        self.passed_ns = 0
        """When the last message passed that a slowed owner sends one at a time."""
        self.quiet_below = 0
        """With fewer messages in `total` no ratio is judged; it follows from the other values."""

    def state(self) -> list[Any]:
        """Return everything as plain values."""
        return [
            self.session,
            self.total.state(),
            self.base.state(),
            self.before.state(),
            [[step, counts.state()] for step, counts in self.marks],
            self.passed_ns,
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.session, total, base, before, marks, self.passed_ns = state
        self.total.restore(total)
        self.base.restore(base)
        self.before.restore(before)
        self.marks = [(step, _restored(counts)) for step, counts in marks]


class RatioWindows:
    """The pairs that traded in this session or the one before; older ones are let go.

    A session is a day that begins `session_offset_ns` after 00:00 UTC. The rolling window is made
    of whole steps: it covers the step a moment lies in and those before, `rolling_ns` in all. With
    `rolling_ns` 0 there is none. Raises ValueError when the steps don't fill the window.
    """

    __slots__ = (
        "_ends_ns",
        "_older",
        "_pairs",
        "_session",
        "judged_from",
        "offset_ns",
        "rolling_judged_from",
        "rolling_ns",
        "step_ns",
        "steps",
    )

    def __init__(self, session_offset_ns: int, rolling_ns: int, step_ns: int) -> None:
        if rolling_ns and (step_ns == 0 or rolling_ns % step_ns):
            raise ValueError("rolling is not a whole number of times rolling_step")
        self.offset_ns = session_offset_ns
        self.rolling_ns = rolling_ns
        self.step_ns = step_ns
        self.steps = rolling_ns // step_ns if rolling_ns else 0
        self.judged_from = -1
        """From how many messages of a session on its ratios are judged, -1 for never."""
        self.rolling_judged_from = -1
        """The same of the rolling window."""
        self._session = 0
        self._ends_ns = 0
        """When the session of the last event ends, 0 before it is known."""
        self._pairs: dict[int, PairCounts] = {}
        """By owner and symbol as one number (`values.pair_of`), as in `_older`."""
        self._older: dict[int, PairCounts] = {}

    def session_at(self, now_ns: int) -> int:
        """Return the number of the session a moment lies in."""
        return (now_ns - self.offset_ns) // NS_PER_DAY

    def session_ends_ns(self, now_ns: int) -> int:
        """Return when that session ends; this moment belongs to the next one."""
        return (self.session_at(now_ns) + 1) * NS_PER_DAY + self.offset_ns

    @property
    def ends_ns(self) -> int:
        """When the session of the last event ends, 0 before it is known."""
        return self._ends_ns

    def roll(self, now_ns: int) -> None:
        """Begin a new session when `now_ns` lies in one."""
        if now_ns < self._ends_ns:
            return
        session = self.session_at(now_ns)
        self._ends_ns = self.session_ends_ns(now_ns)
        if session > self._session:
            self._older = self._pairs if session == self._session + 1 else {}
            self._pairs = {}
            self._session = session

    def at(self, owner: int, symbol: int, now_ns: int) -> PairCounts:
        """Return a pair's sums to be counted up at `now_ns`, which `roll` has been told."""
        pair = self._pairs.get(owner << PAIR_SHIFT | symbol)
        if pair is None:
            pair = self._take_up(owner << PAIR_SHIFT | symbol)
        if now_ns >= pair.marked_until_ns and self.steps:
            self._mark(pair, now_ns // self.step_ns)
        return pair

    def _take_up(self, key: int) -> PairCounts:
        """Begin a pair's counts of the session."""
        pair = self._older.pop(key, None)
        if pair is None:
            pair = PairCounts(self._session)
        else:
            pair.before = pair.total.plus(pair.base, -1)
            pair.base = pair.total.plus(RatioCounts())
            pair.session = self._session
        self._pairs[key] = pair
        self._quieten(pair)
        return pair

    def _mark(self, pair: PairCounts, step: int) -> None:
        marks = pair.marks
        pair.marked_until_ns = (step + 1) * self.step_ns
        if marks and marks[-1][0] >= step:
            return
        marks.append((step, pair.total.plus(RatioCounts())))
        while marks[0][0] <= step - self.steps:
            del marks[0]
        self._quieten(pair)

    def _quieten(self, pair: PairCounts) -> None:
        """Find out anew below which number of messages no ratio is judged.

        What leaves the rolling window meanwhile only raises that number.
        """
        below = INT63_MAX
        if self.judged_from >= 0:
            below = pair.base.number + self.judged_from
        if self.rolling_judged_from >= 0 and pair.marks:
            below = min(below, pair.marks[0][1].number + self.rolling_judged_from)
        pair.quiet_below = below

    def find(self, owner: int, symbol: int) -> PairCounts | None:
        """Return a pair's sums, None when it is not known; not to be counted up."""
        key = owner << PAIR_SHIFT | symbol
        return self._pairs.get(key) or self._older.get(key)

    def pairs(self) -> list[tuple[int, int]]:
        """Return the owner and symbol of every pair with counts in the last session."""
        return [split_pair(key) for key in self._pairs]

    def take_back(self, pair: PairCounts, counts: RatioCounts, counted_ns: int) -> None:
        """Take `counts` back from the time in which they were counted."""
        pair.total = pair.total.plus(counts, -1)
        session = self.session_at(counted_ns)
        if session < pair.session:
            pair.base = pair.base.plus(counts, -1)
            if session == pair.session - 1:
                pair.before = pair.before.plus(counts, -1)
        if self.steps:
            step = counted_ns // self.step_ns
            pair.marks = [
                (number, sums.plus(counts, -1) if number > step else sums)
                for number, sums in pair.marks
            ]
        self._quieten(pair)

    def session_counts(self, owner: int, symbol: int, now_ns: int) -> RatioCounts | None:
        """Return the counts of the session `now_ns` lies in, None without any."""
        pair = self.find(owner, symbol)
        base = self.session_base(pair, now_ns) if pair is not None else None
        return pair.total.plus(base, -1) if pair is not None and base is not None else None

    def session_base(self, pair: PairCounts, now_ns: int) -> RatioCounts | None:
        """Return what a pair's sums were when the session of `now_ns` began, None without counts."""
        same = now_ns < self._ends_ns and pair.session == self._session
        return pair.base if same or pair.session == self.session_at(now_ns) else None

    def last_session(self, owner: int, symbol: int, back: int = 0) -> RatioCounts:
        """Return the counts of the session of the last event, or of the one `back` before it."""
        pair = self.find(owner, symbol)
        if pair is None:
            return RatioCounts()
        if pair.session == self._session - back:
            return pair.total.plus(pair.base, -1)
        return pair.before if back and pair.session == self._session else RatioCounts()

    def rolling_counts(self, owner: int, symbol: int, now_ns: int) -> RatioCounts | None:
        """Return the counts of the rolling window at `now_ns`, None without any."""
        pair = self.find(owner, symbol)
        return self.rolling_of(pair, now_ns) if pair is not None else None

    def rolling_of(self, pair: PairCounts, now_ns: int) -> RatioCounts | None:
        """Return a pair's counts of the rolling window at `now_ns`, None without any."""
        base = self.rolling_base(pair, now_ns)
        return pair.total.plus(base, -1) if base is not None else None

    def rolling_base(self, pair: PairCounts, now_ns: int) -> RatioCounts | None:
        """Return what a pair's sums were when the rolling window began, None without any counts."""
        oldest = now_ns // self.step_ns - self.steps
        for step, sums in pair.marks:
            if step > oldest:
                return sums
        return None

    def changes_ns(self, owner: int, symbol: int) -> list[int]:
        """Return the times at which something leaves a pair's rolling window, in order."""
        pair = self.find(owner, symbol)
        if pair is None:
            return []
        return [(step + self.steps) * self.step_ns for step, _ in pair.marks]

    def state(self) -> Any:
        """Return everything as plain values."""
        return {
            "session": self._session,
            "pairs": _pairs_state(self._pairs),
            "older": _pairs_state(self._older),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._session, self._ends_ns = state["session"], 0
        self._pairs = _restored_pairs(state["pairs"])
        self._older = _restored_pairs(state["older"])
        for pairs in (self._pairs, self._older):
            for pair in pairs.values():
                self._quieten(pair)


def _restored(state: Any) -> RatioCounts:
    counts = RatioCounts()
    counts.restore(state)
    return counts


def _pairs_state(pairs: dict[int, PairCounts]) -> list[Any]:
    return [[*split_pair(key), pair.state()] for key, pair in pairs.items()]


def _restored_pairs(state: Any) -> dict[int, PairCounts]:
    restored = {}
    for owner, symbol, stored in state:
        pair = restored[pair_of(owner, symbol)] = PairCounts(0)
        pair.restore(stored)
    return restored
