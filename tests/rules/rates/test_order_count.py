"""Unfilled orders of an account."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import KeyFacts
from rules.decisions import Decision
from rules.events import (
    Amend,
    Cancel,
    Ended,
    EngineSession,
    OrderEnded,
    OrderTrade,
    Request,
)
from rules.rates.order_count import OrderCount
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    CAUSE_EXPIRY,
    EXPIRED,
    FILLED,
    FLAG_TEST,
    NS_PER_DAY,
    NS_PER_SECOND,
    PARTIALLY_FILLED,
    SCOPE_ACCOUNT,
    SCOPE_IP,
)
from tests.rules.order_world import ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, place, replace
from tests.rules.request_world import (
    MINUTE_NS,
    accepted,
    add_order,
    breach,
    fill,
    make_book,
    make_rulebook,
    no,
    refused,
    result,
    stored_and_restored,
)

TEN_NS = 10 * NS_PER_SECOND
MIDNIGHT_NS = (MINUTE_NS // NS_PER_DAY + 1) * NS_PER_DAY
WINDOWS = [{"interval": "10s", "limit": 3}, {"interval": "1d", "limit": 5}]


class Desk:
    """The rule with a book, numbering events and orders as the core does."""

    def __init__(self, **clause: Any) -> None:
        self.clause = {"windows": WINDOWS, **clause}
        self.rule = OrderCount(make_rulebook("order_count", **self.clause))
        self.book = make_book()
        self.now_ns = MINUTE_NS

    def take(self, event: Any, decision: Decision | None = None) -> int:
        """Apply one event and return its number."""
        self.book.current_seq += 1
        self.rule.apply(event, decision or accepted(), self.book, self.now_ns)
        return self.book.current_seq

    def place(self, event: Request | None = None) -> tuple[int, int]:
        """Let an order be accepted; return the command's and the order's number."""
        order_id = self.book.next_order_id
        self.book.next_order_id += 1
        return self.take(event or place(), accepted(order_id)), order_id

    def live(self, event: Request | None = None) -> int:
        """Let an order be accepted and confirmed; return its number."""
        command, order_id = self.place(event)
        self.take(result(command, order_id))
        return order_id

    def trade(self, order_id: int, status: int = PARTIALLY_FILLED) -> None:
        """Let a resting order be executed."""
        self.take(OrderTrade(1, self.now_ns, order_id, fill(), status))

    def used(self, account: int = ACCOUNT) -> list[int]:
        """Return the counts of all windows."""
        return [
            item.used for item in self.rule.usage(SCOPE_ACCOUNT, account, self.book, self.now_ns)
        ]


@pytest.mark.parametrize(("before", "passes"), [(1, True), (2, True), (3, False)])
def test_at_the_limit(before: int, passes: bool) -> None:
    """The third order in ten seconds passes, the fourth does not."""
    desk = Desk()
    for _ in range(before):
        desk.place()
    found = breach(desk.rule, place(), desk.book, desk.now_ns)
    assert (found is None) is passes
    if found is not None:
        assert (found.reason, found.limit, found.observed) == (Reason.ORDER_COUNT_LIMIT, 3, 4)
        assert (found.retry_ns, found.window_ns) == (MINUTE_NS + TEN_NS, TEN_NS)
        assert (found.scope, found.subject) == (SCOPE_ACCOUNT, ACCOUNT)
    assert breach(desk.rule, place(), desk.book, MINUTE_NS + TEN_NS) is None


def test_all_keys_of_an_account_share_the_count() -> None:
    """The account is counted, not the key or the address; another account has its own."""
    desk = Desk()
    desk.book.keys[OTHER_KEY] = KeyFacts(OTHER_KEY, "k", ACCOUNT, 3, frozenset(), 0, True)
    for _ in range(3):
        desk.place(place(key=OTHER_KEY, ip=9))
    assert breach(desk.rule, place(), desk.book, desk.now_ns) is not None
    desk.book.keys[OTHER_KEY].account = OTHER_ACCOUNT
    assert breach(desk.rule, place(key=OTHER_KEY), desk.book, desk.now_ns) is None


def test_the_day_holds_when_the_ten_seconds_are_free() -> None:
    """The longer wait is named, and a refused order leaves the short window untouched."""
    desk = Desk()
    for _ in range(3):
        desk.place()
    desk.now_ns += TEN_NS
    for _ in range(2):
        desk.place()
    assert desk.used() == [2, 5]
    found = breach(desk.rule, place(), desk.book, desk.now_ns)
    assert found is not None
    assert (found.window_ns, found.retry_ns, found.observed) == (NS_PER_DAY, MIDNIGHT_NS, 6)
    desk.take(place(), refused(Reason.ORDER_COUNT_LIMIT))
    assert desk.used() == [2, 5]
    desk.now_ns = MIDNIGHT_NS - 1
    assert breach(desk.rule, place(), desk.book, desk.now_ns) is not None
    desk.now_ns = MIDNIGHT_NS
    assert breach(desk.rule, place(), desk.book, desk.now_ns) is None


def test_test_orders_do_not_count() -> None:
    """They are neither limited nor counted."""
    desk = Desk()
    for _ in range(3):
        desk.place()
    test_order = place(flags=FLAG_TEST)
    assert breach(desk.rule, test_order, desk.book, desk.now_ns) is None
    desk.place(test_order)
    assert desk.used() == [3, 3]


def test_an_order_the_engine_refuses_is_given_back() -> None:
    """Once, to all windows it came from."""
    desk = Desk()
    desk.live()
    command, order_id = desk.place()
    assert desk.used() == [2, 2]
    desk.take(no(command, order_id))
    assert desk.used() == [1, 1]
    desk.take(no(command, order_id))
    assert desk.used() == [1, 1]


def test_a_window_that_is_over_gets_nothing_back() -> None:
    """The order came from the ten seconds before; only the day it came from is still on."""
    desk = Desk()
    command, order_id = desk.place()
    desk.now_ns += TEN_NS
    desk.live()
    desk.take(no(command, order_id))
    assert desk.used() == [1, 1]


def test_a_missing_answer_gives_nothing_back() -> None:
    """Sent but unknown: counted until the engine says otherwise."""
    desk = Desk()
    command, order_id = desk.place()
    desk.take(no(command, order_id, unknown=True))
    assert desk.used() == [1, 1]
    desk.take(no(command, order_id))
    assert desk.used() == [0, 0]


def test_a_refused_cancel_gives_nothing_back() -> None:
    """Only the command that placed the order can give its count back."""
    desk = Desk()
    order_id = desk.live()
    desk.take(no(999, order_id, reason=Reason.ENGINE_UNKNOWN_ORDER))
    assert desk.used() == [1, 1]


def test_a_replacement_counts_even_when_it_is_not_entered() -> None:
    """The venue counts a replacement whose new order was not attempted."""
    desk = Desk()
    command, order_id = desk.place(replace())
    desk.take(no(command, order_id))
    command, order_id = desk.place(replace())
    desk.take(result(command, order_id, replaced_refusal=Reason.ENGINE_WOULD_TAKE))
    assert desk.used() == [2, 2]
    assert desk.rule._unfilled == {}


def test_the_first_fill_takes_one_off_every_window() -> None:
    """Later fills of the same order have no effect."""
    desk = Desk()
    order_id = desk.live()
    desk.live()
    desk.trade(order_id)
    assert desk.used() == [1, 1]
    desk.trade(order_id)
    desk.trade(order_id, FILLED)
    assert desk.used() == [1, 1]


def test_a_fill_at_once_takes_one_off() -> None:
    """An order that takes has its first fill in the engine's answer."""
    desk = Desk()
    command, order_id = desk.place()
    desk.take(result(command, order_id, status=FILLED, fills=(fill(), fill())))
    assert desk.used() == [0, 0]
    command, order_id = desk.place()
    desk.take(result(command, order_id, status=PARTIALLY_FILLED, fills=(fill(),)))
    desk.trade(order_id)
    assert desk.used() == [0, 0]


