"""The pipeline: stages, precedence, shadow, faults, and what a refusal leaves unchanged."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rulebooks import load_rulebook
from rules.decisions import ACCEPTED, NOTED, REFUSED, Decision
from rules.endpoints import Endpoint
from rules.events import (
    BalanceAdjusted,
    Cancel,
    CommandResult,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Place,
    Reference,
    RefusedRequest,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.registry import RULES
from rules.rule import ACCESS, GATE, LIMIT, Rule
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    FLAG_TEST,
    GTC,
    NEW,
    NS_PER_MS,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SCOPE_ACCOUNT,
    SCOPE_IP,
    SYMBOL_TRADING,
)
from rules.values import (
    LIMIT as LIMIT_ORDER,
)

NOW_NS = 1_800_000_000 * NS_PER_SECOND
KEY = ACCOUNT = OWNER = SYMBOL = IP = 1
BASE, QUOTE = 1, 2
PRICE_E8 = 100 * E8


def definitions() -> list[Event]:
    """Return what makes one funded account, one key and one symbol with a market known."""
    return [
        Define(DEFINE_ADDRESS, IP, "127.0.0.1"),
        Define(DEFINE_OWNER, OWNER, "owner"),
        Define(DEFINE_ASSET, BASE, "BTC"),
        Define(DEFINE_ASSET, QUOTE, "USDT"),
        DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, PRICE_E8),
        DefineAccount(ACCOUNT, "account", OWNER, "", 0),
        DefineKey(KEY, "key", ACCOUNT, PERMIT_READ | PERMIT_TRADE, (), 0),
        BalanceAdjusted(1, NOW_NS, ACCOUNT, QUOTE, 10_000 * E8),
        Reference(SYMBOL, NOW_NS, PRICE_E8, NOW_NS, PRICE_E8 - E8, E8, PRICE_E8 + E8, E8),
    ]


def head(endpoint: Endpoint, auth: int = AUTH_OK, age_ns: int = 0) -> tuple[int, ...]:
    """Return the beginning of a request received now."""
    received_ns = NOW_NS
    return (
        endpoint, IP, KEY, auth, received_ns, received_ns - age_ns, 5 * NS_PER_SECOND,
        0, CHANNEL_REST, 0, 0,
    )  # fmt: skip


def place(
    price_e8: int = 90 * E8,
    quantity_e8: int = E8,
    client_order_id: str = "",
    flags: int = 0,
    **beginning: Any,
) -> Place:
    """Return a limit order to buy."""
    return Place(
        *head(Endpoint.ORDER_PLACE, **beginning), SYMBOL, BUY, LIMIT_ORDER, GTC,
        price_e8, quantity_e8, 0, client_order_id, 0, flags,
    )  # fmt: skip


def cancel(order_id: int) -> Cancel:
    """Return a cancel by order id."""
    return Cancel(*head(Endpoint.ORDER_CANCEL), SYMBOL, order_id, "")


def make(changes: dict[str, Any] | None = None) -> Pipeline:
    """Return a pipeline of the default rulebook with changes, with everything defined."""
    pipeline = Pipeline(load_rulebook().with_changes(changes or {}))
    for event in definitions():
        assert pipeline.apply(event, NOW_NS).verdict == NOTED
    return pipeline


def mode(**modes: str) -> dict[str, Any]:
    """Return changes of rules' modes."""
    return {"rules": {name: {"mode": value} for name, value in modes.items()}}


def rest(pipeline: Pipeline, decision: Decision) -> None:
    """Let the engine confirm that an accepted order rests."""
    command_id = pipeline.book.current_seq
    pipeline.apply(CommandResult(command_id, decision.order_id, True, None, NEW, NOW_NS), NOW_NS)


class Raising(Rule):
    """A rule with a bug in its check."""

    def __init__(self, rule: Rule) -> None:
        self.name = rule.name  # type: ignore[misc]

    def check(self, event: Event, book: Any, now_ns: int) -> None:
        raise ZeroDivisionError("a bug")


def break_rule(pipeline: Pipeline, kind: type[Event], stage: str, rule: str) -> None:
    """Put a bug into a rule, for one type of event."""
    plan = pipeline._plans[kind]
    rules = getattr(plan, stage)
    broken = tuple(Raising(one) if one.name == rule else one for one in rules)
    assert broken != rules
    setattr(plan, stage, broken)
    if stage == "limits":
        plan.limits_priced = broken


def test_accepted_order_is_booked() -> None:
    """An accepted order has a number, a derived client id, and holds what it could spend."""
    pipeline = make()
    decision = pipeline.apply(place(), NOW_NS)
    assert (decision.verdict, decision.order_id) == (ACCEPTED, 1)
    order = pipeline.book.orders[1]
    assert order.client_order_id == decision.client_order_id == "og00000000000000000001"
    assert order.reserved_e8 == 90 * E8
    assert (decision.bid_e8, decision.ask_e8) == (PRICE_E8 - E8, PRICE_E8 + E8)


