"""F2: lures that flee are told at the thresholds, and refused afterwards."""

from typing import Any

import pytest

from rules.reasons import Reason
from rules.values import BUY, CANCELED, CASE_CONFIRM, CASE_DISMISS, E8, NS_PER_SECOND, SELL
from tests.rules.conduct.conduct_world import MAKER, OTHER_SYMBOL, Market, check_state

CLAUSE: dict[str, Any] = {"mode": "enforce", "flights": 2, "lures": 100}
RULES = {"fictitious_bids": CLAUSE}


def rules(**changes: Any) -> dict[str, Any]:
    """Return the test's rules with changes."""
    return {"fictitious_bids": {**CLAUSE, **changes}}


def opened(changes: dict[str, Any] | None = None) -> Market:
    """Return a market at 1000 with 100 displayed on each side by a stranger."""
    market = Market(rules(**(changes or {})))
    market.trade(1_000)
    market.quote(999, 1_001)
    market.rest(5, BUY, 999, 100)
    market.rest(5, SELL, 1_001, 100)
    return market


def lure(market: Market, owner: int = 1, price: int = 960, quantity: int = 50, **more: Any) -> int:
    """Place a large order far away."""
    return market.rest(owner, BUY, price, quantity, **more)


def flee(market: Market, owner: int = 1, seconds: int = 2, **changes: Any) -> None:
    """Place a lure, let the market fall a tick, and take the lure away."""
    order = lure(market, owner, **changes)
    market.wait(1)
    facts = market.book.symbols[1]
    market.quote(facts.bid_e8 // E8 - 1, facts.ask_e8 // E8 - 1)
    market.wait(seconds)
    market.cancel(owner, order)
    market.wait(20)


def test_flights_make_an_alert_with_its_evidence() -> None:
    """The second flight tells; lure and flight are the evidence, the first lure its beginning."""
    market = opened()
    began_ns = market.now_ns
    flee(market)
    assert not market.alerts
    flee(market)
    (alert,) = market.alerts
    assert (alert.rule, alert.interest, alert.severity) == ("fictitious_bids", 1, 1)
    assert dict(alert.figures)["flights"] == 2
    assert alert.since_ns == began_ns
    assert len(alert.evidence) == 4


def test_the_time_of_flight_at_the_boundary() -> None:
    """Two seconds after the move is a flight, a nanosecond later is not."""
    for late_ns, told in ((0, True), (1, False)):
        market = opened({"flights": 1, "again": "0s"})
        order = lure(market)
        market.quote(998, 1_000)
        market.wait(2, ns=late_ns)
        market.cancel(1, order)
        assert bool(market.alerts) == told


def test_a_move_before_the_lure_or_away_from_it_is_no_reason() -> None:
    """Only a market that comes nearer while the lure stands makes its end a flight."""
    market = opened({"flights": 1})
    market.quote(998, 1_000)
    order = lure(market)
    market.wait(1)
    market.cancel(1, order)
    market.wait(60)
    order = lure(market)
    market.quote(1_000, 1_002)
    market.cancel(1, order)
    market.wait(60)
    assert not market.alerts


def test_the_distance_at_the_boundary() -> None:
    """Three per cent away is a lure; a tick nearer is not."""
    for price, told in ((970, True), (971, False)):
        market = opened({"flights": 1})
        flee(market, price=price)
        assert bool(market.alerts) == told


def test_the_size_at_the_boundary() -> None:
    """One in twenty of all displayed, itself included, is large; a little less is not."""
    for quantity, told in ((E8 * 100 // 19 + 1, True), (E8 * 100 // 19, False)):
        market = opened({"flights": 1, "imbalance": "0"})
        flee(market, quantity=0, quantity_e8=quantity)
        assert bool(market.alerts) == told


def test_ten_levels_where_the_engine_reports_them() -> None:
    """A tenth of the ten best levels is large too, whatever else is displayed."""
    for quantity, told in ((10, True), (9, False)):
        market = opened({"flights": 1, "displayed_share": "1", "imbalance": "0"})
        market.quote(999, 1_001, bids=((999 * E8, 90 * E8),))
        order = lure(market, quantity=quantity)
        market.quote(998, 1_000, bids=((998 * E8, 90 * E8),))
        market.cancel(1, order)
        assert bool(market.alerts) == told


def test_the_share_of_the_side_at_the_boundary() -> None:
    """The lures must be a tenth of their side when one flees."""
    for displayed, told in ((90, True), (91, False)):
        market = Market(rules(flights=1))
        market.trade(1_000)
        market.quote(999, 1_001)
        market.rest(5, BUY, 999, displayed)
        flee(market, quantity=10)
        assert bool(market.alerts) == told


def test_an_executed_lure_did_not_flee() -> None:
    """Up to one per cent executed it has; more, and it was an order."""
    for filled, told in ((1, True), (2, False)):
        market = opened({"flights": 1, "imbalance": "0"})
        order = lure(market, quantity=100)
        market.take(4, SELL, 960, filled, maker_order=order)
        market.quote(998, 1_000)
        market.cancel(1, order)
        assert bool(market.alerts) == told


def test_a_lure_that_comes_back_has_fled_too() -> None:
    """Within five seconds at the same distance, give or take 0.2 %, whatever the market did."""
    for seconds, price, told in ((5, 960, True), (6, 960, False), (5, 958, True), (5, 957, False)):
        market = opened({"flights": 1})
        order = lure(market)
        market.cancel(1, order)
        market.wait(seconds)
        lure(market, price=price)
        assert bool(market.alerts) == told, (seconds, price)


def test_a_changed_price_is_a_flight() -> None:
    """An amend that moves the lure away when the market comes near counts as its end."""
    market = opened({"flights": 1})
    order = lure(market)
    market.quote(998, 1_000)
    market.amend(1, order, price=940)
    assert market.alerts


def test_many_cancelled_lures_make_an_alert_without_a_flight() -> None:
    """Ten lures of which nine were taken away unfilled; eight of ten are not enough."""
    for executed, told in ((1, True), (2, False)):
        market = opened({"flights": 100, "lures": 10, "again": "0s"})
        for number in range(10):
            order = lure(market)
            if number < executed:
                market.take(4, SELL, 960, 50, maker_order=order)
            else:
                market.cancel(1, order)
            market.wait(10)
            market.trade(1_000)
        assert bool(market.alerts) == told


def test_flights_long_ago_are_forgotten() -> None:
    """A flight exactly ten minutes old no longer counts, a nanosecond younger does."""
    for early_ns, told in ((0, False), (1, True)):
        market = opened()
        order = lure(market)
        market.quote(998, 1_000)
        market.cancel(1, order)
        market.wait(599, ns=NS_PER_SECOND - early_ns)
        order = lure(market)
        market.quote(997, 999)
        market.cancel(1, order)
        assert bool(market.alerts) == told


def test_keys_and_linked_owners_are_one() -> None:
    """One flight by each of two linked owners is two; of strangers it is one each."""
    for link in (True, False):
        market = opened()
        if link:
            market.link(1, 2)
        flee(market, 1)
        flee(market, 2)
        assert bool(market.alerts) == link


def test_lures_of_other_channels_are_followed() -> None:
    """A lure entered in the app and cancelled there is told as any other."""
    market = opened({"flights": 1})
    market.outside_order(900, 1, BUY, 960, 50)
    market.quote(998, 1_000)
    market.outside_order(900, 1, BUY, 960, 50, status=CANCELED)
    assert [alert.interest for alert in market.alerts] == [1]


@pytest.mark.parametrize("how", ["takes", "sells"])
def test_trading_beside_the_lures_aggravates(how: str) -> None:
    """Buying by taking, or selling to whom the lures brought, in the same ten minutes."""
    market = opened({"flights": 1})
    if how == "takes":
        market.take(1, BUY, 1_000)
    else:
        market.take(3, BUY, 1_000, maker=1)
    flee(market)
    assert [alert.severity for alert in market.alerts] == [2]


def test_lures_are_refused_after_an_alert() -> None:
    """For a minute, on that side and symbol, while the case is open; other orders pass."""
    market = opened({"flights": 1})
    order = lure(market)
    market.quote(998, 1_000)
    market.cancel(1, order)
    breach = market.refused(market.order(1, BUY, 960, 50))
    assert breach is not None
    assert (breach.reason, breach.case) == (Reason.CONDUCT_LIMIT, market.alerts[0].case)
    assert breach.retry_ns == market.now_ns + 60 * NS_PER_SECOND
    assert market.refused(market.order(1, BUY, 980, 50)) is None
    assert market.refused(market.order(1, BUY, 960, 1)) is None
    assert market.refused(market.order(1, SELL, 1_040, 50)) is None
    assert market.refused(market.order(2, BUY, 960, 50)) is None
    assert market.refused(market.order(1, BUY, 960, 50, symbol=OTHER_SYMBOL)) is None
    market.wait(59, ns=NS_PER_SECOND - 1)
    assert market.refused(market.order(1, BUY, 960, 50)) is not None
    market.wait(ns=1)
    assert market.refused(market.order(1, BUY, 960, 50)) is None


def test_an_amend_into_a_lure_is_refused_after_an_alert() -> None:
    """What may not be placed may not be amended to either."""
    market = opened({"flights": 1})
    near = market.rest(1, BUY, 990, 50)
    flee(market)
    decision = market.amend(1, near, price=960)
    assert [breach.reason for breach in decision.breaches] == [Reason.CONDUCT_LIMIT]
    assert not market.amend(1, near, price=989).breaches


def test_a_market_maker_who_requotes_is_left_alone() -> None:
    """Quotes near the touch are no lures, however often they move with the market."""
    market = opened()
    for number in range(40):
        bid = market.rest(MAKER, BUY, 990 - number, 60)
        offer = market.rest(MAKER, SELL, 1_010 - number, 60)
        market.wait(1)
        market.quote(998 - number, 1_000 - number)
        market.cancel(MAKER, bid)
        market.cancel(MAKER, offer)
        market.trade(999 - number)
    assert not market.alerts


def test_a_grid_that_stays_is_left_alone() -> None:
    """Distant orders that stand while the market comes near are orders."""
    market = opened()
    grid = [market.rest(1, BUY, 960 - number * 5, 20) for number in range(8)]
    for number in range(10):
        market.wait(60)
        market.quote(998 - number, 1_000 - number)
    market.wait(60)
    for order in grid:
        market.cancel(1, order)
    assert not market.alerts


def test_what_is_stored_is_all_there_is() -> None:
    """After each event of flights, a bar and lures of the app, the restored rule stores the same."""
    market = opened()
    market.outside_order(900, 2, BUY, 950, 40)
    market.take(1, BUY, 1_000, maker=3)
    flee(market)
    order = lure(market)
    market.cancel(1, order)
    lure(market)
    market.refused(market.order(1, BUY, 960, 50))
    assert market.alerts
    check_state(market, RULES)


@pytest.mark.parametrize(
    ("price", "quantity", "told"), [(950, 40, False), (951, 40, True), (950, 39, True)]
)
def test_a_change_on_another_channel_is_as_good_as_a_cancel(
    price: int, quantity: int, told: bool
) -> None:
    """Reported again as it was, nothing has happened; at another price or smaller it has gone."""
    market = Market({"fictitious_bids": {"mode": "enforce", "lures": 1, "imbalance": "0"}})
    market.outside_order(900, 2, BUY, 950, 40)
    market.outside_order(900, 2, BUY, price, quantity)
    assert bool(market.alerts) == told


def test_a_link_or_a_confirmation_ends_no_bar() -> None:
    """Linked with others in the middle of the minute, he and they are refused; dismissed, nobody."""
    market = opened({"flights": 1})
    order = lure(market)
    market.quote(998, 1_000)
    market.cancel(1, order)
    market.link(1, 2)
    for owner in (1, 2):
        assert market.refused(market.order(owner, BUY, 960, 50)) is not None
    market.act(market.alerts[0].case, CASE_CONFIRM)
    assert market.refused(market.order(2, BUY, 960, 50)) is not None
    market.act(market.alerts[0].case, CASE_DISMISS)
    assert market.refused(market.order(1, BUY, 960, 50)) is None
