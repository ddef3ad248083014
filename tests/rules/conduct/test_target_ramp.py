"""F4: buys that pull the price up to a sell placed before are told, and kept down afterwards."""

from typing import Any

import pytest

from rules.reasons import Reason
from rules.registry import build_rules
from rules.rulebook import RulebookError
from rules.values import BUY, CASE_CONFIRM, CASE_DISMISS, MARKET, NS_PER_SECOND, SELL
from tests.rules.conduct.conduct_world import (
    MAKER,
    OTHER_SYMBOL,
    SYMBOL,
    Market,
    check_state,
    conduct_rulebook,
)

CLAUSE: dict[str, Any] = {"mode": "enforce", "raising_buys": 3, "rise": "0.03"}
RULES = {"target_ramp": CLAUSE}


def rules(**changes: Any) -> dict[str, Any]:
    """Return the test's rules with changes."""
    return {"target_ramp": {**CLAUSE, **changes}}


def opened(changes: dict[str, Any] | None = None) -> Market:
    """Return a market at 1000."""
    market = Market(rules(**(changes or {})))
    market.trade(1_000)
    return market


def ramp(market: Market, owner: int = 1, prices: tuple[int, ...] = (1_010, 1_020, 1_030)) -> None:
    """Let an owner buy at rising prices, one buy a second."""
    for price in prices:
        market.take(owner, BUY, price)
        market.wait(1)


def test_buys_up_to_a_target_make_an_alert_with_its_evidence() -> None:
    """The third raising buy tells; the sell and the buys are the evidence."""
    market = opened()
    began_ns = market.now_ns
    market.rest(1, SELL, 1_050)
    market.wait(1)
    ramp(market, prices=(1_010, 1_020))
    assert not market.alerts
    ramp(market, prices=(1_030,))
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.severity) == ("target_ramp", 1, 1)
    figures = dict(alert.figures)
    assert (figures["raising_buys"], figures["rise_e8"]) == (3, 3_000_000)
    assert figures["target_price_e8"] == 1_050 * 10**8
    assert alert.since_ns == began_ns
    assert len(alert.evidence) == 4


@pytest.mark.parametrize(("price", "told"), [(1_050, True), (1_049, False)])
def test_the_distance_of_the_target_at_the_boundary(price: int, told: bool) -> None:
    """Five per cent above the last price at its entry; a tick less is no target."""
    market = opened()
    market.rest(1, SELL, price)
    ramp(market)
    assert bool(market.alerts) == told


def test_a_sell_placed_afterwards_is_no_target() -> None:
    """It must stand before the first buy that raised the price."""
    market = opened()
    ramp(market, prices=(1_010,))
    market.rest(1, SELL, 1_100)
    ramp(market, prices=(1_020, 1_030, 1_031))
    assert not market.alerts


@pytest.mark.parametrize(("last", "told"), [(1_030, True), (1_029, False)])
def test_the_rise_at_the_boundary(last: int, told: bool) -> None:
    """Three per cent since before the first raising buy; a tick less is not enough."""
    market = opened()
    market.rest(1, SELL, 1_050)
    ramp(market, prices=(1_010, 1_020, last))
    assert bool(market.alerts) == told


def test_the_first_trade_of_all_is_measured_from_the_previous_close() -> None:
    """Before it there is no other price."""
    market = Market(RULES)
    market.rest(1, SELL, 1_050)
    ramp(market)
    assert [dict(alert.figures)["rise_e8"] for alert in market.alerts] == [3_000_000]


def test_the_share_of_the_upticks_at_the_boundary() -> None:
    """Half of all steps upward are the owner's own, or a little less."""
    for strangers, told in ((1_030, True), (1_031, False)):
        market = opened({"buy_share": "0"})
        market.rest(1, SELL, 1_050)
        ramp(market, prices=(1_010, 1_020, 1_025))
        market.trade(1_000, side=SELL)
        market.trade(strangers)
        ramp(market, prices=(strangers + 5,))
        # 25 and 5 are the owner's own; the strangers made 30 or 31.
        assert bool(market.alerts) == told


def test_the_share_of_the_buying_at_the_boundary() -> None:
    """Three in ten of the volume of buyers who took; less is not enough."""
    for strangers, told in ((7, True), (8, False)):
        market = opened()
        market.rest(1, SELL, 1_050)
        ramp(market, prices=(1_010, 1_020))
        market.trade(1_020, strangers)
        ramp(market, prices=(1_030,))
        assert bool(market.alerts) == told


def test_the_targets_quantity_at_the_boundary() -> None:
    """A sell of a tenth of what was bought is a target, of less it is not."""
    for bought, told in ((8, True), (9, False)):
        market = opened()
        market.rest(1, SELL, 1_050)
        ramp(market, prices=(1_010, 1_020))
        market.take(1, BUY, 1_030, bought)
        assert bool(market.alerts) == told


def test_buys_long_ago_are_forgotten() -> None:
    """A buy exactly ten minutes old no longer counts."""
    for early_ns, told in ((0, False), (1, True)):
        market = opened()
        market.rest(1, SELL, 1_050)
        market.take(1, BUY, 1_010)
        market.wait(599, ns=NS_PER_SECOND - early_ns)
        market.take(1, BUY, 1_020)
        market.take(1, BUY, 1_040)
        assert bool(market.alerts) == told


