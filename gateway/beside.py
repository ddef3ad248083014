"""What is done beside the gate, in processes of their own, whenever a segment has been closed."""

import asyncio
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config import RecordConfig
from gateway.journal.upkeep import Upkeep, check_upkeep, upkeep_command
from gateway.snapshotter import EXIT_DIFFERENT, snapshot_command

OUTPUT_MAX: Final = 2_000
"""Characters of what a process says that are logged."""

_logger = logging.getLogger(__name__)


class Work(NamedTuple):
    """One kind of work: its name, the command that does it, and what a bad end means."""

    name: str
    command: list[str]
    meaning: dict[int, str]
    """By exit code; any other code but 0 is named as it is."""


def works_of(record: RecordConfig, run_directory: Path) -> list[Work]:
    """Return what a configuration wants done whenever a segment has been closed.

    What would fail then is found out now: raises JournalKeyError, and ValueError when the retention
    is no period.
    """
    works = []
    if record.snapshots:
        meaning = {EXIT_DIFFERENT: "decided again, the record comes out differently"}
        works.append(Work("snapshot", snapshot_command(run_directory), meaning))
    upkeep = Upkeep(
        seal_key=record.seal_key,
        compress=record.compress,
        encrypt=record.encrypt,
        retention=record.retention,
    )
    if upkeep.anything:
        check_upkeep(upkeep)
        works.append(Work("upkeep", upkeep_command(record.data, upkeep), {}))
    return works


class Beside:
    """Runs every work once for each time `closed_segments` has grown, one process at a time.

    `look` is called regularly. `faults` counts works that ended badly, by name; `last_fault` says
    how the last of them did.
    """

    def __init__(self, works: list[Work], closed_segments: Callable[[], int]) -> None:
        self.faults: dict[str, int] = {work.name: 0 for work in works}
        self.last_fault = ""
        self._works = works
        self._closed_segments = closed_segments
        self._seen = closed_segments()
        self._task: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def look(self) -> None:
        """Begin the works when there is something new and none is under way."""
        closed = self._closed_segments()
        if closed <= self._seen or not self._works:
            return
        if self._task is None or self._task.done():
            self._seen = closed
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End what is under way; it is done anew the next time."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        for work in self._works:
            if not self._stopped:
                await self._do(work)

    async def _do(self, work: Work) -> None:
        # Not by the event loop: uvloop forks, which stops the whole gate for as long as it takes to
        # copy the page tables of all its memory. This way the child borrows them until it begins.
        try:
            process = self._process = subprocess.Popen(  # noqa: S603 - a module of our own
                work.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Ctrl-C in the gate's terminal is not for it.
                start_new_session=True,
            )
        except OSError as error:
            self._fault(work, f"can't be started: {error}")
            return
        _, said = await asyncio.to_thread(process.communicate)
        self._process = None
        if self._stopped:
            return
        text = said.decode(errors="replace").strip()[-OUTPUT_MAX:]
        if process.returncode:
            meaning = work.meaning.get(process.returncode, f"exit code {process.returncode}")
            self._fault(work, f"{meaning}: {text}" if text else meaning)
        elif text:
            _logger.warning("%s: %s", work.name, text)

    def _fault(self, work: Work, text: str) -> None:
        self.faults[work.name] += 1
        self.last_fault = f"{work.name}: {text}"
        _logger.critical("%s", self.last_fault)
