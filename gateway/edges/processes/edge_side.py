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
from gateway.lanes import CANCELS, LANES, ORDERS, QUERIES
from gateway.outcome import Outcome, Reply
from rules.decisions import REFUSED
from rules.events import Event, Request
from rules.reasons import Reason
from rules.values import INT63_MAX


class Level(NamedTuple):
    """How much may wait for the core before less urgent requests wait in the edge."""

    begins: int
    """From so many requests on that the core has not answered."""
    ends: int
    """Until there are no more than so many."""
    open_lanes: int
    """So many lanes are read on, the most urgent first."""


LEVELS: Final = (
    Level(512, 384, QUERIES),
    Level(768, 704, ORDERS),
    Level(1_024, 960, CANCELS),
)
"""Questions and strangers wait first, so that they never fill the way of orders; then orders."""
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

    `open_lanes` is called with how many lanes are to be read, whenever that changes. A reply is
    called with None when the gate met a bug of its own.
    """

    def __init__(
        self,
        link: Link,
        directory: MirrorDirectory,
        open_lanes: Callable[[int], None],
        levels: tuple[Level, ...] = LEVELS,
    ) -> None:
        self.directory: Directory = directory
        self.dialect: EdgeDialect | None = None
        """Told who is banned."""
        self.submitted = 0
        """Requests that were sent to the core."""
        self._link = link
        self._names = directory
        self._open_lanes = open_lanes
        self._levels = levels
        self._level = 0
        """How many of the levels are reached."""
        self._next = levels[0].begins
        """From so many unanswered requests on the next one is."""
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
        if len(self._waiting) >= self._next:
            self._rise()

    def crowded(self, crowded: bool) -> None:
        """Take note of whether what was sent to the core waits to be taken."""
        self._crowded = crowded
        self._tell()

    def _rise(self) -> None:
        self._level += 1
        self._next = INT63_MAX
        if self._level < len(self._levels):
            self._next = self._levels[self._level].begins
        self._tell()

    def _fall(self) -> None:
        self._level -= 1
        self._next = self._levels[self._level].begins
        self._tell()

    def _tell(self) -> None:
        level = len(self._levels) if self._crowded else self._level
        self._open_lanes(self._levels[level - 1].open_lanes if level else LANES)

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
        if self._level and len(self._waiting) <= self._levels[self._level - 1].ends:
            self._fall()
        return waiting


def take_each(acts: dict[type[Any], Callable[[Any], None]], messages: list[Any]) -> None:
    """Have each message taken by what is there for its kind, in order."""
    for message in messages:
        acts[type(message)](message)
