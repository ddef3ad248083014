"""Order entry over gRPC on a real socket: signed calls, refusals, sessions, TLS."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.edges.grpc_callers import peer_host
from gateway.edges.grpc_session import MESSAGE_MAX
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1.order_entry_pb2_grpc import OrderEntryStub
from rules.endpoints import Endpoint
from rules.events import Place, Query, RefusedRequest, SessionClosed, SessionOpened
from rules.reasons import Reason
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_OK,
    CANCELED,
    CHANNEL_GRPC,
    E8,
    FILLED,
    NEW,
    SELL,
)
from tests.gateway.edges.grpc_certificates import Certificates
from tests.gateway.edges.grpc_world import (
    KEY,
    OTHER_KEY,
    PATH,
    World,
    limit_order,
    logon,
    metadata,
)

SECONDS = 20.0


def run(test: Callable[[World], Awaitable[None]]) -> World:
    """Run a test with a new world and return that world."""

    async def timed() -> World:
        world = World()
        async with asyncio.timeout(SECONDS):
            await test(world)
        return world

    return asyncio.run(timed())


async def call(channel: grpc.aio.Channel, method: str, message: Any, key: str = KEY) -> Any:
    """Make a signed unary call and return the response."""
    stub = getattr(OrderEntryStub(channel), method)
    return await stub(message, metadata=metadata(method, message.SerializeToString(), key))


async def refused(channel: grpc.aio.Channel, path: str, raw: bytes, sent: Any) -> Any:
    """Make a raw call that is refused; return (status code, refusal, trailing metadata)."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await channel.unary_unary(path)(raw, metadata=sent)
    return told(failure.value)


def told(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, wire.Refusal, dict[str, Any]]:
    """Return what a refusal tells: code, details, metadata."""
    trailing = dict(error.trailing_metadata() or ())
    status = Status.FromString(trailing["grpc-status-details-bin"])
    refusal = wire.Refusal()
    assert status.details[0].Unpack(refusal)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    assert trailing["x-ordergate-decision"] == refusal.decision_id
    return error.code(), refusal, trailing


# --- Unary calls ------------------------------------------------------------------------------


def test_place_is_answered_with_fills() -> None:
    """A signed order is entered, and a taker is told all its immediate fills."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            maker = await call(channel, "Place", limit_order(100, 5, client_order_id="one"))
            assert (maker.status, maker.client_order_id, maker.order_id) == (NEW, "one", 2)
            assert world.ids.decode(maker.decision_id) is not None
            taker = limit_order(100, 2, side=SELL)
            answer = await call(channel, "Place", taker, OTHER_KEY)
            assert (answer.status, answer.executed_e8) == (FILLED, 2 * E8)
            assert [fill.price_e8 for fill in answer.fills] == [100 * E8]
            assert answer.fills[0].commission_asset == "USDT"
            assert answer.executed_quote_e8 == 200 * E8

    world = run(test)
    (event, _), _ = world.requests()
    assert isinstance(event, Place)
    assert (event.channel, event.auth, event.key) == (CHANNEL_GRPC, AUTH_OK, 1)
    assert event.endpoint == Endpoint.ORDER_PLACE
    assert world.core.directory.name(1, event.ip) == "127.0.0.1"


def test_decision_id_is_in_the_trailing_metadata() -> None:
    """An accepted call carries its decision id in the message and in the metadata."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            message = limit_order()
            request = OrderEntryStub(channel).Place(
                message, metadata=metadata("Place", message.SerializeToString())
            )
            answer = await request
            trailing = dict(await request.trailing_metadata())
            assert trailing["x-ordergate-decision"] == answer.decision_id

    run(test)


