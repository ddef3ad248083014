"""CHARGE: a cancel or change of a young order passes at a price by its age, which is then posted."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conduct.cancel_fees import CancelFees
from rules.decisions import ACCEPTED, Charge, Decision
from rules.events import BulkCancel, CancelAll, Ended, OrderEnded, Request
from rules.fee_clauses import AgeCurveClause, AgePointClause
from rules.fees.age_curve import price_e8
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.registry import build_rules
from rules.rulebook import RulebookError
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_EXPIRY,
    CAUSE_KILL,
    E8,
    EXPIRED,
    NS_PER_DAY,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
)
from tests.rules.conduct.fee_desk import DAY_STARTS_NS, PLAIN, FeeDesk
from tests.rules.desk import Desk
from tests.rules.order_world import ACCOUNT, amend, cancel, e8, make_rulebook, replace

CURVE: dict[str, Any] = {
    "description": "falls from 0.02 at once to 0.01 at half a second and nothing at five",
    "source": "the test",
    "currency": "USDT",
    "age_curve": {
        "points": [
            {"age": "0s", "fee": "0.02"},
            {"age": "500ms", "fee": "0.01"},
            {"age": "5s", "fee": "0"},
        ]
    },
}
CLAUSE = {"mode": "enforce", "policy": "CHARGE", "tariff": "aged", "minimum": "5s"}
CENT_E8 = E8 // 100


class ChargeDesk(FeeDesk):
    """A desk whose rulebook charges for cancels of orders younger than five seconds."""

    def __init__(self, fees: dict[str, Any] | None = None, **clause: Any) -> None:
        rules = {
            "cancel_fees": {"mode": "enforce", **(fees or {})},
            "resting_time": {**CLAUSE, **clause},
        }
        Desk.__init__(self, rules, {"aged": CURVE, "test": PLAIN})
        self.now_ns = DAY_STARTS_NS

    def after_day(self) -> list[tuple[str, str]]:
        """Let the day end; return identity and amount of what is posted."""
        self.now_ns = DAY_STARTS_NS + NS_PER_DAY
        return self.post()


def all_orders() -> CancelAll:
    """Return a cancel of all the account's orders."""
    one = cancel()
    return CancelAll(*(getattr(one, name) for name in Request.__struct_fields__), symbol=0)


