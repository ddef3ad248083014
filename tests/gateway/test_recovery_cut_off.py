"""A gate goes on after a run that did not end well, and from snapshots of one."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from gateway.app import Gate, StartError
from gateway.journal import JournalError, latest_run, read_run, start_run
from gateway.journal.manifest import MANIFEST_NAME
from gateway.journal.snapshot_file import snapshot_name, snapshot_seqs
from gateway.recovery import SEQ_GAP, follow, recover
from gateway.rulebooks import load_rulebook
from gateway.snapshots import write_snapshot
from gateway.snapshotter import EXIT_DIFFERENT, main
from rules.decisions import NOTED_DECISION
from rules.events import Define, Place
from rules.values import (
    DEFINE_OWNER,
    NS_PER_SECOND,
)
from tests.gateway.gate_world import Client, config, running


def cut_off(tmp_path: Path) -> Path:
    """Run a gate, and return a copy of its data as a kill -9 in mid-run would leave it."""
    copied = tmp_path / "copied"

    async def scenario() -> None:
        async with running(config(tmp_path / "data")) as gate:
            await Client(gate).place()
            await Client(gate, "bob").place()
            shutil.copytree(tmp_path / "data", copied)

    asyncio.run(scenario())
    return copied


async def starts(data: Path) -> int:
    """Start a gate once; return its next order id."""
    async with running(config(data)) as gate:
        return gate.core.book.next_order_id


def test_a_run_that_was_killed(tmp_path: Path) -> None:
    """A run without an end is followed to its last record."""
    data = cut_off(tmp_path)
    run = latest_run(data)
    assert run is not None
    assert run.manifest.status == "running"
    assert asyncio.run(starts(data)) == 3


def test_a_torn_record_is_tolerated(tmp_path: Path) -> None:
    """Half a frame at the end is what a killed writer leaves: what came before it counts."""
    data = cut_off(tmp_path)
    segment = next(data.glob("*/000001.seg"))
    written = segment.read_bytes().rstrip(b"\x00")
    with segment.open("r+b") as file:
        file.seek(len(written) - 3)
        file.write(bytes(16))
    assert asyncio.run(starts(data)) == 3


def test_a_corrupt_record_refuses_to_start(tmp_path: Path) -> None:
    """Damage in the middle is no torn end; the message names file and byte."""
    data = cut_off(tmp_path)
    segment = next(data.glob("*/000001.seg"))
    with segment.open("r+b") as file:
        file.seek(700)
        file.write(b"\xff" * 8)
    with pytest.raises(StartError, match=r"000001\.seg at byte \d+: a frame is damaged"):
        asyncio.run(starts(data))


def test_a_manifest_that_is_damaged_refuses_to_start(tmp_path: Path) -> None:
    """An older run must not be taken for the newest because that one can't be read."""
    data = cut_off(tmp_path)
    next(data.glob(f"*/{MANIFEST_NAME}")).write_text("{")
    with pytest.raises(JournalError, match="not a manifest"):
        recover(data)


def test_a_start_that_did_not_get_far_is_passed_over(tmp_path: Path) -> None:
    """A run that never began to serve has less than the one before it, which is taken instead."""
    data = cut_off(tmp_path)
    whole = recover(data)
    later_ns = whole.last_ns + NS_PER_SECOND
    journal = start_run(data, load_rulebook("bench"), later_ns, 1 << 20, first_seq=whole.first_seq)
    journal.append(whole.first_seq, later_ns, Define(DEFINE_OWNER, 1, "alice"), NOTED_DECISION)
    (data / "20990101T000000.000000000Z").mkdir()
    found = recover(data)
    assert found.previous == whole.previous
    # Its number is not given again.
    assert found.first_seq == whole.first_seq + 1 + SEQ_GAP
    assert found.replica is not None
    assert found.replica.pipeline.book.next_order_id == 3
    journal.close()


def test_a_snapshot_and_what_follows_it(tmp_path: Path) -> None:
    """From a snapshot on the way, from one that is damaged, and from zero it is the same state."""
    data = cut_off(tmp_path)
    run = latest_run(data)
    assert run is not None
    middle, _ = follow(run, until_seq=20)
    whole, replayed = follow(run)
    write_snapshot(run.path, middle.snapshot(run.path.name))
    again, rest = follow(run)
    assert rest == replayed - 20
    assert again.snapshot("") == whole.snapshot("")
    path = run.path / snapshot_name(20)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    damaged, all_of_it = follow(run)
    assert all_of_it == replayed
    assert damaged.snapshot("") == whole.snapshot("")


def test_a_clock_behind_the_record(tmp_path: Path) -> None:
    """More than a second behind, the gate refuses to start; a little, and it waits."""
    data = cut_off(tmp_path)
    whole = recover(data)

    class Behind:
        """A clock that begins at a time, and runs."""

        step_ns = 0

        def __init__(self, behind_ns: int) -> None:
            loop = asyncio.get_running_loop()
            self._since = loop.time()
            self._loop = loop
            self._begin_ns = whole.last_ns - behind_ns

        def now_ns(self) -> int:
            return self._begin_ns + int((self._loop.time() - self._since) * 1e9)

        receive_ns = now_ns

        def slew(self) -> None:
            pass

    async def scenario(behind_ns: int) -> int:
        gate = Gate(config(data), Behind(behind_ns))
        try:
            await gate.start()
            return gate.core.now_ns()
        finally:
            await gate.stop()

    with pytest.raises(StartError, match="behind the last record"):
        asyncio.run(scenario(2 * NS_PER_SECOND))
    assert asyncio.run(scenario(NS_PER_SECOND // 5)) >= whole.last_ns


def test_a_snapshot_of_a_record_that_decides_differently(tmp_path: Path) -> None:
    """Whoever makes a snapshot decides again, and a difference is an alarm by its exit code."""
    data = cut_off(tmp_path)
    run = latest_run(data)
    assert run is not None
    small = start_run(data, load_rulebook("bench"), run.manifest.started_ns + 1, 1 << 20)
    for record in read_run(run.path):
        decision = record.decision
        if isinstance(record.event, Place):
            decision = msgspec.structs.replace(decision, owner=decision.owner + 1)
        small.append(record.seq, record.now_ns, record.event, decision)
    small.close()
    assert main([str(small.directory)]) == EXIT_DIFFERENT
    assert len(snapshot_seqs(small.directory)) == 1
    assert main([str(small.directory)]) == 0
    assert len(snapshot_seqs(small.directory)) == 1
