"""After a run: is every answer in the record, exactly once, and is replay identical?

The record is read by the `ordergate` command line alone. Against a foreign gateway, or without
the record's directory, the audit says what it could not look at.
"""

import datetime
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.results import Audit

_NAMES_MAX: Final = 3
"""Decision ids that a fault names."""
_MARGIN: Final = datetime.timedelta(seconds=1)


class _Line(msgspec.Struct):
    """The part of a record's JSON that is read."""

    decision_id: str | None = None


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
    faults = _repeated("answers have the decision id of another answer", answered)
    not_audited = []
    if not answered:
        not_audited.append("no answer carries a decision id, so none can be looked up")
    elif without_id:
        not_audited.append(f"{without_id} answers carry no decision id")
    records = 0
    if data is None:
        not_audited.append("the record and its replay: no directory was given with --data")
    else:
        if answered:
            faults += _look_up(answered, data, since_ms)
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
    )


def _look_up(answered: Counter[str], data: Path, since_ms: int) -> list[str]:
    """Return what is wrong with the record's ids."""
    since = datetime.datetime.fromtimestamp(since_ms / 1000, datetime.UTC) - _MARGIN
    found = _ordergate("log", "query", "--data", str(data), "--json", "--from", since.isoformat())
    if found.returncode:
        return [f"the record can't be read: {_said(found)}"]
    decoder = msgspec.json.Decoder(_Line)
    recorded: Counter[str] = Counter()
    for line in found.stdout.splitlines():
        name = decoder.decode(line).decision_id
        if name is not None and name in answered:
            recorded[name] += 1
    missing = [name for name in answered if name not in recorded]
    faults = _repeated("answers are in the record more than once", recorded)
    if missing:
        faults.append(f"{len(missing)} answers are not in the record: {_some(missing)}")
    return faults


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


def _repeated(what: str, counts: Counter[str]) -> list[str]:
    names = [name for name, count in counts.items() if count > 1]
    return [f"{len(names)} {what}: {_some(names)}"] if names else []


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMES_MAX]) + (" …" if len(names) > _NAMES_MAX else "")


def _said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return the last thing a command said."""
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    return text.splitlines()[-1] if text else f"exit code {done.returncode}"
