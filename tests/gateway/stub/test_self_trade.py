"""Self-trade prevention: the taker's mode, one account or one group."""

import pytest

from rules.events import BalanceAdjusted, OrderEnded, OrderReduced, OrderTrade
from rules.reasons import Reason
from rules.values import (
    BUY,
    CAUSE_SELF_TRADE,
    DECREMENT,
    E8,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    EXPIRED_IN_MATCH,
    FILLED,
    FOK,
    IOC,
    NEW,
    PARTIALLY_FILLED,
    SELL,
    STP_NONE,
    TRANSFER,
)
from tests.gateway.stub.venue import ALICE, BASE, BOB, CAROL, FUNDS, QUOTE, Venue, fills

STP = Reason.ENGINE_STP_EXPIRED


def told(venue):
    """Return the reports of the last command in short."""
    short = []
    for report in venue.reports:
        if isinstance(report, OrderTrade):
            short.append(("traded", report.order_id, report.fill.quantity_e8 / E8))
        elif isinstance(report, OrderEnded):
            assert (report.status, report.cause) == (EXPIRED_IN_MATCH, CAUSE_SELF_TRADE)
            short.append(("ended", report.order_id, report.prevented_e8 / E8))
        elif isinstance(report, OrderReduced):
            assert report.cause == CAUSE_SELF_TRADE
            short.append(("reduced", report.order_id, report.prevented_e8 / E8))
    return short


@pytest.mark.parametrize(
    ("mode", "quantity", "status", "reason", "filled", "prevented", "reports", "asks"),
    [
        # The book: Bob sells 1 at 100 (order 1), Alice 2 at 101 (order 2), Bob 3 at 102 (order 3).
        (STP_NONE, 4, FILLED, None, [1, 2, 1], 0,
         [("traded", 1, 1), ("traded", 2, 2), ("traded", 3, 1)], [(102, 2)]),
        (EXPIRE_TAKER, 4, EXPIRED_IN_MATCH, STP, [1], 3,
         [("traded", 1, 1)], [(101, 2), (102, 3)]),
        (EXPIRE_TAKER, 1, FILLED, None, [1], 0, [("traded", 1, 1)], [(101, 2), (102, 3)]),
        (EXPIRE_MAKER, 4, FILLED, None, [1, 3], 0,
         [("traded", 1, 1), ("ended", 2, 2), ("traded", 3, 3)], []),
        (EXPIRE_MAKER, 5, PARTIALLY_FILLED, None, [1, 3], 0,
         [("traded", 1, 1), ("ended", 2, 2), ("traded", 3, 3)], []),
        (EXPIRE_BOTH, 4, EXPIRED_IN_MATCH, STP, [1], 3,
         [("traded", 1, 1), ("ended", 2, 2)], [(102, 3)]),
        # DECREMENT: the smaller ends, both when they are equal.
        (DECREMENT, 2, EXPIRED_IN_MATCH, STP, [1], 1,
         [("traded", 1, 1), ("reduced", 2, 1)], [(101, 1), (102, 3)]),
        (DECREMENT, 3, EXPIRED_IN_MATCH, STP, [1], 2,
         [("traded", 1, 1), ("ended", 2, 2)], [(102, 3)]),
        (DECREMENT, 4, FILLED, None, [1, 1], 2,
         [("traded", 1, 1), ("ended", 2, 2), ("traded", 3, 1)], [(102, 2)]),
        (DECREMENT, 9, PARTIALLY_FILLED, None, [1, 3], 2,
         [("traded", 1, 1), ("ended", 2, 2), ("traded", 3, 3)], []),
        (TRANSFER, 3, EXPIRED_IN_MATCH, STP, [1], 2,
         [("traded", 1, 1), ("ended", 2, 2)], [(102, 3)]),
    ],
)  # fmt: skip
def test_each_mode(mode, quantity, status, reason, filled, prevented, reports, asks):
    """What becomes of taker and makers when a buy meets the same account's sell."""
    venue = Venue()
    venue.sell(BOB, 100, 1)
    venue.sell(ALICE, 101, 2)
    venue.sell(BOB, 102, 3)
    result = venue.buy(ALICE, 103, quantity, stp_mode=mode)
    assert (result.accepted, result.status, result.reason) == (True, status, reason)
    assert [quantity for _, quantity, _ in fills(result)] == filled
    assert result.prevented_e8 == prevented * E8
    assert told(venue) == reports
    assert venue.depth()[1] == asks
    open_e8 = (quantity - prevented) * E8 - sum(fill.quantity_e8 for fill in result.fills)
    bids = [(103, open_e8 / E8)] if status in (NEW, PARTIALLY_FILLED) else []
    assert venue.depth()[0] == bids
    venue.check_money()


@pytest.mark.parametrize(
    ("maker_mode", "taker_mode", "ended"),
    [(EXPIRE_TAKER, EXPIRE_MAKER, True), (EXPIRE_MAKER, EXPIRE_TAKER, False)],
)
def test_the_takers_mode_decides(maker_mode, taker_mode, ended):
    """The resting order's own mode does not matter."""
    venue = Venue()
    venue.sell(ALICE, 100, 1, stp_mode=maker_mode)
    result = venue.buy(ALICE, 100, 1, stp_mode=taker_mode)
    assert result.status == (NEW if ended else EXPIRED_IN_MATCH)
    assert told(venue) == ([("ended", 1, 1)] if ended else [])


