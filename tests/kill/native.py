"""Clients of the gRPC port, with unary calls and with a session, that keep what they were told."""

import asyncio
from collections.abc import Callable
from time import time_ns
from typing import Any, Final

import grpc
from google.rpc.status_pb2 import Status

from gateway.dialects.native.signing import (
    KEY_HEADER,
    RECV_WINDOW_HEADER,
    SERVICE,
    SESSION_PATH,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    call_payload,
    logon_payload,
)
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.reasons import Reason
from rules.units import decimal_e8, decimal_text
from rules.values import (
    GTC,
    ORDER_STATUS_NAMES,
    ORDER_TYPE_NAMES,
    SIDE_NAMES,
)
from tests.kill.asks import (
    ACCEPTED,
    CANCEL,
    CANCEL_ALL,
    PLACE,
    REFUSED,
    REPLACE,
    STATUS,
    UNKNOWN,
    Ask,
    Seen,
)
from tests.kill.processes import GateProcess
from tests.kill.venue import Party

KINDS: Final = (PLACE, CANCEL, CANCEL_ALL, REPLACE, STATUS)
_WINDOW: Final = "60000000"
_METHODS: Final[dict[str, tuple[str, str, Any]]] = {
    PLACE: ("Place", "place", wire.PlaceResponse),
    CANCEL: ("Cancel", "cancel", wire.CancelResponse),
    CANCEL_ALL: ("CancelAll", "cancel_all", wire.CancelAllResponse),
    REPLACE: ("Replace", "replace", wire.ReplaceResponse),
    STATUS: ("Status", "status", wire.StatusResponse),
}


class UnaryClient:
    """Asks as one party with signed unary calls; `tell` takes each answer as it is read."""

    def __init__(self, gate: GateProcess, party: Party, tell: Callable[[Seen], None]) -> None:
        self.party = party
        self._run = gate.run.name
        self._tell = tell
        self._channel = grpc.aio.insecure_channel(gate.ready["grpc"])

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def ask(self, ask: Ask) -> Seen:
        """Ask, and return what was answered; raises grpc.aio.AioRpcError when nothing was."""
        name, _, answer_type = _METHODS[ask.kind]
        path = f"/{SERVICE}/{name}"
        raw = _message(ask).SerializeToString()
        sent = str(time_ns() // 1_000)
        metadata = (
            (KEY_HEADER, self.party.api_key),
            (TIMESTAMP_HEADER, sent),
            (RECV_WINDOW_HEADER, _WINDOW),
            (SIGNATURE_HEADER, self.party.signed(call_payload(path, sent, _WINDOW, raw))),
        )
        try:
            answer = await self._channel.unary_unary(path)(raw, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
            if details is None:
                raise
            refusal = wire.Refusal()
            assert Status.FromString(details).details[0].Unpack(refusal)
            seen = _seen(self._run, self.party, "unary", ask, refusal)
        else:
            told = answer_type.FromString(answer)
            seen = _seen(self._run, self.party, "unary", ask, told)
        self._tell(seen)
        return seen


class SessionClient:
    """One session of one party. `ask_all` sends entries and returns when all are answered."""

    def __init__(self, gate: GateProcess, party: Party, tell: Callable[[Seen], None]) -> None:
        self.party = party
        self._run = gate.run.name
        self._tell = tell
        self._channel = grpc.aio.insecure_channel(gate.ready["grpc"])
        self._call: Any = None
        self._sequence = 0

    async def open(self) -> None:
        """Log on; raises grpc.aio.AioRpcError when the gate is gone."""
        logon = wire.Logon(
            api_key=self.party.api_key,
            timestamp_us=time_ns() // 1_000,
            recv_window_us=int(_WINDOW),
            agent="kill test",
        )
        logon.signature = self.party.signed(logon_payload(logon))
        self._call = self._channel.stream_stream(SESSION_PATH)()
        await self._call.write(wire.SessionRequest(logon=logon).SerializeToString())
        answer = wire.SessionResponse.FromString(await self._read())
        assert answer.HasField("logon"), answer

    async def ask_all(self, asks: list[Ask]) -> list[Seen]:
        """Ask in one message, and return the answers in the order they came."""
        waiting: dict[int, Ask] = {}
        request = wire.SessionRequest(timestamp_us=time_ns() // 1_000, recv_window_us=int(_WINDOW))
        for ask in asks:
            self._sequence += 1
            waiting[self._sequence] = ask
            entry = request.entries.add(sequence=self._sequence)
            getattr(entry, _METHODS[ask.kind][1]).CopyFrom(_message(ask))
        await self._call.write(request.SerializeToString())
        seen = []
        while waiting:
            for answer in wire.SessionResponse.FromString(await self._read()).answers:
                told = getattr(answer, str(answer.WhichOneof("answer")))
                ask = waiting.pop(answer.sequence)
                seen.append(_seen(self._run, self.party, "session", ask, told))
                self._tell(seen[-1])
        return seen

    async def close(self) -> None:
        """Close the connection."""
        if self._call is not None:
            self._call.cancel()
        await self._channel.close()

    async def _read(self) -> bytes:
        raw = await self._call.read()
        if raw is grpc.aio.EOF:
            raise asyncio.IncompleteReadError(b"", None)
        assert isinstance(raw, bytes)
        return raw


def _message(ask: Ask) -> Any:
    if ask.kind == PLACE:
        return _order(ask)
    if ask.kind == REPLACE:
        return wire.ReplaceRequest(
            orig_client_order_id=ask.target, order=_order(ask), allow_failure=ask.allow_failure
        )
    if ask.kind == CANCEL:
        return wire.CancelRequest(symbol=ask.symbol, orig_client_order_id=ask.target)
    if ask.kind == CANCEL_ALL:
        return wire.CancelAllRequest(symbol=ask.symbol)
    return wire.StatusRequest(symbol=ask.symbol, client_order_id=ask.target)


def _order(ask: Ask) -> wire.PlaceRequest:
    order: Any = wire.PlaceRequest(symbol=ask.symbol, client_order_id=ask.client_order_id)
    order.side = SIDE_NAMES.index(ask.side)
    order.order_type = ORDER_TYPE_NAMES.index(ask.order_type)
    order.quantity_e8 = decimal_e8(ask.quantity)
    if ask.time_in_force:
        order.time_in_force = GTC
    if ask.price:
        order.price_e8 = decimal_e8(ask.price)
    assert isinstance(order, wire.PlaceRequest)
    return order


def _seen(run: str, party: Party, channel: str, ask: Ask, answer: Any) -> Seen:
    seen = Seen(run, party, channel, ask, ACCEPTED, answer.decision_id)
    if isinstance(answer, wire.Refusal):
        told = UNKNOWN if answer.unknown else REFUSED
        return seen._replace(told=told, reason=Reason(answer.reason).name)
    if isinstance(answer, wire.CancelAllResponse):
        return seen._replace(canceled=tuple(order.order_id for order in answer.orders))
    order = answer
    if isinstance(answer, wire.ReplaceResponse):
        ended = (answer.canceled.order_id,) if answer.HasField("canceled") else ()
        seen = seen._replace(canceled=ended)
        if not answer.HasField("placed"):
            return seen._replace(reason=Reason(answer.place_refusal.reason).name)
        order = answer.placed
    elif isinstance(answer, wire.CancelResponse | wire.StatusResponse):
        order = answer.order
    fills = getattr(order, "fills", ())
    return seen._replace(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        status=ORDER_STATUS_NAMES[order.status],
        executed=decimal_text(order.executed_e8, 8),
        trades=tuple(fill.trade_id for fill in fills),
    )
