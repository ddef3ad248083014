"""Order entry over gRPC, a unary call for each request."""

from collections.abc import Iterable, Sequence
from typing import Final

from loadtest.control import RECV_WINDOW_MS
from loadtest.market import Market
from loadtest.protocols.grpc_wire import (
    MessageReader,
    call_headers,
    cancel_request,
    classify_call,
    place_request,
    prefixed,
)
from loadtest.protocols.http2 import Http2Connection, headers_frame
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.samples import DECISION_HEADER, ERROR
from loadtest.units import NS_PER_US
from loadtest.workload import Intent, Placement

SERVICE: Final = "/ordergate.v1.OrderEntry/"
_HEADER: Final = 9
_CANCEL: Final = 8
"""The error code by which a client ends a stream it no longer wants."""


class CallsProtocol(Protocol):
    """Order entry in calls of their own, many at a time on each connection."""

    name = "gRPC unary"

    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return each call: its headers with the signature, and its message."""
        return Rendered([self._wire(intent, epoch_ns) for intent in intents])

    def senders(self, ways: Ways, markets: Sequence[Market]) -> Senders:
        """Return connections that are yet to be opened."""
        return CallsSenders(self.target, ways)

    def _wire(self, intent: Intent, epoch_ns: int) -> bytes:
        if isinstance(intent, Placement):
            path, message = f"{SERVICE}Place", place_request(intent).SerializeToString()
        else:
            path = f"{SERVICE}Cancel"
            message = cancel_request(intent.placement).SerializeToString()
        timestamp = str((epoch_ns + intent.at_ns) // NS_PER_US)
        window = str(RECV_WINDOW_MS * 1_000)
        payload = f"{path}\n{timestamp}\n{window}\n".encode() + message
        headers = [
            *call_headers(self.target, path),
            ("x-ordergate-key", intent.key.name),
            ("x-ordergate-timestamp", timestamp),
            ("x-ordergate-recv-window", window),
            ("x-ordergate-signature", intent.key.signature(payload)),
        ]
        return headers_frame(headers) + prefixed(message)


class CallsSenders(Senders):
    """Connections that carry as many calls at a time as the target allows."""

    def make(self, number: int) -> "CallsConnection":
        """Return a connection that is yet to be opened."""
        return CallsConnection(self, number)


class _Call:
    """One call that waits for its answer."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.reader = MessageReader()
        self.messages = 0
        self.begun = False


class CallsConnection(Http2Connection):
    """One connection; each stream is a call."""

    def __init__(self, senders: Senders, number: int) -> None:
        super().__init__(senders, number)
        self._calls: dict[int, _Call] = {}
        self._streams: dict[int, int] = {}
        """By request: its stream."""

    @property
    def has_room(self) -> bool:
        """Whether another call may be made."""
        return self.may_open

    def send(self, first: int, count: int, wire: bytes, now_ns: int) -> None:
        """Make a call."""
        assert count == 1
        length = _HEADER + int.from_bytes(wire[:3], "big")
        self.sent((first,), now_ns)
        stream = self.open_stream(wire[:length])
        self._calls[stream] = _Call(first)
        self._streams[first] = stream
        self.write_data(stream, wire[length:], last=True)

    def failed(self, index: int, label: str, now_ns: int) -> None:
        """End a call without an answer, and tell the target so."""
        super().failed(index, label, now_ns)
        stream = self._streams.pop(index, 0)
        if self._calls.pop(stream, None) is not None:
            self.close_stream(stream, _CANCEL)
            self.senders.freed(self, now_ns)

    def on_settled(self) -> None:
        """Calls may be made."""
        self.usable()

    def on_headers(self, stream: int, headers: dict[bytes, bytes], *, ended: bool) -> None:
        """Take the headers of an answer, or the trailers that end it."""
        call = self._calls[stream]
        if not call.begun and headers.get(b":status") != b"200":
            status = headers.get(b":status", b"missing").decode("ascii", "replace")
            self._finish(stream, call, ERROR, f"HTTP status {status}")
        elif ended:
            answered = call.messages == 1 and call.reader.whole
            outcome, label = classify_call(headers, answered=answered)
            self._finish(stream, call, outcome, label, headers.get(DECISION_HEADER, b""))
        call.begun = True

    def on_data(self, stream: int, data: bytes, *, ended: bool) -> None:
        """Count the messages of an answer."""
        call = self._calls[stream]
        try:
            call.messages += sum(1 for _ in call.reader.feed(data))
        except ValueError:
            self._finish(stream, call, ERROR, "malformed answer")
            return
        if ended:
            self._finish(stream, call, ERROR, "no status")

    def on_reset(self, stream: int, why: str) -> None:
        """A call was ended by the target."""
        self._finish(stream, self._calls[stream], ERROR, why)

    def _finish(
        self, stream: int, call: _Call, outcome: str, label: str, decision_id: bytes | None = None
    ) -> None:
        """End a call; where the target has not, tell it so."""
        now_ns = self.senders.now_ns()
        del self._calls[stream], self._streams[call.index]
        self.close_stream(stream, _CANCEL if outcome == ERROR else None)
        if decision_id is None:
            super().failed(call.index, label, now_ns)
        else:
            self.answered(call.index, now_ns, outcome, label, decision_id.decode("latin-1"))
        self.senders.freed(self, now_ns)
