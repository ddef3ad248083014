"""Order entry over gRPC: unary calls and sessions, health and reflection.

Handlers take raw bytes: the signature covers exactly what was sent, and a message that can't be
read is decided like any other. So is a call of a method that does not exist.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.addresses import PeerAddresses
from gateway.answer import Answer
from gateway.auth.authenticator import Authenticator
from gateway.dialects.native.answers import METHODS, Method, answer
from gateway.dialects.native.desk import Caller, Desk
from gateway.dialects.native.reading import Fault
from gateway.dialects.native.refusals import status_code
from gateway.dialects.native.requests import refused
from gateway.dialects.native.signing import DECISION_HEADER, RULE_HEADER, SERVICE, SESSION_PATH
from gateway.edges.calls import Call, Calls
from gateway.edges.grpc_callers import Callers
from gateway.edges.grpc_session import LOGON_SECONDS, MESSAGE_MAX, Session, too_long
from gateway.edges.protocols import Meter, SubmittingCore, everybody
from gateway.lanes import MARKET_DATA, lane_of, waited_texts
from gateway.outcome import Outcome
from gateway.stages import DECIDE, EDGE_OUT, RENDER, Stages, Trace
from gateway.turns import Turns
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.endpoints import Endpoint
from rules.events import Request
from rules.reasons import Reason

MESSAGE_MAX_TRANSPORT: Final = MESSAGE_MAX + 65_536
"""Longer messages are cut off by the transport and never become a request; as many as a connection
may have calls are in memory at a time."""
DETAILS_MAX: Final = 4_096
"""Bytes of status details; clients take 8 KiB of metadata."""
SHUTDOWN_SECONDS: Final = 5.0
"""How long calls in progress may take to end when the edge closes."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
AddService: TypeAlias = Callable[[Any], str]
"""Adds a service to a server and returns the service's name."""

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
CONNECTIONS_MAX: Final = 10_000
"""Most connections at a time, unless told otherwise; further ones are closed at once."""
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_MAX_TRANSPORT),
    # Calls of one connection at a time; a client waits before it begins another.
    ("grpc.max_concurrent_streams", 256),
    # Who connects and says nothing holds a place that others may need.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 75_000),
    # Without this a second server on the same port would silently take part of the clients.
    ("grpc.so_reuseport", 0),
)


