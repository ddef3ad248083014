"""A gate as a process of its own, and everything a test asks of it from outside."""

import json
import os
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gateway.decision_id import DecisionIds
from gateway.journal import Record, read_run
from rules.events import Define, Request
from rules.values import DEFINE_ADDRESS

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0


def ordergate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class GateProcess:
    """A running `ordergate demo` on free ports, with its record in a directory of its own.

    `command` is another way to run a gate: what the Python interpreter is called with.
    """

    def __init__(self, directory: Path, *options: str, command: Sequence[str] = ()) -> None:
        self._errors_path = directory / "stderr.txt"
        self._errors = self._errors_path.open("wb")
        demo = ("-m", "gateway", "demo", "--port", "0", "--json", "--data", str(directory / "data"))
        self.process = subprocess.Popen(
            [sys.executable, *(command or demo), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.ready: dict[str, Any] = json.loads(self._first_line())
        self.rest_port = int(self.ready["rest"].rpartition(":")[2])
        self.data = Path(self.ready["data"])
        self.run = self.data / self.ready["run"]

    def _first_line(self) -> bytes:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.process.kill()
            self.stop()
            raise AssertionError(f"the gate did not start: {self.errors()}")
        return line

    # --- While it runs ------------------------------------------------------------------------

    def errors(self) -> str:
        """Return what the gate has written on standard error."""
        return self._errors_path.read_text(errors="replace")

    def alive(self) -> bool:
        """Tell whether the process runs and says it is healthy."""
        if self.process.poll() is not None:
            return False
        with urllib.request.urlopen(f"{self.ready['admin']}/healthz", timeout=10) as answer:
            return bool(answer.status == 200)

    def memory_kib(self) -> int:
        """Return the memory the process holds."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS in /proc")

    def admin(self, path: str, message: dict[str, Any] | None = None) -> Any:
        """Ask the admin port as an operator; a message makes it a POST."""
        token = (self.data / "admin.token").read_text().strip()
        request = urllib.request.Request(
            f"{self.ready['admin']}{path}",
            data=None if message is None else json.dumps(message).encode(),
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    # --- Afterwards ---------------------------------------------------------------------------

    def stop(self) -> int:
        """Ask the gate to stop as an operator does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self._errors.close()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def assert_unharmed(self) -> None:
        """Hold the gate to being alive, then stop it: not a word of complaint, a sound record."""
        assert self.alive()
        assert self.stop() == 0
        said = self.errors().splitlines()
        usual = ("for operators' commands: export ", "overloaded; ", "overloaded: ")
        assert [line for line in said if not any(text in line for text in usual)] == []
        self.assert_record_holds()

    def sequence_number(self, decision_id: str) -> int:
        """Return the record a decision id stands for; fails when the gate did not make the id."""
        ids = DecisionIds((self.data / "decision.key").read_bytes(), self.run.name)
        seq = ids.decode(decision_id)
        assert seq is not None, f"`{decision_id}` is no decision id of this gate"
        return seq

    def records(self) -> list[Record]:
        """Return the whole record."""
        return list(read_run(self.run))

    def requests_of(self, address_prefix: str) -> dict[int, Record]:
        """Return the recorded requests of addresses that begin so, by sequence number."""
        records = self.records()
        addresses = {
            record.event.number
            for record in records
            if isinstance(record.event, Define)
            and record.event.kind == DEFINE_ADDRESS
            and record.event.name.startswith(address_prefix)
        }
        return {
            record.seq: record
            for record in records
            if isinstance(record.event, Request) and record.event.ip in addresses
        }

    def assert_record_holds(self) -> None:
        """Verify the record, and decide it again: every decision must come out the same."""
        verified = ordergate("log", "verify", "--data", str(self.run))
        assert verified.returncode == 0, verified.stdout + verified.stderr
        replayed = ordergate("replay", str(self.run), "--json")
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        assert json.loads(replayed.stdout)["difference"] is None


@contextmanager
def running_gate(
    directory: Path, *options: str, command: Sequence[str] = ()
) -> Iterator[GateProcess]:
    """Yield a running gate; whatever happens, it does not outlive the test."""
    gate = GateProcess(directory, *options, command=command)
    try:
        yield gate
    finally:
        gate.stop()
