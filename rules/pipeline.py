"""The pipeline: one event in, one decision out, and the book written in between.

`apply` decides a request in three stages. *Access* ends at the first breach, *gates* too; then all
*limits* are evaluated, and every breach is recorded. Then the decision is committed: the book is
written by `Settlement`, and each rule that asked for the event updates its own counters. A refused
request changes nothing but what a rule says a refused request costs.

The same events at the same times through the same rulebook give the same decisions.
"""

from typing import Any, Final

from rules.book import NOBODY, Book
from rules.booking import Booking
from rules.conduct.cancel_fees import CancelFees
from rules.conduct.owner_class import OwnerClass
from rules.conduct.resting_time import RestingTime
from rules.decisions import (
    ACCEPTED,
    DEFERRED,
    NOTED,
    NOTED_DECISION,
    REFUSED,
    Adjust,
    Attach,
    Breach,
    Charge,
    Decision,
    Defer,
    Explanation,
    Usage,
)
from rules.displayed import DISPLAYS, shared
from rules.dues import Dues
from rules.events import (
    REQUESTS,
    AnyEvent,
    Cancel,
    CancelAll,
    Event,
    Place,
    RefusedRequest,
    Replace,
    Request,
)
from rules.kinds import ACT_ON_CASE, BULK_CANCEL, COMMAND_RESULT, POST_FEES, REFUSED_REQUEST
from rules.ladder import Ladder
from rules.plans import Plan
from rules.reasons import Reason
from rules.registry import build_rules, mode_of
from rules.rule import Rule
from rules.rulebook import Rulebook
from rules.valuation import UNPRICED

_CANCELS: Final = (Cancel, CancelAll)


class _Verdicts:
    """What the limits said of one request that no gate refused."""

    __slots__ = ("breaches", "charges", "price_limit_e8", "until_ns")

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self.charges: list[Charge] = []
        self.price_limit_e8 = 0
        self.until_ns = 0


class StateError(ValueError):
    """A stored state does not fit this version of the rules."""


