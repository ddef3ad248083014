"""Cases are opened and decided, and measures go up and down the ladder."""

from typing import Any

from rules.conduct_facts import (
    CASE_CONFIRMED,
    CASE_DISMISSED,
    CASE_EXPLAINED,
    CASE_OPEN,
    STEP_CANCEL_ONLY,
    STEP_KILL,
    STEP_NONE,
    STEP_NOTICE,
    STEP_SLOW,
    STEP_WARNING,
    ConductFacts,
)
from rules.decisions import NOTED_DECISION, Alert, Decision
from rules.events import ActOnCase, Event, RecordRead
from rules.ladder import Ladder, allows
from rules.values import (
    CASE_APPEAL,
    CASE_CLEAR,
    CASE_CONFIRM,
    CASE_DISMISS,
    CASE_EXPLAIN,
    NS_PER_DAY,
)
from tests.rules.conduct.conduct_world import conduct_rulebook, through_msgpack

NOW_NS = 20_000 * NS_PER_DAY
NOTHING = RecordRead("", "")


class Court:
    """A ladder with its facts; each event has the next number."""

    def __init__(self, **clause: Any) -> None:
        rules = {"conduct_standing": {"mode": "enforce", **clause}}
        self.facts = ConductFacts()
        self.ladder = Ladder(self.facts, conduct_rulebook(rules))
        self.now_ns = NOW_NS
        self.seq = 100

    def settle(self, event: Event = NOTHING) -> Decision:
        """Let one event pass."""
        self.seq += 1
        return self.ladder.settle(event, NOTED_DECISION, self.seq, self.now_ns)

    def alert(self, severity: int = 1, **changes: Any) -> Decision:
        """Let a rule tell something."""
        fields: dict[str, Any] = {
            "rule": "tape_painting",
            "interest": 1,
            "symbol": 1,
            "since_ns": NOW_NS,
            "evidence": (self.seq,),
            "figures": (("orders", 60),),
            "owners": (1,),
            **changes,
        }
        self.facts.alerts.append(Alert(severity=severity, **fields))
        return self.settle()

    def act(self, case: int, act: int) -> Decision:
        """Let something be said or decided."""
        return self.settle(ActOnCase(case, act, "because", "operator"))

    def step(self, symbol: int = 1, interest: int = 1) -> int:
        """Return the step in force."""
        standing = self.facts.standing(interest, symbol)
        return standing.step if standing is not None else STEP_NONE


def test_each_alert_is_a_step_up_to_the_highest() -> None:
    """Notice, warning, slow, cancel only; and further alerts stay there."""
    court = Court()
    found = [court.alert() and court.step() for _ in range(5)]
    assert found == [STEP_NOTICE, STEP_WARNING, STEP_SLOW, STEP_CANCEL_ONLY, STEP_CANCEL_ONLY]


def test_the_decision_carries_alert_and_step() -> None:
    """What happened is in the decision of the event it happened with, with the case's number."""
    court = Court()
    decision = court.alert()
    (alert,), (step,) = decision.alerts, decision.steps
    assert alert.case == step.case == court.seq
    assert (step.before, step.step, step.cause) == (STEP_NONE, STEP_NOTICE, "alert")
    assert step.until_ns == NOW_NS + 5 * NS_PER_DAY
    assert court.settle() is NOTED_DECISION


def test_aggravated_alerts_go_two_steps_and_grave_ones_skip() -> None:
    """Severity 2 goes to warning at once, severity 3 and more to the grave step."""
    court = Court()
    court.alert(2)
    assert court.step() == STEP_WARNING
    court.alert(3)
    assert court.step() == STEP_CANCEL_ONLY
    court = Court(grave_step="slow")
    court.alert(6)
    assert court.step() == STEP_SLOW
    court.alert(3)
    assert court.step() == STEP_CANCEL_ONLY


def test_a_kill_holds_everywhere_and_does_not_decay() -> None:
    """Where the rulebook lets alerts lead that far."""
    court = Court(highest="kill", grave_step="kill")
    court.alert(3)
    assert (court.step(1), court.step(2)) == (STEP_KILL, STEP_KILL)
    court.now_ns += 1_000 * NS_PER_DAY
    assert court.settle().steps == ()
    assert court.step() == STEP_KILL


def test_a_measure_goes_down_a_step_with_every_period() -> None:
    """To the nanosecond, and an alert in between starts the period anew."""
    court = Court()
    for _ in range(3):
        court.alert()
    court.now_ns += 5 * NS_PER_DAY - 1
    assert court.settle().steps == ()
    court.now_ns += 1
    (step,) = court.settle().steps
    assert (step.before, step.step, step.cause) == (STEP_SLOW, STEP_WARNING, "decay")
    court.now_ns += 4 * NS_PER_DAY
    court.alert()
    assert court.step() == STEP_SLOW
    court.now_ns += 4 * NS_PER_DAY
    assert court.settle().steps == ()
    court.now_ns += 11 * NS_PER_DAY
    (step,) = court.settle().steps
    assert (step.before, step.step, step.until_ns) == (STEP_SLOW, STEP_NONE, 0)
    assert court.facts.standings == {}


def test_measures_in_many_symbols_hold_in_all() -> None:
    """From slow on in three of them; the strictest counts."""
    court = Court()
    for symbol in (1, 2):
        court.alert(3, symbol=symbol)
    assert court.step(9) == STEP_NONE
    decision = court.alert(2, symbol=3)
    assert court.step(9) == STEP_NONE
    decision = court.alert(1, symbol=3)
    assert [step.cause for step in decision.steps] == ["alert", "spread"]
    assert court.step(9) == STEP_CANCEL_ONLY
    court = Court(spread_symbols=0)
    for symbol in range(1, 6):
        court.alert(3, symbol=symbol)
    assert court.step(9) == STEP_NONE


