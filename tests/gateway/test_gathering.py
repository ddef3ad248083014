"""Requests that come one at a time: when their turn begins, and that nothing waits long for it."""

import pytest

from gateway.turns import GATHERED, QUIET_NS, QUIET_ROUNDS, VAIN_ROUNDS, Bounds
from tests.gateway.turns_world import MS, Listed, World

GATHER_NS = Bounds().gather_ns


def gathering(world: World, name: str, requests: str = "o") -> Listed:
    """Return a source in line whose requests come one at a time."""
    source = Listed(world, name, gathers=True)
    source.arrive(requests)
    return source


def round_of(world: World, lasting_ns: int) -> list[str]:
    """Let one round of the loop pass; return what was decided at its end."""
    world.now_ns += lasting_ns
    return world.turn()


def test_a_turn_begins_after_three_quiet_rounds() -> None:
    """Not after two, and not after three with a busy one in between."""
    world = World()
    gathering(world, "a")
    assert QUIET_ROUNDS == 3
    for lasting_ns in (QUIET_NS, QUIET_NS - 1, QUIET_NS - 1, QUIET_NS, QUIET_NS - 1, QUIET_NS - 1):
        assert round_of(world, lasting_ns) == []
    assert round_of(world, QUIET_NS - 1) == ["a.o"]
    assert world.planned == []


def test_what_comes_meanwhile_is_decided_in_the_same_turn() -> None:
    """By its urgency, as ever."""
    world = World()
    gathering(world, "a")
    assert round_of(world, QUIET_NS) == []
    gathering(world, "b", "c")
    assert round_of(world, QUIET_NS) == []
    assert round_of(world, 1) == []
    assert round_of(world, 1) == []
    assert round_of(world, 1) == ["b.c", "a.o"]


@pytest.mark.parametrize(("requests", "decided"), [(GATHERED - 1, 0), (GATHERED, GATHERED)])
def test_enough_requests_begin_a_turn(requests: int, decided: int) -> None:
    """Of one source or of many."""
    for sources in ([requests], [1] * requests):
        world = World(Bounds(turn_ns=10 * MS))
        for number, count in enumerate(sources):
            gathering(world, str(number), "o" * count)
        assert len(round_of(world, QUIET_NS)) == decided


@pytest.mark.parametrize(("waited_ns", "begins"), [(GATHER_NS - 1, False), (GATHER_NS, True)])
def test_the_longest_wait(waited_ns: int, begins: bool) -> None:
    """It counts from the first request, whatever comes after it."""
    world = World()
    gathering(world, "a")
    assert round_of(world, GATHER_NS // 2) == []
    gathering(world, "b")
    assert bool(round_of(world, waited_ns - GATHER_NS // 2)) is begins


def test_long_rounds_in_vain() -> None:
    """On a slow machine, where no round is quiet, a lone request does not wait the longest time."""
    world = World(Bounds(gather_ns=1_000 * MS))
    gathering(world, "a")
    gathering(world, "b")
    rounds = 0
    while not round_of(world, QUIET_NS):
        rounds += 1
    assert rounds == VAIN_ROUNDS
    assert sorted(world.done) == ["a.o", "b.o"]


def test_nobody_waits_for_others_without_a_bound_for_it() -> None:
    """A turn that is not gathered for begins in the next round."""
    world = World(Bounds(gather_ns=0))
    gathering(world, "a")
    assert round_of(world, QUIET_NS) == ["a.o"]


def test_a_request_that_does_not_gather_brings_the_turn_of_all() -> None:
    """Over REST what has come is read at once, so there is nothing to wait for."""
    world = World()
    gathering(world, "a")
    world.source("b", "o")
    assert len(world.planned) == 2
    world.now_ns += 1
    look, take = world.planned
    world.planned.clear()
    look()
    assert world.done == []
    take()
    assert world.done == ["a.o", "b.o"]
    assert world.planned == []


def test_a_look_left_over_from_a_turn_serves_the_next_one() -> None:
    """There are never two looks a round, however turns come about."""
    world = World()
    gathering(world, "a")
    world.turns.finish()
    assert world.done == ["a.o"]
    gathering(world, "b")
    assert len(world.planned) == 1
    assert round_of(world, 1) == []
    assert round_of(world, 1) == []
    assert round_of(world, 1) == ["b.o"]
    assert world.planned == []


def test_what_a_turn_leaves_is_decided_in_the_next_round() -> None:
    """One that began waits for nobody any more."""
    world = World()
    gathering(world, "a", "o" * 20)
    assert len(round_of(world, 1)) == 10
    assert len(round_of(world, 1)) == 10
    assert world.planned == []


def test_slices_of_bulk_cancels_do_not_wait() -> None:
    """They have been decided already, and stand in no lane."""
    world = World()
    gathering(world, "a")
    world.turns.later(lambda: world.done.append("slice"))
    world.planned.pop()()
    assert world.done == ["slice", "a.o"]
