"""`python -m loadtest.sender`: one of a run's sender processes; started by `processes`.

It reads a share from its standard input, renders it, connects, says that it is ready, is told
when to start, and says how far it is and at last what it found. It may be told to stop before.
When its standard input ends, whoever started it has gone, and it ends too.
"""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any, BinaryIO, Final

from loadtest.frames import LENGTH, Ready, Refused, Start, Stop, frame, unframed
from loadtest.loops import run_in_loop
from loadtest.share import Counts, Outcome, Sender, Share
from loadtest.units import LoadTestError

_EVERY: Final = 5
"""Calls between two counts; the senders call 20 times a second."""


class _Answers:
    """The pipe back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._calls = 0

    def say(self, message: Any) -> None:
        """Write a message, however long that takes."""
        os.set_blocking(self._descriptor, True)
        rest = memoryview(frame(message))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def progress(self, counts: Counts) -> None:
        """Write how far it is now and then; a full pipe must not stop the run."""
        self._calls += 1
        if self._calls % _EVERY and counts.answered < counts.total:
            return
        os.set_blocking(self._descriptor, False)
        whole = frame(counts)
        with contextlib.suppress(BlockingIOError):
            written = os.write(self._descriptor, whole)
            if written < len(whole):
                os.set_blocking(self._descriptor, True)
                os.write(self._descriptor, whole[written:])


async def _serve(share: Share, source: BinaryIO, answers: _Answers) -> None:
    """Send a share; cancelled when the source ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    sender = Sender(share)
    try:
        await sender.connect()
        answers.say(Ready())
        start: Start = await _told(reader)
        sending = asyncio.create_task(sender.send(start.start_ns, answers.progress))
        while not sending.done():
            telling = asyncio.create_task(_told(reader))
            await asyncio.wait((sending, telling), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                telling.cancel()
            elif telling.exception() is not None:
                sending.cancel()
                break
            else:
                stop: Stop = telling.result()
                sender.break_off(stop.at_ns)
        with contextlib.suppress(asyncio.CancelledError):
            outcome: Outcome = await sending
            answers.say(outcome)
    finally:
        await sender.close()


async def _told(reader: asyncio.StreamReader) -> Any:
    """Return what this process is told next."""
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    return unframed(await reader.readexactly(length))


def main() -> None:
    """Serve one share."""
    # The one that was asked to stop tells its processes; a terminal's Ctrl-C reaches only it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _Answers(os.dup(sys.stdout.fileno()))
    # Whatever is printed must not get between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    source = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    try:
        share: Share = unframed(_read(source, LENGTH.unpack(_read(source, LENGTH.size))[0]))
        run_in_loop(_serve(share, source, answers))
    except LoadTestError as error:
        answers.say(Refused(str(error)))
    except (EOFError, asyncio.IncompleteReadError, BrokenPipeError):
        # Its starter has gone.
        sys.exit(1)


def _read(source: BinaryIO, length: int) -> bytes:
    parts = []
    while length:
        part = source.read(length)
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    main()
