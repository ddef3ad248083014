"""Where time goes: stages add up to the whole, whatever a request waits for, and cost nothing off."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.__main__ import build
from gateway.app import Gate
from gateway.config import RecordConfig, TelemetryConfig
from gateway.edges.http.edge import HttpEdge
from gateway.stages import (
    AUTHENTICATE,
    DECIDE,
    EDGE_IN,
    EDGE_OUT,
    ENGINE,
    PARSE,
    RECORD,
    RELEASE,
    RENDER,
    STAGE_NAMES,
    WHOLE,
    Spread,
    Stages,
    longest_ns,
    part_of,
)
from rules.endpoints import Endpoint
from rules.events import CommandResult, Query
from tests.gateway.edges.rest_world import EchoDialect, RecordingCore, http_edge, run
from tests.gateway.gate_world import Client, config, running
from tests.gateway.http.hostile import NEXT
from tests.gateway.http.http_world import client, serving, until

TRACED = TelemetryConfig(stages=True)
PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n"
QUERY = Query(Endpoint.PING, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0)
RESULT = CommandResult(7, 1, True, None, 1, 1)


def spent(stages: Stages, endpoint: Endpoint) -> dict[str, int]:
    """Return the sum of each stage, after a look whether they make up the whole."""
    spreads = stages.spreads[endpoint]
    assert sum(spread.total_ns for spread in spreads[:WHOLE]) == spreads[WHOLE].total_ns
    assert {spread.number for spread in spreads} == {spreads[WHOLE].number}
    return dict(zip(STAGE_NAMES, (spread.total_ns for spread in spreads[:WHOLE]), strict=True))


class Watch:
    """A stopwatch that is set by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ns


class Replying:
    """The reply of a traced request."""

    def __init__(self, stages: Stages, started_ns: int) -> None:
        self.trace = stages.begin(started_ns)


def test_each_stage_has_the_time_between_its_beginning_and_the_next() -> None:
    """Through the record and an engine that answers later, with another request in between."""
    watch = Watch()
    stages = Stages(watch)
    steps: list[tuple[int, Callable[[], Any]]] = []
    watch.now_ns = 100
    reply = Replying(stages, 90)
    trace = reply.trace
    steps = [
        (1, lambda: stages.enter(AUTHENTICATE)),
        (2, lambda: stages.enter(PARSE)),
        (4, lambda: stages.decide(7, QUERY, reply)),
        (8, lambda: stages.enter(RECORD)),
        (0, lambda: stages.decide(8, QUERY, None)),
        (0, lambda: stages.enter(RECORD)),
        (16, lambda: stages.let_out(7, QUERY)),
        (32, lambda: stages.enter(ENGINE)),
        (64, lambda: stages.decide(9, RESULT, None)),
        (128, lambda: stages.enter(RECORD)),
        (256, lambda: stages.let_out(9, RESULT)),
        (512, trace.replied),
        (1_024, lambda: trace.enter(RENDER)),
        (2_048, lambda: stages.rendered(trace, Endpoint.PING)),
        (4_096, stages.written),
    ]
    for pause_ns, act in steps:
        watch.now_ns += pause_ns
        act()
    found = spent(stages, Endpoint.PING)
    assert found == {
        "edge in": 10,
        "parse": 1 + 4,
        "authenticate": 2,
        "decide": 8 + 128,
        "record": 16 + 256,
        "release": 32 + 512,
        "engine": 64,
        "render": 2_048,
        "edge out": 1_024 + 4_096,
    }
    assert stages.open == 0
    assert (EDGE_IN, EDGE_OUT, DECIDE, RELEASE) == (0, 8, 3, 5)


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_stages_of_real_requests_add_up(tmp_path: Path, durability: Any) -> None:
    """Orders, cancels, refusals and pipelined requests, where answers wait for a disk or not."""

    async def scenario() -> None:
        record = RecordConfig(data=tmp_path, segment_bytes=1 << 20, durability=durability)
        async with running(config(tmp_path, record=record, telemetry=TRACED)) as gate:
            before_ns = time.perf_counter_ns()
            alice = Client(gate)
            for number in range(5):
                assert (await alice.place(newClientOrderId=f"a{number}")).status == 200
            assert (await alice.cancel_all()).status == 200
            assert (await alice.place(quantity="-1")).status == 400
            async with client(gate.ports["rest"]) as one:
                one.send(PING * 40 + b"nonsense\r\n\r\n")
                assert len(await one.answers()) == 41
            whole_ns = time.perf_counter_ns() - before_ns
            stages = gate.stages
            assert stages is not None
            placed = spent(stages, Endpoint.ORDER_PLACE)
            assert all(placed.values()), placed
            assert stages.spreads[Endpoint.ORDER_PLACE][WHOLE].number == 6
            assert spent(stages, Endpoint.PING)["engine"] == 0
            assert stages.spreads[Endpoint.PING][WHOLE].number == 40
            assert stages.spreads[Endpoint.UNKNOWN][WHOLE].number == 1
            assert stages.spreads[Endpoint.ORDER_PLACE][WHOLE].total_ns < whole_ns
            assert stages.open == 0
            shown = gate.telemetry.exposition().decode()
            name = "ordergate_stage_latency_seconds"
            labels = '{endpoint="ping",stage="edge_out"}'
            assert f"{name}_count{labels} 40.0" in shown
            total = stages.spreads[Endpoint.PING][EDGE_OUT].total_ns
            assert f"{name}_sum{labels} {total / 1e9}" in shown

    run(scenario())


