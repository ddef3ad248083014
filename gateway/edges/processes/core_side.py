"""What the core's process does for its edge processes: their requests in, outcomes back.

What an edge has read goes through the core's door as it is, after a look at what only the core
knows for sure: whether the key is still in force and the address not banned. What an edge has
forwarded is read and answered by a dialect here, as in a gate without edge processes. No task,
future or await is made for a request; the outcomes of a turn leave in one write.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

import msgspec

from gateway.auth.authenticator import Authenticator, Identity
from gateway.dialects.http import HttpDialect, HttpRequest, Parsed
from gateway.directory import Directory
from gateway.edges.processes.link import Link
from gateway.edges.processes.messages import (
    NOT_VERIFIED,
    Answered,
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
from gateway.edges.protocols import SubmittingCore
from gateway.outcome import Outcome
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
from rules.reasons import Reason
from rules.rulebook import Rulebook
from rules.values import (
    AUTH_NOT_CHECKED,
    AUTH_UNKNOWN_KEY,
    DEFINE_ASSET,
    SCOPE_ACCOUNT,
    SCOPE_IP,
)

TURN_REQUESTS: Final = 64
"""Requests of one edge that are taken before others get their turn."""
DEFINITIONS_PER_TURN: Final = 512
_WITH_ORDER: Final = frozenset((Cancel, Amend))

_logger: Final = logging.getLogger(__name__)


class ServedCore(SubmittingCore, Protocol):
    """What is asked of the core for edge processes."""

    @property
    def pipeline(self) -> Pipeline:
        """Uses of limits, and bans."""

    @property
    def rulebook(self) -> Rulebook:
        """Limits, weights and filters in force."""

    @property
    def book(self) -> Book:
        """The facts of the pipeline."""

    def now_ns(self) -> int:
        """Return the core's time."""


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


class EdgeLink:
    """One edge process, as the core's process has it."""

    def __init__(
        self, desk: EdgeDesk, listening: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self.connections = 0
        self.refused_connections = 0
        self.unanswered = 0
        """Requests that are with the core."""
        self.link = Link(FromEdge, self._arrive, lost, _failed)
        self._desk = desk
        self._listening = listening
        self._arrived: deque[Any] = deque()
        self._turn_planned = False
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

    # --- Requests -----------------------------------------------------------------------------

    def _arrive(self, messages: list[Any]) -> None:
        self._arrived += messages
        if not self._turn_planned:
            self._turn()

    def _turn(self) -> None:
        """Take some of what has arrived, also of an edge that has died since."""
        self._turn_planned = False
        arrived, link = self._arrived, self.link
        link.hold()
        for _ in range(min(len(arrived), TURN_REQUESTS)):
            message = arrived.popleft()
            act = self._acts.get(type(message))
            if act is None:
                self._report(message)
                continue
            self.unanswered += 1
            try:
                act(message)
            except Exception:
                _logger.exception("fault while deciding %r", message)
                self._tell(Failed(message.number))
        link.flush()
        if arrived:
            self._turn_planned = True
            self._loop.call_soon(self._turn)

    def _asked(self, message: Asked) -> None:
        desk = self._desk
        desk.core.submit(desk.looked_at(message.event), partial(self._decided, message.number))

    def _decided(self, number: int, outcome: Outcome) -> None:
        self._tell(self._desk.decided(number, outcome))

    def _forwarded(self, message: Forwarded) -> None:
        desk = self._desk
        desk.authenticator.found = Identity(message.auth, message.key)
        parsed = desk.dialect.parse(
            HttpRequest(
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
        )
        self._submit(message.number, parsed)

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
            self._tell(Failed(number))
            return
        told = (response.status, response.headers, response.body)
        self._tell(Answered(number, *told, event.ip, event.agent))

    def _tell(self, message: Message) -> None:
        self.unanswered -= 1
        self.link.send(message)

    def _report(self, message: Listening | Measured) -> None:
        if isinstance(message, Listening):
            self._listening()
            return
        self.connections = message.connections
        self.refused_connections = message.refused_connections
        self._desk.meter.answered_elsewhere(message.answers, message.latencies)


def definition_of(event: Event) -> Definition | None:
    """Return what edges are told of an event, None when it is nothing to them."""
    if isinstance(event, (DefineSymbol, DefineKey)):
        return event
    if isinstance(event, Define) and event.kind == DEFINE_ASSET:
        return event
    return None


def _failed(message: Message) -> Message | None:
    """Return what an edge is told in place of an answer that can't be told."""
    return Failed(message.number) if isinstance(message, (Decided, Answered)) else None
