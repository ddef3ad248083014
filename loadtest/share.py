"""The part of a run that one process sends: dealt beforehand, rendered, sent, measured."""

import asyncio
import gc
import re
import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

import msgspec

from loadtest.assertions import Assertion
from loadtest.market import Market
from loadtest.profile import Profile
from loadtest.protocols import protocol_of
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.senders import Rendered, Ways
from loadtest.recorder import distribution, measured
from loadtest.results import Run
from loadtest.samples import ERROR, REFUSED, Samples
from loadtest.schedule import Schedule, in_batches
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.units import NS_PER_MS, LoadTestError, duration_text
from loadtest.watch import Watch, widened
from loadtest.workload import Workload

START_LEAD_NS: Final = 100 * NS_PER_MS
"""A sender that learns later than so long before the start when to start can't keep it."""
_INSTANCE_STRIDE: Final = 1_000_003
"""Between the seeds of several machines; repeated runs use neighbouring seeds."""
_PROCESS_STRIDE: Final = 7_368_787
"""Between the seeds of a machine's processes."""
_T = TypeVar("_T")


class Counts(NamedTuple):
    """How far a share is."""

    total: int
    due: int
    answered: int
    refused: int
    errors: int


class Instance(NamedTuple):
    """Which one of how many machines, from 1 on."""

    number: int = 1
    of: int = 1

    def text(self) -> str:
        """Return `2/3`, empty where there is only one."""
        return "" if self.of == 1 else f"{self.number}/{self.of}"


def parse_instance(text: str) -> Instance:
    """Return `2/3` as numbers, an empty text as the only one; raises LoadTestError."""
    match = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", text or "1/1")
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise LoadTestError(f"instance `{text}` is not such as 2/3: one of how many machines")
    return Instance(int(match[1]), int(match[2]))


class Share(NamedTuple):
    """What one process sends in one run."""

    target: Target
    keys: tuple[Key, ...]
    profile: Profile
    markets: tuple[Market, ...]
    times: Schedule
    rate: float
    seed: int
    epoch_ns: int
    """The target's clock at the start."""
    utc_minus_stopwatch_ns: int
    target_minus_utc_ns: int
    tag: str
    connections: int
    sources: tuple[str, ...]
    timeout_ns: int
    warmup_ns: int
    duration_ns: int
    late_bound: Assertion
    spin: bool

    def of_instance(self, instance: "Instance") -> "Share":
        """Return what one of several machines sends; each has its own connections and addresses.

        Raises LoadTestError when there are not enough keys: an account's orders, and the cancels
        at the end, must stay on one machine.
        """
        if instance.of == 1:
            return self
        if len(self.keys) < instance.of:
            raise LoadTestError(f"{len(self.keys)} keys are too few for {instance.of} instances")
        number = instance.number - 1
        return self._replace(
            keys=_dealt(self.keys, number, instance.of),
            times=self._dealt_times(number, instance.of),
            rate=self.rate / instance.of,
            seed=self.seed + _INSTANCE_STRIDE * number,
            tag=f"{self.tag}{instance.number:x}_",
        )

    def dealt(self, number: int, of: int) -> "Share":
        """Return the part of one out of several that send this together, from 0 on.

        Arrivals go round, as do keys and source addresses as far as they suffice; where there
        are fewer, some are used by several. A cancel names an order of its own share. Raises
        LoadTestError when there are not enough connections.
        """
        if of == 1:
            return self
        if self.connections < of:
            raise LoadTestError(f"{self.connections} connections are too few for {of} processes")
        return self._replace(
            keys=_dealt(self.keys, number, of),
            times=self._dealt_times(number, of),
            rate=self.rate / of,
            seed=self.seed + _PROCESS_STRIDE * number,
            tag=f"{self.tag}{number:x}-",
            connections=self.connections // of + (number < self.connections % of),
            sources=_dealt(self.sources, number, of),
        )

    def _dealt_times(self, number: int, of: int) -> Schedule:
        """Return every `of`-th message's times; the requests of one message stay together."""
        batch = self.target.batch
        if batch == 1:
            return self.times[number::of]
        messages = self.times[::batch][number::of]
        return in_batches(messages, batch)

    def protocol(self) -> Protocol:
        """Return how the target is spoken to."""
        return protocol_of(self.target, self.keys, self.connections)

    def rendered(self) -> Rendered:
        """Return everything that is sent, signed, as it goes over the wire."""
        protocol = self.protocol()
        workload = Workload(
            self.profile, self.markets, protocol.keys, self.seed, self.tag, protocol.batch
        )
        return protocol.rendered(workload.plan(self.times), self.epoch_ns)

    def ways(self) -> Ways:
        """Return how the connections are made and used."""
        server_minus_stopwatch_ns = self.target_minus_utc_ns + self.utc_minus_stopwatch_ns
        return Ways(
            self.connections, self.timeout_ns, self.sources, self.spin, server_minus_stopwatch_ns
        )


