"""Requests that come as calls of their own, each with a task that waits for its answer.

What is a connection to other edges is a peer here: its calls wait for their turns one after the
other, however many it has begun.
"""

from collections import deque
from collections.abc import Callable, Hashable

import msgspec

from gateway.answer import Answer
from gateway.lanes import MARKET_DATA, strangers_lane
from gateway.stages import Stages
from gateway.turns import NOWHERE, Source, Turns


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request that waits for its turn."""

    lane: int
    since_ns: int
    """Stopwatch when it came."""
    decide: Callable[[], None]
    """Submits it."""
    shed: Callable[[int, int], None]
    """Submits its refusal, with how long it waited and the bound."""
    answer: Answer
    """Told when either raises; the outcome comes by what they submit. One that is decided gets its
    trace here, where stages are told of requests."""


class Calls:
    """The calls of all peers of one edge.

    `trusts` tells whether a key was proved from an address; `stages` is told where the time goes.
    Where calls of many clients come one at a time, they `gather` for their turns.
    """

    def __init__(
        self,
        turns: Turns,
        trusts: Callable[[str], bool],
        stages: Stages | None = None,
        gather: bool = False,
    ) -> None:
        self.trusts = trusts
        self.stages = stages
        self._turns = turns
        self._gather = gather
        self._peers: dict[Hashable, _Peer] = {}

    def lane(self, lane: int, address: str) -> int:
        """Return the lane that a request for this lane has when it comes from an address."""
        if lane == MARKET_DATA or self.trusts(address):
            return lane
        return strangers_lane(lane)

    def line_up(self, source: Source) -> None:
        """Let a source that has requests to be decided wait for its turn."""
        self._turns.add(source, self._gather)

    def add(self, peer: Hashable, call: Call) -> None:
        """Let a call of a peer wait for its turn."""
        found = self._peers.get(peer)
        if found is None:
            found = self._peers[peer] = _Peer(self._peers, peer, self.stages)
        found.calls.append(call)
        if not found.in_line:
            found.in_line = True
            found.next()
            self.line_up(found)


class _Peer:
    """One peer that has calls waiting."""

    __slots__ = (
        "_name",
        "_peers",
        "_stages",
        "calls",
        "in_line",
        "lane",
        "since_ns",
        "taken",
        "turn",
    )

    def __init__(
        self, peers: "dict[Hashable, _Peer]", name: Hashable, stages: Stages | None
    ) -> None:
        self.lane = NOWHERE
        self.since_ns = self.turn = self.taken = 0
        self.calls: deque[Call] = deque()
        self.in_line = False
        self._peers = peers
        self._name = name
        self._stages = stages

    @property
    def waiting(self) -> int:
        """Number of calls that wait."""
        return len(self.calls)

    def next(self) -> None:
        """Stand in the lane of the first call."""
        self.lane = NOWHERE
        if self.calls:
            self.lane, self.since_ns = self.calls[0].lane, self.calls[0].since_ns

    def decide(self) -> None:
        """Have the first call decided."""
        call = self.calls.popleft()
        if self._stages is not None:
            call.answer.trace = self._stages.begin(call.since_ns)
        try:
            call.decide()
        except Exception as error:  # the task that waits for the answer tells of it
            call.answer.fail(error)
        self.next()

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Have the first call refused, because it has waited for too long."""
        call = self.calls.popleft()
        try:
            call.shed(waited_ns, most_ns)
        except Exception as error:  # as above
            call.answer.fail(error)
        self.next()

    def turn_over(self) -> None:
        """Be forgotten when nothing waits any more."""
        if self.lane == NOWHERE:
            self.in_line = False
            self._peers.pop(self._name, None)
