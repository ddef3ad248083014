"""The embedded engine driven again by its record, and compared with what it said then.

The exchange is deterministic, so the recorded commands at the recorded times make the same
results and reports. A command counts as carried out when its result is in the record: one without
a result died with the process before anybody was told. Reports that followed a recorded result
and are not in the record themselves are kept, for the next run to be told.

The engine carries a command out when it is let out, and its result may be recorded after other
events. So a definition or a symbol's state takes effect after the commands before it in the record
and before those after it, wherever their results stand.
"""

from collections import deque
from typing import Any, Final

import msgspec

from gateway.engine.commands import command_for
from gateway.engine.port import (
    AmendCommand,
    CancelCommand,
    Command,
    PlaceCommand,
    ReplaceCommand,
)
from gateway.journal.frame import Record
from gateway.stub.exchange import MatchingExchange
from gateway.stub.exchange_state import exchange_state, restored_exchange
from rules.book import Book
from rules.events import (
    AnyEvent,
    BalanceAdjusted,
    BulkCancel,
    CommandResult,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    Event,
    Report,
    Request,
    SetSymbolState,
    TradeBust,
)
from rules.reasons import Reason
from rules.rulebook import Rulebook
from rules.values import INT63_MAX

_NOT_SENT: Final = (Reason.ENGINE_UNAVAILABLE, Reason.ENGINE_LOST, Reason.RECORD_LOST)
"""What the gate itself says of a command that never reached the engine."""
_COMMANDS: Final[tuple[type[Any], ...]] = (
    PlaceCommand,
    CancelCommand,
    AmendCommand,
    ReplaceCommand,
)


class Redrive:
    """An exchange that follows the record.

    `divergence` is empty while everything came out as recorded; else it names the first record
    that did not, and the exchange is of no more use. `owed` are reports of recorded results that
    the record does not hold (yet).
    """

    def __init__(self, rulebook: Rulebook) -> None:
        self.exchange = MatchingExchange()
        self.divergence = ""
        self.owed: deque[Report] = deque()
        self._rulebook = rulebook
        self._commands: dict[int, Command] = {}
        self._definitions: deque[tuple[int, Event]] = deque()
        """What waits, by its record, for commands before it to be carried out."""

    @classmethod
    def restored(cls, rulebook: Rulebook, state: dict[str, Any]) -> "Redrive":
        """Return what `state` stored; raises ValueError when it can't be read."""
        redrive = cls(rulebook)
        redrive.exchange = restored_exchange(state["exchange"])
        redrive.divergence = state["divergence"]
        redrive.owed.extend(msgspec.convert(report, AnyEvent) for report in state["owed"])
        for kind, command in state["commands"]:
            redrive.expect(msgspec.convert(command, _COMMANDS[kind]))
        for seq, definition in state.get("definitions", ()):
            redrive._definitions.append((seq, msgspec.convert(definition, AnyEvent)))
        return redrive

    @classmethod
    def anew(cls, rulebook: Rulebook, exchange: MatchingExchange) -> "Redrive":
        """Return one that follows from `exchange` on, which nothing is owed by."""
        redrive = cls(rulebook)
        redrive.exchange = exchange
        return redrive

    def state(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "exchange": exchange_state(self.exchange),
            "divergence": self.divergence,
            "owed": list(self.owed),
            "commands": [
                [_COMMANDS.index(type(command)), msgspec.to_builtins(command)]
                for command in self._commands.values()
            ],
            "definitions": list(self._definitions),
        }

    def expect(self, command: Command) -> None:
        """Keep a command until its result says that it was carried out."""
        self._commands[command.command_id] = command

    def take(self, record: Record, book: Book) -> None:
        """Follow one record, after the book has."""
        event = record.event
        if self.divergence:
            return
        if isinstance(event, Request | BulkCancel):
            command = command_for(event, record.decision, record.seq, record.now_ns, book)
            if command is not None:
                self.expect(command)
        elif isinstance(event, CommandResult):
            self._result(record.seq, event)
        elif isinstance(event, Report):
            self._report(record.seq, event)
        elif isinstance(event, EngineSession):
            self._session(record.seq, event)
        elif isinstance(event, DefineSymbol | DefineAccount | SetSymbolState):
            self._definitions.append((record.seq, event))
            self._define(next(iter(self._commands), INT63_MAX))

    def ended(self) -> None:
        """Take that the record ends here: what has no result now was never carried out."""
        self._define(INT63_MAX)

    def _result(self, seq: int, event: CommandResult) -> None:
        command = self._commands.get(event.command_id)
        if command is None or event.unknown:
            return
        self._define(event.command_id)
        del self._commands[event.command_id]
        if event.reason not in _NOT_SENT:
            result, reports = self.exchange.execute(command, event.engine_ns)
            if result != event:
                self._diverged(seq, result)
            self.owed.extend(reports)
        self._define(next(iter(self._commands), INT63_MAX))

    def _report(self, seq: int, event: Report) -> None:
        if not self.owed:
            self._unasked(event)
        expected = self.owed.popleft() if self.owed else None
        if expected != event:
            self._diverged(seq, expected)

    def _unasked(self, event: Report) -> None:
        """Repeat what the venue did of itself."""
        exchange = self.exchange
        if isinstance(event, BalanceAdjusted):
            self.owed.append(
                exchange.deposit(
                    event.account, event.asset, event.delta_e8, event.note, event.engine_ns
                )
            )
        elif isinstance(event, TradeBust):
            self.owed.extend(exchange.bust(event.trade_id, event.engine_ns))

    def _define(self, before_seq: int) -> None:
        """Let what was defined before record `before_seq` take effect."""
        exchange, definitions = self.exchange, self._definitions
        while definitions and definitions[0][0] < before_seq:
            event = definitions.popleft()[1]
            if isinstance(event, DefineSymbol):
                exchange.define_symbol(event, self._rulebook.filters(event.name).step_e8 or 1)
            elif isinstance(event, DefineAccount):
                exchange.define_account(event)
            elif isinstance(event, SetSymbolState):
                exchange.set_symbol_state(event.symbol, event.state)

    def _session(self, seq: int, event: EngineSession) -> None:
        exchange = self.exchange
        if event.epoch == exchange.epoch + 1:
            exchange.restart()
            self.owed.clear()
        elif event.epoch != exchange.epoch:
            self._diverged(seq, None)

    def _diverged(self, seq: int, instead: Event | None) -> None:
        self.divergence = f"record {seq} is not what the engine says again: {instead!r}"[:1_000]
