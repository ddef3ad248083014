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
<<<<<<< HEAD
from gateway.views import OrderView
from rules.access.ban_ladder import BanLadder
from rules.book import Book
from rules.events import (
    Amend,
    Cancel,
    Define,
    DefineKey,
    DefineSymbol,
    Event,
    Replace,
    Request,
)
from rules.pipeline import Pipeline
=======
from gateway.turns import NOWHERE
from rules.events import RefusedRequest
>>>>>>> 1a45645 (wip)
from rules.reasons import Reason
from rules.values import AUTH_NOT_CHECKED

DEFINITIONS_PER_TURN: Final = 512

_logger: Final = logging.getLogger(__name__)


class _Line:
    """Requests of one connection of an edge that wait for their turn, in order."""

    __slots__ = ("_edge", "_number", "_waiting", "lane", "since_ns", "taken", "turn")

    def __init__(self, edge: "EdgeLink", first: AnyAsking) -> None:
        self.turn = self.taken = 0
        self._edge = edge
        self._number = first.connection
        self._waiting = deque((first,))
        self.lane = edge.lane(first)
        self.since_ns = first.since_ns

    def join(self, message: AnyAsking) -> None:
        """Have one more wait."""
        self._waiting.append(message)

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._waiting)

    def decide(self) -> None:
        """Decide the first request."""
        self._edge.decide(self._waiting.popleft())
        self._next()

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Refuse the first request, because it has waited for too long."""
        self._edge.shed(self._waiting.popleft(), waited_ns, most_ns)
        self._next()

    def turn_over(self) -> None:
        """Send what was answered; the first line of an edge does it for all of them."""
        self._edge.link.flush()

<<<<<<< HEAD

class Orders(Protocol):
    """Orders as clients see them."""

    def get(
        self, account: int, symbol: int, order_id: int, client_order_id: str
    ) -> OrderView | None:
        """Return the account's order on `symbol` (0: any), open or closed."""


class MeasuredAnswers(Protocol):
    """Takes what edges have measured."""

    def answered_elsewhere(
        self,
        answers: tuple[tuple[int, int, int], ...],
        latencies: tuple[tuple[int, tuple[int, ...], int, int, int], ...],
    ) -> None:
        """Add answers by endpoint and status, and latencies by endpoint."""


class EdgeAuthenticator(Authenticator):
    """Authenticates what edges forward, by their word where they verified the signature.

    `found` is that word, for the request that is being read. Their word holds for one key: a key
    that was revoked since, or made anew under the same name, is looked at here.
    """

    def __init__(self, own: Authenticator, directory: Directory) -> None:
        self.found = Identity(NOT_VERIFIED, 0)
        self._own = own
        self._directory = directory

    def identify(self, key_name: str | None) -> Identity:
        """Return whose key id this is, without looking at a signature."""
        return self._own.identify(key_name)

    def authenticate(
        self, key_name: str | None, signature: str | None, payload: bytes, banned: bool = False
    ) -> Identity:
        """Return who signed `payload`."""
        found = self.found
        if found.auth != NOT_VERIFIED and not banned:
            definition = self._directory.keys.get(key_name or "")
            if definition is not None and definition.key == found.key and definition.enabled:
                return found
        return self._own.authenticate(key_name, signature, payload, banned)


class EdgeDesk:
    """What all edges of one gate ask of its core.

    `dialect` reads what they forward, with `authenticator`. Raises nothing on what clients sent.
    """

    def __init__(
        self,
        core: ServedCore,
        dialect: HttpDialect,
        authenticator: EdgeAuthenticator,
        orders: Orders,
        meter: MeasuredAnswers,
    ) -> None:
        self.core = core
        self.dialect = dialect
        self.authenticator = authenticator
        self.meter = meter
        self._orders = orders
        self._used = core.pipeline.used
        self._keys = core.directory.keys_by_number
        self._ladder: Any = core.pipeline.rule(BanLadder.name)

    def definitions(self) -> Iterator[Callable[[], Definition | None]]:
        """Yield what returns each definition there is, as it stands when it is called."""
        directory = self.core.directory
        for number, name in tuple(directory.names(DEFINE_ASSET).items()):
            yield partial(Define, DEFINE_ASSET, number, name)
        for symbol in tuple(directory.symbols_by_number):
            yield partial(directory.symbols_by_number.get, symbol)
        for key in tuple(directory.keys_by_number):
            yield partial(directory.keys_by_number.get, key)

    def looked_at(self, event: AskedEvent) -> AskedEvent:
        """Return a request with the result of authentication as it is now."""
        ladder = self._ladder
        if ladder is not None and ladder.banned_until(event.ip, self.core.now_ns()):
            # Its signature was verified before the edge could know; here it would not have been.
            return msgspec.structs.replace(event, auth=AUTH_NOT_CHECKED)
        if not self._keys[event.key].enabled:
            return msgspec.structs.replace(event, auth=AUTH_UNKNOWN_KEY)
        return event

    def decided(self, number: int, outcome: Outcome) -> Decided:
        """Return an outcome with what its answer says beside it."""
        event, decision = outcome.event, outcome.decision
        assert isinstance(event, Request)
        account = decision.account
        if not account and event.key:
            account = self._keys[event.key].account
        now_ns = self.core.now_ns()
        weights = self._used("request_weight", SCOPE_IP, event.ip, now_ns)
        counts = self._used("order_count", SCOPE_ACCOUNT, account, now_ns) if account else ()
        return Decided(
            number,
            outcome.seq,
            outcome.now_ns,
            decision,
            outcome.result,
            outcome.result_ns,
            weights,
            counts,
            self._view(event, outcome, account),
        )

    def _view(self, event: Request, outcome: Outcome, account: int) -> OrderView | None:
        """Return the order an answer is about where the outcome does not say all of it."""
        kind = type(event)
        if kind in _WITH_ORDER:
            order_id = outcome.decision.order_id
        elif kind is Replace and outcome.result is not None and outcome.result.ended:
            order_id = outcome.result.ended[0].order_id
        else:
            return None
        return self._orders.get(account, 0, order_id, "") if order_id else None
=======
    def _next(self) -> None:
        if self._waiting:
            first = self._waiting[0]
            self.lane = self._edge.lane(first)
            self.since_ns = first.since_ns
        else:
            self.lane = NOWHERE
            self._edge.leave(self._number)
>>>>>>> 1a45645 (wip)


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
        self.link = Link(FromEdge, self._arrive, lost, _failed)
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
        lines, turns = self._lines, self._desk.turns
        for message in messages:
            if type(message) not in self._acts:
                self._report(message)
                continue
            line = lines.get(message.connection)
            if line is None:
                line = lines[message.connection] = _Line(self, message)
                turns.add(line)
            else:
                line.join(message)

    def lane(self, message: AnyAsking) -> int:
        """Return the lane of a request; who has not proved a key is as urgent as a stranger."""
        return self._desk.lane(message)

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
        except Exception:
            _logger.exception("fault while answering %r", event)
            self.link.send(Failed(number))
            return
        told = (response.status, response.headers, response.body)
        self.link.send(Answered(number, *told, event.ip, event.agent))

    def _report(self, message: Listening | Measured) -> None:
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
