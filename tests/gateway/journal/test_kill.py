"""A writing process killed with SIGKILL loses nothing it had acknowledged."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal import latest_run, read_run
from gateway.journal.verify import verify_run

from .conftest import START_NS

REPOSITORY = Path(__file__).parents[3]
WRITER = """
import os, sys
from pathlib import Path
from gateway.journal import start_run
from rules.decisions import NOTED_DECISION
from rules.events import Define
from rules.rulebook import parse_rulebook

writer = start_run(
    Path(sys.argv[1]), parse_rulebook("plain", {"plain": ""}), int(sys.argv[2]), 1 << 15
)
seq = 0
while True:
    seq += 1
    event = Define(1, seq, "name" * (seq % 40))
    writer.append(seq, int(sys.argv[2]) + seq, event, NOTED_DECISION)
    os.write(1, seq.to_bytes(8, "big"))
"""


SYNCING_WRITER = """
import os, random, sys
from pathlib import Path
from gateway.journal import start_run
from gateway.journal.commit import GroupCommit
from rules.decisions import NOTED_DECISION
from rules.events import Define
from rules.rulebook import parse_rulebook

writer = start_run(
    Path(sys.argv[1]), parse_rulebook("plain", {"plain": ""}), int(sys.argv[2]), 1 << 15, "disk"
)
commit = GroupCommit(writer, lambda _: None)
commit.watch(lambda last: os.write(1, last.to_bytes(8, "big")), sys.exit)
chance = random.Random(1)
while True:
    for _ in range(chance.randint(1, 40)):
        seq = writer.appended_seq + 1
        event = Define(1, seq, "name" * (seq % 40))
        writer.append(seq, int(sys.argv[2]) + seq, event, NOTED_DECISION)
        commit.appended(seq)
    if chance.random() < 0.5:
        assert commit.flush(60)
    else:
        commit.poll()
"""


@pytest.mark.parametrize("seed", range(5))
def test_kill_with_disk_durability(tmp_path: Path, seed: int) -> None:
    """Everything up to the last number that was told to be safe is there, and no gap behind it."""
    wanted = random.Random(seed).randint(1, 300)
    last = killed(SYNCING_WRITER, tmp_path, wanted)[-1]
    run = latest_run(tmp_path)
    assert run is not None
    records = list(read_run(run.path))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert len(records) >= last
    assert all(record.event.name == "name" * (record.seq % 40) for record in records)
    result = verify_run(run.path)
    assert (result.exit_code, result.records) == (0, len(records))


def killed(script: str, data: Path, wanted: int) -> list[int]:
    """Run a writer, kill it when it has printed `wanted` numbers; return all it has printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(data), str(START_NS)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout as stdout:
        printed = b"".join(stdout.read(8) for _ in range(wanted))
        os.kill(process.pid, signal.SIGKILL)
        printed += stdout.read()
    process.wait()
    numbers = [printed[at : at + 8] for at in range(0, len(printed) - 7, 8)]
    assert len(numbers) >= wanted
    return [int.from_bytes(number, "big") for number in numbers]


@pytest.mark.parametrize("seed", range(5))
def test_kill(tmp_path: Path, seed: int) -> None:
    """The record is a gap-free prefix that holds every number the process had printed."""
    wanted = random.Random(seed).randint(1, 4000)
    numbers = killed(WRITER, tmp_path, wanted)
    last = numbers[-1]
    assert numbers == list(range(1, last + 1))
    run = latest_run(tmp_path)
    assert run is not None
    records = list(read_run(run.path))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert len(records) in (last, last + 1)
    assert all(record.event.name == "name" * (record.seq % 40) for record in records)
    result = verify_run(run.path)
    assert (result.exit_code, result.records) == (0, len(records))
