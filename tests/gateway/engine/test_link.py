"""A link that breaks loses nothing, and a new epoch loses what it must."""

import asyncio

from gateway.engine.command_codec import command_message
from gateway.engine.names import GateNames
from gateway.engine.venue import Venue
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.events import (
    BalanceAdjusted,
    MarketOrder,
    MarketTrade,
    OrderTrade,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CHANNEL_WEB,
    E8,
    SELL,
)
from tests.gateway.engine.link_world import (
    ALICE,
    BOB,
    BTC,
    USDT,
    Breakable,
    Gate,
    cancel,
    engine_process,
    fund,
    linked,
    place,
)


def test_broken_link_is_resumed_without_loss() -> None:
    """Events and results that a broken link swallowed come after it, in their first order."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            fund(engine)
            engine.send(place(1, ALICE, SELL, 101, 5))
            await gate.until(lambda: len(gate.results()) == 1)
            epoch = engine.epoch
            await host.down()
            await gate.until(lambda: gate.sessions()[-1].connected is False)
            # The venue goes on while the gate is away: this is told later.
            host.enter_from_web("bob", BUY, 101, 2)
            await host.up()
            await gate.until(lambda: any(isinstance(e, MarketTrade) for e in gate.events))
            await gate.until(lambda: any(isinstance(e, MarketOrder) for e in gate.events))
            assert engine.epoch == epoch
            seqs = [report.engine_seq for report in gate.reports()]
            assert seqs == list(range(1, len(seqs) + 1))
            trade = next(event for event in gate.events if isinstance(event, OrderTrade))
            assert (trade.order_id, trade.fill.quantity_e8) == (1001, 2 * E8)
            market = next(event for event in gate.events if isinstance(event, MarketTrade))
            assert (market.buy_channel, market.buy_owner, market.sell_owner) == (CHANNEL_WEB, 6, 5)
        await host.down()

    asyncio.run(run())


def test_commands_in_flight_are_settled_after_a_broken_link() -> None:
    """What arrived is answered as it was, what did not is refused; cancels are sent again."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            fund(engine)
            engine.send(place(1, ALICE, SELL, 101, 5))
            engine.send(place(2, ALICE, SELL, 102, 5))
            await gate.until(lambda: len(gate.results()) == 2)
            # Written to nobody: these are in flight when the link breaks.
            await host.down()
            engine.send(place(3, ALICE, SELL, 103, 5))
            engine.send(cancel(4, 1001))
            await gate.until(lambda: not engine.connected)
            engine.send(cancel(5, 1002))
            engine.send(place(6, ALICE, SELL, 104, 5))
            await host.up()
            await gate.until(lambda: len(gate.results()) == 6)
            results = {result.command_id: result for result in gate.results()}
            assert results[3].reason == results[6].reason == Reason.ENGINE_UNAVAILABLE
            assert results[4].accepted
            assert results[4].ended[0].order_id == 1001
            assert results[5].ended[0].order_id == 1002
            assert list(host.venue.exchange.open_orders()) == []
        await host.down()

    asyncio.run(run())


