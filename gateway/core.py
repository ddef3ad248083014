"""The core: one door for everything that can change a decision, one writer behind it.

`submit` takes an event; the outermost call drains the queue, one event wholly after the other:
stamp, decide and commit, record, release. What an event causes (the embedded engine's result, the
next slice of a bulk cancel) is enqueued and comes through the same door. With the embedded engine
the whole path of an order is one synchronous drain, without task, future or await.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from gateway.clock import Clock
from gateway.directory import Directory
from gateway.engine.port import EnginePort
from gateway.journal.errors import JournalError
from gateway.outbox import Outbox
from gateway.outcome import Outcome, Reply
from rules.book import Book
from rules.decisions import REFUSED, Breach, Decision
from rules.events import (
    Amend,
    CommandResult,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Place,
    Replace,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.rulebook import Rulebook

Listener: TypeAlias = Callable[[int, int, Event, Decision], None]
"""Called with (seq, now_ns, event, decision) of every event after its record."""

_RISK: Final = frozenset((Place, Replace, Amend))
"""Requests that can add risk: refused while the record is lost."""
_DEFINITIONS: Final = frozenset((Define, DefineSymbol, DefineAccount, DefineKey))

_logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """What the core needs of the record."""

    def append(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Record one event and its decision; when this returns, they may take effect."""


class CoreStoppedError(RuntimeError):
    """The core met a bug in the commit, its book may be half written, and it decides no more."""


class Core:
    """Decides, records and releases events in the order they come.

    `listeners` are told of each event after its record; a fault in one is logged and counted in
    `listener_faults`. `record_fault` is empty while the record can be written; afterwards orders
    are refused, and cancels, kills and engine reports go on unrecorded. `stopped` says which bug
    ended the core, empty while it runs.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        clock: Clock,
        recorder: Recorder,
        engine: EnginePort,
        deadline_ns: int,
        directory: Directory | None = None,
    ) -> None:
        self.rulebook = rulebook
        self.pipeline = Pipeline(rulebook)
        self.book: Book = self.pipeline.book
        self.directory = directory or Directory(self.submit)
        self.listeners: tuple[Listener, ...] = ()
        self.listener_faults = 0
        self.seq = 0
        self.record_fault = ""
        self.stopped = ""
        self.outbox = Outbox(self.book, engine, self.submit, deadline_ns)
        self._clock = clock
        self._recorder = recorder
        self._queue: deque[tuple[Event, Reply | None]] = deque()
        self._draining = False

    def now_ns(self) -> int:
        """Return core time, UTC in nanoseconds."""
        return self._clock.now_ns()

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
        due = self.now_ns() >= self.outbox.due_ns
        if due and not self._draining and not self.stopped:
            self._drain()

    def _drain(self) -> None:
        self._draining = True
        queue, outbox, clock_ns = self._queue, self.outbox, self._clock.now_ns
        try:
            while True:
                now_ns = clock_ns()
                if now_ns >= outbox.due_ns:
                    while (due := outbox.due(now_ns)) is not None:
                        self._process(due, None, now_ns)
                if queue:
                    event, reply = queue.popleft()
                    self._process(event, reply, now_ns)
                if not queue:
                    return
        except BaseException as error:
            # Half a commit must not be followed by another decision.
            self.stopped = f"{type(error).__name__}: {error}"
            _logger.critical("the core stopped", exc_info=error)
            raise
        finally:
            self._draining = False

    def _process(self, event: Event, reply: Reply | None, now_ns: int) -> None:
        kind = type(event)
        if self.record_fault and kind in _RISK:
            self._refuse_unrecorded(event, reply, now_ns)
            return
        seq = self.seq + 1
        decision = self.pipeline.apply(event, now_ns, None, seq)
        self.seq = seq
        if not self.record_fault:
            try:
                self._recorder.append(seq, now_ns, event, decision)
            except (JournalError, OSError) as error:
                self.record_fault = f"{type(error).__name__}: {error}"
                _logger.critical("the record is lost, orders are refused", exc_info=error)
                if kind in _RISK:
                    self._take_back(event, seq, reply, now_ns)
                    return
        if kind in _DEFINITIONS:
            self.directory.on_event(event)
        for listener in self.listeners:
            try:
                listener(seq, now_ns, event, decision)
            except Exception:  # whoever looks on must not be able to stop the gate
                self.listener_faults += 1
                _logger.exception("event %d could not be shown to %r", seq, listener)
        self.outbox.release(seq, now_ns, event, decision, reply)

    def _refuse_unrecorded(self, event: Event, reply: Reply | None, now_ns: int) -> None:
        """Refuse an order because its decision could not be recorded."""
        if reply is not None:
            breach = Breach("record", Reason.RECORD_LOST, "a record that can be written", "lost")
            self.outbox.answer(reply, Outcome(0, now_ns, event, Decision(REFUSED, (breach,))))

    def _take_back(self, event: Event, seq: int, reply: Reply | None, now_ns: int) -> None:
        """Undo an order that was decided but not recorded, as if the engine had refused it."""
        unsent = CommandResult(seq, 0, False, Reason.RECORD_LOST, 0, now_ns)
        self.pipeline.apply(unsent, now_ns, None, seq)
        self._refuse_unrecorded(event, reply, now_ns)