def test_whole_life_of_an_order() -> None:
    """Place, status, replace, cancel all, status: each answer shows the order as it then is."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            placed = await call(channel, "Place", limit_order(100, 5, client_order_id="one"))
            asked = wire.StatusRequest(symbol="BTCUSDT", client_order_id="one")
            state = (await call(channel, "Status", asked)).order
            assert (state.order_id, state.status) == (placed.order_id, NEW)
            assert (state.price_e8, state.quantity_e8) == (100 * E8, 5 * E8)
            replaced = await call(
                channel,
                "Replace",
                wire.ReplaceRequest(order_id=placed.order_id, order=limit_order(101, 4)),
            )
            assert replaced.canceled.order_id == placed.order_id
            assert (replaced.canceled.client_order_id, replaced.placed.status) == ("one", NEW)
            everything = await call(channel, "CancelAll", wire.CancelAllRequest())
            assert [order.order_id for order in everything.orders] == [replaced.placed.order_id]
            assert not everything.more
            state = (await call(channel, "Status", asked)).order
            assert state.status == CANCELED
            again = await call(channel, "Place", limit_order())
            message = wire.CancelRequest(symbol="BTCUSDT", order_id=again.order_id)
            cancelled = await call(channel, "Cancel", message)
            assert (cancelled.order.order_id, cancelled.order.status) == (again.order_id, CANCELED)

    run(test)


def test_replace_done_in_part_is_an_answer() -> None:
    """A replace whose new order is refused tells the cancel and the refusal."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            placed = await call(channel, "Place", limit_order(100, 5))
            order = limit_order(100, 9_000)
            message = wire.ReplaceRequest(order_id=placed.order_id, order=order)
            answer = await call(channel, "Replace", message)
            assert answer.canceled.order_id == placed.order_id
            assert not answer.HasField("placed")
            assert answer.place_refusal.reason == Reason.ENGINE_INSUFFICIENT_BALANCE

    run(test)


def test_test_order_reaches_no_engine() -> None:
    """A test order passes all checks and gets no order id."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            answer = await call(channel, "Place", limit_order(test=True))
            assert answer.order_id == 0
        assert list(world.core.engine.exchange.open_orders()) == []

    world = run(test)
    assert world.requests()[0][0].endpoint == Endpoint.ORDER_TEST


def test_refusal_by_a_rule_says_everything() -> None:
    """A refusal carries rule, limit, observed value, unit and text in the status details."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            message = limit_order()
            message.price_e8 += 1
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await call(channel, "Place", message)
            code, refusal, trailing = told(failure.value)
            assert code == grpc.StatusCode.INVALID_ARGUMENT
            assert refusal.reason == Reason.PRICE_TICK
            assert refusal.rule == trailing["x-ordergate-rule"] == "price_filter"
            assert (refusal.observed, refusal.unit) == (str(message.price_e8), 1)
            assert "100.00000001" in refusal.text
            assert "0.01" in refusal.text
            assert not refusal.retryable

    run(test)


def test_engine_refusals_and_missing_orders() -> None:
    """What the engine or a look-up refuses comes as the fitting status."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            for method, message, code, reason in (
                (
                    "Place",
                    limit_order(100, 1_000),
                    grpc.StatusCode.FAILED_PRECONDITION,
                    Reason.ENGINE_INSUFFICIENT_BALANCE,
                ),
                (
                    "Cancel",
                    wire.CancelRequest(symbol="BTCUSDT", order_id=77),
                    grpc.StatusCode.NOT_FOUND,
                    Reason.ENGINE_UNKNOWN_ORDER,
                ),
                (
                    "Status",
                    wire.StatusRequest(symbol="BTCUSDT", order_id=77),
                    grpc.StatusCode.NOT_FOUND,
                    Reason.UNKNOWN_ORDER,
                ),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await call(channel, method, message)
                found, refusal, _ = told(failure.value)
                assert (found, refusal.reason) == (code, reason)

    run(test)


def test_orders_of_others_are_not_found() -> None:
    """One account can't see another's order."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            placed = await call(channel, "Place", limit_order())
            asked = wire.StatusRequest(symbol="BTCUSDT", order_id=placed.order_id)
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await call(channel, "Status", asked, OTHER_KEY)
            assert failure.value.code() == grpc.StatusCode.NOT_FOUND

    run(test)


