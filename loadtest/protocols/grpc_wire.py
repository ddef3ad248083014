"""gRPC as bytes: messages of the proto, the frame around each, statuses and what they mean.

The tester knows nothing of the gate but this wire: `gateway.wire` is the code that protoc makes
of proto/ordergate/v1. A copy of its own would be the same code under another name, of which one
process can load only one.
"""

import base64
import binascii
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from urllib.parse import unquote

from google.protobuf.message import DecodeError
from google.rpc import code_pb2  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1 import values_pb2 as codes
from loadtest.samples import ACCEPTED, ERROR, REFUSED
from loadtest.target import Target
from loadtest.units import LoadTestError
from loadtest.workload import Placement

MESSAGE_MAX: Final = 64 * 1_048_576
"""Bytes of a message that is taken."""
_PREFIX: Final = struct.Struct(">BL")
_E8_MAX: Final = 2**63 - 1
_REASONS_OF_FAULTS: Final = 9_000
"""Reasons from here on are faults of the target, not decisions."""
_NAMES: Final[dict[int, str]] = {number: name for name, number in code_pb2.Code.items()}
"""Of gRPC's status codes."""
_DECISIONS: Final = frozenset(
    {
        code_pb2.INVALID_ARGUMENT,
        code_pb2.NOT_FOUND,
        code_pb2.ALREADY_EXISTS,
        code_pb2.PERMISSION_DENIED,
        code_pb2.RESOURCE_EXHAUSTED,
        code_pb2.FAILED_PRECONDITION,
        code_pb2.ABORTED,
        code_pb2.OUT_OF_RANGE,
        code_pb2.UNIMPLEMENTED,
        code_pb2.UNAUTHENTICATED,
    }
)
"""Statuses by which a target decides against a call."""


class MessageReader:
    """Cuts the data of a stream into messages."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return the messages that are whole; raises ValueError where none can follow."""
        buffer = self._buffer + data if self._buffer else data
        at = 0
        while len(buffer) - at >= _PREFIX.size:
            compressed, length = _PREFIX.unpack_from(buffer, at)
            if compressed:
                raise ValueError("a compressed message, which was not asked for")
            if length > MESSAGE_MAX:
                raise ValueError(f"a message of {length} bytes; at most {MESSAGE_MAX} are taken")
            end = at + _PREFIX.size + length
            if len(buffer) < end:
                break
            yield buffer[at + _PREFIX.size : end]
            at = end
        self._buffer = buffer[at:]

    @property
    def whole(self) -> bool:
        """Whether no message is cut off."""
        return not self._buffer


def prefixed(message: bytes) -> bytes:
    """Return a message as it stands in a stream."""
    return _PREFIX.pack(0, len(message)) + message


def call_headers(target: Target, path: str) -> list[tuple[str, str]]:
    """Return the headers that every call begins with."""
    return [
        (":method", "POST"),
        (":scheme", "https" if target.tls else "http"),
        (":path", path),
        (":authority", target.host_header),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "ordergate-load"),
        ("grpc-accept-encoding", "identity"),
    ]


def e8(text: str) -> int:
    """Return a decimal in units of 1e-8; raises LoadTestError when it has finer digits."""
    value = Decimal(text).scaleb(8)
    if value != int(value) or not 0 <= value <= _E8_MAX:
        raise LoadTestError(f"`{text}` can't be said in units of 1e-8")
    return int(value)


def place_request(intent: Placement) -> wire.PlaceRequest:
    """Return the message of an order."""
    return wire.PlaceRequest(
        symbol=intent.symbol,
        side=codes.SIDE_BUY if intent.buys else codes.SIDE_SELL,
        order_type=codes.ORDER_TYPE_LIMIT,
        time_in_force=codes.TIME_IN_FORCE_IOC if intent.crosses else codes.TIME_IN_FORCE_GTC,
        price_e8=e8(intent.price),
        quantity_e8=e8(intent.quantity),
        client_order_id=intent.client_order_id,
    )


def cancel_request(placement: Placement) -> wire.CancelRequest:
    """Return the message of a cancel of an order."""
    return wire.CancelRequest(
        symbol=placement.symbol, orig_client_order_id=placement.client_order_id
    )


# --- What answers mean ------------------------------------------------------------------------


def classify_call(headers: dict[bytes, bytes], *, answered: bool) -> tuple[str, str]:
    """Return outcome and label of a call by its trailers.

    `answered` is whether one whole message came. Accepted is status OK with a message; refused is
    what the target decided against: a status that says so, or any with a `Refusal` in its details
    that names no fault and no unknown fate.
    """
    code = status_code(headers)
    if code is None:
        return ERROR, "no status"
    if code == code_pb2.OK:
        return (ACCEPTED, _NAMES[code]) if answered else (ERROR, "OK without a message")
    refusal = _refusal(headers.get(b"grpc-status-details-bin", b""))
    if refusal is not None:
        outcome, label = classify_refusal(refusal)
        return outcome, f"{_NAMES[code]} {label}"
    return (REFUSED if code in _DECISIONS else ERROR), _NAMES[code]


def classify_refusal(refusal: wire.Refusal) -> tuple[str, str]:
    """Return outcome and label of what a gate has refused."""
    label = reason_name(refusal.reason)
    if refusal.rule:
        label += f" {refusal.rule}"
    fault = refusal.unknown or refusal.reason >= _REASONS_OF_FAULTS or not refusal.reason
    return (ERROR if fault else REFUSED), label


def reason_name(number: int) -> str:
    """Return the name of a reason, or its number where it has none."""
    known = codes.Reason.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix("REASON_") if known is not None else f"reason {number}"


def status_code(headers: dict[bytes, bytes]) -> int | None:
    """Return the status a stream ended with, None when its trailers tell none."""
    text = headers.get(b"grpc-status", b"")
    if not text.isdigit() or len(text) > 2:
        return None
    code = int(text)
    return code if code in _NAMES else code_pb2.UNKNOWN


def ended_text(headers: dict[bytes, bytes]) -> str:
    """Return how a stream ended, in words."""
    code = status_code(headers)
    if code is None:
        status = headers.get(b":status", b"").decode("ascii", "replace")
        return f"no status of gRPC, HTTP status {status or 'missing'}"
    said = unquote(headers.get(b"grpc-message", b"").decode("ascii", "replace"))
    return f"{_NAMES[code]} {said}".rstrip()


def _refusal(details: bytes) -> wire.Refusal | None:
    """Return the refusal in the details of a status, None where there is none."""
    if not details:
        return None
    refusal = wire.Refusal()
    try:
        # Padding may be left out on the wire, and is ignored where it is too much.
        status = Status.FromString(base64.b64decode(details + b"=="))
        for packed in status.details:
            if packed.Unpack(refusal):
                return refusal
    except (binascii.Error, DecodeError, ValueError):
        pass
    return None
