"""The ladder of measures: notice, warning, slow, cancel only, kill.

Alerts of the event just applied are filed under cases here, and each moves the measure against its
interest in its symbol up; time moves it down, and so do an operator's decisions. All of it is a
function of the record: what happened stands in the decision of the event it happened with.

After the unsound-order ladder of the Korea Exchange (telephone warning, written warning, notice,
refusal; serious cases skip steps) and Eurex's three levels of advanced risk protection.
"""

from typing import Final

import msgspec

from rules.conduct_facts import (
    CASE_CONFIRMED,
    CASE_DISMISSED,
    CASE_EXPLAINED,
    CASE_OPEN,
    STEP_KILL,
    STEP_NAMES,
    STEP_NONE,
    STEP_SLOW,
    Case,
    ConductFacts,
    Standing,
)
from rules.decisions import Alert, Decision, LadderStep
from rules.events import ActOnCase, Event
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import (
    CASE_ACT_NAMES,
    CASE_APPEAL,
    CASE_CLEAR,
    CASE_CONFIRM,
    CASE_DISMISS,
    CASE_EXPLAIN,
    INT63_MAX,
)

CASES_MAX: Final = 10_000
"""Cases that are kept; beyond that the oldest that is decided goes, else the oldest that only a
rule in shadow has found. The record keeps all."""
STEPS_PER_ALERT_MAX: Final = 2
"""An aggravated alert goes up so far at once; a grave one skips to its own step."""
EVERYWHERE: Final = 0
"""The symbol of a measure that holds in all of them."""

_ALLOWED: Final = {
    CASE_EXPLAIN: (CASE_OPEN, CASE_EXPLAINED),
    CASE_CONFIRM: (CASE_OPEN, CASE_EXPLAINED),
    CASE_DISMISS: (CASE_OPEN, CASE_EXPLAINED, CASE_CONFIRMED),
    CASE_APPEAL: (CASE_CONFIRMED,),
    CASE_CLEAR: (CASE_OPEN, CASE_EXPLAINED, CASE_CONFIRMED, CASE_DISMISSED),
}


def allows(case: Case, act: int) -> bool:
    """Return whether a case's state permits an act; a case can be appealed against once."""
    return case.state in _ALLOWED.get(act, ()) and not (act == CASE_APPEAL and case.appealed)


def _is_decided(case: Case) -> bool:
    return case.state in (CASE_CONFIRMED, CASE_DISMISSED)


def _is_shadow(case: Case) -> bool:
    """Return whether no measure has followed a case, and nobody has said anything about it."""
    return case.shadow and not case.notes


