"""What a new run takes over from the one before: who there is, what is stopped, what is held.

A run begins with an empty book. Definitions keep their numbers, stop states and the states of
symbols stay in force, balances are handed to the engine again, and order ids go on where they
ended. Orders are not taken over, nor are counters of rate limits and bans.
"""

from pathlib import Path
from typing import Final, NamedTuple

from gateway.journal import Run, read_run
from gateway.journal.manifest import MANIFEST_NAME, read_manifest, run_directories
from gateway.journal.segment import segment_numbers
from gateway.replay import manifest_rulebook
from rules.book import Book
from rules.booking import Booking
from rules.events import (
    BulkCancel,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Request,
    RunBegan,
    SetState,
    SetSymbolState,
)

ACTOR: Final = "ordergate"
"""Who sets states again at the start of a run."""
NOTE: Final = "as in the run before"

_DEFINITIONS: Final = (Define, DefineAccount, DefineKey, DefineSymbol)


class CarryOver(NamedTuple):
    """What the new run begins with."""

    run: str
    """The run it comes from, empty when there is none."""
    events: tuple[Event, ...]
    balances: tuple[tuple[int, int, int], ...]
    """(account, asset, total in 1e-8)."""
    next_order_id: int
    last_ns: int
    """Time of the last record."""


NOTHING: Final = CarryOver("", (), (), 1, 0)


def carry_over(data: Path) -> CarryOver:
    """Return what the next run in a data directory begins with.

    That is taken from the newest run that got as far as serving; one that ended in its own start
    has no more than the run before it. Raises JournalError when a record can't be read, and
    RulebookError when its rulebook can't.
    """
    last_ns = 0
    for path in reversed(run_directories(data)):
        if not (path / MANIFEST_NAME).exists() and not segment_numbers(path):
            # The start ended before anything was recorded.
            continue
        found = _follow(Run(path, read_manifest(path)))
        last_ns = max(last_ns, found.last_ns)
        if found.run:
            return found._replace(last_ns=last_ns)
    return NOTHING._replace(last_ns=last_ns)


def _follow(run: Run) -> CarryOver:
    """Return what a run leaves, by following its recorded course; without a name if it never began.

    Nothing is decided again. The rulebook it was written with tells what its orders reserved.
    """
    book = Book()
    booking = Booking(book, manifest_rulebook(run.manifest), None)
    definitions: dict[tuple[str, int, int], Event] = {}
    began = False
    last_ns = 0
    for record in read_run(run.path):
        event, decision, now_ns = record.event, record.decision, record.now_ns
        book.current_seq = record.seq
        book.ended.clear()
        if isinstance(event, Request):
            booking.request(event, decision, now_ns)
        elif isinstance(event, BulkCancel):
            booking.bulk_cancel(event, decision)
        else:
            booking.report(event, now_ns)
            if isinstance(event, _DEFINITIONS):
                definitions[_identity(event)] = event
            began = began or isinstance(event, RunBegan)
        last_ns = now_ns
    stops = tuple(
        SetState(scope, subject, state, *book.state_notes[scope, subject][:2])
        for (scope, subject), state in book.states.items()
    )
    balances = tuple(
        (account, asset, balance.total_e8)
        for (account, asset), balance in book.balances.items()
        if balance.total_e8
    )
    return CarryOver(
        run.path.name if began else "",
        (*definitions.values(), *_symbol_states(definitions, book), *stops),
        balances,
        book.next_order_id,
        last_ns,
    )


def _symbol_states(
    definitions: dict[tuple[str, int, int], Event], book: Book
) -> tuple[SetSymbolState, ...]:
    """Return the states operators set after the symbols were defined."""
    return tuple(
        SetSymbolState(symbol.symbol, book.symbols[symbol.symbol].state, NOTE, ACTOR)
        for symbol in definitions.values()
        if isinstance(symbol, DefineSymbol) and symbol.state != book.symbols[symbol.symbol].state
    )


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
