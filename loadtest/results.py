"""The result file: what a run measured, on what machine, with what load. JSON.

Durations are nanoseconds, rates requests per second. Histograms are HDR histograms (three digits,
1 ns to 1 hour) in their standard encoding, base64, so that other tools can read and merge them.
"""

from typing import Final

import msgspec

from loadtest.profile import Profile

FORMAT: Final = "ordergate-load/1"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution of times."""

    count: int
    mean_ns: float = 0.0
    min_ns: int = 0
    max_ns: int = 0
    percentiles_ns: dict[str, int] = {}
    """By percentile: `50`, `90`, `99`, `99.9`, `99.99`."""
    histogram: str = ""
    total_ns: int = 0
    """Sum of all times, so that means merge exactly."""


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """The requests meant to be sent within one second of the run."""

    second: int
    """0 is the first one after the warm-up."""
    offered: int
    accepted: int
    refused: int
    errors: int
    answered: int
    """Answers that arrived within this second, to whichever requests."""
    latency: Latency


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run; what its warm-up saw is left out of every figure but the counts of
    answers that the audit looks for."""

    rate: float
    """Requests asked for per second, on average."""
    duration_ns: int
    warmup_ns: int
    offered: int
    """Requests that were due."""
    throughput: float
    """Answers per second, accepted or refused, that arrived while requests were due."""
    latency: dict[str, Latency]
    """From the intended time to the answer: `all`, `accepted`, `refused`, `error`."""
    wait: Latency
    """Of that, how long requests waited for a free connection."""
    lateness: Latency
    """How long after it could have been sent each request was sent: the tester's own fault."""
    seconds: tuple[Second, ...]
    outcomes: dict[str, int]
    """Requests by outcome and answer, such as `refused 400 -2011`."""
    reconnects: int
    tester_cpu_share: float
    """Of one core, while requests were sent; includes looking at the stopwatch (spin)."""
    faults: tuple[str, ...] = ()
    """Why the run is not valid; empty when it is."""
    begun_utc_ns: int = 0
    """The tester's UTC clock when the warm-up began; 0 where a file does not tell."""
    target_minus_utc_ns: int = 0
    """The target's clock less the tester's UTC clock, to a millisecond and half a round trip."""
    pauses: Latency = Latency(count=0)
    """How long after it meant to the tester looked around, at any moment of the run."""
    processes: int = 1
    """Processes that sent."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the tester ran on."""

    processor: str
    cores: int
    usable_cores: tuple[int, ...]
    """Cores this process may run on."""
    governors: tuple[str, ...]
    """Frequency governors in use; empty when the machine does not tell."""
    memory_kib: int
    system: str
    python: str
    event_loop: str
    load_average: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    target: str
    profile: Profile
    arrivals: str
    """Kind and parameters, as text."""
    symbols: tuple[str, ...]
    keys: int
    connections: int
    sources: tuple[str, ...]
    seed: int
    timeout_ns: int
    late_bound: str
    spin: bool
    processes: int = 1
    instance: str = ""
    """`2/3`: the share of one of several machines; empty for all of it."""
    protocol: str = "REST"
    batch: int = 1
    """Requests in one message."""

    @property
    def way(self) -> str:
        """How the target was spoken to, in words."""
        together = f", {self.batch} requests a message" if self.batch > 1 else ""
        return f"{self.protocol}{together}"


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked after the runs, and what could not be."""

    answers: int
    """Answers with a decision id."""
    without_id: int
    not_audited: tuple[str, ...]
    faults: tuple[str, ...]
    records: int = 0
    """Records that were decided again."""
    counted: int = 0
    """Of the answers, refusals that the gate records as counts and not one by one."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One machine's results within merged ones."""

    name: str
    """The file it came from."""
    instance: str
    seed: int
    keys: int
    connections: int
    sources: tuple[str, ...]
    processes: int
    machine: Machine
    begun_utc_ns: int
    target_minus_utc_ns: int
    offered: int
    """In all runs."""
    lateness_p99_ns: int
    """The highest one of its runs."""
    pauses_p99_ns: int
    tester_cpu_share: float
    """The highest one of its runs."""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One result file."""

    format: str
    version: str
    server_time_ms: int
    """The target's clock when it began."""
    load: Load
    machine: Machine
    runs: tuple[Run, ...]
    """In the order they were made; with steps, each at a higher rate than the one before."""
    steps: bool = False
    knee: float | None = None
    """With steps: the highest rate the target kept up with, None when it failed the first."""
    knee_text: str = ""
    assertions: tuple[tuple[str, bool, str], ...] = ()
    """Text, whether it holds, and the observed value."""
    audit: Audit | None = None
    broken_off: str = ""
    """Why not all runs were made to their end; the last one may be the beginning of one."""
    left_open: str = ""
    """Why open orders could not be cancelled after the runs."""
    parts: tuple[Part, ...] = ()
    """Of merged results: what each machine brought; `machine` is the first one's then."""

    @property
    def good(self) -> bool:
        """Whether runs are whole and valid, assertions hold and the audit found no fault."""
        runs = self.runs
        if self.steps and self.knee is not None:
            # Beyond the knee the tester may be late: that step ends the search.
            runs = tuple(run for run in runs if run.rate <= self.knee)
        return (
            not self.broken_off
            and not self.left_open
            and not any(run.faults for run in runs)
            and not (self.steps and self.knee is None)
            and all(holds for _, holds, _ in self.assertions)
            and not (self.audit is not None and self.audit.faults)
        )
