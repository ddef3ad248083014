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


@pytest.mark.parametrize("seed", range(5))
def test_kill(tmp_path: Path, seed: int) -> None:
    """The record is a gap-free prefix that holds every number the process had printed."""
    wanted = random.Random(seed).randint(1, 4000)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(START_NS)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout as stdout:
        acknowledged = b"".join(stdout.read(8) for _ in range(wanted))
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += stdout.read()
    process.wait()
    last = len(acknowledged) // 8
    assert int.from_bytes(acknowledged[last * 8 - 8 : last * 8], "big") == last >= wanted
    run = latest_run(tmp_path)
    assert run is not None
    records = list(read_run(run.path))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert len(records) in (last, last + 1)
    assert all(record.event.name == "name" * (record.seq % 40) for record in records)
    result = verify_run(run.path)
    assert (result.exit_code, result.records) == (0, len(records))