class Pipeline:
    """The rules in force over one book.

    `faults` counts rules that raised; such a rule refuses the order (RULE_FAULT). An exception in
    the commit is not caught: the book may be half written, and the gate must stop.
    """

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.book = Book()
        self.rules = build_rules(rulebook)
        self.faults = 0
        self.last_fault = ""
        self._by_name = {rule.name: rule for rule in self.rules}
        resting = self._by_name.get(RestingTime.name)
        enforced = resting is not None and mode_of(rulebook, RestingTime.name) == "enforce"
        self.booking = Booking(
            self.book, rulebook, resting if enforced and isinstance(resting, RestingTime) else None
        )
        self.ladder = Ladder(self.book.conduct, rulebook)
        classes = self._by_name.get(OwnerClass.name)
        self.dues = Dues(self.book, classes if isinstance(classes, OwnerClass) else None)
        """What time brings: to be submitted like any event when it is due."""
        self._displayed = shared(self.rules)
        self._plans: dict[type[Event], Plan] = {
            kind: Plan(kind, self.rules, rulebook) for kind in AnyEvent.__args__
        }
        self._arrange()

    def apply(
        self, event: Event, now_ns: int, course: Decision | None = None, seq: int = 0
    ) -> Decision:
        """Decide `event` at `now_ns` and commit it; return the decision.

        `seq` is the event's sequence number, by default the next one. With `course` the state
        follows that decision, made elsewhere, while the returned one is this pipeline's own.
        """
        book = self.book
        book.current_seq = seq or book.current_seq + 1
        if book.ended:
            book.ended.clear()
        plan = self._plans[type(event)]
        told: tuple[Rule, ...] = plan.applies
        if isinstance(event, Request):
            book.asks(event.key)
            decision = self._decide(event, plan, now_ns)
            effective = decision if course is None else course
            self.booking.request(event, effective, now_ns)
            if effective.verdict == REFUSED:
                told = plan.applies_refused
        elif type(event) is COMMAND_RESULT:
            decision = effective = NOTED_DECISION
            self.booking.settlement.result(event, now_ns)
            if event.fills:
                book.trades.begin(event)
            for rule in plan.told(book.answers(event)):
                rule.answered(event, book, now_ns)
            book.answer.result = None
            told = ()
        elif type(event) is BULK_CANCEL:
            decision = self.booking.slice_of(event, now_ns)
            effective = decision if course is None else course
            self.booking.bulk_cancel(event, effective, now_ns)
        elif type(event) is POST_FEES:
            decision = self._post_fees(now_ns)
            effective = decision if course is None else course
        else:
            decision = effective = NOTED_DECISION
            self.booking.report(event, now_ns)
            book.trades.begin(event)
        for rule in told:
            rule.apply(event, effective, book, now_ns)
        if self._displayed is not None and type(event) in DISPLAYS:
            self._displayed.follow(event, book)
        book.asking = NOBODY
        if book.trades.event is not None:
            book.trades.begin(None)
        ladder = self.ladder
        if book.conduct.alerts or now_ns >= ladder.due_ns or type(event) is ACT_ON_CASE:
            held = bool(book.conduct.standings)
            decision = ladder.settle(event, decision, book.current_seq, now_ns)
            if held != bool(book.conduct.standings):
                book.stirred = True
        if book.stirred:
            self._arrange()
        return decision

    def _arrange(self) -> None:
        """Take in the rules that have something to say or do by now."""
        self.book.stirred = False
        for plan in self._plans.values():
            plan.arrange(self.book)

    def _post_fees(self, now_ns: int) -> Decision:
        """Return the decision with the next slice of fees that are due."""
        fees = self._by_name.get(CancelFees.name)
        if not isinstance(fees, CancelFees):
            return NOTED_DECISION
        postings, more = fees.postings(self.book, now_ns)
        return Decision(NOTED, postings=postings, more=more)

    def peek(self, event: Request, now_ns: int) -> Decision:
        """Return what `apply` would decide of a request now; nothing is committed."""
        self.book.asks(event.key)
        decision = self._decide(event, self._plans[type(event)], now_ns)
        self.book.asking = NOBODY
        return decision

    def plan_of(self, kind: type[Event]) -> Plan:
        """Return what is done for one type of event."""
        return self._plans[kind]

    def rule(self, name: str) -> Rule | None:
        """Return a rule in enforce or shadow by its name, None when it is off or unknown."""
        return self._by_name.get(name)

    def state(self) -> dict[str, Any]:
        """Return everything later decisions depend on, as plain values for msgpack."""
        return {
            "settlement": self.booking.settlement.state(),
            "conduct": self.book.conduct.state(),
            "rules": {rule.name: rule.state() for rule in self.rules},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` returned; this pipeline must be new.

        The rulebook may be another one. A rule the stored state does not know begins anew, and
        the state of a rule that is no longer in force is passed over. Raises StateError when a
        rule can't read its state.
        """
        self.booking.settlement.restore(state["settlement"], self.rulebook)
        if "conduct" in state:
            self.book.conduct.restore(state["conduct"])
            self.ladder.follow()
        stored = state["rules"]
        for rule in self.rules:
            if stored.get(rule.name) is not None:
                try:
                    rule.restore(stored[rule.name])
                except (ValueError, TypeError, LookupError) as error:
                    raise StateError(
                        f"the state of rule {rule.name} can't be read: "
                        f"{type(error).__name__}: {error}"
                    ) from error
        self._arrange()

    @property
    def in_flight(self) -> tuple[int, ...]:
        """The commands the engine has not answered, oldest first."""
        return tuple(self.booking.settlement.pending)

    def awaits(self, command_id: int) -> bool:
        """Tell whether a command's answer is awaited; a new epoch of the engine ends that too."""
        return command_id in self.booking.settlement.pending

    def usage(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return the use of each limit one rule keeps for a subject, empty when it is off."""
        rule = self._by_name.get(rule_name)
        return rule.usage(scope, subject, self.book, now_ns) if rule is not None else ()

    def used(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[int, ...]:
        """Return length and use of each of a rule's windows that answers tell of, in turn."""
        rule = self._by_name.get(rule_name)
        return rule.used(scope, subject, self.book, now_ns) if rule is not None else ()

    def explain(self, event: Event, now_ns: int) -> tuple[Explanation, ...]:
        """Return what every rule that wants `event` allows and sees, passed or not.

        Rules of later stages are asked too, also where an earlier stage refuses. A rule that can't
        look, because what it needs is not there, is left out.
        """
        found: list[Explanation] = []
        for rule in self.rules:
            if type(event) in rule.wants:
                try:
                    found.extend(rule.explain(event, self.book, now_ns))
                except LookupError:
                    continue
        if isinstance(event, RefusedRequest) and event.reason is not Reason.OVERLOADED:
            found.append(Explanation("request", False, event.reason, event.expected, event.detail))
        return tuple(found)

    # --- Deciding -----------------------------------------------------------------------------

    def _decide(self, event: Request, plan: Plan, now_ns: int) -> Decision:
        book = self.book
        rule: Rule | None = None
        verdict: Any
        try:
            for rule in plan.access:
                verdict = rule.check(event, book, now_ns)
                if verdict is not None:
                    return self._refusal(event, (verdict,), plan, now_ns)
            if type(event) is REFUSED_REQUEST:
                return self._refusal(event, (_not_understood(event),), plan, now_ns)
            for rule in plan.gates:
                verdict = rule.check(event, book, now_ns)
                if verdict is not None:
                    return self._refusal(event, (verdict,), plan, now_ns)
        except Exception as error:  # one boundary for all rules: a bug in one refuses, never passes
            return self._refusal(event, (self._fault(rule, error),), plan, now_ns)
        verdicts: _Verdicts | None = None
        limits = plan.limits
        if isinstance(event, (Place, Replace)) and event.order_type not in UNPRICED:
            limits = plan.limits_priced
        for rule in limits:
            try:
                verdict = rule.check(event, book, now_ns)
            except Exception as error:  # as above
                verdict = self._fault(rule, error)
                if isinstance(event, _CANCELS):
                    # A client's way out of the market does not depend on a faulty limit.
                    continue
            if verdict is not None:
                if verdicts is None:
                    verdicts = _Verdicts()
                _take(verdicts, verdict)
        shadows = self._shadows(event, plan.shadows, now_ns) if plan.shadows else ()
        if verdicts is None:
            return self.booking.accepted(event, ACCEPTED, now_ns, 0, 0, shadows, ())
        if verdicts.breaches:
            return self.booking.refused(event, tuple(verdicts.breaches), shadows)
        return self.booking.accepted(
            event,
            DEFERRED if verdicts.until_ns else ACCEPTED,
            now_ns,
            verdicts.price_limit_e8,
            verdicts.until_ns,
            shadows,
            tuple(verdicts.charges),
        )

    def _refusal(
        self, event: Request, breaches: tuple[Breach, ...], plan: Plan, now_ns: int
    ) -> Decision:
        shadows = self._shadows(event, plan.early_shadows, now_ns) if plan.early_shadows else ()
        return self.booking.refused(event, breaches, shadows)

    def _shadows(self, event: Request, rules: tuple[Rule, ...], now_ns: int) -> tuple[Breach, ...]:
        """Return what rules in shadow would have refused; a fault in one of them refuses nothing."""
        found = []
        for rule in rules:
            try:
                verdict = rule.check(event, self.book, now_ns)
            except Exception as error:  # as in _decide
                verdict = self._fault(rule, error)
            if isinstance(verdict, Breach):
                found.append(verdict)
        return tuple(found)

    def _fault(self, rule: Rule | None, error: Exception) -> Breach:
        name = rule.name if rule is not None else "pipeline"
        self.faults += 1
        self.last_fault = f"{name}: {type(error).__name__}: {error}"
        return Breach(name, Reason.RULE_FAULT, "no fault", type(error).__name__)


def _take(verdicts: _Verdicts, verdict: Any) -> None:
    kind = type(verdict)
    if kind is Breach:
        verdicts.breaches.append(verdict)
    elif kind is Adjust:
        verdicts.price_limit_e8 = verdict.price_limit_e8
    elif kind is Defer:
        verdicts.until_ns = max(verdicts.until_ns, verdict.until_ns)
    elif kind is Charge:
        verdicts.charges.append(verdict)
    else:
        assert kind is Attach, f"a rule answered {verdict!r}, which is no verdict"


def _not_understood(event: RefusedRequest) -> Breach:
    return Breach("request", event.reason, event.expected, event.detail)


assert set(REQUESTS) <= set(AnyEvent.__args__)
