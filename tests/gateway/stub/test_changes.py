"""Cancel, tombstones, amend, replace and duplicate ids."""

import pytest

from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    E8,
    FILLED,
    LIMIT_MAKER,
    NEW,
    PARTIALLY_FILLED,
    RESTRICT_NONE,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
    SYMBOL_HALT,
)
from tests.gateway.stub.venue import ALICE, BASE, BOB, CAROL, FUNDS, QUOTE, SYMBOL, Venue, fills


@pytest.fixture
def venue() -> Venue:
    """Alice buys 2 at 100 (order 1), Bob 2 at 100 (order 2); half of Alice's is filled."""
    venue = Venue()
    venue.buy(ALICE, 100, 2)
    venue.buy(BOB, 100, 2)
    venue.sell(CAROL, 100, 1)
    return venue


def test_cancel_one(venue):
    """A cancel ends the order, frees its money and says what was filled."""
    result = venue.cancel(1)
    assert (result.accepted, result.order_id, result.status) == (True, 1, CANCELED)
    ended = result.ended[0]
    assert (ended.order_id, ended.status, ended.filled_e8) == (1, CANCELED, E8)
    assert venue.balance(ALICE, QUOTE) == (FUNDS - 100 * E8, 0)
    again = venue.cancel(1)
    assert (again.accepted, again.reason, again.order_id, again.ended) == (
        False, Reason.ENGINE_UNKNOWN_ORDER, 1, (),
    )  # fmt: skip


def test_bulk_cancel_ends_what_it_finds(venue):
    """Several ids: accepted, those found are ended, the others become tombstones."""
    result = venue.cancel(2, 50, 1)
    assert (result.accepted, result.order_id) == (True, 0)
    assert [ended.order_id for ended in result.ended] == [2, 1]
    assert venue.buy(ALICE, 90, 1, order_id=50).reason == Reason.ENGINE_TOMBSTONED
    assert venue.cancel().accepted
    assert venue.depth() == [[], []]


@pytest.mark.parametrize(
    ("restriction", "untouched", "filled"),
    [
        (RESTRICT_NONE, True, True),
        (RESTRICT_ONLY_NEW, True, False),
        (RESTRICT_ONLY_PARTIALLY_FILLED, False, True),
    ],
)
def test_restricted_cancels(venue, restriction, untouched, filled):
    """A restriction lets orders of one status be cancelled; order 1 is partly filled, 2 is new."""
    for order_id, works in ((1, filled), (2, untouched)):
        result = venue.cancel(order_id, restriction=restriction)
        assert result.accepted is works
        assert result.reason == (None if works else Reason.CANCEL_RESTRICTED)


def test_tombstone_stops_a_late_order(venue):
    """An order cancelled before it arrives never enters, however often it is sent."""
    assert venue.cancel(70).reason == Reason.ENGINE_UNKNOWN_ORDER
    for _ in range(2):
        assert venue.buy(ALICE, 90, 1, order_id=70).reason == Reason.ENGINE_TOMBSTONED
    assert venue.buy(ALICE, 90, 1, order_id=71).accepted


def test_tombstones_are_bounded():
    """The oldest tombstone is dropped when there are too many."""
    venue = Venue(tombstones_max=3)
    for order_id in (10, 11, 12, 13):
        venue.cancel(order_id)
    assert venue.buy(ALICE, 90, 1, order_id=10).accepted
    assert venue.buy(ALICE, 90, 1, order_id=11).reason == Reason.ENGINE_TOMBSTONED


def test_duplicates_are_told_for_ever(venue):
    """A second order of an accepted id is refused: live, filled or cancelled."""
    venue.sell(CAROL, 100, 1)
    venue.cancel(2)
    for order_id in (1, 2, 3):
        duplicate = venue.buy(ALICE, 90, 1, order_id=order_id)
        assert duplicate.reason == Reason.ENGINE_DUPLICATE_ORDER
    assert venue.buy(ALICE, 90, 1, order_id=5_000_000).accepted
    far_below = venue.buy(ALICE, 90, 1, order_id=6)
    assert far_below.reason == Reason.ENGINE_DUPLICATE_ORDER
    assert venue.buy(ALICE, 90, 1, order_id=4_999_999).accepted


def test_a_refused_id_may_come_again(venue):
    """Only accepted orders use up their id."""
    assert not venue.buy(ALICE, 10**9, 1, order_id=40).accepted
    assert venue.buy(ALICE, 90, 1, order_id=40).accepted


def test_amend_down_keeps_priority(venue):
    """A smaller quantity at the same price keeps the place in the queue and frees money."""
    result = venue.amend(1, quantity=1.5)
    assert (result.accepted, result.order_id, result.status) == (True, 1, PARTIALLY_FILLED)
    assert venue.balance(ALICE, QUOTE)[1] == 50 * E8
    assert fills(venue.sell(CAROL, 100, 1)) == [(100, 0.5, 1), (100, 0.5, 2)]
    venue.check_money()


@pytest.mark.parametrize(
    ("quantity", "price"), [(2.00000001, 0), (2, 100.5), (1.5, 99.5), (0, 101)]
)
def test_other_amends_lose_priority(venue, quantity, price):
    """A larger quantity or another price puts the order behind all others at its price."""
    later = venue.buy(BOB, price or 100, 1).order_id
    assert venue.amend(1, quantity=quantity, price=price).status == PARTIALLY_FILLED
    order_ids = [order for _, _, order in fills(venue.sell(CAROL, 99, 10))]
    assert order_ids.index(1) == order_ids.index(later) + 1
    venue.check_money()