# --- The price ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ns", "expected_e8"),
    [
        (0, 2 * CENT_E8),
        (1, 2 * CENT_E8 - 1),
        (250 * NS_PER_MS, 3 * CENT_E8 // 2),
        (500 * NS_PER_MS - 1, CENT_E8),
        (500 * NS_PER_MS, CENT_E8),
        (500 * NS_PER_MS + 1, CENT_E8 - 1),
        (2_750 * NS_PER_MS, CENT_E8 // 2),
        (5 * NS_PER_SECOND - 1, 0),
        (5 * NS_PER_SECOND, 0),
    ],
)
def test_the_price_falls_with_the_age(age_ns: int, expected_e8: int) -> None:
    """Straight from point to point, rounded down.

    At 250 ms half of the first fall of a cent is behind: 0.02 - 0.005 = 0.015. At 2.75 s half of the
    second: 0.01 - 0.005 = 0.005. A nanosecond costs a fall of 0.01 / 500,000,000 = 2e-11.
    """
    desk = ChargeDesk()
    order = desk.rest()
    desk.now_ns += age_ns
    decision = desk.send(cancel(order_id=order.order_id))
    assert decision.verdict == ACCEPTED
    expected = (Charge("resting_time", "aged", expected_e8, order.order_id),) if expected_e8 else ()
    assert decision.charges == expected


@given(
    ages=st.lists(st.integers(1, 10**10), min_size=1, max_size=5, unique=True),
    fees=st.lists(st.integers(0, 10**12), min_size=5, max_size=5),
    asked=st.tuples(st.integers(0, 2 * 10**10), st.integers(0, 2 * 10**10)),
)
def test_an_older_order_never_costs_more(
    ages: list[int], fees: list[int], asked: tuple[int, int]
) -> None:
    """The price never rises with the age, never passes the first point's, and ends at 0."""
    ends = sorted(ages)
    prices = [*sorted(fees, reverse=True)[: len(ends)], 0]
    clause = AgeCurveClause(
        points=tuple(
            AgePointClause(age=f"{age}ns", fee=f"{fee // E8}.{fee % E8:08d}")
            for age, fee in zip([0, *ends], prices, strict=True)
        )
    )
    younger, older = sorted(asked)
    assert prices[0] >= price_e8(clause, younger) >= price_e8(clause, older) >= 0
    assert price_e8(clause, 0) == prices[0]
    assert price_e8(clause, ends[-1]) == 0


def test_an_order_at_the_minimum_is_free() -> None:
    """The minimum ends the price even where the curve goes on."""
    desk = ChargeDesk(minimum="1s")
    order = desk.rest()
    desk.now_ns += NS_PER_SECOND
    assert desk.send(cancel(order_id=order.order_id)).charges == ()


# --- What is posted -------------------------------------------------------------------------------


def test_what_was_charged_is_posted_when_the_day_ends() -> None:
    """Two cancels at once and one after 250 ms: 0.02 + 0.02 + 0.015 = 0.055."""
    desk = ChargeDesk()
    for age_ns in (0, 0, 250 * NS_PER_MS, 5 * NS_PER_SECOND):
        order = desk.rest()
        desk.now_ns += age_ns
        desk.cancel(order)
    ((identity, amount),) = desk.after_day()
    assert identity.startswith("aged:")
    assert amount == "0.055"
    assert desk.post() == []


def test_what_was_not_carried_out_costs_nothing() -> None:
    """A cancel the engine refuses, because the order was executed first, is not posted."""
    desk = ChargeDesk()
    order = desk.rest()
    decision = desk.send(cancel(order_id=order.order_id))
    assert len(decision.charges) == 1
    desk.refuse(desk.book.current_seq, Reason.ENGINE_UNKNOWN_ORDER)
    assert desk.after_day() == []


def test_amends_and_replaces_are_charged_too() -> None:
    """Each for the order that it changes or ends, once the engine has."""
    desk = ChargeDesk()
    order = desk.rest()
    desk.amended(order, e8(9))
    assert desk.send(replace(order_id=order.order_id)).charges[0].order_id == order.order_id
    command_id, new_id = desk.book.current_seq, desk.book.next_order_id - 1
    desk.answer(command_id, new_id, ended=(Ended(order.order_id, CANCELED, 0),))
    refused = desk.send(amend(order_id=new_id, quantity_e8=e8(8)))
    assert len(refused.charges) == 1
    desk.refuse(desk.book.current_seq, Reason.ENGINE_UNSUPPORTED)
    assert [amount for _, amount in desk.after_day()] == ["0.04"]


def test_an_exempt_amend_is_free() -> None:
    """One that only takes quantity off, where the clause exempts it."""
    desk = ChargeDesk(exempt_reducing=True)
    order = desk.rest()
    assert desk.send(amend(order_id=order.order_id, quantity_e8=e8(9))).charges == ()


def test_a_cancel_of_all_is_charged_by_order() -> None:
    """Each order at its own age; what the engine did not end costs nothing."""
    desk = ChargeDesk()
    old = desk.rest()
    desk.now_ns += 250 * NS_PER_MS
    young, gone = desk.rest(), desk.rest()
    decision = desk.send(all_orders())
    assert [(one.order_id, one.amount_e8) for one in decision.charges] == [
        (old.order_id, 3 * CENT_E8 // 2),
        (young.order_id, 2 * CENT_E8),
        (gone.order_id, 2 * CENT_E8),
    ]
    ended = tuple(Ended(one.order_id, CANCELED, 0) for one in (old, young))
    desk.answer(desk.book.current_seq, 0, CANCELED, ended=ended)
    assert [amount for _, amount in desk.after_day()] == ["0.035"]


def test_a_later_slice_is_charged() -> None:
    """The orders of a further slice are the client's own cancels, and priced alike."""
    desk = ChargeDesk()
    order = desk.rest()
    more = BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_CLIENT, desk.book.current_seq)
    assert desk.send(more).charges[0].amount_e8 == 2 * CENT_E8
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.answer(desk.book.current_seq, 0, CANCELED, ended=ended)
    assert [amount for _, amount in desk.after_day()] == ["0.02"]


def test_a_kill_costs_nothing() -> None:
    """Nor does any cancel that no client asked for."""
    desk = ChargeDesk()
    order = desk.rest()
    kill = desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_KILL, 0))
    assert (kill.cancels, kill.charges) == ((order.order_id,), ())


def test_a_cancel_reported_instead_of_answered_is_posted() -> None:
    """The result was lost, and the engine says by itself that the order's client ended it."""
    desk = ChargeDesk()
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_CLIENT, 0))
    assert [amount for _, amount in desk.after_day()] == ["0.02"]


def test_a_cancel_asked_for_twice_is_charged_once() -> None:
    """The first was not answered in time, the second neither; the engine then reports the end. Both
    were decided with a charge, 0.02 and 0.01; the order is cancelled once, at the lower one."""
    desk = ChargeDesk()
    order = desk.rest()
    for _ in range(2):
        desk.send(cancel(order_id=order.order_id))
        desk.answer(desk.book.current_seq, accepted=False, unknown=True)
        desk.now_ns += 500 * NS_PER_MS
    desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_CLIENT, 0))
    assert [amount for _, amount in desk.after_day()] == ["0.01"]