@pytest.mark.parametrize(
    ("maker_group", "taker_group", "prevented"),
    [(0, 0, False), (7, 0, False), (7, 8, False), (7, 7, True)],
)
def test_groups_of_accounts(maker_group, taker_group, prevented):
    """Two accounts are one party only in the same group; group 0 is none."""
    venue = Venue()
    venue.sell(BOB, 100, 1, stp_group=maker_group)
    result = venue.buy(ALICE, 100, 1, stp_group=taker_group, stp_mode=EXPIRE_TAKER)
    assert (result.status == EXPIRED_IN_MATCH) is prevented


@pytest.mark.parametrize("maker_mode", [TRANSFER, DECREMENT])
def test_transfer_between_accounts_of_a_group(maker_mode):
    """TRANSFER moves the assets without a trade when both ask for it, else it decrements."""
    venue = Venue(maker_ppm=1000, taker_ppm=1000)
    venue.sell(BOB, 100, 3, stp_group=7, stp_mode=maker_mode)
    result = venue.buy(ALICE, 101, 2, stp_group=7, stp_mode=TRANSFER)
    assert (result.status, result.fills, result.prevented_e8) == (EXPIRED_IN_MATCH, (), 2 * E8)
    moved = [
        (report.account, report.asset, report.delta_e8 // E8)
        for report in venue.reports
        if isinstance(report, BalanceAdjusted)
    ]
    if maker_mode == TRANSFER:
        assert moved == [(BOB, BASE, -2), (ALICE, BASE, 2), (ALICE, QUOTE, -200), (BOB, QUOTE, 200)]
        assert venue.balance(ALICE, BASE) == (FUNDS + 2 * E8, 0)
    else:
        assert moved == []
        assert venue.balance(ALICE, BASE) == (FUNDS, 0)
    assert venue.exchange.trades_since(0) == []
    venue.check_money()


@pytest.mark.parametrize("mode", [EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT, TRANSFER])
@pytest.mark.parametrize(("quantity", "status"), [(1, FILLED), (1.5, EXPIRED), (4, EXPIRED)])
def test_own_orders_are_no_liquidity_for_fill_or_kill(mode, quantity, status):
    """FOK counts nothing that prevention would remove, and an unfilled FOK removes nothing."""
    venue = Venue()
    venue.sell(BOB, 100, 1)
    venue.sell(ALICE, 101, 3)
    result = venue.buy(ALICE, 101, quantity, time_in_force=FOK, stp_mode=mode)
    assert result.status == status
    assert told(venue) == ([("traded", 1, 1)] if status == FILLED else [])
    assert venue.depth()[1][-1] == (101, 3)


def test_fill_or_kill_behind_an_own_order():
    """With EXPIRE_MAKER a FOK passes own orders by, with EXPIRE_TAKER it can't."""
    for mode, status in ((EXPIRE_MAKER, FILLED), (EXPIRE_TAKER, EXPIRED), (DECREMENT, EXPIRED)):
        venue = Venue()
        venue.sell(ALICE, 100, 3)
        venue.sell(BOB, 101, 1)
        assert venue.buy(ALICE, 101, 1, time_in_force=FOK, stp_mode=mode).status == status
        venue.check_money()


def test_immediate_or_cancel_after_a_decrement():
    """What a decrement leaves of an IOC order expires for want of liquidity."""
    venue = Venue()
    venue.sell(ALICE, 100, 1)
    result = venue.buy(ALICE, 100, 2, time_in_force=IOC, stp_mode=DECREMENT)
    assert (result.status, result.reason) == (EXPIRED, Reason.ENGINE_NO_LIQUIDITY)
    assert result.prevented_e8 == E8


def test_reduced_maker_keeps_place_and_lock():
    """A decremented maker reports its new total, holds less, and keeps its time priority."""
    venue = Venue()
    venue.buy(ALICE, 100, 3)
    venue.buy(BOB, 100, 1)
    venue.sell(CAROL, 100, 1)
    venue.sell(ALICE, 100, 1, stp_mode=DECREMENT)
    reduced = venue.reports[0]
    assert (reduced.order_id, reduced.quantity_e8, reduced.prevented_e8) == (1, 2 * E8, E8)
    assert venue.balance(ALICE, QUOTE)[1] == 100 * E8
    assert fills(venue.sell(CAROL, 100, 2)) == [(100, 1, 1), (100, 1, 2)]
    assert venue.reports[0].status == FILLED
    venue.check_money()


@pytest.mark.parametrize(
    ("mode", "status", "reason", "filled", "prevented"),
    [
        (EXPIRE_TAKER, EXPIRED_IN_MATCH, STP, [1], 0),
        (EXPIRE_MAKER, FILLED, None, [1, 1], 0),
        (DECREMENT, FILLED, None, [1], 1),
    ],
)
def test_orders_by_quote_amount(mode, status, reason, filled, prevented):
    """A market order by amount: prevention spends the amount too, or ends the order."""
    venue = Venue()
    venue.sell(BOB, 100, 1)
    venue.sell(ALICE, 100, 2)
    venue.sell(BOB, 100, 3)
    result = venue.run(venue.order(ALICE, BUY, 0, 0, quote_quantity_e8=200 * E8, stp_mode=mode))
    assert (result.status, result.reason) == (status, reason)
    assert [quantity for _, quantity, _ in fills(result)] == filled
    assert result.prevented_e8 == prevented * E8
    venue.check_money()


def test_market_sell_into_own_bid_only():
    """A market order whose only counterparty is its own account ends by prevention, unfilled."""
    venue = Venue()
    venue.buy(ALICE, 100, 1)
    result = venue.run(venue.order(ALICE, SELL, 0, 1, stp_mode=EXPIRE_TAKER))
    assert (result.status, result.reason, result.prevented_e8) == (EXPIRED_IN_MATCH, STP, E8)
