"""What the rate limits, bans and order counts must say, counted naively from what was decided.

Dictionaries keyed by window number, nothing forgotten, nothing shared with the rules. Each request
is judged both ways: what is over a limit must be refused, what is not must not be.
"""

from collections.abc import Iterator
from typing import Any, Final

from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Decision
from rules.events import (
    ORDER_REQUESTS,
    ClearBan,
    CommandResult,
    EngineSession,
    Event,
    OrderEnded,
    OrderTrade,
    Place,
    RefusedShare,
    Replace,
    Request,
)
from rules.reasons import Reason
from rules.registry import RULES
from rules.rule import LIMIT
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import FLAG_TEST, LIVE_STATUSES
from tests.sim.participants import SIMULATED, Parties

_RATE_LIMITS: Final = (
    Reason.ADDRESS_BANNED,
    Reason.RAW_REQUEST_LIMIT,
    Reason.REQUEST_WEIGHT_LIMIT,
    Reason.ORDER_COUNT_LIMIT,
)
_LIMIT_RULES: Final = frozenset(rule.name for rule in RULES if rule.stage == LIMIT)


class Tally:
    """Amounts by (subject, window length, window number), never forgotten."""

    def __init__(self, clauses: Any) -> None:
        self.limits = [(duration_ns(clause.interval), clause.limit) for clause in clauses]
        self._used: dict[tuple[int, int, int], int] = {}

    def used(self, subject: int, length_ns: int, now_ns: int) -> int:
        """Return what was counted in the present window of a length."""
        return self._used.get((subject, length_ns, now_ns // length_ns), 0)

    def fits(self, subject: int, amount: int, now_ns: int, limits: Any = None) -> bool:
        """Tell whether every window has room for `amount` more."""
        return all(
            self.used(subject, length_ns, now_ns) + amount <= limit
            for length_ns, limit in (self.limits if limits is None else limits)
        )

    def add(self, subject: int, amount: int, now_ns: int, lengths: Any = None) -> None:
        """Count `amount`; below zero it is given back, never below nothing used."""
        for length_ns in lengths or [length_ns for length_ns, _ in self.limits]:
            place = subject, length_ns, now_ns // length_ns
            self._used[place] = max(0, self._used.get(place, 0) + amount)

    def add_at(
        self, subject: int, amount: int, then_ns: int, now_ns: int, lengths: Any = None
    ) -> None:
        """Count `amount` in the windows of `then_ns` that still last."""
        lengths = lengths or [length_ns for length_ns, _ in self.limits]
        lasting = [one for one in lengths if then_ns // one == now_ns // one]
        if lasting:
            self.add(subject, amount, now_ns, lasting)


class Ladder:
    """The bans of one address."""

    def __init__(self) -> None:
        self.refusals: list[int] = []
        self.until_ns = 0
        self.length_ns = 0


class RateModel:
    """Rate limits of addresses and accounts, and bans."""

    def __init__(self, rulebook: Rulebook, parties: Parties = SIMULATED) -> None:
        self._parties = parties
        clauses = self._clauses = rulebook.clauses
        self._entries = rulebook.entries
        self.raw = Tally(clauses.raw_requests.windows)
        self.weight = Tally(clauses.request_weight.windows)
        self.gate_weight = Tally(clauses.request_weight.gate_windows)
        count = clauses.order_count
        self.orders = Tally(count.windows)
        self._tiers = {tier: Tally(windows).limits for tier, windows in count.tiers.items()}
        self._order_lengths = sorted(
            {
                length
                for limits in (self.orders.limits, *self._tiers.values())
                for length, _ in limits
            }
        )
        self.blind = False
        """Nothing is judged: what was used under an earlier rulebook is not known."""
        self.blurred: set[int] = set()
        """Addresses whose refusals were answered and are not counted by what is recorded."""
        self._owed: dict[int, tuple[int, int, int]] = {}
        """By command: address, arrival, weight to pay should it fail."""
        self._unfilled: dict[int, tuple[int, int, int, int]] = {}
        """By order: account, command, acceptance, what a refusal gives back."""
        self._bans: dict[int, Ladder] = {}

    def banned_until(self, ip: int) -> int:
        """Return when the last ban of an address ends or ended, 0 when there was none."""
        ladder = self._bans.get(ip)
        return ladder.until_ns if ladder is not None else 0

    # --- Judging ------------------------------------------------------------------------------

    def judge(self, event: Event, decision: Decision, now_ns: int) -> Iterator[str]:
        """Yield what is wrong with a decision on a request."""
        if not isinstance(event, Request) or self.blind or event.ip in self.blurred:
            return
        told = decision.breaches[0].reason if decision.breaches else None
        expected = self._access(event, now_ns)
        if expected is not None and told is not expected:
            yield f"{expected.name} had to refuse it, told {told!r}"
        if expected is None and told in _RATE_LIMITS[:3]:
            yield f"{told!r} refused it below the limit"
        if isinstance(event, Place | Replace) and reached_limits(decision):
            over = not self._orders_fit(event, now_ns)
            found = any(one.reason is Reason.ORDER_COUNT_LIMIT for one in decision.breaches)
            if over is not found:
                yield f"order count {'passed' if over else 'below'} its limit, found {found}"

    def _access(self, event: Request, now_ns: int) -> Reason | None:
        clauses, entry = self._clauses, self._entries[event.endpoint]
        ladder = self._bans.get(event.ip)
        banned = ladder is not None and now_ns < ladder.until_ns and not entry.gate
        if banned and clauses.ban_ladder.mode == "enforce":
            return Reason.ADDRESS_BANNED
        over = not entry.gate and not self.raw.fits(event.ip, 1, now_ns)
        if over and clauses.raw_requests.mode == "enforce":
            return Reason.RAW_REQUEST_LIMIT
        weight = entry.weight_success_for(event.size)
        tally = self.gate_weight if entry.gate else self.weight
        fits = tally.fits(event.ip, weight, now_ns)
        if not fits and clauses.request_weight.mode == "enforce":
            return Reason.REQUEST_WEIGHT_LIMIT
        return None

    def _orders_fit(self, event: Place | Replace, now_ns: int) -> bool:
        orders = self._entries[event.endpoint].orders
        if self._clauses.order_count.mode != "enforce" or event.flags & FLAG_TEST or not orders:
            return True
        account = self._parties.account_of.get(event.key, 0)
        limits = self._tiers.get(self._parties.tier_of.get(account, ""), self.orders.limits)
        return self.orders.fits(account, orders, now_ns, limits)

    # --- Following ----------------------------------------------------------------------------

    def take(self, seq: int, event: Event, decision: Decision, now_ns: int) -> None:
        """Count what a decision costs, and what the engine's answer changes."""
        if isinstance(event, Request):
            self._request(seq, event, decision, now_ns)
        elif isinstance(event, CommandResult):
            self._result(event, now_ns)
        elif isinstance(event, OrderTrade):
            self._first_fill(event.order_id, now_ns)
        elif isinstance(event, OrderEnded):
            self._unfilled.pop(event.order_id, None)
        elif isinstance(event, ClearBan):
            if event.until_ns == 0:
                self._bans.pop(event.ip, None)
            else:
                ladder = self._bans.setdefault(event.ip, Ladder())
                forgiven_ns = duration_ns(self._clauses.ban_ladder.forgiven_after)
                if now_ns >= ladder.until_ns + forgiven_ns:
                    ladder.length_ns = 0
                ladder.until_ns, ladder.refusals = event.until_ns, []

    def counted(self, share: RefusedShare, now_ns: int) -> None:
        """Count what refusals cost that are recorded as a number."""
        refused = sum(count for _, count in share.reasons)
        self.raw.add(share.ip, refused - share.gate_count, now_ns)
        self.weight.add(share.ip, share.weight, now_ns)
        self.gate_weight.add(share.ip, share.gate_weight, now_ns)

    def forget_orders(self, event: EngineSession, open_orders: Any) -> None:
        """Forget orders that ended without a word, as a new epoch does."""
        if event.connected:
            self._unfilled = {
                order_id: order
                for order_id, order in self._unfilled.items()
                if order_id in open_orders
            }

    def _request(self, seq: int, event: Request, decision: Decision, now_ns: int) -> None:
        entry = self._entries[event.endpoint]
        if not entry.gate:
            self.raw.add(event.ip, 1, now_ns)
        tally = self.gate_weight if entry.gate else self.weight
        failing = entry.weight_for(event.size)
        passing = entry.weight_success_for(event.size)
        if decision.verdict == REFUSED:
            told = decision.breaches[0].reason
            if told not in _RATE_LIMITS:
                tally.add(event.ip, failing, now_ns)
            elif told is not Reason.ADDRESS_BANNED and not entry.gate:
                self._refused(event.ip, now_ns)
            return
        tally.add(event.ip, passing, now_ns)
        if isinstance(event, ORDER_REQUESTS) and failing > passing and not entry.gate:
            self._owed[seq] = event.ip, now_ns, failing - passing
        orders = entry.orders
        if isinstance(event, Place | Replace) and not event.flags & FLAG_TEST and orders:
            account = self._parties.account_of[event.key]
            self.orders.add(account, orders, now_ns, self._order_lengths)
            returns = orders if isinstance(event, Place) else 0
            self._unfilled[decision.order_id] = account, seq, now_ns, returns

    def _refused(self, ip: int, now_ns: int) -> None:
        clause = self._clauses.ban_ladder
        ladder = self._bans.setdefault(ip, Ladder())
        if now_ns < ladder.until_ns:
            return
        if ladder.refusals and now_ns >= ladder.refusals[0] + duration_ns(clause.within):
            ladder.refusals = []
        ladder.refusals.append(now_ns)
        if len(ladder.refusals) < clause.refusals:
            return
        forgiven = now_ns >= ladder.until_ns + duration_ns(clause.forgiven_after)
        length_ns = ladder.length_ns * clause.growth
        if forgiven or not length_ns:
            length_ns = duration_ns(clause.first_ban)
        ladder.length_ns = min(length_ns, duration_ns(clause.longest_ban))
        ladder.until_ns, ladder.refusals = now_ns + ladder.length_ns, []

    def _result(self, event: CommandResult, now_ns: int) -> None:
        owed = self._owed.pop(event.command_id, None)
        if owed is not None and (not event.accepted or event.replaced_refusal is not None):
            ip, then_ns, weight = owed
            self.weight.add_at(ip, weight, then_ns, now_ns)
        for ended in event.ended:
            self._unfilled.pop(ended.order_id, None)
        order = self._unfilled.get(event.order_id)
        if order is None:
            return
        account, command_id, then_ns, returns = order
        if event.fills:
            self._first_fill(event.order_id, now_ns)
        elif not event.accepted:
            if command_id == event.command_id:
                del self._unfilled[event.order_id]
                self.orders.add_at(account, -returns, then_ns, now_ns, self._order_lengths)
        elif event.status not in LIVE_STATUSES:
            del self._unfilled[event.order_id]

    def _first_fill(self, order_id: int, now_ns: int) -> None:
        order = self._unfilled.pop(order_id, None)
        if order is not None:
            credit = self._clauses.order_count.first_fill_credit
            self.orders.add(order[0], -credit, now_ns, self._order_lengths)


def reached_limits(decision: Decision) -> bool:
    """Tell whether all limits were asked: nothing before them refused."""
    return decision.verdict in (ACCEPTED, DEFERRED) or (
        bool(decision.breaches) and decision.breaches[0].rule in _LIMIT_RULES
    )