class Ladder:
    """Files alerts and moves measures.

    `due_ns` is when the next measure goes down; beyond `cases_max` cases are forgotten that are
    decided or in shadow.
    """

    def __init__(self, facts: ConductFacts, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.conduct_standing
        self.due_ns = INT63_MAX
        self.cases_max = CASES_MAX
        self._facts = facts
        self._moves = clause.mode != "off"
        self._decay_ns = duration_ns(clause.decay)
        self._grave_severity = clause.grave_severity
        self._grave_step = STEP_NAMES.index(clause.grave_step)
        self._highest = STEP_NAMES.index(clause.highest)
        self._spread_symbols = clause.spread_symbols

    def settle(self, event: Event, decision: Decision, seq: int, now_ns: int) -> Decision:
        """Return `decision` with what the event, numbered `seq`, brought up and moved."""
        steps: list[LadderStep] = []
        if now_ns >= self.due_ns:
            self._decay(now_ns, steps)
        found = self._facts.alerts
        alerts = tuple(self._file(alert, seq, now_ns, steps) for alert in found)
        found.clear()
        if isinstance(event, ActOnCase):
            self._act(event, now_ns, steps)
        if not alerts and not steps:
            return decision
        return msgspec.structs.replace(decision, alerts=alerts, steps=tuple(steps))

    def follow(self) -> None:
        """Find out anew when the next measure goes down, after standings were put back."""
        self.due_ns = min(
            (
                standing.until_ns
                for standings in self._facts.standings.values()
                for standing in standings.values()
                if standing.until_ns
            ),
            default=INT63_MAX,
        )

    # --- Cases --------------------------------------------------------------------------------

    def _file(self, alert: Alert, seq: int, now_ns: int, steps: list[LadderStep]) -> Alert:
        """Put an alert into its case, opening one where there is none, and take measures."""
        facts = self._facts
        identity = (alert.interest, alert.symbol, alert.rule)
        case = facts.open_cases.get(identity)
        if case is None:
            number = seq
            while number in facts.cases:
                # Two cases opened by one event: the later takes the next number that is free.
                number += 1
            case = Case(
                number, alert.interest, alert.symbol, alert.rule, alert.shadow, now_ns,
                alert.since_ns,
            )  # fmt: skip
            facts.cases[number] = facts.open_cases[identity] = case
            if len(facts.cases) > self.cases_max:
                self._forget_oldest(case)
        case.add(alert, now_ns)
        if self._moves and not alert.shadow:
            self._raise(case, alert.severity, now_ns, steps)
        return msgspec.structs.replace(alert, case=case.number)

    def _forget_oldest(self, newest: Case) -> None:
        """Let go of one case that nothing hangs on, if there is one besides the newest."""
        facts = self._facts
        for spare in (_is_decided, _is_shadow):
            found = next((case for case in facts.cases.values() if spare(case)), newest)
            if found is not newest:
                del facts.cases[found.number]
                identity = (found.interest, found.symbol, found.rule)
                if facts.confirmed.get(identity) is found:
                    del facts.confirmed[identity]
                if facts.open_cases.get(identity) is found:
                    del facts.open_cases[identity]
                return

    def _act(self, event: ActOnCase, now_ns: int, steps: list[LadderStep]) -> None:
        """Carry out what was said or decided; what the case's state does not permit is nothing."""
        facts = self._facts
        case = facts.cases.get(event.case)
        if case is None or not allows(case, event.act):
            return
        case.note(now_ns, CASE_ACT_NAMES[event.act], event.actor, event.note)
        identity = (case.interest, case.symbol, case.rule)
        if event.act == CASE_EXPLAIN:
            case.state = CASE_EXPLAINED
        elif event.act == CASE_APPEAL:
            case.state = CASE_OPEN
            case.appealed = True
        elif event.act == CASE_CLEAR:
            self._lift(case, "cleared", now_ns, steps)
        else:
            case.state = CASE_CONFIRMED if event.act == CASE_CONFIRM else CASE_DISMISSED
            if facts.open_cases.get(identity) is case:
                # What comes from here on is a case of its own.
                del facts.open_cases[identity]
            if event.act == CASE_CONFIRM:
                facts.confirmed[identity] = case
            else:
                facts.confirmed.pop(identity, None)
                self._lift(case, "dismissed", now_ns, steps)

    # --- Measures -----------------------------------------------------------------------------

    def _raise(self, case: Case, severity: int, now_ns: int, steps: list[LadderStep]) -> None:
        standings = self._facts.standings.setdefault(case.interest, {})
        standing = standings.get(case.symbol)
        before = standing.step if standing is not None else STEP_NONE
        step = max(self._after(before, severity), before)
        self._set(case.interest, case.symbol, step, case.number, now_ns, "alert", steps)
        alone = standings[case.symbol].alone
        alone[case.number] = self._after(alone.pop(case.number, STEP_NONE), severity)
        if step == STEP_KILL:
            self._spread(case, step, now_ns, steps)
        elif self._spread_symbols and step >= STEP_SLOW:
            slowed = [
                one.step for symbol, one in standings.items() if symbol and one.step >= STEP_SLOW
            ]
            if len(slowed) >= self._spread_symbols:
                self._spread(case, max(slowed), now_ns, steps)

    def _spread(self, case: Case, step: int, now_ns: int, steps: list[LadderStep]) -> None:
        """Have a measure hold in all symbols."""
        self._set(case.interest, EVERYWHERE, step, case.number, now_ns, "spread", steps)
        standing = self._facts.standings[case.interest][EVERYWHERE]
        if case.symbol != EVERYWHERE and standing.case == case.number:
            standing.alone.pop(case.number, None)
            standing.alone[case.number] = step

    def _after(self, before: int, severity: int) -> int:
        """Return the step an alert leads to."""
        step = before + min(severity, STEPS_PER_ALERT_MAX)
        if severity >= self._grave_severity:
            step = max(step, self._grave_step)
        return min(step, self._highest)

    def _set(
        self,
        interest: int,
        symbol: int,
        step: int,
        case: int,
        now_ns: int,
        cause: str,
        steps: list[LadderStep],
    ) -> None:
        """Put a measure up to `step`, or renew it where it stands there already."""
        standings = self._facts.standings.setdefault(interest, {})
        until_ns = self._until_ns(step, now_ns)
        standing = standings.get(symbol)
        before = STEP_NONE
        if standing is None:
            standings[symbol] = Standing(step, case, now_ns, until_ns)
        else:
            before = standing.step
            if step < before:
                return
            standing.step, standing.case, standing.until_ns = step, case, until_ns
            if step > before:
                standing.since_ns = now_ns
        if until_ns:
            self.due_ns = min(self.due_ns, until_ns)
        if step > before:
            steps.append(LadderStep(case, interest, symbol, before, step, until_ns, cause))

    def _until_ns(self, step: int, now_ns: int) -> int:
        """Return when a measure that begins now goes down, 0 for never."""
        return 0 if step == STEP_KILL else now_ns + self._decay_ns

    def _decay(self, now_ns: int, steps: list[LadderStep]) -> None:
        """Take measures down that have been without an alert long enough; a kill is not."""
        for interest, standings in list(self._facts.standings.items()):
            for symbol, standing in list(standings.items()):
                if not standing.until_ns or standing.until_ns > now_ns:
                    continue
                before = standing.step
                lapsed = 1 + (now_ns - standing.until_ns) // self._decay_ns
                standing.step = max(before - lapsed, STEP_NONE)
                standing.alone = {
                    case: step - lapsed for case, step in standing.alone.items() if step > lapsed
                }
                standing.since_ns = now_ns
                standing.until_ns += lapsed * self._decay_ns
                if standing.step == STEP_NONE:
                    self._remove(interest, symbol)
                until_ns = standing.until_ns if standing.step else 0
                steps.append(
                    LadderStep(
                        standing.case, interest, symbol, before, standing.step, until_ns, "decay"
                    )
                )
        self.follow()

    def _lift(self, case: Case, cause: str, now_ns: int, steps: list[LadderStep]) -> None:
        """Take back what a case led to, in its symbol and in all; what others led to stays."""
        standings = self._facts.standings.get(case.interest, {})
        for symbol in dict.fromkeys((case.symbol, EVERYWHERE)):
            standing = standings.get(symbol)
            if standing is None or standing.alone.pop(case.number, STEP_NONE) == STEP_NONE:
                continue
            before = standing.step
            standing.step = min(before, sum(standing.alone.values()))
            if standing.step == STEP_NONE:
                self._remove(case.interest, symbol)
                standing.until_ns = 0
            else:
                standing.case = next(reversed(standing.alone))
                if standing.step < before:
                    standing.since_ns = now_ns
                    standing.until_ns = standing.until_ns or self._until_ns(standing.step, now_ns)
            if standing.step < before:
                steps.append(
                    LadderStep(
                        case.number, case.interest, symbol, before, standing.step,
                        standing.until_ns, cause,
                    )
                )  # fmt: skip
        self.follow()

    def _remove(self, interest: int, symbol: int) -> None:
        standings = self._facts.standings[interest]
        del standings[symbol]
        if not standings:
            del self._facts.standings[interest]
