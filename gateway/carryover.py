"""What a new run takes over from the one before: who there is, what is stopped, what is held.

A run begins with an empty book. Definitions keep their numbers, stop states stay in force, and
balances are handed to the engine again. Orders are not taken over.
"""

from typing import Final, NamedTuple

from gateway.journal import Run, read_run
from gateway.replay import manifest_rulebook
from rules.decisions import Decision
from rules.events import (
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    SetState,
)
from rules.pipeline import Pipeline

_DEFINITIONS: Final = (Define, DefineAccount, DefineKey, DefineSymbol)


class CarryOver(NamedTuple):
    """Events to begin the new run with, and balances as (account, asset, total in 1e-8)."""

    events: tuple[Event, ...]
    balances: tuple[tuple[int, int, int], ...]
    last_ns: int
    """Time of the last record."""


NOTHING: Final = CarryOver((), (), 0)


def carry_over(run: Run) -> CarryOver:
    """Return what the next run begins with, by following the recorded course of `run`.

    Raises JournalError when the record can't be read and RulebookError when its rulebook can't.
    """
    pipeline = Pipeline(manifest_rulebook(run.manifest))
    definitions: dict[tuple[str, int, int], Event] = {}
    last_ns = 0
    for record in read_run(run.path):
        decision: Decision = record.decision
        pipeline.apply(record.event, record.now_ns, decision, record.seq)
        last_ns = record.now_ns
        if isinstance(record.event, _DEFINITIONS):
            definitions[_identity(record.event)] = record.event
    book = pipeline.book
    stops = tuple(
        SetState(scope, subject, state, *book.state_notes[scope, subject][:2])
        for (scope, subject), state in book.states.items()
    )
    balances = tuple(
        (account, asset, balance.total_e8)
        for (account, asset), balance in book.balances.items()
        if balance.total_e8
    )
    return CarryOver((*definitions.values(), *stops), balances, last_ns)


def _identity(event: Event) -> tuple[str, int, int]:
    """Return what a later definition of the same thing replaces."""
    if isinstance(event, Define):
        return ("name", event.kind, event.number)
    if isinstance(event, DefineAccount):
        return ("account", 0, event.account)
    if isinstance(event, DefineKey):
        return ("key", 0, event.key)
    assert isinstance(event, DefineSymbol)
    return ("symbol", 0, event.symbol)
