"""From what was asked for to measured runs: read the market, render, send, measure."""

import asyncio
import os
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Self

import msgspec

from loadtest.clock import utc_minus_stopwatch_ns
from loadtest.loops import signal_of
from loadtest.plan import Plan
from loadtest.processes import Alone, Processes
from loadtest.protocols import protocol_of
from loadtest.results import Run
from loadtest.share import START_LEAD_NS, Counts, Outcome, Share
from loadtest.signing import Key
from loadtest.units import NS_PER_MS, LoadTestError, duration_text

_SAMPLE: Final = 100
"""Requests that are rendered to see how long that takes."""
_RENDER_MARGIN: Final = 1.3
_PROCESS_START_NS: Final = 300 * NS_PER_MS
"""For a sender process to import what it needs; several share the cores."""
_LEAD_NS: Final = 300 * NS_PER_MS
_ON_ITS_WAY_SECONDS: Final = 1.0
"""What was sent and not answered when a run was broken off has been decided by then."""
_GO_LEAD_NS: Final = 2 * START_LEAD_NS
"""Between the word to begin and the beginning."""


class Session:
    """Runs against one target."""

    def __init__(self, plan: Plan, progress: Callable[[Counts], None]) -> None:
        self._plan = plan
        self._progress = progress
        self._protocol = protocol_of(plan.target, plan.keys, plan.connections)
        self._control = self._protocol.control()
        self.first_server_ms = 0
        self.protocol_name = self._protocol.name
        self.connections = self._protocol.connections
        """As many as the target can have."""
        self.keys = len(self._protocol.keys)
        """As many as the runs were dealt."""
        self._trading: tuple[Key, ...] = ()
        """The keys that may have orders."""
        self.symbols: tuple[str, ...] = ()
        self.stopped_by = 0
        """The signal that broke off the last run, 0 for none."""
        self.decision_ids: list[str] = []
        """Of every answer of every run, warm-ups included; empty for answers without one."""

    async def __aenter__(self) -> Self:
        await self._control.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._control.__aexit__()

    async def run(self, rate: Fraction, number: int) -> Run | None:
        """Make one run; `number` varies the seed from run to run. Raises LoadTestError.

        A run that a signal breaks off is measured until then, and None when it had just begun.
        """
        plan = self._plan
        lasting = plan.arrivals.lasting(plan.warmup_ns, plan.duration_ns)
        seed = plan.seed + number
        times = plan.arrivals.times(rate, lasting, seed, self._protocol.batch)
        rate = plan.arrivals.mean_rate(rate, times, lasting)
        markets = await self._control.markets(plan.symbols)
        self.symbols = tuple(market.symbol for market in markets)
        server_minus_stopwatch_ns = await self._control.server_minus_stopwatch_ns()
        epoch_ns = server_minus_stopwatch_ns + time.perf_counter_ns()
        utc_ahead_ns = utc_minus_stopwatch_ns()
        share = Share(
            target=plan.target,
            keys=self._protocol.keys,
            profile=plan.profile,
            markets=tuple(markets),
            times=times,
            rate=float(rate),
            seed=seed,
            epoch_ns=epoch_ns,
            utc_minus_stopwatch_ns=utc_ahead_ns,
            target_minus_utc_ns=server_minus_stopwatch_ns - utc_ahead_ns,
            tag=f"l{epoch_ns // NS_PER_MS:x}{os.getpid() & 0xFFFF:x}-",
            connections=self._protocol.connections,
            sources=plan.sources,
            timeout_ns=plan.timeout_ns,
            warmup_ns=lasting.warmup_ns,
            duration_ns=lasting.duration_ns,
            late_bound=plan.late_bound,
            spin=plan.spin,
        ).of_instance(plan.instance)
        start_ns = self._start_ns(share, server_minus_stopwatch_ns)
        share = share._replace(epoch_ns=start_ns + server_minus_stopwatch_ns)
        self.first_server_ms = self.first_server_ms or share.epoch_ns // NS_PER_MS
        self.keys = len(share.keys)
        # Keys take turns, so a run with few requests and many keys does not come to all of them.
        most = len(times) + plan.processes
        self._trading = max(self._trading, share.keys[:most], key=len)
        run, names = await self._send(share, start_ns)
        self.decision_ids += names
        if run is not None and not run.offered:
            run = msgspec.structs.replace(
                run, faults=(*run.faults, "nothing was due after the warm-up")
            )
        return run

    def _start_ns(self, share: Share, server_minus_stopwatch_ns: int) -> int:
        """Return when to begin: once all is rendered, or when that was asked for."""
        plan = self._plan
        sample = share._replace(times=share.times[: _SAMPLE * self._protocol.batch])
        before_ns = time.perf_counter_ns()
        sample.rendered()
        each_ns = (time.perf_counter_ns() - before_ns) / max(len(sample.times), 1)
        at_once = max(min(plan.processes, os.cpu_count() or 1), 1)
        rendering_ns = int(each_ns * len(share.times) / at_once * _RENDER_MARGIN)
        starting_ns = _PROCESS_START_NS * plan.processes if plan.processes > 1 else 0
        start_ns = time.perf_counter_ns() + rendering_ns + starting_ns + _LEAD_NS
        if plan.start_at_utc_ns:
            asked_ns = plan.start_at_utc_ns - share.utc_minus_stopwatch_ns
            if asked_ns < start_ns:
                raise LoadTestError(
                    f"--start-at is {duration_text(asked_ns - time.perf_counter_ns())} from now; "
                    f"at least {duration_text(start_ns - time.perf_counter_ns())} are needed"
                )
            start_ns = asked_ns
        return start_ns + self._until_aligned_ns(start_ns + server_minus_stopwatch_ns)

    def _until_aligned_ns(self, epoch_ns: int) -> int:
        """Return how long after a time on the target's clock a run may begin."""
        arrivals = self._plan.arrivals
        return -epoch_ns % arrivals.period_ns if arrivals.align else 0

    async def _send(self, share: Share, start_ns: int) -> Outcome:
        """Prepare and send everything; a preparation that takes too long puts the start off."""
        plan = self._plan
        shares = [share.dealt(number, plan.processes) for number in range(plan.processes)]
        async with Processes(shares) if len(shares) > 1 else Alone(share) as senders:
            await senders.prepare()
            late_ns = time.perf_counter_ns() + _GO_LEAD_NS - start_ns
            if late_ns > 0:
                if plan.start_at_utc_ns:
                    raise LoadTestError("--start-at passed while requests were being rendered")
                start_ns += late_ns + self._until_aligned_ns(share.epoch_ns + late_ns)
            sending = asyncio.create_task(senders.send(start_ns, self._progress))
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError as stop:
                self.stopped_by = signal_of(stop)
                senders.break_off(time.perf_counter_ns())
                outcome = await sending
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()
                return outcome

    async def cancel_all(self) -> None:
        """Cancel what the runs have left open; a venue without open orders may refuse that."""
        await self._control.cancel_all(self._trading, self.symbols)

    async def abandon(self) -> str:
        """Cancel after a run was broken off, and again what was on its way to the target then.

        A target that does not answer is let be: returns why, empty when all is cancelled.
        """
        if self._trading:
            try:
                await self.cancel_all()
                await asyncio.sleep(_ON_ITS_WAY_SECONDS)
                await self.cancel_all()
            except LoadTestError as error:
                return str(error)
        return ""
