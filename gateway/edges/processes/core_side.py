"""What the core's process does for its edge processes: their requests in, outcomes back.

What an edge has read goes through the core's door as it is, after a look at what only the core
knows for sure. What an edge has forwarded is read and answered by a dialect here, as in a gate
without edge processes. No task, future or await is made for a request; the outcomes of a turn leave
in one write.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from gateway.auth.authenticator import Identity
from gateway.dialects.http import HttpRequest, Parsed
from gateway.edges.processes.core_desk import EdgeDesk
from gateway.edges.processes.link import Link
from gateway.edges.processes.messages import (
    Answered,
    AnyAsking,
    Asked,
    AskedEvent,
    Begin,
    Decided,
    Defined,
    Definition,
    Failed,
    Forwarded,
    FromEdge,
    Listening,
    Measured,
    Message,
    Unreadable,
)
from gateway.lanes import waited_texts
from gateway.outcome import Outcome
from gateway.turns import NOWHERE
from rules.events import RefusedRequest
from rules.reasons import Reason
from rules.values import AUTH_NOT_CHECKED

DEFINITIONS_PER_TURN: Final = 512

_logger: Final = logging.getLogger(__name__)


class _Line:
    """Requests of one connection of an edge that wait for their turn, in order."""

    __slots__ = ("_behind", "_edge", "_first", "lane", "since_ns", "taken", "turn")

    def __init__(self, edge: "EdgeLink", first: AnyAsking) -> None:
        self.turn = self.taken = 0
        self._edge = edge
        self._first = first
        self._behind: deque[AnyAsking] | None = None
        """Those that wait behind the first one; hardly ever is there one."""
        self.lane = edge.lane(first)
        self.since_ns = first.since_ns

    def join(self, message: AnyAsking) -> None:
        """Have one more wait."""
        if self._behind is None:
            self._behind = deque()
        self._behind.append(message)

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return 1 + len(self._behind or ())

    def decide(self) -> None:
        """Decide the first request."""
        self._edge.decide(self._first)
        self._next()

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Refuse the first request, because it has waited for too long."""
        self._edge.shed(self._first, waited_ns, most_ns)
        self._next()

    def turn_over(self) -> None:
        """Send what was answered; the first line of an edge does it for all of them."""
        self._edge.link.flush()

    def _next(self) -> None:
        if self._behind:
            first = self._first = self._behind.popleft()
            self.lane = self._edge.lane(first)
            self.since_ns = first.since_ns
        else:
            self.lane = NOWHERE
            self._edge.leave(self._first.connection)