def test_a_fill_before_the_answer_counts() -> None:
    """Where the answer was lost the trade is the first news of the order."""
    desk = Desk()
    command, order_id = desk.place()
    desk.take(no(command, order_id, unknown=True))
    desk.trade(order_id)
    assert desk.used() == [0, 0]
    desk.take(result(command, order_id, fills=(fill(),)))
    assert desk.used() == [0, 0]


def test_a_fill_of_an_older_order_lowers_todays_count() -> None:
    """The current windows are lowered, whichever the order came from, but never below 0."""
    desk = Desk()
    first, second, third = desk.live(), desk.live(), desk.live()
    desk.now_ns = MIDNIGHT_NS
    desk.trade(first)
    assert desk.used() == [0, 0]
    desk.place()
    desk.trade(second)
    assert desk.used() == [0, 0]
    desk.place()
    desk.place()
    desk.trade(third)
    assert desk.used() == [1, 1]


def test_no_credit_below_zero() -> None:
    """A larger credit takes off what is there; a refusal after it gives nothing more."""
    desk = Desk(first_fill_credit=5)
    filled = desk.live()
    command, order_id = desk.place()
    desk.trade(filled)
    assert desk.used() == [0, 0]
    desk.take(no(command, order_id))
    assert desk.used() == [0, 0]
    desk.place()
    assert desk.used() == [1, 1]