def test_access_ends_at_its_first_breach() -> None:
    """A bad signature is all that is told, whatever else is wrong with the order."""
    pipeline = make()
    event = place(price_e8=1, quantity_e8=1, auth=AUTH_BAD_SIGNATURE, age_ns=60 * NS_PER_SECOND)
    decision = pipeline.apply(event, NOW_NS)
    assert [breach.reason for breach in decision.breaches] == [Reason.SIGNATURE_INVALID]


def test_a_gate_ends_before_the_limits() -> None:
    """A disabled account is all that is told."""
    pipeline = make()
    pipeline.apply(DefineAccount(ACCOUNT, "account", OWNER, "", 0, False), NOW_NS)
    decision = pipeline.apply(place(price_e8=1), NOW_NS)
    assert [breach.reason for breach in decision.breaches] == [Reason.ACCOUNT_DISABLED]


def test_all_limits_are_told_in_order_of_precedence() -> None:
    """Every breach is recorded, in the registry's order."""
    pipeline = make()
    decision = pipeline.apply(place(price_e8=1, quantity_e8=9_001 * E8), NOW_NS)
    named = [breach.rule for breach in decision.breaches]
    order = [rule.name for rule in RULES]
    assert named == sorted(named, key=order.index)
    assert {"price_filter", "percent_price_by_side", "lot_size", "order_size"} <= set(named)
    assert decision.breaches[0].rule == "price_filter"


def test_a_refused_order_changes_nothing_but_its_cost() -> None:
    """Book and counters stay, but for raw requests and the weight of a failure."""
    pipeline = make()
    before = msgspec.msgpack.encode(pipeline.rule("order_count").state())  # type: ignore[union-attr]
    assert pipeline.apply(place(price_e8=1), NOW_NS).verdict == REFUSED
    book = pipeline.book
    assert (book.orders, book.next_order_id, book.free_e8(ACCOUNT, QUOTE)) == ({}, 1, 10_000 * E8)
    after = msgspec.msgpack.encode(pipeline.rule("order_count").state())  # type: ignore[union-attr]
    assert after == before
    (weight, _) = pipeline.usage("request_weight", SCOPE_IP, IP, NOW_NS)
    (raw,) = pipeline.usage("raw_requests", SCOPE_IP, IP, NOW_NS)
    assert (weight.used, raw.used) == (1, 1)


def test_what_was_not_understood_is_refused_after_access() -> None:
    """A malformed request has its own reason, and is charged like any other."""
    pipeline = make()
    event = RefusedRequest(
        *head(Endpoint.ORDER_PLACE, auth=AUTH_BAD_SIGNATURE), Reason.ILLEGAL_CHARACTERS, "1e-5"
    )
    decision = pipeline.apply(event, NOW_NS)
    assert [(one.rule, one.reason, one.observed) for one in decision.breaches] == [
        ("request", Reason.ILLEGAL_CHARACTERS, "1e-5")
    ]
    assert pipeline.usage("request_weight", SCOPE_IP, IP, NOW_NS)[0].used == 1


def test_shadow_records_and_refuses_nothing() -> None:
    """A rule in shadow names its breach beside an accepted decision, and bounds nothing."""
    pipeline = make(mode(price_filter="shadow", market_protection="shadow"))
    decision = pipeline.apply(place(price_e8=90 * E8 + 1), NOW_NS)
    assert decision.verdict == ACCEPTED
    assert [breach.rule for breach in decision.shadows] == ["price_filter"]
    assert decision.price_limit_e8 == 0


def test_shadow_limits_are_not_asked_where_a_gate_refuses() -> None:
    """What is not reached has no opinion, and needs no symbol it could not find."""
    pipeline = make(mode(price_filter="shadow", lot_size="shadow"))
    event = msgspec.structs.replace(place(price_e8=1), symbol=99)
    decision = pipeline.apply(event, NOW_NS)
    assert [breach.reason for breach in decision.breaches] == [Reason.UNKNOWN_SYMBOL]
    assert (decision.shadows, pipeline.faults) == ((), 0)


def test_rules_that_are_off_are_not_asked() -> None:
    """Neither refused nor shown."""
    pipeline = make(mode(price_filter="off"))
    decision = pipeline.apply(place(price_e8=90 * E8 + 1), NOW_NS)
    assert (decision.verdict, decision.shadows) == (ACCEPTED, ())
    assert pipeline.rule("price_filter") is None
    assert pipeline.usage("price_filter", SCOPE_ACCOUNT, ACCOUNT, NOW_NS) == ()