_MESSAGE = limit_order().SerializeToString()
_NOW_US = time.time_ns() // 1_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x-ordergate-key": None}, Reason.KEY_MISSING),
        ({"x-ordergate-key": "short"}, Reason.KEY_MALFORMED),
        ({"x-ordergate-key": "U" * 64}, Reason.KEY_UNKNOWN),
        ({"x-ordergate-key": OTHER_KEY}, None),
        ({"x-ordergate-signature": None}, Reason.SIGNATURE_MISSING),
        ({"x-ordergate-signature": "00" * 32}, Reason.SIGNATURE_INVALID),
        ({"x-ordergate-signature": "no hex"}, Reason.SIGNATURE_INVALID),
        ({"x-ordergate-timestamp": str(_NOW_US + 1)}, Reason.SIGNATURE_INVALID),
        ({"x-ordergate-recv-window": "60000000"}, Reason.SIGNATURE_INVALID),
    ],
)
def test_unproved_calls_are_refused(change: dict[str, Any], reason: Reason | None) -> None:
    """A call whose key, signature, timestamp or window was tampered with gets UNAUTHENTICATED."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            sent = dict(metadata("Place", _MESSAGE)) | change
            pairs = [(name, value) for name, value in sent.items() if value is not None]
            if reason is None:
                # Both keys have the same secret here: the signature is right.
                await channel.unary_unary(PATH + "Place")(_MESSAGE, metadata=pairs)
                return
            code, refusal, _ = await refused(channel, PATH + "Place", _MESSAGE, pairs)
            assert (code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)

    assert len(run(test).requests()) == 1


def test_tampered_message_is_refused() -> None:
    """The signature covers every byte of the message and the method's name."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            changed = limit_order(101).SerializeToString()
            signed = metadata("Place", _MESSAGE)
            for path, raw in ((PATH + "Place", changed), (PATH + "Status", _MESSAGE)):
                code, refusal, _ = await refused(channel, path, raw, signed)
                assert code == grpc.StatusCode.UNAUTHENTICATED
                assert refusal.reason == Reason.SIGNATURE_INVALID

    assert {event.auth for event, _ in run(test).requests()} == {AUTH_BAD_SIGNATURE}


@pytest.mark.parametrize(
    ("timestamp", "recv_window", "reason"),
    [
        ("", None, Reason.TIMESTAMP_MISSING),
        ("yesterday", None, Reason.TIMESTAMP_INVALID),
        ("-5", None, Reason.TIMESTAMP_INVALID),
        ("9" * 20, None, Reason.TIMESTAMP_INVALID),
        ("9" * 21, None, Reason.TIMESTAMP_INVALID),
        (str(_NOW_US - 86_400_000_000), None, Reason.TIMESTAMP_EXPIRED),
        (None, "soon", Reason.INVALID_PARAMETER),
        (None, "-1", Reason.INVALID_PARAMETER),
        (None, "60000001", Reason.RECV_WINDOW_TOO_LARGE),
        (None, "9" * 20, Reason.RECV_WINDOW_TOO_LARGE),
        (None, "0", Reason.TIMESTAMP_EXPIRED),
        (None, "60000000", None),
    ],
)
def test_times_are_checked(
    timestamp: str | None, recv_window: str | None, reason: Reason | None
) -> None:
    """Timestamp and window are signed as they stand and checked by the rule, or refused."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            sent = metadata("Place", _MESSAGE, KEY, timestamp, recv_window)
            if reason is None:
                await channel.unary_unary(PATH + "Place")(_MESSAGE, metadata=sent)
            else:
                _, refusal, _ = await refused(channel, PATH + "Place", _MESSAGE, sent)
                assert refusal.reason == reason

    assert len(run(test).requests()) == 1


def test_every_broken_message_is_decided() -> None:
    """Bytes that are no message, unknown methods and long messages each become one event."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            raw = b"\xff" * 40
            code, refusal, _ = await refused(channel, PATH + "Place", raw, metadata("Place", raw))
            assert (code, refusal.reason) == (
                grpc.StatusCode.INVALID_ARGUMENT,
                Reason.MALFORMED_REQUEST,
            )
            # Without a key, it is as malformed as it was.
            code, refusal, _ = await refused(channel, PATH + "Place", raw, ())
            assert refusal.reason == Reason.MALFORMED_REQUEST
            for path in (PATH + "Sell", "/other.Service/Method"):
                code, refusal, _ = await refused(channel, path, b"", ())
                assert (code, refusal.reason) == (
                    grpc.StatusCode.UNIMPLEMENTED,
                    Reason.UNKNOWN_ENDPOINT,
                )
                assert refusal.detail == path
            raw = bytes(MESSAGE_MAX + 1)
            code, refusal, _ = await refused(channel, PATH + "Place", raw, metadata("Place", raw))
            assert refusal.reason == Reason.BODY_TOO_LARGE

    world = run(test)
    assert [event.endpoint for event, _ in world.requests()] == [
        Endpoint.ORDER_PLACE,
        Endpoint.ORDER_PLACE,
        Endpoint.UNKNOWN,
        Endpoint.UNKNOWN,
        Endpoint.ORDER_PLACE,
    ]
    assert all(isinstance(event, RefusedRequest) for event, _ in world.requests())


