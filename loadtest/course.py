"""The runs of one command: made, checked, audited."""

from collections.abc import Sequence
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from loadtest.assertions import Assertion
from loadtest.audit import audit
from loadtest.display import Display
from loadtest.loops import loop_name, run_in_loop
from loadtest.machine import machine
from loadtest.plan import Plan
from loadtest.results import FORMAT, Load, Results, Run
from loadtest.session import Session
from loadtest.steps import Knee, Steps, climb, repeat
from loadtest.units import LoadTestError


class Course(NamedTuple):
    """The runs that are made with one plan, and what is asked of them."""

    rate: Fraction
    repeats: int
    steps: Steps
    assertions: tuple[Assertion, ...]
    data: Path | None
    keep_orders: bool


def measure(plan: Plan, course: Course, *, quiet: bool) -> Results:
    """Make the runs, evaluate the assertions and audit; raises LoadTestError."""
    if course.steps.most:
        if course.repeats > 1:
            raise LoadTestError("--repeat and --steps exclude each other")
        if course.steps.factor <= 1:
            raise LoadTestError(f"step factor {course.steps.factor} is not above 1")
        if plan.arrivals.kind in ("ramp", "flow"):
            raise LoadTestError(f"--steps needs a rate, which a {plan.arrivals.kind} sets itself")
        if plan.instance.of > 1:
            raise LoadTestError("--steps ends where one machine finds the knee, so no --instance")
    if plan.start_at_utc_ns and (course.steps.most or course.repeats > 1):
        raise LoadTestError("--start-at is when one run begins, so no --repeat and no --steps")
    facts, version = machine(loop_name()), metadata.version("ordergate")
    session, runs, knee = run_in_loop(_runs(plan, course, quiet=quiet))
    audited = audit(session.decision_ids, course.data, session.first_server_ms)
    return Results(
        format=FORMAT,
        version=version,
        server_time_ms=session.first_server_ms,
        load=Load(
            target=plan.target.url,
            profile=plan.profile,
            arrivals=plan.arrivals.text(),
            symbols=session.symbols,
            keys=session.keys,
            connections=session.connections,
            sources=plan.sources,
            seed=plan.seed,
            timeout_ns=plan.timeout_ns,
            late_bound=plan.late_bound.text,
            spin=plan.spin,
            processes=plan.processes,
            instance=plan.instance.text(),
            protocol=session.protocol_name,
            batch=plan.target.batch,
        ),
        machine=facts,
        runs=tuple(runs),
        steps=bool(course.steps.most),
        knee=knee.rate,
        knee_text=knee.text,
        assertions=tuple(checked(course.assertions, runs, knee, steps=bool(course.steps.most))),
        audit=audited,
    )


async def _runs(plan: Plan, course: Course, *, quiet: bool) -> tuple[Session, list[Run], Knee]:
    with Display(shown=not quiet) as display:
        async with Session(plan, display.progress) as session:
            try:
                if course.steps.most:
                    runs, knee = await climb(session, course.rate, course.steps, display)
                else:
                    runs, knee = await repeat(session, course.rate, course.repeats, display), Knee()
            except BaseException:
                # Whatever ends a run early, its orders must not stay behind.
                if not course.keep_orders:
                    await session.abandon()
                raise
            if not course.keep_orders:
                await session.cancel_all()
    return session, runs, knee


def checked(
    assertions: Sequence[Assertion], runs: Sequence[Run], knee: Knee, *, steps: bool
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
