"""What comes with gRPC: health, reflection, TLS, ports and peers."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.edges.grpc_callers import peer_host
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1.order_entry_pb2_grpc import OrderEntryStub
from rules.events import SessionClosed, SessionOpened
from rules.reasons import Reason
from rules.values import (
    NEW,
)
from tests.gateway.edges.grpc_certificates import Certificates
from tests.gateway.edges.grpc_world import (
    KEY,
    OTHER_KEY,
    PATH,
    SECONDS,
    World,
    call,
    limit_order,
    metadata,
    run,
    told,
)


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


def test_a_session_without_a_logon_ends_in_time() -> None:
    """Who opens a stream and says nothing is refused, and the refusal is decided like any other."""

    async def test(world: World) -> None:
        async with (
            world.serve(logon_seconds=0.05) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            stream = channel.stream_stream(PATH + "Session")()
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await stream.read()
            assert told(failure.value)[1].reason == Reason.KEY_MISSING

    world = run(test)
    assert len(world.requests()) == 1
    assert world.events(SessionOpened) == world.events(SessionClosed) == []


def test_no_more_connections_than_are_allowed() -> None:
    """A connection too many is closed; when one has ended there is room for another."""

    async def heard(host: str, port: str) -> bool:
        """Connect; return whether the server begins to speak HTTP/2."""
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            return bool(await reader.read(1))
        except ConnectionError:
            return False
        finally:
            writer.close()

    async def test(world: World) -> None:
        async with world.serve(connections_max=1) as address:
            host, _, port = address.rpartition(":")
            async with grpc.aio.insecure_channel(address) as channel:
                await channel.channel_ready()
                assert not await heard(host, port)
            async with asyncio.timeout(SECONDS):
                while not await heard(host, port):
                    await asyncio.sleep(0.01)

    run(test)