def test_result_lost_with_the_link_is_given_after_it() -> None:
    """A command carried out before the link broke is answered afterwards, and done once."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        async with linked(await host.up(), gate) as engine:
            fund(engine)
            await gate.until(lambda: len(gate.reports()) == 4)
            # The link swallows the answer: the venue has it, the gate never hears of it.
            link, host.server._link = host.server._link, None
            order = place(1, ALICE, SELL, 101, 5)
            host.venue.take(command_message(GateNames(gate.directory), order))
            engine._unanswered[1] = order
            host.server._link = link
            await host.down()
            await host.up()
            await gate.until(gate.results)
            assert gate.results()[0].accepted
            assert [one.order_id for one in host.venue.exchange.open_orders()] == [1001]
        await host.down()

    asyncio.run(run())


def test_new_epoch_loses_orders_and_keeps_balances() -> None:
    """A restarted engine is a new epoch: what was in flight is lost, balances are taken over."""

    async def run() -> None:
        gate = Gate()

        def balances() -> list[tuple[int, int, int]]:
            totals: dict[tuple[int, int], int] = {}
            for event in gate.events:
                if isinstance(event, BalanceAdjusted):
                    holding = event.account, event.asset
                    totals[holding] = totals.get(holding, 0) + event.delta_e8
            return [(*holding, total_e8) for holding, total_e8 in totals.items()]

        with engine_process() as (process, address):
            port = int(address.rpartition(":")[2])
            async with linked(address, gate, balances=balances) as engine:
                fund(engine)
                engine.send(place(1, ALICE, SELL, 101, 5))
                await gate.until(lambda: len(gate.results()) == 1)
                old_epoch = engine.epoch
                process.kill()
                process.wait()
                engine.send(place(2, ALICE, SELL, 102, 5))
                engine.send(cancel(3, 1001))
                with engine_process(port):
                    await gate.until(lambda: engine.connected and engine.epoch != old_epoch)
                    sessions = [(s.connected, s.epoch) for s in gate.sessions()]
                    assert sessions == [
                        (False, 0),
                        (True, old_epoch),
                        (False, old_epoch),
                        (True, engine.epoch),
                    ]
                    lost = {result.command_id: result.reason for result in gate.results()}
                    assert lost[2] in (Reason.ENGINE_LOST, Reason.ENGINE_UNAVAILABLE)
                    assert lost[3] == Reason.ENGINE_LOST
                    # Balances are as they were: the whole funding can be sold, and no more.
                    engine.send(place(4, ALICE, SELL, 101, 1_001))
                    engine.send(place(5, ALICE, SELL, 101, 1_000))
                    await gate.until(lambda: len(gate.results()) == 5)
                    assert gate.results()[-2].reason == Reason.ENGINE_INSUFFICIENT_BALANCE
                    assert gate.results()[-1].accepted

    asyncio.run(run())


def test_trades_of_another_engine_have_other_numbers() -> None:
    """The first engine of a gate counts from 1; one that takes over counts from the time on."""
    second_ns = 1_780_000_000 * 10**9

    def last_trade_id(epoch: int, now_ns: int) -> int:
        venue = Venue(lambda: now_ns)
        venue.greet(wire.GateHello(gate="test", epoch=epoch, last_seq=9))
        return venue.exchange.last_trade_id

    assert last_trade_id(0, second_ns) == 0
    first, later = last_trade_id(1, second_ns), last_trade_id(1, second_ns + 10**9)
    assert later - first == 1_000_000
    assert 10**12 < later < 2**53, "a number that any JSON reader keeps"


def test_gate_with_another_record_gets_a_new_epoch() -> None:
    """Orders belong to one gate's record: a gate that knows nothing of them ends them."""

    async def run() -> None:
        host, first = Breakable(), Gate()
        address = await host.up()
        async with linked(address, first) as engine:
            fund(engine)
            engine.send(place(1, ALICE, SELL, 101, 5))
            await first.until(lambda: len(first.results()) == 1)
            old_epoch = engine.epoch
        second = Gate()
        async with linked(address, second) as engine:
            assert engine.epoch != old_epoch
            # The venue is right about balances, and says so in its own sequence.
            await second.until(lambda: len(second.reports()) == 4)
            assert [report.engine_seq for report in second.reports()] == [1, 2, 3, 4]
            assert {
                (report.account, report.asset, report.delta_e8)
                for report in second.reports()
                if isinstance(report, BalanceAdjusted)
            } == {
                (ALICE, BTC, 1_000 * E8),
                (ALICE, USDT, 100_000 * E8),
                (BOB, BTC, 1_000 * E8),
                (BOB, USDT, 100_000 * E8),
            }
            assert list(host.venue.exchange.open_orders()) == []
        await host.down()

    asyncio.run(run())


def test_deposit_while_down_is_booked_once() -> None:
    """A deposit made without a link is booked when it comes up, once for all links."""

    async def run() -> None:
        gate, host = Gate(), Breakable()
        address = await host.up()
        async with linked(address, gate) as engine:
            fund(engine)
            await gate.until(lambda: len(gate.reports()) == 4)
            await host.down()
            await gate.until(lambda: not engine.connected)
            engine.deposit(ALICE, BTC, 7, "late")
            for _ in range(2):
                await host.up()
                await gate.until(lambda: engine.connected)
                await gate.until(lambda: len(gate.reports()) == 5)
                await host.down()
                await gate.until(lambda: not engine.connected)
            assert host.venue.exchange.ledger.supply_e8(host.venue.names.asset("BTC")) == (
                2_000 * E8 + 7
            )

    asyncio.run(run())
