"""The engine process's venue: the matching exchange, spoken to in messages of the link."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gateway.engine.command_codec import read_account, read_command, read_symbol
from gateway.engine.link_history import HISTORY_MAX, LinkHistory
from gateway.engine.names import EngineNames
from gateway.engine.report_codec import (
    depth_message,
    event_message,
    reference_message,
    result_message,
    trade_message,
)
from gateway.stub.exchange import MatchingExchange
from gateway.stub.references import ReferenceFeed
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.events import Report
from rules.values import NS_PER_MS

_NS_PER_MICROSECOND: Final = 1_000
DEPTH_LEVELS: Final = 1_000
DEPTH_INTERVAL_NS: Final = 100 * NS_PER_MS
"""A symbol's depth is sent no more often than this."""


class Venue:
    """One exchange for one gate at a time.

    `take`, `keep` and `poll` return what the gate is to be told, in order; results and order
    events stay in a history, so that they are not lost with a broken link. `levels` is how many
    levels a reference carries.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        levels: int = 10,
        history_max: int = HISTORY_MAX,
    ) -> None:
        self._now_ns = now_ns
        self._levels = levels
        self._history_max = history_max
        # The time makes an epoch that no earlier start of the engine has had.
        self.exchange = MatchingExchange(epoch=now_ns())
        self.names = EngineNames()
        self._feed = ReferenceFeed(self.exchange, levels)
        self._history = LinkHistory(history_max)
        self._used = False
        """Whether this epoch belongs to a gate already."""
        self._deposits: set[int] = set()
        self._shown_trade_id = 0
        self._depth_sent: dict[int, tuple[int, int]] = {}
        """By symbol: the update last sent, and when."""

    # --- Sessions -----------------------------------------------------------------------------

    def greet(self, hello: wire.GateHello) -> list[wire.EngineItem]:
        """Return the answer to a gate's hello, and everything it has missed."""
        exchange = self.exchange
        resumed = hello.epoch == exchange.epoch and self._history.covers(
            hello.last_seq, hello.unanswered
        )
        if not resumed and self._used:
            exchange.restart()
            self._history = LinkHistory(self._history_max)
        elif not resumed and hello.epoch:
            # An engine of before has given trades numbers; the time makes others than all of them.
            exchange.number_trades_from(self._now_ns() // _NS_PER_MICROSECOND)
        self._used = True
        self._feed = ReferenceFeed(exchange, self._levels)
        self._depth_sent.clear()
        answer = wire.EngineHello(
            epoch=exchange.epoch, last_seq=exchange.engine_seq, resumed=resumed, reconciles=True
        )
        items = [wire.EngineItem(hello=answer)]
        if resumed:
            answer.not_received.extend(
                command_id
                for command_id in hello.unanswered
                if self._history.result(command_id) is None
            )
            items[0].hello.CopyFrom(answer)
            return items + self._history.missed(hello.last_seq, hello.unanswered)
        return items + self._balance(hello.balances)

    def _balance(self, balances: Iterable[wire.AccountBalance]) -> list[wire.EngineItem]:
        """Bring the gate's idea of every balance and the venue's together.

        A venue without any balance has just started and takes the gate's over. Else the venue is
        right, and the gate is told every difference.
        """
        ledger, names, now_ns = self.exchange.ledger, self.names, self._now_ns()
        believed = {
            (names.define_account(balance.account), names.asset(balance.asset)): balance.total_e8
            for balance in balances
        }
        held = {
            (account, asset): free_e8 + locked_e8
            for account, asset, free_e8, locked_e8 in ledger.all_holdings()
        }
        if not any(held.values()):
            for (account, asset), total_e8 in believed.items():
                ledger.adjust(account, asset, total_e8)
            return []
        items = []
        for holding in sorted(believed.keys() | held.keys()):
            delta_e8 = held.get(holding, 0) - believed.get(holding, 0)
            if delta_e8:
                # A deposit of nothing gets the next number; the venue's own balance is right.
                report = self.exchange.deposit(*holding, 0, "balance at the engine", now_ns)
                items.append(self._kept(msgspec.structs.replace(report, delta_e8=delta_e8)))
        return items

    def _reconcile(self, stated: wire.Reconcile) -> list[wire.EngineItem]:
        """Compare what a restarted gate believes with what is so, and bring both together."""
        exchange = self.exchange
        answer = wire.Reconciled(again=stated.last_seq != exchange.engine_seq)
        items = []
        if not answer.again:
            known = {
                order.order_id: (order.price_e8, order.quantity_e8, order.filled_e8)
                for order in stated.orders
            }
            reports, answer.unknown = exchange.reconcile(known, self._now_ns())
            answer.ended = len(reports)
            items = self.keep(reports)
            adjustments = self._balance(stated.balances)
            answer.adjusted = len(adjustments)
            items += adjustments
        answer.highest_order_id = exchange.highest_order_id
        return [*items, wire.EngineItem(reconciled=answer)]

    # --- What a gate says ---------------------------------------------------------------------

    def take(self, item: wire.GateItem) -> list[wire.EngineItem]:
        """Carry out one item and return what there is to say of it."""
        kind = item.WhichOneof("item")
        exchange, names = self.exchange, self.names
        if kind == "define_symbol":
            exchange.define_symbol(read_symbol(names, item.define_symbol))
        elif kind == "define_account":
            exchange.define_account(read_account(names, item.define_account))
        elif kind == "deposit":
            return self._deposit(item.deposit)
        elif kind == "symbol_state":
            symbol = names.symbol(item.symbol_state.symbol)
            if symbol:
                exchange.set_symbol_state(symbol, item.symbol_state.state)
        elif kind == "acknowledge":
            self._history.acknowledge(item.acknowledge.last_seq)
        elif kind == "reconcile":
            return self._reconcile(item.reconcile)
        else:
            return self._command(item)
        return []

    def _deposit(self, deposit: wire.Deposit) -> list[wire.EngineItem]:
        known = deposit.deposit_id in self._deposits
        self._deposits.add(deposit.deposit_id)
        report = self.exchange.deposit(
            self.names.define_account(deposit.account),
            self.names.asset(deposit.asset),
            0 if known else deposit.amount_e8,
            deposit.note,
            self._now_ns(),
        )
        item = event_message(self.names, report)
        item.event.balance.deposit_id = deposit.deposit_id
        self._history.add(item)
        return [item]

    def _command(self, item: wire.GateItem) -> list[wire.EngineItem]:
        command = read_command(self.names, item)
        if command is None:
            return []
        given = self._history.result(command.command_id)
        if given is not None:
            # Sent again after a broken link: carried out once, answered as before.
            return [given]
        now_ns = self._now_ns()
        result, reports = self.exchange.execute(command, now_ns)
        answer = result_message(self.names, result)
        self._history.add(answer)
        return [answer, *self.keep(reports)]

    def keep(self, reports: Iterable[Report]) -> list[wire.EngineItem]:
        """Return what a gate is to be told of acts it did not ask for (drop copy, annulled trades)."""
        return [self._kept(report) for report in reports] + self._trades()

    def _kept(self, report: Report) -> wire.EngineItem:
        item = event_message(self.names, report)
        self._history.add(item)
        return item

    # --- Market data --------------------------------------------------------------------------

    def poll(self) -> list[wire.EngineItem]:
        """Return new trades, and the references and depths that are due."""
        now_ns = self._now_ns()
        exchange, names = self.exchange, self.names
        items = self._trades()
        items += [reference_message(names, reference) for reference in self._feed.poll(now_ns)]
        for symbol in exchange.symbols:
            update_id, sent_ns = self._depth_sent.get(symbol, (-1, 0))
            current_id = exchange.update_id(symbol)
            if current_id != update_id and now_ns - sent_ns >= DEPTH_INTERVAL_NS:
                self._depth_sent[symbol] = (current_id, now_ns)
                items.append(depth_message(names, exchange.depth(symbol, DEPTH_LEVELS, now_ns)))
        return items

    def _trades(self) -> list[wire.EngineItem]:
        """Return the public trades that have not been shown yet."""
        exchange = self.exchange
        if exchange.last_trade_id == self._shown_trade_id:
            return []
        trades = exchange.trades_since(self._shown_trade_id)
        self._shown_trade_id = exchange.last_trade_id
        return [trade_message(self.names, trade) for trade in trades]
