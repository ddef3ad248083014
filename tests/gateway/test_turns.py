"""Whose request is next: exact at every bound, on a stopwatch of the test's own."""

import asyncio
from pathlib import Path

import pytest

from gateway.config import OverloadConfig
from gateway.lanes import LANE_NAMES, STRANGERS, lane_of, strangers_lane
from gateway.rulebooks import load_rulebook
from gateway.turns import SHED_BEHIND, STRANGERS_EVERY, Bounds, Turns, bounds_of
from rules.endpoints import Endpoint
from tests.gateway.gate_world import config, running
from tests.gateway.turns_world import COST_NS, MS, World

SHORT = Bounds(orders_ns=40 * MS, queries_ns=20 * MS, market_data_ns=10 * MS, lasting_ns=30 * MS)


def test_what_was_read_in_one_round_is_decided_by_its_urgency() -> None:
    """Cancels before orders before queries before market data, whoever was read first."""
    world = World()
    for name, kind in (("a", "m"), ("b", "q"), ("c", "o"), ("d", "c"), ("e", "o"), ("f", "c")):
        world.source(name, kind)
    assert world.all() == ["d.c", "f.c", "c.o", "e.o", "b.q", "a.m"]


def test_a_source_keeps_its_order() -> None:
    """A cancel does not overtake the placement before it, nor anything else of its own source."""
    world = World()
    world.source("a", "oqc")
    world.source("b", "oc")
    # When its order is decided, a cancel comes first; behind a query it waits for the query.
    assert world.all() == ["a.o", "b.o", "b.c", "a.q", "a.c"]


def test_sources_of_a_lane_take_turns_one_request_each() -> None:
    """However many requests one has waiting."""
    world = World()
    world.source("a", "o" * 5)
    world.source("b", "oo")
    world.source("c", "o")
    assert world.all() == ["a.o", "b.o", "c.o", "a.o", "b.o", "a.o", "a.o", "a.o"]


@pytest.mark.parametrize(("waiting", "first"), [(15, 15), (16, 16), (17, 16)])
def test_no_more_than_so_many_of_a_source_in_a_turn(waiting: int, first: int) -> None:
    """Although there would be time, and nobody else waits."""
    world = World(Bounds(turn_ns=100 * MS))
    source = world.source("a", "o" * waiting)
    assert len(world.turn()) == first
    assert source.turns_over == 1
    assert len(world.all()) == waiting - first


def test_a_turn_ends_when_its_time_is_up() -> None:
    """With the request during which it ends; the rest waits for the next round of the loop."""
    world = World(Bounds(turn_ns=10 * COST_NS))
    world.source("a", "o" * 6)
    world.source("b", "o" * 6)
    assert len(world.turn()) == 10
    assert len(world.planned) == 1
    assert world.turn() == ["a.o", "b.o"]
    assert world.planned == []
    world = World(Bounds(turn_ns=10 * COST_NS - 1))
    world.source("a", "o" * 16)
    assert len(world.turn()) == 10
    world = World(Bounds(turn_ns=10 * COST_NS + 1))
    world.source("a", "o" * 16)
    assert len(world.turn()) == 11


def test_what_comes_later_and_is_more_urgent_is_next() -> None:
    """A cancel waits for one turn at most, however much waits."""
    world = World(Bounds(turn_ns=10 * COST_NS))
    for number in range(100):
        world.source(f"{number}", "o" * 50)
    world.turn()
    world.source("x", "c")
    assert world.turn()[0] == "x.c"


@pytest.mark.parametrize(("waited_ns", "shed"), [(40 * MS, False), (40 * MS + 1, True)])
def test_the_bound_of_a_wait(waited_ns: int, shed: bool) -> None:
    """Who waited exactly as long as the bound is decided, one ns longer is too long."""
    world = World(SHORT._replace(lasting_ns=0))
    world.source("a", "o")
    world.now_ns += waited_ns
    assert world.turn() == ["a.o!" if shed else "a.o"]
    assert world.turns.shed["orders"] == shed


@pytest.mark.parametrize(("lasted_ns", "shed"), [(30 * MS - 1, False), (30 * MS, True)])
def test_waits_must_have_lasted(lasted_ns: int, shed: bool) -> None:
    """Nothing is shed before waits were too long for a while."""
    world = World(SHORT)
    first = world.source("a", "o")
    second = world.source("b", "o")
    first.cost_ns = lasted_ns
    second.cost_ns = 0
    world.now_ns += 41 * MS
    assert world.all() == ["a.o", "b.o!" if shed else "b.o"]


def test_a_pause_of_the_machine_sheds_nothing() -> None:
    """What waited through it is decided at once, and nobody waits any more when that has lasted."""
    world = World()
    for number in range(64):
        world.source(f"{number}", "oq")
    world.now_ns += 1_000 * MS
    assert not any(one.endswith("!") for one in world.all())
    # A second pause long after is another one.
    world.now_ns += 1_000 * MS
    world.source("a", "o" * 10)
    world.now_ns += 1_000 * MS
    assert world.all() == ["a.o"] * 10
    assert world.turns.shed.total() == 0


