"""Minimum resting time: exact at the boundary, with every exemption."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.book import Book, OpenOrder
from rules.conduct.resting_time import RestingTime
from rules.decisions import Breach, Charge, Defer
from rules.endpoints import Endpoint
from rules.events import Amend, BulkCancel, Cancel, CancelAll, Event, Replace
from rules.reasons import Reason
from rules.rulebook import parse_rulebook
from rules.values import (
    AUTH_OK,
    CHANNEL_INTERNAL,
    E8,
    FLAG_ALGO,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NS_PER_MS,
    SCOPE_ORDER,
)

AddOrder = Callable[..., OpenOrder]

SYMBOL, OTHER_SYMBOL, KEY, UNKNOWN_KEY = 7, 8, 11, 99
NOW_NS = 1_700_000_000_000_000_000
MINIMUM_NS = 500 * NS_PER_MS


def rule(text: str = "") -> RestingTime:
    """Return the rule with 500 ms and the clause lines of `text`."""
    source = f'name = "test"\n[rules.resting_time]\nmode = "enforce"\n{text}'
    return RestingTime(parse_rulebook("test", {"test": source}))


CHARGING = """policy = "CHARGE"
tariff = "aged"
[rules.cancel_fees]
mode = "enforce"
[tariffs.aged]
description = "falls from 2 at once to nothing at half a second"
source = "the test"
currency = "USDT"
age_curve = { points = [{ age = "0s", fee = "2" }, { age = "500ms", fee = "0" }] }
"""


def head(endpoint: Endpoint, key: int = KEY) -> tuple[int, ...]:
    """Return the fields every request begins with."""
    return (endpoint, 1, key, AUTH_OK, NOW_NS, NOW_NS, 0, 0, CHANNEL_INTERNAL, 0, 0)


def cancel(order_id: int = 1, client_order_id: str = "", key: int = KEY) -> Cancel:
    return Cancel(*head(Endpoint.ORDER_CANCEL, key), SYMBOL, order_id, client_order_id)


def amend(quantity_e8: int, price_e8: int = 0) -> Amend:
    return Amend(*head(Endpoint.ORDER_AMEND), SYMBOL, 1, "", quantity_e8, price_e8)


def replace() -> Replace:
    return Replace(
        *head(Endpoint.ORDER_CANCEL_REPLACE),
        SYMBOL, 1, "", 1, LIMIT, GTC, 100 * E8, E8, 0,
    )  # fmt: skip


def cancel_all(symbol: int = 0) -> CancelAll:
    return CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), symbol)


@pytest.mark.parametrize(("age_ns", "refused"), [(0, 1), (MINIMUM_NS - 1, 1), (MINIMUM_NS, 0)])
@pytest.mark.parametrize("event", [cancel(), amend(5 * E8), amend(20 * E8), replace()])
def test_age_below_the_minimum_is_refused(
    book: Book, add_order: AddOrder, event: Event, age_ns: int, refused: int
) -> None:
    """A cancel, amend or replace is refused one nanosecond before the minimum, not at it."""
    add_order(1, NOW_NS)
    verdict = rule().check(event, book, NOW_NS + age_ns)
    if not refused:
        assert verdict is None
        return
    assert verdict == Breach(
        "resting_time",
        Reason.MINIMUM_RESTING_TIME,
        MINIMUM_NS,
        age_ns,
        NOW_NS + MINIMUM_NS,
        SCOPE_ORDER,
        1,
    )


def test_order_found_by_client_order_id(book: Book, add_order: AddOrder) -> None:
    """The order may be named by its client order id."""
    add_order(1)
    assert rule().check(cancel(0, "client-1"), book, NOW_NS) is not None


def test_amended_order_is_young_again(book: Book, add_order: AddOrder) -> None:
    """The age counts from `live_ns`, which an amend that restarts the age moves."""
    order = add_order(1, NOW_NS - MINIMUM_NS)
    assert rule().check(cancel(), book, NOW_NS) is None
    order.live_ns = NOW_NS
    assert rule().check(cancel(), book, NOW_NS) is not None


def test_order_the_engine_has_not_confirmed_is_exempt(book: Book, add_order: AddOrder) -> None:
    """An order that was never live has no age."""
    add_order(1, 0)
    assert rule().check(cancel(), book, NOW_NS) is None


def test_unknown_order_and_unknown_key_are_not_judged(book: Book, add_order: AddOrder) -> None:
    """Another rule refuses these; here nothing stands against them."""
    add_order(1)
    assert rule().check(cancel(2), book, NOW_NS) is None
    assert rule().check(cancel(1, "", UNKNOWN_KEY), book, NOW_NS) is None


@pytest.mark.parametrize(("order_type", "time_in_force"), [(MARKET, 0), (LIMIT, IOC), (LIMIT, FOK)])
def test_orders_that_never_rest_are_exempt(
    book: Book, add_order: AddOrder, order_type: int, time_in_force: int
) -> None:
    """MARKET, IOC and FOK orders are not meant to rest."""
    add_order(1, order_type=order_type, time_in_force=time_in_force)
    assert rule().check(cancel(), book, NOW_NS) is None


def test_halt_stops_the_age(book: Book, add_order: AddOrder) -> None:
    """Only time in which the order could be matched counts, during a halt and after it."""
    add_order(1)
    facts = book.symbols[SYMBOL]
    facts.halted_since_ns = NOW_NS + 100 * NS_PER_MS
    during = rule().check(cancel(), book, NOW_NS + 10 * MINIMUM_NS)
    assert isinstance(during, Breach)
    assert during.observed == 100 * NS_PER_MS
    facts.halted_since_ns = 0
    facts.halted_total_ns = 1_000 * NS_PER_MS
    assert rule().check(cancel(), book, NOW_NS + 1_500 * NS_PER_MS - 1) is not None
    assert rule().check(cancel(), book, NOW_NS + 1_500 * NS_PER_MS) is None


def test_symbols_have_their_own_minimum(book: Book, add_order: AddOrder) -> None:
    """A symbol's minimum replaces the general one."""
    add_order(1)
    special = rule('symbols = { ABC = "2s", XYZ = "1ns" }')
    breach = special.check(cancel(), book, NOW_NS + 1_999 * NS_PER_MS)
    assert isinstance(breach, Breach)
    assert breach.limit == 2_000 * NS_PER_MS
    assert special.check(cancel(), book, NOW_NS + 2_000 * NS_PER_MS) is None


