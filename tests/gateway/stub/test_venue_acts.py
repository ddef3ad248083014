"""Deposits, annulled trades, other channels' orders, restarts and definitions."""

import pytest

from rules.events import (
    BalanceAdjusted,
    DefineSymbol,
    MarketOrder,
    MarketTrade,
    OrderTrade,
    TradeBust,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    CHANNEL_APP,
    CHANNEL_WEB,
    E8,
    EXPIRED,
    FILLED,
    GTC,
    INT63_MAX,
    IOC,
    LIMIT,
    NEW,
    PARTIALLY_FILLED,
    SELL,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.gateway.stub.venue import ALICE, BASE, BOB, CAROL, FUNDS, QUOTE, SYMBOL, Venue, fills


def test_deposits_and_withdrawals():
    """Each is one numbered report; what can't be done is reported as 0 with the cause."""
    venue = Venue()
    venue.buy(ALICE, 100, 1)
    seq = venue.exchange.engine_seq
    credit = venue.exchange.deposit(ALICE, QUOTE, 5, "gift", 7)
    assert credit == BalanceAdjusted(seq + 1, 7, ALICE, QUOTE, 5, "gift")
    free_e8 = venue.balance(ALICE, QUOTE)[0]
    short = venue.exchange.deposit(ALICE, QUOTE, -free_e8 - 1, "out", 8)
    assert (short.engine_seq, short.delta_e8) == (seq + 2, 0)
    assert short.note.startswith("out: not done")
    assert venue.exchange.deposit(ALICE, QUOTE, -free_e8, "", 9).delta_e8 == -free_e8
    assert venue.balance(ALICE, QUOTE) == (0, 100 * E8)
    venue.check_money()


def test_supply_fits_the_record():
    """No asset's total may pass 63 bits."""
    venue = Venue()
    left_e8 = INT63_MAX - venue.exchange.ledger.supply_e8(BASE)
    assert venue.exchange.deposit(ALICE, BASE, left_e8 + 1, "", 0).delta_e8 == 0
    assert venue.exchange.deposit(ALICE, BASE, left_e8, "", 0).delta_e8 == left_e8


def test_bust_reverses_both_sides():
    """An annulled trade gives both sides and their commissions back, once."""
    venue = Venue(maker_ppm=1_000, taker_ppm=2_000)
    before = [venue.balance(account, asset) for account in (ALICE, BOB) for asset in (BASE, QUOTE)]
    venue.buy(ALICE, 100, 1)
    venue.sell(BOB, 100, 1)
    seq = venue.exchange.engine_seq
    reports = venue.exchange.bust(1, 99)
    traded_ns = venue.now_ns
    assert reports[0] == TradeBust(
        seq + 1, 99, 1, SYMBOL, 100 * E8, E8, 1, 2, ALICE, BOB, traded_ns, BUY
    )
    assert [(report.account, report.asset, report.delta_e8) for report in reports[1:]] == [
        (ALICE, BASE, 100_000),
        (BOB, QUOTE, 20_000_000),
    ]
    assert [report.engine_seq for report in reports] == [seq + 1, seq + 2, seq + 3]
    after = [venue.balance(account, asset) for account in (ALICE, BOB) for asset in (BASE, QUOTE)]
    assert after == before
    assert venue.exchange.ledger.commissions == {BASE: 0, QUOTE: 0}
    assert venue.exchange.bust(1, 100) == ()
    assert venue.exchange.bust(2, 100) == ()
    assert venue.exchange.bust(0, 100) == ()
    venue.check_money()


def foreign(venue, channel, account, side, price, quantity, tif=GTC):
    """Enter an order that does not come through the gate."""
    return venue.exchange.enter_foreign(
        channel, account, SYMBOL, side, LIMIT, tif, price * E8, quantity * E8, venue.now_ns
    )


def test_drop_copy_of_other_channels():
    """Orders and trades of other channels are reported with owner and channel, once each."""
    venue = Venue()
    result, reports = foreign(venue, CHANNEL_WEB, CAROL, SELL, 100, 2)
    entered = reports[0]
    assert isinstance(entered, MarketOrder)
    assert (entered.order_id, entered.account, entered.owner) == (result.order_id, CAROL, CAROL)
    assert (entered.channel, entered.status, entered.filled_e8) == (CHANNEL_WEB, NEW, 0)
    # The gate's own taker: the foreign maker's new state and the trade, no OrderTrade.
    assert fills(venue.buy(ALICE, 100, 1)) == [(100, 1, result.order_id)]
    maker, trade = venue.reports
    assert isinstance(maker, MarketOrder)
    assert (maker.status, maker.filled_e8) == (PARTIALLY_FILLED, E8)
    assert isinstance(trade, MarketTrade)
    assert (trade.buy_owner, trade.sell_owner) == (ALICE, CAROL)
    assert (trade.buy_channel, trade.sell_channel, trade.buyer_is_maker) == (0, CHANNEL_WEB, False)
    # A foreign taker against the gate's maker: the maker's trade, the trade, the taker's state.
    venue.buy(ALICE, 90, 1)
    _, reports = foreign(venue, CHANNEL_APP, BOB, SELL, 90, 1)
    assert [type(report) for report in reports] == [OrderTrade, MarketTrade, MarketOrder]
    assert (reports[1].buy_channel, reports[1].sell_channel) == (0, CHANNEL_APP)
    assert (reports[2].status, reports[2].filled_e8) == (FILLED, E8)
    venue.check_money()


def test_foreign_orders_end():
    """Expiry and cancel of a foreign order are reported; the gate can't cancel or amend it."""
    venue = Venue()
    _, reports = foreign(venue, CHANNEL_WEB, CAROL, BUY, 100, 1, IOC)
    assert [report.status for report in reports] == [EXPIRED]
    result, _ = foreign(venue, CHANNEL_WEB, CAROL, BUY, 100, 1)
    assert venue.cancel(result.order_id).reason == Reason.ENGINE_UNKNOWN_ORDER
    assert venue.amend(result.order_id, 0.5).reason == Reason.ENGINE_UNKNOWN_ORDER
    canceled = venue.exchange.cancel_foreign(result.order_id, 5)
    assert [(report.status, report.engine_ns) for report in canceled] == [(CANCELED, 5)]
    assert venue.exchange.cancel_foreign(result.order_id, 6) == ()
    refused, reports = foreign(venue, CHANNEL_WEB, 99, BUY, 100, 1)
    assert (refused.reason, reports) == (Reason.ENGINE_INSUFFICIENT_BALANCE, ())


def test_restart_loses_the_orders_and_keeps_the_money():
    """A new epoch begins without orders, with nothing locked, numbered from 1."""
    venue = Venue()
    venue.buy(ALICE, 100, 1)
    venue.sell(BOB, 101, 1)
    venue.exchange.restart()
    assert (venue.exchange.epoch, venue.exchange.engine_seq) == (2, 0)
    assert venue.depth() == [[], []]
    assert venue.balance(ALICE, QUOTE) == (FUNDS, 0)
    assert venue.cancel(1).reason == Reason.ENGINE_UNKNOWN_ORDER
    assert venue.exchange.deposit(ALICE, QUOTE, 1, "", 0).engine_seq == 1


def test_definitions():
    """What does not say a lot step leaves a known instrument; what can't be is refused."""
    venue = Venue()
    venue.buy(ALICE, 100, 1)
    venue.exchange.define_symbol(DefineSymbol(SYMBOL, "OTHER", 5, 6, SYMBOL_TRADING, 0))
    assert venue.depth() == [[(100, 1)], []]
    for maker_ppm, step_e8 in ((-1, 1), (1_000_001, 1), (0, 0)):
        definition = DefineSymbol(2, "ETHUSDT", 3, QUOTE, SYMBOL_TRADING, 0, maker_ppm, 0)
        with pytest.raises(ValueError, match="ETHUSDT"):
            venue.exchange.define_symbol(definition, step_e8)
    assert venue.exchange.symbols == (SYMBOL,)


def test_an_instrument_defined_again():
    """Commissions and lot step hold from here on; orders, funds held, state and assets stay."""
    venue = Venue(maker_ppm=1_000, taker_ppm=2_000)
    venue.buy(ALICE, 100, 3)
    venue.sell(BOB, 100, 1)
    held = venue.balance(ALICE, QUOTE)
    before = dict(venue.exchange.ledger.commissions)
    assert before == {BASE: E8 // 1_000, QUOTE: 100 * E8 // 500}
    venue.exchange.set_symbol_state(SYMBOL, SYMBOL_HALT)
    again = DefineSymbol(SYMBOL, "OTHER", 5, 6, SYMBOL_TRADING, 0, 10_000, 20_000, E8 // 2)
    venue.exchange.define_symbol(again)
    assert venue.sell(BOB, 100, 1).reason == Reason.ENGINE_SYMBOL_CLOSED
    venue.exchange.set_symbol_state(SYMBOL, SYMBOL_TRADING)
    assert (venue.depth(), venue.balance(ALICE, QUOTE)) == ([[(100, 2)], []], held)
    venue.sell(BOB, 100, 1)
    assert venue.exchange.ledger.commissions == {
        BASE: before[BASE] + E8 // 100,
        QUOTE: before[QUOTE] + 100 * E8 // 50,
    }
    # Of 70 a whole 0.7 was bought with the step the venue begins with; half lots are 0.5.
    venue.sell(BOB, 100, 2)
    bought = venue.buy(CAROL, 0, 0, quote_quantity_e8=70 * E8)
    assert fills(bought)[0][:2] == (100, 0.5)


def test_depth_counts_changes_and_orders_levels():
    """Depth shows the levels best first, as many as asked for, and counts every change."""
    venue = Venue()
    first = venue.exchange.depth(SYMBOL, 5, 1)
    for price in (98, 99, 97, 99):
        venue.buy(ALICE, price, 1)
    for price in (103, 101, 102):
        venue.sell(BOB, price, 2)
    depth = venue.exchange.depth(SYMBOL, 2, 1)
    assert depth.bids == ((99 * E8, 2 * E8), (98 * E8, E8))
    assert depth.asks == ((101 * E8, 2 * E8), (102 * E8, 2 * E8))
    assert depth.update_id == first.update_id + 7
    assert venue.exchange.depth(SYMBOL, 0, 1).bids == ()
    assert len(venue.exchange.depth(SYMBOL, 100, 1).asks) == 3
