"""Requests that come as calls of their own, each with a task that waits for its answer.

What is a connection to other edges is a peer here: its calls wait for their turns one after the
other, however many it has begun.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import NamedTuple

from gateway.answer import Answer
from gateway.lanes import MARKET_DATA, strangers_lane
from gateway.turns import NOWHERE, Turns


class Call(NamedTuple):
    """One request that waits for its turn."""

    lane: int
    since_ns: int
    """Stopwatch when it came."""
    decide: Callable[[], None]
    """Submits it."""
    shed: Callable[[int, int], None]
    """Submits its refusal, with how long it waited and the bound."""
    answer: Answer
    """Told when either raises; the outcome comes by what they submit."""


class Calls:
    """The calls of all peers of one edge; `trusts` tells whether a key was proved from an address."""

    def __init__(self, turns: Turns, trusts: Callable[[str], bool]) -> None:
        self.turns = turns
        self.trusts = trusts
        self._peers: dict[Hashable, _Peer] = {}

    def lane(self, lane: int, address: str) -> int:
        """Return the lane that a request for this lane has when it comes from an address."""
        if lane == MARKET_DATA or self.trusts(address):
            return lane
        return strangers_lane(lane)

    def add(self, peer: Hashable, call: Call) -> None:
        """Let a call of a peer wait for its turn."""
        found = self._peers.get(peer)
        if found is None:
            found = self._peers[peer] = _Peer(self._peers, peer)
        found.calls.append(call)
        if not found.in_line:
            found.in_line = True
            found.next()
            self.turns.add(found)


class _Peer:
    """One peer that has calls waiting."""

    __slots__ = ("_name", "_peers", "calls", "in_line", "lane", "since_ns", "taken", "turn")

    def __init__(self, peers: "dict[Hashable, _Peer]", name: Hashable) -> None:
        self.lane = NOWHERE
        self.since_ns = self.turn = self.taken = 0
        self.calls: deque[Call] = deque()
        self.in_line = False
        self._peers = peers
        self._name = name

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
