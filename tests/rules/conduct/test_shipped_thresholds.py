"""Each pattern with the numbers of `fss-conduct`: one order more tells, one fewer does not."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from gateway.rulebooks import load_rulebook
from rules.events import DefineSymbol
from rules.values import BUY, E8, NS_PER_SECOND, SELL, SYMBOL_TRADING
from tests.rules.conduct.conduct_world import BASE, QUOTE, Market

MS = 1_000_000
CLAUSES = load_rulebook("fss-conduct").clauses


def market_of(rule: str, price: int = 1_000) -> Market:
    """Return a market with one of the shipped rules, enforced so that its alerts are not shadows."""
    clause: dict[str, Any] = msgspec.to_builtins(getattr(CLAUSES, rule))
    return Market({rule: {**clause, "mode": "enforce"}}, price=price)


def told_by(market: Market, acts: Sequence[Callable[[], object]]) -> list[int]:
    """Do one act after the other; return after which of them, counted from 1, there was an alert."""
    told = []
    for number, act in enumerate(acts, 1):
        before = len(market.alerts)
        act()
        if len(market.alerts) > before:
            told.append(number)
    return told


def test_tape_painting() -> None:
    """An order a second to and fro, of twice the least notional: in five minutes of the clock the
    last sixty seconds have 60, in the fifth with its first order."""
    market = market_of("tape_painting", price=5)

    def tick(number: int) -> None:
        market.take(1, BUY if number % 2 else SELL, 5, 2)
        market.wait(1)

    assert told_by(market, [partial(tick, n) for n in range(301)]) == [241]


@pytest.mark.parametrize(("gap_ms", "quantity"), [(1_017, 2), (1_000, 3)])
def test_59_orders_a_minute_or_larger_ones_paint_nothing(gap_ms: int, quantity: int) -> None:
    """One order in 1.017 s puts 59 into a minute; 15 is more than twice the least notional of 5."""
    market = market_of("tape_painting", price=5)
    for number in range(700):
        market.take(1, BUY if number % 2 else SELL, 5, quantity)
        market.wait(ns=gap_ms * MS)
    assert not market.alerts


@pytest.mark.parametrize(("price", "told"), [(969, [5]), (970, [])])
def test_fictitious_bids(price: int, told: list[int]) -> None:
    """Five flights from 3 % below; a bid a tick nearer than 3 % of the last price is no lure."""
    market = market_of("fictitious_bids")
    market.trade(999)
    market.quote(999, 1_001)
    market.rest(5, BUY, 999, 100)
    market.rest(5, SELL, 1_001, 100)

    def flee(number: int) -> None:
        order = market.rest(1, BUY, price, 50)
        market.wait(1)
        market.quote(998 - number, 1_000 - number)
        market.wait(2)
        market.cancel(1, order)
        market.wait(20)

    assert told_by(market, [partial(flee, n) for n in range(5)]) == told


def test_matched_trades() -> None:
    """Five pairs of two owners within ten minutes, one by one."""
    market = market_of("matched_trades")

    def pair(number: int) -> None:
        buyer, seller = (1, 2) if number % 2 else (2, 1)
        market.take(buyer, BUY, 1_000, maker=seller)
        market.wait(149)

    assert told_by(market, [partial(pair, n) for n in range(5)]) == [5]


@pytest.mark.parametrize("gap_s", [150, 151])
def test_pairs_further_apart(gap_s: int) -> None:
    """Each 150 seconds the fifth comes as the first, ten minutes old, leaves."""
    market = market_of("matched_trades")
    for number in range(12):
        buyer, seller = (1, 2) if number % 2 else (2, 1)
        market.take(buyer, BUY, 1_000, maker=seller)
        market.wait(gap_s)
    assert not market.alerts


@pytest.mark.parametrize(("target", "told"), [(1_050, [5]), (1_049, [])])
def test_target_ramp(target: int, told: list[int]) -> None:
    """A sell 5 % above the last price, then five buys that raise it by 3 %."""
    market = market_of("target_ramp")
    market.trade(1_000)
    market.rest(1, SELL, target)
    market.wait(1)
    prices = (1_006, 1_012, 1_018, 1_024, 1_030)
    assert told_by(market, [partial(market.take, 1, BUY, price) for price in prices]) == told


@pytest.mark.parametrize(
    ("levels", "stays", "told"), [(5, 1, [3]), (5, 2, []), (3, 0, [3]), (2, 0, [])]
)
def test_layering(levels: int, stays: int, told: list[int]) -> None:
    """Three times three prices, of which four fifths go within two seconds of a purchase."""
    market = market_of("layering")
    market.rest(5, SELL, 1_010, 8)

    def episode() -> None:
        offers = [market.rest(1, SELL, 1_003 + level) for level in range(levels)]
        market.take(1, BUY, 1_000)
        market.wait(2)
        for order_id in offers[stays:]:
            market.cancel(1, order_id)
        market.wait(ns=1)
        for order_id in offers[:stays]:
            market.cancel(1, order_id)
        market.wait(60)

    assert told_by(market, [episode] * 3) == told


@pytest.mark.parametrize(("orders", "told"), [(100, True), (99, False)])
def test_quote_stuffing(orders: int, told: bool) -> None:
    """100 orders and their cancels are 200 messages in a second."""
    market = market_of("quote_stuffing")
    for _ in range(orders):
        order_id = market.rest(1, BUY, 990)
        market.wait(ns=MS)
        market.cancel(1, order_id)
    assert bool(market.alerts) == told


@pytest.mark.parametrize(
    ("orders", "last", "told"), [(5, 1_002, True), (4, 1_002, False), (5, 1_001, False)]
)
def test_momentum_ignition(orders: int, last: int, told: bool) -> None:
    """Five purchases that raise the price by 0.2 %, half of them sold again within 30 seconds."""
    market = market_of("momentum_ignition")
    market.trade(1_000)
    for number in range(orders):
        market.take(1, BUY, last if number == orders - 1 else 1_001, 2)
    market.wait(30)
    market.take(1, SELL, 1_001, orders)
    assert bool(market.alerts) == told


@pytest.mark.parametrize(
    ("last", "strangers", "told"), [(1_020, 7, True), (1_019, 7, False), (1_020, 8, False)]
)
def test_reset_marking(last: int, strangers: int, told: bool) -> None:
    """Three in ten of what trades in the five minutes before midnight in Korea, 2 % up."""
    market = market_of("reset_marking")
    market.trade(1_000)
    market.wait(3 * 3_600 - 300)
    market.trade(1_000, strangers)
    for price in (1_010, 1_010, last):
        market.take(1, BUY, price)
    market.wait(300)
    market.quote(1_000, 1_020)
    assert bool(market.alerts) == told


@pytest.mark.parametrize(("quantity", "told"), [(2, [20]), (3, [])])
def test_split_orders(quantity: int, told: list[int]) -> None:
    """The twentieth order at one price, of twice the least notional of 5."""
    market = market_of("split_orders", price=5)

    def enter() -> None:
        market.rest(1, BUY, 5, quantity)
        market.wait(3)

    assert told_by(market, [enter] * 20) == told


@pytest.mark.parametrize(("first", "told"), [(0, [5_000]), (1, [])])
def test_concentration(first: int, told: list[int]) -> None:
    """Of each five orders one owner enters three: 60 % of a day's 5,000, and of 5,001 less."""
    market = market_of("concentration")
    owners = [2] * first + [2, 2, 1, 1, 1] * 1_000
    acts = [partial(market.rest, owner, BUY, 900) for owner in owners]
    assert told_by(market, acts) == told


