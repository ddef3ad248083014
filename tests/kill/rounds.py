"""Rounds of load and sudden death on one data directory, each judged when it is over."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

from gateway.journal import runs
from gateway.journal.verify import verify_run
from tests.kill.arrival import Arrival
from tests.kill.audit import Audit
from tests.kill.course import Course
from tests.kill.load import Load
from tests.kill.processes import EngineProcess, GateProcess
from tests.kill.questions import Questions
from tests.kill.venue import write_configuration

LOAD_SECONDS = (0.2, 0.9)
"""Least and longest time between the first request and the kill."""

_SHOWN_MAX = 5
"""Problems of one round that are shown."""


class Rounds:
    """One venue over many lives; `counts` are the figures to be printed."""

    def __init__(self, folder: Path, durability: str, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.course = Course(folder / "data")
        self._chance = Random(seed)
        self._seed = seed
        self._folder = folder
        self._durability = durability
        self._audit = Audit(self.course)
        self._life = 0
        self._gate: GateProcess | None = None
        self._engine: EngineProcess | None = None

    def run(self, rounds: int) -> None:
        """Go through so many rounds; fails with the seed and everything that was wrong."""
        try:
            asyncio.run(self._run(rounds))
        finally:
            for process in (self._gate, self._engine):
                if process is not None and process.alive():
                    process.kill()
        self.verify()
        self.counts += self._audit.counts
        self._fail()

    async def _run(self, rounds: int) -> None:
        configuration = write_configuration(self._folder, self._durability)
        for number in range(rounds):
            self._gate = gate = GateProcess(configuration)
            gate.wait_ready()
            await self._arrive(gate)
            await self._load(gate)
            self.counts["rounds"] += 1
            self._fail(number)
        self._gate = gate = GateProcess(configuration)
        gate.wait_ready()
        await self._arrive(gate)
        assert gate.stop() == 0, gate.errors()
        self.course.follow()
        self.course.check_trades()

    async def _arrive(self, gate: GateProcess) -> None:
        """Hold a started gate to everything that was before."""
        self._life += 1
        questions = Questions(gate, self.course, self._chance, self.counts)
        await Arrival(questions, self._life).check()
        self.course.follow()
        self._audit.answers(questions.seen)

    async def _load(self, gate: GateProcess) -> None:
        """Load the gate, kill it, and look for every answer in its record."""
        load = Load(gate, self._chance, self._life)
        load.begin()
        await asyncio.sleep(self._chance.uniform(*LOAD_SECONDS))
        gate.kill()
        await load.end()
        self.course.follow()
        self._audit.answers(load.seen)
        self._audit.acts(load.acts)
        self.course.forget()

    def verify(self) -> None:
        """Verify the record of every life."""
        for run in runs(self._folder / "data"):
            result = verify_run(run.path)
            self.course.check(result.exit_code == 0, f"{run.path.name}: {result}")
            self.counts["bytes"] += sum(path.stat().st_size for path in run.path.glob("*.seg"))
            self.counts["snapshots"] += len(list(run.path.glob("*.snapshot")))
        self.counts["records"] = self.course.records

    def _fail(self, number: int = -1) -> None:
        problems = self.course.problems
        where = f"round {number}" if number >= 0 else "the end"
        lines = "\n".join(f"- {problem:.1500}" for problem in problems[:_SHOWN_MAX])
        assert not problems, f"seed {self._seed}, {where}, {self._folder}:\n{lines}"
