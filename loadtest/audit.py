"""After a run: is every answer in the record, exactly once, and is replay identical?

Under overload the gate records refusals of one address beyond ten a second as counts. Their answers
carry the id of the last one that was recorded alone, and the counts say which one that was, so they
are found, too.

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
from typing import Final

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

    records: int
    difference: _Difference | None


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
        if answered:
            counted, found = look_up(answered, data, since_ms)
            faults += found
        verified = _ordergate("log", "verify", "--data", str(data), "--json")
        if verified.returncode:
            faults.append(f"the record does not verify: {_said(verified)}")
        replayed, fault = _replay(data)
        records = replayed.records if replayed is not None else 0
        faults += fault
    return Audit(
        answers=answered.total(),
        without_id=without_id,
        not_audited=tuple(not_audited),
        faults=tuple(faults),
        records=records,
        counted=counted,
    )


def look_up(answered: Counter[str], data: Path, since_ms: int) -> tuple[int, list[str]]:
    """Return how many answers are recorded as counts, and what is wrong with the record's ids.

    `answered` says how many answers carry an id.
    """
    if answered.total() > len(answered):
        time.sleep(_COUNTS_SECONDS)
    since = datetime.datetime.fromtimestamp(since_ms / 1000, datetime.UTC) - _MARGIN
    read = _ordergate("log", "query", "--data", str(data), "--json", "--from", since.isoformat())
    if read.returncode:
        return 0, [f"the record can't be read: {_said(read)}"]
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
    return sum(shared.values()), faults


def _replay(data: Path) -> tuple[_Replayed | None, list[str]]:
    done = _ordergate("replay", str(data), "--json")
    try:
        replayed = msgspec.json.decode(done.stdout, type=_Replayed)
    except msgspec.DecodeError:
        return None, [f"the record can't be replayed: {_said(done)}"]
    if replayed.difference is not None:
        return replayed, [f"replay decides record {replayed.difference.seq} otherwise"]
    return replayed, []


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
