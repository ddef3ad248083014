"""F3: arranged trades and trades with oneself are told at the thresholds."""

from typing import Any

from rules.conduct_facts import STEP_NONE, STEP_NOTICE
from rules.events import Fill
from rules.values import BUY, E8, FILLED, NS_PER_SECOND, SELL
from tests.rules.conduct.conduct_world import MAKER, Market, check_state

CLAUSE: dict[str, Any] = {"mode": "enforce", "pairs": 3}
RULES = {"matched_trades": CLAUSE}


def rules(**changes: Any) -> dict[str, Any]:
    """Return the test's rules with changes."""
    return {"matched_trades": {**CLAUSE, **changes}}


def pair(market: Market, times: int = 1, quantity: int = 1, price: int = 1_000) -> None:
    """Let owners 1 and 2 trade with each other, now one buying and now the other."""
    for number in range(times):
        buyer, seller = (1, 2) if number % 2 == 0 else (2, 1)
        market.take(buyer, BUY, price, quantity, maker=seller)
        market.wait(10)


def test_three_pairs_of_linked_owners_make_an_alert() -> None:
    """The third pair tells, for the group, with both orders and the trade of each as evidence."""
    market = Market(RULES)
    market.link(1, 2)
    pair(market, 2)
    assert not market.alerts
    pair(market)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.severity) == ("matched_trades", -1, 2)
    assert alert.owners in ((1, 2), (2, 1))
    figures = dict(alert.figures)
    assert (figures["pairs"], figures["own_share_e8"], figures["linked"]) == (3, E8, 1)
    assert len(alert.evidence) == 9


def test_owners_no_link_is_known_of_are_suspects() -> None:
    """Each of them gets an alert of his own, not aggravated; or none where that is switched off."""
    market = Market(RULES)
    pair(market, 4)
    assert sorted((alert.interest, alert.severity) for alert in market.alerts) == [(1, 1), (2, 1)]
    market = Market(rules(unlinked=False))
    pair(market, 4)
    assert not market.alerts


def test_one_trade_with_oneself_is_told_at_once() -> None:
    """Whichever keys and channels the two orders came by."""
    market = Market(RULES)
    order = market.rest(1, SELL, 1_000, key=10)
    market.wait(3_600)
    market.take(1, BUY, 1_000, maker=1, maker_order=order)
    assert [dict(alert.figures)["self_trades"] for alert in market.alerts] == [1]
    market.outside_trade(1_000, 1, BUY, 3, 3)
    assert [alert.interest for alert in market.alerts] == [1, 3]


def test_an_order_that_meets_many_of_its_owner_is_one_alert() -> None:
    """A bot crosses its own grid of five by mistake: that is one notice, and no way up the ladder."""
    market = Market({**RULES, "conduct_standing": {"mode": "enforce", "highest": "kill"}})
    grid = [market.rest(1, SELL, 1_000 + step, 2) for step in range(5)]
    decision = market.send(market.order(1, BUY, 1_004, 10))
    fills = tuple(
        Fill(order, (1_000 + step) * E8, 2 * E8, (2_000 + 2 * step) * E8, 0, 0, False, order, 1)
        for step, order in enumerate(grid)
    )
    market.answer(decision.order_id, FILLED, fills)
    (alert,) = market.alerts
    figures = dict(alert.figures)
    assert (figures["self_trades"], figures["quantity_e8"]) == (5, 10 * E8)
    assert len(alert.evidence) == 7
    assert [(step.before, step.step) for step in market.steps] == [(STEP_NONE, STEP_NOTICE)]


def test_an_order_of_another_channel_is_told_once() -> None:
    """Its executions are reported one by one; what trades a second and more later is told anew, as
    is another order."""
    market = Market(RULES)
    for late_ns, told in ((0, 1), (0, 1), (NS_PER_SECOND, 1), (NS_PER_SECOND + 1, 2)):
        market.wait(ns=late_ns)
        market.outside_pair(1_000, 3, 3, 900, 901)
        assert len(market.alerts) == told
    market.outside_pair(1_000, 3, 3, 902, 901)
    assert len(market.alerts) == 3
    check_state(market, RULES)


def test_the_time_between_the_orders_at_the_boundary() -> None:
    """A second apart is a pair, a nanosecond more is not."""
    for late_ns, told in ((0, True), (1, False)):
        market = Market(rules(pairs=1))
        order = market.rest(2, SELL, 1_000)
        market.wait(1, ns=late_ns)
        market.take(1, BUY, 1_000, maker=2, maker_order=order)
        assert bool(market.alerts) == told


