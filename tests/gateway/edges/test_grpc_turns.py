"""Whose request is next over gRPC: turns of sessions and calls, and what waited for too long."""

import asyncio
from collections.abc import Callable

import grpc
import pytest

from gateway.answer import Answer
from gateway.edges.calls import Call, Calls
from gateway.edges.grpc_session import WAITING_MAX
from gateway.lanes import CANCELS, MARKET_DATA, ORDERS, STRANGERS
from gateway.outcome import Reply
from gateway.turns import PATIENT, Bounds, Turns
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.endpoints import Endpoint
from rules.events import Cancel, Event, Place, RefusedRequest
from rules.reasons import Reason
from rules.values import AUTH_NOT_CHECKED
from tests.gateway.edges.grpc_world import (
    OTHER_KEY,
    PATH,
    World,
    call,
    limit_order,
    logon,
    metadata,
    refused,
    run,
)
from tests.gateway.edges.test_grpc_sessions import Client, entry
from tests.gateway.turns_world import MS


def late() -> Turns:
    """Return turns that find everything to have waited for too long."""
    passed_ns = [10**18]

    def stopwatch_ns() -> int:
        passed_ns[0] += 1_000 * MS
        return passed_ns[0]

    return Turns(Bounds(lasting_ns=0), stopwatch_ns)


def test_calls_that_waited_too_long_are_unavailable() -> None:
    """Orders and queries are refused unverified, cancels are decided."""

    async def test(world: World) -> None:
        async with world.serve(turns=late()) as address, grpc.aio.insecure_channel(address) as one:
            order = limit_order().SerializeToString()
            code, told, _ = await refused(one, f"{PATH}Place", order, metadata("Place", order))
            assert code is grpc.StatusCode.UNAVAILABLE
            assert told.retryable
            assert told.reason == Reason.OVERLOADED
            asked = wire.CancelRequest(symbol="BTCUSDT", order_id=2).SerializeToString()
            code, told, _ = await refused(one, f"{PATH}Cancel", asked, metadata("Cancel", asked))
            assert told.reason == Reason.ENGINE_UNKNOWN_ORDER
        (shed, _), (cancel, _) = world.requests()
        assert isinstance(shed, RefusedRequest)
        assert (shed.endpoint, shed.auth) == (Endpoint.ORDER_PLACE, AUTH_NOT_CHECKED)
        assert shed.key
        assert isinstance(cancel, Cancel)

    run(test)


def test_entries_that_waited_too_long_are_refused_in_their_place() -> None:
    """Each has an answer and a decision of its own; the session goes on."""

    async def test(world: World) -> None:
        async with world.serve(turns=late()) as address, grpc.aio.insecure_channel(address) as one:
            client = Client(one)
            await client.log_on()
            place, cancel = limit_order(), wire.CancelRequest(symbol="BTCUSDT", order_id=2)
            requests = [{"place": place}, {"cancel": cancel}, {"place": place}, {"cancel": cancel}]
            sent = [entry(number + 1, **request) for number, request in enumerate(requests)]
            await client.send(entries=sent)
            answers = await client.read(4)
            assert [answer.sequence for answer in answers] == [1, 2, 3, 4]
            reasons = [answer.refused.reason for answer in answers]
            assert reasons == [Reason.OVERLOADED, Reason.ENGINE_UNKNOWN_ORDER] * 2
            assert answers[0].refused.rule == "request"
            assert await client.end() is grpc.StatusCode.OK
        kinds = [type(event) for event, _ in world.requests()]
        assert kinds[-4:] == [RefusedRequest, Cancel] * 2

    run(test)


def test_a_session_has_16_requests_a_turn_and_its_order() -> None:
    """Two sessions that send much at once take turns; within each the order stays."""

    async def test(world: World) -> None:
        turns = Turns(PATIENT._replace(turn_ns=10**12))
        taken: list[int] = []
        take = turns.take

        def counted() -> None:
            asked = len(world.events(Place))
            take()
            taken.append(len(world.events(Place)) - asked)

        turns.take = counted  # type: ignore[method-assign]
        async with world.serve(turns=turns) as address, grpc.aio.insecure_channel(address) as one:
            clients = [Client(one), Client(one)]
            for client, key in zip(clients, (None, OTHER_KEY), strict=True):
                await client.log_on(logon(key) if key else None)
            for client in clients:
                sent = [entry(number + 1, place=limit_order()) for number in range(100)]
                await client.send(entries=sent)
            for client in clients:
                answers = await client.read(100)
                assert [answer.sequence for answer in answers] == list(range(1, 101))
        assert sum(taken) == 200
        assert max(taken) in (16, 32)

    run(test)


