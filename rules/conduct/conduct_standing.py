"""The ladder's measures against an owner: what may still be asked at each step."""

from typing import Any, ClassVar

from rules.book import Book
from rules.conduct_facts import STEP_CANCEL_ONLY, STEP_NAMES, STEP_NOTICE, STEP_SLOW, Standing
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage, Verdict
from rules.events import Amend, Event, Place, Replace
from rules.kinds import AMEND
from rules.reasons import Reason
from rules.recent import Recent
from rules.rule import GATE, Rule
from rules.rulebook import Rulebook
from rules.terms import only_takes_off
from rules.units import duration_ns
from rules.values import FLAG_TEST, SCOPE_OWNER_SYMBOL, pair_of, split_pair


class ConductStanding(Rule):
    """Refuse what the ladder's present step does not allow an owner in a symbol.

    | step | new order, replacement, amend | amend that just takes quantity off | cancel |
    | --- | --- | --- | --- |
    | notice, warning | yes | yes | yes |
    | slow | one each `slow_interval` and owner | yes | yes |
    | cancel_only | no | yes | yes |
    | kill | as cancel_only, and the gate stops the owner and cancels his orders | | |

    Linked owners stand together: what holds against one of them holds against all. Alerts of
    conduct rules in `enforce` lead up: one step each, two when aggravated, to `grave_step` at once
    when grave, never beyond `highest`. Without a further alert a step is taken back after `decay`;
    a kill is not. An operator's dismissal or clearing takes back what a case led to, and leaves
    what others led to. A client is told the case's id and nothing else. Source: KRX, unsound-order
    measures in four steps; Eurex, advanced risk protection (slow-down, stop); Korea, Virtual Asset
    User Protection Act Art. 12.
    """

    name: ClassVar[str] = "conduct_standing"
    stage: ClassVar[int] = GATE
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.CONDUCT_LIMIT,)
    wants: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    applies: ClassVar[tuple[type[Event], ...]] = (Place, Replace, Amend)
    heeds_refused: ClassVar[bool] = False
    source: ClassVar[str] = "KRX unsound-order measures; Eurex advanced risk protection"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        self._slow_interval_ns = duration_ns(rulebook.clauses.conduct_standing.slow_interval)
        self._slowed = Recent(self._slow_interval_ns)
        """Time of the last order or amend in step slow; groups under twice their number plus one."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the step in force does not allow the request."""
        if not book.conduct.standings:
            return None
        found = _standing(event, book)
        if found is None:
            return None
        owner, interest, standing = found
        limit, observed, retry_ns = self._measured(event, book, interest, standing, now_ns)
        if observed <= limit:
            return None
        return Breach(
            rule=self.name,
            reason=Reason.CONDUCT_LIMIT,
            limit=limit,
            observed=observed,
            retry_ns=retry_ns,
            scope=SCOPE_OWNER_SYMBOL,
            subject=pair_of(owner, event.symbol),
            detail=STEP_NAMES[standing.step],
            case=standing.case,
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether no measure holds against anybody."""
        return not book.conduct.standings

    def does_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether no measure holds against anybody."""
        return not book.conduct.standings

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Note the time of an order or amend accepted in step slow; a test order leaves no trace."""
        if not book.conduct.standings or decision.verdict != ACCEPTED:
            return
        if type(event) is AMEND:
            if only_takes_off(event, book):
                return
        elif event.flags & FLAG_TEST:
            return
        found = _standing(event, book)
        if found is not None and found[2].step == STEP_SLOW:
            self._slowed.put(_number(found[1]), (now_ns,), now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the strictest step the request may pass in, and the one in force."""
        found = _standing(event, book)
        if found is None:
            return (Explanation(self.name, True, None, STEP_CANCEL_ONLY, 0, STEP_NAMES[0]),)
        _, interest, standing = found
        limit, observed, _ = self._measured(event, book, interest, standing, now_ns)
        passed = observed <= limit
        reason = None if passed else Reason.CONDUCT_LIMIT
        return (Explanation(self.name, passed, reason, limit, observed, STEP_NAMES[standing.step]),)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the step in force for an owner in a symbol, from notice on."""
        if scope != SCOPE_OWNER_SYMBOL:
            return ()
        owner, symbol = split_pair(subject)
        standing = book.conduct.standing(book.conduct.interest_of(owner), symbol)
        if standing is None or standing.step < STEP_NOTICE:
            return ()
        label = STEP_NAMES[standing.step]
        return (
            Usage(
                self.name,
                scope,
                subject,
                standing.step,
                STEP_CANCEL_ONLY,
                0,
                standing.until_ns,
                label,
            ),
        )

    def state(self) -> Any:
        """Return when slowed owners placed their last orders; the standings are the book's."""
        return self._slowed.state()

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._slowed.restore(state)

    def _measured(
        self, event: Any, book: Book, interest: int, standing: Standing, now_ns: int
    ) -> tuple[int, int, int]:
        """Return the strictest step the request passes in, the one in force, and when to retry."""
        step = standing.step
        if type(event) is AMEND and only_takes_off(event, book):
            return step, step, 0
        if step == STEP_SLOW:
            last = self._slowed.get(_number(interest))
            if last is None or now_ns - last[0] >= self._slow_interval_ns:
                return step, step, 0
            return STEP_SLOW - 1, step, last[0] + self._slow_interval_ns
        return STEP_SLOW, step, standing.until_ns if step > STEP_SLOW else 0


def _standing(event: Any, book: Book) -> tuple[int, int, Standing] | None:
    """Return owner, interest and the measure that holds for a request, None without one."""
    account = book.holder_of(event.key)
    if account is None:
        return None
    interest = book.conduct.interest_of(account.owner)
    standing = book.conduct.standing(interest, event.symbol)
    return (account.owner, interest, standing) if standing is not None else None


def _number(interest: int) -> int:
    """Return an interest as a number of its own above 0."""
    return 2 * interest if interest > 0 else 1 - 2 * interest
