"""The counter of points: stored and restored, bounded, and against a plain model."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import OpenOrder
from rules.conduct.age_cost import E17, AgeCost
from rules.decisions import ACCEPTED, Decision
from rules.events import CancelAll, Ended, Place
from rules.pipeline import Pipeline
from rules.registry import build_rules
from rules.rulebook import RulebookError
from rules.values import CANCELED, E8, NS_PER_SECOND
from tests.rules.conduct.cost_desk import CostDesk
from tests.rules.order_world import cancel, e8, make_rulebook, place


def test_counters_outlast_a_restart() -> None:
    """To the unit, also beyond 63 bits; cancels that were counted stay counted."""
    desk = CostDesk(limit="1000")
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    for _ in range(200):
        desk.send(place(quantity_e8=e8(1)))
    desk.now_ns += 1
    stored = msgspec.msgpack.encode(desk.pipeline.state())
    before_e8 = desk.points_e8()
    desk.pipeline = Pipeline(desk.pipeline.rulebook)
    desk.pipeline.restore(msgspec.msgpack.decode(stored))
    assert msgspec.msgpack.encode(desk.pipeline.state()) == stored
    assert desk.points_e8() == before_e8
    assert desk.added_e8(cancel(order_id=order.order_id)) == 0


def test_orders_that_ended_and_empty_counters_are_let_go() -> None:
    """Memory is bounded by open orders and by counters that have not fallen to 0."""
    desk = CostDesk()
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.answer(desk.book.current_seq, order.order_id, CANCELED, ended=ended)
    rule = desk.rule
    assert rule.state()["asked"] == []
    for symbol in range(10, 2_000):
        rule.apply(place(symbol=symbol), Decision(ACCEPTED), desk.book, desk.now_ns)
        desk.now_ns += NS_PER_SECOND
    assert len(rule.state()["counters"]) <= 1_024


@given(
    acts=st.lists(
        st.tuples(st.integers(0, 3 * NS_PER_SECOND), st.sampled_from(["place", "cancel"])),
        max_size=40,
    ),
    limit=st.integers(1, 12),
    decay=st.sampled_from(["0.5", "1", "2.34"]),
)
@settings(deadline=None)
def test_against_a_plain_model(acts: list[tuple[int, str]], limit: int, decay: str) -> None:
    """An order passes iff the model's counter, in fractions of a point, has room for it."""
    desk = CostDesk(limit=str(limit), decay=decay)
    decay_e8 = int(decay.replace(".", "").ljust(3, "0")) * E8 // 100 if "." in decay else E8
    if decay == "0.5":
        decay_e8 = E8 // 2
    used_e17 = 0
    orders: list[tuple[int, OpenOrder]] = []
    for passed_ns, act in acts:
        desk.now_ns += passed_ns
        used_e17 = max(used_e17 - decay_e8 * passed_ns, 0)
        if act == "place":
            event = place(quantity_e8=e8(1))
            looks = desk.rule.explain(event, desk.book, desk.now_ns)
            breach = desk.rule.check(event, desk.book, desk.now_ns)
            fits = used_e17 + E17 <= limit * E17
            assert looks[0].passed is (breach is None) is fits
            if fits:
                orders.append((desk.now_ns, desk.rest(quantity_e8=e8(1))))
                used_e17 += E17
            elif breach is not None and breach.retry_ns:
                waited_e17 = max(used_e17 - decay_e8 * (breach.retry_ns - desk.now_ns), 0)
                assert waited_e17 + E17 <= limit * E17
                assert waited_e17 + decay_e8 + E17 > limit * E17
        elif orders:
            born_ns, order = orders.pop()
            desk.send(cancel(order_id=order.order_id))
            age_ns = desk.now_ns - born_ns
            table = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
            used_e17 += next((p for s, p in table if age_ns < s * NS_PER_SECOND), 0) * E17
        assert desk.points_e8() == -(-used_e17 // NS_PER_SECOND)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"decay": "0"}, "decay `0` would never let the counter fall"),
        ({"tiers": {"pro": {"limit": "1", "decay": "0.0"}}}, "would never let the counter fall"),
        (
            {"steps": [{"under": "5s", "cancel": 2}, {"under": "5s", "cancel": 1}]},
            "the ages of steps do not rise",
        ),
    ],
)
def test_parameters_that_can_not_be_used(changes: dict[str, Any], fault: str) -> None:
    """A counter that never falls, ages out of order."""
    with pytest.raises(RulebookError, match=fault):
        build_rules(make_rulebook({"age_cost": {"mode": "enforce", **changes}}))


def test_only_requests_that_place_or_change_can_be_refused() -> None:
    """Cancels are not even asked about."""
    assert AgeCost.wants[0] is Place
    assert CancelAll not in AgeCost.wants
