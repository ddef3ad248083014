"""An engine behind a link, without wire and without tasks: every move of it is a step.

It keeps the contract of `gateway.engine.remote`: commands and answers are on their way until a
step carries them, a broken link loses what is on its way, a link that comes back in the same epoch
resumes, and in a new epoch what was unanswered is answered with ENGINE_LOST.
"""

from collections import deque
from collections.abc import Callable
from random import Random

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


class EngineProcess:
    """The engine's side: it outlives links and gates, and remembers what it has said."""

    def __init__(self, exchange: MatchingExchange) -> None:
        self.exchange = exchange
        self.said: list[Event] = []
        """Results and reports of this epoch, in the order they were given."""
        self.results: dict[int, CommandResult] = {}

    def execute(self, command: Command, now_ns: int) -> list[Event]:
        """Carry out a command and return what is said about it."""
        result, reports = self.exchange.execute(command, now_ns)
        self.results[command.command_id] = result
        return self.say(result, *reports)

    def say(self, *events: Event) -> list[Event]:
        """Remember what is said."""
        self.said.extend(events)
        return list(events)

    def restart(self) -> None:
        """Lose every order and begin a new epoch."""
        self.exchange.restart()
        self.said.clear()
        self.results.clear()


class LinkedEngine:
    """An `EnginePort` on an engine process that only steps of the simulation reach."""

    def __init__(
        self,
        process: EngineProcess,
        now_ns: Callable[[], int],
        lot_step_e8: Callable[[str], int],
    ) -> None:
        self.process = process
        self.exchange = process.exchange
        self.connected = False
        self.to_engine: deque[Command] = deque()
        self.to_gate: deque[Event] = deque()
        self._now_ns = now_ns
        self._lot_step_e8 = lot_step_e8
        self._feed = ReferenceFeed(self.exchange, 0)
        self._sink: EventSink = _nowhere
        self._epoch = 0
        self._last_seq = 0
        self._late: list[CommandResult] = []
        self._unanswered: dict[int, Command] = {}

    # --- The port -----------------------------------------------------------------------------

    def start(self, sink: EventSink, market_data: MarketDataListener) -> None:
        """Begin a session."""
        self._sink = sink
        self.connect()

    def define_symbol(self, symbol: DefineSymbol) -> None:
        """Make an instrument known."""
        self.exchange.define_symbol(symbol, self._lot_step_e8(symbol.name))

    def define_account(self, account: DefineAccount) -> None:
        """Make an account known."""
        self.exchange.define_account(account)

    def deposit(self, account: int, asset: int, amount_e8: int, note: str) -> None:
        """Credit or debit an account."""
        report = self.exchange.deposit(account, asset, amount_e8, note, self._now_ns())
        self.say(report)

    def set_symbol_state(self, symbol: int, state: int) -> None:
        """Open, halt or restrict matching in a symbol."""
        self.exchange.set_symbol_state(symbol, state)

    def send(self, command: Command) -> None:
        """Put a command on its way; while the link is down only cancels wait."""
        if self.connected:
            self._unanswered[command.command_id] = command
            self.to_engine.append(command)
        elif isinstance(command, CancelCommand):
            self._unanswered[command.command_id] = command
        else:
            self._refuse(command, Reason.ENGINE_UNAVAILABLE)

    def depth(self, symbol: int, levels: int) -> DepthSnapshot:
        """Return the depth of a symbol."""
        return self.exchange.depth(symbol, levels, self._now_ns())

    def close(self) -> None:
        """End the session."""
        self._sink = _nowhere
        self.connected = False

    # --- Steps --------------------------------------------------------------------------------

    def carry(self, count: int) -> None:
        """Let the engine take up to `count` commands that are on their way."""
        while self.to_engine and count:
            count -= 1
            said = self.process.execute(self.to_engine.popleft(), self._now_ns())
            self.to_gate.extend(said)

    def deliver(self, count: int) -> None:
        """Let up to `count` things the engine said arrive."""
        while self.to_gate and count and self.connected:
            count -= 1
            self._hand_over(self.to_gate.popleft())

    def poll(self, now_ns: int) -> None:
        """Hand on the references that are due."""
        if self.connected and now_ns >= self._feed.next_ns:
            for reference in self._feed.poll(now_ns):
                self._sink(reference)

    def say(self, *reports: Report) -> None:
        """Put reports on their way that no command of the gate has caused."""
        said = self.process.say(*reports)
        if self.connected:
            self.to_gate.extend(said)

    def disconnect(self) -> None:
        """Break the link: what is on its way is lost."""
        if not self.connected:
            return
        self.connected = False
        self.to_engine.clear()
        self.to_gate.clear()
        self._late.clear()
        self._sink(EngineSession(False, self._epoch, self._last_seq))

    def connect(self) -> None:
        """Take up the link: resume in the same epoch, begin anew in another."""
        if self.connected:
            return
        exchange = self.exchange
        resumed = self._epoch == exchange.epoch
        reason = Reason.ENGINE_UNAVAILABLE if resumed else Reason.ENGINE_LOST
        greeted = sorted(self._unanswered)
        received = frozenset(greeted) & self.process.results.keys() if resumed else frozenset()
        for command_id in greeted:
            command = self._unanswered[command_id]
            repeatable = resumed and isinstance(command, CancelCommand)
            if command_id not in received and not repeatable:
                del self._unanswered[command_id]
                self._refuse(command, reason)
        if not resumed:
            self._epoch, self._last_seq = exchange.epoch, exchange.engine_seq
        self.connected = True
        self._sink(EngineSession(True, self._epoch, self._last_seq))
        for event in self.process.said:
            if isinstance(event, CommandResult):
                if event.command_id in received:
                    self.to_gate.append(event)
            elif event.engine_seq > self._last_seq:  # type: ignore[attr-defined]
                self.to_gate.append(event)
        waiting = (self._unanswered[one] for one in greeted if one in self._unanswered)
        self.to_engine.extend(one for one in waiting if one.command_id not in received)

    # --- Faults -------------------------------------------------------------------------------

    def lose_command(self, random: Random) -> bool:
        """Let one command never arrive; tell whether there was one."""
        if not self.to_engine:
            return False
        del self.to_engine[random.randrange(len(self.to_engine))]
        return True

    def lose_result(self, random: Random) -> bool:
        """Let one result never arrive."""
        return self._take_result(random) is not None

    def late_result(self, random: Random) -> bool:
        """Put one result aside, or let one that was put aside arrive."""
        if self._late and random.random() < 0.5:
            self.to_gate.append(self._late.pop(random.randrange(len(self._late))))
            return True
        result = self._take_result(random)
        if result is not None:
            self._late.append(result)
        return result is not None

    def duplicate_result(self, random: Random) -> bool:
        """Let one result arrive twice."""
        results = [event for event in self.to_gate if isinstance(event, CommandResult)]
        if results:
            self.to_gate.append(random.choice(results))
        return bool(results)

    def reorder_result(self, random: Random) -> bool:
        """Let one result arrive after things that were said later."""
        place = self._result_place(random)
        if place is None:
            return False
        result = self.to_gate[place]
        del self.to_gate[place]
        self.to_gate.insert(random.randint(place, len(self.to_gate)), result)
        return True

    def _take_result(self, random: Random) -> CommandResult | None:
        place = self._result_place(random)
        if place is None:
            return None
        result = self.to_gate[place]
        del self.to_gate[place]
        assert isinstance(result, CommandResult)
        return result

    def _result_place(self, random: Random) -> int | None:
        """Return where one of the results on their way is, None when there is none."""
        places = [
            place for place, event in enumerate(self.to_gate) if isinstance(event, CommandResult)
        ]
        return random.choice(places) if places else None

    def _hand_over(self, event: Event) -> None:
        if isinstance(event, CommandResult):
            self._unanswered.pop(event.command_id, None)
        elif isinstance(event, Report):
            if event.engine_seq <= self._last_seq:
                return
            assert event.engine_seq == self._last_seq + 1, "the link keeps reports in order"
            self._last_seq = event.engine_seq
        self._sink(event)

    def _refuse(self, command: Command, reason: Reason) -> None:
        order_id = 0
        if isinstance(command, CancelCommand):
            order_id = command.order_ids[0] if len(command.order_ids) == 1 else 0
        elif isinstance(command, ReplaceCommand):
            order_id = command.place.order_id
        else:
            order_id = command.order_id
        self._sink(refused(command.command_id, order_id, reason, self._now_ns()))


def _nowhere(event: Event) -> None:
    """Drop what is said outside of a session."""
