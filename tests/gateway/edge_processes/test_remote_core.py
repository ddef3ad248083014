"""The core as an edge sees it: outcomes to whom they belong, and no more in flight than is good."""

import asyncio
import socket
from itertools import pairwise
from typing import Any

import pytest

from gateway.dialects.http import HttpRequest
from gateway.edges.processes import edge_dialect
from gateway.edges.processes.edge_dialect import Forward, ForwardedOutcome
from gateway.edges.processes.edge_side import LEVELS, Level, RemoteCore, take_each
from gateway.edges.processes.link import Link
from gateway.edges.processes.messages import (
    Answered,
    Asked,
    Decided,
    Failed,
    FromCore,
    FromEdge,
)
from gateway.edges.processes.mirror import LEARNT_MAX, Learnt, LocalOutcome, MirrorDirectory
from gateway.lanes import CANCELS, LANES, ORDERS, QUERIES
from gateway.outcome import Outcome
from rules.decisions import ACCEPTED, Decision
from rules.events import Query
from rules.values import DEFINE_ADDRESS, DEFINE_AGENT
from tests.gateway.edges.rest_world import run

HEAD = (60, 1, 2, 2, 10, 10, 5, 0, 1, 0, 0)


class Waiter:
    """Whoever waits for an outcome."""

    def __init__(self, connection: int = 1) -> None:
        self.connection = connection
        self.started_ns = 70 + connection
        self.told: list[Outcome | None] = []

    def __call__(self, outcome: Outcome | None) -> None:
        """Take it."""
        self.told.append(outcome)


class Ends:
    """An edge's link and the core's, and what came to the latter."""

    def __init__(self) -> None:
        self.at_core: list[Any] = []
        self.lanes: list[int] = []
        self.acts: dict[type[Any], Any] = {}
        self.edge = Link(FromCore, lambda told: take_each(self.acts, told), lambda: None)
        self.core = Link(FromEdge, self.at_core.extend, lambda: None)
        self.directory = MirrorDirectory()
        self.remote = RemoteCore(
            self.edge,
            self.directory,
            self.lanes.append,
            (Level(2, 1, QUERIES), Level(3, 2, ORDERS), Level(5, 4, CANCELS)),
        )
        self.acts |= {
            Decided: self.remote.decided,
            Answered: self.remote.answered,
            Failed: self.remote.failed,
        }

    async def connect(self) -> None:
        """Connect the two."""
        one, other = socket.socketpair()
        await self.edge.open(one)
        await self.core.open(other)

    async def settle(self) -> None:
        """Let everything that was sent arrive."""
        for _ in range(20):
            await asyncio.sleep(0.001)


def decided(number: int) -> Decided:
    """Return an outcome."""
    return Decided(number, 100 + number, 7, Decision(ACCEPTED), None, 0, (), (), None)


def test_outcomes_find_their_requests() -> None:
    """In whatever order they come; a fault of the gate is told as none."""

    async def scenario() -> None:
        ends = Ends()
        await ends.connect()
        waiters = [Waiter(number) for number in (1, 2, 3)]
        for waiter in waiters:
            ends.remote.submit(Query(*HEAD, order_id=waiter.connection), waiter)
        await ends.settle()
        heads = [(one.number, one.connection, one.since_ns) for one in ends.at_core]
        assert heads == [(1, 1, 71), (2, 2, 72), (3, 3, 73)]
        assert all(isinstance(message, Asked) for message in ends.at_core)
        for message in (decided(2), Failed(3), decided(1)):
            ends.core.send(message)
        await ends.settle()
        assert waiters[2].told == [None]
        for number, waiter in enumerate(waiters[:2], 1):
            (outcome,) = waiter.told
            assert isinstance(outcome, LocalOutcome)
            assert outcome.seq == 100 + number
            assert outcome.event == Query(*HEAD, order_id=number)
        assert ends.remote.unanswered == 0
        ends.edge.close()

    run(scenario())


