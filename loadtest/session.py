"""From what was asked for to measured runs: read the market, render, send, measure."""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from loadtest import schedule
from loadtest.assertions import Assertion
from loadtest.profile import Profile
from loadtest.protocols import protocol_of
from loadtest.protocols.senders import Rendered, Ways
from loadtest.recorder import measured
from loadtest.results import Run
from loadtest.samples import Samples
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.units import (
    NS_PER_MS,
    NS_PER_SECOND,
    LoadTestError,
    duration_text,
    parse_duration_ns,
    parse_number,
    parse_rate,
)
from loadtest.workload import Workload

_RENDER_LEAD_NS: Final = 200 * NS_PER_MS


class Arrivals(NamedTuple):
    """When requests are sent, apart from the rate."""

    kind: str
    to_rate: Fraction = Fraction(0)
    """Of a ramp: the rate at its end."""
    period_ns: int = NS_PER_SECOND
    width_ns: int = NS_PER_SECOND // 10
    align: bool = False
    """Begin at a whole multiple of the period on the target's clock."""
    flow_times_ns: tuple[int, ...] = ()
    speed: Fraction = Fraction(1)

    def times(self, rate: Fraction, length_ns: int, seed: int) -> schedule.Schedule:
        """Return the arrivals of a run of some length; raises LoadTestError."""
        if self.kind == "constant":
            return schedule.constant(rate, length_ns)
        if self.kind == "poisson":
            return schedule.poisson(rate, length_ns, seed)
        if self.kind == "burst":
            return schedule.burst(rate, length_ns, self.period_ns, self.width_ns)
        if self.kind == "ramp":
            return schedule.ramp(rate, self.to_rate, length_ns)
        return schedule.recorded(self.flow_times_ns, self.speed, length_ns)

    def text(self) -> str:
        """Return the kind and what it is made with."""
        if self.kind == "burst":
            aligned = ", aligned to the target's clock" if self.align else ""
            width, period = duration_text(self.width_ns), duration_text(self.period_ns)
            return f"burst of {width} every {period}{aligned}"
        if self.kind == "ramp":
            return f"ramp to {float(self.to_rate):g}/s"
        if self.kind == "flow":
            return f"recorded flow, speed {float(self.speed):g}"
        return self.kind


class Plan(NamedTuple):
    """What a run is made from; all but the rate stays the same from step to step."""

    target: Target
    keys: tuple[Key, ...]
    profile: Profile
    symbols: tuple[str, ...]
    arrivals: Arrivals
    duration_ns: int
    warmup_ns: int
    connections: int
    sources: tuple[str, ...]
    timeout_ns: int
    seed: int
    late_bound: Assertion
    spin: bool


def loopback_sources(count: int) -> tuple[str, ...]:
    """Return so many addresses of this machine; none for 0. Raises LoadTestError."""
    if not 0 <= count <= 250:
        raise LoadTestError(f"{count} source addresses are not 0 to 250")
    return tuple(f"127.0.0.{number}" for number in range(1, count + 1))


