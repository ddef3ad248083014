"""What leaves the gate: commands to the engine, answers to clients; each after its record.

The core hands over every event with its decision once it is recorded. A request whose decision
sends a command is answered when the engine's result has been recorded, or when its deadline has
passed; every other request is answered at once.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gateway.engine.commands import command_for
from gateway.engine.port import Command, EnginePort
from gateway.outcome import Outcome, Reply
from rules.book import Book
from rules.decisions import Decision
from rules.events import (
    BulkCancel,
    CancelAll,
    CommandResult,
    Deadline,
    Event,
    SetState,
)
from rules.reasons import Reason
from rules.values import CAUSE_CLIENT, CAUSE_KILL, SCOPE_ACCOUNT, SCOPE_SYMBOL, STATE_KILLED


class _Waiting(NamedTuple):
    """A request whose command the engine has not answered."""

    seq: int
    now_ns: int
    event: Event
    decision: Decision
    reply: Reply | None


class Outbox:
    """Releases commands and answers.

    `submit` is the core's door for what follows from an event (further slices of a bulk cancel);
    `deadline_ns` is how long a command may stay unanswered.
    """

    def __init__(
        self, book: Book, engine: EnginePort, submit: Callable[[Event], None], deadline_ns: int
    ) -> None:
        self._book = book
        self._engine = engine
        self._submit = submit
        self._deadline_ns = deadline_ns
        self._waiting: dict[int, _Waiting] = {}
        self._deadlines: deque[tuple[int, int]] = deque()
        """(due, command id) in rising order, since every command has the same time."""

    @property
    def unanswered(self) -> int:
        """Number of commands without an answer."""
        return len(self._waiting)

    def due_deadline(self, now_ns: int) -> Deadline | None:
        """Return the next deadline that has passed unanswered, None when there is none."""
        deadlines = self._deadlines
        while deadlines:
            due_ns, command_id = deadlines[0]
            if command_id not in self._waiting:
                deadlines.popleft()
            elif due_ns <= now_ns:
                deadlines.popleft()
                return Deadline(command_id)
            else:
                return None
        return None

    def release(
        self, seq: int, now_ns: int, event: Event, decision: Decision, reply: Reply | None
    ) -> None:
        """Let out what a recorded decision allows."""
        if isinstance(event, CommandResult):
            self._answer(event, now_ns)
            return
        command = command_for(event, decision, seq, now_ns, self._book)
        if command is not None:
            self._send(command, _Waiting(seq, now_ns, event, decision, reply))
        elif reply is not None:
            reply(Outcome(seq, now_ns, event, decision))
        if isinstance(event, Deadline):
            self._give_up(event, now_ns)
        elif decision.more or isinstance(event, SetState):
            self._follow_up(seq, event, decision)

    def _send(self, command: Command, waiting: _Waiting) -> None:
        self._waiting[waiting.seq] = waiting
        self._deadlines.append((waiting.now_ns + self._deadline_ns, waiting.seq))
        self._engine.send(command)

    def _answer(self, result: CommandResult, now_ns: int) -> None:
        waiting = self._waiting.pop(result.command_id, None)
        if not self._waiting and self._deadlines:
            self._deadlines.clear()
        if waiting is not None and waiting.reply is not None:
            waiting.reply(
                Outcome(
                    waiting.seq, waiting.now_ns, waiting.event, waiting.decision, result, now_ns
                )
            )

    def _give_up(self, deadline: Deadline, now_ns: int) -> None:
        """Tell the client that its command's fate is unknown."""
        waiting = self._waiting.pop(deadline.command_id, None)
        if waiting is None or waiting.reply is None:
            return
        unknown = CommandResult(
            deadline.command_id,
            waiting.decision.order_id,
            False,
            Reason.ENGINE_TIMEOUT,
            0,
            now_ns,
            unknown=True,
        )
        waiting.reply(
            Outcome(waiting.seq, waiting.now_ns, waiting.event, waiting.decision, unknown, now_ns)
        )

    def _follow_up(self, seq: int, event: Event, decision: Decision) -> None:
        """Enqueue what an event sets going: the cancels of a kill, a bulk cancel's next slice."""
        if isinstance(event, SetState):
            if event.state == STATE_KILLED:
                symbol = event.subject if event.scope == SCOPE_SYMBOL else 0
                self._submit(BulkCancel(event.scope, event.subject, symbol, CAUSE_KILL, seq))
        elif isinstance(event, BulkCancel):
            self._submit(event)
        elif isinstance(event, CancelAll):
            self._submit(
                BulkCancel(SCOPE_ACCOUNT, decision.account, event.symbol, CAUSE_CLIENT, seq)
            )