def test_unknown_outcome_is_said_as_such() -> None:
    """A command without an answer is DEADLINE_EXCEEDED and marked as unknown."""

    async def test(world: World) -> None:
        world.core.held = True
        async with world.channel() as channel:
            waiting = asyncio.ensure_future(call(channel, "Place", limit_order()))
            while not world.core.views.orders.open_count():
                await asyncio.sleep(0.001)
            world.core.answer_unknown()
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await waiting
            code, refusal, _ = told(failure.value)
            assert code == grpc.StatusCode.DEADLINE_EXCEEDED
            assert (refusal.unknown, refusal.retryable, refusal.order_id) == (True, False, 2)

    run(test)


def test_client_that_hangs_up_breaks_nothing() -> None:
    """A call whose client is gone when the answer comes is simply over."""

    async def test(world: World) -> None:
        world.core.held = True
        async with world.channel() as channel:
            waiting = asyncio.ensure_future(call(channel, "Place", limit_order()))
            while not world.core.views.orders.open_count():
                await asyncio.sleep(0.001)
            waiting.cancel()
            await asyncio.sleep(0.05)
            world.core.release()
            answer = await call(channel, "Place", limit_order())
            assert answer.status == NEW

    run(test)


# --- Health, reflection, TLS ------------------------------------------------------------------


def test_health_and_reflection() -> None:
    """The standard services answer, without a key and without an event."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for service in ("", "ordergate.v1.OrderEntry"):
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            names = await _reflected(channel)
            assert {"ordergate.v1.OrderEntry", "grpc.health.v1.Health"} <= names

    assert run(test).requests() == []


async def _reflected(channel: grpc.aio.Channel) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stream = stub.ServerReflectionInfo()
    await stream.write(request)
    await stream.done_writing()
    answer = await stream.read()
    return {service.name for service in answer.list_services_response.service}


def test_certificate_stands_for_a_signature() -> None:
    """With mutual TLS the certificate's common name is the key; another key is refused."""

    async def test(world: World) -> None:
        certificates = Certificates()
        server = certificates.server_credentials()
        async with world.serve(server) as address:
            client = certificates.client_credentials(KEY)
            async with grpc.aio.secure_channel(address, client) as channel:
                answer = await OrderEntryStub(channel).Place(limit_order())
                assert answer.status == NEW
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await call(channel, "Place", limit_order(), OTHER_KEY)
                assert told(failure.value)[1].reason == Reason.SIGNATURE_INVALID
                # A signature that is sent must be right, and so must a timestamp.
                sent = metadata("Place", b"something else")
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await OrderEntryStub(channel).Place(limit_order(), metadata=sent)
                assert told(failure.value)[1].reason == Reason.SIGNATURE_INVALID
                stream = OrderEntryStub(channel).Session()
                await stream.write(wire.SessionRequest(logon=wire.Logon()))
                assert (await stream.read()).logon.session == 1
                await stream.done_writing()
                assert await stream.read() is grpc.aio.EOF
            stranger = Certificates().client_credentials(KEY)
            async with grpc.aio.secure_channel(address, stranger) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await OrderEntryStub(channel).Place(limit_order())
                assert failure.value.code() == grpc.StatusCode.UNAVAILABLE

    world = run(test)
    assert {event.key for event, _ in world.requests()} == {1, 2}


def test_port_that_is_taken_is_an_error() -> None:
    """A second server on the same port is refused, not given half of the clients."""

    async def test(world: World) -> None:
        async with world.serve() as address:
            second = World()
            with pytest.raises(OSError, match="can't listen"):
                async with second.serve(port=int(address.rpartition(":")[2])):
                    pytest.fail("two servers on one port")

    run(test)


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:127.0.0.1:5000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:[2001:db8::7]:5000", "2001:db8::7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::1%eth0"),
        ("unix:", ""),
        ("", ""),
    ],
)
def test_peer_host(peer: str, host: str) -> None:
    """The host is found in every form gRPC names a peer in."""
    assert peer_host(peer) == host


# --- Sessions ---------------------------------------------------------------------------------