@pytest.mark.parametrize(
    ("stage", "rule"),
    [("access", "authentication"), ("gates", "symbol_state"), ("limits", "balance")],
)
def test_a_rule_with_a_bug_refuses_the_order(stage: str, rule: str) -> None:
    """It never lets an order pass, and the fault is counted and named."""
    pipeline = make()
    break_rule(pipeline, Place, stage, rule)
    decision = pipeline.apply(place(), NOW_NS)
    assert [(one.rule, one.reason) for one in decision.breaches] == [(rule, Reason.RULE_FAULT)]
    assert pipeline.book.orders == {}
    assert (pipeline.faults, pipeline.last_fault) == (1, f"{rule}: ZeroDivisionError: a bug")


def test_a_faulty_limit_does_not_keep_a_client_in_the_market() -> None:
    """A cancel passes a limit with a bug; a gate with one still refuses it."""
    pipeline = make(mode(resting_time="enforce"))
    placed = pipeline.apply(place(), NOW_NS)
    rest(pipeline, placed)
    break_rule(pipeline, Cancel, "limits", "resting_time")
    assert pipeline.apply(cancel(placed.order_id), NOW_NS).verdict == ACCEPTED
    assert pipeline.faults == 1
    break_rule(pipeline, Cancel, "gates", "known_order")
    assert pipeline.apply(cancel(placed.order_id), NOW_NS).verdict == REFUSED


def test_a_test_order_is_judged_and_not_booked() -> None:
    """Every check is made; nothing is reserved, counted or numbered."""
    pipeline = make()
    good = msgspec.structs.replace(place(flags=FLAG_TEST), endpoint=Endpoint.ORDER_TEST)
    assert pipeline.apply(good, NOW_NS).verdict == ACCEPTED
    bad = msgspec.structs.replace(good, price_e8=1)
    assert pipeline.apply(bad, NOW_NS).verdict == REFUSED
    book = pipeline.book
    assert (book.orders, book.next_order_id, book.free_e8(ACCOUNT, QUOTE)) == ({}, 1, 10_000 * E8)
    assert all(
        one.used == 0 for one in pipeline.usage("order_count", SCOPE_ACCOUNT, ACCOUNT, NOW_NS)
    )


def test_state_follows_the_course() -> None:
    """With a course the own verdict is told, and the order lives as the course says."""
    pipeline = make()
    course = Decision(ACCEPTED, order_id=77, account=ACCOUNT, owner=OWNER)
    decision = pipeline.apply(place(price_e8=1, client_order_id="mine"), NOW_NS, course)
    assert decision.verdict == REFUSED
    assert pipeline.book.orders[77].client_order_id == "mine"
    assert pipeline.book.next_order_id == 78
    other = pipeline.apply(place(), NOW_NS, Decision(REFUSED))
    assert (other.verdict, list(pipeline.book.orders)) == (ACCEPTED, [77])


def test_stages_are_those_of_the_registry() -> None:
    """The registry lists access first, then gates, then limits."""
    stages = [rule.stage for rule in RULES]
    assert stages == sorted(stages)
    assert set(stages) == {ACCESS, GATE, LIMIT}


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(80, 130), st.integers(0, 3)),
        st.tuples(st.just("cancel"), st.integers(1, 12), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 800), st.just(0)),
    ),
    max_size=40,
)


def play(actions: list[tuple[str, int, int]]) -> tuple[list[bytes], Pipeline]:
    """Play one course of requests; return the encoded decisions and the pipeline."""
    pipeline = make(mode(resting_time="enforce"))
    encode = msgspec.msgpack.Encoder().encode
    decisions = []
    now_ns = NOW_NS
    for action, number, lots in actions:
        if action == "wait":
            now_ns += number * NS_PER_MS
            continue
        event: Event = place(number * E8, lots * E8 // 2) if action == "place" else cancel(number)
        looks = pipeline.explain(event, now_ns)
        decision = pipeline.apply(event, now_ns)
        decisions.append(encode(decision))
        refusing = {one.rule for one in looks if not one.passed}
        told = {one.rule for one in decision.breaches}
        assert told <= refusing
        assert (decision.verdict == ACCEPTED) is not bool(
            {name for name in refusing if name not in _shadowed(pipeline)}
        )
        if action == "place" and decision.verdict == ACCEPTED:
            command_id = pipeline.book.current_seq
            pipeline.apply(
                CommandResult(command_id, decision.order_id, True, None, NEW, now_ns), now_ns
            )
    return decisions, pipeline


def _shadowed(pipeline: Pipeline) -> set[str]:
    clauses = pipeline.rulebook.clauses
    return {rule.name for rule in RULES if getattr(clauses, rule.name).mode != "enforce"}


@given(actions=ACTIONS)
def test_decisions_repeat_and_agree_with_their_explanations(
    actions: list[tuple[str, int, int]],
) -> None:
    """The same requests give the same bytes, and what is held is what open orders could spend."""
    decisions, pipeline = play(actions)
    again, _ = play(actions)
    assert decisions == again
    book = pipeline.book
    held_e8 = sum(order.reserved_e8 for order in book.orders.values())
    assert book.free_e8(ACCOUNT, QUOTE) == 10_000 * E8 - held_e8
