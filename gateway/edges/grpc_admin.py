"""Operators' acts over gRPC: stop, release, status.

Served beside order entry for tools that speak gRPC anyway. Every call needs the admin token, and
becomes an event through the same door as over HTTP.
"""

import hmac
from typing import Any, Final, NoReturn, TypeAlias

import grpc
import msgspec

from gateway.admin import messages
from gateway.admin.administration import Administration
from gateway.admin.surface import OperatorError, UnknownSubjectError
from gateway.wire.ordergate.v1 import admin_pb2 as wire
from gateway.wire.ordergate.v1 import admin_pb2_grpc
from rules.values import SCOPE_NAMES, STATE_KILLED, STATE_NAMES

SERVICE: Final = "ordergate.v1.Admin"

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class GrpcAdmin(admin_pb2_grpc.AdminServicer):
    """The Admin service on an `Administration`; `token` is the gate's admin token."""

    def __init__(self, administration: Administration, token: str) -> None:
        self._administration = administration
        self._token = token.encode()

    def add_to(self, server: Any) -> str:
        """Add the service to a server and return its name."""
        admin_pb2_grpc.add_AdminServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        return SERVICE

    async def Kill(  # noqa: N802
        self, request: wire.KillRequest, context: Context
    ) -> wire.KillResponse:
        """Set a scope's stop state, KILLED unless told otherwise."""
        await self._authorize(context)
        state = request.state or STATE_KILLED
        try:
            answer = await self._administration.kill(
                msgspec.convert(
                    {
                        **_target(request.target),
                        "state": _name(STATE_NAMES, state),
                        "reason": request.reason,
                        "actor": request.actor,
                    },
                    messages.KillRequest,
                )
            )
        except (OperatorError, msgspec.ValidationError) as error:
            await _abort(context, error)
        response = wire.KillResponse(
            decision_id=answer.decision_id,
            open_orders=answer.open_orders,
            remaining=answer.remaining,
        )
        response.state = state  # type: ignore[assignment]
        return response

    async def Release(  # noqa: N802
        self, request: wire.ReleaseRequest, context: Context
    ) -> wire.ReleaseResponse:
        """Set a scope back to ACTIVE."""
        await self._authorize(context)
        try:
            answer = await self._administration.release(
                msgspec.convert(
                    {
                        **_target(request.target),
                        "reason": request.reason,
                        "actor": request.actor,
                    },
                    messages.ReleaseRequest,
                )
            )
        except (OperatorError, msgspec.ValidationError) as error:
            await _abort(context, error)
        return wire.ReleaseResponse(decision_id=answer.decision_id)

    async def Status(  # noqa: N802
        self, request: wire.AdminStatusRequest, context: Context
    ) -> wire.AdminStatusResponse:
        """Return what is stopped, and how the gate is."""
        await self._authorize(context)
        status = self._administration.status()
        response = wire.AdminStatusResponse(
            rulebook=status.rulebook,
            revision=status.revision,
            open_orders=status.open_orders,
            engine_connected=status.engine_connected,
            engine_epoch=status.engine_epoch,
            now_ns=status.now_ns,
        )
        for stop in status.stops:
            line = response.stopped.add(
                reason=stop.reason, actor=stop.actor, since_ns=stop.since_ns
            )
            line.target.name = stop.subject
            line.target.scope = SCOPE_NAMES.index(stop.scope)  # type: ignore[assignment]
            line.state = STATE_NAMES.index(stop.state)  # type: ignore[assignment]
        return response

    async def _authorize(self, context: Context) -> None:
        metadata = dict(context.invocation_metadata() or ())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), self._token):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "the admin token is missing or wrong"
            )


def _target(target: wire.StopScope) -> dict[str, str]:
    return {"scope": _name(SCOPE_NAMES, target.scope), "subject": target.name}


def _name(names: tuple[str, ...], number: int) -> str:
    """Return the name of a code, the number itself where there is none."""
    return names[number] if 0 <= number < len(names) else str(number)


async def _abort(context: Context, error: Exception) -> NoReturn:
    unknown = isinstance(error, UnknownSubjectError)
    code = grpc.StatusCode.NOT_FOUND if unknown else grpc.StatusCode.INVALID_ARGUMENT
    await context.abort(code, str(error))
    raise AssertionError("abort returned")