class Client:
    """A session's client side."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stream = OrderEntryStub(channel).Session()
        self.messages = 0
        self.answers: list[wire.SessionAnswer] = []

    async def log_on(self, message: wire.Logon | None = None) -> wire.LogonAccepted:
        """Log on and return the answer."""
        await self.send(logon=message or logon())
        return (await self.stream.read()).logon

    async def send(self, **fields: Any) -> None:
        """Send one message."""
        await self.stream.write(wire.SessionRequest(**fields))

    async def read(self, count: int) -> list[wire.SessionAnswer]:
        """Return the next `count` answers."""
        while len(self.answers) < count:
            response = await self.stream.read()
            assert response is not grpc.aio.EOF
            self.messages += 1
            self.answers.extend(response.answers)
        found, self.answers = self.answers[:count], self.answers[count:]
        return found

    async def end(self) -> grpc.StatusCode:
        """Half-close, read to the end and return the status."""
        await self.stream.done_writing()
        assert await self.stream.read() is grpc.aio.EOF
        return await self.stream.code()


def entry(sequence: int, **request: Any) -> wire.SessionEntry:
    """Return one numbered request."""
    return wire.SessionEntry(sequence=sequence, **request)


def test_session_answers_batches_by_number() -> None:
    """Every entry of a batch is answered under its number, several answers in one message."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            accepted = await client.log_on()
            assert accepted.session == 1
            bad = limit_order()
            bad.price_e8 = 1
            await client.send(
                entries=[
                    entry(10, place=limit_order(100, 5, client_order_id="one")),
                    entry(11, place=bad),
                    entry(12, status={"symbol": "BTCUSDT", "client_order_id": "one"}),
                    entry(13, replace={"orig_client_order_id": "one", "order": limit_order(99, 1)}),
                    entry(20, cancel_all={"symbol": "BTCUSDT"}),
                    entry(21, cancel={"symbol": "BTCUSDT", "order_id": 77}),
                    entry(22),
                ]
            )
            answers = await client.read(7)
            assert client.messages == 1
            assert [answer.sequence for answer in answers] == [10, 11, 12, 13, 20, 21, 22]
            assert [answer.WhichOneof("answer") for answer in answers] == [
                "placed",
                "refused",
                "status",
                "replaced",
                "canceled_all",
                "refused",
                "refused",
            ]
            assert answers[1].refused.reason == Reason.PRICE_MIN
            assert answers[6].refused.reason == Reason.MISSING_PARAMETER
            assert await client.end() == grpc.StatusCode.OK

    world = run(test)
    assert len(world.requests()) == 8
    opened, closed = world.events(SessionOpened), world.events(SessionClosed)
    assert [(event.session, event.key, event.channel) for event in opened] == [(1, 1, CHANNEL_GRPC)]
    assert [(event.session, event.graceful) for event in closed] == [(1, True)]
    assert {event.session for event, _ in world.requests()} == {1}
    assert isinstance(world.requests()[0][0], Query)
    assert world.requests()[0][0].endpoint == Endpoint.SESSION_LOGON


def test_requests_may_come_with_the_logon() -> None:
    """The first message may carry entries; they are decided after the logon."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            await client.send(logon=logon(), entries=[entry(1, place=limit_order())])
            assert (await client.stream.read()).logon.session == 1
            assert (await client.read(1))[0].placed.status == NEW

    run(test)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (wire.SessionRequest(), Reason.KEY_MISSING),
        (wire.SessionRequest(entries=[entry(1, place=limit_order())]), Reason.KEY_MISSING),
        (wire.SessionRequest(logon=wire.Logon(api_key=KEY)), Reason.SIGNATURE_MISSING),
        (wire.SessionRequest(logon=logon(signature="00")), Reason.SIGNATURE_INVALID),
        (wire.SessionRequest(logon=logon("U" * 64)), Reason.KEY_UNKNOWN),
        (wire.SessionRequest(logon=logon(timestamp_us=0)), Reason.TIMESTAMP_MISSING),
        (wire.SessionRequest(logon=logon(timestamp_us=-1)), Reason.TIMESTAMP_INVALID),
        (wire.SessionRequest(logon=logon(timestamp_us=1)), Reason.TIMESTAMP_INVALID),
        (wire.SessionRequest(logon=logon(recv_window_us=-1)), Reason.PARAMETER_OUT_OF_RANGE),
        (
            wire.SessionRequest(logon=logon(recv_window_us=2**62)),
            Reason.RECV_WINDOW_TOO_LARGE,
        ),
        (b"\xff\xff\xff", Reason.MALFORMED_REQUEST),
        (bytes(MESSAGE_MAX + 1), Reason.BODY_TOO_LARGE),
    ],
)
def test_unproved_logons_open_nothing(message: Any, reason: Reason) -> None:
    """A session without a right logon is refused as one event, and none of its entries is read."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            stream = channel.stream_stream(PATH + "Session")()
            raw = message if isinstance(message, bytes) else message.SerializeToString()
            await stream.write(raw)
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await stream.read()
            assert told(failure.value)[1].reason == reason

    world = run(test)
    assert len(world.requests()) == 1
    assert world.events(SessionOpened) == world.events(SessionClosed) == []


