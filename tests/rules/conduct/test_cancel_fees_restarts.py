"""Live fees over restarts: after a long standstill, out of shadow, and by a changed tariff."""

from typing import Any

import msgspec
import pytest

from rules.events import RunBegan
from rules.values import NS_PER_DAY
from tests.rules.conduct.conduct_world import through_msgpack
from tests.rules.conduct.fee_desk import DAY_STARTS_NS, PLAIN, FeeDesk
from tests.rules.order_world import OWNER

DAY, NEXT_DAY = "2027-01-15", "2027-01-16"


def restarted(desk: FeeDesk, tariff: dict[str, Any] | None = None, **clause: Any) -> FeeDesk:
    """Return a desk that goes on from another's state by its own rulebook."""
    return begun(stopped(desk, tariff, **clause))


def stopped(desk: FeeDesk, tariff: dict[str, Any] | None = None, **clause: Any) -> FeeDesk:
    """Return a desk with another's state whose run has not begun yet."""
    other = FeeDesk(tariff, **clause)
    other.now_ns = desk.now_ns
    other.pipeline.restore(through_msgpack(desk.pipeline.state()))
    return other


def begun(desk: FeeDesk) -> FeeDesk:
    """Return the desk after its run has begun."""
    desk.send(RunBegan("before", 1_000))
    return desk


def identity(day: str, number: int = 1) -> str:
    """Return the id of a posting."""
    return f"test:{day}:{OWNER}:BTCUSDT" + (f":{number}" if number > 1 else "")


@pytest.mark.parametrize("days", [1, 4, 5, 6, 40, 400])
@pytest.mark.parametrize("relief", [{}, {"free_exceedances": 0}, {"waivers": 0}])
def test_what_was_due_is_posted_after_any_standstill(days: int, relief: dict[str, int]) -> None:
    """Three cancels too many are 3.00, and stay so when the venue was closed over the holidays;
    posted once, and let go of a day later."""
    desk = FeeDesk({**PLAIN, "relief": relief})
    for _ in range(5):
        desk.cancelled()
    desk.next_day(days)
    other = restarted(desk, {**PLAIN, "relief": relief})
    assert other.post() == [(identity(DAY), "3")]
    assert restarted(other, {**PLAIN, "relief": relief}).post() == []
    other.next_day(40)
    other.cancelled()
    assert other.post() == []
    assert len(other.ledger.state()["rows"]) == 1
    assert other.ledger.state()["posted"] == []


def test_a_month_is_posted_after_a_standstill() -> None:
    """The relief of a month is that of the month, however late it is posted."""
    tariff = {**PLAIN, "relief": {"free_exceedances": 1}}
    desk = FeeDesk(tariff)
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    assert desk.post() == []
    for _ in range(3):
        desk.cancelled()
    desk.next_day(60)
    assert restarted(desk, tariff).post() == [(identity(DAY), "1"), (identity(NEXT_DAY), "1")]


def test_shadow_lets_go_of_what_it_counted() -> None:
    """A tariff in shadow posts nothing, and keeps nothing for a posting that never comes."""
    desk = FeeDesk(mode="shadow")
    for _ in range(5):
        desk.cancelled()
    desk.next_day(30)
    desk.cancelled()
    assert desk.post() == []
    assert len(desk.ledger.state()["rows"]) == 1


def test_what_shadow_has_counted_is_not_charged_afterwards() -> None:
    """Five cancels on a day in shadow and five that morning cost nothing once the rule is enforced;
    of five in the afternoon three do. Back in shadow nothing is posted any more."""
    desk = FeeDesk(mode="shadow")
    for _ in range(5):
        desk.cancelled()
    desk.next_day()
    for _ in range(5):
        desk.cancelled()
    enforced = restarted(desk)
    assert enforced.post() == []
    for _ in range(5):
        enforced.cancelled()
    enforced.next_day()
    shadow = restarted(enforced, mode="shadow")
    assert (shadow.rule.backlog(shadow.now_ns), shadow.post()) == (0, [])
    assert enforced.post() == [(identity(NEXT_DAY), "3")]


def test_a_changed_tariff_leaves_what_has_ended() -> None:
    """A day is posted at 1 each; from the next noon on each costs 5. The day that ended is neither
    reversed nor made anew; the day that runs ends at the new price."""
    dearer = {**PLAIN, "allowance": {**PLAIN["allowance"], "fee": "5"}}
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    assert desk.post() == [(identity(DAY), "1")]
    for _ in range(3):
        desk.cancelled()
    other = restarted(desk, dearer)
    other.annul(1, DAY_STARTS_NS)
    assert other.post() == []
    other.next_day()
    assert other.post() == [(identity(NEXT_DAY), "5")]
    other.next_day(9)
    other.cancelled()
    assert len(other.ledger.state()["rows"]) == 1


DEARER = {**PLAIN, "allowance": {**PLAIN["allowance"], "fee": "5"}}


def test_what_is_due_at_a_change_is_posted_by_the_old_tariff() -> None:
    """The day had ended and waited to be posted, at 1 each, when the gate stopped; the next begins
    with 5 each. Both are charged, each by its own, and each once over two more restarts."""
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    for _ in range(4):
        desk.cancelled()
    other = restarted(stopped(restarted(desk, DEARER), DEARER), DEARER)
    other.cancelled()
    assert other.rule.backlog(other.now_ns) == 1
    assert other.post() == [(identity(DAY), "1")]
    other = restarted(other, DEARER)
    other.next_day()
    assert other.post() == [(identity(NEXT_DAY), "15")]
    assert other.rule.state()["former"] == []
    assert restarted(other, DEARER).post() == []


