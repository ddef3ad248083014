"""The embedded engine: what reaches the sink and when, and every fault of the link."""

import msgspec
import pytest

from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.faults import Fault, Faults
from gateway.engine.port import CancelCommand, EnginePort, PlaceCommand
from gateway.stub.exchange import MatchingExchange
from rules.events import (
    BalanceAdjusted,
    CommandResult,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    OrderTrade,
    Reference,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    E8,
    GTC,
    LIMIT,
    MARKET,
    NS_PER_MS,
    NS_PER_SECOND,
    SELL,
    STP_NONE,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)

ALICE, BOB = 1, 2
BASE, QUOTE = 1, 2
SYMBOL = 1


class Rig:
    """An embedded engine with a clock set by hand; keeps what the sink and the listener get."""

    def __init__(self, faults: Faults | None = None, levels: int = 0) -> None:
        self.now_ns = NS_PER_SECOND
        self.events = []
        self.trades = []
        self.engine = EmbeddedEngine(
            MatchingExchange(), lambda: self.now_ns, faults, lambda name: E8 // 10, levels
        )
        port: EnginePort = self.engine
        port.start(self.events.append, self)
        port.define_symbol(DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, 0))
        for account in (ALICE, BOB):
            port.define_account(DefineAccount(account, f"a{account}", account, "", 0))
            for asset in (BASE, QUOTE):
                port.deposit(account, asset, 1_000_000 * E8, "start")
        self.next_id = 1

    def on_trade(self, trade) -> None:
        """Take a public trade."""
        self.trades.append(trade)

    def on_depth(self, depth) -> None:
        """Take pushed depth."""

    def place(self, account, side, price, quantity=1, **changes) -> int:
        """Send an order; return its command id."""
        order_id = self.next_id
        self.next_id += 1
        command = PlaceCommand(
            order_id + 1000,
            order_id,
            account,
            SYMBOL,
            side,
            LIMIT,
            GTC,
            price * E8,
            quantity * E8,
            0,
            0,
            STP_NONE,
            "",
        )
        self.engine.send(msgspec.structs.replace(command, **changes))
        return order_id + 1000

    def pass_ns(self, span_ns: int) -> None:
        """Move the clock and let the engine deliver what is due."""
        self.now_ns += span_ns
        self.engine.poll(self.now_ns)

    def take(self, *kinds):
        """Return the events of `kinds` (or all) so far, and forget everything."""
        taken = [event for event in self.events if not kinds or isinstance(event, kinds)]
        self.events.clear()
        return taken


def test_a_session_begins_and_ends():
    """The first event names epoch and sequence; after close nothing is handed on."""
    rig = Rig()
    assert rig.events[0] == EngineSession(True, 1, 0)
    assert [event.engine_seq for event in rig.take(BalanceAdjusted)] == [1, 2, 3, 4]
    rig.engine.close()
    rig.place(ALICE, BUY, 100)
    rig.pass_ns(NS_PER_SECOND)
    assert rig.events == []


def test_result_first_then_reports():
    """A command's result reaches the sink before the reports that follow from it."""
    rig = Rig()
    rig.place(ALICE, SELL, 100)
    rig.take()
    command_id = rig.place(BOB, BUY, 100)
    result, report = rig.take(CommandResult, OrderTrade)
    assert (result.command_id, result.engine_ns) == (command_id, rig.now_ns)
    assert (report.order_id, report.engine_seq) == (1, 5)
    assert [(trade.trade_id, trade.buyer_is_maker) for trade in rig.trades] == [(1, False)]