def test_a_cancel_of_one_session_is_decided_before_the_orders_of_others() -> None:
    """Although they were read before it."""

    async def test(world: World) -> None:
        turns = Turns(PATIENT)
        async with world.serve(turns=turns) as address, grpc.aio.insecure_channel(address) as one:
            clients = [Client(one), Client(one)]
            for client, key in zip(clients, (None, OTHER_KEY), strict=True):
                await client.log_on(logon(key) if key else None)
            held: list[Callable[[], None]] = []
            turns._soon = held.append
            orders = [entry(number + 1, place=limit_order()) for number in range(50)]
            await clients[0].send(entries=orders)
            await _until(lambda: any(state.sources for state in turns.states()))
            cancel = wire.CancelRequest(symbol="BTCUSDT", order_id=2)
            await clients[1].send(entries=[entry(1, cancel=cancel)])
            await _until(lambda: sum(state.sources for state in turns.states()) == 2)
            while held:
                held.pop()()
            for client, count in zip(clients, (50, 1), strict=True):
                await client.read(count)
        kinds = [type(event) for event, _ in world.requests()]
        assert kinds.index(Cancel) < kinds.index(Place)

    run(test)


def test_a_session_reads_on_while_requests_wait() -> None:
    """Until more than 64 do; then no further message is read before some have been decided."""

    async def test(world: World) -> None:
        turns = Turns(PATIENT)
        async with world.serve(turns=turns) as address, grpc.aio.insecure_channel(address) as one:
            client = Client(one)
            await client.log_on()
            soon, held = turns._soon, []
            turns._soon = held.append

            def waiting() -> int:
                return sum(state.requests for state in turns.states())

            for message in range(10):
                numbers = range(20 * message + 1, 20 * message + 21)
                await client.send(
                    entries=[entry(number, place=limit_order()) for number in numbers]
                )
            assert WAITING_MAX == 64
            await _until(lambda: waiting() == 80)
            await asyncio.sleep(0.05)
            assert waiting() == 80
            turns._soon = soon
            (act,) = held
            act()
            answers = await client.read(200)
            assert [answer.sequence for answer in answers] == list(range(1, 201))
            assert await client.end() is grpc.StatusCode.OK

    run(test)


def test_calls_of_one_peer_take_turns_with_those_of_others() -> None:
    """However many one has begun; a fault of one is told to who waits for it."""

    async def scenario() -> None:
        turns = Turns(PATIENT)
        calls = Calls(turns, lambda address: address == "known")
        done: list[str] = []

        def begin(peer: str, lane: int = ORDERS) -> Answer:
            answer = Answer()

            def decide() -> None:
                done.append(peer)
                if peer == "faulty":
                    raise RuntimeError("a bug")

            calls.add(peer, Call(lane, 0, decide, lambda _waited, _most: None, answer))
            return answer

        for peer in ("a", "a", "a", "b", "b", "c"):
            begin(peer)
        begin("d", CANCELS)
        faulty = begin("faulty")
        await asyncio.sleep(0)
        assert done == ["d", "a", "b", "c", "faulty", "a", "b", "a"]
        try:
            await faulty.outcome()
        except RuntimeError:
            done.append("told")
        assert done[-1] == "told"
        assert calls._peers == {}
        assert calls.lane(CANCELS, "known") == CANCELS
        assert calls.lane(CANCELS, "other") == STRANGERS
        assert calls.lane(ORDERS, "other") == MARKET_DATA

    asyncio.run(scenario())


def test_a_bug_ends_the_session_that_met_it() -> None:
    """And nobody waits for ever; others go on."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            broken, other = Client(channel), Client(channel)
            await broken.log_on()
            await other.log_on(logon(OTHER_KEY))
            submit = world.core.submit

            def fail(event: Event, reply: Reply | None = None) -> None:
                if isinstance(event, Place) and event.key == 1:
                    raise RuntimeError("a bug")
                submit(event, reply)

            world.core.submit = fail  # type: ignore[method-assign]
            await broken.send(entries=[entry(1, place=limit_order()), entry(2, status={})])
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await broken.stream.read()
            assert ended.value.code() is grpc.StatusCode.UNKNOWN
            await other.send(entries=[entry(1, place=limit_order())])
            (answer,) = await other.read(1)
            assert answer.WhichOneof("answer") == "placed"

    run(test)


def test_unary_calls_have_turns_too() -> None:
    """Signed, decided and answered as without anybody waiting."""

    async def test(world: World) -> None:
        async with world.channel() as channel:
            placed = await asyncio.gather(
                *(call(channel, "Place", limit_order()) for _ in range(40))
            )
            assert len({answer.order_id for answer in placed}) == 40

    run(test)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)
