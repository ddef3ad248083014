"""Fixed windows aligned to the UTC clock: counters of what each subject used.

A window's index is the time divided by its length, rounded down, so one minute starts with each
clock minute and one day at 00:00 UTC. A `Window` counts for all subjects at once and forgets them
all when it changes. Limits are kept apart from the counts, so that subjects with different limits
share one counter and keep their counts when their limits change.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from rules.clauses import WindowClause
from rules.decisions import Breach, Explanation, Usage, stored
from rules.reasons import Reason
from rules.units import duration_ns, interval_label

_FREED_PER_ADD: Final = 4
"""Old counts freed with each new one: forgetting a million subjects at once would be a pause."""


class Window:
    """What every subject used in the current window of one length."""

    __slots__ = ("_retired", "closes_ns", "counts", "interval_ns", "label")

    def __init__(self, interval_ns: int) -> None:
        self.interval_ns = interval_ns
        self.label = interval_label(interval_ns)
        """Length as venues write it, such as `1M`."""
        self.closes_ns = 0
        """End of the window that `counts` belongs to; later counts as nothing used."""
        self.counts: dict[int, int] = {}
        """What each subject used in it."""
        self._retired: dict[int, int] = {}

    def used(self, subject: int, now_ns: int) -> int:
        """Return what `subject` has used in the window `now_ns` lies in."""
        return self.counts.get(subject, 0) if now_ns < self.closes_ns else 0

    def end_ns(self, now_ns: int) -> int:
        """Return when the window `now_ns` lies in ends; that moment belongs to the next one."""
        return (now_ns // self.interval_ns + 1) * self.interval_ns

    def add(self, subject: int, amount: int, now_ns: int) -> None:
        """Count `amount` for `subject` in the window `now_ns` lies in."""
        if now_ns >= self.closes_ns:
            self._retired = self.counts
            self.counts = {}
            self.closes_ns = self.end_ns(now_ns)
        counts = self.counts
        counts[subject] = counts.get(subject, 0) + amount
        if self._retired:
            self._free()

    def add_late(self, subject: int, amount: int, arrived_ns: int, now_ns: int) -> None:
        """Count `amount` in the window of `arrived_ns`, or nowhere when that one is over."""
        if arrived_ns // self.interval_ns == now_ns // self.interval_ns:
            self.add(subject, amount, now_ns)

    def give_back(self, subject: int, amount: int, arrived_ns: int, now_ns: int) -> None:
        """Take `amount` off the window of `arrived_ns`, or off none when that one is over."""
        if arrived_ns // self.interval_ns == now_ns // self.interval_ns:
            self.take_off(subject, amount, now_ns)

    def take_off(self, subject: int, amount: int, now_ns: int) -> None:
        """Lower what `subject` has used in the current window, never below 0."""
        used = self.used(subject, now_ns)
        if used:
            self.counts[subject] = max(0, used - amount)

    def state(self) -> Any:
        """Return the counts with the length and end of their window, as plain values."""
        return [self.interval_ns, self.closes_ns, dict(self.counts)]

    def restore(self, end_ns: int, counts: dict[int, int]) -> None:
        """Put back the counts of the window that ends at `end_ns`."""
        self.closes_ns = end_ns
        self.counts = dict(counts)
        self._retired = {}

    def _free(self) -> None:
        retired = self._retired
        for _ in range(min(_FREED_PER_ADD, len(retired))):
            retired.popitem()


Limits: TypeAlias = tuple[tuple[Window, int], ...]
"""Windows with what may be used in each."""


class Windows:
    """The windows of one rule, one for each length it counts over."""

    __slots__ = ("_windows",)

    def __init__(self) -> None:
        self._windows: dict[int, Window] = {}

    def limits(self, clauses: Iterable[WindowClause]) -> Limits:
        """Return the limits of a rulebook's clauses, counted in this object's windows.

        Raises ValueError when a length is no duration or 0, is named twice, or a limit is below 0.
        """
        found: dict[int, tuple[Window, int]] = {}
        for clause in clauses:
            interval_ns = duration_ns(clause.interval)
            if interval_ns == 0:
                raise ValueError(f"interval `{clause.interval}` is no window; write 1s or longer")
            if interval_ns in found:
                raise ValueError(
                    f"interval `{clause.interval}` is limited twice; write one limit for it"
                )
            if clause.limit < 0:
                raise ValueError(
                    f"limit {clause.limit} of interval `{clause.interval}` is below 0; "
                    "write 0 or more"
                )
            window = self._windows.setdefault(interval_ns, Window(interval_ns))
            found[interval_ns] = (window, clause.limit)
        return tuple(found.values())

    def all(self) -> tuple[Window, ...]:
        """Return every window, in the order in which the lengths were first named."""
        return tuple(self._windows.values())

    def state(self) -> Any:
        """Return all counts as plain values."""
        return [window.state() for window in self._windows.values()]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned; lengths that are no longer counted are passed over."""
        for interval_ns, end_ns, counts in state:
            window = self._windows.get(interval_ns)
            if window is not None:
                window.restore(end_ns, counts)


