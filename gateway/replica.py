"""A second copy of a gate's state, made by following its record.

State follows the recorded decisions, so a replica is where the gate was even when the code that
follows decides differently; such differences are counted.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from gateway.directory import Directory
from gateway.journal import Manifest, Record, Run
from gateway.journal.manifest import code_digest
from gateway.snapshots import Snapshot, start_of
from rules.book import Book
from rules.clauses import RulebookFile
from rules.decisions import Decision
from rules.events import (
    AnyEvent,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    RunBegan,
)
from rules.pipeline import Pipeline
from rules.rulebook import Rulebook, RulebookError

_encode = msgspec.msgpack.Encoder().encode


def manifest_rulebook(manifest: Manifest) -> Rulebook:
    """Return the rulebook a run was written with, from its manifest.

    Raises RulebookError when this version can't read it.
    """
    try:
        return Rulebook(msgspec.json.decode(manifest.rulebook_text, type=RulebookFile))
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise RulebookError([f"the rulebook of run {manifest.run_id}: {error}"]) from None


class EngineReplica(Protocol):
    """A matching engine that is made to follow the record too."""

    def take(self, record: Record, book: Book) -> None:
        """Follow one record, after the book has."""

    def state(self) -> dict[str, Any]:
        """Return everything as plain values."""


class Replica:
    """State after the records taken so far.

    `engine` follows along where it was embedded in the gate. `differences` counts decisions that
    this code makes differently from the record, and `first_difference` is the first such record;
    0 while there is none. `began` says whether the run got as far as serving.
    """

    def __init__(self, rulebook: Rulebook, engine: EngineReplica | None = None) -> None:
        self.rulebook = rulebook
        self.pipeline = Pipeline(rulebook)
        self.directory = Directory(_refuse)
        self.engine = engine
        self.definitions: dict[tuple[str, int, int], AnyEvent] = {}
        self.seq = 0
        self.now_ns = 0
        self.differences = 0
        self.first_difference = 0
        self.began = False

    @classmethod
    def at_start(cls, run: Run, rulebook: Rulebook | None = None) -> "Replica":
        """Return the state a run began with; `rulebook` is used in place of the run's own.

        Raises JournalError, RulebookError and StateError.
        """
        start = start_of(run)
        rulebook = rulebook or manifest_rulebook(run.manifest)
        return cls(rulebook) if start is None else cls.restored(start, rulebook)

    @classmethod
    def restored(
        cls, snapshot: Snapshot, rulebook: Rulebook, engine: EngineReplica | None = None
    ) -> "Replica":
        """Return the state of a snapshot; raises StateError when a rule can't read its part."""
        replica = cls(rulebook, engine)
        replica.pipeline.restore(snapshot.pipeline)
        replica.define(snapshot.definitions)
        replica.seq, replica.now_ns = snapshot.seq, snapshot.now_ns
        return replica

    def define(self, definitions: Iterable[AnyEvent]) -> None:
        """Take up definitions the pipeline knows already."""
        for event in definitions:
            self.definitions[identity(event)] = event
            self.directory.on_event(event)

    def take(self, record: Record) -> Decision:
        """Follow one record and return what this code decides on it."""
        event, course = record.event, record.decision
        self.seq, self.now_ns = record.seq, record.now_ns
        decision = self.pipeline.apply(event, record.now_ns, course, record.seq)
        if decision is not course and _encode(decision) != _encode(course):
            self.differences += 1
            self.first_difference = self.first_difference or record.seq
        if isinstance(event, (Define, DefineAccount, DefineKey, DefineSymbol)):
            self.define((event,))
        elif isinstance(event, RunBegan):
            self.began = True
        if self.engine is not None:
            self.engine.take(record, self.pipeline.book)
        return decision

    def snapshot(self, run_id: str) -> Snapshot:
        """Return the state as a snapshot of run `run_id`."""
        return Snapshot(
            run_id=run_id,
            seq=self.seq,
            now_ns=self.now_ns,
            rulebook_name=self.rulebook.name,
            rulebook_revision=self.rulebook.revision,
            code_digest=code_digest(),
            definitions=tuple(self.definitions.values()),
            pipeline=self.pipeline.state(),
            exchange=self.engine.state() if self.engine is not None else None,
        )


def identity(event: Event) -> tuple[str, int, int]:
    """Return what a later definition of the same thing replaces."""
    match event:
        case Define():
            return ("name", event.kind, event.number)
        case DefineAccount():
            return ("account", 0, event.account)
        case DefineKey():
            return ("key", 0, event.key)
        case DefineSymbol():
            return ("symbol", 0, event.symbol)
    raise TypeError(f"{type(event).__name__} is no definition")


def _refuse(event: Event) -> None:
    raise AssertionError(f"a replica defines nothing of its own: {event!r}")