def test_keys_linked_owners_and_other_channels_are_one() -> None:
    """The sell by one owner and the buys by the owner linked to him, in the app and by a key."""
    for link in (True, False):
        market = opened()
        if link:
            market.link(1, 2)
        market.outside_order(900, 1, SELL, 1_050, 1)
        market.take(2, BUY, 1_010, key=20)
        market.outside_trade(1_020, 1, BUY, 2, 5)
        market.take(2, BUY, 1_030)
        assert bool(market.alerts) == link


def test_a_target_sold_after_the_rise_completes_a_cycle() -> None:
    """The second cycle within a day is grave; executed to half is enough, to less is not."""
    for sold, told in ((5, [1, 1, 3]), (4, [1, 1])):
        market = opened({"barred_for": "1s"})
        for _ in range(2):
            target = market.rest(1, SELL, 1_060, 10)
            ramp(market)
            market.wait(10)
            market.take(3, BUY, 1_060, sold, maker=1, maker_order=target)
            market.cancel(1, target)
            market.trade(1_000, side=SELL)
            market.wait(700)
        assert [alert.severity for alert in market.alerts] == told


def test_near_a_reset_time_the_severity_doubles() -> None:
    """Ten minutes before midnight in Korea, which is 15:00 UTC, and not a nanosecond earlier."""
    for early_ns, severity in ((0, 2), (1, 1)):
        market = opened()
        market.rest(1, SELL, 1_050)
        market.wait(3 * 3_600 - 600, ns=-early_ns)
        for price in (1_010, 1_020, 1_030):
            market.take(1, BUY, price)
        assert [alert.severity for alert in market.alerts] == [severity]


def test_a_market_maker_needs_more() -> None:
    """An agreement raises the number of buys threefold."""
    market = opened()
    market.rest(MAKER, SELL, 1_100)
    ramp(market, MAKER, tuple(range(1_005, 1_045, 5)))
    assert not market.alerts
    ramp(market, MAKER, (1_050,))
    assert market.alerts


def test_buys_that_raise_the_price_are_refused_after_an_alert() -> None:
    """Up to the last price and one tick they pass; the target may be cancelled."""
    market = opened()
    target = market.rest(1, SELL, 1_050)
    ramp(market)
    breach = market.refused(market.order(1, BUY, 1_032))
    assert breach is not None
    assert (breach.reason, breach.case) == (Reason.CONDUCT_LIMIT, market.alerts[0].case)
    assert market.refused(market.order(1, BUY, 1_031)) is None
    by_market = market.order(1, BUY, 0, order_type=MARKET, time_in_force=0)
    assert market.refused(by_market) is not None
    assert market.refused(market.order(1, SELL, 1_040)) is None
    assert market.refused(market.order(2, BUY, 1_040)) is None
    assert market.refused(market.order(1, BUY, 1_040, symbol=OTHER_SYMBOL)) is None
    market.cancel(1, target)
    market.wait(599 - 1, ns=NS_PER_SECOND - 1)
    assert market.refused(market.order(1, BUY, 1_032)) is not None
    market.wait(ns=1)
    assert market.refused(market.order(1, BUY, 1_032)) is None


def test_a_bid_may_not_be_amended_upward_after_an_alert() -> None:
    """What may not be placed may not be amended to either."""
    market = opened()
    bid = market.rest(1, BUY, 990)
    market.rest(1, SELL, 1_050)
    ramp(market)
    assert market.amend(1, bid, price=1_032).breaches
    assert not market.amend(1, bid, price=1_031).breaches


def test_a_dca_bot_and_a_rebalance_with_a_far_sell_are_left_alone() -> None:
    """Buys that the market follows by itself, or that do not raise it, are no ramp."""
    market = opened()
    market.rest(1, SELL, 1_200, 5)
    for number in range(12):
        price = 1_000 + 4 * number
        market.trade(price, 20)
        market.take(1, BUY, price)
        market.wait(45)
    assert not market.alerts


def test_reset_times_are_read_strictly() -> None:
    """What is no time of day is refused when the rulebook is built."""
    with pytest.raises(RulebookError, match="24:00"):
        build_rules(conduct_rulebook(rules(reset_times=["24:00"])))


def test_what_is_stored_is_all_there_is() -> None:
    """After each event of a ramp with its cycle and bar, the restored rule stores the same."""
    market = opened()
    target = market.rest(1, SELL, 1_050, 2)
    market.outside_order(900, 2, SELL, 1_100, 1)
    ramp(market)
    market.refused(market.order(1, BUY, 1_040))
    market.take(3, BUY, 1_050, maker=1, maker_order=target)
    market.trade(1_000, side=SELL)
    assert market.book.symbols[SYMBOL].last_e8
    check_state(market, RULES)


def test_a_link_or_a_confirmation_ends_no_bar() -> None:
    """Linked with others meanwhile, he and they are refused; dismissed, nobody."""
    market = opened()
    market.rest(1, SELL, 1_050)
    ramp(market)
    market.link(1, 2)
    market.act(market.alerts[0].case, CASE_CONFIRM)
    for owner in (1, 2):
        assert market.refused(market.order(owner, BUY, 1_032)) is not None
    market.act(market.alerts[0].case, CASE_DISMISS)
    assert market.refused(market.order(1, BUY, 1_032)) is None