class Session:
    """Runs against one target."""

    def __init__(self, plan: Plan, progress: Callable[[Samples, int], None] | None = None) -> None:
        self._plan = plan
        self._progress = progress
        self._protocol = protocol_of(plan.target, plan.keys)
        self._control = self._protocol.control()
        self.first_server_ms = 0
        self.symbols: tuple[str, ...] = ()
        self.decision_ids: list[str] = []
        """Of every answer of every run, warm-ups included; empty for answers without one."""

    async def __aenter__(self) -> Self:
        await self._control.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._control.__aexit__()

    async def run(self, rate: Fraction, number: int) -> Run:
        """Make one run; `number` varies the seed from run to run. Raises LoadTestError."""
        plan = self._plan
        length_ns = plan.warmup_ns + plan.duration_ns
        seed = plan.seed + number
        times = plan.arrivals.times(rate, length_ns, seed)
        markets = await self._control.markets(plan.symbols)
        self.symbols = tuple(market.symbol for market in markets)
        server_minus_stopwatch_ns = await self._control.server_minus_stopwatch_ns()
        start_ns = (
            time.perf_counter_ns() + len(times) * self._protocol.render_ns() + _RENDER_LEAD_NS
        )
        if plan.arrivals.align:
            since_ns = (start_ns + server_minus_stopwatch_ns) % plan.arrivals.period_ns
            start_ns += -since_ns % plan.arrivals.period_ns
        epoch_ns = start_ns + server_minus_stopwatch_ns
        tag = f"l{epoch_ns // NS_PER_MS:x}{os.getpid() & 0xFFFF:x}"
        self.first_server_ms = self.first_server_ms or epoch_ns // NS_PER_MS
        workload = Workload(plan.profile, markets, plan.keys, seed, tag)
        rendered = self._protocol.rendered(workload.plan(times), epoch_ns)
        samples = Samples(times)
        if plan.arrivals.kind == "flow":
            rate = Fraction(len(times) * NS_PER_SECOND, length_ns)
        ways = Ways(
            plan.connections, plan.timeout_ns, plan.sources, plan.spin, server_minus_stopwatch_ns
        )
        run = await self._send(samples, rendered, ways, start_ns, float(rate))
        self.decision_ids += [name for name in samples.decision_ids if name is not None]
        return msgspec.structs.replace(run, faults=self._faults(run))

    async def _send(
        self, samples: Samples, rendered: Rendered, ways: Ways, start_ns: int, rate: float
    ) -> Run:
        """Send everything and return the figures."""
        plan = self._plan
        senders = self._protocol.senders(ways)
        # A full collection over a run's requests would stop the tester for milliseconds.
        gc.collect()
        gc.freeze()
        try:
            await senders.connect()
            cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
            await senders.run(samples, rendered, start_ns, self._progress)
            cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
        finally:
            await senders.close()
            gc.unfreeze()
        return measured(
            samples,
            rate=rate,
            warmup_ns=plan.warmup_ns,
            duration_ns=plan.duration_ns,
            cpu_ns=cpu_ns,
            wall_ns=wall_ns,
            reconnects=senders.reconnects,
        )

    def _faults(self, run: Run) -> tuple[str, ...]:
        """Return why a run is not valid."""
        bound = self._plan.late_bound
        if not run.offered:
            return ("nothing was due after the warm-up",)
        holds, observed = bound.check_times(run.lateness)
        if not holds:
            return (f"the tester was late: {bound.metric} {observed}, stated {bound.text}",)
        return ()

    async def cancel_all(self) -> None:
        """Cancel what the runs have left open; a venue without open orders may refuse that."""
        await self._control.cancel_all(self._plan.keys, self.symbols)


def arrivals_of(
    profile: Profile, kind: str, to_rate: str, flow: Path | None, speed: str
) -> Arrivals:
    """Return the arrivals asked for; an empty `kind` means the profile's, else poisson.

    `to_rate` goes with a ramp, `flow` and `speed` with a recorded flow. Raises LoadTestError for
    a kind that does not exist, lacks what it needs or is given what it does not use.
    """
    chosen = kind or profile.arrivals or "poisson"
    if chosen not in schedule.ARRIVAL_KINDS:
        raise LoadTestError(
            f"arrivals `{chosen}` is not one of {', '.join(schedule.ARRIVAL_KINDS)}"
        )
    if (chosen == "ramp") != bool(to_rate):
        raise LoadTestError("--to-rate goes with --arrivals ramp, and is needed there")
    if (chosen == "flow") != (flow is not None):
        raise LoadTestError("--flow goes with --arrivals flow, and is needed there")
    return Arrivals(
        kind=chosen,
        to_rate=parse_rate(to_rate) if to_rate else Fraction(0),
        period_ns=parse_duration_ns(profile.burst_period),
        width_ns=parse_duration_ns(profile.burst_width),
        align=profile.align_to_period and chosen == "burst",
        flow_times_ns=tuple(schedule.flow_times_ns(flow)) if flow is not None else (),
        speed=parse_number("speed", speed),
    )


def run_in_loop(main: Any) -> Any:
    """Run a coroutine on the fastest event loop there is."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def loop_name() -> str:
    """Return which event loop runs are made on."""
    return "asyncio" if _loop_factory() is None else "uvloop"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
