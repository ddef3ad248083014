"""Sessions over gRPC on a real socket: logon, batches, faults, ends."""

import asyncio
import time
from typing import Any

import grpc
import pytest

from gateway.edges.grpc_session import ENTRIES_MAX, MESSAGE_MAX
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1.order_entry_pb2_grpc import OrderEntryStub
from rules.endpoints import Endpoint
from rules.events import Query, SessionClosed, SessionOpened
from rules.reasons import Reason
from rules.values import (
    CHANNEL_GRPC,
    NEW,
)
from tests.gateway.edges.grpc_world import (
    KEY,
    PATH,
    World,
    limit_order,
    logon,
    run,
    told,
)


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


def test_a_client_that_leaves_during_its_logon() -> None:
    """Whatever moment it chooses: each session whose beginning is recorded has an end."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            for turns in range(240):
                client = Client(channel)
                await client.send(logon=logon())
                for _ in range(turns % 60):
                    await asyncio.sleep(0)
                client.stream.cancel()
            while True:
                opened = {event.session for event in world.events(SessionOpened)}
                closed = [event.session for event in world.events(SessionClosed)]
                if opened and opened == set(closed):
                    break
                await asyncio.sleep(0.01)
        assert len(closed) == len(opened)

    run(test)


def test_a_message_of_too_many_requests() -> None:
    """It is refused as one; as many as may be are decided, and the session goes on."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            client = Client(channel)
            await client.log_on()
            await client.send(entries=[wire.SessionEntry()] * (ENTRIES_MAX + 1))
            (refused,) = await client.read(1)
            assert refused.sequence == 0
            assert refused.refused.reason == Reason.PARAMETER_OUT_OF_RANGE
            await client.send(entries=[wire.SessionEntry()] * ENTRIES_MAX)
            answers = await client.read(ENTRIES_MAX)
            assert len(answers) == ENTRIES_MAX
            assert await client.end() is grpc.StatusCode.OK

    run(test)


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
