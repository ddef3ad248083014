"""The core as an edge process sees it: requests go over a socket, outcomes come back."""

from collections.abc import Callable
from itertools import count
from typing import Any, Final, NamedTuple, Protocol, cast

from gateway.dialects.http import HttpResponse
from gateway.directory import Directory
from gateway.edges.processes.edge_dialect import EdgeDialect, Forward, forwarded
from gateway.edges.processes.link import Link
from gateway.edges.processes.messages import (
    Answered,
    Asked,
    AskedEvent,
    Decided,
    Failed,
    Forwarded,
    Unreadable,
)
from gateway.edges.processes.mirror import LocalOutcome, MirrorDirectory
from gateway.outcome import Outcome, Reply
from rules.decisions import REFUSED
from rules.events import Event, Request
from rules.reasons import Reason

UNANSWERED_MAX: Final = 1_024
"""Requests of one edge that the core has not answered, above which no more are read."""
_RESUME_SHARE: Final = 2
"""Reading goes on once no more than this part of them is left."""
_BANNED_STATUS: Final = 418


class EdgeReply(Protocol):
    """Whom an outcome is for: a request of a connection."""

    @property
    def connection(self) -> int:
        """Number of the connection."""

    @property
    def started_ns(self) -> int:
        """Stopwatch when the request arrived."""

    def __call__(self, outcome: Outcome | None) -> None:
        """Take the outcome, None when the gate met a bug of its own."""


class _Waiting(NamedTuple):
    """A request without an answer."""

    event: Event
    reply: EdgeReply


class RemoteCore:
    """Has requests decided by the core in another process.

    `hold` and `go_on` are called when so much waits for the core that nothing more should be read,
    and when it should again. A reply is called with None when the gate met a bug of its own.
    """

    def __init__(
        self,
        link: Link,
        directory: MirrorDirectory,
        hold: Callable[[], None],
        go_on: Callable[[], None],
        unanswered_max: int = UNANSWERED_MAX,
    ) -> None:
        self.directory: Directory = directory
        self.dialect: EdgeDialect | None = None
        """Told who is banned."""
        self.submitted = 0
        """Requests that were sent to the core."""
        self._link = link
        self._names = directory
        self._hold = hold
        self._go_on = go_on
        self._most = unanswered_max
        self._few = unanswered_max // _RESUME_SHARE
        self._held = False
        self._crowded = False
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = count(1)

    @property
    def unanswered(self) -> int:
        """Number of requests without an answer."""
        return len(self._waiting)

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Send a request to the core; `reply` is called with the outcome, always later."""
        number = next(self._numbers)
        asking = cast("EdgeReply", reply)
        self._waiting[number] = _Waiting(event, asking)
        self.submitted += 1
        head = (number, asking.connection, asking.started_ns)
        if isinstance(event, Forward):
            self._forward(head, event)
        else:
            self._link.send(Asked(*head, cast("AskedEvent", event)))
        if not self._held and len(self._waiting) >= self._most:
            self._held = True
            self._hold()

    def crowded(self, crowded: bool) -> None:
        """Take note of whether what was sent to the core waits to be taken."""
        self._crowded = crowded
        if crowded and not self._held:
            self._held = True
            self._hold()
        elif not crowded:
            self._relieve()

    def _forward(self, head: tuple[int, int, int], event: Forward) -> None:
        request = event.request
        if request is None:
            address, reason = event.address, event.reason
            self._link.send(Unreadable(*head, address, event.received_ns, reason, event.detail))
            return
        self._link.send(
            Forwarded(
                *head,
                request.method,
                request.path,
                request.query,
                dict(request.headers),
                request.body,
                request.address,
                request.received_ns,
                request.body_too_large,
                event.auth,
                event.key,
                event.endpoint,
            )
        )

    # --- What the core says -------------------------------------------------------------------

    def decided(self, told: Decided) -> None:
        """Take the outcome of a request that is answered here."""
        event, reply = self._take(told.number)
        decision = told.decision
        dialect = self.dialect
        if dialect is not None and decision.verdict == REFUSED:
            assert isinstance(event, Request)
            if decision.breaches[0].reason is Reason.ADDRESS_BANNED:
                address = self._names.address_name(event.ip)
                dialect.note(address, banned=True)
        reply(
            LocalOutcome(
                told.seq,
                told.now_ns,
                event,
                decision,
                told.result,
                told.result_ns,
                told.weights,
                told.counts,
                told.view,
                told.waited_ns,
                told.most_ns,
            )
        )

    def answered(self, told: Answered) -> None:
        """Take the answer to what was forwarded."""
        event, reply = self._take(told.number)
        assert isinstance(event, Forward)
        request = event.request
        agent = "" if request is None else request.headers.get("user-agent", "")
        self._names.learn(event.address, told.ip, agent, told.agent)
        if self.dialect is not None:
            self.dialect.note(event.address, told.status == _BANNED_STATUS)
        reply(forwarded(event, HttpResponse(told.status, told.lines, told.body)))

    def failed(self, told: Failed) -> None:
        """Take word that the gate met a bug with a request."""
        self._take(told.number).reply(None)

    def _take(self, number: int) -> _Waiting:
        waiting = self._waiting.pop(number)
        if self._held:
            self._relieve()
        return waiting

    def _relieve(self) -> None:
        if self._held and not self._crowded and len(self._waiting) <= self._few:
            self._held = False
            self._go_on()


def take_each(acts: dict[type[Any], Callable[[Any], None]], messages: list[Any]) -> None:
    """Have each message taken by what is there for its kind, in order."""
    for message in messages:
        acts[type(message)](message)
