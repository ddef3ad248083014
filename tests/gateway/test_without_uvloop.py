"""The gate runs on asyncio's own loop where uvloop is not installed, as on Windows."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None"
"""Makes `import uvloop` fail as if it were not installed."""
NAME_THE_LOOP = """
import asyncio
from gateway.commands.serving import run_loop

async def name():
    print(type(asyncio.get_running_loop()).__module__)
    return 3

raise SystemExit(run_loop(name()))
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_loop_is_asyncios_own_without_uvloop() -> None:
    """Without uvloop the loop is asyncio's, and the coroutine's result is returned."""
    done = run(WITHOUT_UVLOOP + NAME_THE_LOOP)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("asyncio.")


def test_a_whole_gate_serves_without_uvloop(tmp_path: Path) -> None:
    """The demo starts, answers a request, and stops clean on Ctrl-C."""
    script = f"{WITHOUT_UVLOOP}\nfrom gateway.__main__ import main\nmain()"
    command = [sys.executable, "-c", script, "demo", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path / "data")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as gate:
        try:
            assert gate.stdout is not None
            assert gate.stderr is not None
            line = gate.stdout.readline()
            assert line, gate.stderr.read()
            ready = json.loads(line)
            with urllib.request.urlopen(ready["rest"] + "/api/v3/ping", timeout=10) as answer:
                assert answer.status == 200
                assert answer.headers["X-OrderGate-Decision"]
            gate.send_signal(signal.SIGINT)
            assert gate.wait(timeout=30) == 0, gate.stderr.read()
        finally:
            gate.kill()
