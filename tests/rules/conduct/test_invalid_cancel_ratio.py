"""ICR: orders cancelled too young, of all that could rest."""

import pytest

from rules.conduct.invalid_cancel_ratio import InvalidCancelRatio
from rules.events import OrderEnded
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_EXPIRY,
    E8,
    EXPIRED,
    IOC,
    LIMIT_MAKER,
    NS_PER_SECOND,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.conduct.fee_desk import FeeDesk
from tests.rules.order_world import OWNER, SYMBOL, place


class RatioDesk(FeeDesk):
    """A desk whose owner is judged from 4 orders on by 0.75."""

    def __init__(self) -> None:
        clause = {"mode": "enforce", "minimum_orders": 4, "maximum": "0.75"}
        super(FeeDesk, self).__init__({"invalid_cancel_ratio": clause})

    @property
    def share(self) -> tuple[int, int]:
        """Return orders and share in 1e-8."""
        rule = self.pipeline.rule("invalid_cancel_ratio")
        assert isinstance(rule, InvalidCancelRatio)
        (standing,) = rule.standings(OWNER, SYMBOL, None, self.now_ns)
        return standing.counted, standing.ratio_e8 or 0


@pytest.mark.parametrize(
    ("age_ns", "share_e8"), [(5 * NS_PER_SECOND - 1, E8), (5 * NS_PER_SECOND, 0)]
)
def test_an_order_is_too_young_until_five_seconds(age_ns: int, share_e8: int) -> None:
    """Exactly five seconds old it is not."""
    desk = RatioDesk()
    order = desk.rest()
    desk.now_ns += age_ns
    desk.cancel(order)
    assert desk.share == (1, share_e8)


def test_what_counts() -> None:
    """IOC orders and what the venue takes off don't; a post-only order and a cancel elsewhere do."""
    desk = RatioDesk()
    fleeting = desk.place(time_in_force=IOC)
    desk.answer(fleeting.command_id, fleeting.order_id, EXPIRED)
    expired = desk.rest()
    desk.send(OrderEnded(*desk.begin(), expired.order_id, EXPIRED, CAUSE_EXPIRY, 0))
    elsewhere = desk.rest(order_type=LIMIT_MAKER, time_in_force=0)
    desk.send(OrderEnded(*desk.begin(), elsewhere.order_id, CANCELED, CAUSE_CLIENT, 0))
    bounced = desk.rest()
    desk.cancel(bounced, accepted=False)
    assert desk.share == (3, E8 // 3)


def test_it_slows_at_the_maximum() -> None:
    """Three of four orders cancelled at once are 0.75; orders wait, cancels don't."""
    desk = RatioDesk()
    desk.rest()
    kept = desk.rest()
    for _ in range(3):
        desk.cancel(desk.rest())
    assert desk.share == (5, 3 * E8 // 5)
    desk.cancel(kept)
    (usage,) = desk.pipeline.usage(
        "invalid_cancel_ratio", SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), desk.now_ns
    )
    assert (usage.used, usage.limit, usage.label) == (4 * E8 // 5, 3 * E8 // 4, "10M")
    last = desk.rest()
    (breach,) = desk.send(place()).breaches
    assert breach.rule == "invalid_cancel_ratio"
    desk.cancel(last)
    assert last.order_id not in desk.book.orders
