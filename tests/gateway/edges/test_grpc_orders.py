"""Unary order entry over gRPC on a real socket: answers, refusals, signatures."""

import asyncio
import time
from typing import Any

import grpc
import pytest

from gateway.edges.grpc_session import MESSAGE_MAX
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1.order_entry_pb2_grpc import OrderEntryStub
from rules.endpoints import Endpoint
from rules.events import Place, RefusedRequest
from rules.reasons import Reason
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_OK,
    CANCELED,
    CHANNEL_GRPC,
    DEFINE_ADDRESS,
    DEFINE_AGENT,
    E8,
    FILLED,
    NEW,
    SELL,
)
from tests.gateway.edges.grpc_world import (
    KEY,
    OTHER_KEY,
    PATH,
    World,
    call,
    limit_order,
    metadata,
    refused,
    run,
    told,
)


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
    assert world.core.directory.name(DEFINE_ADDRESS, event.ip) == "127.0.0.1"
    assert world.core.directory.name(DEFINE_AGENT, event.agent).startswith("grpc-python")


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
        pytest.param(str(_NOW_US - 86_400_000_000), None, Reason.TIMESTAMP_EXPIRED, id="a day ago"),
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
