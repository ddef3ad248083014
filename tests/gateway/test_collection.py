"""Full collections of garbage keep off the path of orders, which makes no garbage for them."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.collection import Collector
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import Client, config, running
from tests.gateway.http.http_world import client

PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n"
REQUESTS = 300


class Decisions:
    """Counts decisions, as told."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> int:
        """Return how many there were."""
        return self.made


@pytest.fixture
def decisions() -> Iterator[Decisions]:
    """Decisions of a gate whose collector is stopped in the end, whatever happens."""
    thresholds = gc.get_threshold()
    yield Decisions()
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def full_collections() -> int:
    """Return how many full collections this process has had."""
    return int(gc.get_stats()[2]["collections"])


def make_young_objects() -> None:
    """Make as many that live as lead to a full collection with the usual thresholds."""
    kept = [[[number] for number in range(200_000)] for _ in range(3)]
    assert kept


def test_no_full_collection_comes_by_itself(decisions: Decisions) -> None:
    """Not while objects are made, and not at a look after which something was decided."""
    collector = Collector(decisions)
    before = full_collections()
    make_young_objects()
    decisions.made += 1
    collector.look()
    assert full_collections() == before
    assert collector.full == 0
    collector.stop()


def test_a_quiet_moment_is_used(decisions: Decisions) -> None:
    """Once nothing was decided between two looks; and only once, while nothing new is made."""
    collector = Collector(decisions)
    make_young_objects()
    decisions.made = 7
    collector.look()
    before = full_collections()
    for _ in range(3):
        collector.look()
    assert full_collections() == before + 1
    assert collector.full == 1
    collector.stop()


class Node:
    """Something that refers to itself, so counting references does not free it."""

    def __init__(self) -> None:
        self.me = self


def test_young_garbage_is_collected_and_what_lives_is_put_aside(decisions: Decisions) -> None:
    """At each look after something was decided; what was put aside is not looked at again."""
    collector = Collector(decisions)
    gone, kept = Node(), Node()
    seen = weakref.ref(gone)
    del gone
    collector.tend()
    assert seen() is not None
    decisions.made += 1
    collector.tend()
    assert seen() is None
    assert not [one for one in gc.get_objects() if one is kept]
    collector.stop()


def test_what_was_put_aside_is_collected_in_a_quiet_moment(decisions: Decisions) -> None:
    """Garbage that was alive when it was young is found once there has been enough work."""
    collector = Collector(decisions)
    node = Node()
    seen = weakref.ref(node)
    for _ in range(3_000):
        decisions.made += 1
        collector.tend()
    del node
    collector.look()
    assert seen() is not None
    collector.look()
    assert seen() is None
    assert collector.full == 1
    collector.stop()


def test_the_interpreter_has_it_back_afterwards(decisions: Decisions) -> None:
    """Thresholds are as they were, and nothing stays put aside."""
    before = gc.get_threshold()
    first, second = Collector(decisions), Collector(decisions)
    first.stop()
    assert gc.get_threshold() != before
    assert gc.get_freeze_count() > 0
    second.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_requests_and_connections_leave_no_garbage(tmp_path: Path) -> None:
    """What they made is gone by counting references; hundreds of requests leave no cycle each."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            port = gate.ports["rest"]
            async with client(port) as one:
                one.send(PING)
                await one.answer()
            alice = Client(gate)
            await alice.place()
            gc.collect()
            async with client(port) as one:
                for _ in range(REQUESTS):
                    one.send(PING)
                    assert await one.answer() is not None
                gc.disable()
                gc.collect()
                for _ in range(REQUESTS):
                    one.send(PING)
                    assert await one.answer() is not None
                found = gc.collect()
                gc.enable()
            assert found < REQUESTS // 2

    run(scenario())
