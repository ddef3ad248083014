"""The order-to-trade ratio of RTS 9 (Delegated Regulation (EU) 2017/566), by number and by volume.

Counted per owner and symbol over a session, as Art. 3 and the Annex say, and over a rolling window:

    ratio = orders / max(transactions, floor) - 1

Messages of the Annex: a new order counts 1, a cancel 1, a modification 2 (cancel and insert), an
IOC or FOK order 1 more when what is left of it is deleted. A message that deletes several orders
counts each of them. A quote is an order on each side and a list is its legs, so a quote counts 2 and
its modification 4 (`rules.ratio_counts.ANNEX`). Every execution, partial ones too, is one
transaction; an annulled one is taken back. Volume is in base asset: submitted plus deleted quantity,
a modification being a deletion and a submission, against executed quantity.

Left out (Art. 1(a)) are cancels by a kill, a lost session, a halt, self-trade prevention, expiry or
the engine: nobody but the client's own cancel counts.
"""

import re
from typing import Any, ClassVar, Final, NamedTuple

from rules.book import AccountFacts, Book
from rules.clauses import OrderToTradeClause
from rules.decisions import Breach, Decision, Explanation, Usage
from rules.events import Amend, Event, Place, Replace
from rules.explanations import look
from rules.message_counter import COUNTED, MessageCounter
from rules.ratio_counts import RatioCounts, ratio_e8
from rules.ratio_levels import (
    LEVEL_CANCEL_ONLY,
    LEVEL_NAMES,
    LEVEL_NONE,
    LEVEL_NOTICE,
    LEVEL_SLOW,
    Grades,
    RatioStanding,
)
from rules.ratio_windows import PairCounts, RatioWindows
from rules.reasons import Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import decimal_e8, duration_ns, interval_label
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    E8,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    SCOPE_OWNER_SYMBOL,
    pair_of,
    split_pair,
)

_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class _Form(NamedTuple):
    """One of the ratios: by number or volume, over the session or the rolling window."""

    label: str
    volume: bool
    rolling: bool
    maximum_e8: int
    """-1 where it is only counted."""
    minimum: int
    """No judgement before so many counted messages."""