@pytest.mark.parametrize(("flags", "algo", "refused"), [(0, 0, 0), (FLAG_ALGO, 0, 1), (0, 9, 1)])
def test_algo_only_leaves_other_orders_alone(
    book: Book, add_order: AddOrder, flags: int, algo: int, refused: int
) -> None:
    """With `algo_only` an order counts when it is flagged or names an algorithm."""
    add_order(1, flags=flags, algo=algo)
    verdict = rule("algo_only = true").check(cancel(), book, NOW_NS)
    assert (verdict is not None) == bool(refused)


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        (amend(10 * E8 - 1), False),
        (amend(5 * E8, 100 * E8), False),
        (amend(10 * E8), True),
        (amend(5 * E8, 101 * E8), True),
        (amend(0, 101 * E8), True),
        (cancel(), True),
    ],
)
def test_exempt_reducing(book: Book, add_order: AddOrder, event: Event, refused: bool) -> None:
    """With `exempt_reducing` an amend passes when it takes off quantity and does nothing else."""
    add_order(1)
    assert (rule("exempt_reducing = true").check(event, book, NOW_NS) is not None) == refused
    assert rule().check(event, book, NOW_NS) is not None


def test_policies_defer_and_charge(book: Book, add_order: AddOrder) -> None:
    """DEFER names the time, CHARGE lets pass at a tariff; explain calls neither a breach."""
    add_order(1)
    deferring, charging = rule('policy = "DEFER"'), rule(CHARGING)
    at_ns = NOW_NS + 1
    assert deferring.check(cancel(), book, at_ns) == Defer("resting_time", NOW_NS + MINIMUM_NS)
    charge = Charge("resting_time", "aged", 2 * E8 - 1, 1)
    assert charging.check(cancel(), book, at_ns) == charge
    assert [look.detail for look in deferring.explain(cancel(), book, at_ns)] == ["deferred"]
    assert [look.detail for look in charging.explain(cancel(), book, at_ns)] == ["charged"]


