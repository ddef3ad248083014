"""Who is asked and told: a rule is left out while, and only while, it has nothing to say or do."""

from msgspec import structs

from gateway.rulebooks import load_rulebook
from rules.events import (
    Amend,
    ClearBan,
    CommandResult,
    Event,
    Fill,
    Place,
    Replace,
    Request,
    SetState,
    TradeBust,
)
from rules.pipeline import Pipeline
from rules.values import (
    BUY,
    E8,
    FILLED,
    NS_PER_SECOND,
    SCOPE_OWNER,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
)
from tests.bench.flow import Flow

PATTERNS = ("tape_painting", "fictitious_bids", "target_ramp")


def asked(pipeline: Pipeline, kind: type[Event]) -> set[str]:
    """Return the rules that are asked about a type of event."""
    plan = pipeline.plan_of(kind)
    return {rule.name for rule in (*plan.access, *plan.gates, *plan.limits, *plan.shadows)}


def wanting(pipeline: Pipeline, kind: type[Event]) -> set[str]:
    """Return the rules that want a type of event."""
    return {rule.name for rule in pipeline.rules if kind in rule.wants}


def test_who_is_left_out_would_have_said_nothing() -> None:
    """Over many orders, every check that is not made returns None."""
    flow = Flow(200, seed=3)
    left_out: set[str] = set()
    for _ in range(400):
        request = flow.next_request()
        kind = type(request)
        for name in wanting(flow.pipeline, kind) - asked(flow.pipeline, kind):
            rule = flow.pipeline.rule(name)
            assert rule is not None
            assert rule.check(request, flow.pipeline.book, flow.now_ns) is None
            left_out.add(name)
        result = flow.settle(request, flow.apply(request))
        assert result is not None
        flow.apply(result)
    assert {"ban_ladder", "stop_state", "conduct_standing", *PATTERNS} <= left_out


def test_a_stop_state_has_its_rule_asked_at_once() -> None:
    """From the next request on, and no more once the state is lifted."""
    flow = Flow(10, seed=1)
    assert "stop_state" not in asked(flow.pipeline, Place)
    flow.apply(SetState(SCOPE_OWNER, 1, STATE_CANCEL_ONLY, "", "operator"))
    assert "stop_state" in asked(flow.pipeline, Place)
    flow.apply(SetState(SCOPE_OWNER, 1, STATE_ACTIVE, "", "operator"))
    assert "stop_state" not in asked(flow.pipeline, Place)


def test_a_ban_has_its_rule_asked_at_once() -> None:
    """An operator's ban is told to the rule though it is told of no request that passes."""
    flow = Flow(10, seed=1)
    assert "ban_ladder" not in asked(flow.pipeline, Place)
    flow.apply(ClearBan(1, flow.now_ns + NS_PER_SECOND, "operator"))
    assert "ban_ladder" in asked(flow.pipeline, Place)


def test_orders_with_a_price_pass_by_rules_for_others() -> None:
    """They are asked about where an order has none, and about every amend."""
    pipeline = Pipeline(load_rulebook("bench"))
    for kind in (Place, Replace):
        plan = pipeline.plan_of(kind)
        only_unpriced = set(plan.limits) - set(plan.limits_priced)
        names = {rule.name for rule in only_unpriced}
        assert names == {"market_lot_size", "market_protection"}
    assert "market_lot_size" in asked(pipeline, Amend)


def test_a_restored_pipeline_asks_the_same_rules() -> None:
    """What is left out follows from the state and is no part of it."""
    flow = Flow(50, seed=2)
    flow.apply(SetState(SCOPE_OWNER, 1, STATE_CANCEL_ONLY, "", "operator"))
    again = Pipeline(load_rulebook("bench"))
    again.restore(flow.pipeline.state())
    for rule in flow.pipeline.rules:
        for kind in (*rule.wants, *rule.applies):
            assert asked(again, kind) == asked(flow.pipeline, kind)
            plans = again.plan_of(kind), flow.pipeline.plan_of(kind)
            told = [[rule.name for rule in plan.applies] for plan in plans]
            assert told[0] == told[1]
            assert issubclass(kind, Request) or not plans[0].applies_refused


def test_a_measure_has_its_rule_asked_at_once() -> None:
    """Also where annulled trades bring it about, which no order of the owner does."""
    changes = {"rules": {"unfilled_ratio": {"minimum_orders": 2, "maximum": "0.6"}}}
    flow = Flow(0, seed=1, accounts=1, changes=changes)
    traded: list[Place] = []
    for _ in range(2):
        order = flow.off_tick()
        assert isinstance(order, Place)
        order = structs.replace(order, price_e8=order.price_e8 - 1)
        decision = flow.apply(order)
        quote_e8 = order.price_e8 * order.quantity_e8 // E8
        fill = Fill(1, order.price_e8, order.quantity_e8, quote_e8, 0, 1, False)
        number, seq = decision.order_id, flow.pipeline.book.current_seq
        flow.apply(CommandResult(seq, number, True, None, FILLED, flow.now_ns, (fill,)))
        traded.append(order)
    assert "unfilled_ratio" not in asked(flow.pipeline, Place)
    for order in traded:
        sides = (order.key, 0) if order.side == BUY else (0, order.key)
        terms = (order.symbol, order.price_e8, order.quantity_e8)
        flow.apply(TradeBust(1, flow.now_ns, 1, *terms, 1, 2, *sides))
    assert "unfilled_ratio" in asked(flow.pipeline, Place)
