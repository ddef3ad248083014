"""A run sent by several processes, which begin at one moment of the stopwatch they share.

Each has a share that was dealt beforehand and measures it itself, so that nothing passes between
them while requests are sent but counts for the display. One process alone sends from this one.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from loadtest.frames import LENGTH, Ready, Refused, Start, Stop, frame, unframed
from loadtest.merge import merged_run
from loadtest.share import Counts, Outcome, Sender, Share
from loadtest.units import NS_PER_SECOND, LoadTestError

SILENCE_SECONDS: Final = 10.0
"""A process that sends says how far it is four times a second; one that does not hangs."""
_MEASURE_SECONDS: Final = 60.0
_MEASURE_SECONDS_EACH: Final = 0.0005
"""For a request's figures, on a busy machine."""


class Alone:
    """Sends the only share from this process."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._sender: Sender | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sender is not None:
            await self._sender.close()

    async def prepare(self) -> None:
        """Render and connect; raises LoadTestError."""
        self._sender = Sender(self._share)
        await self._sender.connect()

    async def send(self, start_ns: int, progress: Callable[[Counts], None]) -> Outcome:
        """Send everything and measure."""
        assert self._sender is not None
        return await self._sender.send(start_ns, progress)

    def break_off(self, at_ns: int) -> None:
        """End what is sent, as of a moment of the stopwatch; `send` returns a second later."""
        assert self._sender is not None
        self._sender.break_off(at_ns)


class Processes:
    """Sends each share from a process of its own."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._workers = [_Worker(share, number, len(shares)) for number, share in enumerate(shares)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def prepare(self) -> None:
        """Start the processes, let them render and connect; raises LoadTestError."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_raised(worker.prepare())) for worker in self._workers]
        if problems := [message for task in tasks if (message := task.result())]:
            raise LoadTestError(problems[0])

    async def send(self, start_ns: int, progress: Callable[[Counts], None]) -> Outcome:
        """Send everything and merge what the processes have measured.

        A process that ends before it has told its figures makes the run not valid. Raises
        LoadTestError when none is left.
        """

        def told() -> None:
            progress(Counts(*map(sum, zip(*(each.counts for each in self._workers), strict=True))))

        ends = await asyncio.gather(*(each.send(start_ns, told) for each in self._workers))
        done = [end for end in ends if isinstance(end, Outcome)]
        faults = [end for end in ends if isinstance(end, str)]
        if not done:
            raise LoadTestError("; ".join(faults))
        runs = []
        for worker, end in zip(self._workers, ends, strict=True):
            if isinstance(end, Outcome) and end.run is not None:
                runs.append(end.run)
                faults += [f"{worker.name}: {fault}" for fault in end.run.faults]
        names = [name for end in done for name in end.decision_ids]
        return Outcome(merged_run(runs, tuple(faults)) if runs else None, names)

    def break_off(self, at_ns: int) -> None:
        """End what is sent, as of a moment of the stopwatch; `send` returns a second later."""
        for worker in self._workers:
            worker.break_off(at_ns)


class _Worker:
    """One process."""

    def __init__(self, share: Share, number: int, of: int) -> None:
        self.name = f"sender process {number + 1} of {of}"
        self.counts = Counts(len(share.times), 0, 0, 0, 0)
        self._share = share
        self._process: asyncio.subprocess.Process | None = None

    async def prepare(self) -> None:
        """Start the process and wait until it is ready; raises LoadTestError."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtest.sender"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(frame(self._share))
            await self._process.stdin.drain()
        said = await self._hear()
        if isinstance(said, Refused):
            raise LoadTestError(said.message)
        if not isinstance(said, Ready):
            raise LoadTestError(f"{self.name} {await self._end()} before the run began")

    async def send(self, start_ns: int, told: Callable[[], None]) -> Outcome | str:
        """Return what the process has measured, or why it has told nothing."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(frame(Start(start_ns)))
            await self._process.stdin.drain()
        count = len(self._share.times)
        missing = f"the figures of its {count:,} requests are missing"
        patience = (start_ns - time.perf_counter_ns()) / NS_PER_SECOND + SILENCE_SECONDS
        while True:
            try:
                async with asyncio.timeout(patience):
                    said = await self._hear()
            except TimeoutError:
                return f"{self.name} said nothing for {patience:.0f} s and was ended; {missing}"
            if isinstance(said, Outcome):
                return said
            if not isinstance(said, Counts):
                return f"{self.name} {await self._end()}; {missing}"
            self.counts = said
            told()
            patience = SILENCE_SECONDS
            if said.answered == said.total:
                patience = _MEASURE_SECONDS + _MEASURE_SECONDS_EACH * count

    def break_off(self, at_ns: int) -> None:
        """Tell the process to end what it sends, as of a moment of the stopwatch."""
        assert self._process is not None
        assert self._process.stdin is not None
        # One that has ended is told of elsewhere; uvloop has an error of its own for its pipe.
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(frame(Stop(at_ns)))

    async def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _hear(self) -> Any:
        """Return the next message, None when the process says no more."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            head = await self._process.stdout.readexactly(LENGTH.size)
            return unframed(await self._process.stdout.readexactly(LENGTH.unpack(head)[0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def _end(self) -> str:
        """Return how the process ended."""
        assert self._process is not None
        code = await self._process.wait()
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"


async def _raised(work: Any) -> str:
    """Return the message of the LoadTestError that some work raised, empty without one."""
    try:
        await work
    except LoadTestError as error:
        return str(error)
    return ""
