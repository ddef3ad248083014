"""The record of a simulated gate: its journal, its reserve, and what of both is safe.

Stands where `gateway.recording` stands in a gate, with stepped commits and disks that fail.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from gateway.core import Core
from gateway.journal.commit import Commit
from gateway.journal.lost_note import LostNote, note_paths
from gateway.journal.manifest import EMBEDDED, make_run_directory, new_manifest
from gateway.journal.segment import SegmentSupply
from gateway.journal.writer import JournalWriter
from rules.decisions import Decision
from rules.events import Event
from rules.values import NS_PER_SECOND
from tests.sim import swarm as swarms
from tests.sim.commits import SimReserve, SteppedCommit
from tests.sim.disk import FaultyDisk
from tests.sim.frames import Contents, SafeRecord, with_the_kernel
from tests.sim.fuse import Fuse
from tests.sim.referee import Referee

STALL_NS: Final = NS_PER_SECOND
RESERVE_BYTES: Final = 131_072


class Disks:
    """The disks of the record and of the reserve; they outlive every gate."""

    def __init__(self, folder: Path, fuse: Fuse) -> None:
        self.data = folder / "data"
        self.root = folder / "reserve"
        self.main = FaultyDisk(fuse.point)
        self.reserve = FaultyDisk(fuse.point)

    @property
    def both(self) -> tuple[FaultyDisk, FaultyDisk]:
        """The one of the record and the one of the reserve."""
        return self.main, self.reserve

    @property
    def faults(self) -> int:
        """How many operations of the disks have failed."""
        return self.main.faults + self.reserve.faults

    def draw_from(self, random: Random) -> None:
        """Let faults draw from a step's generator."""
        self.main.random = self.reserve.random = random

    def mend(self) -> None:
        """Let both disks work again."""
        for disk in self.both:
            disk.mend()

    def die(self) -> None:
        """End with the process what it had open."""
        for disk in self.both:
            disk.die()

    def settle(self) -> None:
        """Take what there is for confirmed."""
        self.main.settle(self.data)
        self.reserve.settle(self.root)

    def lose_power(self) -> None:
        """Leave what the disks have confirmed, and of all else any part."""
        for disk, folder in ((self.main, self.data), (self.reserve, self.root)):
            if folder.is_dir():
                disk.crash(folder)


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

    def payload(self, seq: int) -> bytes:
        """Return (event, decision) of a safe record, encoded; empty when there is none."""
        reserve = self.reserve
        if reserve is not None and 0 < reserve.first_seq <= seq:
            return reserve.payloads.get(seq, b"")
        return self.main.payloads.get(seq, b"")

    @property
    def faults(self) -> list[str]:
        """What was wrong in the bytes."""
        return self.main.faults + (self.reserve.faults if self.reserve is not None else [])


