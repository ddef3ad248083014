"""The core: one door for everything that can change a decision, one writer behind it.

`submit` takes an event; the outermost call drains the queue, one event wholly after the other:
stamp, decide and commit, record, release. What an event causes (the embedded engine's result, the
next slice of a bulk cancel) is enqueued and comes through the same door. With the embedded engine
the whole path of an order is one synchronous drain, without task, future or await.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from gateway.clock import Clock
from gateway.directory import Directory
from gateway.engine.commands import command_for
from gateway.engine.port import Command, EnginePort
from gateway.journal.commit import Commit
from gateway.journal.errors import JournalError
from gateway.listeners import Listeners
from gateway.outbox import Outbox
from gateway.outcome import Outcome, Reply
from gateway.record import STALL_NS, Held, Record, Recorder, Reserve, Unrecorded, described
from gateway.refusals import RECORDED_ALL, Refusals
from gateway.stages import ENGINE, RECORD, Stages
from rules.book import Book
from rules.decisions import ACCEPTED, REFUSED, Breach, Decision
from rules.events import (
    Amend,
    Cancel,
    CommandResult,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Place,
    Query,
    Reference,
    RefusedAggregate,
    RefusedRequest,
    Replace,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.rulebook import Rulebook
from rules.values import NS_PER_SECOND

_RISK: Final = frozenset((Place, Replace, Amend))
"""Requests that can add risk: refused while the record is lost."""
_DISPENSABLE: Final = frozenset((Query, RefusedRequest, RefusedAggregate, Reference))
"""What is passed over once the reserve is half full, so that cancels and reports always fit."""
_COMMANDED: Final = frozenset((Place, Replace, Amend, Cancel))
"""Requests that become one command."""
_DUES_AT_ONCE: Final = 256
"""Of what time brings, so much is decided before the next event in the queue."""
_DEFINITIONS: Final = frozenset((Define, DefineSymbol, DefineAccount, DefineKey))

_logger = logging.getLogger(__name__)


class CoreStoppedError(RuntimeError):
    """The core met a bug in the commit, its book may be half written, and it decides no more."""


class Core:
    """Decides, records and releases events in the order they come.

    `listeners` are told of each event after its record; a fault in one is logged and counted in
    `listener_faults`. `record_fault` is empty while the record can be written; afterwards orders
    are refused, and cancels, kills and engine reports go to the reserve, or on unrecorded when it
    is lost too. `stopped` says which bug ended the core, empty while it runs.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        clock: Clock,
        recorder: Recorder,
        engine: EnginePort,
        deadline_ns: int,
        directory: Directory | None = None,
        recorded_refusals: int = RECORDED_ALL,
    ) -> None:
        self.rulebook = rulebook
        self.pipeline = Pipeline(rulebook)
        self.book: Book = self.pipeline.book
        self.directory = directory or Directory(self.submit)
        self.listeners = Listeners()
        self.listener_faults = 0
        self.seq = 0
        self.stopped = ""
        self.stages: Stages | None = None
        """Told where the time of requests goes, None while nobody wants to know."""
        self.outbox = Outbox(self.book, engine, self.submit, deadline_ns)
        self.refusals = Refusals(
            self.pipeline, self._process, self._answer_counted, recorded_refusals
        )
        self.directory.may_define = lambda: self.refusals.may_define(self.now_ns())
        self.now_ns = clock.now_ns
        """Returns core time, UTC in nanoseconds."""
        self._clock = clock
        self._record = Record(recorder)
        self._withheld: dict[int, Held] = {}
        """Orders that were decided when the record was lost, until they are taken back."""
        self._counted: dict[int, list[tuple[Reply, Outcome]]] = {}
        """Answers to refusals that are only counted, by the record they name, until it is safe."""
        self._queue: deque[tuple[Event, Reply | None]] = deque()
        self._draining = False
        self._since_ns = 0
        """Receive clock when the present drain began, where decisions wait for the disk."""

    @property
    def record_fault(self) -> str:
        """Why the record is lost, empty while it can be written."""
        return self._record.fault

    @property
    def recorded(self) -> bool:
        """Whether what is decided is recorded, in the run's own journal or in its reserve."""
        return self._record.recorded

    @property
    def unreleased(self) -> int:
        """Number of decisions that wait for their record."""
        return len(self._record.held)

    def secure(
        self,
        commit: Commit | None,
        reserve: Reserve | None = None,
        stall_ns: int = STALL_NS,
        unrecorded: Unrecorded = lambda _after_seq, _fault: None,
    ) -> None:
        """Have each decision from now on wait until `commit` says that its record is safe.

        Called once, after the start and before anything is served: what was decided until now is
        made safe first, while the caller waits. `reserve` continues a record that is lost, which
        it is too when a record waits for longer than `stall_ns`; `unrecorded` is told when the
        reserve is lost as well.
        """
        self._record.secure(
            commit,
            reserve,
            stall_ns,
            lambda new: new.watch(self._recorded, self._record_lost),
            unrecorded,
        )
        if commit is not None:
            commit.appended(self.seq)
            if not commit.flush(stall_ns / NS_PER_SECOND) and not self.record_fault:
                self._record_lost("the disk has not confirmed the beginning of the run")

    def take_over(
        self, state: dict[str, Any] | None, definitions: Iterable[Event], first_seq: int
    ) -> None:
        """Begin where another run ended, with record `first_seq`; called before anything else.

        `state` is what its `Pipeline.state` returned, None when there was no such run. The cancels
        of its kills are taken up as soon as the engine is there. Raises StateError.
        """
        if state is not None:
            self.pipeline.restore(state)
        for definition in definitions:
            self.directory.on_event(definition)
        self.seq = self.book.current_seq = first_seq - 1
        self.outbox.take_over(first_seq)

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Take in one event; `reply` is called once with its outcome, in this call or later.

        Raises CoreStoppedError when the core has met a bug and stopped.
        """
        if self.stopped:
            raise CoreStoppedError(self.stopped)
        self._queue.append((event, reply))
        if not self._draining:
            self._drain()

    def together(self, act: Callable[[], None]) -> None:
        """Run `act`; what it submits is decided after it has returned, in order.

        For an engine that has several things to tell: what the first one causes comes after the
        last one.
        """
        if self._draining:
            act()
            return
        self._draining = True
        try:
            act()
        finally:
            self._draining = False
        if self._queue and not self.stopped:
            self._drain()

    def tick(self) -> None:
        """Fire what time has brought; called regularly, records only what fires."""
        if self._draining or self.stopped:
            return
        if self._record.held:
            self._look_after_record()
        due_ns = min(self.outbox.due_ns, self.refusals.due_ns, self.pipeline.dues.due_ns)
        if self.now_ns() >= due_ns:
            self._drain()

    def close(self) -> None:
        """Record what is only counted so far; called before the record is closed."""
        if not self.stopped:
            self._attend(lambda: self.refusals.flush(self.now_ns()))

    def flush(self) -> None:
        """Wait until everything that was decided is recorded and has left."""
        record = self._record
        while record.held and not self.stopped:
            commit = record.commit
            if commit is None or commit.flush(record.stall_ns / NS_PER_SECOND):
                continue
            if commit is record.commit:
                self._record_lost("the disk has confirmed nothing at the end")

    # --- Deciding -----------------------------------------------------------------------------

    def _drain(self) -> None:
        self._draining = True
        queue, outbox, clock_ns = self._queue, self.outbox, self._clock.now_ns
        refusals, dues = self.refusals, self.pipeline.dues
        if self._record.waits:
            self._since_ns = self._clock.receive_ns()
        try:
            while True:
                now_ns = clock_ns()
                if now_ns >= outbox.due_ns:
                    while (due := outbox.due(now_ns)) is not None:
                        self._process(due, None, now_ns)
                if now_ns >= dues.due_ns:
                    self._bring_due(now_ns)
                if now_ns >= refusals.due_ns:
                    refusals.flush(now_ns)
                if queue:
                    event, reply = queue.popleft()
                    if not (refusals.watching and refusals.answers(event, reply, now_ns)):
                        self._process(event, reply, now_ns)
                if not queue:
                    break
        except BaseException as error:
            self._stop(error)
            raise
        finally:
            self._draining = False
        if self._record.held and self._record.commit is not None:
            self._record.commit.appended(self.seq)

    def _bring_due(self, now_ns: int) -> None:
        """Decide what time has brought, in parts, so that others need not wait long."""
        dues = self.pipeline.dues
        for _ in range(_DUES_AT_ONCE):
            due = dues.next(now_ns)
            if due is None:
                return
            self._process(due, None, now_ns)

    def _attend(self, act: Callable[[], None]) -> None:
        """Do what the record has brought, then decide what that has caused."""
        if self.stopped:
            return
        self._draining = True
        try:
            act()
        except BaseException as error:
            self._stop(error)
            raise
        finally:
            self._draining = False
        self._drain()

    def _stop(self, error: BaseException) -> None:
        """Decide nothing more: half a commit must not be followed by another decision."""
        self.stopped = f"{type(error).__name__}: {error}"
        _logger.critical("the core stopped", exc_info=error)

    def _process(self, event: Event, reply: Reply | None, now_ns: int) -> None:
        kind = type(event)
        record = self._record
        if record.fault and self._turn_away(event, reply, now_ns):
            return
        seq = self.seq + 1
        stages = self.stages
        if stages is not None:
            stages.decide(seq, event, reply)
        decision = self.pipeline.apply(event, now_ns, None, seq)
        self.seq = seq
        if decision.verdict == REFUSED:
            self.refusals.note(seq, now_ns, event, decision)
        if kind in _DEFINITIONS:
            # Not something that leaves: the next request may need the number already.
            self.directory.on_event(event)
        command = None
        if kind in _COMMANDED:
            # What is sent is what was decided; the book may be further when the record is safe.
            command = command_for(event, decision, seq, now_ns, self.book)
        if stages is not None:
            stages.enter(RECORD)
        try:
            record.append(seq, now_ns, event, decision)
        except (JournalError, OSError) as error:
            held = Held(seq, now_ns, event, decision, reply, command, self._since_ns)
            record.held.append(held)
            self._lose(described(error))
            return
        if record.waits:
            held = Held(seq, now_ns, event, decision, reply, command, self._since_ns)
            record.held.append(held)
            return
        self._let_out(seq, now_ns, event, decision, reply, command)

    # --- Letting out --------------------------------------------------------------------------

    def _let_out(
        self,
        seq: int,
        now_ns: int,
        event: Event,
        decision: Decision,
        reply: Reply | None,
        command: Command | None,
    ) -> None:
        """Let out what a recorded decision allows."""
        stages = self.stages
        if stages is not None:
            stages.let_out(seq, event)
        listeners = self.listeners
        told = listeners.by_kind[type(event)]
        if decision.steps:
            told += listeners.of_steps
        for listener in told:
            try:
                listener(seq, now_ns, event, decision)
            except Exception:  # whoever looks on must not be able to stop the gate
                self.listener_faults += 1
                _logger.exception("event %d could not be shown to %r", seq, listener)
        if self._withheld and self._is_taken_back(seq, now_ns, event):
            return
        if command is not None and not self.pipeline.awaits(seq):
            self.outbox.lost(seq, now_ns, event, decision, reply)
            return
        if stages is not None and command is not None:
            stages.enter(ENGINE)
        self.outbox.release(seq, now_ns, event, decision, reply, command)

    def _release(self, seq: int) -> None:
        """Let out what waits, in order, up to record `seq`."""
        held = self._record.held
        self.outbox.sent_ns = self._clock.now_ns()
        while held and held[0].seq <= seq:
            one = held.popleft()
            self._let_out(one.seq, one.now_ns, one.event, one.decision, one.reply, one.command)
            if self._counted:
                for reply, outcome in self._counted.pop(one.seq, ()):
                    self.outbox.answer(reply, outcome)

    def _answer_counted(self, reply: Reply, outcome: Outcome) -> None:
        """Answer a refusal that is only counted, but not before the record it names is safe."""
        held = self._record.held
        if held and outcome.seq >= held[0].seq:
            self._counted.setdefault(outcome.seq, []).append((reply, outcome))
        else:
            self.outbox.answer(reply, outcome)

    def _recorded(self, seq: int) -> None:
        """Take word that every record up to `seq` is safe."""
        self._attend(partial(self._release, seq))

    # --- The record is lost -------------------------------------------------------------------

    def _record_lost(self, fault: str) -> None:
        """Take word that the record can't be made safe."""
        self._attend(partial(self._lose, fault))

    def _look_after_record(self) -> None:
        """Hold the disk to its time."""
        record = self._record
        if record.commit is not None:
            record.commit.poll()
        if record.stalled(self._clock.receive_ns()):
            self._record_lost(f"the disk has confirmed nothing for over {record.stall_ns} ns")

    def _lose(self, fault: str) -> None:
        """Go on in the reserve, and take back the orders that have not left."""
        record = self._record
        if not record.fault:
            self._withhold()
        record.fall_back(fault, self.seq + 1)
        if not record.waits:
            self._release(self.seq)

    def _withhold(self) -> None:
        """Keep orders that wait for their record from leaving; their end is decided next."""
        for held in reversed(self._record.held):
            if type(held.event) in _RISK and held.decision.verdict == ACCEPTED:
                self._withheld[held.seq] = held
                unsent = CommandResult(
                    *(held.seq, held.decision.order_id, False, Reason.RECORD_LOST, 0, held.now_ns)
                )
                self._queue.appendleft((unsent, None))

    def _is_taken_back(self, seq: int, now_ns: int, event: Event) -> bool:
        """Tell whether an event is of a withheld order, and answer the order when it has ended."""
        if seq in self._withheld:
            return True
        if type(event) is not CommandResult or event.command_id not in self._withheld:
            return False
        held = self._withheld.pop(event.command_id)
        if held.reply is not None and self._record.recorded:
            outcome = Outcome(held.seq, held.now_ns, held.event, held.decision, event, now_ns)
            self.outbox.answer(held.reply, outcome)
        elif held.reply is not None:
            self._refuse(held.event, held.reply, now_ns, Reason.RECORD_LOST)
        return True

    def _turn_away(self, event: Event, reply: Reply | None, now_ns: int) -> bool:
        """Refuse unrecorded what the lost record has no place for; False for all else."""
        kind = type(event)
        record = self._record
        if kind in _RISK:
            reason = Reason.RECORD_LOST
        elif kind in _DISPENSABLE and not record.roomy:
            reason = Reason.OVERLOADED if record.recorded else Reason.RECORD_LOST
        else:
            return False
        if reply is not None:
            self._refuse(event, reply, now_ns, reason)
        return True

    def _refuse(self, event: Event, reply: Reply, now_ns: int, reason: Reason) -> None:
        """Refuse a request because its decision could not be recorded."""
        breach = Breach("record", reason, "a record that can be written", "lost")
        self.outbox.answer(reply, Outcome(0, now_ns, event, Decision(REFUSED, (breach,))))
