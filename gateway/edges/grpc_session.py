"""One gRPC session: a signed logon, then batches of requests and coalesced answers."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import grpc
import msgspec
from google.protobuf.message import DecodeError

from gateway.answer import Answer
from gateway.dialects.native.answers import METHOD_BY_ENTRY, METHODS, Method, answer
from gateway.dialects.native.desk import Caller, Desk
from gateway.dialects.native.reading import Fault
from gateway.dialects.native.refusals import refusal, status_code
from gateway.dialects.native.requests import refused
from gateway.edges.calls import Call, Calls
from gateway.edges.grpc_callers import Callers, Origin, entry_caller
from gateway.edges.protocols import Meter, SubmittingCore
from gateway.lanes import CANCELS, MARKET_DATA, lane_of, strangers_lane, waited_texts
from gateway.outcome import Outcome, Reply
from gateway.stages import DECIDE, EDGE_OUT, RENDER, Stages, Trace
from gateway.turns import NOWHERE
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.endpoints import Endpoint
from rules.events import Query, Request, SessionClosed, SessionOpened
from rules.reasons import Reason
from rules.values import AUTH_MISSING_KEY, AUTH_NOT_CHECKED, CHANNEL_GRPC

MESSAGE_MAX: Final = 1_048_576
"""Bytes of a message that is read."""
ANSWERS_PER_MESSAGE: Final = 1_000
ENTRIES_MAX: Final = 4_096
"""Requests of one message; a message with more is refused as a whole."""
UNANSWERED_MAX: Final = 4_096
"""Requests whose answers have not been written yet; no more is read until they are."""
WAITING_MAX: Final = 64
"""While more requests than so many wait for their turn, no further message is read."""
CANCEL_SECONDS: Final = 0.05
LOGON_SECONDS: Final = 10.0
"""How long the first message of a session may take to come."""
_NS_PER_MICROSECOND: Final = 1_000

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """A request that waits for its turn."""

    entry: wire.SessionEntry | None
    """None for a message without any, which is refused as a whole."""
    method: Method | None
    """What it asks for, None when it does not say."""
    lane: int
    caller: Caller
    fault: Fault | None
    """What is wrong with it already."""
    started_ns: int
    """Stopwatch when it was read."""


class _TracedReply:
    """The reply to a request that is followed; its answer is made in the call that brings it."""

    __slots__ = ("_reply", "trace")

    def __init__(self, reply: Reply, trace: Trace) -> None:
        self._reply = reply
        self.trace = trace

    def __call__(self, outcome: Outcome) -> None:
        """Take the outcome."""
        trace = self.trace
        trace.replied()
        trace.enter(RENDER)
        self._reply(outcome)
        trace.enter(EDGE_OUT)


class Session:
    """One stream from logon to its end; its requests wait for their turns in their order.

    The next message is read while those of the one before wait, up to a bound.
    """

    def __init__(
        self,
        core: SubmittingCore,
        desk: Desk,
        callers: Callers,
        receive_ns: Callable[[], int],
        context: Context,
        origin: Origin,
        calls: Calls,
        meter: Meter | None = None,
    ) -> None:
        self.lane = NOWHERE
        self.since_ns = self.turn = self.taken = 0
        self._core = core
        self._desk = desk
        self._callers = callers
        self._receive_ns = receive_ns
        self._context = context
        self._origin = origin
        self._calls = calls
        self._meter = meter
        self._stages = calls.stages
        self._entries: deque[_Entry] = deque()
        """Those that wait for their turn."""
        self._in_line = False
        self._fault: Exception | None = None
        """The bug that was met while deciding; it ends the session."""
        self._caller: Caller = callers.stranger(origin, 0)
        self._first = wire.SessionRequest()
        self._last_sequence = 0
        self._unanswered = 0
        self._messages: deque[wire.SessionResponse] = deque()
        """Answers to write; they are put together in their messages, where they need no copy."""
        self._answers_made = self._answers_taken = 0
        """Answers since the session began, and those among them that were taken to be written."""
        self._traces: deque[tuple[int, Trace, int]] = deque()
        """Of answers that are followed and not written: which one it is, trace and endpoint."""
        self._changed = asyncio.Event()
        """Set when there are answers to write, or nothing more is to come."""
        self._room = asyncio.Event()
        """Set when more may be read."""
        self._read_all = False
        self._opened = False
        """Its beginning is in the record, so that its end must be."""
        rulebook = desk.core.rulebook
        self._lanes = {method.endpoint: lane_of(method.endpoint, rulebook) for method in METHODS}

    async def log_on(self, number: int, seconds: float = LOGON_SECONDS) -> wire.Refusal | None:
        """Decide the first message; return why the session is refused, None when it is open.

        A first message that does not come in time is decided as one that is missing.
        """
        try:
            async with asyncio.timeout(seconds):
                raw = await self._context.read()
        except TimeoutError:
            raw = grpc.aio.EOF
        received_ns = self._receive_ns()
        first = b"" if raw is grpc.aio.EOF else raw
        started_ns = time.perf_counter_ns()
        waiting = Answer()

        def submit() -> None:
            event = self._logon_event(first, received_ns, number)
            if waiting.trace is not None:
                waiting.trace.enter(DECIDE)
            self._core.submit(event, waiting)

        lane = self._calls.lane(CANCELS, self._origin.address)
        self._calls.add(
            self._origin.peer,
            Call(lane, started_ns, submit, lambda _waited_ns, _most_ns: submit(), waiting),
        )
        outcome = await waiting.outcome()
        trace = waiting.trace
        if trace is not None:
            trace.enter(RENDER)
        told = refusal(self._desk, outcome)
        self._count(Endpoint.SESSION_LOGON, told, started_ns)
        if told is not None:
            return told
        caller = self._caller
        self._core.submit(SessionOpened(number, caller.key, caller.ip, CHANNEL_GRPC))
        self._opened = True
        accepted = wire.LogonAccepted(
            decision_id=self._desk.ids.encode(outcome.seq),
            session=number,
            server_time_us=received_ns // _NS_PER_MICROSECOND,
        )
        encoded = wire.SessionResponse(logon=accepted).SerializeToString()
        if trace is not None:
            trace.enter(EDGE_OUT)
        await self._context.write(encoded)
        if trace is not None and self._stages is not None:
            self._stages.sent(trace, Endpoint.SESSION_LOGON)
        return None

    def _logon_event(self, raw: bytes, received_ns: int, number: int) -> Request:
        endpoint = Endpoint.SESSION_LOGON
        fault = too_long(raw)
        if fault is None:
            try:
                self._first = wire.SessionRequest.FromString(raw)
            except DecodeError:
                fault = Fault(Reason.MALFORMED_REQUEST, "not a SessionRequest")
        if fault is not None:
            return refused(self._callers.stranger(self._origin, received_ns), endpoint, fault)
        caller, fault = self._callers.logon(self._origin, self._first.logon, received_ns, number)
        if not self._first.HasField("logon"):
            caller = msgspec.structs.replace(caller, auth=AUTH_MISSING_KEY)
        self._caller = caller
        if fault is not None:
            return refused(caller, endpoint, fault)
        return Query(*caller.head(endpoint))

    async def serve(self) -> None:
        """Read, decide and answer until the client has sent and got everything."""
        writer = asyncio.create_task(self._write_answers())
        reader = asyncio.create_task(self._read_messages())
        try:
            # A writer that fails means the client is gone; there is nothing left to read for.
            done, _ = await asyncio.wait((writer, reader), return_when=asyncio.FIRST_EXCEPTION)
            # Both may have met the same bug, and each one's has to be asked for.
            for failure in [task.exception() for task in done]:
                if failure is not None:
                    raise failure
        finally:
            writer.cancel()
            reader.cancel()

    def end(self, planned: bool) -> None:
        """Record the end of the session, if it was opened; `planned` is an end by the gate, which
        counts as graceful.

        What waited for its turn is dropped: nothing may be decided for a session that has ended.
        """
        self._entries.clear()
        if self._opened:
            self._core.submit(SessionClosed(self._caller.session, self._read_all or planned))

    # --- Requests -----------------------------------------------------------------------------

    async def _read_messages(self) -> None:
        self._take(self._first, self._receive_ns(), opening=True)
        while (raw := await self._next_message()) is not grpc.aio.EOF:
            received_ns = self._receive_ns()
            fault = too_long(raw)
            message = wire.SessionRequest()
            if fault is None:
                try:
                    message = wire.SessionRequest.FromString(raw)
                except DecodeError:
                    fault = Fault(Reason.MALFORMED_REQUEST, "not a SessionRequest")
            if fault is None:
                self._take(message, received_ns)
            else:
                caller = msgspec.structs.replace(self._caller, received_ns=received_ns)
                self._take_refused(caller, fault)
        # A cancelled stream reads as ended too; that it was cancelled is told a moment later.
        await asyncio.sleep(CANCEL_SECONDS)
        self._read_all = True
        self._changed.set()

    async def _next_message(self) -> Any:
        """Return the next message once there is room for it."""
        while not self._has_room():
            self._room.clear()
            await self._room.wait()
        raw = await self._context.read()
        if self._fault is not None:
            raise self._fault
        return raw

    def _has_room(self) -> bool:
        return len(self._entries) <= WAITING_MAX and self._unanswered < UNANSWERED_MAX

    def _take(self, message: wire.SessionRequest, received_ns: int, opening: bool = False) -> None:
        """Let every request of one message wait for its turn."""
        caller, fault = entry_caller(self._caller, message, received_ns)
        if not opening and message.HasField("logon"):
            self._take_refused(caller, Fault(Reason.UNEXPECTED_PARAMETER, "logon"))
        elif not opening and not message.entries:
            self._take_refused(caller, Fault(Reason.MISSING_PARAMETER, "entries"))
        if len(message.entries) > ENTRIES_MAX:
            # Taking them all in one go would keep everybody else waiting.
            expected = f"at most {ENTRIES_MAX}"
            self._take_refused(caller, Fault(Reason.PARAMETER_OUT_OF_RANGE, "entries", expected))
            return
        started_ns = time.perf_counter_ns()
        trusted = self._calls.trusts(self._origin.address)
        for entry in message.entries:
            field = entry.WhichOneof("request")
            method = METHOD_BY_ENTRY[field] if field else None
            lane = MARKET_DATA if method is None else self._lanes[method.endpoint]
            if not trusted:
                lane = strangers_lane(lane)
            self._entries.append(_Entry(entry, method, lane, caller, fault, started_ns))
        self._get_in_line()

    def _take_refused(self, caller: Caller, fault: Fault) -> None:
        """Let a message wait for its turn that has no entry to answer."""
        started_ns = time.perf_counter_ns()
        self._entries.append(_Entry(None, None, MARKET_DATA, caller, fault, started_ns))
        self._get_in_line()

    # --- Turns --------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Number of requests that wait for their turn."""
        return len(self._entries)

    def _get_in_line(self) -> None:
        """Wait for a turn, unless that is so already or nothing may be decided."""
        if self._in_line:
            return
        self._next()
        if self.lane != NOWHERE:
            self._in_line = True
            self._calls.line_up(self)

    def _next(self) -> None:
        """Find the lane of the first entry; none when nothing may be decided."""
        self.lane = NOWHERE
        if self._entries and self._unanswered < UNANSWERED_MAX:
            first = self._entries[0]
            self.lane, self.since_ns = first.lane, first.started_ns

    def decide(self) -> None:
        """Have the first entry decided, unless the session has ended."""
        self._decide_first(self._stages)

    def _decide_first(self, stages: Stages | None) -> None:
        if self._entries:
            try:
                self._decide(self._entries.popleft(), stages)
            except Exception as error:  # the tasks that read and write tell of it
                self._fault = error
                self._entries.clear()
                self._changed.set()
        self._next()

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Have the first entry refused, because it has waited for too long."""
        if self._entries:
            first = self._entries[0]
            fault = Fault(Reason.OVERLOADED, *waited_texts(waited_ns, most_ns))
            # Nothing was verified for this one entry, so refusals of many are counted.
            caller = msgspec.structs.replace(first.caller, auth=AUTH_NOT_CHECKED)
            self._entries[0] = msgspec.structs.replace(first, caller=caller, fault=fault)
        self._decide_first(None)

    def turn_over(self) -> None:
        """Have more read once there is room."""
        if self.lane == NOWHERE:
            self._in_line = False
        if not self._room.is_set() and self._has_room():
            self._room.set()

    def _decide(self, first: _Entry, stages: Stages | None) -> None:
        """Have one entry decided, and followed where `stages` are told of it."""
        trace = None if stages is None else stages.begin(first.started_ns)
        entry, method, caller, fault = first.entry, first.method, first.caller, first.fault
        sequence = entry.sequence if entry is not None else 0
        if entry is not None:
            if sequence <= self._last_sequence:
                expected = f"above {self._last_sequence}"
                fault = Fault(Reason.INVALID_PARAMETER, "sequence", expected)
            else:
                self._last_sequence = sequence
                if method is None:
                    fault = Fault(Reason.MISSING_PARAMETER, "request")
        if entry is not None and method is not None and fault is None:
            message = getattr(entry, method.entry_field)
            event: Request = method.read(self._desk.core, caller, message)
        else:
            assert fault is not None
            endpoint = Endpoint.UNKNOWN if method is None else method.endpoint
            event = refused(caller, endpoint, fault)
        self._unanswered += 1
        reply: Reply = partial(
            self._answered, method or METHODS[0], sequence, event.endpoint, first.started_ns, trace
        )
        if trace is not None:
            reply = _TracedReply(reply, trace)
            trace.enter(DECIDE)
        self._core.submit(event, reply)

    # --- Answers ------------------------------------------------------------------------------

    def _answered(
        self,
        method: Method,
        sequence: int,
        endpoint: int,
        started_ns: int,
        trace: Trace | None,
        outcome: Outcome,
    ) -> None:
        """Take an outcome; it is written with all others that are ready by then."""
        told = answer(method, self._desk, outcome)
        refused = told if isinstance(told, wire.Refusal) else None
        self._count(endpoint, refused, started_ns)
        messages = self._messages
        if not messages or len(messages[-1].answers) >= ANSWERS_PER_MESSAGE:
            messages.append(wire.SessionResponse())
        line = messages[-1].answers.add(sequence=sequence)
        getattr(line, method.answer_field if refused is None else "refused").CopyFrom(told)
        self._answers_made += 1
        if trace is not None:
            self._traces.append((self._answers_made, trace, endpoint))
        self._changed.set()

    def _count(self, endpoint: int, refused: wire.Refusal | None, started_ns: int) -> None:
        """Let the metrics know of an answer."""
        if self._meter is not None:
            code = 0 if refused is None else status_code(refused).value
            self._meter.answered(endpoint, code, time.perf_counter_ns() - started_ns)

    async def _write_answers(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._fault is not None:
                raise self._fault
            while self._messages:
                message = self._messages.popleft()
                count = len(message.answers)
                self._answers_taken += count
                await self._context.write(message.SerializeToString())
                if self._traces:
                    self._written()
                self._unanswered -= count
                self._get_in_line()
                if self._has_room():
                    self._room.set()
            if self._read_all and not self._unanswered and not self._entries:
                return

    def _written(self) -> None:
        """Take note that everything that was put into messages is with gRPC's transport."""
        traces, stages = self._traces, self._stages
        while traces and traces[0][0] <= self._answers_taken:
            _, trace, endpoint = traces.popleft()
            if stages is not None:
                stages.sent(trace, endpoint)


def too_long(raw: bytes) -> Fault | None:
    """Return the fault of a message that is longer than what is read."""
    if len(raw) <= MESSAGE_MAX:
        return None
    return Fault(Reason.BODY_TOO_LARGE, str(len(raw)), f"{MESSAGE_MAX} bytes")
