"""After a run: is every answer in the record, exactly once, and is replay identical?

Under overload the gate records refusals of one address beyond ten a second as counts. Their answers
carry the id of the last one that was recorded alone, and the counts say which one that was, so they
are found, too.

A gate that was started anew meanwhile has recorded the answers in several runs. All of those are
verified and replayed.

The record is read by the `ordergate` command line alone. Against a foreign gateway, or without
the record's directory, the audit says what it could not look at.
"""

import datetime
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from loadtest.results import Audit

_NAMES_MAX: Final = 3
"""Decision ids that a fault names."""
_MARGIN: Final = datetime.timedelta(seconds=1)
"""Taken off the target's clock before the first request."""
_COUNTS_EVENT: Final = "refused_aggregate"
_COUNTS_SECONDS: Final = 1.5
"""Counts are recorded at the end of their second."""


class _Line(msgspec.Struct):
    """The part of a record's JSON that is read."""

    run: str
    seq: int
    event: str
    decision_id: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Share(msgspec.Struct):
    """How often one address was refused beyond what was recorded alone."""

    last_seq: int
    """The record whose id the answers carry."""
    reasons: list[tuple[int, int]]
    """Number of a reason, and how often."""


class _Counts(msgspec.Struct):
    """The part of a record of counts that is read."""

    shares: list[_Share]


class _Difference(msgspec.Struct):
    seq: int


class _Replayed(msgspec.Struct):
    """The part of `ordergate replay --json` that is read."""

    run: str
    records: int
    difference: _Difference | None
    problem: str = ""


class Found(NamedTuple):
    """What the record says of some answers."""

    counted: int = 0
    """Answers that are recorded as counts."""
    faults: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    """The runs that hold the answers, by id."""


def audit(decision_ids: Sequence[str], data: Path | None, since_ms: int) -> Audit:
    """Compare the decision ids of all answers with a record, and replay it.

    An id is empty where an answer had none. `since_ms` is the target's clock before the first
    request. `data` is the gate's data directory or one run's, None when it can't be reached.
    """
    answered = Counter(decision_ids)
    without_id = answered.pop("", 0)
    faults: list[str] = []
    not_audited = []
    if not answered:
        not_audited.append("no answer carries a decision id, so none can be looked up")
    elif without_id:
        not_audited.append(f"{without_id} answers carry no decision id")
    records = counted = 0
    if data is None:
        not_audited.append("the record and its replay: no directory was given with --data")
        if repeated := answered.total() - len(answered):
            not_audited.append(
                f"whether the {repeated} answers with the id of another one are refusals that the "
                "gate records as counts"
            )
    else:
        found = look_up(answered, data, since_ms) if answered else Found()
        counted = found.counted
        faults += found.faults
        # Where `data` is the directory of one run, that is the only one.
        directories = [data / run for run in found.runs if (data / run).is_dir()] or [data]
        for directory in directories:
            verified = _ordergate("log", "verify", "--data", str(directory), "--json")
            if verified.returncode:
                faults.append(f"the record does not verify: {_said(verified)}")
        records, problems = _replay(directories)
        faults += problems
    return Audit(
        answers=answered.total(),
        without_id=without_id,
        not_audited=tuple(not_audited),
        faults=tuple(faults),
        records=records,
        counted=counted,
    )


def look_up(answered: Counter[str], data: Path, since_ms: int) -> Found:
    """Return what the record says of answers, and what is wrong with its ids.

    `answered` says how many answers carry an id.
    """
    if answered.total() > len(answered):
        time.sleep(_COUNTS_SECONDS)
    since = datetime.datetime.fromtimestamp(since_ms / 1000, datetime.UTC) - _MARGIN
    read = _ordergate("log", "query", "--data", str(data), "--json", "--from", since.isoformat())
    if read.returncode:
        return Found(faults=(f"the record can't be read: {_said(read)}",))
    decoder = msgspec.json.Decoder(_Line)
    recorded: Counter[str] = Counter()
    places: dict[str, tuple[str, int]] = {}
    counts: Counter[tuple[str, int]] = Counter()
    for line in map(decoder.decode, read.stdout.splitlines()):
        if line.decision_id is not None and line.decision_id in answered:
            recorded[line.decision_id] += 1
            places[line.decision_id] = (line.run, line.seq)
        if line.event == _COUNTS_EVENT:
            for share in msgspec.json.decode(line.input, type=_Counts).shares:
                counts[line.run, share.last_seq] += sum(often for _, often in share.reasons)
    missing = [name for name in answered if name not in recorded]
    faults = []
    if missing:
        count = sum(answered[name] for name in missing)
        faults.append(f"{count} answers are not in the record: {_some(missing)}")
    faults += _too_many("answers are in the record more than once", recorded, {})
    allowed = {name: counts[place] for name, place in places.items()}
    faults += _too_many("answers have the decision id of another answer", answered, allowed)
    shared = {name: min(answered[name] - 1, allowed[name]) for name in places}
    runs = sorted({run for run, _ in places.values()})
    return Found(sum(shared.values()), tuple(faults), tuple(runs))


def _replay(directories: Sequence[Path]) -> tuple[int, list[str]]:
    """Return how many records were decided again, and what is wrong with them."""
    done = _ordergate("replay", *map(str, directories), "--json")
    try:
        told = msgspec.json.decode(done.stdout, type=_Replayed | list[_Replayed])
    except msgspec.DecodeError:
        return 0, [f"the record can't be replayed: {_said(done)}"]
    replayed = told if isinstance(told, list) else [told]
    faults = [
        f"replay decides record {each.difference.seq} of run {each.run} otherwise"
        for each in replayed
        if each.difference is not None
    ]
    faults += [
        f"only a part of run {each.run} can be replayed: {each.problem}"
        for each in replayed
        if each.problem
    ]
    if done.returncode and not faults:
        faults.append(f"the record can't be replayed whole: {_said(done)}")
    return sum(each.records for each in replayed), faults


def _ordergate(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the command line of this installation."""
    return subprocess.run(  # noqa: S603 (its own arguments)
        [sys.executable, "-m", "gateway", *arguments], capture_output=True, check=False
    )


def _too_many(what: str, counts: Counter[str], allowed: dict[str, int]) -> list[str]:
    """Return that some ids are there more often than once and what is allowed beyond."""
    names = [name for name, count in counts.items() if count > 1 + allowed.get(name, 0)]
    return [f"{len(names)} {what}: {_some(names)}"] if names else []


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMES_MAX]) + (" …" if len(names) > _NAMES_MAX else "")


def _said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return the last thing a command said."""
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    return text.splitlines()[-1] if text else f"exit code {done.returncode}"
