"""The record of a simulated gate: its journal, its reserve, and what of both is safe.

Stands where `gateway.recording` stands in a gate, with stepped commits and disks that fail.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from gateway.core import Core
from gateway.journal.commit import Commit
from gateway.journal.disk import REAL_DISK
from gateway.journal.manifest import make_run_directory, new_manifest
from gateway.journal.segment import SegmentSupply
from gateway.journal.writer import JournalWriter
from rules.decisions import Decision
from rules.events import Event
from rules.values import NS_PER_SECOND
from tests.sim.commits import SimReserve, SteppedCommit
from tests.sim.disk import FaultyDisk
from tests.sim.frames import SafeRecord, with_the_kernel
from tests.sim.referee import Referee
from tests.sim.swarm import DISK, Swarm

STALL_NS: Final = NS_PER_SECOND
RESERVE_BYTES: Final = 131_072


class SafeRun:
    """What is safe of a run and of the reserve that continues it."""

    def __init__(self, main: SafeRecord) -> None:
        self.main = main
        self.reserve: SafeRecord | None = None

    def through(self) -> int:
        """Return the last record that is safe, with all before it."""
        safe = self.main.through()
        if self.reserve is None:
            return safe
        last = self.reserve.through()
        return last if 0 < self.reserve.first_seq <= safe + 1 else safe

    @property
    def faults(self) -> list[str]:
        """What was wrong in the bytes."""
        return self.main.faults + (self.reserve.faults if self.reserve is not None else [])


class SimRecording:
    """The record of one life of a gate."""

    def __init__(
        self, swarm: Swarm, folder: Path, now_ns: int, referee: Referee, soon: Callable[..., object]
    ) -> None:
        self.on_disk = swarm.durability == DISK
        self.disk = FaultyDisk()
        self.reserve_disk = FaultyDisk()
        self.commit: SteppedCommit | None = None
        self.reserve: SimReserve | None = None
        self._soon = soon
        self._referee = referee
        data, root = folder / "data", folder / "reserve"
        directory = make_run_directory(data, now_ns)
        manifest = new_manifest(
            directory.name, swarm.rulebook, now_ns, swarm.segment_bytes, swarm.durability
        )
        manifest.reserve = str(root / directory.name) if self.on_disk else ""
        disk = self.disk if self.on_disk else REAL_DISK
        supply = SegmentSupply(
            directory, swarm.segment_bytes, disk, synced=self.on_disk, threaded=False
        )
        self.journal = JournalWriter(directory, manifest, supply, disk=disk)
        contents = self.disk.confirmed if self.on_disk else with_the_kernel
        self.safe = SafeRun(SafeRecord(directory, contents))
        referee.record = self.safe
        self._watch(self.journal)
        if self.on_disk:
            root.mkdir(exist_ok=True)
            self.reserve = SimReserve(root, self.journal, RESERVE_BYTES, soon, self.reserve_disk)
            self.reserve.on_begin = self._begin_reserve

    def secure(self, core: Core) -> None:
        """Have decisions wait for the disk from now on, where they do."""
        if self.on_disk:
            self.commit = SteppedCommit(self.journal, self._soon)
            core.secure(self.commit, self.reserve, STALL_NS)

    def draw_from(self, random: Random) -> None:
        """Let faults draw from a step's generator."""
        self.disk.random = self.reserve_disk.random = random

    @property
    def faults(self) -> int:
        """How many operations of the disks have failed."""
        return self.disk.faults + self.reserve_disk.faults

    def mend(self) -> None:
        """Let both disks work again."""
        for disk in (self.disk, self.reserve_disk):
            disk.full = disk.broken = False
            disk.failing_syncs = disk.short_writes = 0
        if self.commit is not None:
            self.commit.stalled = False

    def close(self, core: Core) -> None:
        """Let out what waits and end the run, as `gateway.recording` does."""
        core.flush()
        if core.record_fault:
            self.journal.abandon()
        self.journal.close()
        if self.reserve is not None:
            self.reserve.close()

    def _begin_reserve(self, writer: JournalWriter, commit: Commit | None) -> None:
        self.safe.reserve = SafeRecord(writer.directory, self.reserve_disk.confirmed)
        self.commit = commit if isinstance(commit, SteppedCommit) else None
        self._watch(writer)

    def _watch(self, writer: JournalWriter) -> None:
        """Let the referee hear of every record."""
        referee, append = self._referee, writer.append

        def watched(seq: int, now_ns: int, event: Event, decision: Decision) -> None:
            append(seq, now_ns, event, decision)
            referee.recorded(seq, now_ns, event, decision)

        watching: Any = writer
        watching.append = watched