def test_faults_within_a_session_are_answered_and_it_goes_on() -> None:
    """Broken messages, numbers that do not rise and a second logon are refused one by one."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            stream = channel.stream_stream(PATH + "Session")()
            client = Client(channel)
            client.stream.cancel()
            await stream.write(wire.SessionRequest(logon=logon()).SerializeToString())
            await stream.read()
            for raw in (
                b"\xff\xff\xff",
                b"",
                wire.SessionRequest(logon=logon()).SerializeToString(),
                wire.SessionRequest(
                    entries=[
                        entry(0, place=limit_order()),
                        entry(5, place=limit_order()),
                        entry(5, place=limit_order()),
                        entry(4, place=limit_order()),
                        entry(6, place=limit_order()),
                    ]
                ).SerializeToString(),
            ):
                await stream.write(raw)
            found: list[wire.SessionAnswer] = []
            while len(found) < 8:
                found += wire.SessionResponse.FromString(await stream.read()).answers
            assert [(one.sequence, one.refused.reason) for one in found] == [
                (0, Reason.MALFORMED_REQUEST),
                (0, Reason.MISSING_PARAMETER),
                (0, Reason.UNEXPECTED_PARAMETER),
                (0, Reason.INVALID_PARAMETER),
                (5, 0),
                (5, Reason.INVALID_PARAMETER),
                (4, Reason.INVALID_PARAMETER),
                (6, 0),
            ]
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF

    world = run(test)
    assert len(world.requests()) == 9


def test_entries_may_carry_a_time_limit() -> None:
    """A message with a timestamp is refused after its window; one without has no limit."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            await client.log_on()
            now_us = time.time_ns() // 1_000
            order = limit_order()
            for sequence, sent_us, window_us in (
                (1, 0, 0),
                (2, now_us, 0),
                (3, now_us - 6_000_000, 0),
                (4, now_us - 6_000_000, 30_000_000),
                (5, 0, 1_000),
                (6, now_us, -1),
                (7, -1, 0),
            ):
                await client.send(
                    timestamp_us=sent_us,
                    recv_window_us=window_us,
                    entries=[entry(sequence, place=order)],
                )
            answers = await client.read(7)
            assert [answer.refused.reason for answer in answers] == [
                0,
                0,
                Reason.TIMESTAMP_EXPIRED,
                0,
                Reason.TIMESTAMP_MISSING,
                Reason.PARAMETER_OUT_OF_RANGE,
                Reason.TIMESTAMP_INVALID,
            ]

    run(test)


def test_late_answers_come_when_they_are_ready() -> None:
    """Answers that wait for the engine don't hold up the others, and none is lost at the end."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            await client.log_on()
            world.core.held = True
            status = {"symbol": "BTCUSDT", "order_id": 77}
            await client.send(entries=[entry(1, place=limit_order()), entry(2, status=status)])
            assert (await client.read(1))[0].sequence == 2
            await client.stream.done_writing()
            await asyncio.sleep(0.05)
            world.core.release()
            assert (await client.read(1))[0].sequence == 1
            assert await client.stream.read() is grpc.aio.EOF

    assert run(test).events(SessionClosed)[0].graceful


def test_lost_client_is_not_graceful() -> None:
    """A client that vanishes without half-closing ends its session ungracefully."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            await client.log_on()
            client.stream.cancel()
            while not world.events(SessionClosed):
                await asyncio.sleep(0.001)

    assert not run(test).events(SessionClosed)[0].graceful


def test_sessions_end_gracefully_with_the_gate() -> None:
    """A session the gate itself ends is not a lost one."""

    async def test(world: World) -> None:
        async with world.serve(shutdown_seconds=0.1) as address:
            channel = grpc.aio.insecure_channel(address)
            client = Client(channel)
            await client.log_on()
        await channel.close()

    assert run(test).events(SessionClosed)[0].graceful


def test_more_requests_than_may_wait() -> None:
    """A client far ahead of its answers is read no faster than they are written; none is lost."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            await client.log_on()
            count = 10_000
            status = {"symbol": "BTCUSDT", "order_id": 77}

            async def send() -> None:
                for first in range(1, count, 1_000):
                    numbers = range(first, first + 1_000)
                    await client.send(entries=[entry(n, status=status) for n in numbers])

            sending = asyncio.create_task(send())
            answers = await client.read(count)
            await sending
            assert [answer.sequence for answer in answers] == list(range(1, count + 1))
            assert client.messages < count / 10

    run(test)