def test_nothing_is_traced_unless_asked_for(tmp_path: Path) -> None:
    """No part of the gate has a tracer, no request a trace, and the metrics have no stages."""

    async def scenario() -> None:
        async with running(config(tmp_path)) as gate:
            assert (await Client(gate).place()).status == 200
            assert gate.stages is None
            assert gate.core.stages is None
            assert b"stage" not in gate.telemetry.exposition()

    run(scenario())
    core = RecordingCore()
    assert http_edge(core, EchoDialect(core)).stages is None


def test_a_client_that_vanishes_leaves_no_trace() -> None:
    """What is answered to nobody is not measured, and nothing of it is kept."""

    async def scenario() -> None:
        core = RecordingCore(late=True)
        stages = Stages()
        async with serving(core, stages=stages) as (_, port, edge):
            assert isinstance(edge, HttpEdge)
            async with client(port) as one:
                one.send(NEXT * 3)
                await until(lambda: len(core.waiting) == 3)
                wire = one.writer.get_extra_info("socket")
                # Closed with a reset: a client that only stops sending may still want answers.
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await until(lambda: edge.connections == 0)
            for number, release in enumerate(core.waiting):
                stages.decide(number, core.requests[number], None)
                release()
            await asyncio.sleep(0)
            assert stages.open == 0
            assert stages.spreads == {}

    run(scenario())


def test_the_command_shows_what_adds_up(tmp_path: Path) -> None:
    """The means shown make up the whole that is shown; one endpoint can be asked for."""

    async def scenario() -> list[str]:
        async with running(config(tmp_path, telemetry=TRACED)) as gate:
            await Client(gate).place()
            await Client(gate).cancel_all()
            asked = ((), ("--json",), ("--json", "--endpoint", "order_place"))
            told = [await asyncio.to_thread(_stages, gate, tmp_path, *words) for words in asked]
            unknown = ("--endpoint", "place")
            return [
                *told,
                await asyncio.to_thread(_stages, gate, tmp_path, *unknown, exit_code=2),
                await asyncio.to_thread(_stages, gate, tmp_path, "--json", *unknown),
            ]

    with asyncio.Runner() as runner:
        told = runner.run(scenario())
    rows = [line.split("│") for line in told[0].splitlines() if " %" in line]
    means = [float(row[2].replace(",", "")) for row in rows]
    assert [row[1].strip() for row in rows] == [*STAGE_NAMES, "whole"]
    assert round(sum(means[:-1]), 1) == means[-1]
    every, one = json.loads(told[1]), json.loads(told[2])
    assert (every["requests"], one["requests"]) == (2, 1)
    assert every["endpoints"] == ["open_orders_cancel", "order_place"]
    *stages, whole = (line["total_ns"] for line in one["stages"])
    assert sum(stages) == whole > 0
    assert "`place` was measured; there are some of: open_orders_cancel, order_place" in told[3]
    assert json.loads(told[4])["requests"] == 0


def test_the_command_says_when_nothing_is_measured(tmp_path: Path) -> None:
    """Exit code 1, and how to change it."""

    async def scenario() -> str:
        async with running(config(tmp_path)) as gate:
            return await asyncio.to_thread(_stages, gate, tmp_path, exit_code=1)

    with asyncio.Runner() as runner:
        assert "--trace-stages" in runner.run(scenario())


def _stages(gate: Gate, data: Path, *words: str, exit_code: int = 0) -> str:
    told = CliRunner().invoke(
        build(),
        (
            "stages",
            *("--admin", f"http://127.0.0.1:{gate.ports['admin']}"),
            *("--token-file", str(data / "admin.token")),
            *words,
        ),
        env={"COLUMNS": "120"},
    )
    assert told.exit_code == exit_code, told.output
    return told.output


@given(st.integers(0, 1 << 40))
def test_parts_hold_what_lies_in_them(duration_ns: int) -> None:
    """No part's longest duration is shorter, nor more than a sixteenth longer; parts join."""
    part = part_of(duration_ns)
    assert duration_ns <= longest_ns(part) <= max(duration_ns * 17 // 16, 1)
    assert part_of(longest_ns(part)) == part
    assert part_of(longest_ns(part) + 1) == part + 1


@given(st.lists(st.integers(0, 1 << 24), min_size=1), st.integers(1, 1_000))
def test_percentiles_and_bounds(durations_ns: list[int], per_mille: int) -> None:
    """A percentile is the exact one or up to a sixteenth above; powers of two bound exactly."""
    spread = Spread()
    for duration_ns in durations_ns:
        spread.add(duration_ns)
    durations_ns.sort()
    exact_ns = durations_ns[-(-len(durations_ns) * per_mille // 1_000) - 1]
    assert exact_ns <= spread.percentile_ns(per_mille) <= max(exact_ns * 17 // 16, 1)
    bounds_ns = [1 << exponent for exponent in range(0, 25, 3)]
    counts = spread.not_above(bounds_ns)
    for number, bound_ns in enumerate(bounds_ns):
        assert sum(counts[: number + 1]) == sum(one <= bound_ns for one in durations_ns)
    assert sum(counts) == len(durations_ns)