class Excess(NamedTuple):
    """The window that keeps a request out the longest."""

    window: Window
    limit: int
    observed: int
    """What would have been used with the request."""
    retry_ns: int
    """End of the window, 0 when the request alone is more than the limit."""


def admits(limits: Limits, subject: int, amount: int, now_ns: int) -> bool:
    """Return whether `subject` may use `amount` more in every window."""
    for window, limit in limits:
        # `Window.used` spelled out: this line is passed several times for every request.
        used = window.counts.get(subject, 0) if now_ns < window.closes_ns else 0
        if used + amount > limit:
            return False
    return True


def excess(limits: Limits, subject: int, amount: int, now_ns: int) -> Excess | None:
    """Return the exceeded window with the longest wait, None when `amount` more is admitted.

    An amount above a limit never passes, which is the longest wait of all. Of equal waits the one
    named first in the rulebook counts.
    """
    longest: Excess | None = None
    for window, limit in limits:
        observed = window.used(subject, now_ns) + amount
        if observed <= limit:
            continue
        if amount > limit:
            return Excess(window, limit, observed, 0)
        end_ns = window.end_ns(now_ns)
        if longest is None or end_ns > longest.retry_ns:
            longest = Excess(window, limit, observed, end_ns)
    return longest


def breach(
    rule: str, reason: Reason, limits: Limits, scope: int, subject: int, amount: int, now_ns: int
) -> Breach | None:
    """Return the breach of `rule` when `subject` may not use `amount` more, else None."""
    found = excess(limits, subject, amount, now_ns)
    if found is None:
        return None
    return Breach(
        rule=rule,
        reason=reason,
        limit=stored(found.limit),
        observed=stored(found.observed),
        retry_ns=found.retry_ns,
        scope=scope,
        subject=subject,
        window_ns=found.window.interval_ns,
        detail=found.window.label,
    )


def explanations(
    rule: str, reason: Reason, limits: Limits, subject: int, amount: int, now_ns: int
) -> tuple[Explanation, ...]:
    """Return limit and would-be use of every window; the one `breach` names comes first."""
    named = excess(limits, subject, amount, now_ns)
    first: list[Explanation] = []
    others: list[Explanation] = []
    for window, limit in limits:
        observed = window.used(subject, now_ns) + amount
        passed = observed <= limit
        explanation = Explanation(
            rule, passed, None if passed else reason, stored(limit), stored(observed), window.label
        )
        target = first if named is not None and named.window is window else others
        target.append(explanation)
    return (*first, *others)


def lengths_and_uses(limits: Limits, subject: int, now_ns: int) -> tuple[int, ...]:
    """Return length (ns) and use of every window, one after the other."""
    found: list[int] = []
    for window, _ in limits:
        found.append(window.interval_ns)
        found.append(window.counts.get(subject, 0) if now_ns < window.closes_ns else 0)
    return tuple(found)


def usages(
    rule: str, limits: Limits, scope: int, subject: int, now_ns: int, prefix: str = ""
) -> tuple[Usage, ...]:
    """Return the use of every window; `prefix` goes before the window's label."""
    return tuple(
        [
            Usage(
                rule,
                scope,
                subject,
                window.used(subject, now_ns),
                limit,
                window.interval_ns,
                window.end_ns(now_ns),
                prefix + window.label,
            )
            for window, limit in limits
        ]
    )
