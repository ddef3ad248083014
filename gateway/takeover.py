"""How a gate goes on from the run before: its engine, its core, and what died with the process."""

import asyncio
import logging
from collections.abc import Callable

from gateway.config import Config
from gateway.core import Core
from gateway.directory import Directory
from gateway.engine.continued import rebuilt, resume_of
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.redrive import Redrive
from gateway.engine.remote import RemoteEngine
from gateway.recovery import Recovered
from gateway.snapshots import Snapshot
from rules.book import Book
from rules.events import CommandResult, DefineAccount, DefineSymbol, RulebookChanged
from rules.reasons import Reason
from rules.rulebook import Rulebook

ACTOR = "ordergate"
"""Who changes the rulebook at a start."""

_logger = logging.getLogger(__name__)


def make_engine(
    config: Config,
    rulebook: Rulebook,
    now_ns: Callable[[], int],
    directory: Directory,
    book: Callable[[], Book],
    before: Recovered,
) -> EmbeddedEngine | RemoteEngine:
    """Return the engine, with its orders where it can still have them."""

    def lot_step_e8(symbol_name: str) -> int:
        return rulebook.filters(symbol_name).step_e8 or 1

    address = config.engine.address
    if not address:
        exchange, owed, _ = rebuilt(before.replica, rulebook)
        return EmbeddedEngine(exchange, now_ns, lot_step_e8=lot_step_e8, owed=owed)
    return RemoteEngine(
        address,
        directory,
        now_ns,
        balances=lambda: (
            (account, asset, balance.total_e8)
            for (account, asset), balance in book().balances.items()
        ),
        lot_step_e8=lot_step_e8,
        resume=resume_of(before.replica),
    )


def begin_engine(before: Recovered, rulebook: Rulebook) -> None:
    """Give a run whose embedded engine has lost its orders the engine it begins with.

    So the snapshot the run begins with has that engine, and the next start finds nothing lost.
    """
    if before.replica is None:
        return
    exchange, _, lost = rebuilt(before.replica, rulebook, before.unrecorded)
    if lost:
        _logger.error("the engine begins anew, its orders end as lost: %s", lost)
        before.replica.engine = Redrive.anew(rulebook, exchange)


def take_over(
    core: Core,
    engine: EmbeddedEngine | RemoteEngine,
    start: Snapshot | None,
    first_seq: int,
) -> None:
    """Bring core and engine to what the run begins with; called before the engine is started.

    Raises StateError when a rule can't read its state.
    """
    if start is None:
        core.take_over(None, (), first_seq)
        return
    core.take_over(start.pipeline, start.definitions, first_seq)
    for definition in start.definitions:
        if isinstance(definition, DefineAccount):
            engine.define_account(definition)
        elif isinstance(definition, DefineSymbol):
            engine.define_symbol(definition)
            state = core.book.symbols[definition.symbol].state
            engine.set_symbol_state(definition.symbol, state)


def settle_what_was_lost(
    core: Core, engine: EmbeddedEngine | RemoteEngine, before: Recovered
) -> None:
    """End the commands that died with the embedded engine, and note another rulebook.

    An engine process says itself which commands it has got.
    """
    if isinstance(engine, EmbeddedEngine):
        for command_id in core.pipeline.in_flight:
            core.submit(
                CommandResult(command_id, 0, False, Reason.ENGINE_UNAVAILABLE, 0, core.now_ns())
            )
    rulebook = core.rulebook
    if before.replica is not None and before.replica.rulebook.text != rulebook.text:
        core.submit(RulebookChanged(rulebook.name, rulebook.revision, ACTOR, rulebook.text))


async def reconcile(core: Core, engine: EmbeddedEngine | RemoteEngine, seconds: float) -> int:
    """Compare orders and balances with an engine process; return the next order id.

    Raises TimeoutError when the engine does not link up or answer in time.
    """
    next_order_id = core.book.next_order_id
    if isinstance(engine, EmbeddedEngine):
        return next_order_id
    async with asyncio.timeout(seconds):
        await engine.wait_connected(seconds)
        found = await engine.reconcile(lambda: None if core.pipeline.in_flight else core.book)
    if found.differs:
        _logger.warning(
            "the record and the engine differed: %d orders ended that the engine did not have as "
            "recorded, %d orders cancelled that the record does not know, %d balances adjusted",
            found.ended,
            found.unknown,
            found.adjusted,
        )
    return max(next_order_id, found.highest_order_id + 1)
