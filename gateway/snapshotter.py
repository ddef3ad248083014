"""Making a snapshot beside the gate: `python -m gateway.snapshotter RUN-DIRECTORY`.

The process follows the closed segments of a run from the newest snapshot on, decides everything
again and writes the state after the last closed segment. The gate starts one whenever it has
closed a segment, and never waits for it. A decision that comes out differently from the record is
an alarm: the code that decides is not what it was, or memory is not to be trusted.
"""

import sys
from pathlib import Path
from typing import Final, NamedTuple

from gateway.engine.redrive import Redrive
from gateway.journal import JournalError, Run
from gateway.journal.manifest import read_manifest
from gateway.journal.snapshot_file import snapshot_seqs
from gateway.low_priority import low_priority_command
from gateway.recovery import follow
from gateway.snapshots import write_snapshot
from rules.rulebook import RulebookError

SNAPSHOTS_KEPT: Final = 4
"""Newest snapshots of a run that are kept, besides the one it begins with."""
EXIT_DIFFERENT: Final = 1
EXIT_UNREADABLE: Final = 2


class Made(NamedTuple):
    """What was done."""

    path: Path | None
    """The snapshot, None when there was nothing new to make one of."""
    seq: int
    replayed: int
    differences: int
    first_difference: int
    engine_divergence: str
    """Why the embedded engine's orders would be lost at a restart, empty when they would not."""


def make_snapshot(run_directory: Path) -> Made:
    """Write the state of a run after its last closed segment; older snapshots go.

    Raises JournalError, RulebookError and OSError.
    """
    run = Run(run_directory, read_manifest(run_directory))
    last_seq = run.manifest.segments[-1].last_seq if run.manifest.segments else 0
    made = snapshot_seqs(run_directory)
    if last_seq < run.manifest.first_seq or (made and made[-1][0] >= last_seq):
        return Made(None, last_seq, 0, 0, 0, "")
    replica, replayed = follow(run, until_seq=last_seq)
    path = write_snapshot(run_directory, replica.snapshot(run_directory.name))
    for _, old in snapshot_seqs(run_directory)[:-SNAPSHOTS_KEPT]:
        old.unlink(missing_ok=True)
    engine = replica.engine
    return Made(
        path,
        last_seq,
        replayed,
        replica.differences,
        replica.first_difference,
        engine.divergence if isinstance(engine, Redrive) else "",
    )


def snapshot_command(run_directory: Path) -> list[str]:
    """Return the command that makes a snapshot of a run in a process of its own."""
    return low_priority_command("gateway.snapshotter", str(run_directory))


def main(arguments: list[str]) -> int:
    """Make a snapshot of the run named; return the exit code, with what is wrong on stderr."""
    try:
        made = make_snapshot(Path(arguments[0]))
    except (JournalError, RulebookError, OSError, IndexError) as error:
        sys.stderr.write(f"no snapshot was made: {error}\n")
        return EXIT_UNREADABLE
    if made.engine_divergence:
        sys.stderr.write(f"the engine can't be rebuilt: {made.engine_divergence}\n")
    if made.differences:
        sys.stderr.write(
            f"{made.differences} decisions come out differently, the first is "
            f"{made.first_difference}\n"
        )
        return EXIT_DIFFERENT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
