"""Which minimum holds for an order: by symbol, class of its owner and algorithm; and who is exempt."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.book import Book, OpenOrder
from rules.conduct.resting_time import RestingTime
from rules.decisions import ACCEPTED, Breach, Charge, Defer
from rules.reasons import Reason
from rules.rulebook import RulebookError, parse_rulebook
from rules.values import (
    FLAG_ALGO,
    FLAG_MARKET_MAKING,
    NS_PER_MS,
    OWNER_HIGH_FREQUENCY,
    SYMBOL_AUCTION,
    SYMBOL_HALT,
)
from tests.rules.conduct.conftest import ACCOUNT, MAKER_ACCOUNT, NOW_NS, OTHER_SYMBOL, OWNER, SYMBOL
from tests.rules.desk import Desk
from tests.rules.order_world import cancel

AddOrder = Callable[..., OpenOrder]

CASES = """
[[rules.resting_time.cases]]
symbols = ["ABC"]
classes = ["high_frequency"]
algo = true
minimum = "5ms"
policy = "DEFER"
[[rules.resting_time.cases]]
classes = ["high_frequency", "market_maker"]
minimum = "4ms"
[[rules.resting_time.cases]]
algo = false
minimum = "3ms"
[[rules.resting_time.cases]]
symbols = ["XYZ"]
minimum = "2ms"
"""


def rule(text: str = "") -> RestingTime:
    """Return the rule with a minimum of one millisecond and the clause lines of `text`."""
    source = f'name = "test"\n[rules.resting_time]\nmode = "enforce"\nminimum = "1ms"\n{text}'
    return RestingTime(parse_rulebook("test", {"test": source}))


@pytest.mark.parametrize(
    ("symbol", "high_frequency", "maker", "algo", "minimum_ms", "deferred"),
    [
        (SYMBOL, True, False, True, 5, True),
        (SYMBOL, True, False, False, 4, False),
        (OTHER_SYMBOL, True, False, True, 4, False),
        (SYMBOL, False, True, True, 4, False),
        (SYMBOL, False, False, False, 3, False),
        (OTHER_SYMBOL, False, False, False, 3, False),
        (OTHER_SYMBOL, False, False, True, 2, False),
        (SYMBOL, False, False, True, 1, False),
    ],
)
def test_the_first_case_that_fits_counts(
    book: Book,
    add_order: AddOrder,
    symbol: int,
    high_frequency: bool,
    maker: bool,
    algo: bool,
    minimum_ms: int,
    deferred: bool,
) -> None:
    """Before the rule's own minimum; what a case leaves out fits every order. To the nanosecond."""
    if high_frequency:
        book.owner_classes[OWNER] = OWNER_HIGH_FREQUENCY
    account = MAKER_ACCOUNT if maker else ACCOUNT
    order = add_order(1, account=account, symbol=symbol, flags=FLAG_ALGO if algo else 0)
    tested = rule(CASES)
    at_ns = NOW_NS + minimum_ms * NS_PER_MS
    young = tested.verdict(order, book, at_ns - 1)
    assert type(young) is (Defer if deferred else Breach)
    assert tested.verdict(order, book, at_ns) is None
    assert tested.verdict(order, book, at_ns + 1) is None
    assert tested.minimum_ns(order, book) == minimum_ms * NS_PER_MS


def test_cases_come_before_symbols(book: Book, add_order: AddOrder) -> None:
    """A symbol's own minimum is what holds where no case fits."""
    order, other = add_order(1), add_order(2, symbol=OTHER_SYMBOL)
    text = (
        'symbols = { ABC = "7ms", XYZ = "8ms" }\ncases = [{ symbols = ["ABC"], minimum = "9ms" }]'
    )
    tested = rule(text)
    minimums_ns = [tested.minimum_ns(one, book) for one in (order, other)]
    assert minimums_ns == [9 * NS_PER_MS, 8 * NS_PER_MS]


def test_a_minimum_of_nothing_exempts(book: Book, add_order: AddOrder) -> None:
    """A case with `0s` lets its orders go at once."""
    order = add_order(1, account=MAKER_ACCOUNT)
    assert rule().verdict(order, book, NOW_NS) is not None
    free = 'cases = [{ classes = ["market_maker"], minimum = "0s" }]'
    assert rule(free).verdict(order, book, NOW_NS) is None


@pytest.mark.parametrize(
    ("text", "account", "flags", "exempt"),
    [
        ("", MAKER_ACCOUNT, FLAG_MARKET_MAKING, True),
        ("", MAKER_ACCOUNT, 0, False),
        ("", ACCOUNT, FLAG_MARKET_MAKING, False),
        ("exempt_quotes = false", MAKER_ACCOUNT, FLAG_MARKET_MAKING, False),
    ],
)
def test_quotes(
    book: Book, add_order: AddOrder, text: str, account: int, flags: int, exempt: bool
) -> None:
    """An order flagged as market making is a quote only in an account with an agreement."""
    order = add_order(1, account=account, flags=flags)
    assert (rule(text).verdict(order, book, NOW_NS) is None) is exempt


