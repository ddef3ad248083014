"""`ordergate demo` and `serve` as processes: ready line, greeting, signals, restarts, bad input."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.client import DEFAULT_TOKEN_FILE, DEFAULT_URL, settings_for
from gateway.commands.demo_text import own_command
from gateway.journal import latest_run
from gateway.journal.manifest import runs
from gateway.journal.verify import verify_run

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60


def command(*words: object) -> list[str]:
    """Return the command line of one command."""
    return [sys.executable, "-m", "gateway", *map(str, words)]


BUGGY = """
from rules.booking import Booking
from rules.events import Query

inside = Booking.request

def request(self, event, decision, now_ns):
    if isinstance(event, Query):
        raise KeyError("a bug")
    inside(self, event, decision, now_ns)

Booking.request = request
from gateway.__main__ import main
main()
"""
"""A program whose core meets a bug in the commit of the first query."""


def run(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        command(*words), cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )


@contextmanager
def started(
    *words: object, program: str = ""
) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any], list[str]]]:
    """Start a gate; give the process, its ready line, and what it printed before that."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)] if program else command(*words),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    printed: list[str] = []
    try:
        with process:
            assert select.select([process.stdout], [], [], SECONDS)[0], "the gate does not start"
            while not (line := process.stdout.readline()).startswith("{"):
                assert line, process.stderr.read()
                printed.append(line)
            try:
                yield process, json.loads(line), printed
            finally:
                process.kill()
    finally:
        process.wait(SECONDS)


def ping(ready: dict[str, Any]) -> int:
    """Ask the gate whether it is there."""
    with urllib.request.urlopen(f"{ready['rest']}/api/v3/ping", timeout=10) as answer:
        return int(answer.status)


def test_a_demo_from_start_to_end(tmp_path: Path) -> None:
    """The greeting names everything, its commands work when pasted, Ctrl-C ends the run clean."""
    data = tmp_path / "data"
    with started("demo", "--port", 0, "--data", data) as (process, ready, printed):
        text = "".join(printed)
        for value in (ready["rest"], ready["grpc"], ready["admin"], ready["run"], str(data)):
            assert value in text
        assert [key["account"] for key in ready["keys"]] == ["demo-alice", "demo-bob"]
        assert f"export ORDERGATE_ADMIN={ready['admin']}" in text
        assert f"export ORDERGATE_TOKEN_FILE={data / 'admin.token'}" in text
        assert f"export ORDERGATE_DATA={data}" in text
        assert all(key["name"] in text and key["secret"] in text for key in ready["keys"])
        if shutil.which("curl") and shutil.which("openssl"):
            pasted(text, data)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    found = latest_run(data)
    assert found is not None
    assert found.manifest.status == "ended"
    assert verify_run(found.path).exit_code == 0