@pytest.mark.parametrize("first", [True, False])
def test_either_of_two_cancels_may_be_answered(first: bool) -> None:
    """The one the engine carried out is charged; nothing of the other is kept."""
    desk = ChargeDesk()
    order = desk.rest()
    commands = []
    for _ in range(2):
        desk.send(cancel(order_id=order.order_id))
        commands.append(desk.book.current_seq)
        desk.answer(commands[-1], accepted=False, unknown=True)
        desk.now_ns += 500 * NS_PER_MS
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.answer(commands[0 if first else 1], order.order_id, CANCELED, ended=ended)
    assert desk.rule.state()["charged"] == []
    assert [amount for _, amount in desk.after_day()] == ["0.02" if first else "0.01"]


def test_a_charge_for_an_order_that_expires_is_let_go() -> None:
    """A cancel without an answer, of an order that the venue then takes off, costs nothing."""
    desk = ChargeDesk()
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    desk.answer(desk.book.current_seq, accepted=False, unknown=True)
    desk.send(OrderEnded(*desk.begin(), order.order_id, EXPIRED, CAUSE_EXPIRY, 0))
    assert desk.rule.state()["charged"] == []
    assert desk.after_day() == []


def test_a_charge_in_flight_outlasts_a_restart() -> None:
    """It is posted when the engine's answer comes to the next run."""
    desk = ChargeDesk()
    order = desk.rest()
    desk.send(cancel(order_id=order.order_id))
    command_id = desk.book.current_seq
    stored = msgspec.msgpack.encode(desk.pipeline.state())
    desk.pipeline = Pipeline(desk.pipeline.rulebook)
    desk.pipeline.restore(msgspec.msgpack.decode(stored))
    assert msgspec.msgpack.encode(desk.pipeline.state()) == stored
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.answer(command_id, order.order_id, CANCELED, ended=ended)
    assert [amount for _, amount in desk.after_day()] == ["0.02"]


def test_other_tariffs_go_on_beside() -> None:
    """What is charged at once is one tariff's; cancels count by the others as ever."""
    desk = ChargeDesk({"tariffs": ["test"]})
    for _ in range(3):
        desk.cancel(desk.rest())
    posted = {identity.split(":")[0]: amount for identity, amount in desk.after_day()}
    assert posted == {"test": "1", "aged": "0.06"}


def test_a_market_maker_who_pays_no_fees_pays_this_neither() -> None:
    """Where cancel_fees exempts market makers, their cancels are free."""
    for exempt in (True, False):
        desk = ChargeDesk({"exempt_market_makers": exempt})
        desk.book.accounts[ACCOUNT].flags = 1
        order = desk.rest()
        assert bool(desk.send(cancel(order_id=order.order_id)).charges) is not exempt


def test_in_shadow_fees_are_counted_and_not_posted() -> None:
    """The decision names the charge, and the meter shows it."""
    desk = ChargeDesk({"mode": "shadow"})
    desk.cancel(desk.rest())
    rule = desk.pipeline.rule("cancel_fees")
    assert isinstance(rule, CancelFees)
    (line,) = rule.meter(desk.book.accounts[ACCOUNT].owner, desk.book, desk.now_ns)
    assert (line.charge.amount_e8, line.charge.assessment.measured_e8) == (2 * CENT_E8, E8)
    assert desk.after_day() == []


def test_a_course_that_charges_is_followed() -> None:
    """What was charged counts, also where these rules would charge something else."""
    desk = ChargeDesk()
    order = desk.rest()
    charge = Charge("resting_time", "aged", 7 * CENT_E8, order.order_id)
    course = Decision(ACCEPTED, order_id=order.order_id, account=ACCOUNT, charges=(charge,))
    desk.send(cancel(order_id=order.order_id), course)
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.answer(desk.book.current_seq, order.order_id, CANCELED, ended=ended)
    assert [amount for _, amount in desk.after_day()] == ["0.07"]


# --- Parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"resting_time": {**CLAUSE, "tariff": ""}}, "`` is none"),
        ({"resting_time": {**CLAUSE, "tariff": "test"}}, "`test` is none"),
        ({"resting_time": CLAUSE}, "posted by rule cancel_fees, which is off"),
        (
            {
                "resting_time": CLAUSE,
                "cancel_fees": {"mode": "enforce", "tariffs": ["aged"]},
            },
            "tariff `aged` is charged by rule cancel_fees already",
        ),
    ],
)
def test_what_can_not_be_charged_is_an_error(rules: dict[str, Any], fault: str) -> None:
    """A price without a curve, without anybody who posts it, or charged twice."""
    rulebook = make_rulebook(rules, {"aged": CURVE, "test": PLAIN})
    with pytest.raises(RulebookError, match=fault):
        build_rules(rulebook)


def test_a_case_may_have_a_tariff_of_its_own() -> None:
    """Orders an algorithm decided are charged, others refused."""
    case = {"algo": True, "minimum": "5s", "policy": "CHARGE", "tariff": "aged"}
    desk = ChargeDesk(policy="REJECT", tariff="", cases=[case])
    plain, decided = desk.rest(), desk.rest(algo=3)
    assert desk.send(cancel(order_id=plain.order_id)).breaches
    assert desk.send(cancel(order_id=decided.order_id)).charges
