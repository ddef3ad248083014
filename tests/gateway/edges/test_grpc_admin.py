"""Operators' acts over gRPC: token, stop, release, status."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from gateway.admin.administration import Administration
from gateway.decision_id import DecisionIds
from gateway.edges.grpc_admin import GrpcAdmin
from gateway.wire.ordergate.v1 import admin_pb2 as wire
from gateway.wire.ordergate.v1 import values_pb2 as codes
from gateway.wire.ordergate.v1.admin_pb2_grpc import AdminStub
from rules.events import DefineAccount, SetState
from rules.values import SCOPE_ACCOUNT, STATE_CANCEL_ONLY, STATE_KILLED
from tests.gateway.edges.admin_world import TOKEN, AdminCore

SENT = (("authorization", f"Bearer {TOKEN}"),)
ALICE = wire.StopScope(scope=codes.SCOPE_ACCOUNT, name="alice")


def run(test: Callable[[AdminCore, Any], Awaitable[None]]) -> AdminCore:
    """Run a test with the service on a free port and return the core."""

    async def served() -> AdminCore:
        core = AdminCore()
        core.submit(DefineAccount(1, "alice", 1, "", 0))
        for order_id in (7, 8, 9):
            core.add_order(order_id, 1)
        administration = Administration(core, DecisionIds(b"ids of the admin tests"))
        server = grpc.aio.server()
        assert GrpcAdmin(administration, TOKEN).add_to(server) == "ordergate.v1.Admin"
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await test(core, AdminStub(channel))
        await server.stop(0)
        return core

    return asyncio.run(served())


def test_kill_status_release() -> None:
    """A kill without a state kills; status shows it; release ends it."""

    async def test(core: AdminCore, stub: Any) -> None:
        request = wire.KillRequest(target=ALICE, reason="drill", actor="desk")
        killed = await stub.Kill(request, metadata=SENT)
        assert (killed.state, killed.open_orders, killed.remaining) == (STATE_KILLED, 3, 1)
        assert killed.decision_id
        status = await stub.Status(wire.AdminStatusRequest(), metadata=SENT)
        (stop,) = status.stopped
        assert (stop.target, stop.state) == (ALICE, STATE_KILLED)
        assert (stop.reason, stop.actor, stop.since_ns) == ("drill", "desk", core.time_ns)
        assert (status.open_orders, status.engine_connected) == (1, True)
        assert (status.rulebook, status.revision) == ("test", core.rulebook.revision)
        release = wire.ReleaseRequest(target=ALICE, reason="over", actor="desk")
        assert (await stub.Release(release, metadata=SENT)).decision_id
        assert not (await stub.Status(wire.AdminStatusRequest(), metadata=SENT)).stopped

    core = run(test)
    assert [event for event in core.events if isinstance(event, SetState)] == [
        SetState(SCOPE_ACCOUNT, 1, STATE_KILLED, "drill", "desk"),
        SetState(SCOPE_ACCOUNT, 1, 0, "over", "desk"),
    ]


def test_milder_state() -> None:
    """A milder state than KILLED can be set."""

    async def test(core: AdminCore, stub: Any) -> None:
        state = codes.STOP_STATE_CANCEL_ONLY
        request = wire.KillRequest(target=ALICE, state=state, reason="drill", actor="desk")
        assert (await stub.Kill(request, metadata=SENT)).state == STATE_CANCEL_ONLY
        assert core.book.states == {(SCOPE_ACCOUNT, 1): STATE_CANCEL_ONLY}

    run(test)


@pytest.mark.parametrize(
    ("method", "request_message", "code"),
    [
        ("Kill", wire.KillRequest(reason="x", actor="y"), grpc.StatusCode.INVALID_ARGUMENT),
        (
            "Kill",
            wire.KillRequest(target=ALICE, state=99, reason="x", actor="y"),  # type: ignore[arg-type]
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        ("Kill", wire.KillRequest(target=ALICE, actor="y"), grpc.StatusCode.INVALID_ARGUMENT),
        (
            "Kill",
            wire.KillRequest(
                target={"scope": codes.SCOPE_ACCOUNT, "name": "nobody"}, reason="x", actor="y"
            ),
            grpc.StatusCode.NOT_FOUND,
        ),
        (
            "Kill",
            wire.KillRequest(target={"scope": codes.SCOPE_IP}, reason="x", actor="y"),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (
            "Release",
            wire.ReleaseRequest(target=ALICE, reason="x", actor="y"),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    method: str, request_message: Any, code: grpc.StatusCode
) -> None:
    """An unknown scope, state or name, and a release of nothing, are refused with a text."""

    async def test(core: AdminCore, stub: Any) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await getattr(stub, method)(request_message, metadata=SENT)
        assert failure.value.code() == code
        assert failure.value.details()
        assert not core.book.states

    run(test)


@pytest.mark.parametrize(
    "sent", [(), (("authorization", "Bearer wrong"),), (("authorization", TOKEN),)]
)
def test_token_is_needed(sent: tuple[tuple[str, str], ...]) -> None:
    """Without the right token nothing is done and nothing is told."""

    async def test(core: AdminCore, stub: Any) -> None:
        for method, request in (
            ("Kill", wire.KillRequest(target=ALICE, reason="x", actor="y")),
            ("Release", wire.ReleaseRequest(target=ALICE, reason="x", actor="y")),
            ("Status", wire.AdminStatusRequest()),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await getattr(stub, method)(request, metadata=sent)
            assert failure.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert not core.book.states

    run(test)
