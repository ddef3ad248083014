"""How a run came to its end, if it has: its writer said so, or it is alive, or neither.

A writer that was killed, or lost its power, leaves a manifest that says `running` for ever. It is
told from one that runs by the lock of the data directory, which ends with the process.
"""

from typing import Final

from gateway.data_lock import is_locked
from gateway.journal.manifest import Run, run_directories

RUNNING: Final = "running"
ENDED: Final = "ended"
NOT_ENDED_WELL: Final = "did not end well"


def life_of(run: Run) -> str:
    """Return what became of a run: `RUNNING`, `ENDED` or `NOT_ENDED_WELL`.

    A gate runs on the newest run of a data directory that is locked. Who may not look at the lock
    is told what the manifest says.
    """
    if run.manifest.status == ENDED:
        return ENDED
    directory = run.path.absolute()
    newest = run_directories(directory.parent)[-1:]
    if newest and newest != [directory]:
        return NOT_ENDED_WELL
    return RUNNING if is_locked(directory.parent) else NOT_ENDED_WELL
