"""Points by the age of the order, in a counter that decays: exact to the nanosecond."""

import pytest

from rules.conduct.age_cost import E17
from rules.decisions import ACCEPTED, REFUSED, Breach, Decision
from rules.events import (
    BulkCancel,
    DefineAccount,
    SetSymbolState,
)
from rules.reasons import Reason
from rules.values import (
    AUTH_BAD_SIGNATURE,
    CAUSE_CLIENT,
    CAUSE_KILL,
    E8,
    FLAG_TEST,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_KEY,
    SCOPE_ORDER,
    SCOPE_OWNER_SYMBOL,
    SYMBOL_HALT,
    SYMBOL_TRADING,
    pair_of,
)
from tests.rules.conduct.cost_desk import CostDesk, all_orders
from tests.rules.desk import fill
from tests.rules.order_world import (
    ACCOUNT,
    KEY,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    OWNER,
    SYMBOL,
    amend,
    cancel,
    e8,
    place,
    replace,
)

AGES_S = (0, 5, 10, 15, 45, 90, 300)


# --- Points by age --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_s", "amended", "replaced", "cancelled"),
    [
        (0, 4, 7, 8),
        (5, 3, 6, 6),
        (10, 2, 5, 5),
        (15, 1, 3, 4),
        (45, 1, 2, 2),
        (90, 1, 1, 1),
        (300, 1, 1, 0),
    ],
)
def test_points_by_age(age_s: int, amended: int, replaced: int, cancelled: int) -> None:
    """Kraken's table, at each age and one nanosecond before the next.

    Amend: 1 + (3, 2, 1) under 5, 10, 15 s. Edit: 1 + (6, 5, 4, 2, 1) under 5, 10, 15, 45, 90 s.
    Cancel: (8, 6, 5, 4, 2, 1) under 5, 10, 15, 45, 90, 300 s. Add: 1.
    """
    next_s = next((other for other in AGES_S if other > age_s), 1_000)
    for age_ns in (age_s * NS_PER_SECOND, next_s * NS_PER_SECOND - 1):
        for make, points in ((amend, amended), (replace, replaced), (cancel, cancelled)):
            desk = CostDesk()
            order = desk.aged(age_ns)
            changes = {"quantity_e8": e8(9)} if make is amend else {}
            assert desk.added_e8(make(order_id=order.order_id, **changes)) == points * E8


def test_an_order_costs_one_point() -> None:
    """A test order costs nothing, nor do fills."""
    desk = CostDesk()
    assert desk.added_e8(place()) == E8
    assert desk.added_e8(place(flags=FLAG_TEST)) == 0
    order = desk.rest()
    before_e8 = desk.points_e8()
    desk.trade(order, fill(order.price_e8, order.quantity_e8, maker=True))
    assert desk.points_e8() == before_e8


def test_an_order_in_flight_is_as_young_as_can_be() -> None:
    """Its cancel costs the points of the first step."""
    desk = CostDesk()
    order = desk.place()
    desk.now_ns += 60 * NS_PER_SECOND
    assert desk.added_e8(cancel(order_id=order.order_id)) == 8 * E8


def test_an_amend_makes_the_order_young_again() -> None:
    """The age counts from the last change of what it offers."""
    desk = CostDesk()
    order = desk.aged(300 * NS_PER_SECOND)
    desk.send(amend(order_id=order.order_id, quantity_e8=e8(20)))
    desk.answer(desk.book.current_seq, order.order_id)
    assert desk.added_e8(cancel(order_id=order.order_id)) == 8 * E8


def test_a_halt_stops_the_age() -> None:
    """An hour without matching makes no order older; the counter falls all the same."""
    desk = CostDesk()
    order = desk.aged(0)
    desk.send(SetSymbolState(SYMBOL, SYMBOL_HALT, "", ""))
    desk.now_ns += 3_600 * NS_PER_SECOND
    desk.send(SetSymbolState(SYMBOL, SYMBOL_TRADING, "", ""))
    assert desk.points_e8() == 0
    assert desk.added_e8(cancel(order_id=order.order_id)) == 8 * E8


# --- Limit and decay ------------------------------------------------------------------------------


@pytest.mark.parametrize(("decay", "limit"), [("1", "60"), ("2.34", "125"), ("3.75", "180")])
def test_the_limit_is_never_passed_by_an_order(decay: str, limit: str) -> None:
    """Exactly as many orders as the limit has points at once, for each of Kraken's tiers."""
    desk = CostDesk(decay=decay, limit=limit)
    verdicts = [desk.send(place(quantity_e8=e8(1))).verdict for _ in range(int(limit) + 2)]
    assert verdicts.count(ACCEPTED) == int(limit)
    assert verdicts[-2:] == [REFUSED, REFUSED]


