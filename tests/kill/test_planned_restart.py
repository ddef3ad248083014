"""A gate that is stopped and started again on purpose costs nobody an order."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from rules.events import BulkCancel, CommandResult, Deadline, EngineSession, RunBegan
from tests.kill.arrival import Arrival
from tests.kill.asks import PLACE, Ask
from tests.kill.course import Course
from tests.kill.engine_view import differences
from tests.kill.load import Load
from tests.kill.native import SessionClient
from tests.kill.processes import EngineProcess, GateProcess
from tests.kill.questions import Questions
from tests.kill.scale import SEED
from tests.kill.venue import BTC_SYMBOL, SESSION_PARTIES, write_configuration

FAR_ORDERS = 12


@pytest.mark.parametrize("durability", ["process", "disk"])
@pytest.mark.parametrize("remote", [False, True], ids=["embedded engine", "engine process"])
def test_planned_restart(tmp_path: Path, durability: str, remote: bool) -> None:
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
        session = SessionClient(gate, SESSION_PARTIES[1], lambda _: None)
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
        stopped = asyncio.to_thread(gate.stop)
        assert await stopped == 0, gate.errors()
        await load.end()
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
        await questions.begin()
        assert set(course.orders.open) == before
        assert [type(record.event) for record in opening(course, gate)] == [EngineSession] * 2
        await Arrival(questions, 2).check(releases=False)
        assert placed <= set(course.orders.open)
        assert not course.problems, course.problems[:3]
    finally:
        if gate.alive():
            gate.kill()
    assert not course.problems


def opening(course: Course, gate: GateProcess) -> list[object]:
    """Return the records of a run's beginning that are about the engine or about orders."""
    about = (EngineSession, CommandResult, Deadline, BulkCancel)
    records = course.life(gate.run.name).records.values()
    began = next(record.seq for record in records if isinstance(record.event, RunBegan))
    return [record for record in records if record.seq < began and isinstance(record.event, about)]
