"""Running a gate until it is asked to stop: shared by `serve` and `demo`."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from gateway.app import Gate, StartError
from gateway.commands.common import errors, fail
from gateway.commands.stages import stages_table
from gateway.config import Config
from gateway.journal import JournalCorruptError, JournalUnreadableError
from gateway.journal.disk import REAL_DISK, Disk
from rules.rulebook import RulebookError

EXIT_FAULT: Final = 1


class ReadyLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one line a started gate prints for programs."""

    rest: str = ""
    grpc: str = ""
    admin: str = ""
    data: str = ""
    run: str = ""
    keys: tuple[dict[str, str], ...] = ()


def ready_line(gate: Gate, keys: tuple[dict[str, str], ...] = ()) -> ReadyLine:
    """Return where a started gate is reached."""
    host = gate.config.listen.host
    shown = f"[{host}]" if ":" in host else host

    def address(name: str, scheme: str) -> str:
        return f"{scheme}{shown}:{gate.ports[name]}" if name in gate.ports else ""

    return ReadyLine(
        rest=address("rest", "http://"),
        grpc=address("grpc", ""),
        admin=address("admin", "http://"),
        data=str(gate.config.record.data.resolve()),
        run=gate.journal.directory.name,
        keys=keys,
    )


def run_gate(config: Config, announce: Callable[[Gate], None], disk: Disk = REAL_DISK) -> int:
    """Run a gate until SIGINT or SIGTERM; return the exit code.

    Its record is written to `disk`; a test gives one of its own. Whatever keeps it from starting is
    printed, one line a fault, and ends with exit code 2; after damage the last line says what to
    run for what to do.
    """
    try:
        return run_loop(_serve(config, announce, disk))
    except RulebookError as error:
        fail(*error.errors)
    except StartError as error:
        fail(str(error), *_advice(error.__cause__, config))


def _advice(cause: BaseException | None, config: Config) -> list[str]:
    """Return what to run for what to do about a record the start can't go on from."""
    data = config.record.data
    if isinstance(cause, JournalCorruptError):
        # A reserve's directory has its run's name.
        which = f"--run {cause.path.parent.name}"
    elif isinstance(cause, JournalUnreadableError):
        which = "--all"
    else:
        return []
    return [f"for what to do: ordergate log verify --data {shlex.quote(str(data))} {which}"]


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _serve(config: Config, announce: Callable[[Gate], None], disk: Disk) -> int:
    gate = Gate(config, disk=disk)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, gate.ask_to_stop)
        except NotImplementedError:  # Windows: Ctrl-C ends the run as KeyboardInterrupt
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(gate.ask_to_stop))
    try:
        await gate.start()
        announce(gate)
        await gate.wait()
    finally:
        await gate.stop()
        if gate.stages is not None:
            errors.print(stages_table(gate.stages.answer()))
    if gate.fault:
        sys.stderr.write(f"ordergate: {gate.fault}\n")
        return EXIT_FAULT
    return 0
