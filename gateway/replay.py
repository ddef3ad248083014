"""Deciding a recorded run again: the same decisions, or the first that comes out differently."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gateway.journal import JournalCorruptError, Record, Run, read_run
from gateway.journal.manifest import code_digest
from gateway.logview.rendering import Names, record_tree
from gateway.logview.subjects import Subjects
from gateway.logview.times import time_text
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import Snapshot, start_of
from rules.decisions import Decision
from rules.events import Request

_encode = msgspec.msgpack.Encoder().encode


class Difference(msgspec.Struct, frozen=True):
    """The first record whose decision came out differently."""

    seq: int
    time: str
    record: dict[str, Any]
    """The record as it stands."""
    replayed: dict[str, Any]
    """The decision made now."""
    differs: list[tuple[str, Any, Any]]
    """What differs: the place in the decision, what is recorded there, what it is now."""


class ReplayReport(msgspec.Struct, frozen=True):
    """Result of deciding a run again with its own rulebook."""

    run: str
    rulebook: str
    revision: str
    same_code: bool
    """Whether the code that wrote the run is the code that decided it again."""
    snapshot_seq: int
    """The record after which the state it begins with was stored, 0 where that is nothing."""
    records: int
    """Records decided again, the differing one included."""
    requests: int
    difference: Difference | None
    problem: str = ""
    """The damage the records decided again end before; empty when that is the end of the run."""


def same_decision(one: Decision, other: Decision) -> bool:
    """Tell whether two decisions are the same byte for byte, as the record has them."""
    return _encode(one) == _encode(other)


def replay(run: Run, progress: Callable[[int], None] | None = None) -> ReplayReport:
    """Decide a run again with its own rulebook, up to the first difference or to damage.

    A run that continues another begins with the state it took over, and one whose beginning was
    deleted with the earliest snapshot that was kept. `progress` is called with the number of
    records decided. Raises JournalError, RulebookError and StateError.
    """
    rulebook = manifest_rulebook(run.manifest)
    start = start_of(run)
    replica = Replica(rulebook) if start is None else Replica.restored(start, rulebook)
    decide, encode = replica.pipeline.apply, _encode
    records = requests = 0
    difference = None
    problem = ""
    try:
        for record in read_run(run.path, _first_seq(start)):
            records += 1
            event = record.event
            requests += isinstance(event, Request)
            decision = decide(event, record.now_ns, seq=record.seq)
            if encode(decision) != encode(record.decision):
                difference = _difference(run, start, record, decision)
                break
            if progress is not None:
                progress(records)
    except JournalCorruptError as error:
        problem = str(error)
    return ReplayReport(
        run=run.manifest.run_id,
        rulebook=rulebook.name,
        revision=run.manifest.rulebook_revision,
        same_code=run.manifest.code_digest == code_digest(),
        snapshot_seq=start.seq if start is not None else 0,
        records=records,
        requests=requests,
        difference=difference,
        problem=problem,
    )


def _first_seq(start: Snapshot | None) -> int:
    return start.seq + 1 if start is not None else 1


def differences(recorded: Any, now: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (place, recorded, now) of every value in which two trees differ.

    A place reads as `breaches[0].limit`; what only one of them has is None in the other.
    """
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*recorded, *now)):
            inner = f"{place}.{name}" if place else str(name)
            yield from differences(recorded.get(name), now.get(name), inner)
    elif isinstance(recorded, list) and isinstance(now, list):
        for index in range(max(len(recorded), len(now))):
            yield from differences(
                recorded[index] if index < len(recorded) else None,
                now[index] if index < len(now) else None,
                f"{place}[{index}]",
            )
    elif recorded != now:
        yield place, recorded, now


def _difference(run: Run, start: Snapshot | None, record: Record, decision: Decision) -> Difference:
    """Render a differing record with the names the record has given by then."""
    subjects = Subjects()
    if start is not None:
        subjects.prime(start)
    names = Names(subjects.directory)
    for earlier in read_run(run.path, _first_seq(start)):
        subject = subjects.observe(earlier)
        if earlier.seq == record.seq:
            break
    tree = record_tree(record, subject, names, None)
    replayed = names.tree(decision)
    return Difference(
        seq=record.seq,
        time=time_text(record.now_ns),
        record=tree,
        replayed=replayed,
        differs=list(differences(tree["decision"], replayed)),
    )