@pytest.mark.parametrize(("early", "refused"), [(1, True), (0, False), (-1, False)])
def test_the_counter_falls_to_the_nanosecond(early: int, refused: bool) -> None:
    """Full at 125, one point has decayed after 1/2.34 s: 427,350,428 ns, rounded up; told so."""
    desk = CostDesk()
    for _ in range(125):
        desk.send(place(quantity_e8=e8(1)))
    breach = desk.send(place()).breaches[0]
    assert (breach.reason, breach.limit, breach.observed) == (
        Reason.AGE_COST_LIMIT, 125 * E8, 126 * E8,
    )  # fmt: skip
    assert (breach.scope, breach.subject) == (SCOPE_ACCOUNT_SYMBOL, pair_of(ACCOUNT, SYMBOL))
    assert breach.retry_ns == desk.now_ns + 427_350_428
    desk.now_ns = breach.retry_ns - early
    assert (desk.send(place()).verdict == REFUSED) is refused


def test_a_burst_of_orders_that_are_taken_off_at_once() -> None:
    """Place and cancel cost 9: the middle tier stands 13 of them (117), and then waits.

    After 13 pairs the counter is at 117; 8 further orders fill it up. One pair a 9 / 2.34 = 3.846 s
    can be kept up for ever.
    """
    desk = CostDesk()
    for _ in range(13):
        order = desk.rest(quantity_e8=e8(1))
        desk.send(cancel(order_id=order.order_id))
    assert desk.points_e8() == 117 * E8
    verdicts = [desk.send(place(quantity_e8=e8(1))).verdict for _ in range(9)]
    assert verdicts == [ACCEPTED] * 8 + [REFUSED]


def test_cancels_are_never_refused_and_count_beyond_the_limit() -> None:
    """A client may always take his orders off; he then waits the longer."""
    desk = CostDesk(limit="10")
    orders = [desk.rest(quantity_e8=e8(1)) for _ in range(10)]
    for order in orders:
        assert desk.send(cancel(order_id=order.order_id)).verdict == ACCEPTED
    assert desk.points_e8() == 90 * E8
    breach = desk.send(place()).breaches[0]
    assert breach.retry_ns == desk.now_ns + -(-81 * E17 // 234_000_000)


def test_a_message_that_costs_more_than_the_limit_never_passes() -> None:
    """Waiting does not help, and no time is told."""
    desk = CostDesk(limit="6")
    order = desk.aged(0)
    desk.now_ns += NS_PER_SECOND
    breach = desk.send(replace(order_id=order.order_id)).breaches[0]
    assert (breach.observed, breach.retry_ns) == (7 * E8, 0)


# --- Which cancels count --------------------------------------------------------------------------


def test_a_second_cancel_of_an_order_is_free() -> None:
    """Also after the engine has refused the first."""
    desk = CostDesk()
    order = desk.rest()
    assert desk.added_e8(cancel(order_id=order.order_id)) == 8 * E8
    assert desk.added_e8(cancel(order_id=order.order_id)) == 0
    desk.refuse(desk.book.current_seq, Reason.ENGINE_UNAVAILABLE)
    assert desk.added_e8(cancel(order_id=order.order_id)) == 0


def test_a_cancel_of_all_counts_each_order_at_its_age() -> None:
    """One of five seconds and one of none: 6 + 8; a further slice counts what is new in it."""
    desk = CostDesk()
    desk.aged(5 * NS_PER_SECOND)
    desk.rest()
    assert desk.added_e8(all_orders(SYMBOL)) == 14 * E8
    late = desk.rest()
    before_e8 = desk.points_e8()
    slice_of = BulkCancel(SCOPE_ACCOUNT, ACCOUNT, SYMBOL, CAUSE_CLIENT, desk.book.current_seq)
    assert desk.send(slice_of).cancels == (late.order_id,)
    assert desk.points_e8() - before_e8 == 8 * E8


def test_cancels_nobody_asked_for_are_free() -> None:
    """A kill costs nothing, and what is let go then can't be counted again."""
    desk = CostDesk()
    order = desk.rest()
    before_e8 = desk.points_e8()
    kill = desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_KILL, 0))
    assert kill.cancels == (order.order_id,)
    assert desk.points_e8() == before_e8


