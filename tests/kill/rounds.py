"""Rounds of load and sudden death on one data directory, each judged when it is over."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

from gateway.journal import runs
from gateway.journal.verify import verify_run
from tests.fuzz.gate_process import ordergate
from tests.kill.arrival import Arrival
from tests.kill.audit import Audit
from tests.kill.course import Course
from tests.kill.engine_view import differences
from tests.kill.load import Load
from tests.kill.processes import EngineProcess, GateProcess
from tests.kill.questions import Questions
from tests.kill.venue import REJECT, write_configuration

GATE, ENGINE, BOTH, STARTING = "gate killed", "engine killed", "both killed", "killed at its start"
FROZEN, GATE_AT_FROZEN = "engine frozen", "gate killed at a frozen engine"
LOAD_SECONDS: Final = (0.2, 0.9)
"""Least and longest time between the first request and the kill."""
LONG_LOAD_SECONDS: Final = (1.5, 3.0)
"""The same in every third round, so that snapshots are made by then."""
OUTAGE_SECONDS: Final = (0.0, 1.2)
"""How long an engine that was killed is away, while its gate goes on."""
FREEZE_SECONDS: Final = (0.0, 1.5)
"""How long an engine hangs; the gate gives a command up after 0.9."""
START_SECONDS: Final = (0.2, 1.5)
"""When a gate that is killed at its start is."""
STARTS_KILLED: Final = 0.3
"""Share of the starts that are cut short, each followed by another."""
_SHOWN_MAX: Final = 5
"""Problems of one round that are shown."""
_EXPECTED: Final = (
    "for operators' commands: export ",
    "are on one file system",
    "nobody was told of them",
    "link to engine",
    "the engine ended it",
    "overloaded: requests have waited too long",
    "no longer overloaded",
)
"""What a gate may say on standard error."""


class Rounds:
    """One venue over many lives; `counts` are the figures to be printed.

    The durability changes from life to life of the gate. `engine` gives it an engine process, which
    is killed too. `policy` says what becomes of cancels that come too early.
    """

    def __init__(self, folder: Path, seed: int, engine: bool = False, policy: str = REJECT) -> None:
        self.counts: Counter[str] = Counter()
        self.course = Course(folder / "data")
        self._chance = Random(seed)
        self._seed = seed
        self._policy = policy
        self._folder = folder
        self._audit = Audit(self.course)
        self._life = 0
        self._gate: GateProcess | None = None
        self._engine: EngineProcess | None = None
        self._port = 0
        self._epoch = 0
        """The epoch of an engine that is alive and has orders to keep; 0 when there is none."""
        self._deaths = (GATE, ENGINE, GATE_AT_FROZEN, BOTH, FROZEN) if engine else (GATE,)
        self._said = 0

    def run(self, rounds: int) -> None:
        """Go through so many rounds; fails with the seed and everything that was wrong."""
        problems = self.course.problems
        try:
            asyncio.run(self._run(rounds))
        except AssertionError as error:
            problems.append(str(error))
        finally:
            for process in (self._gate, self._engine):
                if process is not None and process.alive():
                    process.kill()
        if not problems:
            self._verify()
        self.counts += self._audit.counts
        shown = "\n".join(f"- {problem:.1500}" for problem in problems[:_SHOWN_MAX])
        where = f"seed {self._seed}, after {self.counts['rounds']} rounds, {self._folder}"
        assert not problems, f"{where}:\n{shown}"

    async def _run(self, rounds: int) -> None:
        for number in range(rounds):
            await self._round(number)
            if self.course.problems:
                return
        gate = await self._up()
        await self._arrive(gate)
        assert gate.stop() == 0, gate.errors()
        self.course.follow()
        if self._engine is None:
            self.course.check_trades()
        else:
            for difference in await differences(self._engine.address, self.course):
                self.course.problem(difference)

    async def _round(self, number: int) -> None:
        """Go through one round: a start or what is left of the last round, load, death."""
        gate = await self._up()
        await self._arrive(gate)
        epoch = self.course.orders.epoch
        same = self._epoch in (0, epoch)
        self.course.check(same, f"epoch {epoch} follows {self._epoch}, whose engine is alive")
        load = Load(gate, self._chance, self._life)
        load.begin()
        seconds = LONG_LOAD_SECONDS if number % 3 == 1 else LOAD_SECONDS
        await asyncio.sleep(self._chance.uniform(*seconds))
        death = self._deaths[(self._seed + number) % len(self._deaths)]
        await self._kill(death, gate)
        await load.end()
        self.counts[death] += 1
        if not gate.alive():
            self.counts["deaths after a snapshot"] += bool(list(gate.run.glob("[0-9]*.snapshot")))
        self.counts["rounds"] += 1
        self.course.follow()
        self._audit.answers(load.seen)
        self._audit.acts(load.acts)
        self._epoch = 0 if death in (ENGINE, BOTH) else self.course.orders.epoch
        self.course.forget()
        self._listen()

    # --- Lives and deaths ---------------------------------------------------------------------

    async def _up(self) -> GateProcess:
        """Start what does not run; return the gate."""
        if len(self._deaths) > 1 and (self._engine is None or not self._engine.alive()):
            self._start_engine()
        if self._gate is not None and self._gate.alive():
            return self._gate
        address = self._engine.address if self._engine is not None else ""
        durability = ("process", "disk")[(self._seed + self._life) % 2]
        configuration = write_configuration(self._folder, durability, address, self._policy)
        frozen = self._engine is not None and self._engine.frozen
        if self._life and not frozen and self._chance.random() < STARTS_KILLED:
            self._gate = GateProcess(configuration)
            await asyncio.sleep(self._chance.uniform(*START_SECONDS))
            self._gate.kill()
            self.counts[STARTING] += 1
        self._life += 1
        self.counts[f"lives with durability {durability}"] += 1
        self._gate = GateProcess(configuration)
        if self._engine is not None and self._engine.frozen:
            # What the last gate has sent waits for the engine, with the new gate's greeting.
            await asyncio.sleep(self._chance.uniform(*FREEZE_SECONDS))
            self._engine.thaw()
        self._gate.wait_ready()
        return self._gate

    async def _kill(self, death: str, gate: GateProcess) -> None:
        """Kill what is to die; a gate that lives on has its engine back for a while."""
        engine = self._engine
        if death in (ENGINE, BOTH):
            assert engine is not None
            engine.kill()
        if death in (FROZEN, GATE_AT_FROZEN):
            assert engine is not None
            engine.freeze()
            await asyncio.sleep(self._chance.uniform(*FREEZE_SECONDS))
        if death in (GATE, BOTH, GATE_AT_FROZEN):
            gate.kill()
            return
        if death == FROZEN:
            assert engine is not None
            engine.thaw()
        else:
            await asyncio.sleep(self._chance.uniform(*OUTAGE_SECONDS))
            self._start_engine()
        await asyncio.sleep(self._chance.uniform(*LOAD_SECONDS))

    def _start_engine(self) -> None:
        self._engine = EngineProcess(self._folder, self._port)
        self._engine.wait_ready()
        self._port = self._engine.port

    # --- Judging ------------------------------------------------------------------------------

    async def _arrive(self, gate: GateProcess) -> None:
        """Hold a quiet gate to everything that was before."""
        questions = Questions(gate, self.course, self._chance, self.counts)
        await Arrival(questions, self.counts["rounds"]).check()
        self.course.follow()
        self._audit.answers(questions.seen)

    def _listen(self) -> None:
        """Hold what the gate has said on standard error to what it may say."""
        assert self._gate is not None
        said = self._gate.errors()
        for line in said[self._said :].splitlines():
            if not any(words in line for words in _EXPECTED):
                self.course.problem(f"the gate said: {line}")
        self._said = len(said)

    def _verify(self) -> None:
        """Verify the record of every life."""
        for run in runs(self._folder / "data"):
            result = verify_run(run.path)
            self.course.check(result.exit_code == 0, f"{run.path.name}: {result}")
            self.counts["bytes"] += sum(path.stat().st_size for path in run.path.glob("*.seg*"))
            self.counts["compressed segments"] += len(list(run.path.glob("*.seg.zst")))
            self.counts["snapshots"] += len(list(run.path.glob("[0-9]*.snapshot")))
        self.counts["records"] = self.course.records
        self.counts["commands settled by the next life"] = self.course.settled_later
        self.counts["runs"] = len(runs(self._folder / "data"))
        last = str(runs(self._folder / "data")[-1].path)
        for command in (("log", "verify", "--data", last), ("replay", last)):
            done = ordergate(*command)
            self.course.check(done.returncode == 0, f"{command}: {done.stdout} {done.stderr}")