def test_one_case_for_each_interest_symbol_and_rule() -> None:
    """Further alerts add to the case; evidence and owners come together in it."""
    court = Court()
    first = court.alert().alerts[0].case
    assert court.alert(owners=(2,)).alerts[0].case == first
    others = {
        court.alert(interest=-4).alerts[0].case,
        court.alert(symbol=2).alerts[0].case,
        court.alert(rule="target_ramp").alerts[0].case,
    }
    assert len(others | {first}) == 4
    case = court.facts.cases[first]
    assert (case.alerts, case.owners, case.evidence) == (2, (1, 2), [100, 101])


def test_two_cases_opened_by_one_event_have_numbers_of_their_own() -> None:
    """The second takes the next number that is free, and so does the next event's."""
    court = Court()
    court.facts.alerts.append(Alert("matched_trades", 1, 1, 1, NOW_NS, (), ()))
    court.alert(interest=2)
    court.alert(interest=3)
    assert sorted(court.facts.cases) == [101, 102, 103]


def test_alerts_in_shadow_open_a_case_and_lead_nowhere() -> None:
    """A rule in shadow is looked at, and nobody is slowed down by it."""
    court = Court()
    decision = court.alert(3, shadow=True)
    assert (len(decision.alerts), decision.steps) == (1, ())
    assert court.facts.cases[court.seq].shadow
    assert court.step() == STEP_NONE


def test_without_the_standing_rule_cases_are_all_there_is() -> None:
    """Where the ladder is off, alerts are filed and nothing follows."""
    court = Court(mode="off")
    assert court.alert(3).steps == ()
    assert len(court.facts.cases) == 1


def test_the_life_of_a_case() -> None:
    """Open, explained, confirmed, appealed once, dismissed; each act is noted."""
    court = Court()
    number = court.alert().alerts[0].case
    case = court.facts.cases[number]
    assert case.state == CASE_OPEN
    court.act(number, CASE_EXPLAIN)
    assert case.state == CASE_EXPLAINED
    court.act(number, CASE_CONFIRM)
    assert case.state == CASE_CONFIRMED
    court.act(number, CASE_APPEAL)
    assert (case.state, case.appealed) == (CASE_OPEN, True)
    court.act(number, CASE_CONFIRM)
    assert not allows(case, CASE_APPEAL)
    court.act(number, CASE_APPEAL)
    assert case.state == CASE_CONFIRMED
    court.act(number, CASE_DISMISS)
    assert case.state == CASE_DISMISSED
    acts = [act for _, act, _, _ in case.notes]
    assert acts == ["explain", "confirm", "appeal", "confirm", "dismiss"]
    court.act(999, CASE_CONFIRM)


def test_after_a_decision_what_comes_is_a_case_of_its_own() -> None:
    """Confirmed or dismissed, the next alert opens another one; the ladder goes on climbing."""
    court = Court()
    first = court.alert().alerts[0].case
    court.act(first, CASE_CONFIRM)
    second = court.alert().alerts[0].case
    assert second != first
    assert court.step() == STEP_WARNING


def test_dismissal_and_clearing_end_the_measures() -> None:
    """In the case's symbol and in all."""
    for act, cause in ((CASE_DISMISS, "dismissed"), (CASE_CLEAR, "cleared")):
        court = Court(highest="kill", grave_step="kill")
        number = court.alert(3).alerts[0].case
        steps = court.act(number, act).steps
        assert [(step.symbol, step.step, step.cause) for step in steps] == [
            (1, STEP_NONE, cause),
            (0, STEP_NONE, cause),
        ]
        assert court.step() == STEP_NONE


def test_cases_and_standings_are_stored_and_restored() -> None:
    """Through msgpack, with the next decay found again."""
    court = Court()
    court.facts.add_account(1, 1, 0)
    court.facts.link(1, 4)
    number = court.alert(2).alerts[0].case
    court.act(number, CASE_EXPLAIN)
    other = Court()
    other.facts.restore(through_msgpack(court.facts.state()))
    other.ladder.follow()
    assert other.facts.state() == court.facts.state()
    assert other.ladder.due_ns == court.ladder.due_ns
    other.now_ns, other.seq = court.now_ns, court.seq
    assert other.alert() == court.alert()


def test_cases_in_shadow_go_when_there_are_too_many() -> None:
    """The oldest of which nobody has said anything; what comes next of it is a case of its own."""
    court = Court()
    court.ladder.cases_max = 3
    court.alert(interest=1)
    for interest in (2, 3):
        court.alert(interest=interest, shadow=True)
    enforced, said, silent = court.facts.cases
    court.act(said, CASE_EXPLAIN)
    court.alert(interest=4, shadow=True)
    assert silent not in court.facts.cases
    assert {enforced, said} < set(court.facts.cases)
    court.alert(interest=3, shadow=True)
    assert len(court.facts.cases) == 3
    assert max(court.facts.cases) == court.facts.case_of(3, 1, "tape_painting")
    court.alert(interest=5)
    court.alert(interest=6)
    assert not any(case.shadow for case in list(court.facts.cases.values())[2:])
    restored = ConductFacts()
    restored.restore(court.facts.state())
    assert restored.state() == court.facts.state()


def test_the_oldest_decided_case_goes_when_there_are_too_many() -> None:
    """Open ones stay whatever their number."""
    court = Court(mode="off")
    court.ladder.cases_max = 3
    for interest in range(1, 4):
        court.alert(interest=interest)
    first = min(court.facts.cases)
    court.alert(interest=4)
    assert len(court.facts.cases) == 4
    court.act(first, CASE_DISMISS)
    court.alert(interest=5)
    assert first not in court.facts.cases