class Outcome(NamedTuple):
    """What sending a share brought."""

    run: Run | None
    """None when it was broken off before its warm-up was over."""
    decision_ids: list[str]
    """Of every answer, warm-up included; empty for answers without one."""


class Sender:
    """Sends one share from this process."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._rendered = share.rendered()
        self._senders = share.protocol().senders(share.ways(), share.markets)

    async def connect(self) -> None:
        """Open all connections; raises LoadTestError when one can't be."""
        await self._senders.connect()

    async def send(self, start_ns: int, progress: Callable[[Counts], None]) -> Outcome:
        """Send everything from a moment of the stopwatch on, and measure."""
        share, samples, watch = self._share, Samples(self._share.times), Watch()
        spare_ns = start_ns - time.perf_counter_ns()
        # A full collection over a run's requests would stop the tester for milliseconds.
        gc.collect()
        gc.freeze()
        watching = asyncio.create_task(watch.keep(start_ns + share.warmup_ns))
        try:
            cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
            await self._senders.run(
                samples, self._rendered, start_ns, lambda seen, due: progress(_counts(seen, due))
            )
            cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
            samples = samples.first(self._senders.due_at_the_end())
            progress(_counts(samples, len(samples)))
        finally:
            watching.cancel()
            gc.unfreeze()
        names = [name for name in samples.decision_ids if name is not None]
        duration_ns = share.duration_ns
        if self._senders.broken_ns is not None:
            duration_ns = min(duration_ns, self._senders.broken_ns - share.warmup_ns)
        if duration_ns <= 0:
            return Outcome(None, names)
        run = measured(
            samples,
            rate=share.rate,
            warmup_ns=share.warmup_ns,
            duration_ns=duration_ns,
            cpu_ns=cpu_ns,
            wall_ns=wall_ns,
            reconnects=self._senders.reconnects,
        )
        run = msgspec.structs.replace(
            run,
            begun_utc_ns=start_ns + share.utc_minus_stopwatch_ns,
            target_minus_utc_ns=share.target_minus_utc_ns,
            # After the last answer it does not matter when the tester looks.
            pauses=distribution(watch.until(max(samples.answered_ns, default=0) - share.warmup_ns)),
        )
        faults = own_faults(run, share.late_bound, spare_ns)
        return Outcome(msgspec.structs.replace(run, faults=faults), names)

    def break_off(self, at_ns: int) -> None:
        """End what is sent, as of a moment of the stopwatch; `send` returns a second later."""
        self._senders.break_off(at_ns)

    async def close(self) -> None:
        """Close all connections."""
        await self._senders.close()


def own_faults(run: Run, late_bound: Assertion, spare_ns: int) -> tuple[str, ...]:
    """Return what the tester itself did wrong in a run, which makes it not valid.

    `spare_ns` is how long before the start it knew of it.
    """
    faults = []
    if spare_ns < START_LEAD_NS:
        faults.append(
            f"the tester was not ready for the start: {duration_text(spare_ns)} before it, "
            f"{duration_text(START_LEAD_NS)} are needed"
        )
    for what, latency, bound in (
        ("the tester was late", run.lateness, late_bound),
        ("the tester stood still", run.pauses, widened(late_bound)),
    ):
        holds, observed = bound.check_times(latency)
        if not holds:
            allowed = duration_text(bound.value)
            faults.append(f"{what}: {bound.metric} {observed}, allowed {bound.compare} {allowed}")
    return tuple(faults)


def _counts(samples: Samples, due: int) -> Counts:
    counts = samples.counts
    return Counts(len(samples), due, samples.answered, counts[REFUSED], counts[ERROR])


def _dealt(values: tuple[_T, ...], number: int, of: int) -> tuple[_T, ...]:
    """Return each `of`-th value, or a single one where there are fewer than that."""
    if len(values) >= of or not values:
        return values[number::of]
    return (values[number % len(values)],)