def test_no_more_than_the_core_can_take() -> None:
    """Less urgent lanes are closed first and opened last, each at its own bounds."""

    async def scenario() -> None:
        ends = Ends()
        await ends.connect()
        expected = {1: [], 2: [QUERIES], 3: [ORDERS], 4: [], 5: [CANCELS], 6: []}
        for changes in expected.values():
            ends.lanes.clear()
            ends.remote.submit(Query(*HEAD), Waiter())
            assert ends.lanes == changes
        for number, left in enumerate((5, 4, 3, 2, 1, 0), 1):
            ends.lanes.clear()
            ends.core.send(decided(number))
            await ends.settle()
            assert ends.remote.unanswered == left
            assert ends.lanes == {4: [ORDERS], 2: [QUERIES], 1: [LANES]}.get(left, [])
        ends.edge.close()

    run(scenario())


def test_a_core_that_reads_nothing() -> None:
    """Every lane is closed while what was sent is not taken, however few requests that are."""

    async def scenario() -> None:
        ends = Ends()
        await ends.connect()
        ends.remote.crowded(True)
        for _ in range(2):
            ends.remote.submit(Query(*HEAD), Waiter())
        assert ends.lanes == [CANCELS, CANCELS]
        ends.remote.crowded(False)
        ends.core.send(decided(1))
        await ends.settle()
        assert ends.lanes == [CANCELS, CANCELS, QUERIES, LANES]
        ends.edge.close()

    run(scenario())


def test_the_bounds_of_an_edge() -> None:
    """Orders have room that questions never take, and cancels some that orders never take."""
    assert [(one.begins, one.open_lanes) for one in LEVELS] == [
        (512, QUERIES),
        (768, ORDERS),
        (1_024, CANCELS),
    ]
    assert all(one.ends < one.begins for one in LEVELS)
    assert all(below.begins <= above.ends for below, above in pairwise(LEVELS))


def test_names_are_learnt_from_answers() -> None:
    """The numbers that come with the answer to what was forwarded are known from then on."""

    async def scenario() -> None:
        ends = Ends()
        await ends.connect()
        request = HttpRequest("GET", "/", b"", {"user-agent": "bot"}, b"", "127.0.0.5", 1)
        waiter = Waiter()
        ends.remote.submit(Forward(*HEAD, request, request.address), waiter)
        await ends.settle()
        ends.core.send(Answered(1, 204, "a: b\r\n", b"body", 17, 9))
        await ends.settle()
        assert ends.directory.known(DEFINE_ADDRESS, "127.0.0.5") == 17
        assert ends.directory.known(DEFINE_AGENT, "bot") == 9
        (outcome,) = waiter.told
        assert isinstance(outcome, ForwardedOutcome)
        assert outcome.response is not None
        assert (outcome.response.status, outcome.response.body) == (204, b"body")
        assert outcome.response.headers == [("a", "b")]
        ends.edge.close()

    run(scenario())


def test_what_is_learnt_is_bounded() -> None:
    """The oldest name goes; none and unknown are 0."""
    learnt = Learnt(most=3)
    for number in range(1, 5):
        learnt.learn(f"name {number}", number)
    learnt.learn("nobody", 0)
    assert [learnt.number(f"name {number}") for number in range(1, 5)] == [0, 2, 3, 4]
    assert [learnt.name(number) for number in range(5)] == ["", "", "name 2", "name 3", "name 4"]
    assert learnt.number("nobody") == 0
    assert LEARNT_MAX == 65_536


def test_addresses_kept_in_mind_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; one that is there already takes no further room."""
    assert edge_dialect.KEPT_MAX == 65_536
    monkeypatch.setattr(edge_dialect, "KEPT_MAX", 3)
    kept: dict[str, None] = {}
    for address in ("a", "b", "c", "a", "d"):
        edge_dialect._keep(kept, address)
    assert list(kept) == ["b", "c", "d"]


def test_an_edge_defines_nothing() -> None:
    """A name it does not know has no number."""
    directory = MirrorDirectory()
    assert directory.caller("127.0.0.7", proved=True) == 0
    assert directory.agent("some program") == 0
    with pytest.raises(LookupError, match="has no number"):
        directory.number(1, "127.0.0.7")
