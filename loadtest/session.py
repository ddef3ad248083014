"""From what was asked for to measured runs: read the market, render, send, measure."""

import asyncio
import gc
import ipaddress
import os
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import aiohttp
import msgspec
from yarl import URL

from loadtest import schedule
from loadtest.assertions import Assertion
from loadtest.clients import RestSenders, Target
from loadtest.market import (
    BOOK_TICKER_PATH,
    EXCHANGE_INFO_PATH,
    TIME_PATH,
    Market,
    read_markets,
)
from loadtest.profile import Profile
from loadtest.recorder import measured
from loadtest.results import Run
from loadtest.samples import Samples
from loadtest.units import (
    NS_PER_MS,
    NS_PER_SECOND,
    NS_PER_US,
    LoadTestError,
    duration_text,
    parse_duration_ns,
    parse_number,
    parse_rate,
)
from loadtest.workload import RECV_WINDOW_MS, Key, Workload

OPEN_ORDERS_PATH: Final = "/api/v3/openOrders"
_RENDER_NS: Final = 60 * NS_PER_US
"""Allowed for rendering one request; a run that takes longer to render starts later."""
_RENDER_LEAD_NS: Final = 200 * NS_PER_MS
_CONTROL_SECONDS: Final = 10.0


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


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine; a name counts only if it is `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
        self._http: aiohttp.ClientSession | None = None
        self.first_server_ms = 0
        self.symbols: tuple[str, ...] = ()
        self.decision_ids: list[str] = []
        """Of every answer of every run, warm-ups included; empty for answers without one."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_CONTROL_SECONDS),
            connector=aiohttp.TCPConnector(limit=4),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def run(self, rate: Fraction, number: int) -> Run:
        """Make one run; `number` varies the seed from run to run. Raises LoadTestError."""
        plan = self._plan
        length_ns = plan.warmup_ns + plan.duration_ns
        seed = plan.seed + number
        times = plan.arrivals.times(rate, length_ns, seed)
        markets = await self._markets()
        server_minus_stopwatch_ns = await self._server_minus_stopwatch_ns()
        start_ns = time.perf_counter_ns() + len(times) * _RENDER_NS + _RENDER_LEAD_NS
        if plan.arrivals.align:
            since_ns = (start_ns + server_minus_stopwatch_ns) % plan.arrivals.period_ns
            start_ns += -since_ns % plan.arrivals.period_ns
        epoch_ns = start_ns + server_minus_stopwatch_ns
        tag = f"l{epoch_ns // NS_PER_MS:x}{os.getpid() & 0xFFFF:x}"
        workload = Workload(plan.profile, markets, plan.keys, seed, epoch_ns, tag)
        wires = [plan.target.rendered(request) for request in workload.render(times)]
        samples = Samples(times)
        if plan.arrivals.kind == "flow":
            rate = Fraction(len(times) * NS_PER_SECOND, length_ns)
        run = await self._send(samples, wires, start_ns, float(rate))
        self.decision_ids += [name for name in samples.decision_ids if name is not None]
        return msgspec.structs.replace(run, faults=self._faults(run))

    async def _send(self, samples: Samples, wires: list[bytes], start_ns: int, rate: float) -> Run:
        """Send everything and return the figures."""
        plan = self._plan
        senders = RestSenders(
            plan.target, plan.connections, plan.timeout_ns, plan.sources, spin=plan.spin
        )
        # A full collection over a run's requests would stop the tester for milliseconds.
        gc.collect()
        gc.freeze()
        try:
            await senders.connect()
            cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
            await senders.run(samples, wires, start_ns, self._progress)
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
        offset_ns = await self._server_minus_stopwatch_ns()
        for key in self._plan.keys:
            for symbol in self.symbols:
                now_ms = (time.perf_counter_ns() + offset_ns) // NS_PER_MS
                query = key.signed(
                    {
                        "symbol": symbol,
                        "recvWindow": str(RECV_WINDOW_MS),
                        "timestamp": str(now_ms),
                    }
                )
                await self._ask("DELETE", f"{OPEN_ORDERS_PATH}?{query}", key.name)

    async def _markets(self) -> list[Market]:
        info = await self._get(EXCHANGE_INFO_PATH)
        markets = read_markets(info, await self._get(BOOK_TICKER_PATH), self._plan.symbols)
        self.symbols = tuple(market.symbol for market in markets)
        return markets

    async def _server_minus_stopwatch_ns(self) -> int:
        """Return what to add to the stopwatch to get the target's clock."""
        before_ns = time.perf_counter_ns()
        answer = await self._get(TIME_PATH)
        after_ns = time.perf_counter_ns()
        try:
            server_ms = int(answer["serverTime"])
        except (KeyError, TypeError, ValueError):
            raise LoadTestError(f"{self._plan.target.url}{TIME_PATH} tells no time") from None
        self.first_server_ms = self.first_server_ms or server_ms
        return server_ms * NS_PER_MS - (before_ns + after_ns) // 2

    async def _get(self, path: str) -> Any:
        status, body = await self._ask("GET", path)
        if status != 200:
            raise LoadTestError(f"{self._plan.target.url}{path} answers {status}")
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise LoadTestError(f"{self._plan.target.url}{path} is no JSON: {error}") from None

    async def _ask(self, method: str, path: str, key_name: str = "") -> tuple[int, bytes]:
        assert self._http is not None
        headers = {"X-MBX-APIKEY": key_name} if key_name else {}
        url = URL(self._plan.target.url + path, encoded=True)
        try:
            async with self._http.request(method, url, headers=headers) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LoadTestError(f"{self._plan.target.url}: no answer: {error!r}") from None


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
