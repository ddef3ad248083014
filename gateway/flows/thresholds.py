"""Thresholds from an operator's own flow: what is usual, and whom each threshold would hit.

For each limit the most that each subject ever used is kept (for ages of cancels, each age). From
these come percentiles, how many subjects lie beyond each, and a suggestion: the strictest
percentile's value that hits at most a given share of the subjects, or of the messages where each
message is judged by itself.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.fees.meter import ratio_rules
from gateway.logview.measures import measured
from rules.book import Book
from rules.decisions import Decision
from rules.events import Event, Request
from rules.pipeline import Pipeline
from rules.values import (
    SCOPE_ACCOUNT,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_IP,
    SCOPE_NAMES,
    pair_of,
)

PERMILLES_ABOVE: Final = (500, 900, 950, 990, 999, 1000)
PERMILLES_BELOW: Final = (10, 50, 100, 250, 500)
HIT_SHARE_PERMILLE: Final = 10
"""A suggestion hits at most so many of a thousand subjects."""
_USED: Final = ("order_count", "request_weight", "raw_requests", "max_num_orders")
_EXPLAINED: Final = ("order_size", "order_value")
_AGED: Final = "resting_time"


class Candidate(msgspec.Struct, frozen=True):
    """One threshold that could be set."""

    percentile: str
    threshold: str
    subjects_hit: int
    """Whom it would have hit at least once."""
    messages_hit: int | None = None
    """How many messages it would have hit; None where only the most of each subject is kept."""


class Suggestion(msgspec.Struct, frozen=True):
    """What was seen of one limit, and what could be set."""

    rule: str
    label: str
    symbol: str | None
    subject: str
    """What it is counted for: owner and symbol, account, address."""
    hits_when: str
    """`above` or `below` the threshold."""
    subjects: int
    """Subjects that were judged: for a ratio, those that reached its minimum."""
    most_counted: int
    """For a ratio the most that was counted in a window; compare it with the minimum."""
    minimum: int
    limit: str | None
    """The limit in the rulebook, None where there is none. Where it is not the same for all, as
    with tiers and market makers, its least and its greatest: `100 to 1000`, `0.99 or none`."""
    hit_by_limit: int
    """Subjects beyond what holds for each of them."""
    candidates: list[Candidate]
    suggested: str | None
    """None where nobody was judged, or nothing was used."""
    suggested_hits: int


class _Series:
    """The values of one limit."""

    def __init__(self, subject: str, below: bool = False) -> None:
        self.subject = subject
        self.below = below
        self.every: list[int] = []
        """Every value, where messages are judged one by one."""
        self.peaks: dict[int, int] = {}
        """The most of each subject, or for `below` the least."""
        self.limits: dict[int, int | None] = {}
        """The limit of each subject, None where none holds."""
        self.most_counted = 0
        self.minimum = 0

    def see(self, subject: int, value: int) -> None:
        if self.below:
            self.every.append(value)
        known = self.peaks.get(subject)
        if known is None or (value < known if self.below else value > known):
            self.peaks[subject] = value

    def hit_by_limit(self) -> int:
        """Return how many subjects were beyond their own limit."""
        limits = ((peak, self.limits.get(subject)) for subject, peak in self.peaks.items())
        return sum(_hits((peak,), limit, self.below) for peak, limit in limits if limit is not None)


class Thresholds:
    """Watches a pipeline: told `before` each event, and `take` its decision."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, int], _Series] = {}

    def follow(self, pipeline: Pipeline) -> None:
        """Look at this pipeline from here on."""
        self._pipeline = pipeline
        self._book: Book = pipeline.book
        self._ratios = ratio_rules(pipeline.rules)

    def before(self, event: Event, now_ns: int) -> None:
        """Look at what rules see of a request before it is decided."""
        if not isinstance(event, Request):
            return
        symbol = getattr(event, "symbol", 0)
        for name in (_AGED, *_EXPLAINED):
            rule = self._pipeline.rule(name)
            if rule is None or type(event) not in rule.wants:
                continue
            try:
                looks = rule.explain(event, self._book, now_ns)
            except LookupError:
                continue
            owner = self._owner(event.key)
            for look in looks:
                seen, limit = int(look.observed or 0), int(look.limit or 0)
                if name == _AGED and look.detail.startswith(("no open", "the order is exempt")):
                    continue
                aged = name == _AGED
                series = self._of(name, look.detail if not aged else "age", symbol, aged)
                series.limits[pair_of(owner, symbol)] = limit or None
                series.see(pair_of(owner, symbol), seen)

    def take(self, event: Event, decision: Decision, course: Decision, now_ns: int) -> None:
        """Look at what is used after a request was decided."""
        if not isinstance(event, Request):
            return
        account = self._book.accounts.get(self._book.account_of(event.key))
        if account is None:
            return
        subjects = [(SCOPE_ACCOUNT, account.account)]
        symbol = getattr(event, "symbol", 0)
        # A query may be about no symbol, and a refused request about one that nobody knows.
        if symbol in self._book.symbols:
            subjects.append((SCOPE_ACCOUNT_SYMBOL, pair_of(account.account, symbol)))
            for rule in self._ratios:
                for one in rule.standings(account.owner, symbol, account, now_ns):
                    series = self._of(one.rule, one.label, 0)
                    series.most_counted = max(series.most_counted, one.counted)
                    series.minimum = one.minimum
                    subject = pair_of(account.owner, symbol)
                    series.limits[subject] = one.maximum_e8 if one.maximum_e8 >= 0 else None
                    if one.ratio_e8 is not None and one.counted >= one.minimum:
                        series.see(subject, one.ratio_e8)
        for scope, subject in (*subjects, (SCOPE_IP, event.ip)):
            for name in _USED:
                for usage in self._pipeline.usage(name, scope, subject, now_ns):
                    series = self._of(name, usage.label, 0, scope=scope)
                    series.limits[subject] = usage.limit or None
                    series.see(subject, usage.used)

    def _owner(self, key: int) -> int:
        account = self._book.accounts.get(self._book.account_of(key))
        return account.owner if account is not None else 0

    def _of(
        self, rule: str, label: str, symbol: int, below: bool = False, scope: int = 0
    ) -> _Series:
        key = (rule, label, symbol)
        series = self._series.get(key)
        if series is None:
            subject = SCOPE_NAMES[scope] if scope else "owner and symbol"
            series = self._series[key] = _Series(subject, below)
        return series

    # --- Report -------------------------------------------------------------------------------

    def suggestions(self, hit_share_permille: int = HIT_SHARE_PERMILLE) -> list[Suggestion]:
        """Return what was seen of every limit, in the order of rules."""
        order = [rule.name for rule in self._pipeline.rules]
        return [
            self._suggestion(*key, series, hit_share_permille)
            for key, series in sorted(
                self._series.items(), key=lambda item: (order.index(item[0][0]), item[0])
            )
        ]

    def _suggestion(
        self, rule: str, label: str, symbol: int, series: _Series, share_permille: int
    ) -> Suggestion:
        peaks = series.peaks.values()
        # Where every message is judged, percentiles and the share to be hit are of messages.
        values = sorted(series.every or peaks)
        ratio = any(one.name == rule for one in self._ratios)
        candidates = []
        suggested, suggested_hits = None, 0
        permilles = PERMILLES_BELOW if series.below else PERMILLES_ABOVE
        for permille in permilles:
            if not values:
                break
            value = values[-(-permille * len(values) // 1000) - 1]
            hits = _hits(values, value, series.below)
            text = _text(value, rule, ratio)
            candidates.append(
                Candidate(
                    f"p{permille / 10:g}",
                    text,
                    _hits(peaks, value, series.below),
                    hits if series.every else None,
                )
            )
            # A limit of nothing would let nobody do anything.
            fits = hits * 1000 <= share_permille * len(values) and (value > 0 or series.below)
            if fits and (suggested is None or series.below):
                suggested, suggested_hits = text, _hits(peaks, value, series.below)
        facts = self._book.symbols.get(symbol)
        return Suggestion(
            rule=rule,
            label=label,
            symbol=facts.name if facts is not None else None,
            subject=series.subject,
            hits_when="below" if series.below else "above",
            subjects=len(peaks),
            most_counted=series.most_counted,
            minimum=series.minimum,
            limit=_limits_text(series.limits.values(), rule, ratio),
            hit_by_limit=series.hit_by_limit(),
            candidates=candidates,
            suggested=suggested,
            suggested_hits=suggested_hits,
        )


def _hits(values: Iterable[int], threshold: int, below: bool) -> int:
    if below:
        return sum(value < threshold for value in values)
    return sum(value > threshold for value in values)


def _limits_text(limits: Iterable[int | None], rule: str, ratio: bool) -> str | None:
    """Return the limits of all subjects, None where none has one."""
    distinct = set(limits)
    held = sorted(limit for limit in distinct if limit is not None)
    if not held:
        return None
    text = " to ".join(_text(limit, rule, ratio) for limit in dict.fromkeys((held[0], held[-1])))
    return f"{text} or none" if None in distinct else text


def _text(value: int, rule: str, ratio: bool) -> str:
    return measured(value, rule) if not ratio else measured(value, "order_to_trade")
