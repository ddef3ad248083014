"""What may still be asked at each step of the ladder."""

from typing import Any

import pytest

from rules.conduct_facts import (
    STEP_CANCEL_ONLY,
    STEP_KILL,
    STEP_NOTICE,
    STEP_SLOW,
    STEP_WARNING,
)
from rules.decisions import Alert
from rules.events import RecordRead
from rules.reasons import Reason
from rules.values import (
    BUY,
    CASE_CLEAR,
    FLAG_TEST,
    NS_PER_DAY,
    NS_PER_SECOND,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.conduct.conduct_world import OTHER_SYMBOL, SYMBOL, Market, check_state

RULES: dict[str, Any] = {
    "conduct_standing": {"mode": "enforce", "highest": "kill", "slow_interval": "1s"}
}


def standing(step: int, interest: int = 1, **changes: Any) -> Market:
    """Return a market in which an interest has been led to a step in the first symbol."""
    market = Market({"conduct_standing": {**RULES["conduct_standing"], **changes}})
    for _ in range(step):
        accuse(market, interest)
    return market


def accuse(market: Market, interest: int = 1) -> None:
    """Let one alert be told."""
    alert = Alert("target_ramp", interest, SYMBOL, 1, market.now_ns, (), (), (1,))
    market.book.conduct.alerts.append(alert)
    market.send(RecordRead("", ""))


@pytest.mark.parametrize("step", [STEP_NOTICE, STEP_WARNING])
def test_notice_and_warning_refuse_nothing(step: int) -> None:
    """They are told, and everything passes."""
    market = standing(step)
    for _ in range(5):
        assert market.refused(market.order(1, BUY, 900)) is None


def test_slow_lets_one_order_pass_in_each_interval() -> None:
    """To the nanosecond; cancels pass, other owners and symbols are not touched."""
    market = standing(STEP_SLOW)
    order = market.rest(1, BUY, 900, 5)
    breach = market.refused(market.order(1, BUY, 900))
    assert breach is not None
    assert (breach.reason, breach.case) == (Reason.CONDUCT_LIMIT, market.alerts[0].case)
    market.wait(ns=999_999_999)
    assert market.refused(market.order(1, BUY, 900)) is not None
    assert market.refused(market.order(10, BUY, 900)) is not None
    assert market.refused(market.order(2, BUY, 900)) is None
    assert market.refused(market.order(1, BUY, 900, symbol=OTHER_SYMBOL)) is None
    assert not market.amend(1, order, quantity=4).breaches
    market.cancel(1, order)
    market.wait(ns=1)
    assert market.refused(market.order(1, BUY, 900, flags=FLAG_TEST)) is None
    assert market.refused(market.order(1, BUY, 900)) is None
    assert market.refused(market.order(1, BUY, 900)) is not None


def test_slow_takes_an_amend_for_an_order() -> None:
    """A new price or more quantity is as good as a new order: whoever is slowed does not go on at
    his pace by amends. What only takes quantity off passes and counts for nothing."""
    market = standing(STEP_SLOW)
    order = market.rest(1, BUY, 900, 5)
    for changes in ({"price": 901}, {"quantity": 6}, {"price": 901, "quantity": 4}):
        (breach,) = market.amend(1, order, **changes).breaches
        assert breach.retry_ns == market.now_ns + NS_PER_SECOND
    market.wait(1)
    assert not market.amend(1, order, quantity=4).breaches
    assert not market.amend(1, order, price=901).breaches
    market.wait(ns=NS_PER_SECOND - 1)
    assert market.amend(1, order, price=902).breaches
    assert market.refused(market.order(1, BUY, 900)) is not None
    market.wait(ns=1)
    assert market.refused(market.order(1, BUY, 900)) is None


@pytest.mark.parametrize("step", [STEP_CANCEL_ONLY, STEP_KILL])
def test_cancel_only_lets_only_cancels_and_reductions_pass(step: int) -> None:
    """A kill refuses the same here; the stop state does the rest."""
    market = Market(RULES)
    order = market.rest(1, BUY, 900, 5)
    for _ in range(step):
        accuse(market)
    assert market.refused(market.order(1, BUY, 900)) is not None
    assert market.amend(1, order, price=901).breaches
    assert market.amend(1, order, quantity=6).breaches
    assert not market.amend(1, order, quantity=4).breaches
    market.cancel(1, order)
    assert order not in market.book.orders


def test_linked_owners_stand_together() -> None:
    """A measure against the group holds for each of its owners while he is in it."""
    market = Market(RULES)
    market.link(1, 2, group=3)
    for _ in range(4):
        accuse(market, -3)
    assert market.refused(market.order(2, BUY, 900)) is not None
    market.link(2, group=0)
    assert market.refused(market.order(2, BUY, 900)) is None


def test_time_and_operators_end_a_measure() -> None:
    """After five days cancel only is slow; cleared, everything passes."""
    market = standing(STEP_CANCEL_ONLY)
    assert market.refused(market.order(1, BUY, 900)) is not None
    market.now_ns += 5 * NS_PER_DAY
    market.send(RecordRead("", ""))
    assert market.refused(market.order(1, BUY, 900)) is None
    assert market.refused(market.order(1, BUY, 900)) is not None
    market.act(market.alerts[0].case, CASE_CLEAR)
    assert market.refused(market.order(1, BUY, 900)) is None


def test_the_step_in_force_is_shown() -> None:
    """An owner sees from notice on where he stands and until when, and nothing else."""
    market = standing(STEP_WARNING)
    subject = pair_of(1, SYMBOL)
    (usage,) = market.pipeline.usage("conduct_standing", SCOPE_OWNER_SYMBOL, subject, market.now_ns)
    assert (usage.used, usage.label) == (STEP_WARNING, "warning")
    assert usage.resets_ns == market.now_ns + 5 * NS_PER_DAY
    other = pair_of(2, SYMBOL)
    assert market.pipeline.usage("conduct_standing", SCOPE_OWNER_SYMBOL, other, 0) == ()


def test_what_is_stored_is_all_there_is() -> None:
    """After each event of a slowed owner and a slowed group the restored rule stores the same."""
    market = Market(RULES)
    market.link(2, 3)
    market.rest(1, BUY, 900)
    before = len(market.events)
    assert before
    check_state(market, RULES)
    market = standing(STEP_SLOW)
    market.rest(1, BUY, 900)
    rule = market.pipeline.rule("conduct_standing")
    assert rule is not None
    fresh = type(rule)(market.pipeline.rulebook)
    fresh.restore(rule.state())
    assert fresh.state() == rule.state()
    assert rule.state()[1]