class SimRecording:
    """The record of one life of a gate."""

    def __init__(
        self,
        swarm: swarms.Swarm,
        disks: Disks,
        fuse: Fuse,
        now_ns: int,
        referee: Referee,
        soon: Callable[..., object],
        *,
        first_seq: int,
        previous: str,
    ) -> None:
        self.on_disk = swarm.durability == swarms.DISK
        self.disks = disks
        self.commit: SteppedCommit | None = None
        self.reserve: SimReserve | None = None
        self._fuse = fuse
        self._soon = soon
        self._referee = referee
        directory = self.directory = make_run_directory(disks.data, now_ns)
        manifest = new_manifest(
            directory.name, swarm.rulebook, now_ns, swarm.segment_bytes, swarm.durability
        )
        manifest.previous = previous
        manifest.engine = EMBEDDED if swarm.engine == swarms.EMBEDDED else ""
        manifest.reserve = str(disks.root / directory.name) if swarm.reserve else ""
        supply = SegmentSupply(
            directory, swarm.segment_bytes, disks.main, synced=self.on_disk, threaded=False
        )
        self.journal = JournalWriter(
            directory, manifest, supply, first_seq=first_seq, disk=disks.main
        )
        self.safe = self._safe_run(self._contents(disks.main), self._contents(disks.reserve))
        referee.record = self.safe
        self._watch(self.journal)
        if swarm.reserve:
            disks.root.mkdir(exist_ok=True)
            self.reserve = SimReserve(disks.root, self.journal, RESERVE_BYTES, soon, disks.reserve)
            self.reserve.on_begin = self._begin_reserve

    def secure(self, core: Core) -> None:
        """Have decisions wait for the disk from now on, where they do."""
        if self.on_disk:
            self.commit = SteppedCommit(self.journal, self._soon)
        core.secure(self.commit, self.reserve, STALL_NS, self._note_loss)

    @property
    def faults(self) -> int:
        """How many operations of the disks have failed."""
        return self.disks.faults

    def mend(self) -> None:
        """Let both disks work again."""
        self.disks.mend()
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

    # --- Dying --------------------------------------------------------------------------------

    def die(self, random: Random, *, power: bool) -> None:
        """Leave what a killed process leaves, or what the disks have after a loss of power."""
        writer = self._writer
        if self.on_disk:
            self._die_syncing(random)
        elif not writer.closed and random.random() < 0.5:
            _tear(writer, random)
        self.disks.die()
        if power:
            self.disks.lose_power()

    def survivors(self) -> SafeRun:
        """Return what can be read of the run now."""
        return self._safe_run(with_the_kernel, with_the_kernel)

    @property
    def _writer(self) -> JournalWriter:
        reserve = self.reserve.writer if self.reserve is not None else None
        return reserve or self.journal

    def _die_syncing(self, random: Random) -> None:
        """Get on with the sync that has begun for as long as the process still lives."""
        if self.commit is None or self.commit.stalled:
            return
        self._fuse.arm(random.randint(1, 12))
        self.commit.die()
        self._fuse.disarm()

    def _note_loss(self, after_seq: int, fault: str) -> None:
        """Leave word for the next start, wherever that works."""
        note = msgspec.json.encode(LostNote(after_seq=after_seq, fault=fault))
        root = self.disks.root if self.reserve is not None else None
        paths = note_paths(self.directory, root)
        for disk, path in zip(self.disks.both, paths, strict=False):
            with suppress(OSError):
                disk.replace_file(path, note, True)

    # --- Watching -----------------------------------------------------------------------------

    def _contents(self, disk: FaultyDisk) -> Contents:
        return disk.confirmed if self.on_disk else with_the_kernel

    def _safe_run(self, main: Contents, reserve: Contents) -> SafeRun:
        run = SafeRun(SafeRecord(self.directory, main))
        if self.reserve is not None and self.reserve.writer is not None:
            run.reserve = SafeRecord(self.reserve.directory, reserve)
        return run

    def _begin_reserve(self, writer: JournalWriter, commit: Commit | None) -> None:
        self.safe.reserve = SafeRecord(writer.directory, self._contents(self.disks.reserve))
        self.commit = commit if isinstance(commit, SteppedCommit) else None
        self._watch(writer)

    def _watch(self, writer: JournalWriter) -> None:
        """Let the referee hear of every record."""
        referee, append, point = self._referee, writer.append, self._fuse.point

        def watched(seq: int, now_ns: int, event: Event, decision: Decision) -> None:
            point()
            append(seq, now_ns, event, decision)
            referee.recorded(seq, now_ns, event, decision)
            point()

        watching: Any = writer
        watching.append = watched


def _tear(writer: JournalWriter, random: Random) -> None:
    """Leave what an append leaves that was killed: some of the content, and no head before it."""
    path, offset = writer.place
    room = path.stat().st_size - offset - 8
    count = min(random.randint(1, 300), room)
    if count > 0:
        with path.open("r+b") as file:
            file.seek(offset + 8)
            file.write(random.randbytes(count))
