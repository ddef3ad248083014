"""The engine link without wire and without tasks: every move on it is a step.

Both ends are the product's own: `gateway.engine.remote` at the gate, `gateway.engine.venue` in the
engine process. Only what carries the messages between them is simulated: messages are on their way
until a step carries them, a broken link loses what is on its way, and faults lose, delay, repeat
and reorder single ones.
"""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from gateway.engine.port import EventSink, MarketDataListener
from gateway.engine.remote import LinkError, RemoteEngine
from gateway.engine.venue import Venue
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.events import EngineSession, Event, Report


class EngineProcess:
    """The engine's side: it outlives links and gates, and can be killed and started again.

    `on_command` is told of every command that arrives, by its name in the message.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.on_command: Callable[[str, int], None] = _nobody
        self.starts = 0
        self._now_ns = now_ns
        self.venue = Venue(self.now_ns)

    def now_ns(self) -> int:
        """Return the engine's clock; no two starts are at the same time."""
        return self._now_ns() + self.starts

    def restart(self) -> None:
        """Die with every order and balance, and start again."""
        self.starts += 1
        self.venue = Venue(self.now_ns)

    def take(self, item: wire.GateItem) -> list[wire.EngineItem]:
        """Carry out what has arrived and return what there is to say."""
        kind = item.WhichOneof("item")
        if kind in ("place", "cancel", "amend", "replace"):
            self.on_command(kind, getattr(item, kind).command_id)
        return self.venue.take(item)


class LinkedEngine(RemoteEngine):
    """The gate's end, moved by steps instead of tasks."""

    process: EngineProcess

    def link_to(self, process: EngineProcess) -> None:
        """Say which engine process there is to link up with."""
        self.process = process
        self.to_engine: deque[wire.GateItem] = deque()
        self.to_gate: deque[wire.EngineItem] = deque()
        self._late: list[wire.EngineItem] = []

    def start(self, sink: EventSink, market_data: MarketDataListener) -> None:
        """Begin without a link, as the product does."""
        self._sink = sink
        self._market_data = market_data
        sink(EngineSession(False, self.epoch, self.last_seq))

    # --- Steps --------------------------------------------------------------------------------

    def connect(self) -> None:
        """Take up the link: resume in the same epoch, begin anew in another."""
        if self.connected:
            return
        hello = wire.GateItem.FromString(self._hello().SerializeToString())
        items = self.process.venue.greet(hello.hello)
        self._begin(items[0].hello)
        self.to_gate.extend(items[1:])

    def carry(self, count: int) -> None:
        """Let the engine take up to `count` things that are on their way."""
        self.to_engine.extend(self._items)
        self._items.clear()
        while self.to_engine and count:
            count -= 1
            self.to_gate.extend(self.process.take(self.to_engine.popleft()))

    def deliver(self, count: int) -> None:
        """Let up to `count` things the engine said arrive."""
        while self.to_gate and count and self.connected:
            count -= 1
            try:
                self._take((self.to_gate.popleft(),))
            except LinkError:
                self.disconnect()

    def poll(self, now_ns: int) -> None:
        """Put the references, depths and trades that are due on their way."""
        if self.connected:
            self.to_gate.extend(self.process.venue.poll())

    def say(self, reports: Iterable[Report]) -> None:
        """Put reports on their way that no command of the gate has caused."""
        items = self.process.venue.keep(reports)
        if self.connected:
            self.to_gate.extend(items)

    def disconnect(self) -> None:
        """Break the link: what is on its way is lost."""
        if self.connected:
            self._drop()
            self._lost()

    def die(self, arrives: int) -> None:
        """End with the gate's process; up to `arrives` things it had sent reach the engine yet."""
        self._sink = _nowhere
        self.connected = False
        while self.to_engine and arrives:
            arrives -= 1
            self.process.take(self.to_engine.popleft())
        self._drop()

    def _drop(self) -> None:
        self.to_engine.clear()
        self.to_gate.clear()
        self._late.clear()

    # --- Faults -------------------------------------------------------------------------------

    def lose_command(self, random: Random) -> bool:
        """Let one command never arrive; tell whether there was one."""
        self.to_engine.extend(self._items)
        self._items.clear()
        if not self.to_engine:
            return False
        del self.to_engine[random.randrange(len(self.to_engine))]
        return True

    def lose_result(self, random: Random) -> bool:
        """Let one result never arrive."""
        return self._take_out_result(random) is not None

    def late_result(self, random: Random) -> bool:
        """Put one result aside, or let one that was put aside arrive."""
        if self._late and random.random() < 0.5:
            self.to_gate.append(self._late.pop(random.randrange(len(self._late))))
            return True
        result = self._take_out_result(random)
        if result is not None:
            self._late.append(result)
        return result is not None

    def duplicate_result(self, random: Random) -> bool:
        """Let one result arrive twice."""
        results = [item for item in self.to_gate if item.WhichOneof("item") == "result"]
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

    def _take_out_result(self, random: Random) -> wire.EngineItem | None:
        place = self._result_place(random)
        if place is None:
            return None
        result = self.to_gate[place]
        del self.to_gate[place]
        return result

    def _result_place(self, random: Random) -> int | None:
        """Return where one of the results on their way is, None when there is none."""
        places = [
            place for place, item in enumerate(self.to_gate) if item.WhichOneof("item") == "result"
        ]
        return random.choice(places) if places else None


def _nobody(kind: str, command_id: int) -> None:
    """Take no notice of a command."""


def _nowhere(event: Event) -> None:
    """Drop what is said outside of a session."""
