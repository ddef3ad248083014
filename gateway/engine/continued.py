"""The engine of a gate that continues a run: the embedded one rebuilt, the remote one resumed."""

from gateway.engine.redrive import Redrive
from gateway.engine.remote import Resume
from gateway.replica import Replica
from gateway.stub.exchange import MatchingExchange
from rules.book import Book
from rules.events import DefineAccount, DefineSymbol, Report
from rules.rulebook import Rulebook


def resume_of(replica: Replica | None) -> Resume:
    """Return where a gate takes its engine process up again."""
    if replica is None:
        return Resume()
    book = replica.pipeline.book
    return Resume(book.engine_epoch, book.engine_seq, replica.pipeline.in_flight)


def rebuilt(
    replica: Replica | None, rulebook: Rulebook, unrecorded: str = ""
) -> tuple[MatchingExchange, tuple[Report, ...], str]:
    """Return the embedded exchange, the reports it still owes, and why it lost its orders.

    It has them all when the reason is empty. `unrecorded` says why the record lacks its end, where
    it does: orders may have ended then whose end was confirmed. Where the record does not say again
    what the engine said, the gate's word counts: balances are the book's, and a new epoch ends the
    orders.
    """
    if replica is None:
        return MatchingExchange(), (), ""
    redrive = replica.engine
    if isinstance(redrive, Redrive) and not redrive.divergence and not unrecorded:
        redrive.ended()
        return redrive.exchange, tuple(redrive.owed), ""
    book = replica.pipeline.book
    exchange = MatchingExchange(book.engine_epoch + 1)
    for definition in replica.definitions.values():
        if isinstance(definition, DefineSymbol):
            exchange.define_symbol(definition, rulebook.filters(definition.name).step_e8 or 1)
        elif isinstance(definition, DefineAccount):
            exchange.define_account(definition)
    for symbol, facts in book.symbols.items():
        exchange.set_symbol_state(symbol, facts.state)
    _fund(exchange, book)
    if isinstance(redrive, Redrive):
        # Trades go on being numbered: no two of a venue have the same number.
        exchange.number_trades_from(redrive.exchange.last_trade_id + 1)
    return exchange, (), _why(redrive, unrecorded)


def _why(redrive: object, unrecorded: str) -> str:
    """Return why an embedded engine has lost its orders."""
    if unrecorded:
        return f"the run before ended without a record: {unrecorded}"
    return redrive.divergence if isinstance(redrive, Redrive) else "the engine was another process"


def _fund(exchange: MatchingExchange, book: Book) -> None:
    for (account, asset), balance in book.balances.items():
        if balance.total_e8 > 0:
            exchange.ledger.adjust(account, asset, balance.total_e8)