def spread(market: Market, orders: int, first: int = 0) -> None:
    """Enter far bids over 430 symbols in turn, and take each away."""
    for number in range(first, first + orders):
        symbol = number % 430 + 1
        if symbol not in market.book.symbols:
            terms = (f"S{symbol}", BASE, QUOTE, SYMBOL_TRADING, 1_000 * E8)
            market.send(DefineSymbol(symbol, *terms))
        market.cancel(1, market.rest(1, BUY, 970, symbol=symbol))


@pytest.mark.parametrize(("orders", "told"), [(499, False), (500, True)])
def test_scattered_bids_in_a_day(orders: int, told: bool) -> None:
    """500 over all symbols, one or two in each."""
    market = market_of("scattered_bids")
    spread(market, orders)
    assert bool(market.alerts) == told


def test_fictitious_orders_over_430_symbols() -> None:
    """6,220 orders in 430 symbols, 311 a day for twenty days: 14 in each, told at the 3,000th."""
    market = market_of("scattered_bids")
    for day in range(20):
        spread(market, 311, 311 * day)
        market.wait(86_400)
    alert = market.alerts[0]
    figures = dict(alert.figures)
    assert (alert.interest, alert.symbol) == (1, 0)
    assert (figures["orders"], figures["symbols"], figures["days"]) == (3_000, 430, 10)


def test_clusters() -> None:
    """Three owners take within 200 ms, thirty times in ten minutes; the first three meet nobody."""
    market = market_of("clusters")

    def together(number: int) -> None:
        for owner in (1, 2, 3):
            market.take(owner, BUY if number % 2 else SELL, 1_000)
            market.wait(ns=100 * MS if owner < 3 else 10 * NS_PER_SECOND)

    assert told_by(market, [partial(together, n) for n in range(40)]) == [33]
    assert {alert.interest for alert in market.alerts} == {1, 2, 3}