@pytest.mark.parametrize(
    ("text", "state", "exempt"),
    [
        ("", SYMBOL_AUCTION, False),
        ("exempt_auction = true", SYMBOL_AUCTION, True),
        ("exempt_auction = true", SYMBOL_HALT, False),
    ],
)
def test_auctions(book: Book, add_order: AddOrder, text: str, state: int, exempt: bool) -> None:
    """Orders in an auction are exempt where the clause says so; a halt is none."""
    order = add_order(1)
    book.symbols[SYMBOL].state = state
    assert (rule(text).verdict(order, book, NOW_NS) is None) is exempt


@given(
    cases=st.lists(
        st.tuples(
            st.sampled_from([(), ("ABC",), ("XYZ",), ("ABC", "XYZ")]),
            st.sampled_from([(), ("ordinary",), ("high_frequency",), ("market_maker", "ordinary")]),
            st.sampled_from([None, True, False]),
            st.integers(0, 5),
        ),
        max_size=5,
    ),
    symbol=st.sampled_from([SYMBOL, OTHER_SYMBOL]),
    owner_class=st.sampled_from(["ordinary", "high_frequency", "market_maker"]),
    algo=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_against_a_plain_search(
    book: Book,
    add_order: AddOrder,
    cases: list[tuple[tuple[str, ...], tuple[str, ...], bool | None, int]],
    symbol: int,
    owner_class: str,
    algo: bool,
) -> None:
    """The minimum is that of the first case all of whose conditions hold, else the rule's own."""
    book.owner_classes.clear()
    if owner_class == "high_frequency":
        book.owner_classes[OWNER] = OWNER_HIGH_FREQUENCY
    account = MAKER_ACCOUNT if owner_class == "market_maker" else ACCOUNT
    order = add_order(1, account=account, symbol=symbol, algo=9 if algo else 0)
    name = book.symbols[symbol].name
    expected = 1
    for symbols, classes, decided, minimum in reversed(cases):
        fits = (not symbols or name in symbols) and (not classes or owner_class in classes)
        if fits and decided in (None, algo):
            expected = minimum
    lines: list[Any] = []
    for symbols, classes, decided, minimum in cases:
        lines.append(f"{{ symbols = {list(symbols)}, classes = {list(classes)}, ")
        lines.append("" if decided is None else f"algo = {str(decided).lower()}, ")
        lines.append(f'minimum = "{minimum}ms" }},')
    tested = rule(f"cases = [{''.join(lines)}]")
    assert tested.minimum_ns(order, book) == expected * NS_PER_MS


def test_a_case_with_a_price(book: Book, add_order: AddOrder) -> None:
    """CHARGE in one case, and the rule's own policy everywhere else."""
    text = """policy = "REJECT"
    cases = [{ symbols = ["ABC"], minimum = "10s", policy = "CHARGE", tariff = "aged" }]
    [rules.cancel_fees]
    mode = "enforce"
    [tariffs.aged]
    description = "falls from 2 at once to nothing at ten seconds"
    source = "the test"
    currency = "USDT"
    age_curve = { points = [{ age = "0s", fee = "2" }, { age = "10s", fee = "0" }] }
    """
    order, other = add_order(1), add_order(2, symbol=OTHER_SYMBOL)
    tested = rule(text)
    assert tested.verdict(order, book, NOW_NS) == Charge("resting_time", "aged", 200_000_000, 1)
    assert isinstance(tested.verdict(other, book, NOW_NS), Breach)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('cases = [{ minimum = "soon" }]', "`soon` is not a duration"),
        ('cases = [{ symbols = ["ABC"] }]', "minimum"),
        ('cases = [{ minimum = "1s", classes = ["whale"] }]', "whale"),
        ('cases = [{ minimum = "1s", policy = "WAIT" }]', "WAIT"),
        ('cases = [{ minimum = "1s", policy = "CHARGE" }]', "a tariff with an age_curve"),
    ],
)
def test_cases_that_can_not_be_used(text: str, fault: str) -> None:
    """Each is told, with what is wrong."""
    with pytest.raises((RulebookError, ValueError), match=fault):
        rule(text)


@pytest.mark.parametrize("policy", ["REJECT", "DEFER", "CHARGE"])
def test_in_shadow_every_policy_leaves_a_trace(policy: str) -> None:
    """The cancel passes at once and free of charge, and the record says what would have been."""
    tariff = {
        "description": "falls from 2 at once to nothing at half a second",
        "source": "the test",
        "currency": "USDT",
        "age_curve": {"points": [{"age": "0s", "fee": "2"}, {"age": "500ms", "fee": "0"}]},
    }
    clause = {"mode": "shadow", "policy": policy, "tariff": "aged", "minimum": "500ms"}
    desk = Desk({"resting_time": clause, "cancel_fees": {"mode": "enforce"}}, {"aged": tariff})
    orders = [desk.rest() for _ in range(2)]
    detail = {"REJECT": "", "DEFER": "deferred", "CHARGE": "charged"}[policy]
    decision = desk.send(cancel(order_id=orders[0].order_id))
    assert (decision.verdict, decision.deferred, decision.charges) == (ACCEPTED, (), ())
    (shadow,) = decision.shadows
    assert (shadow.reason, shadow.limit, shadow.observed, shadow.detail) == (
        Reason.MINIMUM_RESTING_TIME,
        500 * NS_PER_MS,
        0,
        detail,
    )
    (look,) = desk.pipeline.rules[0].explain(
        cancel(order_id=orders[1].order_id), desk.book, desk.now_ns
    )
    assert (look.passed, look.detail) == (False, detail)
    assert len(desk.book.deferred) == 0