def test_cancel_all_is_refused_only_when_every_order_is_too_young(
    book: Book, add_order: AddOrder
) -> None:
    """A bulk cancel is held by none ripe; the breach names the order that is ripe first."""
    assert rule().check(cancel_all(), book, NOW_NS) is None
    add_order(1, NOW_NS - 10)
    add_order(2, NOW_NS - 20)
    add_order(3, NOW_NS - 5)
    breach = rule().check(cancel_all(), book, NOW_NS)
    assert isinstance(breach, Breach)
    assert (breach.subject, breach.observed) == (2, 20)
    assert breach.retry_ns == NOW_NS + MINIMUM_NS - 20
    add_order(4, NOW_NS - MINIMUM_NS)
    assert rule().check(cancel_all(), book, NOW_NS) is None
    assert rule().check(cancel_all(SYMBOL), book, NOW_NS) is None


def test_cancel_all_looks_at_its_own_symbol(book: Book, add_order: AddOrder) -> None:
    """A ripe order elsewhere does not let a symbol's bulk cancel pass."""
    add_order(1)
    add_order(2, NOW_NS - MINIMUM_NS, symbol=OTHER_SYMBOL)
    assert rule().check(cancel_all(SYMBOL), book, NOW_NS) is not None
    assert rule().check(cancel_all(OTHER_SYMBOL), book, NOW_NS) is None
    assert rule().check(cancel_all(), book, NOW_NS) is None


def test_verdict_on_each_order_of_a_bulk_cancel(book: Book, add_order: AddOrder) -> None:
    """An order is left one nanosecond before the minimum and taken at it."""
    order = add_order(1)
    assert isinstance(rule().verdict(order, book, NOW_NS + MINIMUM_NS - 1), Breach)
    assert rule().verdict(order, book, NOW_NS + MINIMUM_NS) is None
    assert rule().verdict(add_order(2, 0), book, NOW_NS) is None


def test_cancels_of_the_gate_are_never_judged() -> None:
    """A kill, halt or lost session cancels by `BulkCancel`, which the rule does not want."""
    assert BulkCancel not in RestingTime.wants


@given(
    ages_ns=st.lists(st.integers(0, 2 * MINIMUM_NS), max_size=4),
    pending=st.booleans(),
    algo=st.booleans(),
    options=st.sampled_from(
        [
            "",
            "algo_only = true",
            "exempt_reducing = true",
            'policy = "DEFER"',
            CHARGING,
            'cases = [{ algo = true, minimum = "600ms", policy = "DEFER" }]',
        ]
    ),
    event=st.sampled_from([cancel(), cancel(2), amend(E8), replace(), cancel_all(), cancel_all(8)]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_explain_agrees_with_check(
    book: Book,
    add_order: AddOrder,
    ages_ns: list[int],
    pending: bool,
    algo: bool,
    options: str,
    event: Event,
) -> None:
    """`check` breaches exactly when an explanation has not passed, with the same numbers."""
    for order in list(book.orders.values()):
        book.end_order(order)
    for number, age_ns in enumerate(ages_ns, 1):
        add_order(number, NOW_NS - age_ns, flags=FLAG_ALGO if algo else 0)
    if pending:
        add_order(len(ages_ns) + 1, 0)
    tested = rule(options)
    verdict = tested.check(event, book, NOW_NS)
    failed = [look for look in tested.explain(event, book, NOW_NS) if not look.passed]
    assert isinstance(verdict, Breach) == bool(failed)
    if isinstance(verdict, Breach):
        seen = (failed[0].reason, failed[0].limit, failed[0].observed)
        assert (verdict.reason, verdict.limit, verdict.observed) == seen