class EdgeLink:
    """One edge process, as the core's process has it.

    Each connection's requests wait in a line of their own, so that whose request is next, and who
    is sent away, is as in a gate without edges.
    """

    def __init__(
        self, desk: EdgeDesk, listening: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self.connections = 0
        self.refused_connections = 0
        self.silent = 0
        """How often it was asked since the edge last said how it is; whoever asks counts."""
        self.link = Link(FromEdge, self._arrive, lost, _failed)
        self.lane = desk.lane
        """Returns the lane of a request."""
        self._desk = desk
        self._listening = listening
        self._lines: dict[int, _Line] = {}
        """By connection; only of those of whom something waits."""
        self._loop = asyncio.get_running_loop()
        self._acts: dict[type[Any], Callable[[Any], None]] = {
            Asked: self._asked,
            Forwarded: self._forwarded,
            Unreadable: self._unreadable,
        }

    def define_all(self) -> None:
        """Tell the edge everything it needs, in parts, so that others need not wait long."""
        self._define(self._desk.definitions())

    def _define(self, definitions: Iterator[Callable[[], Definition | None]]) -> None:
        if not self.link.open_now:
            return
        some = list(islice(definitions, DEFINITIONS_PER_TURN))
        for definition in some:
            event = definition()
            if event is not None:
                self.link.send(Defined(event))
        if some:
            self._loop.call_soon(self._define, definitions)
        else:
            self.link.send(Begin())

    # --- Turns --------------------------------------------------------------------------------

    def _arrive(self, messages: list[Any]) -> None:
        """Put requests in line; they are decided also when the edge dies meanwhile."""
        lines, add, acts = self._lines, self._desk.turns.add, self._acts
        for message in messages:
            if type(message) not in acts:
                self._report(message)
                continue
            connection = message.connection
            line = lines.get(connection)
            if line is None:
                line = lines[connection] = _Line(self, message)
                add(line)
            else:
                line.join(message)

    def leave(self, connection: int) -> None:
        """Take note that nothing of a connection waits any more."""
        del self._lines[connection]

    def decide(self, message: AnyAsking) -> None:
        """Have one request decided."""
        self.link.hold()
        try:
            self._acts[type(message)](message)
        except Exception:
            _logger.exception("fault while deciding %r", message)
            self.link.send(Failed(message.number))

    def shed(self, message: AnyAsking, waited_ns: int, most_ns: int) -> None:
        """Have one request refused that has waited for too long."""
        self.link.hold()
        desk = self._desk
        try:
            if isinstance(message, Asked):
                refused = _shed(message.event, waited_ns, most_ns)
                reply = partial(self._decided, message.number, waited_ns, most_ns)
                desk.core.submit(refused, reply)
            elif isinstance(message, Forwarded):
                parsed = desk.dialect.shed(_request(message), waited_ns, most_ns)
                self._submit(message.number, parsed)
            else:
                # Refusing what could not be read costs no more than sending it away.
                self._unreadable(message)
        except Exception:
            _logger.exception("fault while refusing %r", message)
            self.link.send(Failed(message.number))

    # --- Requests -----------------------------------------------------------------------------

    def _asked(self, message: Asked) -> None:
        desk = self._desk
        reply = partial(self._decided, message.number, 0, 0)
        desk.core.submit(desk.looked_at(message.event), reply)

    def _decided(self, number: int, waited_ns: int, most_ns: int, outcome: Outcome) -> None:
        self.link.send(self._desk.decided(number, outcome, waited_ns, most_ns))

    def _forwarded(self, message: Forwarded) -> None:
        desk = self._desk
        desk.authenticator.found = Identity(message.auth, message.key)
        self._submit(message.number, desk.dialect.parse(_request(message)))

    def _unreadable(self, message: Unreadable) -> None:
        parsed = self._desk.dialect.refuse(
            message.address, message.received_ns, Reason(message.reason), message.detail
        )
        self._submit(message.number, parsed)

    def _submit(self, number: int, parsed: Parsed) -> None:
        self._desk.core.submit(parsed.event, partial(self._answered, number, parsed))

    def _answered(self, number: int, parsed: Parsed, outcome: Outcome) -> None:
        event = parsed.event
        try:
            response = parsed.render(outcome)
            told = (response.status, response.lines, response.body)
        except Exception:
            _logger.exception("fault while answering %r", event)
            self.link.send(Failed(number))
            return
        self.link.send(Answered(number, *told, event.ip, event.agent))

    def _report(self, message: Listening | Measured) -> None:
        self.silent = 0
        if isinstance(message, Listening):
            self._listening()
            return
        self.connections = message.connections
        self.refused_connections = message.refused_connections
        self._desk.meter.answered_elsewhere(message.answers, message.latencies)


def _request(message: Forwarded) -> HttpRequest:
    return HttpRequest(
        message.method,
        message.path,
        message.query,
        message.headers,
        message.body,
        message.address,
        message.received_ns,
        0,
        message.body_too_large,
    )


def _shed(event: AskedEvent, waited_ns: int, most_ns: int) -> RefusedRequest:
    """Return the refusal of a request that has waited for too long, as the dialect makes it."""
    detail, expected = waited_texts(waited_ns, most_ns)
    return RefusedRequest(
        event.endpoint,
        event.ip,
        event.key,
        AUTH_NOT_CHECKED,
        event.received_ns,
        0,
        0,
        0,
        event.channel,
        event.session,
        event.agent,
        reason=Reason.OVERLOADED,
        detail=detail,
        expected=expected,
    )


def _failed(message: Message) -> Message | None:
    """Return what an edge is told in place of an answer that can't be told."""
    return Failed(message.number) if isinstance(message, (Decided, Answered)) else None
