"""What is asked for: a target, when requests are sent to it, and from where."""

from bisect import bisect_left
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

from loadtest import schedule
from loadtest.assertions import Assertion
from loadtest.profile import Profile
from loadtest.share import Instance
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.units import (
    NS_PER_SECOND,
    LoadTestError,
    duration_text,
    parse_duration_ns,
    parse_number,
    parse_rate,
)

_SOURCES_EACH: Final = 250
"""Loopback addresses that differ in their last number alone."""


class Lasting(NamedTuple):
    """How long a run is."""

    warmup_ns: int
    duration_ns: int
    """After the warm-up."""


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

    def times(
        self, rate: Fraction, lasting: "Lasting", seed: int, batch: int = 1
    ) -> schedule.Schedule:
        """Return the arrivals of a run; raises LoadTestError.

        `batch` requests at a time arrive together; the rate is that of requests.
        """
        if batch > 1 and self.kind == "flow":
            raise LoadTestError("a recorded flow's requests come one by one, so no --batch")
        messages = self._messages(rate / batch, self.to_rate / batch, lasting, seed)
        return schedule.in_batches(messages, batch)

    def mean_rate(self, rate: Fraction, times: schedule.Schedule, lasting: "Lasting") -> Fraction:
        """Return how many requests a second are asked for on average after the warm-up."""
        if self.kind == "ramp":
            return (rate + self.to_rate) / 2
        if self.kind == "flow":
            measured = len(times) - bisect_left(times, lasting.warmup_ns)
            return Fraction(measured * NS_PER_SECOND, lasting.duration_ns)
        return rate

    def lasting(self, warmup_ns: int, duration_ns: int) -> "Lasting":
        """Return how long a run lasts: as asked for, or until a recorded flow ends.

        Raises LoadTestError for a flow that ends within the warm-up.
        """
        if self.kind != "flow":
            return Lasting(warmup_ns, duration_ns)
        end_ns = schedule.recorded_end_ns(self.flow_times_ns, self.speed)
        if end_ns <= warmup_ns:
            raise LoadTestError(
                f"the recorded flow lasts for {duration_text(end_ns)} at speed "
                f"{float(self.speed):g}, no longer than the warm-up of {duration_text(warmup_ns)}; "
                "lower --speed or --warmup"
            )
        return Lasting(warmup_ns, min(duration_ns, end_ns - warmup_ns))

    def _messages(
        self, rate: Fraction, to_rate: Fraction, lasting: "Lasting", seed: int
    ) -> schedule.Schedule:
        length_ns = lasting.warmup_ns + lasting.duration_ns
        if self.kind == "constant":
            return schedule.constant(rate, length_ns)
        if self.kind == "poisson":
            return schedule.poisson(rate, length_ns, seed)
        if self.kind == "burst":
            return schedule.burst(rate, length_ns, self.period_ns, self.width_ns)
        if self.kind == "ramp":
            return schedule.ramp(rate, to_rate, lasting.duration_ns, lasting.warmup_ns)
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
    processes: int = 1
    instance: Instance = Instance()
    start_at_utc_ns: int = 0
    """On the tester's UTC clock; 0 begins once all is ready."""


def loopback_sources(count: int) -> tuple[str, ...]:
    """Return so many addresses of this machine; none for 0. Raises LoadTestError."""
    most = _SOURCES_EACH * _SOURCES_EACH
    if not 0 <= count <= most:
        raise LoadTestError(f"{count} source addresses are not 0 to {most:,}")
    return tuple(
        f"127.0.{number // _SOURCES_EACH}.{number % _SOURCES_EACH + 1}" for number in range(count)
    )


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
    if speed and chosen != "flow":
        raise LoadTestError("--speed goes with --arrivals flow")
    return Arrivals(
        kind=chosen,
        to_rate=parse_rate(to_rate) if to_rate else Fraction(0),
        period_ns=parse_duration_ns(profile.burst_period),
        width_ns=parse_duration_ns(profile.burst_width),
        align=profile.align_to_period and chosen == "burst",
        flow_times_ns=tuple(schedule.flow_times_ns(flow)) if flow is not None else (),
        speed=parse_number("speed", speed or "1"),
    )
