"""The live display: what it shows, and that it can't disturb a run."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Final

import pytest

from loadtest.display import Display
from loadtest.share import Counts
from tests.loadtest.venue import Venue

ROOT: Final = Path(__file__).parents[2]


def drawn_by(*arguments: str) -> tuple[int, str, str]:
    """Run Python with a terminal for its standard error; return exit code, output, drawing."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (40, 160))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "160"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
    )
    os.close(end)
    drawn = b""
    try:
        while piece := os.read(terminal, 65_536):
            drawn += piece
    except OSError:
        pass  # Linux's way to say that nobody has the other end any more.
    finally:
        os.close(terminal)
    output, _ = process.communicate()
    return process.returncode, output, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode())


def test_a_run_shows_how_far_it_is(tmp_path: Path) -> None:
    """On a terminal, beside the results, from a process that ends with the run."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "k", "secret": "s"}]}))
    with Venue() as venue:
        code, output, drawn = drawn_by(
            *("-m", "loadtest", "run", "--target", venue.url, "--keys", str(keys)),
            *("--rate", "50", "--arrivals", "constant", "--warmup", "0s", "--duration", "1s"),
            *("--late-bound", "p99<5s"),
        )
    assert code == 0, drawn
    assert re.search(r"run 1 of 1 .*[0-9]+/50 due, [0-9]+ unanswered, 0 refused, 0 errors", drawn)
    assert "50.0/s offered" in output
    assert "due" not in output


def display(monkeypatch: pytest.MonkeyPatch) -> Display:
    """A display as on a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    return Display(shown=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_display_that_hangs_or_dies_disturbs_nothing(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """What it does not read is left out: the tester neither waits nor ends."""
    shown = display(monkeypatch)
    with shown:
        process = shown._process
        assert process is not None
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()
        for due in range(50_000):
            shown.progress(Counts(50_000, due, due, 0, 0))
        if number == signal.SIGSTOP:
            process.kill()
    assert process.returncode == -signal.SIGKILL


def test_without_a_terminal_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where only JSON is asked for."""
    with Display(shown=True) as shown:
        assert shown._process is None
        shown.progress(Counts(1, 1, 1, 0, 0))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Display(shown=False) as shown:
        assert shown._process is None
