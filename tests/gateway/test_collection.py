"""Full collections of garbage keep off the path of orders, which makes no garbage for them."""

import asyncio
import gc
import re
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from gateway.collection import Collector
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import Client, config, running
from tests.gateway.http.http_world import client
from tests.gateway.test_resting_grpc import GrpcClient, channel_of

PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n"
REQUESTS = 300
OF_GRPCIO = {
    "_HandlerCallDetails",
    "_Metadatum",
    "__pyx_scope__find_method_handler",
    "cython_function_or_method",
    "tuple",
}


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


def test_calls_over_grpc_leave_only_what_grpcio_makes(tmp_path: Path) -> None:
    """Its search for a call's method refers to itself, a health check's as an order's."""

    async def scenario() -> Counter[str]:
        async with running(config(tmp_path)) as gate, channel_of(gate) as channel:
            alice, health = GrpcClient(gate, channel), HealthStub(channel)
            order_id = await alice.place()
            await health.Check(HealthCheckRequest())
            gc.collect()
            gc.disable()
            gc.set_debug(gc.DEBUG_SAVEALL)
            try:
                for _ in range(REQUESTS):
                    await alice.status(order_id)
                    await health.Check(HealthCheckRequest())
                gc.collect()
                return Counter(type(one).__name__ for one in gc.garbage)
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()

    left = asyncio.run(scenario())
    often = {
        re.sub(r"_struct_[0-9]+__", "__", name)
        for name, number in left.items()
        if number >= REQUESTS // 2
    }
    assert often <= OF_GRPCIO, left