class GrpcOrderEdge:
    """Serves OrderEntry, health and reflection on one port.

    `receive_ns` is the receive clock (UTC), `next_session` numbers sessions over all edges,
    `credentials` turn on TLS (with client certificates required, mutual TLS), `services` are
    served beside order entry. `turns` says whose request is next, among all edges that share it;
    `trusts` tells whether a key was proved from an address; `stages` is told where the time goes.
    """

    def __init__(
        self,
        core: SubmittingCore,
        desk: Desk,
        authenticator: Authenticator,
        receive_ns: Callable[[], int],
        next_session: Callable[[], int] | None = None,
        addresses: PeerAddresses | None = None,
        credentials: grpc.ServerCredentials | None = None,
        meter: Meter | None = None,
        services: Sequence[AddService] = (),
        shutdown_seconds: float = SHUTDOWN_SECONDS,
        connections_max: int = CONNECTIONS_MAX,
        logon_seconds: float = LOGON_SECONDS,
        turns: Turns | None = None,
        trusts: Callable[[str], bool] = everybody,
        stages: Stages | None = None,
    ) -> None:
        self._core = core
        self._desk = desk
        certificates = credentials is not None
        self._callers = Callers(desk.core, authenticator, addresses, certificates, stages)
        self._calls = Calls(turns or Turns(), trusts, stages, gather=True)
        self._receive_ns = receive_ns
        self._next_session = next_session or count(1).__next__
        self._credentials = credentials
        self._meter = meter
        self._services = tuple(services)
        self._shutdown_seconds = shutdown_seconds
        self._connections_max = connections_max
        self._logon_seconds = logon_seconds
        self._server: grpc.aio.Server | None = None
        self._lanes = {
            method.endpoint: lane_of(method.endpoint, desk.core.rulebook) for method in METHODS
        }
        self._health = health.aio.HealthServicer()
        self.closing = False

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (a free one for port 0); raises OSError when it is taken."""
        most = ("grpc.max_allowed_incoming_connections", self._connections_max)
        server = self._server = grpc.aio.server(options=(*_OPTIONS, most))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        added = tuple(add(server) for add in self._services)
        names = (SERVICE, *added, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        # Last, because it also takes every method that nobody else serves.
        server.add_generic_rpc_handlers((_Handlers(self),))
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if self._credentials is None:
                bound = server.add_insecure_port(target)
            else:
                bound = server.add_secure_port(target, self._credentials)
        except RuntimeError as error:
            raise OSError(f"can't listen on {target}: {error}") from None
        await server.start()
        for name in ("", SERVICE, *added):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return bound

    async def close(self) -> None:
        """Tell health checks, let calls in progress end, then end all sessions."""
        self.closing = True
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(self._shutdown_seconds)
            self._server = None

    # --- Calls --------------------------------------------------------------------------------

    async def unary(self, method: Method, path: str, raw: bytes, context: Context) -> bytes:
        """Answer one unary call."""
        started_ns = time.perf_counter_ns()
        received_ns = self._receive_ns()
        origin = self._callers.origin(context)
        waiting = Answer()

        def decide() -> None:
            caller, fault = self._callers.unary(origin, path, raw, received_ns)
            self._submit(self._read(method, caller, fault, raw), waiting)

        def shed(waited_ns: int, most_ns: int) -> None:
            caller = self._callers.unverified(origin, received_ns)
            fault = Fault(Reason.OVERLOADED, *waited_texts(waited_ns, most_ns))
            self._core.submit(refused(caller, method.endpoint, fault), waiting)

        lane = self._calls.lane(self._lanes[method.endpoint], origin.address)
        self._calls.add(origin.peer, Call(lane, started_ns, decide, shed, waiting))
        outcome = await waiting.outcome()
        if waiting.trace is not None:
            waiting.trace.enter(RENDER)
        told = answer(method, self._desk, outcome)
        if isinstance(told, wire.Refusal):
            await self._refuse(context, told, outcome, waiting, started_ns)
        self._count(outcome, 0, started_ns)
        context.set_trailing_metadata(((DECISION_HEADER, told.decision_id),))
        encoded: bytes = told.SerializeToString()
        if waiting.trace is not None:
            self._leaves(waiting.trace, outcome, context)
        return encoded

    def _submit(self, event: Request, waiting: Answer) -> None:
        if waiting.trace is not None:
            waiting.trace.enter(DECIDE)
        self._core.submit(event, waiting)

    async def _refuse(
        self,
        context: Context,
        told: wire.Refusal,
        outcome: Outcome,
        waiting: Answer,
        started_ns: int,
    ) -> NoReturn:
        """End a call with a refusal."""
        self._count(outcome, status_code(told).value, started_ns)
        if waiting.trace is not None:
            self._leaves(waiting.trace, outcome, context)
        await abort(context, told)

    def _count(self, outcome: Outcome, code: int, started_ns: int) -> None:
        """Let the metrics know of an answer."""
        if self._meter is not None:
            latency_ns = time.perf_counter_ns() - started_ns
            assert isinstance(outcome.event, Request)
            self._meter.answered(outcome.event.endpoint, code, latency_ns)

    def _leaves(self, trace: Trace, outcome: Outcome, context: Any) -> None:
        """Follow an answer until gRPC has sent it, which ends the call."""
        stages, event = self._calls.stages, outcome.event
        assert stages is not None
        assert isinstance(event, Request)
        trace.enter(EDGE_OUT)
        endpoint = event.endpoint

        def sent(_context: object) -> None:
            stages.sent(trace, endpoint)

        context.add_done_callback(sent)

    def _read(self, method: Method, caller: Caller, fault: Fault | None, raw: bytes) -> Request:
        """Return the event of a unary call's message."""
        fault = fault or too_long(raw)
        if fault is not None:
            return refused(caller, method.endpoint, fault)
        try:
            message = method.message.FromString(raw)
        except DecodeError:
            fault = Fault(Reason.MALFORMED_REQUEST, f"not a {method.message.__name__}")
            return refused(caller, method.endpoint, fault)
        event: Request = method.read(self._desk.core, caller, message)
        return event

    async def session(self, _requests: object, context: Context) -> None:
        """Serve one session from logon to its end."""
        origin = self._callers.origin(context)
        session = Session(
            self._core,
            self._desk,
            self._callers,
            self._receive_ns,
            context,
            origin,
            self._calls,
            self._meter,
        )
        try:
            refusal = await session.log_on(self._next_session(), self._logon_seconds)
            if refusal is not None:
                await abort(context, refusal)
            await session.serve()
        finally:
            session.end(self.closing)

    async def unknown(self, path: str, _requests: object, context: Context) -> None:
        """Decide and refuse the call of a method that does not exist."""
        origin, received_ns = self._callers.origin(context), self._receive_ns()
        waiting = Answer()

        def submit() -> None:
            caller = self._callers.stranger(origin, received_ns)
            event = refused(caller, Endpoint.UNKNOWN, Fault(Reason.UNKNOWN_ENDPOINT, path[:256]))
            self._submit(event, waiting)

        started_ns = time.perf_counter_ns()
        call = Call(MARKET_DATA, started_ns, submit, lambda _waited_ns, _most_ns: submit(), waiting)
        self._calls.add(origin.peer, call)
        outcome = await waiting.outcome()
        if waiting.trace is not None:
            waiting.trace.enter(RENDER)
        told = answer(METHODS[0], self._desk, outcome)
        await self._refuse(context, told, outcome, waiting, started_ns)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method; there is one for those that do not exist, too."""

    def __init__(self, edge: GrpcOrderEdge) -> None:
        self._edge = edge
        self._handlers: dict[str, Any] = {}
        for method in METHODS:
            path = f"/{SERVICE}/{method.name}"
            call: Callable[..., Awaitable[bytes]] = partial(edge.unary, method, path)
            self._handlers[path] = grpc.unary_unary_rpc_method_handler(call)
        self._handlers[SESSION_PATH] = grpc.stream_stream_rpc_method_handler(edge.session)

    def service(self, details: Any) -> Any:
        """Return the handler of a call."""
        found = self._handlers.get(details.method)
        if found is None:
            call = partial(self._edge.unknown, details.method)
            found = grpc.stream_stream_rpc_method_handler(call)
        return found


async def abort(context: Context, told: wire.Refusal) -> NoReturn:
    """End a call with the status of a refusal, and the refusal itself in the status details."""
    while told.ByteSize() > DETAILS_MAX and told.others:
        del told.others[-1]
    packed = AnyMessage()
    packed.Pack(told)
    code = _CODES[status_code(told).value]
    status = Status(code=code.value[0], message=told.text, details=[packed])
    metadata = [
        (DECISION_HEADER, told.decision_id),
        ("grpc-status-details-bin", status.SerializeToString()),
    ]
    if told.rule:
        metadata.append((RULE_HEADER, told.rule))
    await context.abort(code, told.text, tuple(metadata))
    raise AssertionError("abort returned")
