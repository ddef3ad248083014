"""Live fees over restarts: after a long standstill, out of shadow, and by a changed tariff."""

from typing import Any

import msgspec
import pytest

from rules.values import NS_PER_DAY
from tests.rules.conduct.conduct_world import through_msgpack
from tests.rules.conduct.fee_desk import DAY_STARTS_NS, PLAIN, FeeDesk
from tests.rules.order_world import OWNER

DAY, NEXT_DAY = "2027-01-15", "2027-01-16"


def restarted(desk: FeeDesk, tariff: dict[str, Any] | None = None, **clause: Any) -> FeeDesk:
    """Return a desk that goes on from another's state by its own rulebook."""
    other = FeeDesk(tariff, **clause)
    other.now_ns = desk.now_ns
    other.pipeline.restore(through_msgpack(desk.pipeline.state()))
    return other


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
