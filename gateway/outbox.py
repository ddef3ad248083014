"""What leaves the gate: commands to the engine, answers to clients; each after its record.

The core hands over every event with its decision once it is recorded. A request whose decision
sends a command is answered when the engine's result has been recorded, or when its deadline has
passed; every other request is answered at once. A cancel of all orders, and a kill, are answered
when the last slice of their cancels has been.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from gateway.engine.port import CancelCommand, Command, EnginePort
from gateway.outcome import Outcome, Reply
from gateway.sweep import Sweep
from rules.book import Book, OpenOrder
from rules.decisions import ACCEPTED, Decision
from rules.events import (
    BulkCancel,
    CancelAll,
    CommandResult,
    Deadline,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    Event,
    SetState,
    SetSymbolState,
)
from rules.reasons import Reason
from rules.values import (
    CAUSE_CLIENT,
    CAUSE_KILL,
    INT63_MAX,
    SCOPE_ACCOUNT,
    SCOPE_ORDER,
    SCOPE_SYMBOL,
    STATE_KILLED,
)

NEVER: Final = INT63_MAX
"""A time that does not come."""

SLICES_UNANSWERED_MAX: Final = 4
"""Slices of one bulk cancel that the engine has not answered, above which no further one is sent."""

_logger = logging.getLogger(__name__)

_Act: TypeAlias = Callable[[int, int, Any, Decision, Reply | None], None]


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    """A request whose command the engine has not answered."""

    seq: int
    now_ns: int
    event: Event
    decision: Decision
    reply: Reply | None
    sweep: Sweep | None
    """The bulk cancel whose slice the command is."""
    sent_ns: int = 0
    """When the command left, 0: at once."""


class Outbox:
    """Releases commands and answers.

    `submit` is the core's door for what follows from an event: further slices of a bulk cancel,
    and the cancels of a kill. `deadline_ns` is how long a command may stay unanswered. `due_ns` is
    when `due` has to be asked again. `later` is how a further slice is put off, so that others get
    their turn before it; a gate sets it to its loop's `call_soon`. `faults` counts answers that
    could not be handed over.
    """

    def __init__(
        self, book: Book, engine: EnginePort, submit: Callable[[Event], None], deadline_ns: int
    ) -> None:
        self.due_ns = NEVER
        self.faults = 0
        self.sent_ns = 0
        """Time from which what is let out now has left, where decisions wait for the disk."""
        self.later: Callable[[Callable[[], None]], object] = _at_once
        self._book = book
        self._engine = engine
        self._submit = submit
        self._deadline_ns = deadline_ns
        self._waiting: dict[int, _Waiting] = {}
        """By command id, the oldest first; all have the same time, so it is the first due too."""
        self._expired: dict[int, _Waiting] = {}
        """Those whose deadline is decided and not released yet."""
        self._sweeps: dict[BulkCancel, Sweep] = {}
        """Bulk cancels under way."""
        self._kills: dict[tuple[int, int], BulkCancel] = {}
        """What cancels the orders of each KILLED (scope, subject)."""
        self._kill_again_ns = NEVER
        """When orders of a KILLED scope that could not be cancelled are tried again."""
        self._acts: dict[type[Event], _Act] = {
            CancelAll: self._cancel_all,
            BulkCancel: self._slice,
            CommandResult: self._result,
            Deadline: self._deadline,
            SetState: self._state,
            EngineSession: self._session,
            DefineSymbol: self._definition,
            DefineAccount: self._definition,
            SetSymbolState: self._definition,
        }

    @property
    def unanswered(self) -> int:
        """Number of commands without an answer."""
        return len(self._waiting) + len(self._expired)

    def take_over(self, origin_seq: int) -> None:
        """Take up the kills of the run before: what is left in their scopes is cancelled.

        `origin_seq` is named as what asked for the cancels. They begin when the engine is there.
        """
        for (scope, subject), state in self._book.states.items():
            if state == STATE_KILLED:
                self._kills[scope, subject] = _kill(scope, subject, origin_seq)

    def due(self, now_ns: int) -> Event | None:
        """Return the next event that time has brought, None when there is none.

        That is the deadline of a command, or the cancels of a kill that could not be sent before.
        The caller has it decided before asking for the next.
        """
        if now_ns >= self._kill_again_ns:
            self._kill_again_ns = NEVER
            self._kill_again()
        if self._waiting:
            oldest = next(iter(self._waiting.values()))
            due_ns = (oldest.sent_ns or oldest.now_ns) + self._deadline_ns
            if now_ns >= due_ns:
                self._expired[oldest.seq] = self._waiting.pop(oldest.seq)
                return Deadline(oldest.seq)
            self.due_ns = min(due_ns, self._kill_again_ns)
        else:
            self.due_ns = self._kill_again_ns
        return None

    def release(
        self,
        seq: int,
        now_ns: int,
        event: Event,
        decision: Decision,
        reply: Reply | None,
        command: Command | None,
    ) -> None:
        """Let out what a recorded decision allows; `command` is what it made of a request."""
        if command is not None:
            self._send(command, _Waiting(seq, now_ns, event, decision, reply, None))
            return
        act = self._acts.get(type(event))
        if act is not None:
            act(seq, now_ns, event, decision, reply)
        elif reply is not None:
            self.answer(reply, Outcome(seq, now_ns, event, decision))

    def lost(
        self, seq: int, now_ns: int, event: Event, decision: Decision, reply: Reply | None
    ) -> None:
        """Answer a request whose command a new epoch of the engine has overtaken: it must not leave.

        Its order ended with the old epoch, while the command waited for its record.
        """
        self._waiting[seq] = _Waiting(seq, now_ns, event, decision, reply, None)
        self._submit(CommandResult(seq, decision.order_id, False, Reason.ENGINE_LOST, 0, now_ns))

    def answer(self, reply: Reply, outcome: Outcome) -> None:
        """Hand an outcome to whoever waits for it; a fault there is no fault of the core."""
        try:
            reply(outcome)
        except Exception:
            self.faults += 1
            _logger.exception("the answer to event %d could not be handed over", outcome.seq)

    # --- Commands -----------------------------------------------------------------------------

    def _send(self, command: Command, waiting: _Waiting) -> None:
        if waiting.now_ns < self.sent_ns:
            # The engine's time begins when the command leaves, not when it waits for the disk.
            waiting = msgspec.structs.replace(waiting, sent_ns=self.sent_ns)
        self._waiting[waiting.seq] = waiting
        if self.due_ns == NEVER:
            self.due_ns = (waiting.sent_ns or waiting.now_ns) + self._deadline_ns
        self._engine.send(command)

    def _result(
        self, seq: int, now_ns: int, event: CommandResult, decision: Decision, reply: Reply | None
    ) -> None:
        waiting = self._take(event.command_id)
        if waiting is None:
            return
        if waiting.sweep is not None:
            waiting.sweep.take(event)
            self._slice_done(waiting.sweep, now_ns)
            if self._kills and waiting.sweep.event.cause == CAUSE_CLIENT:
                self._catch(waiting)
            return
        if waiting.reply is not None:
            self._tell(waiting, event, now_ns)
        if self._kills:
            self._catch(waiting)

    def _deadline(
        self, seq: int, now_ns: int, event: Deadline, decision: Decision, reply: Reply | None
    ) -> None:
        """Tell the client that its command's fate is unknown."""
        waiting = self._take(event.command_id)
        if waiting is None:
            return
        unknown = CommandResult(
            event.command_id,
            waiting.decision.order_id,
            False,
            Reason.ENGINE_TIMEOUT,
            0,
            now_ns,
            unknown=True,
        )
        if waiting.sweep is not None:
            waiting.sweep.take(unknown)
            self._slice_done(waiting.sweep, now_ns)
            if self._kills and waiting.sweep.event.cause == CAUSE_CLIENT:
                self._catch(waiting)
            return
        if waiting.reply is not None:
            self._tell(waiting, unknown, now_ns)
        if self._kills:
            self._catch(waiting)

    def _take(self, command_id: int) -> _Waiting | None:
        """Return who waits for a command, who then waits no more."""
        return self._waiting.pop(command_id, None) or self._expired.pop(command_id, None)

    def _tell(self, waiting: _Waiting, result: CommandResult, now_ns: int) -> None:
        assert waiting.reply is not None
        self.answer(
            waiting.reply,
            Outcome(waiting.seq, waiting.now_ns, waiting.event, waiting.decision, result, now_ns),
        )

    def _definition(
        self, seq: int, now_ns: int, event: Event, decision: Decision, reply: Reply | None
    ) -> None:
        """Let the engine know of a symbol, its state, or an account."""
        if isinstance(event, DefineSymbol):
            self._engine.define_symbol(event)
        elif isinstance(event, DefineAccount):
            self._engine.define_account(event)
        elif isinstance(event, SetSymbolState):
            self._engine.set_symbol_state(event.symbol, event.state)
        if reply is not None:
            self.answer(reply, Outcome(seq, now_ns, event, decision))

    # --- Bulk cancels -------------------------------------------------------------------------

    def _cancel_all(
        self, seq: int, now_ns: int, event: CancelAll, decision: Decision, reply: Reply | None
    ) -> None:
        """Send a client's cancel of all orders, and see to what one command does not hold."""
        if decision.verdict != ACCEPTED or not decision.more:
            if decision.verdict == ACCEPTED and decision.cancels:
                command = CancelCommand(seq, decision.cancels, CAUSE_CLIENT)
                self._send(command, _Waiting(seq, now_ns, event, decision, reply, None))
            elif reply is not None:
                self.answer(reply, Outcome(seq, now_ns, event, decision))
            return
        more = BulkCancel(SCOPE_ACCOUNT, decision.account, event.symbol, CAUSE_CLIENT, seq)
        sweep = Sweep(more, Outcome(seq, now_ns, event, decision), reply)
        self._sweeps[more] = sweep
        self._send_slice(seq, now_ns, event, decision, sweep)

    def _slice(
        self, seq: int, now_ns: int, event: BulkCancel, decision: Decision, reply: Reply | None
    ) -> None:
        sweep = self._sweeps.get(event)
        if sweep is None:
            sweep = self._sweeps[event] = Sweep(event)
        self._send_slice(seq, now_ns, event, decision, sweep)
        if reply is not None:
            self.answer(reply, Outcome(seq, now_ns, event, decision))

    def _send_slice(
        self, seq: int, now_ns: int, event: Event, decision: Decision, sweep: Sweep
    ) -> None:
        """Send one slice and put off the next."""
        if not decision.cancels:
            self._slice_done(sweep, now_ns)
            return
        bulk = sweep.event
        command = CancelCommand(seq, decision.cancels, bulk.cause, bulk.restriction)
        self._send(command, _Waiting(seq, now_ns, event, decision, None, sweep))
        if decision.more and not sweep.halted:
            sweep.open += 1
            # The next one has to look past what is being cancelled already, so that is not much.
            sweep.held = sweep.open > SLICES_UNANSWERED_MAX
            if not sweep.held:
                self.later(partial(self._submit, sweep.event))

    def _slice_done(self, sweep: Sweep, now_ns: int) -> None:
        """Take one slice as answered; after the last one the whole is answered."""
        sweep.open -= 1
        if sweep.held:
            sweep.held = False
            if sweep.halted:
                sweep.open -= 1
            else:
                self.later(partial(self._submit, sweep.event))
        if sweep.open:
            return
        self._sweeps.pop(sweep.event, None)
        if sweep.reply is not None:
            self.answer(sweep.reply, sweep.outcome(now_ns))
        if sweep.halted and sweep.event.cause == CAUSE_KILL and self._book.engine_connected:
            self._kill_again_ns = now_ns + self._deadline_ns
            self.due_ns = min(self.due_ns, self._kill_again_ns)

    # --- Kills --------------------------------------------------------------------------------

    def _state(
        self, seq: int, now_ns: int, event: SetState, decision: Decision, reply: Reply | None
    ) -> None:
        """Have the orders of a scope cancelled that was KILLED, then answer."""
        scope = (event.scope, event.subject)
        if event.state == STATE_KILLED:
            kill = self._kills[scope] = _kill(event.scope, event.subject, seq)
            self._begin(Sweep(kill, Outcome(seq, now_ns, event, decision), reply))
            return
        self._kills.pop(scope, None)
        if reply is not None:
            self.answer(reply, Outcome(seq, now_ns, event, decision))

    def _session(
        self, seq: int, now_ns: int, event: EngineSession, decision: Decision, reply: Reply | None
    ) -> None:
        """Have what a kill could not cancel cancelled by the engine that is back."""
        if event.connected:
            self._kill_again()

    def _kill_again(self) -> None:
        for kill in self._kills.values():
            self._begin(Sweep(kill))

    def _begin(self, sweep: Sweep) -> None:
        """Submit the first slice of a kill's cancels, unless they are under way."""
        if sweep.event not in self._sweeps:
            self._sweeps[sweep.event] = sweep
            self._submit(sweep.event)

    def _catch(self, waiting: _Waiting) -> None:
        """Cancel what a command has left open in a KILLED scope.

        A kill passes over an order that is being cancelled or replaced. When that fails, the order
        is still there.
        """
        for order_id in (waiting.decision.order_id, *waiting.decision.cancels):
            order = self._book.orders.get(order_id)
            if order is not None and order.cancel_cause == 0 and self._killed(order):
                cancel = BulkCancel(SCOPE_ORDER, order_id, 0, CAUSE_KILL, waiting.seq)
                self._begin(Sweep(cancel))

    def _killed(self, order: OpenOrder) -> bool:
        state, _, _ = self._book.stop_state(order.owner, order.account, order.key, order.symbol)
        return state == STATE_KILLED


def _kill(scope: int, subject: int, origin_seq: int) -> BulkCancel:
    """Return what cancels the orders of a KILLED scope."""
    symbol = subject if scope == SCOPE_SYMBOL else 0
    return BulkCancel(scope, subject, symbol, CAUSE_KILL, origin_seq)


def _at_once(act: Callable[[], None]) -> None:
    act()