def test_operators_reach_a_gate_that_is_elsewhere(tmp_path: Path) -> None:
    """Commands find a gate by the variables its start prints, and need none for the defaults."""
    with started("demo", "--port", 0, "--data", tmp_path / "data") as (_, ready, printed):
        words = [line.split() for line in printed if line.strip().startswith("export ")]
        variables = dict(assignment.split("=", 1) for _, assignment in words)
        told = []
        for asked in (("status", "--json"), ("record", "status", "--json"), ("log", "verify")):
            done = subprocess.run(
                command(*asked),
                cwd=ROOT,
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            told.append(done.stdout)
    assert all(ready["run"] in each for each in told)
    assert settings_for(DEFAULT_URL, DEFAULT_TOKEN_FILE) == []
    assert settings_for("", tmp_path / "admin.token") == [f"export ORDERGATE_DATA={tmp_path}"]


def pasted(text: str, data: Path) -> None:
    """Paste the greeting's commands into a shell: an order, a refused one, and why."""
    lines = text.splitlines()
    signed = "\n".join(lines[next(i for i, line in enumerate(lines) if line[:4] == "KEY=") :][:7])
    orders = [line.strip() for line in lines if line.startswith("  og POST")]
    assert len(orders) == 2
    answers = []
    for order in orders:
        shell = subprocess.run(
            ["sh", "-c", f"{signed}\n{order}"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        answers.append(shell.stdout)
    assert '"orderId"' in answers[0]
    assert '"code":-1013' in answers[1]
    headers = dict(
        line.split(": ", 1) for line in answers[1].splitlines() if line.startswith("X-OrderGate")
    )
    why = f"{own_command()} log explain {headers['X-OrderGate-Decision']} --data {data}"
    assert f"{own_command()} log explain ID --data {data}" in text
    explained = run(*why.split("-m gateway ")[-1].removeprefix("ordergate ").split())
    assert explained.returncode == 0, explained.stderr
    assert "price_filter" in explained.stdout


def test_the_ready_line_alone(tmp_path: Path) -> None:
    """With --json there is nothing else; SIGTERM ends the run with code 0."""
    with started("demo", "--port", 0, "--json", "--data", tmp_path) as (process, ready, printed):
        assert printed == []
        assert ping(ready) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    found = latest_run(tmp_path)
    assert found is not None
    assert found.manifest.status == "ended"


def test_kill_minus_nine_and_restart(tmp_path: Path) -> None:
    """Nothing that was answered is lost, and the next run goes on from it."""
    words = ("demo", "--port", 0, "--json", "--data", tmp_path)
    with started(*words) as (process, ready, _):
        assert ping(ready) == 200
        process.kill()
        process.wait(SECONDS)
    killed = tmp_path / ready["run"]
    assert verify_run(killed).exit_code == 0
    replayed = run("replay", killed, "--json")
    assert replayed.returncode == 0, replayed.stderr
    with started(*words) as (process, again, _):
        assert again["run"] != ready["run"]
        assert ping(again) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert [found.manifest.status for found in runs(tmp_path)] == ["running", "ended"]


def test_a_bug_in_the_core(tmp_path: Path) -> None:
    """The gate ends with code 1 and says why; what was recorded before is whole."""
    words = ("demo", "--port", 0, "--json", "--data", tmp_path)
    with started(*words, program=BUGGY) as (process, ready, _):
        with pytest.raises(urllib.error.HTTPError, match="500"):
            ping(ready)
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None
        assert "KeyError: 'a bug'" in process.stderr.read()
    found = latest_run(tmp_path)
    assert found is not None
    assert found.manifest.status == "ended"
    assert verify_run(found.path).exit_code == 0


def test_a_port_in_use(tmp_path: Path) -> None:
    """Exit code 2, and a message that names edge, address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("demo", "--port", port, "--json", "--data", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"rest can't listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--rulebook", "no-such-rulebook"), "no-such-rulebook"),
        (("--rulebook", "README.md"), "README.md"),
        (("--port", "70000"), "--port"),
    ],
)
def test_bad_input(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """Exit code 2 and the value at fault, without a traceback."""
    done = run(
        "demo", *(("--port", "0") if "--port" not in words else ()), *words, "--data", tmp_path
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_corrupt_record(tmp_path: Path) -> None:
    """A gate does not start on a damaged record, says where, and what to run about it."""
    words = ("demo", "--port", 0, "--json", "--data", tmp_path)
    with started(*words) as (process, ready, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    segment = tmp_path / ready["run"] / "000001.seg"
    with segment.open("r+b") as file:
        file.seek(2_000)
        file.write(b"\xff" * 8)
    done = run(*words)
    assert done.returncode == 2
    assert "000001.seg at byte" in done.stderr
    assert "Traceback" not in done.stderr
    advised = done.stderr.splitlines()[-1].partition("for what to do: ")[2]
    assert advised == f"ordergate log verify --data {tmp_path} --run {ready['run']}"
    verified = run(*advised.split()[1:])
    assert verified.returncode == 1
    assert "What to do:" in verified.stderr
    (tmp_path / ready["run"] / "manifest.json").write_text("{")
    assert run(*words).stderr.endswith(f"ordergate log verify --data {tmp_path} --all\n")


def test_serve(tmp_path: Path) -> None:
    """A configuration file starts a gate; a faulty one tells every fault."""
    good = tmp_path / "gate.toml"
    good.write_text(
        f"""
rulebook = "binance-spot-2026"
[listen]
rest_port = 0
grpc_port = -1
admin_port = 0
[record]
data = "{tmp_path / "data"}"
[[instruments]]
name = "BTCUSDT"
base = "BTC"
quote = "USDT"
previous_close = "60000"
"""
    )
    with started("serve", "--config", good) as (process, ready, _):
        assert ping(ready) == 200
        assert "grpc" not in ready
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        told = process.stderr.read()
    assert f"export ORDERGATE_ADMIN={ready['admin']}\n" in told
    assert f"export ORDERGATE_TOKEN_FILE={tmp_path / 'data' / 'admin.token'}\n" in told
    assert f"export ORDERGATE_DATA={tmp_path / 'data'}\n" in told
    bad = tmp_path / "bad.toml"
    bad.write_text("clock = 'sundial'\n[listen]\nrest_port = 'x'\n")
    done = run("serve", "--config", bad)
    assert done.returncode == 2
    assert "sundial" in done.stderr
    assert "rest_port" in done.stderr
    done = run("serve", "--config", good, "--edges", "1", "--trace-stages")
    assert done.returncode == 2
    assert "not with edge processes" in done.stderr
