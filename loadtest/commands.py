"""`load prepare|run|report|compare`."""

from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import typer

from loadtest import options
from loadtest.assertions import Assertion, parse_assertion, parse_bound
from loadtest.audit import audit
from loadtest.clients import Target, parse_target
from loadtest.display import Display
from loadtest.keys import read_keys
from loadtest.machine import machine
from loadtest.profile import DEFAULT_PROFILE, load_profile
from loadtest.results import FORMAT, Load, Results, Run, save
from loadtest.session import (
    Plan,
    Session,
    arrivals_of,
    is_loopback,
    loop_name,
    loopback_sources,
    run_in_loop,
)
from loadtest.steps import Knee, Steps, climb, repeat
from loadtest.terminal import EXIT_DIFFERENCE, fail, print_json, print_results
from loadtest.units import (
    NS_PER_MS,
    LoadTestError,
    duration_text,
    parse_duration_ns,
    parse_number,
    parse_rate,
)
from loadtest.workload import RECV_WINDOW_MS

load = typer.Typer(help="Load tests: open loop, honest latencies.", no_args_is_help=True)


class _Course(NamedTuple):
    """The runs that are made with one plan, and what is asked of them."""

    rate: Fraction
    repeats: int
    steps: Steps
    assertions: tuple[Assertion, ...]
    data: Path | None
    keep_orders: bool


@load.command("run")
def run_command(
    target: options.Target,
    rate: options.Rate,
    keys: options.KeysFile,
    duration: options.Duration = "10s",
    warmup: options.Warmup = "2s",
    profile: options.ProfileName = DEFAULT_PROFILE,
    symbol: options.Symbols = None,
    arrivals: options.ArrivalKind = "",
    to_rate: options.ToRate = "",
    flow: options.FlowFile = None,
    speed: options.Speed = "1",
    connections: options.Connections = 64,
    sources: options.Sources = 0,
    timeout: options.Timeout = "10s",
    seed: options.Seed = 1,
    repeats: options.Repeats = 1,
    step_count: options.StepCount = 0,
    step_factor: options.StepFactor = "1.25",
    knee_p99: options.KneeP99 = "50ms",
    late_bound: options.LateBound = "p99<1ms",
    assertions: options.Assertions = None,
    data: options.Data = None,
    spin: options.Spin = True,
    keep_orders: options.KeepOrders = False,
    output: options.Output = None,
    i_own_this_venue: options.OwnVenue = False,
    json: options.Json = False,
) -> None:
    """Send orders and cancels at times fixed beforehand, and measure from these times on.

    Exit code 1: a run is not valid because the tester was late, an assertion fails, the audit
    finds a fault, or not even the first step was kept up with. See docs/loadtest.md.
    """
    try:
        chosen = load_profile(profile)
        plan = Plan(
            _target(target, owned=i_own_this_venue),
            read_keys(keys),
            chosen,
            tuple(symbol or ()),
            arrivals_of(chosen, arrivals, to_rate, flow, speed),
            _duration_ns("duration", duration, 1),
            _duration_ns("warm-up", warmup, 0),
            connections,
            loopback_sources(sources),
            _duration_ns("timeout", timeout, 1, RECV_WINDOW_MS * NS_PER_MS),
            seed,
            parse_bound(late_bound),
            spin,
        )
        steps = Steps(
            step_count, parse_number("step factor", step_factor), parse_duration_ns(knee_p99)
        )
        conditions = tuple(map(parse_assertion, assertions or ()))
        course = _Course(parse_rate(rate), repeats, steps, conditions, data, keep_orders)
        _finish(_measure(plan, course, quiet=json), output, as_json=json)
    except LoadTestError as error:
        fail(str(error))


def _measure(plan: Plan, course: _Course, *, quiet: bool) -> Results:
    """Make the runs, evaluate the assertions and audit."""
    if course.steps.most:
        if course.repeats > 1:
            raise LoadTestError("--repeat and --steps exclude each other")
        if course.steps.factor <= 1:
            raise LoadTestError(f"step factor {course.steps.factor} is not above 1")
        if plan.arrivals.kind in ("ramp", "flow"):
            raise LoadTestError(f"--steps needs a rate, which a {plan.arrivals.kind} sets itself")
    facts = machine(loop_name())
    session, runs, knee = run_in_loop(_runs(plan, course, quiet=quiet))
    audited = audit(session.decision_ids, course.data, session.first_server_ms)
    return Results(
        format=FORMAT,
        version=metadata.version("ordergate"),
        server_time_ms=session.first_server_ms,
        load=Load(
            target=plan.target.url,
            profile=plan.profile,
            arrivals=plan.arrivals.text(),
            symbols=session.symbols,
            keys=len(plan.keys),
            connections=plan.connections,
            sources=plan.sources,
            seed=plan.seed,
            timeout_ns=plan.timeout_ns,
            late_bound=plan.late_bound.text,
            spin=plan.spin,
        ),
        machine=facts,
        runs=tuple(runs),
        steps=bool(course.steps.most),
        knee=knee.rate,
        knee_text=knee.text,
        assertions=tuple(_checked(course.assertions, runs, knee, steps=bool(course.steps.most))),
        audit=audited,
    )


async def _runs(plan: Plan, course: _Course, *, quiet: bool) -> tuple[Session, list[Run], Knee]:
    with Display(shown=not quiet) as display:
        async with Session(plan, display.progress) as session:
            if course.steps.most:
                runs, knee = await climb(session, course.rate, course.steps, display)
            else:
                runs, knee = await repeat(session, course.rate, course.repeats, display), Knee()
            if not course.keep_orders:
                await session.cancel_all()
    return session, runs, knee


def _checked(
    assertions: tuple[Assertion, ...], runs: list[Run], knee: Knee, *, steps: bool
) -> list[tuple[str, bool, str]]:
    """Return each assertion, whether all runs meet it, and what the runs showed.

    Of steps, those the target kept up with count.
    """
    if steps:
        runs = [run for run in runs if knee.rate is not None and run.rate <= knee.rate]
    results = []
    for assertion in assertions:
        checks = [assertion.check(run) for run in runs]
        observed = ", ".join(text for _, text in checks) or "no run"
        results.append((assertion.text, bool(checks) and all(ok for ok, _ in checks), observed))
    return results


def _finish(results: Results, output: Path | None, *, as_json: bool) -> None:
    """Save and show results; exit code 1 unless they are good."""
    if output is not None:
        save(results, output)
    if as_json:
        print_json(results)
    else:
        print_results(results)
    if not results.good:
        raise typer.Exit(EXIT_DIFFERENCE)


def _target(url: str, *, owned: bool) -> Target:
    target = parse_target(url)
    if not owned and not is_loopback(target.host):
        raise LoadTestError(
            f"target `{url}` is not this machine; this is a load of real orders, so another host "
            "needs --i-own-this-venue"
        )
    return target


def _duration_ns(what: str, text: str, least_ns: int, most_ns: int = 0) -> int:
    """Return a duration within bounds; 0 as the upper one means none."""
    duration_ns = parse_duration_ns(text)
    if duration_ns < least_ns or (most_ns and duration_ns > most_ns):
        bound = f" to {duration_text(most_ns)}" if most_ns else ""
        raise LoadTestError(f"{what} `{text}` is out of range; from {least_ns} ns{bound} is taken")
    return duration_ns
