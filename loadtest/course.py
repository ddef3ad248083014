"""The runs of one command: made, checked, audited."""

import asyncio
import signal
from collections.abc import Sequence
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from loadtest.assertions import Assertion
from loadtest.audit import audit
from loadtest.display import Display
from loadtest.loops import loop_name, run_in_loop, signal_of
from loadtest.machine import machine
from loadtest.plan import Plan
from loadtest.results import FORMAT, Audit, Load, Results, Run
from loadtest.session import Session
from loadtest.steps import Knee, Made, Steps, climb, repeat
from loadtest.units import LoadTestError, duration_text


class Course(NamedTuple):
    """The runs that are made with one plan, and what is asked of them."""

    rate: Fraction
    repeats: int
    steps: Steps
    assertions: tuple[Assertion, ...]
    data: Path | None
    keep_orders: bool


class Measured(NamedTuple):
    """What a command made of its course."""

    results: Results
    signum: int
    """The signal that ended it early, 0 for none."""


class _End(NamedTuple):
    """How the runs came to their end."""

    broken_off: str = ""
    left_open: str = ""
    signum: int = 0


def measure(plan: Plan, course: Course, *, quiet: bool) -> Measured:
    """Make the runs, evaluate the assertions and audit.

    What was measured is returned also when something ends the course early. Raises LoadTestError
    when nothing was, and KeyboardInterrupt or asyncio.CancelledError where a signal was why.
    """
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
    session, made, end = run_in_loop(_runs(plan, course, quiet=quiet))
    runs, knee = made.runs, made.knee
    audited, end = _audited(session, course, end)
    results = Results(
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
        broken_off=end.broken_off,
        left_open=end.left_open,
        audit=audited,
    )
    return Measured(results, end.signum)


async def _runs(plan: Plan, course: Course, *, quiet: bool) -> tuple[Session, Made, _End]:
    made = Made()
    with Display(shown=not quiet) as display:
        async with Session(plan, display.progress) as session:
            try:
                if course.steps.most:
                    await climb(session, course.rate, course.steps, display, made)
                else:
                    await repeat(session, course.rate, course.repeats, display, made)
            except (LoadTestError, asyncio.CancelledError) as error:
                # Whatever ends a run early, its orders must not stay behind.
                left_open = "" if course.keep_orders else await session.abandon()
                if not made.runs:
                    raise
                return session, made, _ended_by(error)._replace(left_open=left_open)
            if session.stopped_by:
                left_open = "" if course.keep_orders else await session.abandon()
                end = _interrupted(session.stopped_by, plan, made)
                return session, made, end._replace(left_open=left_open)
            end = _End() if course.keep_orders else await _cancel_all(session)
    return session, made, end


async def _cancel_all(session: Session) -> _End:
    """Cancel what is left open; where that fails the runs hold all the same."""
    try:
        await session.cancel_all()
    except LoadTestError as error:
        return _End(left_open=str(error))
    except asyncio.CancelledError as stop:
        _go_on()
        return _End(left_open="interrupted meanwhile", signum=signal_of(stop))
    return _End()


def _ended_by(error: BaseException) -> _End:
    """Return what ended the course between two runs."""
    if isinstance(error, LoadTestError):
        return _End(str(error))
    _go_on()
    return _End("interrupted before the next run", signum=signal_of(error))


def _go_on() -> None:
    """Have this task end as it will although it was cancelled."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


def _interrupted(signum: int, plan: Plan, made: Made) -> _End:
    """Return the end of a course in which a signal broke off a run; raises it for want of one."""
    if not made.runs:
        raise KeyboardInterrupt if signum == signal.SIGINT else asyncio.CancelledError
    measured, whole = duration_text(made.runs[-1].duration_ns), duration_text(plan.duration_ns)
    return _End(f"interrupted; the last run was measured for {measured} of {whole}", signum=signum)


def _audited(session: Session, course: Course, end: _End) -> tuple[Audit, _End]:
    """Return what the audit found, and the end; who interrupts a course waits for no audit."""
    ids = session.decision_ids
    try:
        if not end.signum:
            return audit(ids, course.data, session.first_server_ms), end
    except KeyboardInterrupt as stop:
        end = end._replace(broken_off="interrupted during the audit", signum=signal_of(stop))
    named = sum(map(bool, ids))
    return Audit(
        answers=named,
        without_id=len(ids) - named,
        not_audited=("anything: it was interrupted",),
        faults=(),
    ), end


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
