"""The process beside the gate that keeps up the record: one at a time, never waited for."""

import logging
import subprocess
from pathlib import Path
from typing import Final

from gateway.journal.encryption import find_keys
from gateway.journal.retention import read_retention
from gateway.journal.seal import read_seal_key
from gateway.journal.upkeep import Upkeep, encryption_key, upkeep_command

_MESSAGE_MAX: Final = 2_000
"""Characters of what a process said that are kept."""

_logger = logging.getLogger(__name__)


class UpkeepProcess:
    """Starts upkeep of a data directory whenever a segment was closed.

    `fault` is empty while all is well; else it says what the last process could not do. The gate
    goes on in any case: what is not archived stays plain, and nothing is deleted in doubt.
    """

    def __init__(self, data: Path, wanted: Upkeep) -> None:
        self.fault = ""
        self._data = data
        self._wanted = wanted
        self._process: subprocess.Popen[str] | None = None
        self._again = False

    def request(self) -> None:
        """Have upkeep done soon; a request while it is at work is done after that."""
        if not self._wanted.anything:
            return
        if self._process is not None:
            self._again = True
            return
        self._again = False
        try:
            # A session of its own, so that Ctrl-C in the gate's terminal is not for it.
            self._process = subprocess.Popen(  # noqa: S603 - our own module with our own options
                upkeep_command(self._data, self._wanted),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            self._failed(f"cannot start upkeep: {error}")

    def poll(self) -> bool:
        """Take note of a process that has ended; True while one is at work. Called now and then."""
        process = self._process
        if process is not None and process.poll() is not None:
            self._end(process)
            if self._again:
                self.request()
        return self._process is not None

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the process at work, and for one requested meanwhile; False when it goes on."""
        while self._process is not None:
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                return False
            self.poll()
        return True

    def close(self, patience_seconds: float = 5.0) -> None:
        """Let a process at work get ready, or end it: what it leaves, a later one does."""
        self._again = False
        process = self._process
        if process is not None and not self.wait(patience_seconds):
            process.kill()
            process.wait()
            self._process = None
            assert process.stderr is not None
            process.stderr.close()

    def _end(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            said = process.stderr.read(_MESSAGE_MAX).strip()
        self._process = None
        self.fault = ""
        if process.returncode:
            self._failed(said or f"upkeep ended with {process.returncode}")

    def _failed(self, message: str) -> None:
        self.fault = message
        _logger.error("%s", message)


def check_upkeep(wanted: Upkeep) -> None:
    """Find out at the start what would fail later: keys that are not there, a period that is none.

    Raises JournalKeyError and ValueError.
    """
    if wanted.seal_key:
        read_seal_key(Path(wanted.seal_key))
    if wanted.encrypt:
        encryption_key()
    else:
        find_keys()
    if wanted.retention:
        read_retention(wanted.retention)
