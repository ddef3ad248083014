"""Does one piece of upkeep again and again, killed with -9 before each of its file operations.

    python -m tests.gateway.journal.crash_steps WORK TEMPLATE NAME

Copies TEMPLATE to WORK/0, WORK/1, ...; a child process works on each copy and is killed before its
first, second, ... file operation, until one gets to its end. Prints how many were killed.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from gateway.journal.encryption import record_key
from gateway.journal.holds import HoldEvent, add_hold
from gateway.journal.manifest import Run, read_manifest, run_directories
from gateway.journal.repair import close_abandoned, cut_torn_tail
from gateway.journal.retention import apply_retention
from gateway.journal.seal import read_seal_key
from gateway.journal.upkeep import archive, sign
from rules.values import NS_PER_DAY

KEY: Final = record_key(bytes(range(32)))
OPERATIONS: Final = {"os.rename", "os.remove", "os.truncate", "os.mkdir"}
LATER_NS: Final = 1_770_000_000_000_000_000


def close(data: Path) -> None:
    """Cut and close every run."""
    for path in run_directories(data):
        run = Run(path, read_manifest(path))
        cut_torn_tail(run)
        close_abandoned(run)


def hold(data: Path) -> None:
    """Place a hold."""
    wanted = HoldEvent(at_ns=1, actor="a", action="add", hold="", reason="r", owner="o")
    add_hold(data, wanted)


WORK: Final[dict[str, Callable[[Path], Any]]] = {
    "compress": lambda data: archive(data, None, 0),
    "encrypt": lambda data: archive(data, KEY, 0),
    "sign": lambda data: sign(data, read_seal_key(data / "seal.pem")),
    "retain": lambda data: apply_retention(data, "1d", LATER_NS + NS_PER_DAY, "officer"),
    "close": close,
    "hold": hold,
}


def killed_before(step: int, work: Callable[[], Any]) -> None:
    """Do the work in this process, and end it with -9 before its file operation number `step`."""
    left = step

    def count() -> None:
        nonlocal left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        if writes or event in OPERATIONS:
            count()

    real_sync = os.fsync

    def sync(descriptor: int) -> None:
        count()
        real_sync(descriptor)

    os.fsync = sync
    sys.addaudithook(hook)
    work()


def main(work: Path, template: Path, name: str) -> int:
    """Return how many children were killed before one got to its end."""
    step = 0
    while True:
        data = work / str(step)
        shutil.copytree(template, data)
        child = os.fork()
        if not child:
            try:
                killed_before(step, partial(WORK[name], data))
            except BaseException as error:
                sys.stderr.write(f"step {step}: {error!r}\n")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            if status:
                raise SystemExit(f"step {step} failed")
            return step
        step += 1


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