@pytest.mark.parametrize("how", ["ended", "cancelled", "expired"])
def test_the_end_of_an_order_changes_nothing(how: str) -> None:
    """Cancel and expiry leave the count, and a later fill report of a dead order does too."""
    desk = Desk()
    command, order_id = desk.place()
    if how == "expired":
        desk.take(result(command, order_id, status=EXPIRED, reason=Reason.ENGINE_NO_LIQUIDITY))
    else:
        desk.take(result(command, order_id))
    if how == "ended":
        desk.take(OrderEnded(1, desk.now_ns, order_id, EXPIRED, CAUSE_EXPIRY, 0))
    if how == "cancelled":
        desk.take(result(99, order_id, status=CANCELED, ended=(Ended(order_id, CANCELED, 0),)))
    assert desk.used() == [1, 1]
    assert desk.rule._unfilled == {}
    desk.trade(order_id)
    assert desk.used() == [1, 1]


def test_orders_a_new_epoch_lost_are_let_go() -> None:
    """After a connection of the engine only orders of the book are followed."""
    desk = Desk()
    kept, lost = desk.live(), desk.live()
    add_order(desk.book, kept)
    desk.take(EngineSession(connected=False, epoch=1, engine_seq=0))
    assert set(desk.rule._unfilled) == {kept, lost}
    desk.take(EngineSession(connected=True, epoch=2, engine_seq=0))
    assert set(desk.rule._unfilled) == {kept}


def test_tiers_have_their_own_limits() -> None:
    """The account's tier decides, and its count stays when the tier changes."""
    desk = Desk(tiers={"vip": [{"interval": "10s", "limit": 4}, {"interval": "1m", "limit": 9}]})
    for _ in range(3):
        desk.place()
    assert breach(desk.rule, place(), desk.book, desk.now_ns) is not None
    desk.book.accounts[ACCOUNT].tier = "vip"
    assert breach(desk.rule, place(), desk.book, desk.now_ns) is None
    usages = desk.rule.usage(SCOPE_ACCOUNT, ACCOUNT, desk.book, desk.now_ns)
    assert [(item.label, item.used, item.limit) for item in usages] == [
        ("10S", 3, 4),
        ("1M", 3, 9),
    ]
    desk.place()
    assert breach(desk.rule, place(), desk.book, desk.now_ns) is not None
    desk.book.accounts[ACCOUNT].tier = ""
    assert [
        item.label for item in desk.rule.usage(SCOPE_ACCOUNT, ACCOUNT, desk.book, desk.now_ns)
    ] == [
        "10S",
        "1D",
    ]
    assert desk.rule.usage(SCOPE_IP, ACCOUNT, desk.book, desk.now_ns) == ()


def test_only_new_orders_are_looked_at() -> None:
    """Cancels and amends place nothing."""
    assert not {Cancel, Amend} & set(OrderCount.wants)


def test_a_negative_credit_is_refused() -> None:
    """A first fill can't add to the count."""
    with pytest.raises(ValueError, match="-1"):
        Desk(first_fill_credit=-1)


_steps = st.sampled_from(
    ("place", "replace", "test", "fill", "refuse", "confirm", "end", "ten seconds", "day")
)


@given(st.lists(st.tuples(_steps, st.integers(0, 30)), max_size=60))
def test_explanation_and_storing_hold(steps: list[tuple[str, int]]) -> None:
    """Whatever happens: explanations say what check says, limits hold, storing changes nothing."""
    desk = Desk()
    placed: list[tuple[int, int]] = []
    for step, number in steps:
        if step == "ten seconds":
            desk.now_ns += TEN_NS
        elif step == "day":
            desk.now_ns += NS_PER_DAY
        elif step in ("place", "replace", "test"):
            changes = {"flags": FLAG_TEST} if step == "test" else {}
            event = replace() if step == "replace" else place(**changes)
            if breach(desk.rule, event, desk.book, desk.now_ns) is None:
                made = desk.place(event)
                if step != "test":
                    placed.append(made)
        elif placed:
            command, order_id = placed[number % len(placed)]
            if step == "fill":
                desk.trade(order_id)
            elif step == "refuse":
                desk.take(no(command, order_id))
            elif step == "confirm":
                desk.take(result(command, order_id))
            else:
                desk.take(OrderEnded(1, desk.now_ns, order_id, EXPIRED, CAUSE_EXPIRY, 0))
        short, day = desk.used()
        assert 0 <= short <= 3
        assert 0 <= day <= 5
        again = OrderCount(make_rulebook("order_count", **desk.clause))
        again.restore(stored_and_restored(desk.rule))
        assert stored_and_restored(again) == stored_and_restored(desk.rule)
        assert [
            item.used for item in again.usage(SCOPE_ACCOUNT, ACCOUNT, desk.book, desk.now_ns)
        ] == [
            short,
            day,
        ]