def test_the_prices_at_the_boundary() -> None:
    """A tick apart is a pair, two ticks are not."""
    for price, told in ((1_001, True), (1_002, False)):
        market = Market(rules(pairs=1))
        order = market.rest(2, SELL, 1_000)
        place = market.order(1, BUY, price)
        market.take_with(place, 1_000, 1, 2, order)
        assert bool(market.alerts) == told


def test_the_quantities_at_the_boundary() -> None:
    """Nine of ten is alike, eight of ten is not."""
    for quantity, told in ((9, True), (8, False)):
        market = Market(rules(pairs=1, own_share="0"))
        order = market.rest(2, SELL, 1_000, 10)
        market.take(1, BUY, 1_000, quantity, maker=2, maker_order=order)
        assert bool(market.alerts) == told


def test_the_share_of_the_volume_at_the_boundary() -> None:
    """Three in ten of what each of the two traded; a little less is not enough."""
    for other, told in ((7, True), (8, False)):
        market = Market(rules(symbol_share="1", inventory="1"))
        pair(market, 2)
        market.take(1, BUY, 1_000, other, maker=3)
        market.take(2, SELL, 1_000, other, maker=4)
        market.wait(10)
        pair(market)
        assert bool(market.alerts) == told


def test_the_share_of_the_symbols_volume_is_enough_too() -> None:
    """One in ten of all that traded since the first pair; less is not."""
    for strangers, told in ((27, True), (28, False)):
        market = Market(rules(own_share="1"))
        market.link(1, 2)
        pair(market, 2)
        market.trade(1_000, strangers - 2)
        market.take(1, BUY, 1_000, maker=3)
        market.take(2, SELL, 1_000, maker=3)
        market.wait(2)
        pair(market)
        assert bool(market.alerts) == told


def test_a_position_that_grows_is_no_arrangement() -> None:
    """Two more held after 20 traded by the two since the first pair are a tenth; three of 21 not."""
    for bought, told in ((2, True), (3, False)):
        market = Market(rules(symbol_share="0", own_share="0"))
        pair(market, 2)
        market.take(1, BUY, 1_000, bought, maker=3)
        market.wait(2)
        market.take(1, BUY, 1_000, 7, maker=2)
        assert bool(market.alerts) == told


def test_pairs_long_ago_are_forgotten() -> None:
    """A pair exactly ten minutes old no longer counts."""
    for early_ns, told in ((0, False), (1, True)):
        market = Market(rules(pairs=2))
        market.take(1, BUY, 1_000, maker=2)
        market.wait(599, ns=NS_PER_SECOND - early_ns)
        market.take(2, BUY, 1_000, maker=1)
        assert bool(market.alerts) == told


def test_trades_of_other_channels_count() -> None:
    """Two owners who meet in the app are told by the drop copy of orders and trades."""
    market = Market(rules(pairs=1))
    market.outside_order(901, 2, SELL, 1_000, 1)
    market.outside_order(902, 1, BUY, 1_000, 1)
    market.outside_pair(1_000, 1, 2, 902, 901)
    assert [alert.interest for alert in market.alerts] == [1, 2]


def test_two_market_makers_and_a_rebalance_are_left_alone() -> None:
    """Those who meet by chance now and then, among much else, are no pair."""
    market = Market(RULES)
    for number in range(20):
        market.take(1, BUY, 1_000, maker=MAKER)
        market.take(1, SELL, 1_000, maker=3)
        market.take(2, BUY, 1_000, maker=3)
        market.take(2, SELL, 1_000, maker=MAKER)
        if number % 5 == 0:
            market.take(1, BUY, 1_000, maker=2)
        market.wait(20)
    assert not [alert for alert in market.alerts if set(alert.owners) == {1, 2}]


def test_a_new_link_counts_from_then_on() -> None:
    """What two owners did as strangers is not added to what they do as a group."""
    market = Market(rules(unlinked=False))
    pair(market, 2)
    market.link(1, 2)
    pair(market, 2)
    assert not market.alerts
    pair(market)
    assert market.alerts


def test_what_is_stored_is_all_there_is() -> None:
    """After each event of pairs, a self trade and strangers, the restored rule stores the same."""
    market = Market(RULES)
    market.link(1, 2)
    pair(market, 4)
    market.outside_trade(1_000, 1, BUY, 3, 3)
    market.take(4, SELL, 999, 2, maker=5)
    check_state(market, RULES)