@pytest.mark.parametrize(("before_ns", "amount"), [(1, "10"), (0, "2"), (-1, "2")])
def test_a_period_that_ended_while_no_gate_ran(before_ns: int, amount: str) -> None:
    """Four cancels are charged by the terms in force as their day ended: by the new ones, if a run
    with these began a nanosecond before, by the old ones from the end of the day on."""
    desk = FeeDesk()
    for _ in range(4):
        desk.cancelled()
    other = stopped(desk, DEARER)
    other.now_ns = DAY_STARTS_NS + NS_PER_DAY - before_ns
    begun(other)
    other.next_day(2)
    assert other.post() == [(identity(DAY), amount)]
    assert other.rule.state()["former"] == []


def test_a_month_that_ended_while_no_gate_ran() -> None:
    """Stopped on the 31st, begun on the 1st with a tariff by day: the month is charged by the old
    one; what is done that day by the new one."""
    monthly = {**PLAIN, "period": "month"}
    desk = FeeDesk(monthly)
    desk.next_day(16)
    for _ in range(3):
        desk.cancelled()
    other = stopped(desk, DEARER)
    other.next_day()
    begun(other)
    for _ in range(3):
        other.cancelled()
    other.next_day()
    assert other.post() == [(identity("2027-01"), "1"), (identity("2027-02-01"), "5")]


def test_a_tariff_that_is_taken_out() -> None:
    """What had ended is posted by it; the day that runs ends without a charge."""
    desk = FeeDesk()
    for _ in range(2):
        for _ in range(3):
            desk.cancelled()
        desk.next_day()
    desk.now_ns -= 1
    other = restarted(desk, tariffs=[])
    assert other.post() == [(identity(DAY), "1")]
    other.next_day(2)
    assert other.post() == []


def test_tariffs_changed_twice_while_fees_wait() -> None:
    """A day waits through two changes, since nothing could be posted; the day after is charged by
    the third tariff, as it ends by it."""
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    for _ in range(3):
        desk.cancelled()
    third = {**PLAIN, "allowance": {**PLAIN["allowance"], "fee": "7"}}
    other = restarted(restarted(desk, DEARER), third)
    assert other.post() == [(identity(DAY), "1")]
    other.next_day()
    assert other.post() == [(identity(NEXT_DAY), "7")]


def test_in_shadow_nothing_of_a_former_tariff_is_posted() -> None:
    """Whoever only counts charges nothing, by no tariff; nor afterwards."""
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    shadow = restarted(restarted(desk, DEARER), DEARER, mode="shadow")
    assert (shadow.rule.backlog(shadow.now_ns), shadow.post()) == (0, [])
    assert restarted(shadow, DEARER).post() == []


def test_other_words_change_no_tariff() -> None:
    """A better description is the same tariff: what is wrong of an ended day is still put right."""
    desk = FeeDesk({**PLAIN, "allowance": {"count": {"trades": "1"}, "limit": "0", "fee": "1"}})
    desk.sold(1)
    desk.next_day()
    assert desk.post() == [(identity(DAY), "1")]
    words = {"description": "other words", "source": "elsewhere", "note": "new", "places": 4}
    other = restarted(desk, {**desk.tariffs["test"], **words})
    other.annul(1, other.now_ns - NS_PER_DAY, 2)
    assert other.post() == [(f"{identity(DAY)}:reversal", "-1")]


@pytest.mark.parametrize(
    ("count", "fee"), [({"orders": "1", "cancels": "1"}, "4"), ({"orders": "1"}, "1")]
)
def test_a_tariff_that_counts_other_columns(count: dict[str, str], fee: str) -> None:
    """Columns are taken up by name: three cancels stay three cancels, and orders count from the
    change on, three of them: 3 + 3 - 2 = 4, or 3 - 2 = 1."""
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    tariff = {**PLAIN, "allowance": {"count": count, "limit": "2", "fee": "1"}}
    other = restarted(desk, tariff)
    for _ in range(3):
        other.rest()
    other.next_day()
    assert other.post() == [(identity(DAY), fee)]


def test_days_become_months() -> None:
    """What was posted by day is not charged again by the month; the day that ran goes on."""
    desk = FeeDesk()
    for _ in range(2):
        for _ in range(3):
            desk.cancelled()
        desk.next_day()
        desk.post()
    for _ in range(3):
        desk.cancelled()
    other = restarted(desk, {**PLAIN, "period": "month"})
    other.next_day(20)
    assert other.post() == [(identity("2027-01"), "1")]


def test_a_state_of_an_earlier_version() -> None:
    """Without the terms it was counted by, it is taken to have been counted by these."""
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    state = desk.rule.state()
    for _, ledger in state["ledgers"]:
        for field in ("terms", "columns", "posts", "running"):
            del ledger[field]
    other = FeeDesk()
    other.rule.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(state), strict=False))
    other.now_ns = desk.now_ns
    other.next_day()
    assert other.post() == [(identity(DAY), "1")]