def test_a_deferred_cancel_counts_when_it_is_asked_for() -> None:
    """At the age the order had then, once; not again when it is carried out."""
    resting = {"mode": "enforce", "policy": "DEFER", "minimum": "10s"}
    desk = CostDesk(rules={"resting_time": resting})
    order = desk.aged(5 * NS_PER_SECOND)
    assert desk.added_e8(cancel(order_id=order.order_id)) == 6 * E8
    assert desk.added_e8(all_orders(SYMBOL)) == 0
    desk.now_ns += 5 * NS_PER_SECOND
    before_e8 = desk.points_e8()
    due = desk.pipeline.dues.next(desk.now_ns)
    assert isinstance(due, BulkCancel)
    assert due.scope == SCOPE_ORDER
    assert desk.send(due).cancels == (order.order_id,)
    assert desk.points_e8() == before_e8


def test_what_another_rule_refuses_costs_the_fixed_part() -> None:
    """But never more than the limit leaves, nor for whoever only names somebody's key."""
    rules = {"order_size": {"mode": "enforce"}, "authentication": {"mode": "enforce"}}
    desk = CostDesk(limit="1.5", rules=rules)
    rule = desk.rule
    refused = Decision(REFUSED, (Breach("order_size", Reason.ORDER_SIZE, 1, 2),))
    stranger = place(auth=AUTH_BAD_SIGNATURE)
    signature = Decision(REFUSED, (Breach("authentication", Reason.SIGNATURE_INVALID, "", ""),))
    old = Decision(REFUSED, (Breach("recv_window", Reason.TIMESTAMP_EXPIRED, 1, 2),))
    for event, decision, points_e8 in (
        (stranger, signature, 0),
        (place(), old, 0),
        (cancel(order_id=1), refused, 0),
        (place(), refused, E8),
        (place(), refused, 3 * E8 // 2),
        (place(), refused, 3 * E8 // 2),
    ):
        rule.apply(event, decision, desk.book, desk.now_ns)
        assert desk.points_e8() == points_e8


def test_what_is_refused_for_its_cost_costs_nothing() -> None:
    """Trying again does not make the wait longer."""
    desk = CostDesk(limit="1")
    desk.send(place())
    desk.now_ns += 1
    before_e8 = desk.points_e8()
    assert desk.send(place()).verdict == REFUSED
    assert desk.points_e8() == before_e8


# --- Whose counter --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per", "scope", "subject", "other_key_counts"),
    [
        ("account", SCOPE_ACCOUNT_SYMBOL, pair_of(ACCOUNT, SYMBOL), 0),
        ("owner", SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), 1),
        ("key", SCOPE_KEY, KEY, 0),
    ],
)
def test_whose_counter(per: str, scope: int, subject: int, other_key_counts: int) -> None:
    """In each symbol apart; the owner's other account adds to the owner's counter only."""
    desk = CostDesk(per=per, limit="2")
    desk.send(place())
    desk.send(place(symbol=OTHER_SYMBOL))
    assert desk.points_e8(scope, subject) == E8
    desk.send(place(key=OTHER_KEY))
    assert desk.points_e8(scope, subject) == E8 + other_key_counts * E8
    desk.send(place())
    breach = desk.send(place()).breaches[0] if not other_key_counts else None
    if breach is not None:
        assert (breach.scope, breach.subject) == (scope, subject)
    assert desk.rule.usage(99, 1, desk.book, desk.now_ns) == ()


def test_tiers() -> None:
    """Accounts of a tier have a counter of their own kind."""
    tiers = {"pro": {"limit": "3", "decay": "1"}}
    desk = CostDesk(limit="1", tiers=tiers)
    desk.send(DefineAccount(OTHER_ACCOUNT, "b", OWNER, "pro", 0))
    assert [desk.send(place()).verdict for _ in range(2)] == [ACCEPTED, REFUSED]
    verdicts = [desk.send(place(key=OTHER_KEY)).verdict for _ in range(4)]
    assert verdicts == [ACCEPTED, ACCEPTED, ACCEPTED, REFUSED]


def test_an_unknown_key_is_not_judged() -> None:
    """Another rule refuses it."""
    desk = CostDesk(limit="0")
    assert desk.rule.check(place(key=77), desk.book, desk.now_ns) is None
    assert desk.rule.explain(place(key=77), desk.book, desk.now_ns) == ()
