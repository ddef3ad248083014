"""The matching engine inside the gate's own process."""

from collections.abc import Callable

from gateway.engine.faults import Fault, Faults
from gateway.engine.port import (
    CancelCommand,
    Command,
    DepthSnapshot,
    EventSink,
    MarketDataListener,
    ReplaceCommand,
)
from gateway.stub.entry import refused
from gateway.stub.exchange import MatchingExchange
from gateway.stub.references import ReferenceFeed
from rules.events import (
    CommandResult,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    Event,
    Report,
)
from rules.reasons import Reason


def _unit(_symbol_name: str) -> int:
    return 1


class EmbeddedEngine:
    """An `EnginePort` on an exchange in the same process.

    `clock_now` gives the time every command is carried out at. `lot_step_e8` gives, by symbol
    name, what orders by quote amount are rounded down to. `levels` is how many levels a reference
    carries. Everything is handed to the sink, which enqueues it, and to the market-data listener
    at once; `poll` must be called regularly for what is due later.
    """

    def __init__(
        self,
        exchange: MatchingExchange,
        clock_now: Callable[[], int],
        faults: Faults | None = None,
        lot_step_e8: Callable[[str], int] = _unit,
        levels: int = 0,
        owed: tuple[Report, ...] = (),
    ) -> None:
        """Take an exchange; `owed` are reports of it that were never handed on."""
        self.exchange = exchange
        self.faults = faults
        self.connected = False
        self._clock_now = clock_now
        self._lot_step_e8 = lot_step_e8
        self._feed = ReferenceFeed(exchange, levels)
        self._sink: EventSink = _nowhere
        self._market_data: MarketDataListener | None = None
        self._shown_trade_id = exchange.last_trade_id
        self._late: list[tuple[int, CommandResult]] = []
        self._held: list[Report] = list(owed)
        self._reconnect_ns = 0

    def start(self, sink: EventSink, market_data: MarketDataListener) -> None:
        """Begin a session: reports go to `sink`, public trades to `market_data`."""
        self._sink = sink
        self._market_data = market_data
        self._connect()

    def define_symbol(self, symbol: DefineSymbol) -> None:
        """Make an instrument known, or change its commissions and lot step from here on."""
        self.exchange.define_symbol(symbol, self._lot_step_e8(symbol.name))

    def define_account(self, account: DefineAccount) -> None:
        """Make an account known."""
        self.exchange.define_account(account)

    def deposit(self, account: int, asset: int, amount_e8: int, note: str) -> None:
        """Credit (or, below zero, debit) an account: one BalanceAdjusted."""
        now_ns = self._clock_now()
        self._report((self.exchange.deposit(account, asset, amount_e8, note, now_ns),))

    def bust(self, trade_id: int) -> bool:
        """Annul a trade; tell whether there was one to annul."""
        reports = self.exchange.bust(trade_id, self._clock_now())
        self._report(reports)
        return bool(reports)

    def set_symbol_state(self, symbol: int, state: int) -> None:
        """Open, halt or restrict matching in a symbol."""
        self.exchange.set_symbol_state(symbol, state)

    def send(self, command: Command) -> None:
        """Carry out one command; its result, then its reports, go to the sink.

        While the link is down (faults only) the command is refused with ENGINE_UNAVAILABLE: it
        certainly was not sent.
        """
        now_ns = self._clock_now()
        if self.faults is not None:
            self._send_faulty(command, self.faults, now_ns)
            return
        result, reports = self.exchange.execute(command, now_ns)
        sink = self._sink
        sink(result)
        for report in reports:
            sink(report)
        if result.fills:
            self._show_trades()
        if now_ns >= self._feed.next_ns:
            self._show_references(now_ns)

    def depth(self, symbol: int, levels: int) -> DepthSnapshot:
        """Return the newest depth of a symbol."""
        return self.exchange.depth(symbol, levels, self._clock_now())

    def poll(self, now_ns: int) -> None:
        """Deliver what is due: late results, references, a link that comes up again."""
        if self._late:
            due = [result for due_ns, result in self._late if due_ns <= now_ns]
            self._late = [late for late in self._late if late[0] > now_ns]
            for result in due:
                self._sink(result)
        if not self.connected:
            if not self._reconnect_ns or now_ns < self._reconnect_ns:
                return
            self._connect()
        self._show(now_ns)

    def close(self) -> None:
        """End the session; nothing is handed on afterwards."""
        self.connected = False
        self._reconnect_ns = 0
        self._late.clear()
        self._held.clear()
        self._sink = _nowhere
        self._market_data = None

    def disconnect(self, outage_ns: int) -> None:
        """Break the link for a time: results on their way are lost, reports are kept back."""
        now_ns = self._clock_now()
        self._reconnect_ns = now_ns + outage_ns
        self._late.clear()
        if self.connected:
            self.connected = False
            self._sink(EngineSession(False, self.exchange.epoch, self._delivered_seq()))

    def restart(self, outage_ns: int) -> None:
        """Let the engine lose its orders and come back after a time with a new epoch."""
        self.disconnect(outage_ns)
        self._held.clear()
        self.exchange.restart()

    def _connect(self) -> None:
        self.connected = True
        self._reconnect_ns = 0
        self._sink(EngineSession(True, self.exchange.epoch, self._delivered_seq()))
        held, self._held = self._held, []
        for report in held:
            self._sink(report)

    def _delivered_seq(self) -> int:
        """Return the number of the last report that was handed on."""
        return self._held[0].engine_seq - 1 if self._held else self.exchange.engine_seq

    def _report(self, reports: tuple[Report, ...]) -> None:
        if not self.connected:
            self._held.extend(reports)
            return
        for report in reports:
            self._sink(report)

    def _show(self, now_ns: int) -> None:
        """Hand on new trades, and the references when they are due."""
        if self.exchange.last_trade_id != self._shown_trade_id:
            self._show_trades()
        if now_ns >= self._feed.next_ns:
            self._show_references(now_ns)

    def _show_trades(self) -> None:
        trades = self.exchange.trades_since(self._shown_trade_id)
        self._shown_trade_id = self.exchange.last_trade_id
        if self._market_data is not None:
            for trade in trades:
                self._market_data.on_trade(trade)

    def _show_references(self, now_ns: int) -> None:
        for reference in self._feed.poll(now_ns):
            self._sink(reference)

    def _send_faulty(self, command: Command, faults: Faults, now_ns: int) -> None:
        if not self.connected:
            self._sink(
                refused(command.command_id, _order_id(command), Reason.ENGINE_UNAVAILABLE, now_ns)
            )
            return
        fault = faults.next()
        if fault == Fault.LOSE_COMMAND:
            return
        if fault == Fault.RESTART:
            self.restart(faults.outage_ns)
            return
        result, reports = self.exchange.execute(command, now_ns)
        if fault == Fault.DISCONNECT:
            self._held.extend(reports)
            self.disconnect(faults.outage_ns)
            return
        if fault == Fault.DELAY_RESULT:
            self._late.append((now_ns + faults.delay_ns, result))
        elif fault != Fault.LOSE_RESULT:
            self._sink(result)
            if fault == Fault.DUPLICATE_RESULT:
                self._sink(result)
        self._report(reports)
        self._show(now_ns)


def _order_id(command: Command) -> int:
    """Return the order a result of `command` is about, 0 for a bulk cancel."""
    if isinstance(command, CancelCommand):
        return command.order_ids[0] if len(command.order_ids) == 1 else 0
    return command.place.order_id if isinstance(command, ReplaceCommand) else command.order_id


def _nowhere(event: Event) -> None:
    """Drop what an engine says outside of a session."""
