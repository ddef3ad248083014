"""What an engine process holds, compared with the record as a starting gate has it compared."""

from typing import Any

import grpc

from gateway.engine.names import GateNames
from gateway.engine.reconciliation import statement
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from gateway.wire.ordergate.v1.engine_pb2_grpc import EngineStub
from tests.kill.course import Course


async def differences(address: str, course: Course) -> list[str]:
    """Return how the engine's orders and balances differ from the record, when no gate is linked."""
    book = course.replica.pipeline.book
    names = GateNames(course.replica.directory)
    balances = (
        (account, asset, balance.total_e8) for (account, asset), balance in book.balances.items()
    )
    hello = wire.GateHello(gate="test", epoch=book.engine_epoch, last_seq=book.engine_seq)
    stated = statement(book, names, balances)
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = EngineStub(channel).Link()  # type: ignore[no-untyped-call]
        await call.write(wire.GateMessage(items=[wire.GateItem(hello=hello)]))
        items = list((await call.read()).items)
        greeted = items[0].hello
        if not greeted.resumed or greeted.last_seq != book.engine_seq:
            return [f"the record ends at {hello}, the engine is at {greeted}"]
        await call.write(wire.GateMessage(items=[wire.GateItem(reconcile=stated)]))
        items = items[1:]
        while not any(item.WhichOneof("item") == "reconciled" for item in items):
            items += (await call.read()).items
        call.cancel()
    told = {"reference", "depth", "trade"}
    differing = [item for item in items if item.WhichOneof("item") not in told | {"reconciled"}]
    answer = items[-1].reconciled
    if differing or answer.again or answer.ended or answer.unknown or answer.adjusted:
        return [f"the engine differs from the record: {answer} {differing}"]
    return []