class OrderToTrade(Rule):
    """Count orders and transactions of each owner and symbol; refuse above a maximum, if any.

    Source: RTS 9 Art. 1, Art. 3 and Annex. The ratio is judged as it stands before the message,
    once a window's counted messages reach its minimum. The answer is graduated (`rules.ratio_levels`):
    from a share of the maximum on the client is told, above it it is slowed to one message per
    interval, above a multiple of it only cancels pass. Cancels are never refused.
    """

    name: ClassVar[str] = "order_to_trade"
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.ORDER_TO_TRADE_RATIO,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = COUNTED
    source: ClassVar[str] = "Delegated Regulation (EU) 2017/566 (RTS 9), Art. 1, Art. 3 and Annex"
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.order_to_trade
        rolling_ns = duration_ns(clause.rolling)
        self._windows = RatioWindows(
            _session_offset_ns(clause), rolling_ns, duration_ns(clause.rolling_step)
        )
        self._messages = MessageCounter(self._windows, clause.count_rejects)
        self._forms = _forms(clause, rolling_ns)
        self._judged = tuple(form for form in self._forms if form.maximum_e8 >= 0)
        self._judges_rolling = any(form.rolling for form in self._judged)
        self._windows.judged_from = _judged_from(self._judged, rolling=False)
        self._windows.rolling_judged_from = _judged_from(self._judged, rolling=True)
        self._floor_trades = clause.floor_trades
        self._floor_volume_e8 = decimal_e8(clause.floor_volume)
        self._market_maker_factor = clause.market_maker_factor
        self._grades = Grades(
            decimal_e8(clause.notice),
            decimal_e8(clause.cancel_only),
            duration_ns(clause.slow_interval),
        )
        if self._grades.cancel_only_e8 < E8:
            raise ValueError(f"cancel_only `{clause.cancel_only}` is below 1, the maximum itself")

    def check(self, event: Any, book: Book, now_ns: int) -> Breach | None:
        """Refuse a new order or modification while a ratio of its owner is above the maximum."""
        account = book.holder_of(event.key)
        owner = account.owner if account is not None else 0
        pair = self._windows.find(owner, event.symbol)
        if pair is None or pair.total.number < pair.quiet_below:
            return None
        if self._below(pair, account, now_ns):
            return None
        standings = self.standings(owner, event.symbol, account, now_ns)
        refused = [one for one in standings if self._retry_ns(one, owner, event.symbol, now_ns)]
        if not refused:
            return None
        shown = self._explanation(refused[0], passed=False)
        return Breach(
            rule=self.name,
            reason=Reason.ORDER_TO_TRADE_RATIO,
            limit=shown.limit,
            observed=shown.observed,
            retry_ns=max(self._retry_ns(one, owner, event.symbol, now_ns) for one in refused),
            scope=SCOPE_OWNER_SYMBOL,
            subject=pair_of(owner, event.symbol),
            window_ns=self._windows.rolling_ns if refused[0].rolling else NS_PER_DAY,
            detail=shown.detail,
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether no ratio has a maximum."""
        return not self._judged

    def _below(self, pair: PairCounts, account: AccountFacts | None, now_ns: int) -> bool:
        """Tell whether no ratio is above its maximum: what nearly every message needs to know."""
        windows, total = self._windows, pair.total
        session = windows.session_base(pair, now_ns)
        rolling = windows.rolling_base(pair, now_ns) if self._judges_rolling else None
        maker = account is not None and account.flags & ACCOUNT_MARKET_MAKER
        for _, volume, is_rolling, maximum_e8, minimum in self._judged:
            base = rolling if is_rolling else session
            if base is None:
                continue
            number = total.number - base.number
            if number < minimum or not number:
                continue
            if volume:
                ordered = total.volume_e8 - base.volume_e8
                traded = max(total.volume_traded_e8 - base.volume_traded_e8, self._floor_volume_e8)
            else:
                ordered = number
                traded = max(total.trades - base.trades, self._floor_trades)
            if maker:
                maximum_e8 *= self._market_maker_factor
            # Without rounding: ordered / traded - 1 > maximum, and nothing divides by zero.
            if traded and (ordered - traded) * E8 > maximum_e8 * traded:
                return False
        return True

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return maximum and ratio in 1e-8, by number and by volume."""
        account = book.holder_of(event.key)
        owner = account.owner if account is not None else 0
        return tuple(
            self._explanation(one, not self._retry_ns(one, owner, event.symbol, now_ns))
            for one in self.standings(owner, event.symbol, account, now_ns)
        )

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count a client's message, or what the engine reports of executions and deletions."""
        self._messages.take(event, decision, book, now_ns)

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Count what the engine made of a command."""
        self._messages.answered(result, book, now_ns)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the ratios of an owner and symbol in 1e-8, without those not yet defined.

        `scope` is SCOPE_OWNER_SYMBOL and `subject` what `values.pair_of` returns; a limit of 0 means
        that the ratio is counted and never refused.
        """
        if scope != SCOPE_OWNER_SYMBOL:
            return ()
        owner, symbol = split_pair(subject)
        session_ends_ns = self._windows.session_ends_ns(now_ns)
        return tuple(
            Usage(
                self.name,
                scope,
                subject,
                one.ratio_e8,
                max(one.maximum_e8, 0),
                self._windows.rolling_ns if form.rolling else NS_PER_DAY,
                one.until_ns if form.rolling else session_ends_ns,
                form.label,
                True,
            )
            for form, one in zip(
                self._forms, self.standings(owner, symbol, None, now_ns), strict=True
            )
            if one.ratio_e8 is not None
        )

    def standings(
        self, owner: int, symbol: int, account: AccountFacts | None, now_ns: int
    ) -> tuple[RatioStanding, ...]:
        """Return how each ratio stands by the maximum of one of the owner's accounts."""
        session = self._windows.session_counts(owner, symbol, now_ns)
        rolling = None
        if self._windows.steps:
            rolling = self._windows.rolling_counts(owner, symbol, now_ns)
        maker = account is not None and account.flags & ACCOUNT_MARKET_MAKER
        factor = self._market_maker_factor if maker else 1
        return tuple(
            self._standing(
                form, rolling if form.rolling else session, factor,
                owner, symbol, now_ns,
            )
            for form in self._forms
        )  # fmt: skip

    def _standing(
        self,
        form: "_Form",
        counts: RatioCounts | None,
        factor: int,
        owner: int,
        symbol: int,
        now_ns: int,
    ) -> RatioStanding:
        maximum_e8 = form.maximum_e8 * factor if form.maximum_e8 >= 0 else -1
        counted = counts.number if counts is not None else 0
        # Of an owner who has sent nothing there is no ratio: the formula would say -1.
        ratio = self._ratio(form, counts) if counts is not None and counted else None
        judged = maximum_e8 >= 0 and ratio is not None and counted >= form.minimum
        level = LEVEL_NONE
        if judged and ratio is not None:
            level = self._grades.level(ratio, maximum_e8)
        until_ns = 0
        if level:
            until_ns = self._over_ns(form, maximum_e8, LEVEL_NOTICE, owner, symbol, now_ns)
        return RatioStanding(
            self.name,
            form.label,
            form.rolling,
            ratio,
            maximum_e8,
            judged,
            level,
            until_ns,
            counted,
            form.minimum,
        )

    def _ratio(self, form: "_Form", counts: RatioCounts) -> int | None:
        if form.volume:
            return ratio_e8(counts.volume_e8, counts.volume_traded_e8, self._floor_volume_e8)
        return ratio_e8(counts.number, counts.trades, self._floor_trades)

    def _over_ns(
        self, form: "_Form", maximum_e8: int, level: int, owner: int, symbol: int, now_ns: int
    ) -> int:
        """Return when a ratio is below `level` again, if nothing more is sent or executed."""
        if not form.rolling:
            return self._windows.session_ends_ns(now_ns)
        for at_ns in self._windows.changes_ns(owner, symbol):
            if at_ns <= now_ns:
                continue
            counts = self._windows.rolling_counts(owner, symbol, at_ns)
            ratio = self._ratio(form, counts) if counts is not None else None
            if counts is None or ratio is None or counts.number < form.minimum:
                return at_ns
            if self._grades.level(ratio, maximum_e8) < level:
                return at_ns
        return now_ns

    def _retry_ns(self, one: RatioStanding, owner: int, symbol: int, now_ns: int) -> int:
        """Return when a message of the owner passes one ratio again, 0 when it passes now."""
        if one.level < LEVEL_SLOW:
            return 0
        if one.level == LEVEL_CANCEL_ONLY:
            form = next(form for form in self._forms if form.label == one.label)
            return self._over_ns(form, one.maximum_e8, LEVEL_CANCEL_ONLY, owner, symbol, now_ns)
        pair = self._windows.find(owner, symbol)
        next_ns = pair.passed_ns + self._grades.slow_interval_ns if pair and pair.passed_ns else 0
        return next_ns if next_ns > now_ns else 0

    def _explanation(self, one: RatioStanding, passed: bool) -> Explanation:
        reason = Reason.ORDER_TO_TRADE_RATIO
        by = f"by {one.label}"
        if one.maximum_e8 < 0:
            return look(self.name, True, reason, 0, one.ratio_e8 or 0, f"{by}, counted only")
        if one.ratio_e8 is None:
            return look(self.name, True, reason, one.maximum_e8, 0, f"{by}, nothing to divide yet")
        if not one.judged:
            detail = f"{by}, not judged before {one.minimum} messages"
            return look(self.name, True, reason, one.maximum_e8, one.ratio_e8, detail)
        detail = f"{by}, {LEVEL_NAMES[one.level]}" if one.level else by
        return look(self.name, passed, reason, one.maximum_e8, one.ratio_e8, detail)

    def pairs(self) -> list[tuple[int, int]]:
        """Return owner and symbol of everybody counted in the session of the last event."""
        return self._windows.pairs()

    def counts(self, owner: int, symbol: int) -> RatioCounts:
        """Return the counts of the session of the last event, zeros where there are none."""
        return self._windows.last_session(owner, symbol)

    def previous_counts(self, owner: int, symbol: int) -> RatioCounts:
        """Return the counts of the session before that: what its end-of-session report states."""
        return self._windows.last_session(owner, symbol, 1)

    def number_e8(self, counts: RatioCounts) -> int | None:
        """Return the ratio by number in 1e-8, None without trades and floor."""
        return ratio_e8(counts.number, counts.trades, self._floor_trades)

    def volume_e8(self, counts: RatioCounts) -> int | None:
        """Return the ratio by volume in 1e-8, None without trades and floor."""
        return ratio_e8(counts.volume_e8, counts.volume_traded_e8, self._floor_volume_e8)

    def state(self) -> Any:
        """Return the counts of all windows, and what is in flight."""
        return self._messages.state()

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._messages.restore(state)


def _session_offset_ns(clause: OrderToTradeClause) -> int:
    """Return when a session starts, counted from 00:00 UTC; raises ValueError."""
    match = _TIME_OF_DAY.fullmatch(clause.session_starts)
    if match is None:
        raise ValueError(
            f"`{clause.session_starts}` is not a time of day such as 00:00 or 15:00 (UTC)"
        )
    return int(match[1]) * NS_PER_HOUR + int(match[2]) * NS_PER_MINUTE


def _forms(clause: OrderToTradeClause, rolling_ns: int) -> tuple[_Form, ...]:
    """Return the ratios to be counted; the first that refuses is the one told."""
    forms = [
        _Form("number", False, False, _maximum_e8(clause.max_number), clause.minimum_orders),
        _Form("volume", True, False, _maximum_e8(clause.max_volume), clause.minimum_orders),
    ]
    if rolling_ns:
        if rolling_ns % NS_PER_SECOND:
            raise ValueError(f"rolling `{clause.rolling}` is not a number of whole seconds")
        label = interval_label(rolling_ns)
        for name, volume, text in (
            ("number", False, clause.rolling_max_number),
            ("volume", True, clause.rolling_max_volume),
        ):
            maximum_e8, minimum = _maximum_e8(text), clause.rolling_minimum_orders
            forms.append(_Form(f"{name} {label}", volume, True, maximum_e8, minimum))
    return tuple(forms)


def _judged_from(forms: tuple[_Form, ...], *, rolling: bool) -> int:
    """Return from how many messages on the first of a window's ratios is judged, -1 for never."""
    least = [max(form.minimum, 1) for form in forms if form.rolling == rolling]
    return min(least, default=-1)


def _maximum_e8(text: str) -> int:
    return decimal_e8(text) if text else -1
