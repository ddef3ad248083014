"""A gate that is stopped and started again on purpose costs nobody an order."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from gateway.journal import Record
from rules.events import CommandResult, Deadline, Report, RunBegan
from tests.kill.arrival import Arrival
from tests.kill.asks import PLACE, Ask
from tests.kill.course import Course
from tests.kill.engine_view import differences
from tests.kill.load import Load
from tests.kill.native import SessionClient
from tests.kill.processes import EngineProcess, GateProcess
from tests.kill.questions import Questions
from tests.kill.scale import SEED, TIMEOUT_SECONDS
from tests.kill.venue import BTC_SYMBOL, WATCHERS, write_configuration

FAR_ORDERS = 12
UNTOUCHED = WATCHERS[-1]
"""Trades for an account that no operator stops and no other client trades for."""


@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize(
    ("remote", "durability"),
    [(False, "process"), (True, "disk")],
    ids=["embedded engine", "engine process"],
)
def test_planned_restart(tmp_path: Path, remote: bool, durability: str) -> None:
    """Stopped under load with sessions open, the next run has every order, and cancels none."""
    engine = EngineProcess(tmp_path) if remote else None
    try:
        if engine is not None:
            engine.wait_ready()
        address = engine.address if engine is not None else ""
        configuration = write_configuration(tmp_path, durability, address)
        asyncio.run(restarted(configuration, engine))
    finally:
        if engine is not None:
            engine.kill()


async def restarted(configuration: Path, engine: EngineProcess | None) -> None:
    """Load a gate, stop it on purpose, and look at what the next one has."""
    chance = Random(SEED)
    course = Course(configuration.parent / "data")
    gate = GateProcess(configuration)
    try:
        gate.wait_ready()
        session = SessionClient(gate, UNTOUCHED, lambda _: None)
        await session.open()
        asks = [
            Ask(PLACE, BTC_SYMBOL, "BUY", "LIMIT", "57000", "0.001", f"far-{number}")
            for number in range(FAR_ORDERS)
        ]
        placed = {seen.order_id for seen in await session.ask_all(asks)}
        assert len(placed) == FAR_ORDERS
        load = Load(gate, chance, 1)
        load.begin()
        await asyncio.sleep(0.4)
        stopping = asyncio.create_task(asyncio.to_thread(gate.stop))
        await asyncio.sleep(0.2)
        await load.end()
        assert await stopping == 0, gate.errors()
        await session.close()
        course.follow()
        before = set(course.orders.open)
        assert not course.unsettled()
        assert placed <= before
        if engine is not None:
            assert not await differences(engine.address, course)
        gate = GateProcess(configuration)
        gate.wait_ready()
        questions = Questions(gate, course, chance, Counter())
        course.follow()
        assert set(course.orders.open) == before
        assert not opening(course, gate)
        await Arrival(questions, 2).check(releases=False)
        assert placed <= set(course.orders.open)
        assert not course.problems, course.problems[:3]
    finally:
        if gate.alive():
            gate.kill()
    assert not course.problems


def opening(course: Course, gate: GateProcess) -> list[Record]:
    """Return the records of a run's beginning that end, cancel or settle anything."""
    found = []
    for record in course.life(gate.run.name).records.values():
        if isinstance(record.event, RunBegan):
            return found
        if isinstance(record.event, CommandResult | Deadline | Report) or record.decision.cancels:
            found.append(record)
    raise AssertionError("the run has not begun")
