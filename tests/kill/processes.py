"""Gates and engines as processes of their own, to be killed."""

import json
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final

from gateway.decision_id import DecisionIds

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0


class Killable:
    """One process of `ordergate` that prints a JSON line when it is ready."""

    def __init__(self, arguments: tuple[str, ...], errors_path: Path) -> None:
        self._errors_path = errors_path
        self._errors: IO[bytes] = errors_path.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.ready: dict[str, Any] = {}

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Return once the process serves; fails with what it complained of instead."""
        stdout = self._process.stdout
        assert stdout is not None
        readable, _, _ = select.select([stdout], [], [], START_SECONDS)
        line = stdout.readline() if readable else b""
        if not line:
            self.kill()
            raise AssertionError(f"it did not start: {self.errors()}")
        self.ready = json.loads(line)

    def errors(self) -> str:
        """Return what this process and those before it have written on standard error."""
        return self._errors_path.read_text(errors="replace")

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process without warning."""
        self._process.kill()
        self._end()

    def stop(self) -> int:
        """Ask the process to end, as an operator does; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def _end(self) -> None:
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


class GateProcess(Killable):
    """A gate served from a configuration file."""

    def __init__(self, configuration: Path) -> None:
        super().__init__(
            ("serve", "--config", str(configuration)), configuration.parent / "gate.stderr"
        )

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.ready["data"])

    @property
    def run(self) -> Path:
        """Where this life of the gate is recorded."""
        return self.data / str(self.ready["run"])

    @property
    def admin_token(self) -> str:
        """What operators prove themselves with."""
        return (self.data / "admin.token").read_text().strip()


class EngineProcess(Killable):
    """A matching engine on a port that stays the same over its lives, 0 for the first."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("engine", "--json", "--port", str(port)), folder / "engine.stderr")
        self.frozen = False

    def freeze(self) -> None:
        """Let the engine hang."""
        self._process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Let the engine go on."""
        self._process.send_signal(signal.SIGCONT)
        self.frozen = False

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self.ready["engine"])

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.address.rpartition(":")[2])


def decision_ids(data: Path, run: str) -> DecisionIds:
    """Return what turns the decision ids of a run into numbers of records."""
    return DecisionIds((data / "decision.key").read_bytes(), run)
