"""Resting time of a whole gate over gRPC: pending cancels with their time, charges with their amount."""

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import grpc

from gateway.app import Gate
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1.order_entry_pb2_grpc import OrderEntryStub
from rules.values import BUY, CANCELED, E8, GTC, LIMIT, NS_PER_MS, PENDING_CANCEL
from tests.gateway.gate_world import name_of
from tests.gateway.test_resting_end_to_end import CHARGE, DEFER, gate_of, wait

PATH = "/ordergate.v1.OrderEntry/"


class GrpcClient:
    """Asks a gate's gRPC port as one account."""

    def __init__(self, gate: Gate, channel: grpc.aio.Channel) -> None:
        self._gate = gate
        self._stub = OrderEntryStub(channel)

    async def ask(self, method: str, message: Any) -> Any:
        """Make one signed call."""
        sent = str(self._gate.clock.receive_ns() // 1_000)
        raw = message.SerializeToString()
        payload = f"{PATH}{method}\n{sent}\n\n".encode() + raw
        signature = hmac.new(b"the secret of alice", payload, hashlib.sha256).hexdigest()
        metadata = [
            ("x-ordergate-key", name_of("alice")),
            ("x-ordergate-timestamp", sent),
            ("x-ordergate-signature", signature),
        ]
        return await getattr(self._stub, method)(message, metadata=metadata)

    async def place(self, price: int = 50_000) -> int:
        """Rest an order; return its id."""
        order = wire.PlaceRequest(
            symbol="BTCUSDT",
            side=BUY,  # type: ignore[arg-type]
            order_type=LIMIT,  # type: ignore[arg-type]
            time_in_force=GTC,  # type: ignore[arg-type]
            price_e8=price * E8,
            quantity_e8=E8 // 1_000,
        )
        return int((await self.ask("Place", order)).order_id)

    async def cancel(self, order_id: int) -> Any:
        """Ask for the cancel of one order; return it as the answer shows it."""
        asked = wire.CancelRequest(symbol="BTCUSDT", order_id=order_id)
        return (await self.ask("Cancel", asked)).order

    async def status(self, order_id: int) -> int:
        """Return the status of an order."""
        asked = wire.StatusRequest(symbol="BTCUSDT", order_id=order_id)
        return int((await self.ask("Status", asked)).order.status)


def channel_of(gate: Gate) -> grpc.aio.Channel:
    """Return a connection to the gate."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{gate.ports['grpc']}")


def test_a_held_cancel_names_its_time(tmp_path: Path) -> None:
    """PENDING_CANCEL with the time of one order; of several each has its own, and none is named."""

    async def story() -> None:
        async with gate_of(tmp_path, DEFER) as gate, channel_of(gate) as channel:
            alice = GrpcClient(gate, channel)
            first = await alice.place()
            wait(gate, 100)
            second = await alice.place(50_001)
            held = await alice.cancel(first)
            assert (held.status, held.charge_e8) == (PENDING_CANCEL, 0)
            assert held.pending_until_ns == gate.core.now_ns() + 400 * NS_PER_MS
            answer = await alice.ask("CancelAll", wire.CancelAllRequest(symbol="BTCUSDT"))
            shown = [(one.order_id, one.status, one.pending_until_ns) for one in answer.orders]
            assert shown == [(first, PENDING_CANCEL, 0), (second, PENDING_CANCEL, 0)]
            assert await alice.status(second) == PENDING_CANCEL
            wait(gate, 400)
            assert (await alice.status(first), await alice.status(second)) == (
                CANCELED,
                PENDING_CANCEL,
            )
            wait(gate, 100)
            assert await alice.status(second) == CANCELED

    asyncio.run(story())


def test_a_charge_names_its_amount(tmp_path: Path) -> None:
    """0.015 after 250 ms by the shipped curve; nothing after five seconds."""

    async def story() -> None:
        async with gate_of(tmp_path, CHARGE) as gate, channel_of(gate) as channel:
            alice = GrpcClient(gate, channel)
            order_id = await alice.place()
            wait(gate, 250)
            charged = await alice.cancel(order_id)
            assert (charged.status, charged.pending_until_ns) == (CANCELED, 0)
            assert (charged.charge_e8, charged.charge_currency) == (1_500_000, "USDT")
            order_id = await alice.place()
            wait(gate, 5_000)
            free = await alice.cancel(order_id)
            assert (free.status, free.charge_e8, free.charge_currency) == (CANCELED, 0, "")

    asyncio.run(story())