def test_port_calls_reach_the_exchange():
    """Symbol state, bust, depth and the lot step do what they say."""
    rig = Rig()
    rig.place(ALICE, SELL, 100, 3)
    rig.take()
    rig.place(BOB, BUY, 0, 0, order_type=MARKET, time_in_force=0, quote_quantity_e8=155 * E8)
    assert rig.take(CommandResult)[0].fills[0].quantity_e8 == 15 * E8 // 10
    depth = rig.engine.depth(SYMBOL, 5)
    assert (depth.asks, depth.engine_ns) == (((100 * E8, 15 * E8 // 10),), rig.now_ns)
    assert rig.engine.bust(1)
    assert not rig.engine.bust(1)
    assert [event.trade_id for event in rig.take()] == [1]
    rig.engine.set_symbol_state(SYMBOL, SYMBOL_HALT)
    rig.place(ALICE, BUY, 90)
    assert rig.take(CommandResult)[0].reason == Reason.ENGINE_SYMBOL_CLOSED


def test_references_are_conflated():
    """At most one reference in 100 ms, only if something changed, the newest state in it."""
    rig = Rig()
    rig.place(ALICE, BUY, 90)
    first = rig.take(Reference)
    assert [(event.bid_e8, event.ask_e8) for event in first] == [(90 * E8, 0)]
    for price in (91, 92, 93):
        rig.place(ALICE, BUY, price)
    rig.pass_ns(100 * NS_PER_MS - 1)
    assert rig.take(Reference) == []
    rig.pass_ns(1)
    second = rig.take(Reference)
    assert [(event.bid_e8, event.engine_ns) for event in second] == [(93 * E8, rig.now_ns)]
    rig.pass_ns(NS_PER_SECOND)
    assert rig.take(Reference) == []
    rig.place(ALICE, BUY, 50)
    assert rig.take(Reference) == [], "a change behind the best price is none"
    rig.place(BOB, SELL, 93)
    traded_ns = rig.now_ns
    rig.pass_ns(100 * NS_PER_MS)
    third = rig.take(Reference)[0]
    assert (third.last_e8, third.last_ns, third.bid_e8) == (93 * E8, traded_ns, 92 * E8)


def test_a_standing_market_is_confirmed():
    """A two-sided market nobody touches is reported again every 30 s, a one-sided one is not."""
    rig = Rig()
    rig.place(ALICE, BUY, 90)
    rig.pass_ns(60 * NS_PER_SECOND)
    assert len(rig.take(Reference)) == 1
    rig.place(BOB, SELL, 95)
    rig.pass_ns(NS_PER_SECOND)
    sent = rig.take(Reference)[-1]
    rig.pass_ns(30 * NS_PER_SECOND - 1 - (rig.now_ns - sent.engine_ns))
    assert rig.take(Reference) == []
    rig.pass_ns(100 * NS_PER_MS)
    assert [(event.bid_e8, event.ask_e8) for event in rig.take(Reference)] == [(90 * E8, 95 * E8)]


def test_references_carry_levels_where_asked():
    """With `levels` a change behind the best price counts and is shown."""
    rig = Rig(levels=2)
    for price in (90, 91, 92):
        rig.place(ALICE, BUY, price)
        rig.pass_ns(100 * NS_PER_MS)
    assert rig.take(Reference)[-1].bids == ((92 * E8, E8), (91 * E8, E8))


def faulty(*forced: Fault | None) -> Rig:
    """Return a rig whose next commands get these faults; set-up is over and forgotten."""
    faults = Faults(1, delay_ns=50 * NS_PER_MS, outage_ns=NS_PER_SECOND)
    rig = Rig(faults)
    for fault in forced:
        faults.force(fault)
    rig.take()
    return rig


def results(rig: Rig) -> list[int]:
    """Return the command ids of the results so far."""
    return [event.command_id for event in rig.take(CommandResult)]


def test_lost_command():
    """It leaves no trace: no result, and the order is not there."""
    rig = faulty(Fault.LOSE_COMMAND)
    rig.place(ALICE, BUY, 90)
    rig.pass_ns(NS_PER_SECOND)
    assert results(rig) == []
    assert rig.engine.depth(SYMBOL, 1).bids == ()


def test_lost_result():
    """The order rests, and only its maker reports tell so."""
    rig = faulty(Fault.LOSE_RESULT)
    rig.place(ALICE, BUY, 90)
    rig.pass_ns(NS_PER_SECOND)
    assert results(rig) == []
    rig.place(BOB, SELL, 90)
    assert [event.order_id for event in rig.take(OrderTrade)] == [1]


def test_delayed_result_comes_after_what_followed():
    """The result arrives when it is due, not a nanosecond earlier, after the order's own trade."""
    rig = faulty(Fault.DELAY_RESULT)
    late = rig.place(ALICE, BUY, 90)
    soon = rig.place(BOB, SELL, 90)
    rig.pass_ns(50 * NS_PER_MS - 1)
    assert [type(event) for event in rig.take(CommandResult, OrderTrade)] == [
        CommandResult,
        OrderTrade,
    ]
    assert soon != late
    rig.pass_ns(1)
    assert results(rig) == [late]


def test_duplicate_result():
    """The same result comes twice."""
    rig = faulty(Fault.DUPLICATE_RESULT)
    command_id = rig.place(ALICE, BUY, 90)
    assert results(rig) == [command_id, command_id]


def test_disconnect_resumes_in_the_same_epoch():
    """The command worked, its result is lost, the reports come when the link is up again."""
    rig = faulty(None, Fault.DISCONNECT)
    rig.place(ALICE, BUY, 90)
    rig.take()
    rig.place(BOB, SELL, 90)
    assert rig.take() == [EngineSession(False, 1, 4)]
    refused = rig.place(BOB, SELL, 91)
    rig.engine.send(CancelCommand(5, (1, 2), CAUSE_CLIENT))
    down = rig.take()
    assert [event.reason for event in down] == [Reason.ENGINE_UNAVAILABLE] * 2
    assert [(event.command_id, event.order_id) for event in down] == [(refused, 3), (5, 0)]
    rig.engine.deposit(ALICE, QUOTE, 1, "while down")
    rig.pass_ns(NS_PER_SECOND - 1)
    assert rig.take() == []
    rig.pass_ns(1)
    session, trade, deposit = rig.take()[:3]
    assert session == EngineSession(True, 1, 4)
    assert (type(trade), trade.engine_seq) == (OrderTrade, 5)
    assert (type(deposit), deposit.engine_seq) == (BalanceAdjusted, 6)
    assert len(rig.trades) == 1


def test_restart_begins_a_new_epoch():
    """All orders are gone, the epoch is new, the sequence begins again."""
    rig = faulty(None, Fault.RESTART)
    rig.place(ALICE, BUY, 90)
    rig.take()
    rig.place(ALICE, BUY, 91)
    assert rig.take() == [EngineSession(False, 1, 4)]
    rig.pass_ns(NS_PER_SECOND)
    assert rig.take(EngineSession) == [EngineSession(True, 2, 0)]
    assert rig.engine.depth(SYMBOL, 5).bids == ()
    command_id = rig.place(ALICE, BUY, 92)
    assert results(rig) == [command_id]
    rig.engine.deposit(ALICE, QUOTE, 1, "")
    assert [event.engine_seq for event in rig.take(BalanceAdjusted)] == [1]


def test_faults_repeat_by_seed_and_keep_to_their_rates():
    """One seed gives one series; a rate of a million always strikes, of none never."""
    rates = {Fault.LOSE_RESULT: 200_000, Fault.DELAY_RESULT: 100_000}
    series = [
        [faults.next() for _ in range(5_000)] for faults in (Faults(7, rates), Faults(7, rates))
    ]
    assert series[0] == series[1]
    assert 800 < series[0].count(Fault.LOSE_RESULT) < 1_200
    assert 400 < series[0].count(Fault.DELAY_RESULT) < 600
    assert Faults(7).next() is None
    assert Faults(7, {Fault.RESTART: 1_000_000}).next() == Fault.RESTART


@pytest.mark.parametrize(
    "rates",
    [
        {Fault.RESTART: -1},
        {Fault.RESTART: 1_000_001},
        {Fault.RESTART: 1_000_000, Fault.DISCONNECT: 1},
    ],
)
def test_impossible_rates_are_refused(rates):
    """Rates must be a share."""
    with pytest.raises(ValueError, match="ppm"):
        Faults(1, rates)
