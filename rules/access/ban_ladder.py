"""Bans of addresses that go on after they were told to slow down, each longer than the last."""

from heapq import heappop, heappush
from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import REFUSED, Breach, Decision, Explanation, Usage, Verdict
from rules.events import REQUESTS, ClearBan, Event
from rules.explanations import look
from rules.kinds import CLEAR_BAN
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import SCOPE_IP

_COUNTED: Final = RATE_LIMIT_REASONS - {Reason.ADDRESS_BANNED}
"""Refusals that lead to a ban. Those made by the ban do not: asking on does not lengthen it."""


class _Standing:
    """What is held against one address."""

    __slots__ = ("ban_length_ns", "due_ns", "first_ns", "refusals", "until_ns")

    def __init__(
        self, first_ns: int = 0, refusals: int = 0, until_ns: int = 0, ban_length_ns: int = 0
    ) -> None:
        self.first_ns = first_ns
        """Time of the first refusal of those counted now."""
        self.refusals = refusals
        self.until_ns = until_ns
        """End of the last ban, 0 when there was none."""
        self.ban_length_ns = ban_length_ns
        """Length of the last ban the ladder made, 0 when there was none."""
        self.due_ns = 0
        """When to look whether it can be forgotten, 0 when that is not planned."""


class BanLadder(Rule):
    """Ban an address after `refusals` rate-limit refusals within `within` of the first of them.

    The refusal that completes the number starts the ban. Each further ban is `growth` times as
    long as the one before, up to `longest_ban`; the history is forgiven when `forgiven_after` has
    passed since the end of the last ban without another. The gate's own routes are never banned
    and lead to no ban. Source: Binance Spot API, "IP Limits": 429, then 418 for 2 minutes to 3
    days; the number of refusals and the growth are not published and come from the rulebook.
    """

    name: ClassVar[str] = "ban_ladder"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.ADDRESS_BANNED,)
    wants: ClassVar[tuple[type[Event], ...]] = REQUESTS
    applies: ClassVar[tuple[type[Event], ...]] = (*REQUESTS, ClearBan)
    heeds_passed: ClassVar[bool] = False
    source: ClassVar[str] = "Binance Spot API, rest-api.md, IP Limits"

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.ban_ladder
        self._entries = rulebook.entries
        self._enforced = clause.mode == "enforce"
        self._refusals = clause.refusals
        self._within_ns = duration_ns(clause.within)
        self._first_ban_ns = duration_ns(clause.first_ban)
        self._longest_ban_ns = duration_ns(clause.longest_ban)
        self._growth = clause.growth
        self._forgiven_after_ns = duration_ns(clause.forgiven_after)
        if self._refusals < 1 or self._growth < 1:
            raise ValueError(
                f"refusals {clause.refusals} and growth {clause.growth} of ban_ladder must be "
                "1 or more"
            )
        self._standings: dict[int, _Standing] = {}
        self._due: list[tuple[int, int]] = []
        """Heap of (time, address): when to look whether the address can be forgotten.

        One entry for each standing, however often it changes; and one for each that was lifted.
        """

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach while the address is banned; `observed` and `retry_ns` are its end."""
        if not self._standings:
            return None
        until_ns = self._until_ns(event, now_ns)
        if not until_ns:
            return None
        return Breach(
            rule=self.name,
            reason=Reason.ADDRESS_BANNED,
            limit=0,
            observed=until_ns,
            retry_ns=until_ns,
            scope=SCOPE_IP,
            subject=event.ip,
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether nothing is held against any address."""
        return not self._standings

    def banned_until(self, ip: int, now_ns: int) -> int:
        """Return the end of an address's ban in ns since the epoch, 0 when it is not banned.

        Whoever verifies signatures may leave out those of a banned address, except on the gate's
        own routes. It is 0 while the rule is not enforced, because requests then go on.
        """
        standing = self._standings.get(ip)
        if standing is None or now_ns >= standing.until_ns or not self._enforced:
            return 0
        return standing.until_ns

    def bans(self, now_ns: int) -> tuple[tuple[int, int], ...]:
        """Return every banned address with the end of its ban."""
        return tuple(
            (ip, held.until_ns) for ip, held in self._standings.items() if now_ns < held.until_ns
        )

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count a refusal by a rate limit, or take up an operator's word."""
        nobody = not self._standings
        if type(event) is CLEAR_BAN:
            self._set(event, now_ns)
        elif decision.verdict == REFUSED and decision.breaches:
            reason = decision.breaches[0].reason
            if reason in _COUNTED and not self._entries[event.endpoint].gate:
                self._count(event.ip, now_ns)
        if nobody and self._standings:
            book.stirred = True

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the end of the address's ban as `observed`, 0 when it is not banned."""
        until_ns = self._until_ns(event, now_ns)
        return (look(self.name, until_ns == 0, Reason.ADDRESS_BANNED, 0, until_ns),)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the refusals that count towards a ban, and the ban while there is one."""
        standing = self._standings.get(subject) if scope == SCOPE_IP else None
        if standing is None:
            return ()
        found: list[Usage] = []
        if now_ns < standing.until_ns:
            found.append(Usage(self.name, scope, subject, 1, 0, 0, standing.until_ns, "ban"))
        window_end_ns = standing.first_ns + self._within_ns
        if standing.refusals and now_ns < window_end_ns:
            found.append(
                Usage(
                    self.name,
                    scope,
                    subject,
                    standing.refusals,
                    self._refusals,
                    self._within_ns,
                    window_end_ns,
                    "refusals",
                )
            )
        return tuple(found)

    def state(self) -> Any:
        """Return what is held against each address, as plain values."""
        return [
            [ip, held.first_ns, held.refusals, held.until_ns, held.ban_length_ns, held.due_ns]
            for ip, held in self._standings.items()
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned.

        The time to look at an address comes back too: planned anew, the address could be forgotten
        at another record than without the restart. Earlier versions did not store it.
        """
        self._standings = {}
        self._due = []
        for ip, first_ns, refusals, until_ns, ban_length_ns, *planned in state:
            standing = _Standing(first_ns, refusals, until_ns, ban_length_ns)
            self._standings[ip] = standing
            self._plan(ip, standing, planned[0] if planned else self._forgettable_ns(standing))

    def _until_ns(self, event: Any, now_ns: int) -> int:
        """Return the end of the ban `event` falls under, 0 when it falls under none."""
        standing = self._standings.get(event.ip)
        if standing is None or now_ns >= standing.until_ns or self._entries[event.endpoint].gate:
            return 0
        return standing.until_ns

    def _count(self, ip: int, now_ns: int) -> None:
        self._forget(now_ns)
        standing = self._standings.get(ip)
        if standing is None:
            standing = _Standing()
        elif now_ns < standing.until_ns:
            return
        if standing.refusals == 0 or now_ns >= standing.first_ns + self._within_ns:
            standing.first_ns = now_ns
            standing.refusals = 0
        standing.refusals += 1
        if standing.refusals >= self._refusals:
            self._ban(standing, now_ns)
        if standing.refusals <= 1:
            self._hold(ip, standing)

    def _ban(self, standing: _Standing, now_ns: int) -> None:
        length_ns = standing.ban_length_ns * self._growth
        if length_ns == 0 or now_ns >= standing.until_ns + self._forgiven_after_ns:
            length_ns = self._first_ban_ns
        standing.ban_length_ns = min(length_ns, self._longest_ban_ns)
        standing.until_ns = now_ns + standing.ban_length_ns
        standing.refusals = 0

    def _set(self, event: ClearBan, now_ns: int) -> None:
        """Lift a ban with its history, or ban until a time without moving on the ladder."""
        if event.until_ns == 0:
            self._standings.pop(event.ip, None)
            return
        standing = self._standings.get(event.ip) or _Standing()
        if now_ns >= standing.until_ns + self._forgiven_after_ns:
            # What was forgiven by now does not come back with the operator's ban.
            standing.ban_length_ns = 0
        standing.until_ns = event.until_ns
        standing.refusals = 0
        self._hold(event.ip, standing)

    def _forgettable_ns(self, standing: _Standing) -> int:
        """Return from when on the standing makes no difference any more."""
        of_refusals_ns = standing.first_ns + self._within_ns if standing.refusals else 0
        of_ban_ns = standing.until_ns + self._forgiven_after_ns if standing.until_ns else 0
        return max(of_refusals_ns, of_ban_ns)

    def _hold(self, ip: int, standing: _Standing) -> None:
        self._standings[ip] = standing
        if not standing.due_ns:
            self._plan(ip, standing, self._forgettable_ns(standing))

    def _plan(self, ip: int, standing: _Standing, due_ns: int) -> None:
        standing.due_ns = due_ns
        heappush(self._due, (due_ns, ip))

    def _forget(self, now_ns: int) -> None:
        """Drop the addresses that nothing is held against any more."""
        due = self._due
        while due and due[0][0] <= now_ns:
            due_ns, ip = heappop(due)
            standing = self._standings.get(ip)
            if standing is None or standing.due_ns != due_ns:
                continue
            if self._forgettable_ns(standing) <= now_ns:
                del self._standings[ip]
            else:
                self._plan(ip, standing, self._forgettable_ns(standing))
