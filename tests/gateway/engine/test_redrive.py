"""The embedded engine driven again by its record: the same books, wherever results stand in it."""

from typing import Any

from gateway.engine.redrive import Redrive
from gateway.replica import Replica
from gateway.rulebooks import load_rulebook
from gateway.stub.exchange import MatchingExchange
from gateway.stub.exchange_state import exchange_state
from rules.events import CommandResult, SetSymbolState
from rules.values import SYMBOL_HALT, SYMBOL_TRADING
from tests.gateway.core_world import BTCUSDT, CoreWorld


def followed(world: CoreWorld, until: int = 0) -> Replica:
    """Return a replica with its engine after the record, or after its first `until` records."""
    rulebook = load_rulebook("bench")
    replica = Replica(rulebook, Redrive(rulebook))
    for record in world.recorder.records[: until or None]:
        replica.take(record)
    return replica


def redriven(replica: Replica) -> Redrive:
    """Return a replica's engine at the end of the record."""
    engine = replica.engine
    assert isinstance(engine, Redrive)
    engine.ended()
    return engine


def parts(exchange: MatchingExchange) -> dict[str, Any]:
    """Return all there is of an exchange but the lots, which the world here does not name."""
    state = exchange_state(exchange)
    return {**state, "books": [values for _, values in state["books"]]}


def halted_together() -> CoreWorld:
    """Return a world in which a halt was decided before the result of an order was."""
    world = CoreWorld()

    def both() -> None:
        world.core.submit(world.place_event())
        world.core.submit(SetSymbolState(BTCUSDT, SYMBOL_HALT, "news", "an operator"))
        world.core.submit(world.place_event())

    world.core.together(both)
    kinds = [type(record.event) for record in world.recorder.records]
    assert kinds.index(SetSymbolState) < kinds.index(CommandResult)
    return world


def test_a_halt_between_a_command_and_its_result() -> None:
    """The order was in the book before the halt, and is again."""
    world = halted_together()
    engine = redriven(followed(world))
    assert engine.divergence == ""
    assert parts(engine.exchange) == parts(world.engine.exchange)
    assert [order.order_id for order in engine.exchange.open_orders()] == list(world.book.orders)
    assert len(world.book.orders) == 1


def test_a_halt_before_the_next_command() -> None:
    """A command that comes after a halt is carried out after it."""
    world = halted_together()
    world.core.submit(SetSymbolState(BTCUSDT, SYMBOL_TRADING, "over", "an operator"))
    world.core.submit(world.place_event())
    engine = redriven(followed(world))
    assert engine.divergence == ""
    assert parts(engine.exchange) == parts(world.engine.exchange)
    assert len(list(engine.exchange.open_orders())) == 2


def test_a_snapshot_between_a_halt_and_the_result_before_it() -> None:
    """What waits for its turn is part of the engine's state."""
    world = halted_together()
    records = world.recorder.records
    halt = next(i for i, one in enumerate(records) if isinstance(one.event, SetSymbolState))
    replica = followed(world, halt + 1)
    assert isinstance(replica.engine, Redrive)
    restored = Redrive.restored(replica.rulebook, replica.engine.state())
    replica.engine = restored
    for record in records[halt + 1 :]:
        replica.take(record)
    assert redriven(replica).divergence == ""
    assert parts(restored.exchange) == parts(world.engine.exchange)


def test_a_halt_after_a_command_that_died() -> None:
    """A command without a result was never carried out; the halt after it stands."""
    world = halted_together()
    records = world.recorder.records
    halt = next(i for i, one in enumerate(records) if isinstance(one.event, SetSymbolState))
    engine = redriven(followed(world, halt + 1))
    assert list(engine.exchange.open_orders()) == []
    assert parts(engine.exchange)["books"][0][0] == SYMBOL_HALT
