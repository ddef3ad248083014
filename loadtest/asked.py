"""What `load run` is asked for: its options as they were given, read and checked."""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from loadtest.assertions import parse_assertion, parse_bound
from loadtest.control import RECV_WINDOW_MS
from loadtest.course import Course
from loadtest.keys import read_keys, read_sources
from loadtest.plan import Plan, arrivals_of, loopback_sources
from loadtest.profile import load_profile
from loadtest.share import parse_instance
from loadtest.steps import Steps
from loadtest.target import Target, hosts, is_loopback, parse_target
from loadtest.units import (
    NS_PER_MS,
    LoadTestError,
    duration_text,
    parse_duration_ns,
    parse_number,
    parse_rate,
    parse_utc_ns,
)


class Asked(NamedTuple):
    """The options by their names in `commands`; `options` says what each one is."""

    target: str
    grpc: str
    batch: int
    control: str
    rate: str
    keys: Path
    duration: str
    warmup: str
    profile: str
    symbol: list[str] | None
    arrivals: str
    to_rate: str
    flow: Path | None
    speed: str
    connections: int
    sources: int | None
    processes: int
    instance: str
    start_at: str
    timeout: str
    seed: int
    repeats: int
    step_count: int
    step_factor: str
    knee_p99: str
    late_bound: str
    assertions: list[str] | None
    data: Path | None
    spin: bool
    keep_orders: bool
    output: Path | None
    i_own_this_venue: bool
    json: bool

    def plan(self) -> Plan:
        """Return what each run is made from; raises LoadTestError."""
        profile = load_profile(self.profile)
        return Plan(
            target=self._target(),
            keys=read_keys(self.keys),
            profile=profile,
            symbols=tuple(self.symbol or ()),
            arrivals=arrivals_of(profile, self.arrivals, self.to_rate, self.flow, self.speed),
            duration_ns=_duration_ns("duration", self.duration, 1),
            warmup_ns=_duration_ns("warm-up", self.warmup, 0),
            connections=self.connections,
            sources=self._sources(),
            timeout_ns=_duration_ns("timeout", self.timeout, 1, RECV_WINDOW_MS * NS_PER_MS),
            seed=self.seed,
            late_bound=parse_bound(self.late_bound),
            spin=self.spin,
            processes=self.processes,
            instance=parse_instance(self.instance),
            start_at_utc_ns=parse_utc_ns(self.start_at) if self.start_at else 0,
        )

    def _target(self) -> Target:
        return owned(
            parse_target(self.target, self.grpc, self.batch, self.control),
            stated=self.i_own_this_venue,
        )

    def _sources(self) -> tuple[str, ...]:
        return read_sources(self.keys) if self.sources is None else loopback_sources(self.sources)

    def _rate(self) -> Fraction:
        if self.flow is None:
            if not self.rate:
                raise LoadTestError("--rate is missing: requests per second")
            return parse_rate(self.rate)
        if self.rate:
            raise LoadTestError("--rate does not go with --arrivals flow: the recording sets it")
        return Fraction(1)

    def course(self) -> Course:
        """Return which runs are made, and what is asked of them; raises LoadTestError."""
        return Course(
            rate=self._rate(),
            repeats=self.repeats,
            steps=Steps(
                self.step_count,
                parse_number("step factor", self.step_factor),
                parse_duration_ns(self.knee_p99),
            ),
            assertions=tuple(map(parse_assertion, self.assertions or ())),
            data=self.data,
            keep_orders=self.keep_orders,
        )


def owned(target: Target, *, stated: bool) -> Target:
    """Return a target that is this machine, or stated to be one's own; raises LoadTestError."""
    for host in hosts(target):
        if not stated and not is_loopback(host):
            raise LoadTestError(
                f"target `{target.url}` speaks to `{host}`, which is not this machine; this is a "
                "load of real orders, so another host needs --i-own-this-venue"
            )
    return target


def _duration_ns(what: str, text: str, least_ns: int, most_ns: int = 0) -> int:
    """Return a duration within bounds; 0 as the upper one means none."""
    duration_ns = parse_duration_ns(text)
    if duration_ns < least_ns or (most_ns and duration_ns > most_ns):
        bound = f" to {duration_text(most_ns)}" if most_ns else ""
        raise LoadTestError(f"{what} `{text}` is out of range; from {least_ns} ns{bound} is taken")
    return duration_ns