def test_queues_stay_short_under_overload() -> None:
    """At twice what can be decided half is shed, cancels never, and it ends a second after it."""
    world = World()
    sources = [world.source(f"{number}") for number in range(64)]
    for source in sources:
        source.cost_ns = MS
    waits: list[int] = []
    until_ns = world.now_ns + 3_000 * MS
    arrived = cancels = 0
    while world.now_ns < until_ns:
        since_ns = world.now_ns
        if world.planned:
            world.turn()
        else:
            world.now_ns += MS
        for _ in range(2 * ((world.now_ns - since_ns) // MS)):
            kind = "c" if arrived % 20 == 0 else "o"
            cancels += kind == "c"
            sources[arrived % 64].arrive(kind)
            arrived += 1
        waits.append(max(state.oldest_ns for state in world.turns.states()))
    shed = world.turns.shed["orders"]
    assert 0.35 * arrived < shed < 0.55 * arrived
    assert world.turns.shed.total() == shed
    assert max(waits) <= 210 * MS
    assert max(waits[-1_000:]) <= 30 * MS
    assert any(state.shedding for state in world.turns.states())
    world.all()
    assert sum(one.endswith(".c") for one in world.done) == cancels
    assert len(world.done) == arrived
    ends_ns = max(pressure.last_ns for pressure in world.turns._pressures) + 1_000 * MS
    world.now_ns = ends_ns
    assert any(state.shedding for state in world.turns.states())
    world.now_ns = ends_ns + 1
    assert not any(state.shedding for state in world.turns.states())
    sources[0].arrive("o" * 16)
    assert world.all() == ["0.o"] * 16


@pytest.mark.parametrize(("waited_ns", "shed"), [(10 * MS, False), (10 * MS + 1, True)])
def test_while_a_lane_sheds_waits_are_short(waited_ns: int, shed: bool) -> None:
    """A quarter of the bound, as long as none has been beyond it for a while."""
    world = World(SHORT)
    world.source("slow", "o").cost_ns = 30 * MS
    world.source("shed", "o")
    world.now_ns += 41 * MS
    assert world.all() == ["slow.o", "shed.o!"]
    world.source("late", "oc")
    world.source("query", "q")
    world.now_ns += waited_ns
    assert world.all() == ["late.o!" if shed else "late.o", "late.c", "query.q"]
    world.now_ns += 300 * MS
    world.source("long after", "o")
    world.now_ns += 40 * MS
    assert world.all() == ["long after.o"]


def test_market_data_is_shed_first_and_orders_last() -> None:
    """No query is decided while an order waits; each lane is shed at its own bound, although its
    turn would not come."""
    world = World(SHORT._replace(lasting_ns=0, turn_ns=COST_NS))
    orders = world.source("o", "o" * 2_000)
    queries = world.source("q", "q" * 2)
    market = world.source("m", "m" * 2)
    at: dict[str, int] = {}
    since_ns = world.now_ns
    while queries.waiting or market.waiting or orders.waiting > 1_500:
        for one in world.turn():
            at.setdefault(one, world.now_ns - since_ns)
    assert "q.q" not in at
    assert "m.m" not in at
    assert 10 * MS < at["m.m!"] <= 10 * MS + COST_NS
    assert 20 * MS < at["q.q!"] <= 20 * MS + COST_NS
    assert 40 * MS < at["o.o!"] <= 40 * MS + COST_NS


def test_shedding_those_behind_takes_little_of_a_turn() -> None:
    """So many of each lane, and what they leave waits."""
    world = World(SHORT._replace(lasting_ns=0, turn_ns=COST_NS))
    orders = world.source("o", "o" * 10)
    for number in range(10):
        world.source(f"{number}", "m")
    world.now_ns += 11 * MS
    assert world.turn() == ["o.o", *(f"{number}.m!" for number in range(SHED_BEHIND))]
    assert orders.waiting == 9


def test_strangers_cancels_wait_but_not_for_ever() -> None:
    """One in so many while others wait, none is shed, and they come last where nobody else does."""
    world = World(SHORT._replace(lasting_ns=0))
    stranger = world.source("s")
    stranger.arrive("c" * 3, STRANGERS)
    for number in range(8):
        world.source(f"{number}", "c" * 5)
    world.now_ns += 1_000 * MS
    done = world.all()
    at = [number for number, one in enumerate(done) if one == "s.c"]
    assert at == [STRANGERS_EVERY - 1, 2 * STRANGERS_EVERY - 1, 42]
    assert world.turns.shed.total() == 0


def test_no_bound_sheds_nothing() -> None:
    """0 is without end."""
    world = World(bounds_of(OverloadConfig(orders="0s", queries="0s", market_data="0s")))
    world.source("a", "oqm")
    world.now_ns += 10**15
    assert world.all() == ["a.o", "a.q", "a.m"]


def test_slices_of_bulk_cancels_get_half_of_the_time() -> None:
    """Whoever waits gets as much time as the slice before took; without anybody they go on."""
    world = World(Bounds(turn_ns=10 * COST_NS))

    def slice_of() -> None:
        world.done.append("slice")
        world.now_ns += 25 * COST_NS

    for _ in range(3):
        world.turns.later(slice_of)
    for number in range(4):
        world.source(f"{number}", "o" * 10)
    done = world.all()
    at = [number for number, one in enumerate(done) if one == "slice"]
    assert at == [0, 31, 42]
    world.turns.later(slice_of)
    world.turns.later(slice_of)
    assert world.turn() == ["slice"]
    assert world.turn() == ["slice"]
    assert world.planned == []


def test_an_operator_goes_first() -> None:
    """While a request that was read is carried out only cancels are decided; not for ever."""
    world = World(Bounds(turn_ns=COST_NS))
    world.source("a", "ooo")
    world.source("b", "c")
    world.turns.operator_came()
    assert world.turn() == ["b.c"]
    assert world.turn() == []
    world.turns.operator_came()
    assert world.turn() == ["a.o"]
    world.turns.operator_came()
    assert world.turn() == world.turn() == []
    assert world.turn() == ["a.o"]
    assert world.turn() == ["a.o"]
    assert world.planned == []


def test_the_end_decides_everything() -> None:
    """Also what would be shed else by waiting on."""
    world = World()
    world.source("a", "o" * 100)
    world.turns.later(lambda: world.done.append("slice"))
    world.turns.finish()
    assert sorted(world.done) == ["a.o"] * 100 + ["slice"]


def test_a_fault_of_one_does_not_stop_the_others() -> None:
    """It is raised to the loop, which logs it, and the next turn is planned."""

    world = World()
    broken = world.source("a", "o")
    world.source("b", "o")

    def fail() -> None:
        raise RuntimeError("a bug")

    broken.decide = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        world.turn()
    assert world.turn() == ["b.o"]


def test_states_tell_what_waits() -> None:
    """By lane: sources, requests, the longest wait."""
    world = World()
    world.source("a", "oo")
    world.now_ns += 5
    world.source("b", "o")
    world.now_ns += 2
    cancels, orders, *_ = world.turns.states()
    assert (orders.sources, orders.requests, orders.oldest_ns) == (2, 3, 7)
    assert (cancels.sources, cancels.requests, cancels.oldest_ns) == (0, 0, 0)


def test_it_is_said_when_shedding_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Once each, with what was shed."""
    world = World(SHORT._replace(lasting_ns=0))
    world.turns.look()
    world.source("a", "oo")
    world.now_ns += 50 * MS
    world.all()
    for _ in range(3):
        world.turns.look()
    first, last = (record.getMessage() for record in caplog.records)
    assert "orders 2" in first
    assert "2 requests" in last


def test_lanes_of_endpoints() -> None:
    """What ends risk, what makes it, what asks; of strangers, only cancels stand apart."""
    rulebook = load_rulebook("binance-spot-2026")
    expected = {
        Endpoint.ORDER_CANCEL: "cancels",
        Endpoint.OPEN_ORDERS_CANCEL: "cancels",
        Endpoint.SESSION_LOGON: "cancels",
        Endpoint.ORDER_PLACE: "orders",
        Endpoint.ORDER_CANCEL_REPLACE: "orders",
        Endpoint.ORDER_AMEND: "orders",
        Endpoint.ORDER_TEST: "queries",
        Endpoint.ACCOUNT: "queries",
        Endpoint.DEPTH: "market_data",
        Endpoint.HISTORICAL_TRADES: "market_data",
        Endpoint.UNKNOWN: "market_data",
    }
    found = {endpoint: LANE_NAMES[lane_of(endpoint, rulebook)] for endpoint in expected}
    assert found == expected
    strangers = [LANE_NAMES[strangers_lane(lane)] for lane in range(5)]
    assert strangers == ["strangers_cancels", *["market_data"] * 3, "strangers_cancels"]


def test_turns_are_taken_on_the_running_loop() -> None:
    """After whatever the loop has to do in this round."""

    async def scenario() -> None:
        world = World()
        turns = Turns(stopwatch_ns=lambda: world.now_ns)
        world.turns = turns
        world.source("a", "o")
        assert world.done == []
        await asyncio.sleep(0)
        assert world.done == ["a.o"]

    asyncio.run(scenario())


def test_a_gate_publishes_its_lanes(tmp_path: Path) -> None:
    """How many wait, for how long, and how many were shed, by class."""

    async def scenario() -> None:
        async with running(config(tmp_path / "data")) as gate:
            gate.turns.shed["orders"] = 7
            shown = gate.telemetry.exposition().decode()
            for line in (
                'ordergate_shed_total{class="orders"',
                'ordergate_waiting_requests{class="cancels"',
                'ordergate_waiting_oldest_ns{class="market_data"',
            ):
                assert line in shown
            (shed,) = [line for line in shown.splitlines() if 'shed_total{class="orders"' in line]
            assert shed.endswith(" 7.0")

    asyncio.run(scenario())
