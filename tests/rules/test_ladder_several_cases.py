"""A measure that several cases led to: each takes back its own part, and a link takes back none."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conduct_facts import (
    STEP_CANCEL_ONLY,
    STEP_KILL,
    STEP_NONE,
    STEP_NOTICE,
    STEP_SLOW,
    STEP_WARNING,
)
from rules.values import CASE_APPEAL, CASE_CLEAR, CASE_CONFIRM, CASE_DISMISS, NS_PER_DAY
from tests.rules.conduct.conduct_world import through_msgpack
from tests.rules.test_ladder import Court


def led(**clause: Any) -> tuple[Court, int, int]:
    """Return a court in which one case led to slow and another to cancel only."""
    court = Court(**clause)
    first = court.alert().alerts[0].case
    for _ in range(2):
        court.alert()
    second = court.alert(rule="target_ramp").alerts[0].case
    assert court.step() == STEP_CANCEL_ONLY
    return court, first, second


@pytest.mark.parametrize(("act", "cause"), [(CASE_DISMISS, "dismissed"), (CASE_CLEAR, "cleared")])
def test_the_last_case_takes_back_its_own_step(act: int, cause: str) -> None:
    """Whoever provokes an alert that is dismissed gets rid of nothing else."""
    court, first, second = led()
    court.act(first, CASE_CONFIRM)
    (step,) = court.act(second, act).steps
    assert (step.before, step.step, step.cause) == (STEP_CANCEL_ONLY, STEP_SLOW, cause)
    standing = court.facts.standing(1, 1)
    assert standing is not None
    assert (standing.case, standing.until_ns) == (first, step.until_ns)
    (step,) = court.act(first, act).steps
    assert (step.step, court.facts.standings) == (STEP_NONE, {})


def test_an_earlier_case_takes_back_its_part() -> None:
    """Of three steps and one, the one is left: nobody stays slowed for what was no case."""
    court, first, second = led()
    (step,) = court.act(first, CASE_DISMISS).steps
    assert (step.before, step.step) == (STEP_CANCEL_ONLY, STEP_NOTICE)
    assert court.act(first, CASE_CLEAR).steps == ()
    court.act(second, CASE_DISMISS)
    assert court.facts.standings == {}


def test_what_has_decayed_is_gone_of_every_case() -> None:
    """After one period three steps and one are two and none."""
    court, first, second = led()
    court.now_ns += 5 * NS_PER_DAY
    court.settle()
    assert court.step() == STEP_SLOW
    assert court.act(second, CASE_DISMISS).steps == ()
    assert court.step() == STEP_SLOW
    court.act(first, CASE_DISMISS)
    assert court.step() == STEP_NONE


def test_a_kill_of_the_last_case_is_released_to_what_was_before() -> None:
    """It ends everywhere, and the measure before it goes on decaying."""
    court, _, second = led(highest="kill")
    court.alert(rule="target_ramp")
    assert (court.step(1), court.step(2)) == (STEP_KILL, STEP_KILL)
    steps = court.act(second, CASE_DISMISS).steps
    assert [(one.symbol, one.before, one.step) for one in steps] == [
        (1, STEP_KILL, STEP_SLOW),
        (0, STEP_KILL, STEP_NONE),
    ]
    assert steps[0].until_ns == court.now_ns + 5 * NS_PER_DAY
    assert (court.step(1), court.step(2)) == (STEP_SLOW, STEP_NONE)


def test_a_case_about_all_symbols() -> None:
    """Its measure holds in all, and goes with it."""
    court = Court()
    first = court.alert(symbol=0).alerts[0].case
    second = court.alert(symbol=0, rule="clusters").alerts[0].case
    assert court.step(7) == STEP_WARNING
    court.act(first, CASE_DISMISS)
    assert court.step(7) == STEP_NOTICE
    court.act(second, CASE_DISMISS)
    assert court.step(7) == STEP_NONE


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=8),
    st.sampled_from(list(permutations(range(3)))),
)
def test_all_cases_dismissed_leave_nothing(
    alerts: list[tuple[int, int]], order: tuple[int, ...]
) -> None:
    """In whichever order; a measure never rises by it, and a restart in the middle changes nothing."""
    court = Court(highest="kill")
    numbers: dict[int, int] = {}
    for rule, severity in alerts:
        numbers[rule] = court.alert(severity, rule=f"rule {rule}").alerts[0].case
    before = court.step()
    for rule in order:
        if rule in numbers:
            other = Court(highest="kill")
            other.facts.restore(through_msgpack(court.facts.state()))
            other.ladder.follow()
            other.now_ns, other.seq = court.now_ns, court.seq
            decision = court.act(numbers[rule], CASE_DISMISS)
            assert other.act(numbers[rule], CASE_DISMISS) == decision
            assert other.facts.state() == court.facts.state()
            assert court.step() <= before
            before = court.step()
    assert court.facts.standings == {}


def test_a_standing_of_an_earlier_version() -> None:
    """Which cases led there was not stored: the last one is taken to have."""
    court, _, second = led()
    state = court.facts.state()
    state["standings"] = [values[:6] for values in state["standings"]]
    del state["confirmed"]
    other = Court()
    other.facts.restore(through_msgpack(state))
    other.act(second, CASE_DISMISS)
    assert other.facts.standings == {}


def test_a_confirmed_case_goes_on_barring() -> None:
    """Until it is dismissed, an appeal changing nothing; and over a restart."""
    court = Court()
    number = court.alert().alerts[0].case
    for act, case in ((CASE_CONFIRM, number), (CASE_APPEAL, number), (CASE_DISMISS, 0)):
        court.act(number, act)
        assert court.facts.case_of(1, 1, "tape_painting") == case
        other = Court()
        other.facts.restore(through_msgpack(court.facts.state()))
        assert other.facts.case_of(1, 1, "tape_painting") == case
    second = court.alert().alerts[0].case
    court.act(second, CASE_CONFIRM)
    third = court.alert().alerts[0].case
    assert court.facts.case_of(1, 1, "tape_painting") == third
    court.act(third, CASE_DISMISS)
    assert court.facts.case_of(1, 1, "tape_painting") == 0


def test_a_link_lifts_no_measure() -> None:
    """What held against one of them holds against all of the group; alone again, against him."""
    court, _, _ = led()
    court.alert(interest=2)
    court.facts.link(1, 9)
    court.facts.link(2, 9)
    for interest, step in ((-9, STEP_CANCEL_ONLY), (1, STEP_CANCEL_ONLY), (2, STEP_NOTICE)):
        standing = court.facts.standing(interest, 1)
        assert standing is not None
        assert standing.step == step
    assert {symbol: one.step for symbol, one in court.facts.in_force(-9).items()} == {
        1: STEP_CANCEL_ONLY
    }
    court.alert(4, interest=-9)
    court.facts.link(1, 0)
    assert court.facts.in_force(-9)[1].step == STEP_CANCEL_ONLY
    assert court.facts.in_force(3) == {}
