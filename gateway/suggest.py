"""What rules would do to an operator's own flow, and thresholds that fit it.

The flow is a recording, or the record of a gate: then state follows the recorded decisions, and a
rulebook other than the recorded one only gives its verdicts.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.flows.participants import Participants
from gateway.flows.reader import read_flow
from gateway.flows.thresholds import HIT_SHARE_PERMILLE, Suggestion, Thresholds
from gateway.flows.watch import Watch
from gateway.journal import Run, read_run
from gateway.replica import Replica
from gateway.simulate import modes_and_texts, simulate
from rules.rulebook import Rulebook

Progress = Callable[[int], None]


def suggest_from_flow(
    path: Path,
    rulebook: Rulebook,
    participants: Participants,
    hit_share_permille: int = HIT_SHARE_PERMILLE,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the report of a recording; raises FlowError."""
    figures = simulate(
        read_flow(path), rulebook, participants, progress, hit_share_permille=hit_share_permille
    )
    kept = ("rulebook", "revision", "owners", "orders", "messages", "rules", "suggestions")
    return {"source": str(path), **{name: figures[name] for name in kept}}


def suggest_from_record(
    source: Path,
    runs: Sequence[Run],
    rulebook: Rulebook | None = None,
    hit_share_permille: int = HIT_SHARE_PERMILLE,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the report of recorded runs under a rulebook, by default each run's own.

    Raises JournalError, RulebookError and StateError.
    """
    watch, thresholds = Watch(), Thresholds()
    used = rulebook
    for run in runs:
        replica = Replica.at_start(run, rulebook)
        used = replica.rulebook
        watch.follow(replica.pipeline.book, replica.directory)
        thresholds.follow(replica.pipeline)
        for record in read_run(run.path, replica.seq + 1):
            thresholds.before(record.event, record.now_ns)
            decision = replica.take(record)
            for watcher in (watch, thresholds):
                watcher.take(record.event, decision, record.decision, record.now_ns)
            if progress is not None:
                progress(record.seq)
    assert used is not None, "there are no runs"
    suggestions: list[Suggestion] = thresholds.suggestions(hit_share_permille)
    return {
        "source": str(source),
        "rulebook": used.name,
        "revision": used.revision,
        "owners": "record",
        "orders": watch.orders,
        "messages": watch.messages,
        "rules": watch.figures(*modes_and_texts(used)),
        "suggestions": suggestions,
    }