def test_an_amend_that_changes_nothing_keeps_priority(venue):
    """Same price and quantity, or neither given: accepted, nothing moves."""
    for quantity, price in ((2, 100), (0, 0)):
        assert venue.amend(1, quantity, price).status == PARTIALLY_FILLED
    assert venue.amend(2).status == NEW
    assert fills(venue.sell(CAROL, 100, 1)) == [(100, 1, 1)]


def test_amend_into_the_other_side_trades(venue):
    """A new price that crosses matches at once; the rest goes on resting at the new price."""
    venue.sell(CAROL, 105, 0.5)
    result = venue.amend(1, price=105)
    assert (result.status, fills(result)) == (PARTIALLY_FILLED, [(105, 0.5, 4)])
    assert venue.depth()[0] == [(105, 0.5), (100, 2)]
    venue.sell(CAROL, 106, 5)
    assert venue.amend(1, price=106).status == FILLED
    assert venue.cancel(1).reason == Reason.ENGINE_UNKNOWN_ORDER
    venue.check_money()


@pytest.mark.parametrize(
    ("quantity", "price", "reason"),
    [
        (1, 0, Reason.PARAMETER_OUT_OF_RANGE),
        (0.5, 0, Reason.PARAMETER_OUT_OF_RANGE),
        (-1, 0, Reason.PARAMETER_OUT_OF_RANGE),
        (0, -1, Reason.PARAMETER_OUT_OF_RANGE),
        (1e7, 0, Reason.ENGINE_INSUFFICIENT_BALANCE),
    ],
)
def test_refused_amends_change_nothing(venue, quantity, price, reason):
    """An amend to what is executed already, or to more than is paid for, leaves the order."""
    result = venue.amend(1, quantity, price)
    assert (result.accepted, result.reason, result.order_id) == (False, reason, 1)
    assert fills(venue.sell(CAROL, 100, 1)) == [(100, 1, 1)]


def test_amend_uses_the_orders_own_lock(venue):
    """The money an order holds counts towards its new need, to the last unit."""
    free_e8, locked_e8 = venue.balance(ALICE, QUOTE)
    most_e8 = (free_e8 + locked_e8) // 100
    assert not venue.amend(1, quantity=(most_e8 + E8 + 1) / E8).accepted
    assert venue.amend(1, quantity=(most_e8 + E8) / E8).accepted
    assert venue.balance(ALICE, QUOTE) == (0, free_e8 + locked_e8)


def test_amend_when_closed_or_unknown(venue):
    """A halt allows decreases only; an unknown order can't be amended."""
    venue.exchange.set_symbol_state(SYMBOL, SYMBOL_HALT)
    assert venue.amend(1, quantity=1.5).accepted
    assert venue.amend(1, quantity=2).reason == Reason.ENGINE_SYMBOL_CLOSED
    assert venue.amend(99, quantity=2).reason == Reason.ENGINE_UNKNOWN_ORDER


def test_amend_of_a_post_only_order():
    """A LIMIT_MAKER is never amended into the other side."""
    venue = Venue()
    venue.sell(BOB, 100, 1)
    venue.buy(ALICE, 99, 1, order_type=LIMIT_MAKER, time_in_force=0)
    assert venue.amend(2, price=100).reason == Reason.ENGINE_WOULD_TAKE
    assert venue.amend(2, price=99.99).accepted


def test_replace(venue):
    """The old order ends, the new one is entered behind the others, its money from the old."""
    venue.exchange.deposit(ALICE, QUOTE, -venue.balance(ALICE, QUOTE)[0], "", 0)
    place = venue.order(ALICE, BUY, 100, 1)
    result = venue.replace(1, place)
    assert (result.accepted, result.order_id, result.status) == (True, place.order_id, NEW)
    assert [ended.order_id for ended in result.ended] == [1]
    assert (result.reason, result.replaced_refusal) == (None, None)
    assert fills(venue.sell(CAROL, 100, 3))[-1] == (100, 1, place.order_id)


@pytest.mark.parametrize(
    ("cancel_id", "funded", "allow_failure", "accepted", "reason", "ended", "replaced_refusal"),
    [
        (1, True, False, True, None, [1], None),
        (1, False, False, False, "funds", [1], "funds"),
        (1, False, True, False, "funds", [1], "funds"),
        (99, True, False, False, Reason.ENGINE_UNKNOWN_ORDER, [], None),
        (99, True, True, True, None, [], None),
        (99, False, True, False, "funds", [], None),
    ],
)
def test_replace_failures(
    venue, cancel_id, funded, allow_failure, accepted, reason, ended, replaced_refusal
):
    """Every combination of a cancel and a placement that work or fail."""
    funds = {"funds": Reason.ENGINE_INSUFFICIENT_BALANCE}
    place = venue.order(ALICE, BUY, 100 if funded else 10**8, 1)
    result = venue.replace(cancel_id, place, allow_failure)
    assert (result.accepted, result.order_id) == (accepted, place.order_id)
    assert result.reason == funds.get(reason, reason)
    assert [end.order_id for end in result.ended] == ended
    assert result.replaced_refusal == funds.get(replaced_refusal, replaced_refusal)
    venue.check_money()


def test_replace_keeps_to_its_restriction(venue):
    """A restricted cancel fails the replace and leaves the old order."""
    place = venue.order(ALICE, BUY, 100, 1)
    result = venue.replace(1, place, restriction=RESTRICT_ONLY_NEW)
    assert (result.accepted, result.reason) == (False, Reason.CANCEL_RESTRICTED)
    assert venue.cancel(1).accepted
    assert venue.balance(ALICE, BASE) == (FUNDS + E8, 0)
