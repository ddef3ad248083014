"""Results of several machines that sent to one target at the same time, made into one."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.assertions import Assertion, parse_assertion
from loadtest.course import checked
from loadtest.files import load
from loadtest.merge import measured_from_ns, merged_run
from loadtest.recorder import percentile_ns
from loadtest.results import FORMAT, Audit, Part, Results, Run
from loadtest.share import parse_instance
from loadtest.steps import Knee
from loadtest.units import LoadTestError

_OWN: Final = frozenset({"keys", "connections", "sources", "seed", "spin", "processes", "instance"})
"""Fields of a load in which machines may differ."""


def merged(paths: Sequence[Path], assertions: Sequence[Assertion] = ()) -> Results:
    """Return the results of some files as one; further conditions are checked on the whole.

    Conditions that the files were made with are checked on the whole, too. Raises LoadTestError
    when the files do not belong together, naming why.
    """
    if len(paths) < 2:
        raise LoadTestError("one result file is nothing to merge; name one of each machine")
    files = {str(path): load(path) for path in paths}
    if len(files) < len(paths):
        raise LoadTestError("a result file is named twice")
    _check_each(files)
    _check_alike(files)
    _check_shares(files)
    _check_window(files)
    first = next(iter(files.values()))
    loads = [results.load for results in files.values()]
    together = msgspec.structs.replace(
        first.load,
        keys=sum(each.keys for each in loads),
        connections=sum(each.connections for each in loads),
        sources=tuple(source for each in loads for source in each.sources),
        processes=sum(each.processes for each in loads),
        instance="",
    )
    runs = [_together(number, files) for number in range(len(first.runs))]
    texts = dict.fromkeys(text for each in files.values() for text, _, _ in each.assertions)
    conditions = [*map(parse_assertion, texts), *assertions]
    return Results(
        format=FORMAT,
        version=first.version,
        server_time_ms=min(results.server_time_ms for results in files.values()),
        load=together,
        machine=first.machine,
        runs=tuple(runs),
        assertions=tuple(checked(conditions, runs, Knee(), steps=False)),
        left_open="; ".join(
            f"{name}: {each.left_open}" for name, each in files.items() if each.left_open
        ),
        audit=_audits(files),
        parts=tuple(_part(name, results) for name, results in files.items()),
    )


def _together(number: int, files: dict[str, Results]) -> Run:
    """Return what the runs of one number, from 0 on, make together."""
    faults = tuple(
        f"{name}: {fault}"
        for name, results in files.items()
        for fault in results.runs[number].faults
    )
    return merged_run([results.runs[number] for results in files.values()], faults)


# --- What belongs together ------------------------------------------------------------------------


def _check_each(files: dict[str, Results]) -> None:
    """Raise LoadTestError for a file that belongs to none, or not to these."""
    shared = any(results.load.instance for results in files.values())
    for name, results in files.items():
        if results.parts:
            raise LoadTestError(f"{name}: is merged already; name the files it was made of")
        if shared and not results.load.instance:
            raise LoadTestError(f"{name}: is of a whole schedule, other files of an --instance")
        if results.broken_off:
            raise LoadTestError(f"{name}: is not whole: {results.broken_off}")
        if results.steps:
            raise LoadTestError(f"{name}: is of rising steps, which each machine ends by itself")
        if not results.runs or not all(run.begun_utc_ns for run in results.runs):
            raise LoadTestError(f"{name}: does not tell when its runs began")


def _check_alike(files: dict[str, Results]) -> None:
    """Raise LoadTestError unless the loads are parts of one."""
    (first_name, first), *others = ((name, _facts(each)) for name, each in files.items())
    for name, facts in others:
        for field, value in facts.items():
            if value != first[field]:
                raise LoadTestError(
                    f"{name} and {first_name} differ in {field}: {value} and {first[field]}"
                )


def _facts(results: Results) -> dict[str, Any]:
    """Return what has to be alike."""
    facts: dict[str, Any] = msgspec.to_builtins(results.load)
    facts = {name: value for name, value in facts.items() if name not in _OWN}
    facts["number of runs"] = len(results.runs)
    facts["duration_ns"] = [run.duration_ns for run in results.runs]
    facts["warmup_ns"] = [run.warmup_ns for run in results.runs]
    if results.load.instance:
        facts["rate"] = [run.rate for run in results.runs]
        facts["seed"] = results.load.seed
    return facts


def _check_shares(files: dict[str, Results]) -> None:
    """Raise LoadTestError unless the files are all shares of one schedule, or schedules apart."""
    instances = {name: results.load.instance for name, results in files.items()}
    if not any(instances.values()):
        _check_once("seed", {name: str(each.load.seed) for name, each in files.items()})
        return
    _check_once("instance", instances)
    parsed = [parse_instance(text) for text in instances.values()]
    of = parsed[0].of
    if odd := [each.text() for each in parsed if each.of != of]:
        raise LoadTestError(f"instance {odd[0]} is no share of {of}")
    if lacking := sorted(set(range(1, of + 1)) - {each.number for each in parsed}):
        shares = ", ".join(f"{number}/{of}" for number in lacking)
        raise LoadTestError(f"instance {shares} is missing: the schedule is not whole")


def _check_once(what: str, values: dict[str, str]) -> None:
    for value, count in Counter(values.values()).items():
        if count > 1:
            names = " and ".join(name for name, each in values.items() if each == value)
            raise LoadTestError(f"{names} have the same {what} {value}: they sent the same")


def _check_window(files: dict[str, Results]) -> None:
    """Raise LoadTestError unless all machines were measuring at some moment of each run."""
    for number in range(len(next(iter(files.values())).runs)):
        begins = {name: measured_from_ns(each.runs[number]) for name, each in files.items()}
        last = max(begins, key=lambda name: begins[name])
        for name, results in files.items():
            gap_ns = begins[last] - begins[name] - results.runs[number].duration_ns
            if gap_ns >= 0:
                raise LoadTestError(
                    f"{last} began to measure {gap_ns / 1e9:.1f} s after {name} had ended "
                    f"(run {number + 1}): they were not made at the same time"
                )


# --- What is kept of each machine -----------------------------------------------------------------


def _part(name: str, results: Results) -> Part:
    asked, runs = results.load, results.runs
    return Part(
        name=name,
        instance=asked.instance,
        seed=asked.seed,
        keys=asked.keys,
        connections=asked.connections,
        sources=asked.sources,
        processes=asked.processes,
        machine=results.machine,
        begun_utc_ns=runs[0].begun_utc_ns,
        target_minus_utc_ns=runs[0].target_minus_utc_ns,
        offered=sum(run.offered for run in runs),
        lateness_p99_ns=max(percentile_ns(run.lateness, "99") for run in runs),
        pauses_p99_ns=max(percentile_ns(run.pauses, "99") for run in runs),
        tester_cpu_share=max(run.tester_cpu_share for run in runs),
    )


def _audits(files: dict[str, Results]) -> Audit:
    """Return what the machines' audits found together, and what none of them could see."""
    found = {name: each.audit for name, each in files.items() if each.audit is not None}
    unseen = [f"{name}: it was not audited" for name in files if name not in found]
    unseen += [f"{name}: {text}" for name, audit in found.items() for text in audit.not_audited]
    unseen.append("whether answers to different machines have the same decision id")
    return Audit(
        answers=sum(audit.answers for audit in found.values()),
        without_id=sum(audit.without_id for audit in found.values()),
        not_audited=tuple(unseen),
        faults=tuple(f"{name}: {text}" for name, audit in found.items() for text in audit.faults),
        counted=sum(audit.counted for audit in found.values()),
        records=max((audit.records for audit in found.values()), default=0),
    )
